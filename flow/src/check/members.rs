//! Members of what Flow provides: `Math.foo`, `Task.rnu`, `new Foo()`, `Inputs.custmer`.

use std::cell::RefCell;
use std::collections::HashMap;

use super::globals;
use super::meant;
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::absent;
use crate::ast::{
    Declare, Element, Expr, ExprKind, Ident, Pattern, PatternKind, PropKey, Script, Stmt, StmtKind,
};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::input_type::{Field, InputType, Lookup, Type};
use crate::parse::refuse::Refused;
use crate::source::{Source, Span};
use crate::value::date;

/// Longer pieces of the program are not repeated in hints.
const MAX_QUOTE: usize = 40;

/// More fields than these are not listed.
const MAX_LISTED: usize = 20;

pub(super) fn check(script: &Script, source: &Source, names: &Names, found: &mut Vec<Diagnostic>) {
    let inputs = script.input_type.as_ref().map(InputType::root);
    Members {
        found,
        source,
        names,
        inputs,
        fields: RefCell::default(),
        aliases: HashMap::new(),
    }
    .list(&script.body);
}

struct Members<'c> {
    found: &'c mut Vec<Diagnostic>,
    source: &'c Source,
    names: &'c Names,
    inputs: Option<&'c Type>,
    /// The fields of each type that was looked into, by their names: there may be thousands.
    fields: RefCell<HashMap<*const Field, HashMap<&'c str, &'c Field>>>,
    /// Constants that are another name of a builtin.
    aliases: HashMap<usize, String>,
}

impl<'c> Members<'c> {
    /// `object.name` of a builtin.
    fn member(&mut self, object: &Ident, name: &Ident) {
        let Some(members) = globals::members(&object.name) else {
            return;
        };
        if members.contains(&name.name.as_str()) {
            return;
        }
        let message = format!("`{}` has no member `{}`", object.name, name.name);
        let known = absent::member(&object.name, &name.name);
        let hint = match meant(self.found, &name.name, members.iter().copied()) {
            _ if known.is_some() => known.map(str::to_owned),
            Some(meant) => Some(format!("Did you mean `{}.{meant}`?", object.name)),
            None if members.is_empty() => None,
            None if members.len() <= 8 => {
                let all: Vec<String> = members.iter().map(|member| format!("`{member}`")).collect();
                Some(format!("It has {}.", all.join(", ")))
            }
            None => None,
        };
        let mut diagnostic = Diagnostic::new(Code::UnknownMember, name.span, message);
        diagnostic.hint = hint;
        self.found.push(diagnostic);
    }

    fn constructor(&mut self, callee: &Ident) {
        let name = callee.name.as_str();
        let builtin = self.names.is_builtin(callee);
        if builtin && globals::is_constructor(name) {
            return;
        }
        // A broken statement may have declared it, such as a class.
        let is_known =
            builtin || self.names.binding(callee).is_some() || absent::name(name).is_some();
        if self.names.has_broken && !is_known {
            return;
        }
        // An unknown name has been told by `scope`.
        let elsewhere = absent::name(name).filter(|_| !builtin);
        let of_alias = self.names.binding(callee);
        let alias = of_alias.and_then(|binding| self.aliases.get(&binding));
        let hint = match alias.map_or(name, String::as_str) {
            alias if alias != name && globals::is_constructor(alias) => {
                &format!("Write `new {alias}`: `new` needs the class by its own name.")
            }
            _ if !builtin && alias.is_none() && !globals::is_builtin(name) => {
                "Flow has no constructors of your own; call a function that returns an object."
            }
            "Promise" => {
                "Write `await sleep(1)` to wait, `await Signal.next(\"name\")` for something from \
                 outside, or an async function."
            }
            "Array" => "Write `[]`, or `Array.from({length: n})`.",
            "Object" => "Write `{}`.",
            "String" | "Number" | "Boolean" => "Call it without `new`.",
            _ => "`new` makes errors, dates, maps, sets and regular expressions.",
        };
        let message = format!("`{name}` cannot be called with `new`");
        let meant = meant(self.found, name, globals::constructors());
        let hint = match (elsewhere, meant) {
            (Some(hint), _) => hint.to_owned(),
            (None, Some(meant)) if !builtin => format!("Did you mean `new {meant}`?"),
            _ => hint.to_owned(),
        };
        self.found
            .push(Diagnostic::new(Code::NotConstructor, callee.span, message).with_hint(hint));
    }

    /// `new Date(2024, 0, 31)`
    fn local_date(&mut self, args: &[Element], span: Span) {
        if let [only] = args
            && let ExprKind::String(text) = &only.value.kind
            && date::read(&String::from_utf16_lossy(text)) == date::Reading::Foreign
        {
            let message = "Flow reads no date that is written like this";
            let hint = "Write \"2024-01-31\" or, with a zone, \"2024-01-31T12:00:00Z\".";
            self.found
                .push(Diagnostic::new(Code::NotInFlow, only.value.span, message).with_hint(hint));
        }
        let ([first, _, ..], Some(last)) = (args, args.last()) else {
            return;
        };
        if args.iter().any(|arg| arg.spread) {
            return;
        }
        let (what, otherwise) = Refused::LocalDate.words();
        let args = first.value.span.to(last.value.span);
        let hint = match self.source.quote(args, MAX_QUOTE) {
            Some(args) => format!("Write `new Date(Date.UTC({args}))`."),
            None => otherwise.to_owned(),
        };
        let message = format!("Flow does not have {what}");
        self.found
            .push(Diagnostic::new(Code::NotInFlow, span, message).with_hint(hint));
    }

