//! Lists of promises: what an element of one is, and whether anybody waits for them.

use super::super::host::without_parentheses;
use super::super::walk::{self, Visitor};
use super::facts::{Facts, MAX_STEPS};
use crate::ast::{
    Element, Expr, ExprKind, Function, FunctionBody, Pattern, PatternKind, Stmt, StmtKind,
};

/// Methods whose function gets an element as its first parameter.
const EACH: [&str; 10] = [
    "map",
    "flatMap",
    "forEach",
    "filter",
    "some",
    "every",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
];

/// Methods that may put something else into a list.
const CHANGES: [&str; 5] = ["push", "unshift", "splice", "fill", "copyWithin"];

/// Methods that give an element of a list, and nothing that depends on more.
const PICKS: [&str; 3] = ["at", "pop", "shift"];

/// How a constant is used.
#[derive(Clone, Copy, Default)]
pub(super) struct Uses {
    all: u32,
    /// Of these, as `list.length`.
    lengths: u32,
}

impl<'a> Facts<'a, '_> {
    /// What a call says of the lists and functions in it.
    pub(super) fn learn_from_call(&mut self, callee: &'a Expr, args: &'a [Element]) {
        let ExprKind::Member { object, name, .. } = &callee.kind else {
            return;
        };
        let method = name.name.as_str();
        if CHANGES.contains(&method) {
            self.change(object);
        }
        let number = match method {
            "reduce" | "reduceRight" => 1,
            _ if EACH.contains(&method) => 0,
            _ => return,
        };
        if self.names.builtin(object).is_none()
            && let Some(first) = args.first().filter(|first| !first.spread)
            && let ExprKind::Function(function) = &without_parentheses(&first.value).kind
            && let Some(item) = function.params.get(number)
            && item.default.is_none()
        {
            self.learn_element(&item.target, object);
        }
    }

    /// A variable stands for each element of a list.
    pub(super) fn learn_element(&mut self, target: &'a Pattern, list: &'a Expr) {
        if let PatternKind::Name(name) = &target.kind
            && let Some(binding) = self.names.binding(name)
            && self.names.is_fixed(binding)
        {
            self.elements.insert(binding, list);
        }
    }

    /// `const [first, second] = list`
    pub(super) fn learn_elements(&mut self, target: &'a Pattern, list: &'a Expr) {
        if let PatternKind::Array { items, .. } = &target.kind {
            for item in items.iter().flatten().filter(|item| item.default.is_none()) {
                self.learn_element(&item.target, list);
            }
        }
    }

    /// Something may be put into a list.
    pub(super) fn change(&mut self, list: &'a Expr) {
        if let Some(binding) = self.binding_of(list) {
            self.changed.insert(binding);
        }
    }

    pub(super) fn learn_use(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Name(name) => {
                if let Some(binding) = self.names.binding(name) {
                    self.uses.entry(binding).or_default().all += 1;
                }
            }
            ExprKind::Member { object, name, .. } if name.name == "length" => {
                if let Some(binding) = self.binding_of(object) {
                    self.uses.entry(binding).or_default().lengths += 1;
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_changed(&self, list: &Expr) -> bool {
        let binding = self.binding_of(list);
        binding.is_some_and(|binding| self.changed.contains(&binding))
    }

    fn binding_of(&self, expr: &Expr) -> Option<usize> {
        match &without_parentheses(expr).kind {
            ExprKind::Name(name) => self.names.binding(name),
            _ => None,
        }
    }

    /// Whether a list is used for nothing but its length.
    pub(super) fn is_only_counted(&self, binding: usize) -> bool {
        let uses = self.uses.get(&binding).copied().unwrap_or_default();
        uses.all == uses.lengths
    }

    /// Whether each element of a list is a promise for certain.
    pub(super) fn each_is_promise(&self, list: &'a Expr, steps: u32) -> bool {
        if steps > MAX_STEPS {
            return false;
        }
        match &without_parentheses(list).kind {
            ExprKind::Name(name) => {
                let Some(binding) = self.names.binding(name) else {
                    return false;
                };
                let Some(value) = self.values.get(&binding) else {
                    return false;
                };
                if let Some(known) = self.lists.borrow().get(&binding) {
                    return *known;
                }
                // Each list is looked at once, and none through itself.
                self.lists.borrow_mut().insert(binding, false);
                let known =
                    !self.changed.contains(&binding) && self.each_is_promise(value, steps + 1);
                self.lists.borrow_mut().insert(binding, known);
                known
            }
            ExprKind::Array(items) => {
                !items.is_empty()
                    && items.iter().all(|item| {
                        item.as_ref().is_some_and(|item| {
                            !item.spread && self.promise_from(&item.value, steps + 1).is_some()
                        })
                    })
            }
            ExprKind::Call {
                callee,
                args,
                optional: false,
            } => {
                let ExprKind::Member { object, name, .. } = &callee.kind else {
                    return false;
                };
                match (name.name.as_str(), args.first()) {
                    ("map", Some(first)) if !first.spread => self.returns_promises(&first.value).1,
                    ("slice" | "filter" | "toReversed", _) => {
                        self.names.builtin(object).is_none()
                            && self.each_is_promise(object, steps + 1)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// What picks an element out of a list of promises, as the subject of a message.
    pub(super) fn element(&self, list: &'a Expr, steps: u32) -> Option<String> {
        self.each_is_promise(list, steps + 1)
            .then(|| match &without_parentheses(list).kind {
                ExprKind::Name(name) => format!("an element of `{}` is a promise", name.name),
                _ => "an element of this list is a promise".to_owned(),
            })
    }

    /// `list.at(0)`
    pub(super) fn picked(&self, object: &'a Expr, method: &str, steps: u32) -> Option<String> {
        if PICKS.contains(&method) {
            self.element(object, steps)
        } else {
            None
        }
    }

    /// Whether a function gives promises: at some `return`, and wherever it returns.
    pub(super) fn returns_promises(&self, expr: &'a Expr) -> (bool, bool) {
        let function = match &without_parentheses(expr).kind {
            ExprKind::Function(function) => function,
            ExprKind::Name(name) => {
                let binding = self.names.binding(name);
                match binding.and_then(|binding| self.functions.get(&binding)) {
                    Some(function) => *function,
                    None => return (false, false),
                }
            }
            _ => return (false, false),
        };
        if function.is_async {
            return (true, true);
        }
        let place = function.span.start;
        if let Some(known) = self.returns.borrow().get(&place) {
            return *known;
        }
        self.returns.borrow_mut().insert(place, (false, false));
        let known = match &function.body {
            FunctionBody::Expr(value) => {
                let is_promise = self.promise(value).is_some();
                (is_promise, is_promise)
            }
            FunctionBody::Block(body) => {
                let mut returned = Returned(Vec::new());
                returned.list(body);
                let values = returned.0;
                let promise = |value: &Option<&'a Expr>| {
                    value.is_some_and(|value| self.promise(value).is_some())
                };
                let some = values.iter().any(promise);
                (some, some && values.iter().all(promise))
            }
        };
        self.returns.borrow_mut().insert(place, known);
        known
    }
}

/// What a function returns, not the functions in it.
struct Returned<'a>(Vec<Option<&'a Expr>>);

impl<'a> Visitor<'a> for Returned<'a> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        if let StmtKind::Return(value) = &stmt.kind {
            self.0.push(value.as_ref());
        }
        walk::walk_stmt(self, stmt);
    }

    fn function(&mut self, _function: &'a Function) {}
}
