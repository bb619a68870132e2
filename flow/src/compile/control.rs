//! Loops, `switch`, labels, and the ways out of them through `finally`.

use super::Compiler;
use super::phrase::Subject;
use crate::ast::{Case, Catch, Expr, ForInit, ForLeft, Ident, Stmt};
use crate::op::Op;
use crate::program::Handler;

/// Something that `break`, `continue` or `return` may leave.
pub(super) enum Control {
    /// A loop, a switch or a labelled block.
    Target {
        labels: Vec<String>,
        form: Form,
        breaks: Vec<usize>,
        continues: Vec<usize>,
    },
    /// A `try` with a `finally`, which every way out passes.
    Finally {
        completion: u32,
        value: u32,
        exits: Vec<Exit>,
        entries: Vec<usize>,
    },
}

/// What stands in the parentheses of a `for (;;)`.
pub(super) struct ForHead<'a> {
    pub(super) init: Option<&'a ForInit>,
    /// What is evaluated in front of the test.
    pub(super) before: &'a [Expr],
    pub(super) test: Option<&'a Expr>,
    pub(super) update: &'a [Expr],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Loop,
    Switch,
    Block,
}

/// A way out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Return,
    Break(usize),
    Continue(usize),
}

/// What the slot `completion` says at the end of a `finally`: 0 went on normally, 1 threw, and
/// `FIRST_EXIT` + n took exit n.
const FIRST_EXIT: usize = 2;

