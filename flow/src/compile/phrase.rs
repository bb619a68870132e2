//! What errors say of the source, in V8's words: what was called and is no function, what cannot be iterated or taken
//! apart. Programs log and compare these messages, so they are made here, where the source is known, and kept beside
//! the code (`Program::phrases`): instructions know nothing of them until they fail. How expressions look in them is
//! the matter of `quote`.

use super::Compiler;
use super::quote::{UNPRINTED, computed, operands, quote, text_of, unwrapped};
use crate::ast::{
    Expr, ExprKind, LogicalOp, Pattern, PatternItem, PatternKind, PatternProp, Prop, PropKey,
    UnaryOp,
};
use crate::program::{Phrase, phrase};
use crate::value::coerce::array_index;

/// What a pattern takes apart.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// The value of an expression, in a declaration and in an assignment.
    Value(&'a Expr),
    Assigned(&'a Expr),
    /// A default.
    Default(&'a Expr),
    /// A parameter and its default.
    Param(Option<&'a Expr>),
    /// What a declaration of `for … of` or `catch` gets; V8 shows the name that it has for it.
    Hidden(&'static str),
    /// A property of such a thing.
    Property(&'a Self, &'a PropKey),
    /// Something without words.
    Inner,
}

impl Compiler<'_> {
    /// Keeps what an error of the next instruction says.
    fn phrase(&mut self, text: Option<String>) {
        let Some(text) = text else { return };
        let next = self.phrases.len() as u32;
        let index = *self.phrase_numbers.entry(text).or_insert_with_key(|text| {
            self.phrases.push(text.clone());
            next
        });
        let pc = self.here();
        self.this().func.phrases.push(Phrase { pc, index });
    }

    /// The next instruction calls `callee`.
    pub(super) fn phrase_call(&mut self, whole: &Expr, callee: &Expr) {
        let in_key = self.this().in_key;
        let iterated = self.iterated == Some(whole.span) && !in_key;
        let text = match &callee.kind {
            _ if in_key => Some(phrase::VALUE.to_string()),
            // An optional chain in parentheses has ended before the call.
            ExprKind::Chain(_) => Some(UNPRINTED.to_owned()),
            _ => quote(callee, iterated),
        };
        self.phrase(text.map(|text| {
            if iterated {
                format!("{text} is not a function or its return value is not iterable")
            } else {
                format!("{text} is not a function")
            }
        }));
    }

    /// The next instruction calls something with a spread among the arguments that is not the last alone: V8 makes an
    /// array of them and applies.
    pub(super) fn phrase_apply(&mut self) {
        let applied = phrase::APPLIED;
        self.phrase(Some(format!(
            "Function.prototype.apply was called on {applied} and not a function"
        )));
    }

    /// The next instruction iterates an argument with `...`; `alone`: the last one is the only spread.
    pub(super) fn phrase_argument(&mut self, expr: &Expr, alone: bool) {
        let expr = unwrapped(expr);
        let text = if alone {
            let printed = match &expr.kind {
                _ if self.this().in_key => Some(phrase::VALUE.to_string()),
                ExprKind::Chain(_) => Some(UNPRINTED.to_owned()),
                _ => quote(expr, false),
            };
            printed.map(|text| {
                format!(
                    "{text} is not iterable (cannot read property {}){}\
                     Spread syntax requires ...iterable[Symbol.iterator] to be a function",
                    phrase::NOTHING,
                    phrase::OTHERWISE,
                )
            })
        } else {
            let found = match &expr.kind {
                _ if self.this().in_key => None,
                ExprKind::Call { callee, .. } => Some(Called::Expr(callee)),
                ExprKind::New { callee, .. } => Some(Called::Class(&callee.name)),
                ExprKind::Conditional { .. } => first_call(expr),
                _ => None,
            };
            found.and_then(called_not_iterable)
        };
        self.phrase(text);
    }

    /// The key in brackets of an object literal or pattern. V8 does not look there for what it quotes.
    pub(super) fn computed_key(&mut self, key: &Expr) {
        let outer = std::mem::replace(&mut self.this().in_key, true);
        self.expr(key);
        self.this().in_key = outer;
    }

    /// What a pattern takes apart, as far as V8 finds it.
    fn seen<'a>(&mut self, subject: Subject<'a>) -> Subject<'a> {
        if self.this().in_key {
            Subject::Inner
        } else {
            subject
        }
    }

    /// An expression whose value is iterated at once.
    pub(super) fn iterated(&mut self, expr: &Expr) {
        let mut inner = expr;
        while let ExprKind::Paren(within) = &inner.kind {
            inner = within;
        }
        if matches!(inner.kind, ExprKind::Chain(_)) {
            // Of its call V8 says nothing of iteration.
            return self.expr(expr);
        }
        let outer = self.iterated.replace(inner.span);
        self.expr(expr);
        self.iterated = outer;
    }

    /// The next instruction iterates the value of an expression, in `for … of`.
    pub(super) fn phrase_iterate(&mut self, expr: &Expr) {
        let text = match last_call(expr) {
            None if lasts(expr) => iterated_here(expr),
            None => None,
            Some(called) => called_not_iterable(called),
        };
        self.phrase(text);
    }

    /// The next instruction iterates the value of an expression among the elements of an array.
    pub(super) fn phrase_element(&mut self, expr: &Expr) {
        let expr = unwrapped(expr);
        let text = match expr.kind {
            _ if self.this().in_key => None,
            ExprKind::Chain(_) => Some(format!("{UNPRINTED} is not iterable")),
            _ => not_iterable(expr),
        };
        self.phrase(text);
    }

    /// The next instruction iterates what an array pattern takes apart.
    pub(super) fn phrase_array_pattern(&mut self, subject: Subject<'_>) {
        let text = match self.seen(subject) {
            Subject::Value(expr) if begins(expr) => not_iterable(expr),
            Subject::Value(expr) => first_call(expr).and_then(called_not_iterable),
            Subject::Default(expr) => match last_call(expr) {
                None if is_loud(expr) => iterated_here(expr),
                None => None,
                Some(called) => called_not_iterable(called),
            },
            Subject::Param(Some(default)) => match &unwrapped(default).kind {
                ExprKind::Call { callee, .. } => called_not_iterable(Called::Expr(callee)),
                ExprKind::New { callee, .. } => called_not_iterable(Called::Class(&callee.name)),
                _ => last_call(default).and_then(called_not_iterable),
            },
            Subject::Hidden(".for") => Some(".for is not iterable".to_owned()),
            Subject::Property(outer, key) if is_literal(key) => name_of(*outer).map(|name| {
                format!(
                    "Cannot destructure property 'Symbol(Symbol.iterator)' of '{name}' as it is {}.{}\
                     {name} is not iterable (cannot read property Symbol(Symbol.iterator))",
                    phrase::NOTHING,
                    phrase::OTHERWISE,
                )
            }),
            _ => None,
        };
        self.phrase(text);
    }

    /// The next instruction refuses `null` and `undefined` for an object pattern.
    pub(super) fn phrase_object_pattern(
        &mut self,
        subject: Subject<'_>,
        props: &[PatternProp],
        has_rest: bool,
    ) {
        let nothing = phrase::NOTHING;
        let subject = self.seen(subject);
        let first = props.first().and_then(|prop| match &prop.key {
            PropKey::Static { name, .. } => Some((String::from_utf16_lossy(name), &prop.item)),
            PropKey::Computed(_) => None,
        });
        let name = name_of(subject);
        let text = match (first, name) {
            (Some((key, item)), Some(name)) if is_plain(item) => Some(format!(
                "Cannot destructure property '{key}' of '{name}' as it is {nothing}."
            )),
            // V8 takes the default for what is taken apart.
            (
                Some((
                    key,
                    PatternItem {
                        target:
                            Pattern {
                                kind: PatternKind::Object { .. },
                                ..
                            },
                        default: Some(default),
                    },
                )),
                _,
            ) => quote(default, false).map(|name| {
                format!("Cannot destructure property '{key}' of '{name}' as it is {nothing}.")
            }),
            (Some((key, _)), _) => Some(format!(
                "Cannot read properties of {nothing} (reading '{key}')"
            )),
            (None, Some(name)) => Some(format!("Cannot destructure '{name}' as it is {nothing}.")),
            (None, None) => Some(match subject {
                Subject::Property(outer, key) if !(has_rest && props.is_empty()) => {
                    match (name_of(*outer), known_key(key)) {
                        (Some(name), Some(key)) => format!(
                            "Cannot destructure property '{key}' of '{name}' as it is {nothing}."
                        ),
                        (Some(name), None) => {
                            format!("Cannot destructure '{name}' as it is {nothing}.")
                        }
                        (None, _) => format!("Cannot read properties of {nothing}"),
                    }
                }
                _ => format!("Cannot read properties of {nothing}"),
            }),
        };
        self.phrase(text);
    }
}

/// Whether V8 names the property that such an item of a pattern reads first.
fn is_plain(item: &PatternItem) -> bool {
    item.default.is_none() && !matches!(item.target.kind, PatternKind::Path(_))
}

/// The name that a key has as it is written.
fn known_key(key: &PropKey) -> Option<String> {
    let units: &[u16] = match key {
        PropKey::Static { name, .. } => name,
        PropKey::Computed(expr) => text_of(expr)?,
    };
    // Of an index V8 does not tell.
    array_index(units)
        .is_none()
        .then(|| String::from_utf16_lossy(units))
}

fn is_literal(key: &PropKey) -> bool {
    match key {
        PropKey::Static { .. } => true,
        PropKey::Computed(expr) => {
            let literal = matches!(
                unwrapped(expr).kind,
                ExprKind::Null | ExprKind::Bool(_) | ExprKind::Number(_)
            );
            literal || text_of(expr).is_some()
        }
    }
}

/// How V8 names what an object pattern takes apart.
fn name_of(subject: Subject<'_>) -> Option<String> {
    match subject {
        Subject::Value(expr) | Subject::Assigned(expr) | Subject::Default(expr) => {
            quote(expr, false)
        }
        Subject::Param(None) => Some(phrase::VALUE.to_string()),
        Subject::Param(Some(_)) => Some(UNPRINTED.repeat(3)),
        Subject::Hidden(name) => Some(name.to_owned()),
        Subject::Property(..) | Subject::Inner => None,
    }
}

/// What a call calls that V8 finds in the place of a failure.
#[derive(Clone, Copy)]
enum Called<'a> {
    Expr(&'a Expr),
    Class(&'a str),
}

/// V8 looks for what was iterated by its place in the source, and finds a call there.
fn called_not_iterable(called: Called<'_>) -> Option<String> {
    let text = match called {
        Called::Expr(callee) => quote(callee, false)?,
        Called::Class(name) => name.to_owned(),
    };
    Some(format!(
        "{text} is not iterable (cannot read property Symbol(Symbol.iterator))"
    ))
}

/// The call that begins where an expression does: of a name, or `new`.
fn first_call(expr: &Expr) -> Option<Called<'_>> {
    let at = expr.span.start;
    let mut found = expr;
    loop {
        found = match &found.kind {
            ExprKind::New { callee, .. } => return Some(Called::Class(&callee.name)),
            ExprKind::Call {
                callee, optional, ..
            } => match callee.kind {
                ExprKind::Name(_) if !optional => return Some(Called::Expr(callee)),
                _ => callee,
            },
            ExprKind::Conditional { test, .. } => test,
            ExprKind::Binary { left, .. } | ExprKind::Logical { left, .. } => left,
            ExprKind::Member { object, .. } | ExprKind::Index { object, .. } => object,
            ExprKind::Chain(inner) => inner,
            _ => return None,
        };
        if found.span.start != at {
            return None;
        }
    }
}

/// The call that an expression ends with, if it is not the expression itself: V8 keeps the places of what can fail,
/// and takes the last one for that of the iteration.
fn last_call(expr: &Expr) -> Option<Called<'_>> {
    let inside = |part: &'_ Expr| -> bool {
        matches!(
            unwrapped(part).kind,
            ExprKind::Call { .. } | ExprKind::New { .. }
        )
    };
    let called = |part| match &unwrapped(part).kind {
        ExprKind::Call { callee, .. } => Some(Called::Expr(callee)),
        ExprKind::New { callee, .. } => Some(Called::Class(&callee.name)),
        _ => None,
    };
    match &unwrapped(expr).kind {
        ExprKind::Chain(inner) => called(inner),
        ExprKind::Unary {
            op: UnaryOp::Void | UnaryOp::Not,
            value,
        } => called(value),
        ExprKind::Logical { left, right, .. } if inside(right) || !is_silent(right) => {
            called(right)
        }
        ExprKind::Logical { left, .. } => called(left),
        ExprKind::Conditional {
            test,
            then,
            otherwise,
        } => {
            let last = [otherwise, then, test]
                .into_iter()
                .find(|part| !is_silent(part))?;
            // The whole begins where such a call does.
            if std::ptr::eq(last, test) && matches!(first_call(expr), Some(Called::Expr(_))) {
                return None;
            }
            called(last)
        }
        _ => None,
    }
}

