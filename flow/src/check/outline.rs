//! What a workflow may do, as a tree in the order of its text: tasks, children, signals, mutexes, timers and SQL that it may reach, where it may wait,
//! and the loops, branches and functions around them. Made from the text alone; text forms of it are `diagram`.

use super::host::{self, is_sql, without_parentheses};
use super::scope::{self, Names};
use super::walk::{self, Visitor};
use crate::ast::{
    Case, Catch, Declare, Element, Expr, ExprKind, ForInit, Function, Pattern, PatternKind, Stmt,
    StmtKind,
};
use crate::parse;
use crate::source::{Source, Span};

/// What a part of an outline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutlineKind {
    /// The whole workflow.
    Workflow,
    /// A function; what is in it happens at each of its calls.
    Function,
    /// A loop, or a function that is called for each element.
    Loop,
    /// What happens in some runs only: a branch, a case, a `catch`, a `finally`.
    Branch,
    /// A task is started.
    Task,
    /// A child workflow is started.
    Child,
    /// A signal or request is awaited.
    Signal,
    /// A mutex is acquired.
    Mutex,
    /// A timer is started.
    Timer,
    /// SQL runs, within the step.
    Sql,
    /// A function of the workflow is called that does any of this.
    Call,
    /// Something is awaited that was started elsewhere.
    Await,
}

impl OutlineKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Function => "function",
            Self::Loop => "loop",
            Self::Branch => "branch",
            Self::Task => "task",
            Self::Child => "child",
            Self::Signal => "signal",
            Self::Mutex => "mutex",
            Self::Timer => "timer",
            Self::Sql => "sql",
            Self::Call => "call",
            Self::Await => "await",
        }
    }
}

/// A part of an outline with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineNode {
    /// What it is.
    pub kind: OutlineKind,
    /// Its name where that is written out, else the text that stands for it.
    pub name: String,
    /// Where it stands, from 1.
    pub line: u32,
    /// Where it stands, from 1.
    pub column: u32,
    /// Whether a run may wait there: its state is saved then.
    pub waits: bool,
    /// How often it happens at most in one call of the function around it; none: that is not bounded by the text.
    pub times: Option<u64>,
    /// What is in it.
    pub children: Vec<Self>,
}

/// The outline of a source; of one with errors as far as it can be read.
#[must_use]
pub fn outline(source: &Source, name: &str) -> OutlineNode {
    let (script, _) = parse::parse(source);
    let mut found = Vec::new();
    let names = scope::resolve(&script, source, &mut found);
    let mut outliner = Outliner {
        source,
        names: &names,
        open: Vec::new(),
        times: vec![Some(1)],
        awaited: None,
        named: None,
        functions: Vec::new(),
    };
    let root = outliner.node(OutlineKind::Workflow, name.to_owned(), 0);
    outliner.open.push(root);
    outliner.list(&script.body);
    let functions = std::mem::take(&mut outliner.functions);
    let mut root = outliner.open.swap_remove(0);
    drop_idle_calls(&mut root, &functions);
    root
}

/// The words of a name that is no literal.
const MOST_LETTERS: usize = 60;

struct Outliner<'n> {
    source: &'n Source,
    names: &'n Names,
    open: Vec<OutlineNode>,
    /// How often what comes now happens, for each open function.
    times: Vec<Option<u64>>,
    /// The expression that an `await` stands in front of.
    awaited: Option<Span>,
    /// The variable that a function expression becomes.
    named: Option<String>,
    /// The names of functions that are in the outline.
    functions: Vec<String>,
}

