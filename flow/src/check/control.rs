//! The ways through a program: `break`, `continue`, labels, what is never reached, `=` in conditions.

use super::meant;
use super::walk::{self, Visitor};
use crate::ast::{Expr, ExprKind, Function, FunctionBody, Ident, Script, Stmt, StmtKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

pub(super) fn check(script: &Script, found: &mut Vec<Diagnostic>) {
    let mut control = Control {
        found,
        targets: Vec::new(),
    };
    control.statements(&script.body);
}

/// What a `break` or `continue` can leave.
struct Target<'a> {
    label: Option<&'a str>,
    kind: TargetKind,
    /// Whether a `break` leaves it, so that the statement behind it is reached.
    left: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TargetKind {
    Loop,
    Switch,
    Block,
}

struct Control<'a, 'f> {
    found: &'f mut Vec<Diagnostic>,
    targets: Vec<Target<'a>>,
}

impl<'a> Control<'a, '_> {
    /// Tells whether the end of these statements can be reached.
    fn statements(&mut self, body: &'a [Stmt]) -> bool {
        let mut reached = true;
        let mut told = false;
        let mut before: Option<&Stmt> = None;
        for stmt in body {
            let matters = !matches!(stmt.kind, StmtKind::Function(_) | StmtKind::Empty);
            if !reached && !told && matters {
                let message = "this is never reached";
                let cut_off = matches!(stmt.kind, StmtKind::Expr(_) | StmtKind::Block(_))
                    && before.is_some_and(|before| matches!(before.kind, StmtKind::Return(None)));
                let hint = if cut_off {
                    "A line break ends `return`: write the value on its line, or `return (`."
                } else {
                    "Remove it, or what leaves in front of it."
                };
                let span = Span {
                    end: stmt.span.end.min(stmt.span.start + 60),
                    ..stmt.span
                };
                self.found
                    .push(Diagnostic::new(Code::Unreachable, span, message).with_hint(hint));
                told = true;
            }
            reached &= self.statement(stmt, None);
            before = Some(stmt);
        }
        reached
    }

    /// Tells whether what stands behind the statement can be reached.
    fn statement(&mut self, stmt: &'a Stmt, label: Option<&'a str>) -> bool {
        match &stmt.kind {
            StmtKind::Return(_) | StmtKind::Throw(_) => {
                walk::walk_stmt(self, stmt);
                false
            }
            StmtKind::Break(to) => {
                self.jump(to.as_ref(), stmt.span, true);
                false
            }
            StmtKind::Continue(to) => {
                self.jump(to.as_ref(), stmt.span, false);
                false
            }
            StmtKind::If {
                test,
                then,
                otherwise,
            } => {
                self.condition(test);
                let then = self.statement(then, None);
                let otherwise = otherwise
                    .as_ref()
                    .is_none_or(|stmt| self.statement(stmt, None));
                then || otherwise
            }
            StmtKind::While { test, body } => {
                self.condition(test);
                let (_, left) = self.body(body, label, TargetKind::Loop);
                left || !is_true(test)
            }
            StmtKind::DoWhile { body, test } => {
                let (_, left) = self.body(body, label, TargetKind::Loop);
                self.condition(test);
                // A `continue` may lead to the test as well, so only an endless loop is certain.
                left || !is_true(test)
            }
            StmtKind::For {
                init: _,
                before: _,
                test,
                update: _,
                body,
            } => {
                self.for_head(stmt);
                let (_, left) = self.body(body, label, TargetKind::Loop);
                left || test.as_ref().is_some_and(|test| !is_true(test))
            }
            StmtKind::ForOf { right, body, .. } | StmtKind::ForIn { right, body, .. } => {
                self.expr(right);
                self.for_head(stmt);
                self.body(body, label, TargetKind::Loop);
                true
            }
            StmtKind::Switch { value, cases } => {
                self.expr(value);
                self.targets.push(Target {
                    label,
                    kind: TargetKind::Switch,
                    left: false,
                });
                let mut end = true;
                for case in cases {
                    if let Some(test) = &case.test {
                        self.expr(test);
                    }
                    end = self.statements(&case.body);
                }
                let left = self.targets.pop().is_some_and(|target| target.left);
                let complete = cases.iter().any(|case| case.test.is_none());
                left || end || !complete
            }
            StmtKind::Try {
                block,
                handler,
                finalizer,
            } => {
                let block = self.statements(block);
                let handler = handler.as_ref().is_some_and(|handler| {
                    if let Some(param) = &handler.param {
                        self.pattern(param);
                    }
                    self.statements(&handler.body)
                });
                let end = finalizer.as_ref().is_none_or(|body| self.statements(body));
                end && (block || handler)
            }
            StmtKind::Block(body) => self.statements(body),
            StmtKind::Labeled { label, body } => self.labeled(label, body),
            _ => {
                walk::walk_stmt(self, stmt);
                true
            }
        }
    }

    /// All of a `for` but its body.
    fn for_head(&mut self, stmt: &'a Stmt) {
        use crate::ast::{ForInit, ForLeft};
        match &stmt.kind {
            StmtKind::For {
                init,
                before,
                test,
                update,
                ..
            } => {
                match init {
                    Some(ForInit::Declare(declare)) => self.declare(declare),
                    Some(ForInit::Exprs(exprs)) => exprs.iter().for_each(|expr| self.expr(expr)),
                    None => {}
                }
                before.iter().for_each(|expr| self.expr(expr));
                test.iter().for_each(|test| self.condition(test));
                update.iter().for_each(|expr| self.expr(expr));
            }
            StmtKind::ForOf { left, .. } | StmtKind::ForIn { left, .. } => match left {
                ForLeft::Declare { target, .. } | ForLeft::Assign(target) => self.pattern(target),
            },
            _ => {}
        }
    }

    fn body(&mut self, body: &'a Stmt, label: Option<&'a str>, kind: TargetKind) -> (bool, bool) {
        self.targets.push(Target {
            label,
            kind,
            left: false,
        });
        let end = self.statement(body, None);
        let left = self.targets.pop().is_some_and(|target| target.left);
        (end, left)
    }

    fn labeled(&mut self, label: &'a Ident, body: &'a Stmt) -> bool {
        let name = label.name.as_str();
        if self.targets.iter().any(|target| target.label == Some(name)) {
            let message = format!("the label `{name}` is already around this statement");
            let hint = "Choose another label.";
            self.found
                .push(Diagnostic::new(Code::DuplicateLabel, label.span, message).with_hint(hint));
        }
        let takes_label = matches!(
            body.kind,
            StmtKind::While { .. }
                | StmtKind::DoWhile { .. }
                | StmtKind::For { .. }
                | StmtKind::ForOf { .. }
                | StmtKind::ForIn { .. }
                | StmtKind::Switch { .. }
        );
        if takes_label {
            return self.statement(body, Some(name));
        }
        let (end, left) = self.body(body, Some(name), TargetKind::Block);
        end || left
    }

    fn jump(&mut self, to: Option<&'a Ident>, span: Span, is_break: bool) {
        let word = if is_break { "break" } else { "continue" };
        let Some(label) = to else {
            let target = self
                .targets
                .iter_mut()
                .rev()
                .find(|target| match target.kind {
                    TargetKind::Loop => true,
                    TargetKind::Switch => is_break,
                    TargetKind::Block => false,
                });
            match target {
                Some(target) => target.left |= is_break,
                None => {
                    let around = if is_break { "loop or `switch`" } else { "loop" };
                    let message = format!("`{word}` with no {around} around it");
                    let hint = "Use `return` to leave a function or the workflow.";
                    self.found
                        .push(Diagnostic::new(Code::BadBreak, span, message).with_hint(hint));
                }
            }
            return;
        };
        let name = label.name.as_str();
        match self
            .targets
            .iter_mut()
            .rev()
            .find(|target| target.label == Some(name))
        {
            Some(target) if is_break || target.kind == TargetKind::Loop => target.left |= is_break,
            Some(_) => {
                let message = format!("`continue {name}` needs a loop, and `{name}` is none");
                self.found
                    .push(Diagnostic::new(Code::BadBreak, span, message));
            }
            None => {
                let labels = self.targets.iter().filter_map(|target| target.label);
                let mut diagnostic = Diagnostic::new(
                    Code::UnknownLabel,
                    label.span,
                    format!("no label `{name}` is around this `{word}`"),
                );
                diagnostic.hint =
                    meant(self.found, name, labels).map(|meant| format!("Did you mean `{meant}`?"));
                self.found.push(diagnostic);
            }
        }
    }

    /// A test; `=` in it is suspicious, unless it has parentheses of its own.
    fn condition(&mut self, test: &'a Expr) {
        if let ExprKind::Assign { .. } = test.kind {
            let message = "this assigns, it does not compare";
            let hint = "Write `===` to compare, or put parentheses around the assignment.";
            self.found
                .push(Diagnostic::new(Code::AssignInCondition, test.span, message).with_hint(hint));
        }
        self.expr(test);
    }
}

impl<'a> Visitor<'a> for Control<'a, '_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        self.statement(stmt, None);
    }

    fn function(&mut self, function: &'a Function) {
        let outer = std::mem::take(&mut self.targets);
        for param in &function.params {
            walk::walk_item(self, param);
        }
        match &function.body {
            FunctionBody::Block(body) => {
                self.statements(body);
            }
            FunctionBody::Expr(value) => self.expr(value),
        }
        self.targets = outer;
    }

    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Conditional {
            test,
            then,
            otherwise,
        } = &expr.kind
        {
            self.condition(test);
            self.expr(then);
            self.expr(otherwise);
        } else {
            walk::walk_expr(self, expr);
        }
    }
}

fn is_true(test: &Expr) -> bool {
    match &test.kind {
        ExprKind::Bool(value) => *value,
        ExprKind::Number(value) => *value != 0.0,
        ExprKind::Paren(inner) => is_true(inner),
        _ => false,
    }
}
