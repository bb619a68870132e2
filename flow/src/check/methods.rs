//! Calls of methods on values of which the text tells nothing: names that can only be a slip, and
//! methods that JavaScript has and Flow has not.

use std::collections::HashSet;

use super::host::without_parentheses;
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::ast::{Expr, ExprKind, Ident, Prop, PropKey, Script};
use crate::builtins::registry;
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::instead::instead_of;
use crate::value::inherited::{Kind, is_inherited};

pub(super) fn check(script: &Script, names: &Names, found: &mut Vec<Diagnostic>) {
    Methods {
        found,
        names,
        keys: &keys(script),
        known: registry().methods(),
    }
    .list(&script.body);
}

const KINDS: [Kind; 8] = [
    Kind::Object,
    Kind::Array,
    Kind::String,
    Kind::Number,
    Kind::Function,
    Kind::Date,
    Kind::Map,
    Kind::Set,
];

/// What is often written for `length`.
const LENGTHS: [&str; 5] = ["lenght", "legnth", "lenth", "lengh", "Length"];

/// Methods of other languages and libraries.
const FOREIGN: &[(&[&str], &str)] = &[
    (&["contains"], "Write `includes(x)`."),
    (&["append", "add_last"], "Write `push(x)` on an array."),
    (&["strip"], "Write `trim()`."),
    (&["lower"], "Write `toLowerCase()`."),
    (&["upper"], "Write `toUpperCase()`."),
    (&["isEmpty", "empty"], "Write `.length === 0`."),
    (&["equals"], "Write `===`."),
    (&["last"], "Write `at(-1)`."),
    (&["first"], "Write `[0]`, or `at(0)`."),
    (&["groupBy"], "Write `Object.groupBy(list, (item) => key)`."),
    (&["sum"], "Write `reduce((sum, item) => sum + item, 0)`."),
    (
        &["uniq", "unique", "distinct"],
        "Write `[...new Set(list)]`.",
    ),
    (
        &["containsKey", "has_key"],
        "Write `Object.hasOwn(object, key)`.",
    ),
];

/// Members that are no methods, though other languages have methods of these names.
const NO_METHODS: [&str; 2] = ["length", "size"];

/// The keys of all object literals: properties and methods of the program's own.
pub(super) fn keys(script: &Script) -> HashSet<&[u16]> {
    let mut keys = Keys(HashSet::new());
    keys.list(&script.body);
    keys.0
}

struct Keys<'a>(HashSet<&'a [u16]>);

impl<'a> Visitor<'a> for Keys<'a> {
    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Object(props) = &expr.kind {
            for prop in props {
                if let Prop::Value {
                    key: PropKey::Static { name, .. },
                    ..
                } = prop
                {
                    self.0.insert(name);
                }
            }
        }
        walk::walk_expr(self, expr);
    }
}

struct Methods<'c> {
    found: &'c mut Vec<Diagnostic>,
    names: &'c Names,
    keys: &'c HashSet<&'c [u16]>,
    /// The names of all methods that Flow has.
    known: Vec<&'static str>,
}

/// What gives an iterator, and what iterators of JavaScript have and Flow's have not.
const GIVES_ITERATOR: [&str; 4] = ["entries", "keys", "matchAll", "values"];
const LAZY: [&str; 5] = ["drop", "filter", "flatMap", "map", "take"];

impl Methods<'_> {
    /// `map.values().filter(…)`
    fn lazy(&mut self, object: &Expr, name: &Ident) {
        if let ExprKind::Call { callee, .. } = &without_parentheses(object).kind
            && let ExprKind::Member {
                object,
                name: gives,
                ..
            } = &callee.kind
            && GIVES_ITERATOR.contains(&gives.name.as_str())
            && LAZY.contains(&name.name.as_str())
            && self.names.builtin(object).is_none()
            && !self
                .keys
                .contains(gives.name.encode_utf16().collect::<Vec<_>>().as_slice())
        {
            let message = format!("Flow's iterators have no method `{}`", name.name);
            let hint = instead_of(&name.name).unwrap_or_default();
            self.found
                .push(Diagnostic::new(Code::AbsentMethod, name.span, message).with_hint(hint));
        }
    }

    fn method(&mut self, name: &Ident) {
        let text = name.name.as_str();
        let units: Vec<u16> = text.encode_utf16().collect();
        if self.known.contains(&text) || self.keys.contains(units.as_slice()) {
            return;
        }
        let hint = if KINDS.iter().any(|kind| is_inherited(*kind, text)) {
            instead_of(text).unwrap_or_else(|| {
                "See docs/flow/library.md for the methods that there are.".to_owned()
            })
        } else if let Some(meant) = self
            .known
            .iter()
            .find(|known| known.eq_ignore_ascii_case(text))
        {
            format!("Did you mean `{meant}`?")
        } else if let Some((_, hint)) = FOREIGN.iter().find(|(names, _)| names.contains(&text)) {
            (*hint).to_owned()
        } else if NO_METHODS.contains(&text) {
            let message = format!("`{text}` is a number, and no method");
            let hint = format!("Write `.{text}`, without the parentheses.");
            self.found
                .push(Diagnostic::new(Code::AbsentMethod, name.span, message).with_hint(hint));
            return;
        } else {
            return;
        };
        let message = format!("Flow has no method `{text}`");
        self.found
            .push(Diagnostic::new(Code::AbsentMethod, name.span, message).with_hint(hint));
    }

    fn length(&mut self, name: &Ident) {
        let text = name.name.as_str();
        let units: Vec<u16> = text.encode_utf16().collect();
        if LENGTHS.contains(&text) && !self.keys.contains(units.as_slice()) {
            let message = format!("`{text}` is probably `length`");
            let hint = "Write `.length`.".to_owned();
            self.found
                .push(Diagnostic::new(Code::AbsentMethod, name.span, message).with_hint(hint));
        }
    }
}

impl<'a> Visitor<'a> for Methods<'_> {
    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Call { callee, .. } => {
                if let ExprKind::Member { object, name, .. } = &callee.kind
                    && self.names.builtin(object).is_none()
                {
                    self.method(name);
                    self.lazy(object, name);
                }
            }
            ExprKind::Member { name, .. } => self.length(name),
            _ => {}
        }
        walk::walk_expr(self, expr);
    }
}
