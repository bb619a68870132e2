//! Promises that nobody awaits, or that are used as if they were the value that they promise.
//!
//! Says something only where the text proves it: the result of a host call, of an async function of
//! the program, of `Promise.all` and the like, and a constant that holds one of these.

mod facts;
mod late;
mod lists;

use super::host::{self, without_parentheses};
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::ast::{
    BinaryOp, CompoundOp, Declare, Element, Expr, ExprKind, ForLeft, Function, LogicalOp, Pattern,
    PatternKind, Prop, Script, Stmt, StmtKind, UnaryOp,
};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use facts::{Facts, JOINS, OF_PROMISE};

pub(super) fn check(script: &Script, source: &Source, names: &Names, found: &mut Vec<Diagnostic>) {
    let facts = Facts::of(script, names);
    late::check(script, source, &facts, found);
    Promises {
        found,
        source,
        facts: &facts,
        guarded: false,
        in_main: true,
    }
    .list(&script.body);
}

/// Methods whose callback answers yes or no, or gives a number.
const ANSWERED: [&str; 9] = [
    "filter",
    "some",
    "every",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "sort",
    "toSorted",
];

/// Functions that take a value apart or into a text, for which a promise is never right.
const READERS: [&str; 12] = [
    "JSON.stringify",
    "Number",
    "String",
    "parseInt",
    "parseFloat",
    "isNaN",
    "Number.isInteger",
    "Object.keys",
    "Object.values",
    "Object.entries",
    "structuredClone",
    "Context.set",
];

/// Longer pieces of the program are not repeated in hints.
const MAX_QUOTE: usize = 48;

struct Promises<'a, 'c> {
    found: &'c mut Vec<Diagnostic>,
    source: &'c Source,
    facts: &'c Facts<'a, 'c>,
    /// Whether a `catch` or `finally` of this function is around.
    guarded: bool,
    /// Whether this is the program itself, not one of its functions.
    in_main: bool,
}

