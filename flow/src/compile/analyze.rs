//! Finds out, before any code is made, which variables closures capture and which may be used before
//! their declaration ran. Everything else lives in plain slots without checks.

use std::collections::{HashMap, HashSet};

use crate::ast::{
    Case, Catch, Declare, Element, Expr, ExprKind, ForInit, ForLeft, Function, FunctionBody, Ident,
    Pattern, PatternItem, PatternKind, Prop, PropKey, Script, Stmt, StmtKind,
};

/// What is known of declarations, by the offset of the declaring name.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// Used by an inner function.
    pub(super) captured: HashSet<u32>,
    /// May be used before it has a value.
    pub(super) early: HashSet<u32>,
}

struct Decl {
    id: u32,
    function: usize,
    /// From this offset on it has a value.
    ready: u32,
}

struct Walker<'a> {
    scopes: Vec<HashMap<&'a str, Decl>>,
    /// For each open function whether it is hoisted, and so may run before what stands above it.
    functions: Vec<bool>,
    found: Analysis,
}

/// Analyzes a script.
pub(super) fn analyze(script: &Script) -> Analysis {
    let mut walker = Walker {
        scopes: vec![HashMap::new()],
        functions: vec![false],
        found: Analysis::default(),
    };
    for (at, name) in super::func::MAIN_PARAMS.into_iter().enumerate() {
        let decl = Decl {
            id: super::func::main_param(at).span.start,
            function: 1,
            ready: 0,
        };
        walker.scopes[0].insert(name, decl);
    }
    walker.block(&script.body);
    walker.found
}

