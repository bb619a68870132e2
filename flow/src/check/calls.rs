//! The tasks and workflows that a program names, for checks over several files (`project`).

use super::Literal;
use super::host::{self, without_parentheses};
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::ast::{Expr, ExprKind, Script};
use crate::source::Span;

/// What a call starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedKind {
    /// `Task.run`, `Task.try`, `Task.map`
    Task,
    /// `Workflow.run`, `Workflow.try`, `Workflow.map`
    Workflow,
}

/// A task or workflow whose name is written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What it is.
    pub kind: NamedKind,
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// What it is given, as far as that is written out.
    pub inputs: Option<Literal>,
}

/// All of them, in the order of the text.
pub(super) fn named(script: &Script, names: &Names) -> Vec<Named> {
    let mut calls = Calls {
        names,
        found: Vec::new(),
    };
    calls.list(&script.body);
    calls.found
}

struct Calls<'n> {
    names: &'n Names,
    found: Vec<Named>,
}

impl<'a> Visitor<'a> for Calls<'_> {
    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Call { callee, args, .. } = &expr.kind
            && let Some(call) = host::called(self.names, callee)
            && let Some(first) = args.first().filter(|first| !first.spread)
            && let ExprKind::String(units) = &without_parentheses(&first.value).kind
        {
            let kind = match call.path {
                "Task.run" | "Task.try" | "Task.map" => Some(NamedKind::Task),
                "Workflow.run" | "Workflow.try" | "Workflow.map" => Some(NamedKind::Workflow),
                _ => None,
            };
            if let Some(kind) = kind {
                self.found.push(Named {
                    kind,
                    name: String::from_utf16_lossy(units),
                    span: first.value.span,
                    // A fan-out is given a list of them.
                    inputs: (!call.path.ends_with(".map"))
                        .then(|| Literal::of_inputs(args, first.value.span))
                        .flatten(),
                });
            }
        }
        walk::walk_expr(self, expr);
    }
}
