//! What errors say of the source, in V8's words: what was called and is no function, what cannot be iterated or taken
//! apart. Programs log and compare these messages, so they are made here, where the source is known, and kept beside
//! the code (`Program::phrases`): instructions know nothing of them until they fail. How expressions look in them is
//! the matter of `quote`.

use super::Compiler;
use super::quote::{UNPRINTED, operands, quote, text_of, unwrapped};
use crate::ast::{Expr, ExprKind, Pattern, PatternItem, PatternKind, PatternProp, PropKey};
use crate::program::{Phrase, phrase};

/// What a pattern takes apart.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// The value of an expression, in a declaration and in an assignment.
    Value(&'a Expr),
    Assigned(&'a Expr),
    /// A default.
    Default(&'a Expr),
    /// A parameter, and whether it has a default.
    Param(bool),
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
        let iterated = self.iterated == Some(whole.span);
        let text = match &callee.kind {
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
            call_found(expr).map(|text| {
                format!("{text} is not iterable (cannot read property Symbol(Symbol.iterator))")
            })
        };
        self.phrase(text);
    }

    /// An expression whose value is iterated at once.
    pub(super) fn iterated(&mut self, expr: &Expr) {
        let mut inner = expr;
        while let ExprKind::Paren(within) = &inner.kind {
            inner = within;
        }
        let outer = self.iterated.replace(inner.span);
        self.expr(expr);
        self.iterated = outer;
    }

    /// The next instruction iterates the value of an expression, in `for … of` or a spread.
    pub(super) fn phrase_iterate(&mut self, expr: &Expr) {
        self.phrase(iterated_here(expr));
    }

    /// The next instruction iterates what an array pattern takes apart.
    pub(super) fn phrase_array_pattern(&mut self, subject: Subject<'_>) {
        let text = match subject {
            Subject::Value(expr) => {
                let expr = unwrapped(expr);
                let printed = match &expr.kind {
                    ExprKind::Member { .. }
                    | ExprKind::Index { .. }
                    | ExprKind::Call { .. }
                    | ExprKind::Update { .. }
                    | ExprKind::Assign { .. }
                    | ExprKind::Compound { .. }
                    | ExprKind::Chain(_) => false,
                    _ => operands(expr).is_none_or(|count| count > 2),
                };
                if printed { not_iterable(expr) } else { None }
            }
            Subject::Default(expr) => {
                let is_literal = matches!(
                    unwrapped(expr).kind,
                    ExprKind::Null
                        | ExprKind::Bool(_)
                        | ExprKind::Number(_)
                        | ExprKind::String(_)
                        | ExprKind::Array(_)
                        | ExprKind::Object(_)
                );
                if is_literal { None } else { iterated_here(expr) }
            }
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
    let units = match key {
        // Of an index V8 does not tell.
        PropKey::Static { name, .. } if name.iter().all(|unit| (48..58).contains(unit)) => {
            return None;
        }
        PropKey::Static { name, .. } => name,
        PropKey::Computed(expr) => text_of(expr)?,
    };
    Some(String::from_utf16_lossy(units))
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
        Subject::Param(false) => Some(phrase::VALUE.to_string()),
        Subject::Param(true) => Some(UNPRINTED.repeat(3)),
        Subject::Hidden(name) => Some(name.to_owned()),
        Subject::Property(..) | Subject::Inner => None,
    }
}

/// What V8 prints where it looks for an expression among calls, by the place that it begins at: what that call calls.
fn call_found(expr: &Expr) -> Option<String> {
    let at = expr.span.start;
    let mut found = expr;
    // A conditional begins where its first word stands, and so does a call of a name there.
    let is_conditional = matches!(expr.kind, ExprKind::Conditional { .. });
    loop {
        found = match &found.kind {
            ExprKind::New { callee, .. } => return Some(callee.name.clone()),
            ExprKind::Call { callee, .. }
                if !is_conditional || matches!(callee.kind, ExprKind::Name(_)) =>
            {
                return quote(callee, false);
            }
            ExprKind::Conditional { test, .. } => test,
            ExprKind::Binary { left, .. } | ExprKind::Logical { left, .. } if is_conditional => {
                left
            }
            ExprKind::Member { object, .. } | ExprKind::Index { object, .. } if is_conditional => {
                object
            }
            ExprKind::Call { callee, .. } => callee,
            _ => return None,
        };
        if found.span.start != at {
            return None;
        }
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