impl<'a> Walker<'a> {
    fn declare(&mut self, ident: &'a Ident, ready: u32) {
        let decl = Decl {
            id: ident.span.start,
            function: self.functions.len(),
            ready,
        };
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(&ident.name, decl);
        }
    }

    fn used(&mut self, ident: &Ident) {
        for scope in self.scopes.iter().rev() {
            let Some(decl) = scope.get(&*ident.name) else {
                continue;
            };
            if decl.function != self.functions.len() {
                self.found.captured.insert(decl.id);
            }
            let hoisted = self.functions[decl.function..].contains(&true);
            if ident.span.start < decl.ready || (hoisted && decl.ready > 0) {
                self.found.early.insert(decl.id);
            }
            return;
        }
    }

    fn declare_pattern(&mut self, pattern: &'a Pattern, ready: u32) {
        names(pattern, &mut |ident| self.declare(ident, ready));
    }

    /// Declares what a list of statements declares. In a switch a case may be jumped over.
    fn hoist(&mut self, body: &'a [Stmt], in_switch: bool) {
        for stmt in body {
            match &stmt.kind {
                StmtKind::Declare(declare) => {
                    for part in &declare.parts {
                        let end = part
                            .init
                            .as_ref()
                            .map_or(part.target.span.end, |e| e.span.end);
                        let ready = if in_switch { u32::MAX } else { end };
                        self.declare_pattern(&part.target, ready);
                    }
                }
                StmtKind::Function(function) => {
                    if let Some(name) = &function.name {
                        self.declare(name, 0);
                    }
                }
                _ => {}
            }
        }
    }

    fn block(&mut self, body: &'a [Stmt]) {
        self.scopes.push(HashMap::new());
        self.hoist(body, false);
        self.statements(body);
        self.scopes.pop();
    }

    fn statements(&mut self, body: &'a [Stmt]) {
        body.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::Empty | StmtKind::Broken | StmtKind::Break(_) | StmtKind::Continue(_) => {}
            StmtKind::Expr(expr) | StmtKind::Throw(expr) => self.expr(expr),
            StmtKind::Declare(declare) => self.declaration(declare),
            StmtKind::Function(function) => self.function(function, true),
            StmtKind::Return(value) => value.iter().for_each(|value| self.expr(value)),
            StmtKind::If {
                test,
                then,
                otherwise,
            } => {
                self.expr(test);
                self.stmt(then);
                otherwise.iter().for_each(|stmt| self.stmt(stmt));
            }
            StmtKind::While { test, body } | StmtKind::DoWhile { body, test } => {
                self.expr(test);
                self.stmt(body);
            }
            StmtKind::For {
                init,
                before,
                test,
                update,
                body,
            } => {
                self.scopes.push(HashMap::new());
                match init {
                    Some(ForInit::Declare(declare)) => {
                        for part in &declare.parts {
                            let end = part.init.as_ref().map_or(0, |init| init.span.end);
                            self.declare_pattern(&part.target, end);
                        }
                        self.declaration(declare);
                    }
                    Some(ForInit::Exprs(exprs)) => exprs.iter().for_each(|expr| self.expr(expr)),
                    None => {}
                }
                before
                    .iter()
                    .chain(test)
                    .chain(update)
                    .for_each(|expr| self.expr(expr));
                self.stmt(body);
                self.scopes.pop();
            }
            StmtKind::ForOf { left, right, body } | StmtKind::ForIn { left, right, body } => {
                self.scopes.push(HashMap::new());
                if let ForLeft::Declare { target, .. } = left {
                    self.declare_pattern(target, right.span.end);
                }
                self.expr(right);
                match left {
                    ForLeft::Declare { target, .. } => self.pattern(target, false),
                    ForLeft::Assign(target) => self.pattern(target, true),
                }
                self.stmt(body);
                self.scopes.pop();
            }
            StmtKind::Switch { value, cases } => {
                self.expr(value);
                self.scopes.push(HashMap::new());
                for Case { body, .. } in cases {
                    self.hoist(body, true);
                }
                for Case { test, body, .. } in cases {
                    test.iter().for_each(|test| self.expr(test));
                    self.statements(body);
                }
                self.scopes.pop();
            }
            StmtKind::Try {
                block,
                handler,
                finalizer,
            } => {
                self.block(block);
                if let Some(Catch { param, body }) = handler {
                    self.scopes.push(HashMap::new());
                    if let Some(param) = param {
                        self.declare_pattern(param, param.span.end);
                        self.pattern(param, false);
                    }
                    self.block(body);
                    self.scopes.pop();
                }
                finalizer.iter().for_each(|body| self.block(body));
            }
            StmtKind::Block(body) => self.block(body),
            StmtKind::Labeled { body, .. } => self.stmt(body),
        }
    }

    fn declaration(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            part.init.iter().for_each(|init| self.expr(init));
            self.pattern(&part.target, false);
        }
    }

    /// The expressions of a pattern, and in an assignment the variables that it writes.
    fn pattern(&mut self, pattern: &'a Pattern, assigns: bool) {
        match &pattern.kind {
            PatternKind::Name(ident) if assigns => self.used(ident),
            PatternKind::Name(_) => {}
            PatternKind::Path(path) => self.expr(path),
            PatternKind::Array { items, rest } => {
                items
                    .iter()
                    .flatten()
                    .for_each(|item| self.item(item, assigns));
                rest.iter().for_each(|rest| self.pattern(rest, assigns));
            }
            PatternKind::Object { props, rest } => {
                for prop in props {
                    self.key(&prop.key);
                    self.item(&prop.item, assigns);
                }
                rest.iter().for_each(|rest| self.pattern(rest, assigns));
            }
        }
    }

    fn item(&mut self, item: &'a PatternItem, assigns: bool) {
        item.default.iter().for_each(|default| self.expr(default));
        self.pattern(&item.target, assigns);
    }

    fn key(&mut self, key: &'a PropKey) {
        if let PropKey::Computed(expr) = key {
            self.expr(expr);
        }
    }

    fn function(&mut self, function: &'a Function, hoisted: bool) {
        // A function expression sees its own name, as a variable around it.
        self.scopes.push(HashMap::new());
        if let (false, Some(name)) = (hoisted, &function.name) {
            self.declare(name, 0);
        }
        self.functions.push(hoisted);
        self.scopes.push(HashMap::new());
        for param in &function.params {
            let end = param
                .default
                .as_ref()
                .map_or(param.target.span.end, |e| e.span.end);
            self.declare_pattern(&param.target, end);
        }
        if let Some(rest) = &function.rest {
            self.declare_pattern(rest, rest.span.end);
        }
        function
            .params
            .iter()
            .for_each(|param| self.item(param, false));
        function
            .rest
            .iter()
            .for_each(|rest| self.pattern(rest, false));
        match &function.body {
            FunctionBody::Block(body) => self.block(body),
            FunctionBody::Expr(expr) => self.expr(expr),
        }
        self.scopes.pop();
        self.functions.pop();
        self.scopes.pop();
    }

    fn elements(&mut self, elements: &'a [Element]) {
        elements
            .iter()
            .for_each(|element| self.expr(&element.value));
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Broken
            | ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Regex { .. } => {}
            ExprKind::Name(ident) => self.used(ident),
            ExprKind::Template { exprs, .. } => exprs.iter().for_each(|expr| self.expr(expr)),
            ExprKind::Array(items) => {
                items
                    .iter()
                    .flatten()
                    .for_each(|item| self.expr(&item.value));
            }
            ExprKind::Object(props) => {
                for prop in props {
                    match prop {
                        Prop::Value { key, value, .. } => {
                            self.key(key);
                            self.expr(value);
                        }
                        Prop::Spread(value) => self.expr(value),
                    }
                }
            }
            ExprKind::Function(function) => self.function(function, false),
            ExprKind::Unary { value, .. }
            | ExprKind::Delete(value)
            | ExprKind::Chain(value)
            | ExprKind::Await(value)
            | ExprKind::Paren(value) => self.expr(value),
            ExprKind::Binary { left, right, .. } | ExprKind::Logical { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Conditional {
                test,
                then,
                otherwise,
            } => {
                self.expr(test);
                self.expr(then);
                self.expr(otherwise);
            }
            ExprKind::Assign { target, value } | ExprKind::Compound { target, value, .. } => {
                self.pattern(target, true);
                self.expr(value);
            }
            ExprKind::Update { target, .. } => self.pattern(target, true),
            ExprKind::Member { object, .. } => self.expr(object),
            ExprKind::Index { object, index, .. } => {
                self.expr(object);
                self.expr(index);
            }
            ExprKind::Call { callee, args, .. } => {
                self.expr(callee);
                self.elements(args);
            }
            ExprKind::New { callee, args } => {
                self.used(callee);
                self.elements(args);
            }
        }
    }
}

/// Calls `see` for each variable that a pattern binds.
pub(super) fn names<'a>(pattern: &'a Pattern, see: &mut impl FnMut(&'a Ident)) {
    match &pattern.kind {
        PatternKind::Name(ident) => see(ident),
        PatternKind::Path(_) => {}
        PatternKind::Array { items, rest } => {
            items
                .iter()
                .flatten()
                .for_each(|item| names(&item.target, see));
            rest.iter().for_each(|rest| names(rest, see));
        }
        PatternKind::Object { props, rest } => {
            props.iter().for_each(|prop| names(&prop.item.target, see));
            rest.iter().for_each(|rest| names(rest, see));
        }
    }
}