impl<'a> Promises<'a, '_> {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>, hint: String) {
        self.found
            .push(Diagnostic::new(code, span, message).with_hint(hint));
    }

    /// A piece of the program for a hint, unless it is long.
    fn quote(&self, span: Span) -> Option<&str> {
        self.source.quote(span, MAX_QUOTE)
    }

    fn quote_or(&self, span: Span, otherwise: &str) -> String {
        self.quote(span).unwrap_or(otherwise).to_owned()
    }

    /// A value is used where a promise makes no sense.
    fn used(&mut self, value: &'a Expr, how: &str) {
        if let Some(why) = self.facts.promise(value) {
            let text = self.quote_or(value.span, "…");
            let needs_no_more = matches!(value.kind, ExprKind::Paren(_));
            let hint = if needs_no_more {
                format!("Write `(await {text})`.")
            } else {
                format!("Write `await {text}`.")
            };
            self.report(
                Code::ForgottenAwait,
                value.span,
                format!("{why}, {how}"),
                hint,
            );
        }
    }

    /// Data that leaves the program: promises in it would be lost.
    fn data(&mut self, value: &'a Expr, how: &str) {
        match &without_parentheses(value).kind {
            ExprKind::Object(props) => {
                for prop in props {
                    if let Prop::Value { value, .. } = prop {
                        self.data(value, how);
                    }
                }
            }
            ExprKind::Array(items) => {
                for item in items.iter().flatten() {
                    self.data(&item.value, how);
                }
            }
            _ => {
                self.list_used(value, how);
                self.used(value, how);
            }
        }
    }

    /// A list of promises is used as if it were one of their values.
    fn list_used(&mut self, list: &'a Expr, how: &str) {
        if self.facts.promises(list, 0) && !self.facts.is_changed(list) {
            let text = self.quote_or(list.span, "…");
            let message = format!("this list holds promises, {how}");
            let hint = format!("Write `await Promise.all({text})`.");
            self.report(Code::ForgottenAwait, list.span, message, hint);
        }
    }

    /// `const prices = items.map(async …)`, of which at most the length is read.
    fn unawaited_list(&mut self, target: &'a Pattern, list: &'a Expr) {
        if let PatternKind::Name(name) = &target.kind
            && !name.name.starts_with('_')
            && let Some(binding) = self.facts.names.binding(name)
            && self.facts.is_only_counted(binding)
            && self.facts.promises(list, 0)
        {
            let message = format!("nothing waits for the promises in `{}`", name.name);
            let hint = match self.quote(list.span) {
                Some(text) => format!("Write `await Promise.all({text})`."),
                None => format!("Write `await Promise.all({})` below it.", name.name),
            };
            self.report(Code::UnawaitedResult, name.span, message, hint);
        }
    }

    fn condition(&mut self, test: &'a Expr) {
        self.used(test, "which is always true in a condition");
    }

    /// A statement that is nothing but a call.
    fn floating(&mut self, expr: &'a Expr) {
        let ExprKind::Call { callee, args, .. } = &without_parentheses(expr).kind else {
            return;
        };
        let what = match &without_parentheses(callee).kind {
            ExprKind::Name(name) => name.name.clone(),
            ExprKind::Member { object, name, .. } => match self.facts.names.builtin(object) {
                Some(builtin) if builtin.name == "Promise" => return,
                Some(builtin) => format!("{}.{}", builtin.name, name.name),
                None => {
                    if name.name == "map" && self.facts.promises(expr, 0) {
                        let text = self.quote_or(expr.span, "…");
                        let hint = format!("Write `await Promise.all({text})`.");
                        let message = "nothing waits for these promises";
                        self.report(Code::UnawaitedResult, expr.span, message, hint);
                    }
                    return;
                }
            },
            _ => return,
        };
        if self.facts.called(callee, args, 0).is_none() {
            return;
        }
        let waits = host::called(self.facts.names, callee).is_some_and(|call| call.waits);
        let hint = if waits {
            "Write `await` in front of it.".to_owned()
        } else if let Some(kind) = what.strip_suffix(".run") {
            format!(
                "Write `await` in front of it; or `void {kind}.try(…)`, if neither its result nor \
                 its failure matters."
            )
        } else if what.ends_with(".try") {
            "Write `await` in front of it; or `void`, if neither its result nor its failure matters."
                .to_owned()
        } else {
            "Write `await` in front of it; or `void`, if nobody needs its result: its failure \
             then fails the workflow."
                .to_owned()
        };
        let message = format!("nothing waits for `{what}`");
        self.report(Code::UnawaitedResult, expr.span, message, hint);
    }

    /// `items.forEach(async …)` and the like.
    fn callback(&mut self, object: &'a Expr, method: &str, span: Span, args: &'a [Element]) {
        let Some(first) = args.first().filter(|first| !first.spread) else {
            return;
        };
        let is_async = self.facts.is_async_function(&first.value);
        if self.facts.names.builtin(object).is_some()
            || !self.facts.returns_promises(&first.value).0
        {
            return;
        }
        let list = self.quote_or(object.span, "list");
        let item = match &without_parentheses(&first.value).kind {
            ExprKind::Function(function) => function.params.first(),
            _ => None,
        };
        let item = item.map_or_else(
            || "item".to_owned(),
            |item| self.quote_or(item.target.span, "item"),
        );
        if method == "forEach" {
            let hint = format!(
                "Write `for (const {item} of {list}) {{ … }}` for one after the other, or \
                 `await Promise.all({list}.map(async ({item}) => {{ … }}))` for all at once."
            );
            let message = if is_async {
                "`forEach` does not wait for async functions"
            } else {
                "`forEach` does not wait for the promises that the function gives"
            };
            self.report(Code::AsyncCallback, span, message, hint);
        } else if ANSWERED.contains(&method) {
            let hint = format!(
                "Await first: `const answers = await Promise.all({list}.map(async ({item}) => \
                 …))`."
            );
            let message = if is_async {
                format!(
                    "`{method}` does not wait for async functions: it sees a promise, not its answer"
                )
            } else if matches!(method, "sort" | "toSorted") {
                format!(
                    "`{method}` does not wait: the function gives a promise, which is no number"
                )
            } else {
                format!(
                    "`{method}` does not wait: the function gives a promise, which is always true"
                )
            };
            self.report(Code::AsyncCallback, span, message, hint);
        }
    }

    /// `Promise.all(a, b)`
    fn join(&mut self, method: &str, span: Span, args: &'a [Element]) {
        let spread = args.iter().any(|arg| arg.spread);
        let single = args
            .first()
            .is_some_and(|first| self.facts.promise(&first.value).is_some());
        if args.len() < 2 && !spread && !single {
            return;
        }
        let between = match (args.first(), args.last()) {
            (Some(first), Some(last)) => {
                let spread = if first.spread { "..." } else { "" };
                let text = self.quote_or(first.value.span.to(last.value.span), "…");
                format!("{spread}{text}")
            }
            _ => String::new(),
        };
        let hint = format!("Write `Promise.{method}([{between}])`.");
        let message = format!("`Promise.{method}` takes one list of promises");
        self.report(Code::PromiseList, span, message, hint);
    }

    fn call(&mut self, expr: &'a Expr, callee: &'a Expr, args: &'a [Element]) {
        for arg in args.iter().filter(|arg| arg.spread) {
            self.used(&arg.value, "which cannot be spread");
        }
        let path = match &without_parentheses(callee).kind {
            ExprKind::Name(_) => self
                .facts
                .names
                .builtin(callee)
                .map(|name| name.name.clone()),
            ExprKind::Member { object, name, .. } => match self.facts.names.builtin(object) {
                Some(builtin) => {
                    if builtin.name == "Promise" && JOINS.contains(&name.name.as_str()) {
                        self.join(&name.name, expr.span, args);
                    }
                    Some(format!("{}.{}", builtin.name, name.name))
                }
                None => {
                    self.callback(object, &name.name, name.span, args);
                    if name.name == "join" {
                        self.list_used(object, "which would be written as [object Promise]");
                    }
                    None
                }
            },
            _ => None,
        };
        let Some(path) = path else { return };
        if READERS.contains(&path.as_str()) {
            for arg in args.iter().filter(|arg| !arg.spread) {
                self.data(&arg.value, "and its value is needed here");
            }
        } else if host::called(self.facts.names, callee).is_some() {
            for arg in args.iter().skip(1).filter(|arg| !arg.spread) {
                self.data(&arg.value, "and only data can be passed here");
            }
        }
    }

    fn member(&mut self, object: &'a Expr, name: &str, span: Span) {
        if OF_PROMISE.contains(&name) {
            return;
        }
        if let Some(why) = self.facts.promise(object) {
            let text = self.quote_or(without_parentheses(object).span, "…");
            let hint = format!("Write `(await {text}).{name}`.");
            let message = format!("{why}, which has no `{name}`");
            self.report(Code::ForgottenAwait, span, message, hint);
        }
    }

    fn element(&mut self, object: &'a Expr) {
        if let Some(why) = self.facts.promise(object) {
            let text = self.quote_or(without_parentheses(object).span, "…");
            let message = format!("{why}, which has no elements");
            let hint = format!("Write `(await {text})[…]`.");
            self.report(Code::ForgottenAwait, object.span, message, hint);
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr) {
        let equality = matches!(
            op,
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::StrictEq | BinaryOp::StrictNe
        );
        match op {
            BinaryOp::Instanceof => return,
            BinaryOp::In => return self.used(right, "which has no such property"),
            // Two promises can be the same.
            _ if equality
                && self.facts.promise(left).is_some()
                && self.facts.promise(right).is_some() =>
            {
                return;
            }
            _ => {}
        }
        let how = if equality {
            "which is equal to no other value"
        } else {
            "which is no operand"
        };
        self.used(left, how);
        self.used(right, how);
    }

    fn destructured(&mut self, target: &'a Pattern, value: &'a Expr) {
        if !matches!(target.kind, PatternKind::Name(_) | PatternKind::Path(_)) {
            self.used(value, "which cannot be taken apart");
        }
    }

    fn returned(&mut self, value: &'a Expr) {
        if self.guarded
            && let Some(why) = self.facts.promise(value)
        {
            let text = self.quote_or(value.span, "…");
            let message = format!("{why}, so this `try` is left before it fails");
            let hint = format!("Write `return await {text}`.");
            self.report(Code::ReturnInTry, value.span, message, hint);
        } else if self.in_main && self.facts.promises(value, 0) {
            let text = self.quote_or(value.span, "…");
            let message = "the result of the workflow would hold promises, not their values";
            let hint = format!("Write `return await Promise.all({text})`.");
            self.report(Code::AwaitOfArray, value.span, message, hint);
        } else if self.in_main
            && let ExprKind::Object(_) = without_parentheses(value).kind
        {
            self.data(value, "and the result of a workflow is data");
        }
    }

    fn tried(&mut self, body: &'a [Stmt], guarded: bool) {
        let outer = self.guarded;
        self.guarded |= guarded;
        self.list(body);
        self.guarded = outer;
    }
}

