//! Promises that are kept while something else is awaited. When one of them fails in the meantime, nobody
//! has asked for it yet, and the run ends past every `catch`, as in Node.
//!
//! Says something only where it makes a difference: a `catch` or `finally` would see the failure if it
//! came later. Where nothing catches, the run fails in either case.

use std::collections::HashMap;

use super::super::host::{self, without_parentheses};
use super::super::walk::{self, Visitor};
use super::facts::Facts;
use crate::ast::{
    Declare, Element, Expr, ExprKind, Function, FunctionBody, PatternKind, Script, Stmt, StmtKind,
};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// How far promises are followed that are made of others.
const MAX_STEPS: u32 = 8;

pub(super) fn check<'a>(
    script: &'a Script,
    source: &Source,
    facts: &Facts<'a, '_>,
    found: &mut Vec<Diagnostic>,
) {
    let mut failing = Failing {
        facts,
        functions: HashMap::new(),
    };
    failing.list(&script.body);
    let mut catches = Catches(false);
    catches.list(&script.body);
    Late {
        found,
        source,
        failing: &failing,
        // What a function throws may be caught by whoever calls it.
        catches: catches.0,
        depth: 0,
        tries: 0,
        awaits: Vec::new(),
        kept: HashMap::new(),
    }
    .list(&script.body);
}

/// Which expressions are promises that may fail.
struct Failing<'a, 'n> {
    facts: &'n Facts<'a, 'n>,
    /// The program's own async functions, and whether they may fail.
    functions: HashMap<usize, bool>,
}

impl<'a> Failing<'a, '_> {
    /// What may fail, as it is called in the program.
    fn of(&self, expr: &'a Expr, steps: u32) -> Option<String> {
        if steps > MAX_STEPS {
            return None;
        }
        let ExprKind::Call {
            callee,
            args,
            optional: false,
        } = &without_parentheses(expr).kind
        else {
            return None;
        };
        if let Some(call) = host::called(self.facts.names, callee) {
            // A wait that has all the time of the world does not fail.
            let fails = match call.path {
                "Task.run" | "Task.map" | "Workflow.run" | "Workflow.map" | "Sql.query"
                | "Sql.exec" => true,
                "Signal.next" | "Mutex.acquire" => args.len() > 1,
                _ => false,
            };
            return fails.then(|| call.path.to_owned());
        }
        match &without_parentheses(callee).kind {
            ExprKind::Name(name) => {
                let binding = self.facts.names.binding(name)?;
                let fails = *self.functions.get(&binding)?;
                fails.then(|| name.name.clone())
            }
            ExprKind::Member { object, name, .. } => {
                let method = name.name.as_str();
                if let Some(builtin) = self.facts.names.builtin(object) {
                    let joins =
                        builtin.name == "Promise" && matches!(method, "all" | "race" | "any");
                    let fails = joins && self.list_of(args, steps);
                    return fails.then(|| format!("Promise.{method}"));
                }
                match (method, args.len()) {
                    ("then", 1) | ("finally", _) => self.of(object, steps + 1),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether the list that a joining function gets has promises that may fail.
    fn list_of(&self, args: &'a [Element], steps: u32) -> bool {
        let Some(first) = args.first().filter(|first| !first.spread) else {
            return false;
        };
        match &without_parentheses(&first.value).kind {
            ExprKind::Array(items) => items
                .iter()
                .flatten()
                .any(|item| self.of(&item.value, steps + 1).is_some()),
            ExprKind::Call { callee, args, .. } => match (&callee.kind, args.as_slice()) {
                (ExprKind::Member { name, .. }, [callback, ..]) if name.name == "map" => {
                    match &without_parentheses(&callback.value).kind {
                        ExprKind::Function(function) => match &function.body {
                            FunctionBody::Expr(value) => {
                                self.of(value, steps + 1).is_some() || fails(self.facts, function)
                            }
                            FunctionBody::Block(_) => fails(self.facts, function),
                        },
                        _ => false,
                    }
                }
                _ => false,
            },
            _ => false,
        }
    }
}

impl<'a> Visitor<'a> for Failing<'a, '_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        if let StmtKind::Function(function) = &stmt.kind
            && let Some(name) = &function.name
            && let Some(binding) = self.facts.names.binding(name)
            && self.facts.names.is_fixed(binding)
        {
            self.functions.insert(binding, fails(self.facts, function));
        }
        walk::walk_stmt(self, stmt);
    }

    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            if let (PatternKind::Name(name), Some(init)) = (&part.target.kind, &part.init)
                && let ExprKind::Function(function) = &without_parentheses(init).kind
                && let Some(binding) = self.facts.names.binding(name)
                && self.facts.names.is_fixed(binding)
            {
                self.functions.insert(binding, fails(self.facts, function));
            }
        }
        walk::walk_declare(self, declare);
    }
}

