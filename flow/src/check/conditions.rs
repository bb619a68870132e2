//! Conditions that do not ask what they seem to ask: `!a === b`, `a === 1 || 2`, one `case` twice.

use std::collections::{HashMap, HashSet};

use super::host::without_parentheses;
use super::scope::Names;
use super::slips::is_simple;
use super::walk::{self, Visitor};
use crate::ast::{BinaryOp, Case, Expr, ExprKind, LogicalOp, Script, Stmt, StmtKind, UnaryOp};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

pub(super) fn check(script: &Script, source: &Source, names: &Names, found: &mut Vec<Diagnostic>) {
    Conditions {
        found,
        source,
        names,
        told: HashSet::new(),
    }
    .list(&script.body);
}

/// Longer operands are not repeated in hints.
const MAX_QUOTE: usize = 40;

struct Conditions<'c> {
    found: &'c mut Vec<Diagnostic>,
    source: &'c Source,
    names: &'c Names,
    /// Where `a || b` begins that was told with what is around it.
    told: HashSet<u32>,
}

impl<'a> Conditions<'_> {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>, hint: String) {
        self.found
            .push(Diagnostic::new(code, span, message).with_hint(hint));
    }

    fn quote(&self, span: Span) -> String {
        self.source.quote(span, MAX_QUOTE).unwrap_or("…").to_owned()
    }

    /// `!a === 5` and `!a > 5`
    fn negated(&mut self, expr: &Expr, op: BinaryOp, op_span: Span, left: &Expr, right: &Expr) {
        let ExprKind::Unary {
            op: UnaryOp::Not,
            value,
        } = &left.kind
        else {
            return;
        };
        let word = self.source.slice(op_span);
        let (value, of) = (self.quote(value.span), self.quote(right.span));
        let (always, hint) = match op {
            // A truth value may well be compared with a variable.
            _ if is_equality(op) && !self.is_no_truth_value(right) => return,
            BinaryOp::StrictEq => (", and is always false", format!("{value} !== {of}")),
            BinaryOp::StrictNe => (", and is always true", format!("{value} === {of}")),
            BinaryOp::Eq => ("", format!("{value} != {of}")),
            BinaryOp::Ne => ("", format!("{value} == {of}")),
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                ("", format!("!({value} {word} {of})"))
            }
            _ => return,
        };
        let message = format!(
            "`!` comes before `{word}`: this compares `!{value}`, which is true or false{always}"
        );
        let hint = format!("Write `{hint}`.");
        self.report(Code::SuspiciousComparison, expr.span, message, hint);
    }

    /// A literal that is neither true nor false.
    fn is_no_truth_value(&self, expr: &Expr) -> bool {
        match &without_parentheses(expr).kind {
            ExprKind::String(_)
            | ExprKind::Number(_)
            | ExprKind::Template { .. }
            | ExprKind::Null => true,
            ExprKind::Name(_) => {
                let builtin = self.names.builtin(expr);
                builtin.is_some_and(|name| name.name == "undefined")
            }
            _ => false,
        }
    }

    /// `a === "x" || "y"`; with `&&` only where the value is a condition.
    fn without_comparison(&mut self, left: &'a Expr, right: &'a Expr) {
        let Some((op, op_span, subject, whole)) = last_comparison(left) else {
            return;
        };
        if !counts_as_true(right) {
            return;
        }
        let joins = if matches!(op, BinaryOp::Ne | BinaryOp::StrictNe) {
            "&&"
        } else {
            "||"
        };
        let (first, value) = (self.quote(whole.span), self.quote(right.span));
        let (subject, word) = (self.quote(subject.span), self.source.slice(op_span));
        let message = format!("`{value}` is compared with nothing here: it counts as true");
        let hint = format!("Write `{first} {joins} {subject} {word} {value}`.");
        self.report(Code::SuspiciousComparison, right.span, message, hint);
    }

    /// `"x" || "y"`, which is always the first; `how` is what to write instead.
    fn always_first(&mut self, first: &Expr, whole: Span, how: String) {
        if self.told.insert(whole.start) {
            let message = format!(
                "`{}` counts as true, so `||` never gives what is behind it",
                self.quote(first.span)
            );
            self.report(Code::SuspiciousComparison, whole, message, how);
        }
    }

    /// `a === ("x" || "y")`
    fn compared_with_choice(&mut self, op: BinaryOp, op_span: Span, left: &Expr, right: &Expr) {
        let Some((first, second)) = choice(right) else {
            return;
        };
        let joins = if matches!(op, BinaryOp::Ne | BinaryOp::StrictNe) {
            "&&"
        } else {
            "||"
        };
        let (subject, word) = (self.quote(left.span), self.source.slice(op_span));
        let (one, other) = (self.quote(first.span), self.quote(second.span));
        let hint = format!("Write `{subject} {word} {one} {joins} {subject} {word} {other}`.");
        self.always_first(first, without_parentheses(right).span, hint);
    }

    fn condition(&mut self, test: &'a Expr) {
        match &without_parentheses(test).kind {
            ExprKind::Logical { op, left, right } => {
                if *op == LogicalOp::And {
                    self.without_comparison(left, right);
                }
                self.condition(left);
                self.condition(right);
            }
            ExprKind::Unary {
                op: UnaryOp::Not,
                value,
            } => self.condition(value),
            _ => {}
        }
    }

    /// What a case asks for, as far as two of them can be told to be the same.
    fn key(&self, test: &Expr) -> Option<String> {
        match &test.kind {
            ExprKind::String(units) => Some(format!("text {}", String::from_utf16_lossy(units))),
            ExprKind::Number(number) => Some(format!("number {}", number + 0.0)),
            ExprKind::Bool(_) | ExprKind::Null => Some(self.source.slice(test.span).to_owned()),
            _ if is_simple(test) => Some(format!("path {}", self.source.slice(test.span))),
            _ => None,
        }
    }
}