impl<'a> Visitor<'a> for Promises<'a, '_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::Expr(expr) => self.floating(expr),
            StmtKind::Return(Some(value)) => self.returned(value),
            StmtKind::If { test, .. }
            | StmtKind::While { test, .. }
            | StmtKind::DoWhile { test, .. } => self.condition(test),
            StmtKind::For {
                test: Some(test), ..
            } => self.condition(test),
            StmtKind::ForOf { left, right, .. } => {
                self.used(right, "which cannot be iterated");
                if let ForLeft::Declare { target, .. } = left
                    && !matches!(target.kind, PatternKind::Name(_))
                    && self.facts.promises(right, 0)
                {
                    let text = self.quote_or(right.span, "…");
                    let message = "each of these is a promise, which cannot be taken apart";
                    let hint = format!("Write `await Promise.all({text})`.");
                    self.report(Code::ForgottenAwait, right.span, message, hint);
                }
            }
            StmtKind::Switch { value, .. } => self.used(value, "which is equal to no case"),
            StmtKind::Try {
                block,
                handler,
                finalizer,
            } => {
                self.tried(block, true);
                if let Some(handler) = handler {
                    if let Some(param) = &handler.param {
                        self.pattern(param);
                    }
                    self.tried(&handler.body, finalizer.is_some());
                }
                if let Some(finalizer) = finalizer {
                    self.tried(finalizer, false);
                }
                return;
            }
            _ => {}
        }
        walk::walk_stmt(self, stmt);
    }

    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            if let Some(init) = &part.init {
                self.destructured(&part.target, init);
                self.unawaited_list(&part.target, init);
            }
        }
        walk::walk_declare(self, declare);
    }

    fn function(&mut self, function: &'a Function) {
        let outer = (self.guarded, self.in_main);
        (self.guarded, self.in_main) = (false, false);
        walk::walk_function(self, function);
        (self.guarded, self.in_main) = outer;
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Await(value) if self.facts.promises(value, 0) => {
                let text = self.quote_or(value.span, "…");
                let message = "`await` does not wait for the promises in an array";
                let hint = format!("Write `await Promise.all({text})`.");
                self.report(Code::AwaitOfArray, expr.span, message, hint);
            }
            ExprKind::Member { object, name, .. } => self.member(object, &name.name, name.span),
            ExprKind::Index { object, .. } => self.element(object),
            ExprKind::Call { callee, args, .. } => self.call(expr, callee, args),
            ExprKind::Binary {
                op, left, right, ..
            } => self.binary(*op, left, right),
            ExprKind::Logical { op, left, .. } => {
                let how = match op {
                    LogicalOp::Nullish => "which is never null or undefined",
                    _ => "which is always true in a condition",
                };
                self.used(left, how);
            }
            ExprKind::Conditional { test, .. } => self.condition(test),
            ExprKind::Unary {
                op: UnaryOp::Not | UnaryOp::Minus | UnaryOp::Plus | UnaryOp::BitNot,
                value,
            } => self.used(value, "which is no operand"),
            ExprKind::Template { exprs, .. } => {
                for value in exprs {
                    self.used(value, "which would be written as [object Promise]");
                    self.list_used(value, "which would be written as [object Promise]");
                }
            }
            ExprKind::Array(items) => {
                for item in items.iter().flatten().filter(|item| item.spread) {
                    self.used(&item.value, "which cannot be spread");
                }
            }
            ExprKind::Object(props) => {
                for prop in props {
                    if let Prop::Spread(value) = prop {
                        self.used(value, "which has no properties to spread");
                    }
                }
            }
            ExprKind::Assign { target, value } => self.destructured(target, value),
            ExprKind::Compound {
                value,
                op: CompoundOp::Binary(_),
                ..
            } => self.used(value, "which is no operand"),
            _ => {}
        }
        walk::walk_expr(self, expr);
    }
}
