//! Statements.

use super::cursor::Printer;
use super::doc::Line;
use super::parens::Place;
use crate::ast::{Case, Catch, Declare, Expr, ExprKind, ForInit, ForLeft, Script, Stmt, StmtKind};
use crate::parse::token::Kind;
use crate::source::Span;

impl Printer<'_> {
    pub(super) fn script(&mut self, script: &Script) {
        let empty = !self.statements(&script.body);
        self.before_closer(empty);
        if self.kind() != Kind::End {
            self.lose();
        }
    }

    /// Prints statements, each on lines of its own. Gives whether there was any.
    fn statements(&mut self, list: &[Stmt]) -> bool {
        let mut any = false;
        for stmt in list {
            if matches!(stmt.kind, StmtKind::Empty) && (any || !self.string_follows()) {
                self.skip(";");
                continue;
            }
            let blank = any && self.empty_line_before();
            self.doc.line(if blank { Line::Blank } else { Line::Hard });
            any = true;
            if self.is_ignored() {
                self.verbatim(stmt.span);
            } else {
                self.stmt(stmt);
            }
        }
        any
    }

    /// Whether a string stands behind the current word: without what is in front of it, it might
    /// become a directive.
    fn string_follows(&self) -> bool {
        self.next_token().kind == Kind::String
    }

    pub(super) fn block(&mut self, body: &[Stmt]) {
        self.expect("{");
        self.doc.indent();
        let any = self.statements(body);
        let breaks = any || self.has_comments() || self.doc.ends_in_comment();
        self.before_closer(!any);
        self.doc.dedent();
        if breaks {
            self.doc.line(Line::Hard);
        }
        self.expect("}");
    }

    fn stmt(&mut self, stmt: &Stmt) {
        self.leading();
        match &stmt.kind {
            StmtKind::Broken => self.lose(),
            StmtKind::Empty => self.expect(";"),
            StmtKind::Expr(expr) => {
                self.expr(expr, Place::Statement);
                self.semicolon(stmt.span);
            }
            StmtKind::Declare(declare) => {
                self.declare(declare);
                self.semicolon(stmt.span);
            }
            StmtKind::Function(function) => self.function(function),
            StmtKind::Return(value) => {
                self.expect("return");
                if let Some(value) = value {
                    self.doc.gap();
                    self.returned(value);
                }
                self.semicolon(stmt.span);
            }
            StmtKind::Throw(value) => {
                self.expect("throw");
                self.doc.gap();
                self.returned(value);
                self.semicolon(stmt.span);
            }
            StmtKind::Break(label) | StmtKind::Continue(label) => {
                self.take();
                if label.is_some() {
                    self.doc.gap();
                    self.take();
                }
                self.semicolon(stmt.span);
            }
            StmtKind::If {
                test,
                then,
                otherwise,
            } => self.if_else(test, then, otherwise.as_deref()),
            StmtKind::While { test, body } => {
                self.expect("while");
                self.doc.gap();
                self.head_and_body(body, |printer| printer.condition(test));
            }
            StmtKind::DoWhile { body, test } => {
                self.expect("do");
                self.body(body);
                self.next_word(body);
                self.expect("while");
                self.doc.gap();
                self.condition(test);
                self.semicolon(stmt.span);
            }
            StmtKind::For {
                init,
                before,
                test,
                update,
                body,
            } => {
                self.expect("for");
                self.doc.gap();
                self.head_and_body(body, |printer| {
                    printer.for_head(init.as_ref(), before, test.as_ref(), update);
                });
            }
            StmtKind::ForOf { left, right, body } | StmtKind::ForIn { left, right, body } => {
                self.expect("for");
                self.doc.gap();
                self.head_and_body(body, |printer| printer.for_each_head(left, right));
            }
            StmtKind::Switch { value, cases } => self.switch(value, cases),
            StmtKind::Try {
                block,
                handler,
                finalizer,
            } => self.try_catch(block, handler.as_ref(), finalizer.as_deref()),
            StmtKind::Block(body) => self.block(body),
            StmtKind::Labeled { body, .. } => {
                self.take();
                self.expect(":");
                if self.doc.ends_in_comment() {
                    self.doc.line(Line::Hard);
                }
                self.doc.gap();
                self.stmt(body);
            }
        }
    }

    /// The `;` of a statement, whether the source has it or not.
    fn semicolon(&mut self, stmt: Span) {
        if self.is(";") && self.start() < stmt.end {
            self.separator(";");
        } else {
            self.doc.append(";");
        }
    }

    pub(super) fn declare(&mut self, declare: &Declare) {
        self.take();
        self.doc.gap();
        let many = declare.parts.len() > 1;
        self.doc.open();
        if many {
            self.doc.indent();
        }
        for (index, part) in declare.parts.iter().enumerate() {
            if index > 0 {
                self.separator(",");
                self.doc.line(Line::Space);
            }
            self.pattern(&part.target);
            if let Some(init) = &part.init {
                self.doc.gap();
                self.expect("=");
                self.assigned(init);
            }
        }
        if many {
            self.doc.dedent();
        }
        self.doc.close();
    }

    /// The value of `return` and `throw`. Parentheses keep operators on several lines together, which
    /// a line break would otherwise end.
    fn returned(&mut self, value: &Expr) {
        let mut inner = value;
        while let ExprKind::Paren(deeper) = &inner.kind {
            inner = deeper;
        }
        let operators = matches!(
            inner.kind,
            ExprKind::Binary { .. } | ExprKind::Logical { .. }
        );
        if !operators || self.is_in_commented_parens(value) {
            self.expr(value, Place::Plain);
            return;
        }
        self.doc.open();
        self.doc.if_broken("(");
        self.doc.indent();
        self.doc.line(Line::Soft);
        self.expr(value, Place::Indented);
        self.doc.dedent();
        self.doc.line(Line::Soft);
        self.doc.if_broken(")");
        self.doc.close();
    }

    /// `(test)`
    fn condition(&mut self, test: &Expr) {
        self.leading();
        self.doc.open();
        self.expect("(");
        self.doc.indent();
        self.doc.line(Line::Soft);
        self.expr(test, Place::Condition);
        self.before_closer(false);
        self.doc.dedent();
        self.doc.line(Line::Soft);
        self.expect(")");
        self.doc.close();
    }

    /// What a branch or loop tests, and its body.
    fn head_and_body(&mut self, body: &Stmt, head: impl FnOnce(&mut Self)) {
        self.leading();
        self.doc.open();
        head(self);
        self.body_in_group(body);
    }

    /// The body of `else` or `do`.
    fn body(&mut self, body: &Stmt) {
        self.doc.open();
        self.body_in_group(body);
    }

    /// A body, and the end of the group that its head opened: a block, or a statement that stays on the
    /// line if it fits there together with the head.
    fn body_in_group(&mut self, body: &Stmt) {
        match &body.kind {
            StmtKind::Block(list) => {
                self.doc.close();
                self.doc.gap();
                self.block(list);
            }
            StmtKind::Empty => {
                self.doc.close();
                self.stmt(body);
            }
            _ => {
                self.doc.indent();
                self.doc.line(Line::Space);
                self.stmt(body);
                self.doc.dedent();
                self.doc.close();
            }
        }
    }

    /// What stands between a body and the word that goes on with the statement.
    fn next_word(&mut self, body: &Stmt) {
        let block = matches!(body.kind, StmtKind::Block(_));
        self.after_block(block);
    }

    fn after_block(&mut self, block: bool) {
        if block && !self.has_comments() && !self.doc.ends_in_comment() {
            self.doc.gap();
        } else {
            self.doc.line(Line::Hard);
        }
    }

    fn if_else(&mut self, test: &Expr, then: &Stmt, otherwise: Option<&Stmt>) {
        let (mut test, mut then, mut otherwise) = (test, then, otherwise);
        loop {
            self.expect("if");
            self.doc.gap();
            self.head_and_body(then, |printer| printer.condition(test));
            let Some(other) = otherwise else { return };
            self.next_word(then);
            self.expect("else");
            let StmtKind::If {
                test: next_test,
                then: next_then,
                otherwise: next_otherwise,
            } = &other.kind
            else {
                return self.body(other);
            };
            self.doc.gap();
            (test, then, otherwise) = (next_test, next_then, next_otherwise.as_deref());
        }
    }

    fn for_head(
        &mut self,
        init: Option<&ForInit>,
        before: &[Expr],
        test: Option<&Expr>,
        update: &[Expr],
    ) {
        self.leading();
        self.doc.open();
        self.expect("(");
        self.doc.indent();
        self.doc.line(Line::Soft);
        let outer = std::mem::replace(&mut self.keep_parens, true);
        match init {
            Some(ForInit::Declare(declare)) => self.declare(declare),
            Some(ForInit::Exprs(exprs)) => self.sequence(exprs),
            None => self.leading(),
        }
        self.keep_parens = outer;
        self.separator(";");
        if let Some(test) = test {
            self.doc.line(Line::Space);
            for expr in before {
                self.expr(expr, Place::Plain);
                self.separator(",");
                self.doc.line(Line::Space);
            }
            self.expr(test, Place::Condition);
        } else {
            self.leading();
        }
        self.separator(";");
        if !update.is_empty() {
            self.doc.line(Line::Space);
            self.sequence(update);
        }
        self.before_closer(false);
        self.doc.dedent();
        self.doc.line(Line::Soft);
        self.expect(")");
        self.doc.close();
    }

    fn sequence(&mut self, exprs: &[Expr]) {
        for (index, expr) in exprs.iter().enumerate() {
            if index > 0 {
                self.separator(",");
                self.doc.line(Line::Space);
            }
            self.expr(expr, Place::Plain);
        }
    }

    fn for_each_head(&mut self, left: &ForLeft, right: &Expr) {
        self.leading();
        self.doc.open();
        self.expect("(");
        match left {
            ForLeft::Declare { target, .. } => {
                self.take();
                self.doc.gap();
                self.pattern(target);
            }
            ForLeft::Assign(target) => self.pattern(target),
        }
        self.doc.gap();
        self.take();
        self.doc.gap();
        self.expr(right, Place::Plain);
        self.before_closer(false);
        self.expect(")");
        self.doc.close();
    }

    fn switch(&mut self, value: &Expr, cases: &[Case]) {
        self.expect("switch");
        self.doc.gap();
        self.condition(value);
        self.doc.gap();
        self.expect("{");
        self.doc.indent();
        for (index, case) in cases.iter().enumerate() {
            let blank = index > 0 && self.empty_line_before();
            self.doc.line(if blank { Line::Blank } else { Line::Hard });
            self.case(case);
        }
        self.before_closer(cases.is_empty());
        self.doc.dedent();
        self.doc.line(Line::Hard);
        self.expect("}");
    }

    fn case(&mut self, case: &Case) {
        self.take();
        if let Some(test) = &case.test {
            self.doc.gap();
            self.expr(test, Place::Plain);
        }
        self.expect(":");
        if let [only] = case.body.as_slice()
            && let StmtKind::Block(body) = &only.kind
            && !self.has_comments()
        {
            self.doc.gap();
            self.block(body);
            return;
        }
        self.doc.indent();
        self.statements(&case.body);
        self.doc.dedent();
    }

    fn try_catch(&mut self, block: &[Stmt], handler: Option<&Catch>, finalizer: Option<&[Stmt]>) {
        self.expect("try");
        self.doc.gap();
        self.block(block);
        if let Some(handler) = handler {
            self.after_block(true);
            self.expect("catch");
            self.doc.gap();
            if let Some(param) = &handler.param {
                self.expect("(");
                self.pattern(param);
                self.before_closer(false);
                self.expect(")");
                self.doc.gap();
            }
            self.block(&handler.body);
        }
        if let Some(finalizer) = finalizer {
            self.after_block(true);
            self.expect("finally");
            self.doc.gap();
            self.block(finalizer);
        }
    }
}