/// Whether V8 keeps no place for an expression: it cannot fail and reads nothing.
fn is_silent(expr: &Expr) -> bool {
    matches!(
        unwrapped(expr).kind,
        ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Regex { .. }
            | ExprKind::Function(_)
    )
}

/// Whether the place of an expression is the last one that V8 keeps of it, when it begins a statement.
fn lasts(expr: &Expr) -> bool {
    match &unwrapped(expr).kind {
        ExprKind::Logical { op, left, right } => {
            let is_name = |expr: &Expr| matches!(unwrapped(expr).kind, ExprKind::Name(_));
            match op {
                LogicalOp::Nullish if is_name(right) => true,
                _ => is_silent(right) && (is_silent(left) || is_name(left) && !is_undefined(left)),
            }
        }
        ExprKind::Conditional {
            then, otherwise, ..
        } => is_silent(then) && is_silent(otherwise),
        ExprKind::Object(props) => props.iter().enumerate().all(|(at, prop)| match prop {
            Prop::Spread(_) => at == 0,
            Prop::Value { value, .. } => {
                is_silent(value) && !matches!(value.kind, ExprKind::Function(_))
            }
        }),
        _ => true,
    }
}

fn is_undefined(expr: &Expr) -> bool {
    matches!(&unwrapped(expr).kind, ExprKind::Name(name) if name.name == "undefined")
}