impl Compiler<'_> {
    fn enter(&mut self, labels: Vec<String>, form: Form) {
        let target = Control::Target {
            labels,
            form,
            breaks: Vec::new(),
            continues: Vec::new(),
        };
        self.this().controls.push(target);
    }

    /// Ends a loop or block: `break`s land here.
    fn end(&mut self) {
        if let Some(Control::Target { breaks, .. }) = self.this().controls.pop() {
            self.land_all(breaks);
        }
    }

    /// `continue`s land here.
    fn land_continues(&mut self) {
        if let Some(Control::Target { continues, .. }) = self.this().controls.last_mut() {
            let continues = std::mem::take(continues);
            self.land_all(continues);
        }
    }

    pub(super) fn labeled_block(&mut self, labels: Vec<String>, body: impl FnOnce(&mut Self)) {
        self.enter(labels, Form::Block);
        body(self);
        self.end();
    }

    pub(super) fn while_loop(&mut self, test: &Expr, body: &Stmt, labels: Vec<String>) {
        self.enter(labels, Form::Loop);
        let top = self.here();
        self.expr(test);
        let out = self.jump(Op::JumpIfFalse);
        self.stmt(body);
        self.land_continues();
        self.emit(Op::Jump(top));
        self.land(out);
        self.end();
    }

    pub(super) fn do_while_loop(&mut self, body: &Stmt, test: &Expr, labels: Vec<String>) {
        self.enter(labels, Form::Loop);
        let top = self.here();
        self.stmt(body);
        self.land_continues();
        self.expr(test);
        self.emit(Op::JumpIfTrue(top));
        self.end();
    }

    pub(super) fn for_loop(&mut self, head: &ForHead<'_>, body: &Stmt, labels: Vec<String>) {
        let ForHead {
            init,
            before,
            test,
            update,
        } = *head;
        self.push_scope();
        if let Some(ForInit::Declare(declare)) = init {
            declare
                .parts
                .iter()
                .for_each(|part| self.declare_pattern(&part.target));
        }
        let functions = self.functions.len();
        init.into_iter().for_each(|init| self.for_init(init));
        // A function of the head keeps the variables as the head made them; the first turn has its own.
        if self.functions.len() > functions {
            self.copy_declared(init);
        }
        self.enter(labels, Form::Loop);
        let top = self.here();
        before.iter().for_each(|expr| self.discard(expr));
        let out = test.map(|test| {
            self.expr(test);
            self.jump(Op::JumpIfFalse)
        });
        self.stmt(body);
        self.land_continues();
        self.copy_declared(init);
        update.iter().for_each(|expr| self.discard(expr));
        self.emit(Op::Jump(top));
        out.into_iter().for_each(|out| self.land(out));
        self.end();
        self.pop_scope();
    }

    /// Gives the turn of a `for (;;)` that begins its own variables.
    fn copy_declared(&mut self, init: Option<&ForInit>) {
        if let Some(ForInit::Declare(declare)) = init {
            declare
                .parts
                .iter()
                .for_each(|part| self.copy_pattern(&part.target));
        }
    }

    /// `for … of` and `for … in`.
    pub(super) fn for_each(
        &mut self,
        left: &ForLeft,
        right: &Expr,
        body: &Stmt,
        labels: Vec<String>,
        keys: bool,
    ) {
        self.push_scope();
        if let ForLeft::Declare { target, .. } = left {
            self.declare_pattern(target);
        }
        if keys {
            self.expr(right);
        } else {
            self.iterated(right);
        }
        self.mark(right.span);
        let object = keys.then(|| {
            let slot = self.slot();
            self.emit(Op::Dup);
            self.emit(Op::StoreLocal(slot));
            slot
        });
        if !keys {
            self.phrase_iterate(right);
        }
        self.emit(if keys { Op::KeysToWalk } else { Op::Iterate });
        let iterator = self.slot();
        self.emit(Op::StoreLocal(iterator));
        self.enter(labels, Form::Loop);
        let top = self.here();
        let out = self.emit(Op::NextOrJump(super::patch::LATER, iterator as u16));
        if let Some(object) = object {
            // A key that was deleted meanwhile is left out.
            self.emit(Op::Dup);
            self.emit(Op::LoadLocal(object));
            self.emit(Op::HasKey);
            let there = self.jump(Op::JumpIfTrue);
            self.emit(Op::Pop);
            self.emit(Op::Jump(top));
            self.land(there);
        }
        match left {
            ForLeft::Declare { target, .. } => {
                self.renew_pattern(target);
                self.bind(target, Subject::Hidden(".for"));
            }
            ForLeft::Assign(target) => self.assign_top(target, Subject::Inner),
        }
        self.stmt(body);
        self.land_continues();
        self.emit(Op::Jump(top));
        self.land(out);
        self.end();
        self.pop_scope();
    }

    pub(super) fn switch(&mut self, value: &Expr, cases: &[Case], labels: Vec<String>) {
        self.expr(value);
        self.push_scope();
        let slot = self.slot();
        self.emit(Op::StoreLocal(slot));
        self.hoist(cases.iter().flat_map(|case| &case.body));
        self.enter(labels, Form::Switch);
        let mut jumps = Vec::new();
        for case in cases {
            if let Some(test) = &case.test {
                self.emit(Op::LoadLocal(slot));
                self.expr(test);
                self.emit(Op::StrictEq);
                jumps.push(Some(self.jump(Op::JumpIfTrue)));
            } else {
                jumps.push(None);
            }
        }
        let otherwise = self.jump(Op::Jump);
        let mut has_default = false;
        for (case, jump) in cases.iter().zip(jumps) {
            match jump {
                Some(jump) => self.land(jump),
                None => {
                    has_default = true;
                    self.land(otherwise);
                }
            }
            self.statements(&case.body);
        }
        if !has_default {
            self.land(otherwise);
        }
        self.end();
        self.pop_scope();
    }

    /// `break` and `continue`.
    pub(super) fn leave(&mut self, label: Option<&Ident>, again: bool) {
        let fits = |control: &Control| match (control, label) {
            (Control::Finally { .. }, _) => false,
            (Control::Target { labels, .. }, Some(label)) => labels.contains(&label.name),
            (Control::Target { form, .. }, None) => {
                *form == Form::Loop || (*form == Form::Switch && !again)
            }
        };
        // The checker found the target, or the file was refused.
        if let Some(target) = self.this().controls.iter().rposition(fits) {
            self.exit(if again {
                Exit::Continue(target)
            } else {
                Exit::Break(target)
            });
        }
    }

    /// `return` with the value on the stack.
    pub(super) fn leave_function(&mut self) {
        self.exit(Exit::Return);
    }

    fn exit(&mut self, exit: Exit) {
        let target = match exit {
            Exit::Return => None,
            Exit::Break(target) | Exit::Continue(target) => Some(target),
        };
        let is_finally = |control: &Control| matches!(control, Control::Finally { .. });
        let through = self.this().controls.iter().rposition(is_finally);
        if let Some(through) =
            through.filter(|through| target.is_none_or(|target| *through > target))
        {
            self.exit_through(through, exit);
            return;
        }
        let Some(target) = target else {
            self.emit(Op::Return);
            return;
        };
        let jump = self.jump(Op::Jump);
        if let Control::Target {
            breaks, continues, ..
        } = &mut self.this().controls[target]
        {
            if matches!(exit, Exit::Continue(_)) {
                continues.push(jump);
            } else {
                breaks.push(jump);
            }
        }
    }

    /// Takes a way out as far as the `finally` that it passes.
    fn exit_through(&mut self, through: usize, exit: Exit) {
        let Control::Finally {
            completion,
            value,
            exits,
            ..
        } = &mut self.this().controls[through]
        else {
            return;
        };
        let (completion, value) = (*completion, *value);
        let number = exits
            .iter()
            .position(|known| *known == exit)
            .unwrap_or_else(|| {
                exits.push(exit);
                exits.len() - 1
            });
        if exit == Exit::Return {
            self.emit(Op::StoreLocal(value));
        }
        self.emit(Op::Int((FIRST_EXIT + number) as i32));
        self.emit(Op::StoreLocal(completion));
        let jump = self.jump(Op::Jump);
        if let Control::Finally { entries, .. } = &mut self.this().controls[through] {
            entries.push(jump);
        }
    }

    pub(super) fn try_stmt(
        &mut self,
        block: &[Stmt],
        handler: Option<&Catch>,
        finalizer: Option<&[Stmt]>,
    ) {
        let base = self.this().next_slot;
        let slots = finalizer.map(|_| (self.slot(), self.slot()));
        if let Some((completion, value)) = slots {
            let (exits, entries) = (Vec::new(), Vec::new());
            self.this().controls.push(Control::Finally {
                completion,
                value,
                exits,
                entries,
            });
        }
        let start = self.here();
        self.block(block);
        if let Some(Catch { param, body }) = handler {
            let end = self.here();
            let after = self.jump(Op::Jump);
            self.handler(start, end);
            self.push_scope();
            match param {
                Some(param) => {
                    self.declare_pattern(param);
                    self.bind(param, Subject::Hidden(".catch"));
                }
                None => {
                    self.emit(Op::Pop);
                }
            }
            self.block(body);
            self.pop_scope();
            self.land(after);
        }
        if let (Some((completion, value)), Some(finalizer)) = (slots, finalizer) {
            self.finally(start, completion, value, finalizer);
        }
        self.free_slots(base);
    }

    /// Errors between two places go on here.
    fn handler(&mut self, start: u32, end: u32) {
        let target = self.here();
        self.this()
            .func
            .handlers
            .push(Handler { start, end, target });
    }

    fn finally(&mut self, start: u32, completion: u32, value: u32, finalizer: &[Stmt]) {
        let Some(Control::Finally { exits, entries, .. }) = self.this().controls.pop() else {
            return;
        };
        let end = self.here();
        self.emit(Op::Int(0));
        self.emit(Op::StoreLocal(completion));
        let normal = self.jump(Op::Jump);
        self.handler(start, end);
        self.emit(Op::StoreLocal(value));
        self.emit(Op::Int(1));
        self.emit(Op::StoreLocal(completion));
        self.land(normal);
        self.land_all(entries);
        self.block(finalizer);
        for (number, exit) in exits.into_iter().enumerate() {
            let other = self.unless_completion(completion, (FIRST_EXIT + number) as i32);
            if exit == Exit::Return {
                self.emit(Op::LoadLocal(value));
            }
            self.exit(exit);
            self.land(other);
        }
        let done = self.unless_completion(completion, 1);
        self.emit(Op::LoadLocal(value));
        self.emit(Op::Throw);
        self.land(done);
    }

    fn unless_completion(&mut self, completion: u32, number: i32) -> usize {
        self.emit(Op::LoadLocal(completion));
        self.emit(Op::Int(number));
        self.emit(Op::StrictEq);
        self.jump(Op::JumpIfFalse)
    }
}
