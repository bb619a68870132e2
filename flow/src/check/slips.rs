//! Slips that JavaScript allows: comparisons that say always the same, values that nobody uses, keys
//! written twice, `if (…);`, `for…in` over an array, a line that goes on with the one above.

use std::collections::HashSet;

use super::host::without_parentheses;
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::ast::{
    BinaryOp, Expr, ExprKind, Function, FunctionBody, Prop, PropKey, Script, Stmt, StmtKind,
    UnaryOp,
};
use crate::builtins::registry;
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;
use crate::source::{Source, Span};

pub(super) fn check(script: &Script, source: &Source, names: &Names, found: &mut Vec<Diagnostic>) {
    Slips {
        found,
        source,
        names,
        methods: registry().methods(),
    }
    .list(&script.body);
}

/// What `typeof` can give in Flow.
const TYPES: [&str; 6] = [
    "undefined",
    "boolean",
    "number",
    "string",
    "object",
    "function",
];

/// Longer operands are not repeated in hints.
const MAX_QUOTE: usize = 40;

struct Slips<'c> {
    found: &'c mut Vec<Diagnostic>,
    source: &'c Source,
    names: &'c Names,
    /// The names of all methods that Flow has.
    methods: Vec<&'static str>,
}

impl Slips<'_> {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>, hint: String) {
        self.found
            .push(Diagnostic::new(code, span, message).with_hint(hint));
    }

    fn quote(&self, span: Span) -> String {
        self.source.quote(span, MAX_QUOTE).unwrap_or("…").to_owned()
    }

    fn is_nan(&self, expr: &Expr) -> bool {
        match &without_parentheses(expr).kind {
            ExprKind::Name(_) => self
                .names
                .builtin(expr)
                .is_some_and(|name| name.name == "NaN"),
            ExprKind::Member { object, name, .. } => {
                name.name == "NaN"
                    && self
                        .names
                        .builtin(object)
                        .is_some_and(|object| object.name == "Number")
            }
            _ => false,
        }
    }

    fn compare(&mut self, expr: &Expr, op: BinaryOp, left: &Expr, right: &Expr) {
        use BinaryOp as B;
        let equality = matches!(op, B::Eq | B::Ne | B::StrictEq | B::StrictNe);
        let order = matches!(op, B::Lt | B::Le | B::Gt | B::Ge);
        let no = if matches!(op, B::Ne | B::StrictNe) {
            "true"
        } else {
            "false"
        };
        for (side, other) in [(left, right), (right, left)] {
            if (equality || order) && self.is_nan(side) {
                let what = self.quote(other.span);
                let not = if no == "true" { "!" } else { "" };
                let message = format!("a comparison with NaN is always {no}");
                let hint = format!("Write `{not}Number.isNaN({what})`.");
                return self.report(Code::SuspiciousComparison, expr.span, message, hint);
            }
            if equality && let Some((what, instead)) = fresh(side) {
                let name = self.quote(other.span);
                let strict = matches!(op, B::StrictEq | B::StrictNe);
                let message = if strict {
                    format!("a new {what} is equal to nothing: this is always {no}")
                } else {
                    format!("a new {what} is equal to nothing but its text")
                };
                let hint = instead.replace("{}", &name);
                return self.report(Code::SuspiciousComparison, expr.span, message, hint);
            }
            if equality && let (true, Some(text)) = (is_typeof(side), text_of(other)) {
                return self.type_name(&text, other.span);
            }
        }
        if equality
            && is_simple(left)
            && self.source.slice(left.span) == self.source.slice(right.span)
        {
            let message = "both sides are the same";
            let hint = "Compare with something else; `Number.isNaN(x)` tests for NaN.".to_owned();
            return self.report(Code::SuspiciousComparison, expr.span, message, hint);
        }
        if matches!(op, B::In | B::Instanceof)
            && let ExprKind::Unary {
                op: UnaryOp::Not,
                value,
            } = &left.kind
        {
            let word = if op == B::In { "in" } else { "instanceof" };
            let (value, of) = (self.quote(value.span), self.quote(right.span));
            let message = format!("`!` comes before `{word}`: this asks about `!{value}`");
            let hint = format!("Write `!({value} {word} {of})`.");
            return self.report(Code::SuspiciousComparison, expr.span, message, hint);
        }
        if order
            && let ExprKind::Binary {
                op: inner,
                left: first,
                right: middle,
                ..
            } = &left.kind
            && matches!(inner, B::Lt | B::Le | B::Gt | B::Ge)
        {
            let generic = *inner == B::Lt && op == B::Gt;
            if generic && matches!(right.kind, ExprKind::Paren(_)) {
                let (callee, of) = (self.quote(first.span), self.quote(middle.span));
                let message = "this compares: types as in TypeScript are no part of Flow";
                let hint = format!("Remove `<{of}>`: `{callee}(…)`.");
                return self.report(Code::SuspiciousComparison, expr.span, message, hint);
            }
            let middle = self.quote(middle.span);
            let message = "the first comparison gives true or false, which is then compared";
            let hint = format!("Compare twice: `a < {middle} && {middle} < b`.");
            self.report(Code::SuspiciousComparison, expr.span, message, hint);
        }
    }

    fn type_name(&mut self, text: &str, span: Span) {
        if TYPES.contains(&text) {
            return;
        }
        let hint = match (text, nearest(text, TYPES)) {
            ("array", _) => "Write `Array.isArray(x)`.".to_owned(),
            ("null", _) => "Write `x === null`.".to_owned(),
            (_, Some(meant)) => format!("Did you mean \"{meant}\"?"),
            _ => format!("It gives \"{}\".", TYPES.join("\", \"")),
        };
        let message = format!("`typeof` never gives \"{text}\"");
        self.report(Code::SuspiciousComparison, span, message, hint);
    }

    /// A statement whose value nobody gets.
    fn idle(&mut self, expr: &Expr) {
        let inner = without_parentheses(expr);
        let (what, hint) = match &inner.kind {
            ExprKind::Binary {
                op: BinaryOp::Eq | BinaryOp::StrictEq,
                left,
                right,
                ..
            } => {
                let (left, right) = (self.quote(left.span), self.quote(right.span));
                (
                    "this compares, and nobody gets the answer",
                    format!("Write `{left} = {right}` to assign."),
                )
            }
            ExprKind::Binary { op, .. } if !matches!(op, BinaryOp::In | BinaryOp::Instanceof) => (
                "this value is used for nothing",
                "Write `return` in front of it, or assign it.".to_owned(),
            ),
            ExprKind::Name(name) => (
                "this does nothing",
                if self.names.binding(name).is_some() {
                    format!(
                        "Write `{}()` to call it, or `return {}`.",
                        name.name, name.name
                    )
                } else {
                    "Remove it.".to_owned()
                },
            ),
            ExprKind::Member { object, name, .. } if self.names.builtin(object).is_none() => {
                let hint = if self.methods.contains(&name.name.as_str()) {
                    format!("Write `{}()` to call it.", self.quote(inner.span))
                } else {
                    "Write `return` in front of it, or remove it.".to_owned()
                };
                ("this value is used for nothing", hint)
            }
            ExprKind::Number(_) | ExprKind::Template { .. } | ExprKind::Array(_) => (
                "this value is used for nothing",
                "Write `return` in front of it, or remove it.".to_owned(),
            ),
            ExprKind::Function(_) => (
                "this function is never called",
                "Give it a name, or call it: `(…)()`.".to_owned(),
            ),
            _ => return,
        };
        self.report(Code::NoEffect, expr.span, what, hint);
    }

    /// `list.sort((a, b) => a > b)`
    fn comparator(&mut self, callback: &Expr) {
        if let ExprKind::Function(function) = &without_parentheses(callback).kind
            && function.params.len() == 2
            && let FunctionBody::Expr(body) = &function.body
            && let ExprKind::Binary {
                op: BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge,
                left,
                right,
                ..
            } = &without_parentheses(body).kind
        {
            let (left, right) = (self.quote(left.span), self.quote(right.span));
            let message = "a sort needs a number below, at or above 0, and this is true or false";
            let hint = format!(
                "Write `{left} - {right}` for numbers, else \
                 `{left} < {right} ? -1 : {left} > {right} ? 1 : 0`; exchange them for the other order."
            );
            self.report(Code::SuspiciousComparison, body.span, message, hint);
        }
    }

    /// `if (a);`
    fn empty(&mut self, body: &Stmt, word: &str) {
        if let StmtKind::Empty = body.kind {
            let message = format!("this `;` is all that the `{word}` does");
            let hint = "Remove the `;`, or write `{}` if nothing is to be done.".to_owned();
            self.report(Code::EmptyBody, body.span, message, hint);
        }
    }

    /// `total = a + b` and below it `(first ?? second).run()`, which is a call of `b`.
    fn line_that_goes_on(&mut self, before: &Expr, bracket: &str) {
        let text = self.source.text();
        let Some(at) = bracket_behind_line_break(text, before.span.end as usize) else {
            return;
        };
        let what = match bracket {
            "(" => format!(
                "the line above goes on here: this calls `{}`",
                self.quote(before.span)
            ),
            _ => format!(
                "the line above goes on here: this is an element of `{}`",
                self.quote(before.span)
            ),
        };
        let hint = "Write `;` at the end of the line above, or begin on that line.".to_owned();
        self.report(
            Code::LineGoesOn,
            Span::new(at, at + bracket.len()),
            what,
            hint,
        );
    }

    fn keys(&mut self, props: &[Prop]) {
        let mut seen: HashSet<&[u16]> = HashSet::new();
        for prop in props {
            match prop {
                Prop::Value {
                    key: PropKey::Static { name, span },
                    ..
                } => {
                    if !seen.insert(name) {
                        let name = String::from_utf16_lossy(name);
                        let message = format!("the key `{name}` is there twice: the last one wins");
                        self.report(
                            Code::DuplicateKey,
                            *span,
                            message,
                            "Remove one of them.".to_owned(),
                        );
                    }
                }
                // What comes behind a spread may replace what it brought.
                Prop::Spread(_) => seen.clear(),
                Prop::Value { .. } => {}
            }
        }
    }
}

