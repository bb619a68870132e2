//! Which expressions are promises for certain.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::super::host::{self, without_parentheses};
use super::super::scope::Names;
use super::super::walk::{self, Visitor};
use super::lists::Uses;
use crate::ast::{
    Declare, Element, Expr, ExprKind, ForLeft, Function, Pattern, PatternKind, Script, Stmt,
    StmtKind,
};

/// Members that a promise has.
pub(super) const OF_PROMISE: [&str; 3] = ["then", "catch", "finally"];

/// What makes one promise of a list of them.
pub(super) const JOINS: [&str; 4] = ["all", "allSettled", "any", "race"];

/// How far constants are followed, one to the next.
pub(super) const MAX_STEPS: u32 = 8;

/// What the program's own names stand for: collected first, since functions are hoisted.
pub(super) struct Facts<'a, 'n> {
    pub(super) names: &'n Names,
    /// Constants with their values.
    pub(super) values: HashMap<usize, &'a Expr>,
    /// Functions.
    pub(super) functions: HashMap<usize, &'a Function>,
    /// Variables that stand for each element of a list, with the list.
    pub(super) elements: HashMap<usize, &'a Expr>,
    /// Lists into which something may be put later.
    pub(super) changed: HashSet<usize>,
    pub(super) uses: HashMap<usize, Uses>,
    /// Lists that were looked at, and whether each element is a promise.
    pub(super) lists: RefCell<HashMap<usize, bool>>,
    /// Functions that were looked at, by their place, and whether they return promises somewhere and everywhere.
    pub(super) returns: RefCell<HashMap<u32, (bool, bool)>>,
}

impl<'a> Visitor<'a> for Facts<'a, '_> {
    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            if let (PatternKind::Name(name), Some(init)) = (&part.target.kind, &part.init)
                && let Some(binding) = self.names.binding(name)
                && self.names.is_fixed(binding)
            {
                if let ExprKind::Function(function) = &without_parentheses(init).kind {
                    self.functions.insert(binding, function);
                }
                self.values.insert(binding, init);
            }
            if let Some(init) = &part.init {
                self.learn_elements(&part.target, init);
            }
        }
        walk::walk_declare(self, declare);
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        if let StmtKind::Function(function) = &stmt.kind
            && let Some(name) = &function.name
            && let Some(binding) = self.names.binding(name)
            && self.names.is_fixed(binding)
        {
            self.functions.insert(binding, function);
        }
        if let StmtKind::ForOf {
            left: ForLeft::Declare { target, .. },
            right,
            ..
        } = &stmt.kind
        {
            self.learn_element(target, right);
        }
        walk::walk_stmt(self, stmt);
    }

    fn expr(&mut self, expr: &'a Expr) {
        self.learn_use(expr);
        if let ExprKind::Call { callee, args, .. } = &expr.kind {
            self.learn_from_call(callee, args);
        }
        walk::walk_expr(self, expr);
    }

    fn pattern(&mut self, pattern: &'a Pattern) {
        if let PatternKind::Path(path) = &pattern.kind
            && let ExprKind::Index { object, .. } = &path.kind
        {
            self.change(object);
        }
        walk::walk_pattern(self, pattern);
    }
}

/// Why an expression is a promise, as the subject of a message.
pub(super) type Why = String;

impl<'a, 'n> Facts<'a, 'n> {
    pub(super) fn of(script: &'a Script, names: &'n Names) -> Self {
        let mut facts = Self {
            names,
            values: HashMap::new(),
            functions: HashMap::new(),
            elements: HashMap::new(),
            changed: HashSet::new(),
            uses: HashMap::new(),
            lists: RefCell::default(),
            returns: RefCell::default(),
        };
        facts.list(&script.body);
        facts
    }

    pub(super) fn promise(&self, expr: &'a Expr) -> Option<Why> {
        self.promise_from(expr, 0)
    }

    pub(super) fn promise_from(&self, expr: &'a Expr, steps: u32) -> Option<Why> {
        if steps > MAX_STEPS {
            return None;
        }
        match &without_parentheses(expr).kind {
            ExprKind::Name(name) => {
                let binding = self.names.binding(name)?;
                if let Some(list) = self.elements.get(&binding) {
                    self.element(list, steps)?;
                } else {
                    self.promise_from(self.values.get(&binding)?, steps + 1)?;
                }
                Some(format!("`{}` is a promise", name.name))
            }
            ExprKind::Index {
                object,
                index,
                optional: false,
            } if !matches!(index.kind, ExprKind::String(_)) => self.element(object, steps),
            ExprKind::Conditional {
                then, otherwise, ..
            } => {
                self.promise_from(otherwise, steps + 1)?;
                self.promise_from(then, steps + 1)
            }
            ExprKind::Call {
                callee,
                args,
                optional: false,
            } => self.called(callee, args, steps),
            _ => None,
        }
    }

    /// What a call gives.
    pub(super) fn called(&self, callee: &'a Expr, args: &'a [Element], steps: u32) -> Option<Why> {
        match &without_parentheses(callee).kind {
            ExprKind::Name(name) => {
                if let Some(binding) = self.names.binding(name) {
                    let function = self.functions.get(&binding)?;
                    return function
                        .is_async
                        .then(|| format!("`{}` is async: it gives a promise", name.name));
                }
                self.host(callee)
            }
            ExprKind::Function(function) => function
                .is_async
                .then(|| "an async function gives a promise".to_owned()),
            ExprKind::Member { object, name, .. } => {
                if let Some(builtin) = self.names.builtin(object) {
                    let joins = builtin.name == "Promise"
                        && (JOINS.contains(&name.name.as_str())
                            || matches!(name.name.as_str(), "resolve" | "reject"));
                    if joins {
                        return Some(format!("`Promise.{}` gives a promise", name.name));
                    }
                    return self.host(callee);
                }
                let chained = OF_PROMISE.contains(&name.name.as_str()) && !args.is_empty();
                if chained {
                    self.promise_from(object, steps + 1)
                } else {
                    self.picked(object, &name.name, steps)
                }
            }
            _ => None,
        }
    }

    fn host(&self, callee: &'a Expr) -> Option<Why> {
        let call = host::called(self.names, callee)?;
        call.promises
            .then(|| format!("`{}` gives a promise", call.path))
    }

    /// Whether a function that is given as an argument gives promises.
    pub(super) fn is_async_function(&self, expr: &'a Expr) -> bool {
        match &without_parentheses(expr).kind {
            ExprKind::Function(function) => function.is_async,
            ExprKind::Name(name) => self
                .names
                .binding(name)
                .and_then(|binding| self.functions.get(&binding))
                .is_some_and(|function| function.is_async),
            _ => false,
        }
    }

    /// Whether an expression is an array of promises for certain.
    pub(super) fn promises(&self, expr: &'a Expr, steps: u32) -> bool {
        if steps > MAX_STEPS {
            return false;
        }
        match &without_parentheses(expr).kind {
            ExprKind::Name(name) => self
                .names
                .binding(name)
                .and_then(|binding| self.values.get(&binding))
                .is_some_and(|value| self.promises(value, steps + 1)),
            ExprKind::Array(items) => items
                .iter()
                .flatten()
                .any(|item| !item.spread && self.promise(&item.value).is_some()),
            ExprKind::Call {
                callee,
                args,
                optional: false,
            } => {
                let ExprKind::Member { name, .. } = &callee.kind else {
                    return false;
                };
                let first = args.first().filter(|first| !first.spread);
                name.name == "map"
                    && first.is_some_and(|first| self.returns_promises(&first.value).0)
            }
            _ => false,
        }
    }
}