/// Whether V8 keeps the place of an expression for itself, beside those of its parts.
fn is_loud(expr: &Expr) -> bool {
    let expr = unwrapped(expr);
    match &expr.kind {
        ExprKind::Array(_)
        | ExprKind::Object(_)
        | ExprKind::Delete(_)
        | ExprKind::Unary {
            op: UnaryOp::Not | UnaryOp::Void | UnaryOp::Typeof,
            ..
        } => false,
        // The test's place is that of the whole.
        ExprKind::Conditional { test, .. } => lasts(expr) && begins(test) && !is_silent(test),
        ExprKind::Logical { op, right, .. } => {
            *op == LogicalOp::Nullish && matches!(unwrapped(right).kind, ExprKind::Name(_))
        }
        _ => !is_silent(expr) && computed(expr).is_none(),
    }
}

/// Whether V8's place of an expression is where its text begins.
fn begins(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call {
            callee, optional, ..
        } => !optional && matches!(callee.kind, ExprKind::Name(_)),
        ExprKind::Paren(_)
        | ExprKind::Member { .. }
        | ExprKind::Index { .. }
        | ExprKind::Update { .. }
        | ExprKind::Assign { .. }
        | ExprKind::Compound { .. }
        | ExprKind::Chain(_) => false,
        _ => operands(expr).is_none_or(|count| count > 2),
    }
}

/// What V8 says of an expression whose value is iterated where it stands. It does not find all expressions again.
fn iterated_here(expr: &Expr) -> Option<String> {
    let expr = unwrapped(expr);
    let found = match &expr.kind {
        ExprKind::Chain(_) => false,
        _ => operands(expr).is_none_or(|count| count == 2),
    };
    if found { not_iterable(expr) } else { None }
}

fn not_iterable(expr: &Expr) -> Option<String> {
    let text = quote(expr, true)?;
    Some(match expr.kind {
        ExprKind::Call { .. } | ExprKind::New { .. } => {
            format!("{text} is not a function or its return value is not iterable")
        }
        _ => format!("{text} is not iterable"),
    })
}