impl Outliner<'_> {
    fn node(&self, kind: OutlineKind, name: String, start: u32) -> OutlineNode {
        let position = self.source.position(start);
        OutlineNode {
            kind,
            name,
            line: position.line,
            column: position.column,
            waits: false,
            times: self.times.last().copied().flatten(),
            children: Vec::new(),
        }
    }

    fn add(&mut self, node: OutlineNode) {
        if let Some(open) = self.open.last_mut() {
            open.children.push(node);
        }
    }

    /// Adds what is in there, if there is anything.
    fn inside(
        &mut self,
        kind: OutlineKind,
        name: String,
        start: u32,
        body: impl FnOnce(&mut Self),
    ) {
        let node = self.node(kind, name, start);
        self.open.push(node);
        body(self);
        if let Some(node) = self.open.pop()
            && !node.children.is_empty()
        {
            if kind == OutlineKind::Function {
                self.functions.push(node.name.clone());
            }
            self.add(node);
        }
    }

    /// A loop with at most so many turns.
    fn turns(&mut self, name: String, start: u32, most: Option<u64>, body: impl FnOnce(&mut Self)) {
        let around = self.times.last().copied().flatten();
        let all = around.zip(most).and_then(|(a, b)| a.checked_mul(b));
        self.times.push(all);
        self.inside(OutlineKind::Loop, name, start, body);
        self.times.pop();
    }

    /// The text of a part, on one line.
    fn text(&self, span: Span) -> String {
        let words: Vec<&str> = self.source.slice(span).split_whitespace().collect();
        let text = words.join(" ");
        match text.char_indices().nth(MOST_LETTERS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    /// The text of a first argument: what it says if it is a literal.
    fn first(&self, args: &[Element]) -> String {
        let Some(first) = args.first() else {
            return String::new();
        };
        match &without_parentheses(&first.value).kind {
            ExprKind::Template { strings, exprs } if exprs.is_empty() => {
                start_of(&strings.concat())
            }
            ExprKind::String(units) => start_of(units),
            _ => self.text(first.value.span),
        }
    }

    /// What a call of the host is in the outline.
    fn host_call(&self, callee: &Expr, args: &[Element], awaited: bool) -> Option<OutlineNode> {
        let call = host::called(self.names, callee)?;
        let kind = match call.path {
            "Task.cancel" => return None,
            path if path.starts_with("Task.") => OutlineKind::Task,
            path if path.starts_with("Workflow.") => OutlineKind::Child,
            path if path.starts_with("Signal.") => OutlineKind::Signal,
            "Mutex.acquire" => OutlineKind::Mutex,
            path if path == "sleep" || path.starts_with("Timer.") => OutlineKind::Timer,
            _ if is_sql(call) => OutlineKind::Sql,
            _ => return None,
        };
        let mut node = self.node(kind, self.first(args), callee.span.start);
        node.waits = awaited && kind != OutlineKind::Sql;
        Some(node)
    }

    fn callback(&mut self, callee: &Expr, args: &[Element]) -> bool {
        const EACH: &[&str] = &[
            "map",
            "forEach",
            "filter",
            "flatMap",
            "reduce",
            "some",
            "every",
            "find",
            "findIndex",
            "sort",
            "from",
        ];
        let ExprKind::Member { object, name, .. } = &without_parentheses(callee).kind else {
            return false;
        };
        let is_function = |arg: &Element| {
            matches!(&arg.value.kind, ExprKind::Function(_)) || self.own(&arg.value).is_some()
        };
        if !EACH.contains(&name.name.as_str()) || !args.iter().any(is_function) {
            return false;
        }
        self.expr(object);
        let most = length(object);
        let title = format!("{}.{}", self.text(object.span), name.name);
        for arg in args {
            match &arg.value.kind {
                ExprKind::Function(function) => {
                    let start = arg.value.span.start;
                    self.turns(title.clone(), start, most, |this| {
                        walk::walk_function(this, function);
                    });
                }
                _ => {
                    let start = arg.value.span.start;
                    self.expr(&arg.value);
                    if let Some(name) = self.own(&arg.value) {
                        self.turns(title.clone(), start, most, |this| {
                            let node = this.node(OutlineKind::Call, name, start);
                            this.add(node);
                        });
                    }
                }
            }
        }
        true
    }
}

/// How many elements a list has that is written out.
fn length(expr: &Expr) -> Option<u64> {
    match &without_parentheses(expr).kind {
        ExprKind::Array(items) => {
            let is_plain = |item: &Option<Element>| item.as_ref().is_none_or(|item| !item.spread);
            items.iter().all(is_plain).then_some(items.len() as u64)
        }
        _ => None,
    }
}

impl<'a> Visitor<'a> for Outliner<'_> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        let start = stmt.span.start;
        match &stmt.kind {
            StmtKind::If {
                test,
                then,
                otherwise,
            } => {
                self.expr(test);
                let name = format!("if ({})", self.text(test.span));
                self.inside(OutlineKind::Branch, name, start, |this| this.stmt(then));
                if let Some(otherwise) = otherwise {
                    let start = otherwise.span.start;
                    self.inside(OutlineKind::Branch, "else".to_owned(), start, |this| {
                        this.stmt(otherwise);
                    });
                }
            }
            StmtKind::While { test, .. } | StmtKind::DoWhile { test, .. } => {
                let name = format!("while ({})", self.text(test.span));
                self.turns(name, start, None, |this| walk::walk_stmt(this, stmt));
            }
            StmtKind::For { test, .. } => {
                let test = test
                    .as_ref()
                    .map_or(String::new(), |test| self.text(test.span));
                let most = counted(stmt);
                let name = format!("for ({test})");
                self.turns(name, start, most, |this| walk::walk_stmt(this, stmt));
            }
            StmtKind::ForOf { right, .. } | StmtKind::ForIn { right, .. } => {
                let name = format!("for each of {}", self.text(right.span));
                self.turns(name, start, length(right), |this| {
                    walk::walk_stmt(this, stmt);
                });
            }
            StmtKind::Try {
                block,
                handler,
                finalizer,
            } => {
                self.list(block);
                if let Some(handler) = handler {
                    let start = handler.body.first().map_or(start, |stmt| stmt.span.start);
                    self.inside(OutlineKind::Branch, "catch".to_owned(), start, |this| {
                        this.catch(handler);
                    });
                }
                if let Some(finalizer) = finalizer {
                    let start = finalizer.first().map_or(start, |stmt| stmt.span.start);
                    self.inside(OutlineKind::Branch, "finally".to_owned(), start, |this| {
                        this.list(finalizer);
                    });
                }
            }
            _ => walk::walk_stmt(self, stmt),
        }
    }

    fn cases(&mut self, cases: &'a [Case]) {
        for case in cases {
            if let Some(test) = &case.test {
                self.expr(test);
            }
            let name = match &case.test {
                Some(test) => format!("case {}", self.text(test.span)),
                None => "default".to_owned(),
            };
            let start = case.span.start;
            self.inside(OutlineKind::Branch, name, start, |this| {
                this.list(&case.body);
            });
        }
    }

    fn catch(&mut self, catch: &'a Catch) {
        self.list(&catch.body);
    }

    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            if let (Some(init), PatternKind::Name(name)) = (&part.init, &part.target.kind)
                && matches!(init.kind, ExprKind::Function(_))
            {
                self.named = Some(name.name.clone());
            }
            if let Some(init) = &part.init {
                self.expr(init);
            }
            self.named = None;
            self.pattern(&part.target);
        }
    }

    fn function(&mut self, function: &'a Function) {
        let named = self.named.take();
        let own = function.name.as_ref().map(|name| name.name.clone());
        let name = own.or(named).unwrap_or_else(|| "(anonymous)".to_owned());
        self.times.push(Some(1));
        self.inside(OutlineKind::Function, name, function.span.start, |this| {
            walk::walk_function(this, function);
        });
        self.times.pop();
    }

    fn expr(&mut self, expr: &'a Expr) {
        let awaited = self.awaited.take() == Some(expr.span);
        match &expr.kind {
            ExprKind::Await(value) => {
                let value = without_parentheses(value);
                self.awaited = Some(value.span);
                let is_told = match &value.kind {
                    ExprKind::Call { callee, args, .. } => {
                        host::called(self.names, callee).is_some_and(|call| {
                            is_sql(call) || self.host_call(callee, args, true).is_some()
                        }) || self.own(callee).is_some()
                    }
                    _ => false,
                };
                self.expr(value);
                self.awaited = None;
                if !is_told {
                    let name = match &value.kind {
                        ExprKind::Call { callee, .. } => self.text(callee.span),
                        _ => self.text(value.span),
                    };
                    let mut node = self.node(OutlineKind::Await, name, expr.span.start);
                    node.waits = true;
                    self.add(node);
                }
            }
            ExprKind::Call { callee, args, .. } => {
                if self.callback(callee, args) {
                    return;
                }
                walk::walk_expr(self, expr);
                if let Some(node) = self.host_call(callee, args, awaited) {
                    self.add(node);
                } else if let Some(name) = self.own(callee) {
                    let mut node = self.node(OutlineKind::Call, name, callee.span.start);
                    node.waits = awaited;
                    self.add(node);
                }
            }
            _ => walk::walk_expr(self, expr),
        }
    }
}

