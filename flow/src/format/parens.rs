//! Which parentheses stay. None are added but around the value of a `return` that takes several lines and the
//! parameter of an arrow. Those that mean nothing go; those between different operators stay, for the reader.

use super::cursor::Printer;
use super::doc::Line;
use crate::ast::{Expr, ExprKind};

/// Where an expression stands, as far as it matters to parentheses and indentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Between commas or brackets, behind `=`.
    Plain,
    /// The same, where a broken line is indented already.
    Indented,
    /// What a branch or loop tests.
    Condition,
    /// Beside an operator.
    Operand,
    /// In front of `.`, `[` or `(`.
    Object,
    /// At the start of a statement.
    Statement,
    /// Behind `=>`.
    ArrowBody,
}

impl Printer<'_> {
    /// Prints the parentheses that open here with what is in them, or without them.
    pub(super) fn parenthesized(&mut self, inner: &Expr, place: Place) {
        if !self.keeps_parens(inner, place) {
            self.skip("(");
            self.expr(inner, place);
            self.skip(")");
            return;
        }
        let breaks = self.comments_in_parens()
            || matches!(
                inner.kind,
                ExprKind::Binary { .. }
                    | ExprKind::Logical { .. }
                    | ExprKind::Conditional { .. }
                    | ExprKind::Paren(_)
            );
        if !breaks {
            self.expect("(");
            self.expr(inner, Place::Plain);
            self.expect(")");
            return;
        }
        self.doc.open();
        self.expect("(");
        self.doc.indent();
        self.doc.line(Line::Soft);
        self.expr(inner, Place::Indented);
        self.before_closer(false);
        self.doc.dedent();
        self.doc.line(Line::Soft);
        self.expect(")");
        self.doc.close();
    }

    /// Whether parentheses around all of an expression stay since there are comments in them.
    pub(super) fn is_in_commented_parens(&self, expr: &Expr) -> bool {
        let mut inner = expr;
        while let ExprKind::Paren(deeper) = &inner.kind {
            inner = deeper;
        }
        self.comment_between(expr.span.start, inner.span.start)
            || self.comment_between(inner.span.end, expr.span.end)
    }

    fn keeps_parens(&self, inner: &Expr, place: Place) -> bool {
        if self.keep_parens || self.comments_in_parens() {
            return true;
        }
        if matches!(inner.kind, ExprKind::Paren(_)) {
            return false;
        }
        let first = self.slice(self.next_token().span);
        // At the start of a statement these would begin another kind of statement.
        let confused = matches!(first, "{" | "function" | "async");
        let assigns = matches!(
            inner.kind,
            ExprKind::Assign { .. } | ExprKind::Compound { .. }
        );
        match place {
            Place::Plain | Place::Indented | Place::Condition => assigns,
            // A string would become a directive.
            Place::Statement => confused || matches!(inner.kind, ExprKind::String(_)),
            Place::ArrowBody => {
                first == "{" || assigns || matches!(inner.kind, ExprKind::Conditional { .. })
            }
            Place::Operand => confused || !binds_tightly(inner),
            Place::Object => confused || !can_be_object(inner),
        }
    }
}

/// Whether a prefix operator or `**` cannot tear it apart.
fn binds_tightly(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::Chain(_)
        | ExprKind::Object(_) => true,
        _ => can_be_object(expr),
    }
}

fn can_be_object(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Name(_)
            | ExprKind::String(_)
            | ExprKind::Regex { .. }
            | ExprKind::Template { .. }
            | ExprKind::Array(_)
            | ExprKind::Member { .. }
            | ExprKind::Index { .. }
            | ExprKind::Call { .. }
            | ExprKind::New { .. }
    )
}
