//! `await` belongs directly into async code.

use super::walk::{self, Visitor};
use crate::ast::{Expr, ExprKind, Function, Script};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

pub(super) fn check(script: &Script, found: &mut Vec<Diagnostic>) {
    // The file itself is the body of an async function.
    Awaits {
        found,
        place: Place::Async,
    }
    .list(&script.body);
}

/// What is directly around an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Async,
    Plain,
    Parameters,
}

struct Awaits<'f> {
    found: &'f mut Vec<Diagnostic>,
    place: Place,
}

impl<'a> Visitor<'a> for Awaits<'_> {
    fn function(&mut self, function: &'a Function) {
        let outer = std::mem::replace(&mut self.place, Place::Parameters);
        for param in &function.params {
            walk::walk_item(self, param);
        }
        if let Some(rest) = &function.rest {
            self.pattern(rest);
        }
        self.place = if function.is_async {
            Place::Async
        } else {
            Place::Plain
        };
        walk::walk_body(self, function);
        self.place = outer;
    }

    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Await(_) = expr.kind {
            let word = Span {
                end: expr.span.start + "await".len() as u32,
                ..expr.span
            };
            let (message, hint) = match self.place {
                Place::Async => ("", ""),
                Place::Plain => (
                    "`await` in a function that is not async",
                    "Write `async` in front of the function; calling it then gives a promise.",
                ),
                Place::Parameters => (
                    "`await` among the parameters of a function",
                    "Await in the body of the function.",
                ),
            };
            if self.place != Place::Async {
                self.found
                    .push(Diagnostic::new(Code::AwaitOutsideAsync, word, message).with_hint(hint));
            }
        }
        walk::walk_expr(self, expr);
    }
}