impl<'a> Visitor<'a> for Conditions<'_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::If { test, .. }
            | StmtKind::While { test, .. }
            | StmtKind::DoWhile { test, .. }
            | StmtKind::For {
                test: Some(test), ..
            } => self.condition(test),
            _ => {}
        }
        walk::walk_stmt(self, stmt);
    }

    fn cases(&mut self, cases: &'a [Case]) {
        let mut seen: HashMap<String, u32> = HashMap::new();
        for case in cases {
            let Some(test) = &case.test else {
                continue;
            };
            if let Some((first, second)) = choice(test) {
                let (one, other) = (self.quote(first.span), self.quote(second.span));
                let hint = format!("Write `case {one}: case {other}:`.");
                self.always_first(first, without_parentheses(test).span, hint);
            }
            if let Some(key) = self.key(without_parentheses(test)) {
                if let Some(line) = seen.get(&key) {
                    let message = format!(
                        "`case {}` is there already in line {line}: this one is never reached",
                        self.quote(test.span)
                    );
                    let hint = "Remove one of them, or change what it asks for.".to_owned();
                    self.report(Code::DuplicateCase, test.span, message, hint);
                } else {
                    seen.insert(key, self.source.line_of(test.span.start));
                }
            }
        }
        for case in cases {
            if let Some(test) = &case.test {
                self.expr(test);
            }
            self.list(&case.body);
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Binary {
                op,
                op_span,
                left,
                right,
            } => {
                self.negated(expr, *op, *op_span, left, right);
                if is_equality(*op) {
                    self.compared_with_choice(*op, *op_span, left, right);
                }
            }
            ExprKind::Logical {
                op: LogicalOp::Or,
                left,
                right,
            } => {
                self.without_comparison(left, right);
                if let Some((first, _)) = choice(expr) {
                    let hint = "Ask for each value, as in `a === \"x\" || a === \"y\"`.".to_owned();
                    self.always_first(first, expr.span, hint);
                }
            }
            ExprKind::Conditional { test, .. } => self.condition(test),
            _ => {}
        }
        walk::walk_expr(self, expr);
    }
}

fn is_equality(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::StrictEq | BinaryOp::StrictNe
    )
}

/// A text or number that is true as a condition.
fn counts_as_true(expr: &Expr) -> bool {
    match &without_parentheses(expr).kind {
        ExprKind::String(units) => !units.is_empty(),
        ExprKind::Number(number) => *number != 0.0,
        _ => false,
    }
}

/// The two sides of `"x" || "y"`.
fn choice(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match &without_parentheses(expr).kind {
        ExprKind::Logical {
            op: LogicalOp::Or,
            left,
            right,
        } if counts_as_true(left) => Some((left, right)),
        _ => None,
    }
}

/// The comparison directly in front of `||`: its operator, what is compared, and all of it.
fn last_comparison(expr: &Expr) -> Option<(BinaryOp, Span, &Expr, &Expr)> {
    let inner = without_parentheses(expr);
    match &inner.kind {
        ExprKind::Logical { right, .. } => last_comparison(right),
        ExprKind::Binary {
            op,
            op_span,
            left,
            right,
        } if is_equality(*op) => {
            let subject = if counts_as_true(left) { right } else { left };
            Some((*op, *op_span, subject, inner))
        }
        _ => None,
    }
}
