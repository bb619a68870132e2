//! Functions of all forms.

use super::cursor::Printer;
use super::doc::Line;
use super::list::List;
use super::parens::Place;
use crate::ast::{Expr, ExprKind, Function, FunctionBody, PatternKind};

impl Printer<'_> {
    pub(super) fn function(&mut self, function: &Function) {
        if function.is_arrow {
            self.arrow_head(function);
            self.arrow_body(function);
            return;
        }
        self.async_word(function);
        self.expect("function");
        self.doc.gap();
        if function.name.is_some() {
            self.take();
        }
        self.parameters(function);
        self.doc.gap();
        if let FunctionBody::Block(body) = &function.body {
            self.block(body);
        }
    }

    fn async_word(&mut self, function: &Function) {
        if function.is_async {
            self.expect("async");
            self.tight();
            self.doc.gap();
        }
    }

    /// All up to and with `=>`.
    pub(super) fn arrow_head(&mut self, function: &Function) {
        self.async_word(function);
        if self.is("(") {
            self.parameters(function);
        } else {
            self.doc.text("(");
            self.take();
            self.inline_comments();
            self.doc.text(")");
        }
        self.doc.gap();
        self.tight();
        self.expect("=>");
    }

    fn arrow_body(&mut self, function: &Function) {
        let body = match &function.body {
            FunctionBody::Block(body) => {
                self.doc.gap();
                self.block(body);
                return;
            }
            FunctionBody::Expr(body) => body,
        };
        if stays_on_line(body) && !self.has_comments() && !self.doc.ends_in_comment() {
            self.doc.gap();
            self.expr(body, Place::ArrowBody);
            return;
        }
        self.doc.open();
        self.doc.indent();
        self.doc.line(Line::Space);
        self.expr(body, Place::ArrowBody);
        self.doc.dedent();
        self.doc.close();
    }

    /// An arrow as last argument whose body goes to a line of its own, in the group that is open.
    pub(super) fn hugged_arrow(&mut self, function: &Function) {
        self.arrow_head(function);
        let FunctionBody::Expr(body) = &function.body else {
            return;
        };
        self.doc.indent();
        self.doc.line(Line::Space);
        self.expr(body, Place::ArrowBody);
        self.doc.dedent();
        self.doc.if_hugged(",");
    }

    pub(super) fn parameters(&mut self, function: &Function) {
        let Function { params, rest, .. } = function;
        if let ([only], None) = (params.as_slice(), rest)
            && only.default.is_none()
            && matches!(only.target.kind, PatternKind::Object { .. })
            && !self.comments_around(only.target.span)
        {
            self.expect("(");
            self.pattern(&only.target);
            if self.is(",") {
                self.skip(",");
            }
            self.expect(")");
            return;
        }
        let list = List {
            trailing_comma: rest.is_none(),
            ..List::ARGUMENTS
        };
        let count = params.len() + usize::from(rest.is_some());
        self.list(list, count, |printer, index| match params.get(index) {
            Some(param) => printer.pattern_item(param),
            None => printer.rest(rest.as_ref()),
        });
    }
}

/// Whether a body begins behind `=>` even if it takes several lines.
fn stays_on_line(body: &Expr) -> bool {
    match &body.kind {
        ExprKind::Array(_) | ExprKind::Template { .. } => true,
        ExprKind::Function(function) => function.is_arrow,
        ExprKind::Paren(inner) => matches!(inner.kind, ExprKind::Object(_)),
        _ => false,
    }
}