/// Whether an async function throws or runs something that does, outside of each `try` that catches.
fn fails<'a>(facts: &Facts<'a, '_>, function: &'a Function) -> bool {
    struct Search<'a, 'n> {
        facts: &'n Facts<'a, 'n>,
        found: bool,
    }
    impl<'a> Visitor<'a> for Search<'a, '_> {
        fn stmt(&mut self, stmt: &'a Stmt) {
            match &stmt.kind {
                StmtKind::Throw(_) => self.found = true,
                StmtKind::Try {
                    handler: Some(handler),
                    finalizer,
                    ..
                } => {
                    self.catch(handler);
                    self.list(finalizer.as_deref().unwrap_or_default());
                    return;
                }
                _ => {}
            }
            walk::walk_stmt(self, stmt);
        }

        fn function(&mut self, _function: &'a Function) {}

        fn expr(&mut self, expr: &'a Expr) {
            if let ExprKind::Await(value) = &expr.kind
                && let ExprKind::Call { callee, .. } = &without_parentheses(value).kind
                && let Some(call) = host::called(self.facts.names, callee)
            {
                self.found |= matches!(
                    call.path,
                    "Task.run"
                        | "Task.map"
                        | "Workflow.run"
                        | "Workflow.map"
                        | "Sql.query"
                        | "Sql.exec"
                );
            }
            walk::walk_expr(self, expr);
        }
    }
    let mut search = Search {
        facts,
        found: false,
    };
    if function.is_async {
        walk::walk_body(&mut search, function);
    }
    search.found
}

/// Whether anything in the program catches.
struct Catches(bool);

impl<'a> Visitor<'a> for Catches {
    fn stmt(&mut self, stmt: &'a Stmt) {
        self.0 |= matches!(stmt.kind, StmtKind::Try { .. });
        walk::walk_stmt(self, stmt);
    }

    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Call { callee, args, .. } = &expr.kind {
            self.0 |= catching(callee, args);
        }
        walk::walk_expr(self, expr);
    }
}

/// `.catch(…)`, `.then(…, …)`, `Promise.allSettled(…)`
fn catching(callee: &Expr, args: &[Element]) -> bool {
    let ExprKind::Member { name, .. } = &without_parentheses(callee).kind else {
        return false;
    };
    match name.name.as_str() {
        "catch" | "allSettled" | "any" => !args.is_empty(),
        "then" => args.len() > 1,
        _ => false,
    }
}

/// A promise that is kept in a constant and was not used so far.
struct Kept {
    span: Span,
    what: String,
    depth: u32,
    /// How many times the function had awaited when it was made.
    awaits: usize,
}

struct Late<'a, 'c> {
    found: &'c mut Vec<Diagnostic>,
    source: &'c Source,
    failing: &'c Failing<'a, 'c>,
    /// Whether anything in the program catches.
    catches: bool,
    /// How many functions are around.
    depth: u32,
    /// How many `try` blocks of this function are around.
    tries: u32,
    /// Where this function has awaited, in the order of the text.
    awaits: Vec<Span>,
    kept: HashMap<usize, Kept>,
}

