//! Statements that do not jump.

use super::Compiler;
use super::control::ForHead;
use super::phrase::Subject;
use crate::ast::{Declare, Expr, ExprKind, ForInit, PatternKind, Stmt, StmtKind};
use crate::op::Op;

impl Compiler<'_> {
    /// A block with its own variables.
    pub(super) fn block(&mut self, body: &[Stmt]) {
        self.push_scope();
        self.hoist(body.iter());
        self.statements(body);
        self.pop_scope();
    }

    pub(super) fn statements(&mut self, body: &[Stmt]) {
        body.iter().for_each(|stmt| self.stmt(stmt));
    }

    pub(super) fn stmt(&mut self, stmt: &Stmt) {
        self.labeled_stmt(stmt, Vec::new());
    }

    /// A statement with the labels in front of it.
    pub(super) fn labeled_stmt(&mut self, stmt: &Stmt, mut labels: Vec<String>) {
        self.mark(stmt.span);
        let is_made_of_others = matches!(
            stmt.kind,
            StmtKind::Empty
                | StmtKind::Broken
                | StmtKind::Function(_)
                | StmtKind::Block(_)
                | StmtKind::Labeled { .. }
        );
        if !is_made_of_others {
            self.cover(stmt.span);
        }
        match &stmt.kind {
            // Functions got their values when the block began.
            StmtKind::Empty | StmtKind::Broken | StmtKind::Function(_) => {}
            StmtKind::Expr(expr) => self.discard(expr),
            StmtKind::Declare(declare) => self.declaration(declare),
            StmtKind::Return(value) => {
                match value {
                    Some(value) => self.expr(value),
                    None => {
                        self.emit(Op::Undefined);
                    }
                }
                self.mark(stmt.span);
                self.leave_function();
            }
            StmtKind::If {
                test,
                then,
                otherwise,
            } => {
                self.expr(test);
                let no = self.jump(Op::JumpIfFalse);
                self.stmt(then);
                match otherwise {
                    Some(otherwise) => {
                        let end = self.jump(Op::Jump);
                        self.land(no);
                        self.stmt(otherwise);
                        self.land(end);
                    }
                    None => self.land(no),
                }
            }
            StmtKind::While { test, body } => self.while_loop(test, body, labels),
            StmtKind::DoWhile { body, test } => self.do_while_loop(body, test, labels),
            StmtKind::For {
                init,
                before,
                test,
                update,
                body,
            } => {
                let head = ForHead {
                    init: init.as_ref(),
                    before,
                    test: test.as_ref(),
                    update,
                };
                self.for_loop(&head, body, labels);
            }
            StmtKind::ForOf { left, right, body } => {
                self.for_each(left, right, body, labels, false);
            }
            StmtKind::ForIn { left, right, body } => self.for_each(left, right, body, labels, true),
            StmtKind::Switch { value, cases } => self.switch(value, cases, labels),
            StmtKind::Break(label) => self.leave(label.as_ref(), false),
            StmtKind::Continue(label) => self.leave(label.as_ref(), true),
            StmtKind::Throw(value) => {
                self.expr(value);
                self.mark(stmt.span);
                self.emit(Op::Throw);
            }
            StmtKind::Try {
                block,
                handler,
                finalizer,
            } => {
                self.try_stmt(block, handler.as_ref(), finalizer.as_deref());
            }
            StmtKind::Block(body) if labels.is_empty() => self.block(body),
            StmtKind::Block(body) => self.labeled_block(labels, |this| this.block(body)),
            StmtKind::Labeled { label, body } => {
                labels.push(label.name.clone());
                match &body.kind {
                    StmtKind::While { .. }
                    | StmtKind::DoWhile { .. }
                    | StmtKind::For { .. }
                    | StmtKind::ForOf { .. }
                    | StmtKind::ForIn { .. }
                    | StmtKind::Switch { .. }
                    | StmtKind::Block(_)
                    | StmtKind::Labeled { .. } => self.labeled_stmt(body, labels),
                    _ => self.labeled_block(labels, |this| this.stmt(body)),
                }
            }
        }
    }

    pub(super) fn declaration(&mut self, declare: &Declare) {
        for part in &declare.parts {
            match &part.init {
                Some(init) if matches!(part.target.kind, PatternKind::Array { .. }) => {
                    self.iterated(init);
                }
                Some(init) => self.expr_named(init, part.target.name()),
                None => {
                    self.emit(Op::Undefined);
                }
            }
            self.mark(part.target.span);
            let subject = part.init.as_ref().map_or(Subject::Inner, Subject::Value);
            self.bind(&part.target, subject);
        }
    }

    /// The first part of a `for (;;)` that declares nothing.
    pub(super) fn for_init(&mut self, init: &ForInit) {
        match init {
            ForInit::Declare(declare) => self.declaration(declare),
            ForInit::Exprs(exprs) => exprs.iter().for_each(|expr| self.discard(expr)),
        }
    }

    /// An expression whose value nobody wants.
    pub(super) fn discard(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Assign { target, value } => self.assign(target, value, false),
            ExprKind::Compound { op, target, value } => self.compound(*op, target, value, false),
            ExprKind::Update {
                increment, target, ..
            } => {
                // Without a value, `x++` is `++x`.
                self.update(*increment, true, target, false);
            }
            ExprKind::Paren(inner) => self.discard(inner),
            _ => {
                self.expr(expr);
                self.emit(Op::Pop);
            }
        }
    }
}