impl<'a> Visitor<'a> for Slips<'_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::Expr(expr) => self.idle(expr),
            StmtKind::If { then, .. } => self.empty(then, "if"),
            StmtKind::While { body, .. } => self.empty(body, "while"),
            StmtKind::ForOf { body, .. } | StmtKind::ForIn { body, .. } => self.empty(body, "for"),
            _ => {}
        }
        if let StmtKind::ForIn { right, .. } = &stmt.kind
            && let ExprKind::Array(_) = without_parentheses(right).kind
        {
            self.report(
                Code::ForInArray,
                right.span,
                "`for…in` gives the indexes of an array, as strings",
                "Write `of` instead of `in`.".to_owned(),
            );
        }
        walk::walk_stmt(self, stmt);
    }

    fn function(&mut self, function: &'a Function) {
        // `(item) => {id: item}` is a block with a label.
        if let FunctionBody::Block(body) = &function.body
            && function.is_arrow
            && let [
                Stmt {
                    kind: StmtKind::Labeled { label, body },
                    span,
                },
            ] = body.as_slice()
            && let StmtKind::Expr(value) = &body.kind
        {
            let (key, value) = (&label.name, self.quote(value.span));
            let message = format!("this is a block with the label `{key}`, not an object");
            let hint = format!("Write `({{{key}: {value}}})`.");
            self.report(Code::NoEffect, *span, message, hint);
            return;
        }
        walk::walk_function(self, function);
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Binary {
                op, left, right, ..
            } => self.compare(expr, *op, left, right),
            ExprKind::Object(props) => self.keys(props),
            ExprKind::Index {
                object,
                optional: false,
                ..
            } => self.line_that_goes_on(object, "["),
            ExprKind::Call {
                callee,
                args,
                optional,
            } => {
                if !optional {
                    self.line_that_goes_on(callee, "(");
                }
                if let ExprKind::Member { name, .. } = &callee.kind
                    && matches!(name.name.as_str(), "sort" | "toSorted")
                    && let [first] = args.as_slice()
                {
                    self.comparator(&first.value);
                }
            }
            _ => {}
        }
        walk::walk_expr(self, expr);
    }
}