impl<'a> Late<'a, '_> {
    /// The first use of a constant.
    fn used(&mut self, expr: &'a Expr, is_caught: bool) {
        let ExprKind::Name(name) = &without_parentheses(expr).kind else {
            return;
        };
        let binding = self.failing.facts.names.binding(name);
        let Some(kept) = binding.and_then(|binding| self.kept.remove(&binding)) else {
            return;
        };
        let guarded = is_caught || self.tries > 0 || self.depth > 0 && self.catches;
        // What another function does with it may be done at any time.
        if kept.depth != self.depth || !guarded {
            return;
        }
        let Some(between) = self.awaits.get(kept.awaits) else {
            return;
        };
        let line = self.source.line_of(between.start);
        let message = format!(
            "if `{}` fails while line {line} awaits, the workflow ends past every `catch` and `finally`",
            name.name
        );
        let name = &name.name;
        let hint = match kept.what.strip_suffix(".run") {
            Some(kind) => format!(
                "Await both together: `await Promise.all([{name}, …])`; or write `{kind}.try(…)`, which never fails."
            ),
            None => format!(
                "Await both together: `await Promise.all([{name}, …])`, or `Promise.allSettled`."
            ),
        };
        self.found
            .push(Diagnostic::new(Code::LateAwait, kept.span, message).with_hint(hint));
    }

    /// Whether anything can come in from outside while this is awaited: a query runs within the step.
    fn waits(&self, value: &'a Expr) -> bool {
        let ExprKind::Call { callee, .. } = &without_parentheses(value).kind else {
            return true;
        };
        host::called(self.failing.facts.names, callee).is_none_or(|call| !host::is_sql(call))
    }

    fn tried(&mut self, body: &'a [Stmt], guarded: bool) {
        self.tries += u32::from(guarded);
        self.list(body);
        self.tries -= u32::from(guarded);
    }
}

impl<'a> Visitor<'a> for Late<'a, '_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        let StmtKind::Try {
            block,
            handler,
            finalizer,
        } = &stmt.kind
        else {
            return walk::walk_stmt(self, stmt);
        };
        self.tried(block, true);
        if let Some(handler) = handler {
            self.tried(&handler.body, finalizer.is_some());
        }
        self.tried(finalizer.as_deref().unwrap_or_default(), false);
    }

    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            let Some(init) = &part.init else {
                continue;
            };
            self.expr(init);
            if let PatternKind::Name(name) = &part.target.kind
                && let Some(binding) = self.failing.facts.names.binding(name)
                && self.failing.facts.names.is_fixed(binding)
                && let Some(what) = self.failing.of(init, 0)
            {
                let kept = Kept {
                    span: name.span,
                    what,
                    depth: self.depth,
                    awaits: self.awaits.len(),
                };
                self.kept.insert(binding, kept);
            }
        }
    }

    fn function(&mut self, function: &'a Function) {
        let tries = std::mem::take(&mut self.tries);
        let awaits = std::mem::take(&mut self.awaits);
        self.depth += 1;
        walk::walk_function(self, function);
        self.depth -= 1;
        self.tries = tries;
        self.awaits = awaits;
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Name(_) => self.used(expr, false),
            ExprKind::Await(value) => {
                self.expr(value);
                if self.waits(value) {
                    self.awaits.push(expr.span);
                }
                return;
            }
            ExprKind::Call { callee, args, .. } if catching(callee, args) => {
                if let ExprKind::Member { object, name, .. } = &without_parentheses(callee).kind {
                    match name.name.as_str() {
                        "catch" | "then" => self.used(object, true),
                        _ => {
                            for arg in args {
                                self.used(&arg.value, true);
                                if let ExprKind::Array(items) = &arg.value.kind {
                                    for item in items.iter().flatten() {
                                        self.used(&item.value, true);
                                    }
                                }
                            }
                        }
                    }
                }
            }
            _ => {}
        }
        walk::walk_expr(self, expr);
    }
}