impl Outliner<'_> {
    /// The workflow's own function that a callee names.
    fn own(&self, callee: &Expr) -> Option<String> {
        match &without_parentheses(callee).kind {
            ExprKind::Name(name) if self.names.binding(name).is_some() => Some(name.name.clone()),
            _ => None,
        }
    }
}

/// How many turns `for (let i = 0; i < 3; i++)` has: numbers written out, and nothing else that writes to `i`.
fn counted(stmt: &Stmt) -> Option<u64> {
    let StmtKind::For {
        init: Some(ForInit::Declare(declare)),
        before,
        test: Some(test),
        update,
        body,
    } = &stmt.kind
    else {
        return None;
    };
    let ([part], [update], []) = (&declare.parts[..], &update[..], &before[..]) else {
        return None;
    };
    let PatternKind::Name(name) = &part.target.kind else {
        return None;
    };
    let first = number(part.init.as_ref()?)?;
    let ExprKind::Binary {
        op, left, right, ..
    } = &without_parentheses(test).kind
    else {
        return None;
    };
    let last = number(right)?;
    let is_it = |expr: &Expr| matches!(&expr.kind, ExprKind::Name(it) if it.name == name.name);
    let counts = match &update.kind {
        ExprKind::Update {
            increment: true,
            target,
            ..
        } => matches!(&target.kind, PatternKind::Name(it) if it.name == name.name),
        _ => false,
    };
    let mut writes = Writes {
        name: &name.name,
        found: false,
    };
    writes.stmt(body);
    let turns = match op {
        crate::ast::BinaryOp::Lt => last - first,
        crate::ast::BinaryOp::Le => last - first + 1.0,
        _ => return None,
    };
    (is_it(left) && counts && !writes.found && turns.abs() < 1e15)
        .then(|| turns.ceil().max(0.0) as u64)
}

