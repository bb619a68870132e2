//! `await` belongs directly into async code.

use super::walk::{self, Visitor};
use crate::ast::{Expr, ExprKind, Function, Script};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

pub(super) fn check(script: &Script, source: &Source, found: &mut Vec<Diagnostic>) {
    // The file itself is the body of an async function.
    Awaits {
        found,
        source,
        place: Place::Async,
        list: None,
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
    source: &'f Source,
    place: Place,
    /// What to write instead of the call that the function is given to, such as `items.map(…)`.
    list: Option<String>,
}

/// Longer pieces of the program are not repeated in hints.
const MAX_QUOTE: usize = 40;

impl<'a> Visitor<'a> for Awaits<'_> {
    fn function(&mut self, function: &'a Function) {
        // The hint is for the callback itself, not for functions in it.
        let list = self.list.take();
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
        self.list = list.clone();
        walk::walk_body(self, function);
        self.list = list;
        self.place = outer;
    }

    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Call { callee, args, .. } = &expr.kind
            && let ExprKind::Member { object, name, .. } = &callee.kind
            && let [first, ..] = args.as_slice()
            && let ExprKind::Function(function) = &first.value.kind
        {
            // Making the callback async alone would exchange this error for a silent one.
            let quote = |span: Span, otherwise: &str| {
                self.source
                    .quote(span, MAX_QUOTE)
                    .unwrap_or(otherwise)
                    .to_owned()
            };
            let list = quote(object.span, "list");
            let item = function
                .params
                .first()
                .map_or_else(|| "item".to_owned(), |item| quote(item.target.span, "item"));
            let hint = match name.name.as_str() {
                "forEach" => Some(format!("Write `for (const {item} of {list}) {{ … }}`.")),
                "map" => Some(format!(
                    "Write `await Promise.all({list}.map(async ({item}) => …))`."
                )),
                _ => None,
            };
            self.expr(callee);
            let outer = std::mem::replace(&mut self.list, hint);
            self.expr(&first.value);
            self.list = outer;
            for arg in &args[1..] {
                self.expr(&arg.value);
            }
            return;
        }
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
                let hint = self
                    .list
                    .clone()
                    .filter(|_| self.place == Place::Plain)
                    .unwrap_or_else(|| hint.to_owned());
                self.found
                    .push(Diagnostic::new(Code::AwaitOutsideAsync, word, message).with_hint(hint));
            }
        }
        walk::walk_expr(self, expr);
    }
}