/// A literal that is a new object each time, with what to write instead of a comparison.
fn fresh(expr: &Expr) -> Option<(&'static str, &'static str)> {
    match &without_parentheses(expr).kind {
        ExprKind::Array(items) if items.is_empty() => Some(("array", "Write `{}.length === 0`.")),
        ExprKind::Object(props) if props.is_empty() => {
            Some(("object", "Write `Object.keys({}).length === 0`."))
        }
        ExprKind::Array(_) => Some((
            "array",
            "Compare the elements of `{}`, or its `JSON.stringify` with a text.",
        )),
        ExprKind::Object(_) => Some(("object", "Compare its properties.")),
        _ => None,
    }
}

/// Where the first word behind `at` begins, if a line ends in front of it.
fn bracket_behind_line_break(text: &str, mut at: usize) -> Option<usize> {
    let mut breaks = false;
    loop {
        let rest = text.get(at..)?;
        let length = if rest.starts_with("//") {
            rest.find('\n')?
        } else if rest.starts_with("/*") {
            rest.find("*/")? + 2
        } else {
            let char = rest.chars().next()?;
            if !char.is_whitespace() && char != '\u{feff}' {
                return breaks.then_some(at);
            }
            char.len_utf8()
        };
        breaks |= rest[..length].contains('\n');
        at += length;
    }
}

fn is_typeof(expr: &Expr) -> bool {
    matches!(
        without_parentheses(expr).kind,
        ExprKind::Unary {
            op: UnaryOp::Typeof,
            ..
        }
    )
}

fn text_of(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::String(units) => Some(String::from_utf16_lossy(units)),
        _ => None,
    }
}

/// A variable or a path of names, which has the same value when it is read twice.
pub(super) fn is_simple(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Name(_) => true,
        ExprKind::Member { object, .. } => is_simple(object),
        _ => false,
    }
}
