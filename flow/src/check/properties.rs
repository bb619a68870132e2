//! Properties that Flow's values do not have: those of prototypes and classes, and those that are set on a value that keeps none.

use std::collections::{HashMap, HashSet};

use super::host::without_parentheses;
use super::methods::keys;
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::ast::{Declare, Expr, ExprKind, Ident, Pattern, PatternKind, Script, Stmt, StmtKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::instead::instead_of;
use crate::source::Span;
use crate::value::coerce::array_index;
use crate::value::inherited::Kind;

pub(super) fn check(script: &Script, names: &Names, found: &mut Vec<Diagnostic>) {
    let mut kinds = Kinds {
        names,
        of: HashMap::new(),
    };
    kinds.list(&script.body);
    Properties {
        found,
        names,
        of: kinds.of,
        keys: keys(script),
    }
    .list(&script.body);
}

/// The kinds of constants, as far as their declaration says it.
struct Kinds<'n> {
    names: &'n Names,
    of: HashMap<usize, Kind>,
}

impl Kinds<'_> {
    fn note(&mut self, name: &Ident, kind: Kind) {
        if let Some(binding) = self.names.binding(name)
            && self.names.is_fixed(binding)
        {
            self.of.insert(binding, kind);
        }
    }
}

impl<'a> Visitor<'a> for Kinds<'_> {
    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            if let (PatternKind::Name(name), Some(init)) = (&part.target.kind, &part.init)
                && let Some(kind) = kind_of(init, self.names)
            {
                self.note(name, kind);
            }
        }
        walk::walk_declare(self, declare);
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        if let StmtKind::Function(function) = &stmt.kind
            && let Some(name) = &function.name
        {
            self.note(name, Kind::Function);
        }
        walk::walk_stmt(self, stmt);
    }
}

/// What an expression makes, if it keeps no properties of one's own.
fn kind_of(expr: &Expr, names: &Names) -> Option<Kind> {
    match &without_parentheses(expr).kind {
        ExprKind::Array(_) => Some(Kind::Array),
        ExprKind::Function(_) => Some(Kind::Function),
        ExprKind::New { callee, .. } if names.is_builtin(callee) => match callee.name.as_str() {
            "Map" => Some(Kind::Map),
            "Set" => Some(Kind::Set),
            "Date" => Some(Kind::Date),
            _ => None,
        },
        _ => None,
    }
}

struct Properties<'c> {
    found: &'c mut Vec<Diagnostic>,
    names: &'c Names,
    of: HashMap<usize, Kind>,
    /// The keys of all object literals.
    keys: HashSet<&'c [u16]>,
}

impl Properties<'_> {
    fn kind(&self, expr: &Expr) -> Option<Kind> {
        match &without_parentheses(expr).kind {
            ExprKind::Name(name) => self.of.get(&self.names.binding(name)?).copied(),
            _ => kind_of(expr, self.names),
        }
    }

    /// `object.name`, read.
    fn read(&mut self, object: &Expr, name: &Ident) {
        let text = name.name.as_str();
        let is_absent = match text {
            "constructor" => true,
            "prototype" => self.kind(object) == Some(Kind::Function),
            _ => false,
        };
        let Some(hint) = instead_of(text).filter(|_| is_absent) else {
            return;
        };
        let units: Vec<u16> = text.encode_utf16().collect();
        if self.names.builtin(object).is_some() || self.keys.contains(units.as_slice()) {
            return;
        }
        let message = format!("Flow's values have no `{text}`");
        self.found
            .push(Diagnostic::new(Code::AbsentProperty, name.span, message).with_hint(hint));
    }

    /// `path = …`, `path += …`, `path++`.
    fn written(&mut self, path: &Expr) {
        let (object, name, span): (_, String, Span) = match &path.kind {
            ExprKind::Member { object, name, .. } => (object, name.name.clone(), name.span),
            ExprKind::Index { object, index, .. } => match &without_parentheses(index).kind {
                ExprKind::String(units) => (object, String::from_utf16_lossy(units), index.span),
                _ => return,
            },
            _ => return,
        };
        let Some(kind) = self.kind(object) else {
            return;
        };
        let (what, hint) = match kind {
            Kind::Array => {
                let units: Vec<u16> = name.encode_utf16().collect();
                if name == "length" || array_index(&units).is_some() {
                    return;
                }
                (
                    "an array",
                    "Keep it in an object beside the array: `{list, name}`.",
                )
            }
            Kind::Function => (
                "a function",
                "Keep it in a variable, or in an object that has the function too.",
            ),
            Kind::Map => ("a map", "Write `map.set(key, value)`."),
            Kind::Set => ("a set", "Write `set.add(value)`."),
            _ => (
                "a date",
                "Keep it in an object beside the date: `{date, name}`.",
            ),
        };
        let message = format!("`{name}` cannot be set: {what} keeps no properties in Flow");
        self.found
            .push(Diagnostic::new(Code::PropertyNotKept, span, message).with_hint(hint));
    }
}

impl<'a> Visitor<'a> for Properties<'_> {
    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Member { object, name, .. } = &expr.kind {
            self.read(object, name);
        }
        walk::walk_expr(self, expr);
    }

    fn pattern(&mut self, pattern: &'a Pattern) {
        if let PatternKind::Path(path) = &pattern.kind {
            self.written(path);
            // What stands in front of the last name is read.
            if let ExprKind::Member { object, .. } = &path.kind {
                self.expr(object);
                return;
            }
        }
        walk::walk_pattern(self, pattern);
    }
}
