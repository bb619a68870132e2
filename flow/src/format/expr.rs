//! Expressions.

use super::cursor::Printer;
use super::doc::Line;
use super::parens::Place;
use super::strings;
use crate::ast::{Expr, ExprKind, UnaryOp};
use crate::parse::token::Kind;

impl Printer<'_> {
    pub(super) fn expr(&mut self, expr: &Expr, place: Place) {
        // In front of the groups that begin here, so that comments do not break them.
        self.leading();
        match &expr.kind {
            ExprKind::Broken => self.lose(),
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::Regex { .. }
            | ExprKind::Name(_) => {
                self.take();
            }
            ExprKind::String(_) => self.string(),
            ExprKind::Template { exprs, .. } => self.template(expr, exprs),
            ExprKind::Array(items) => self.array(items),
            ExprKind::Object(props) => self.object(props),
            ExprKind::Function(function) => self.function(function),
            ExprKind::Unary { op, value } => self.unary(*op, value),
            ExprKind::Delete(path) => {
                self.expect("delete");
                self.doc.gap();
                // The tree has no parentheses around the path; if there are any they stay.
                let mut parens = 0;
                while self.start() < path.span.start && self.is("(") {
                    self.expect("(");
                    parens += 1;
                }
                self.expr(path, Place::Operand);
                for _ in 0..parens {
                    self.expect(")");
                }
            }
            ExprKind::Binary { .. } | ExprKind::Logical { .. } => self.binary(expr, place),
            ExprKind::Conditional {
                test,
                then,
                otherwise,
            } => self.conditional(test, then, otherwise),
            ExprKind::Assign { target, value } | ExprKind::Compound { target, value, .. } => {
                self.doc.open();
                self.pattern(target);
                self.doc.gap();
                self.take();
                self.assigned(value);
                self.doc.close();
            }
            ExprKind::Update { prefix, target, .. } => {
                if *prefix {
                    self.take();
                }
                self.pattern(target);
                if !prefix {
                    self.tight();
                    self.take();
                }
            }
            ExprKind::Member { .. }
            | ExprKind::Index { .. }
            | ExprKind::Call { .. }
            | ExprKind::Chain(_) => self.chain(expr),
            ExprKind::New { args, .. } => {
                self.expect("new");
                self.doc.gap();
                self.take();
                // The arguments belong to it only if they are within its text.
                if self.is("(") && self.start() < expr.span.end {
                    self.arguments(args);
                } else {
                    self.doc.text("()");
                }
            }
            ExprKind::Await(value) => {
                self.expect("await");
                self.doc.gap();
                self.expr(value, Place::Operand);
            }
            ExprKind::Paren(inner) => self.parenthesized(inner, place),
        }
    }

    pub(super) fn string(&mut self) {
        if self.kind() == Kind::String {
            let text = strings::quoted(self.current());
            self.take_as(text);
        } else {
            self.lose();
        }
    }

    fn unary(&mut self, op: UnaryOp, value: &Expr) {
        self.take();
        let next = self.current();
        let needs_space = match op {
            UnaryOp::Typeof | UnaryOp::Void => true,
            // `- -a` and `+ ++a` would be other operators.
            UnaryOp::Minus => next.starts_with('-'),
            UnaryOp::Plus => next.starts_with('+'),
            UnaryOp::Not | UnaryOp::BitNot => false,
        };
        if needs_space {
            self.doc.gap();
        }
        self.expr(value, Place::Operand);
    }

    fn conditional(&mut self, test: &Expr, then: &Expr, otherwise: &Expr) {
        self.doc.open();
        self.expr(test, Place::Operand);
        self.doc.indent();
        for (sign, value) in [("?", then), (":", otherwise)] {
            self.doc.line(Line::Space);
            self.expect(sign);
            self.doc.indent();
            if self.doc.ends_in_comment() {
                self.doc.line(Line::Hard);
            }
            self.doc.gap();
            self.expr(value, Place::Indented);
            self.doc.dedent();
        }
        self.doc.dedent();
        self.doc.close();
    }

    /// The value behind `=` or `:`, on the same line if that is possible at all.
    pub(super) fn assigned(&mut self, value: &Expr) {
        let in_parens = self.is_in_commented_parens(value);
        let begins_on_line = in_parens || begins_on_line(value);
        if begins_on_line && !self.has_comments() && !self.doc.ends_in_comment() {
            self.doc.gap();
            self.expr(value, Place::Plain);
            return;
        }
        self.doc.open();
        self.doc.indent();
        self.doc.line(Line::Space);
        self.expr(value, Place::Indented);
        self.doc.dedent();
        self.doc.close();
    }

    /// The text of a template is kept. What is in its holes is never broken for the width, and not
    /// touched at all if there are comments in it.
    fn template(&mut self, expr: &Expr, holes: &[Expr]) {
        if self.comments_in_brackets() {
            if self.doc.suffix_waits() {
                // The comments in it must stay behind that one.
                self.doc.line(Line::Hard);
            }
            self.verbatim(expr.span);
            return;
        }
        self.take();
        self.doc.rigid();
        let mut holes = holes.iter();
        while self.kind() != Kind::TemplateClose && self.lost.is_none() {
            if self.kind() == Kind::TemplateText {
                self.take();
            } else if let Some(hole) = holes.next() {
                self.expect("${");
                self.expr(hole, Place::Plain);
                self.expect("}");
            } else {
                self.lose();
            }
        }
        self.doc.end_rigid();
        self.take();
    }
}

/// Whether a value begins on the line of `=` even if it takes several lines.
fn begins_on_line(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Binary { .. }
        | ExprKind::Logical { .. }
        | ExprKind::String(_)
        | ExprKind::Regex { .. }
        | ExprKind::Number(_)
        | ExprKind::Name(_)
        | ExprKind::Member { .. } => false,
        ExprKind::Paren(inner) => begins_on_line(inner),
        _ => true,
    }
}