fn number(expr: &Expr) -> Option<f64> {
    match &without_parentheses(expr).kind {
        ExprKind::Number(number) => Some(*number),
        _ => None,
    }
}

/// Whether a name is written to, or declared anew, which is no matter.
struct Writes<'n> {
    name: &'n str,
    found: bool,
}

impl<'a> Visitor<'a> for Writes<'_> {
    fn pattern(&mut self, pattern: &'a Pattern) {
        if matches!(&pattern.kind, PatternKind::Name(it) if it.name == self.name) {
            self.found = true;
        }
        walk::walk_pattern(self, pattern);
    }
}

/// Calls of functions in which nothing of interest happens are left out, and what is empty then.
fn drop_idle_calls(node: &mut OutlineNode, functions: &[String]) {
    node.children.retain_mut(|child| {
        drop_idle_calls(child, functions);
        match child.kind {
            OutlineKind::Call => child.waits || functions.contains(&child.name),
            OutlineKind::Function | OutlineKind::Loop | OutlineKind::Branch => {
                !child.children.is_empty()
            }
            _ => true,
        }
    });
}

/// The beginning of a string that is written out, on one line.
fn start_of(units: &[u16]) -> String {
    let text = String::from_utf16_lossy(units);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MOST_LETTERS * 2).collect()
}