    /// `JSON.parse(text, (key, value, { source }) => …)`
    fn reviver(&mut self, callee: &Expr, args: &[Element]) {
        if let ExprKind::Member { object, name, .. } = &callee.kind
            && name.name == "parse"
            && self
                .names
                .builtin(object)
                .is_some_and(|object| object.name == "JSON")
            && let [_, reviver] = args
            && let ExprKind::Function(function) = &reviver.value.kind
            && let Some(third) = function.params.get(2)
        {
            let (what, hint) = Refused::ReviverContext.words();
            let message = format!("Flow does not have {what}");
            self.found
                .push(Diagnostic::new(Code::NotInFlow, third.target.span, message).with_hint(hint));
        }
    }

    /// The type of an expression that is `Inputs` or a path from it.
    fn type_of(&self, expr: &Expr) -> Option<&'c Type> {
        match &expr.kind {
            ExprKind::Name(name) if name.name == "Inputs" && self.names.is_builtin(name) => {
                self.inputs
            }
            ExprKind::Paren(inner) | ExprKind::Chain(inner) => self.type_of(inner),
            ExprKind::Member { object, name, .. } => {
                match self.field(self.type_of(object)?, &name.name) {
                    Lookup::Found(of) => Some(of),
                    _ => None,
                }
            }
            ExprKind::Index { object, index, .. } => match (self.type_of(object)?, &index.kind) {
                (Type::Array(of), _) => Some(of),
                (of, ExprKind::String(name)) => {
                    match self.field(of, &String::from_utf16_lossy(name)) {
                        Lookup::Found(of) => Some(of),
                        _ => None,
                    }
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The field of a name.
    fn field(&self, of: &'c Type, name: &str) -> Lookup<'c> {
        let all = of.fields();
        let mut indexes = self.fields.borrow_mut();
        let index = indexes.entry(all.as_ptr()).or_insert_with(|| {
            // Of two with one name the first counts.
            let fields = all.iter().rev();
            fields.map(|field| (field.name.as_str(), field)).collect()
        });
        of.with_field(index.get(name).copied())
    }

    fn input_field(&mut self, of: &'c Type, name: &str, span: Span) {
        if let Lookup::Missing(fields) = self.field(of, name) {
            self.unknown_input(fields, name, span);
        }
    }

    fn unknown_input(&mut self, fields: &[Field], name: &str, span: Span) {
        let known = fields.iter().map(|field| field.name.as_str());
        let hint = match meant(self.found, name, known.clone()) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => {
                let listed = known.take(MAX_LISTED);
                let listed: Vec<String> = listed.map(|field| format!("`{field}`")).collect();
                let more = match fields.len() - listed.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let listed = listed.join(", ");
                format!("It has {listed}{more}; declare others at the head of the file.")
            }
        };
        let message = format!("the declared type of the inputs has no field `{name}`");
        self.found
            .push(Diagnostic::new(Code::UnknownInput, span, message).with_hint(hint));
    }

    /// `const {custmer} = Inputs`
    fn destructured(&mut self, of: &'c Type, pattern: &Pattern) {
        match (&pattern.kind, of) {
            (PatternKind::Object { props, .. }, of) => {
                for prop in props {
                    let PropKey::Static { name, span } = &prop.key else {
                        continue;
                    };
                    let name = String::from_utf16_lossy(name);
                    match self.field(of, &name) {
                        Lookup::Found(inner) => self.destructured(inner, &prop.item.target),
                        Lookup::Missing(fields) => self.unknown_input(fields, &name, *span),
                        Lookup::Unknown => {}
                    }
                }
            }
            (PatternKind::Array { items, .. }, Type::Array(of)) => {
                for item in items.iter().flatten() {
                    self.destructured(of, &item.target);
                }
            }
            _ => {}
        }
    }
}

impl<'a> Visitor<'a> for Members<'_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        if let StmtKind::ForIn { right, .. } = &stmt.kind
            && let Some(Type::Array(_)) = self.type_of(right)
        {
            let message = "`for…in` gives the indexes of an array, as strings";
            self.found.push(
                Diagnostic::new(Code::ForInArray, right.span, message)
                    .with_hint("Write `of` instead of `in`."),
            );
        }
        walk::walk_stmt(self, stmt);
    }

    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            if let Some(of) = part.init.as_ref().and_then(|init| self.type_of(init)) {
                self.destructured(of, &part.target);
            }
            if let (PatternKind::Name(name), Some(init)) = (&part.target.kind, &part.init)
                && let Some(builtin) = self.names.builtin(init)
                && let Some(binding) = self.names.binding(name)
                && self.names.is_fixed(binding)
            {
                self.aliases.insert(binding, builtin.name.clone());
            }
        }
        walk::walk_declare(self, declare);
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Member { object, name, .. } => {
                if let Some(of) = self.type_of(object) {
                    self.input_field(of, &name.name, name.span);
                } else if let Some(builtin) = self.names.builtin(object) {
                    self.member(builtin, name);
                }
            }
            ExprKind::Index { object, index, .. } => {
                if let (Some(of), ExprKind::String(name)) = (self.type_of(object), &index.kind) {
                    self.input_field(of, &String::from_utf16_lossy(name), index.span);
                }
            }
            ExprKind::Call { callee, args, .. } => self.reviver(callee, args),
            ExprKind::New { callee, args } => {
                self.constructor(callee);
                if callee.name == "Date" && self.names.is_builtin(callee) {
                    self.local_date(args, expr.span);
                }
            }
            _ => {}
        }
        walk::walk_expr(self, expr);
    }
}
