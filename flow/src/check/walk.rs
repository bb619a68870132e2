//! Walks over a tree in the order in which a program runs. A pass overrides what it looks at.

use crate::ast::{
    Case, Catch, Declare, Element, Expr, ExprKind, ForInit, ForLeft, Function, FunctionBody,
    Pattern, PatternItem, PatternKind, Prop, PropKey, Stmt, StmtKind,
};

/// A pass over a tree.
pub(super) trait Visitor<'a> {
    fn stmt(&mut self, stmt: &'a Stmt) {
        walk_stmt(self, stmt);
    }

    /// The statements of a block, a case or a function.
    fn list(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn declare(&mut self, declare: &'a Declare) {
        walk_declare(self, declare);
    }

    fn cases(&mut self, cases: &'a [Case]) {
        for case in cases {
            if let Some(test) = &case.test {
                self.expr(test);
            }
            self.list(&case.body);
        }
    }

    fn catch(&mut self, catch: &'a Catch) {
        if let Some(param) = &catch.param {
            self.pattern(param);
        }
        self.list(&catch.body);
    }

    fn function(&mut self, function: &'a Function) {
        walk_function(self, function);
    }

    fn expr(&mut self, expr: &'a Expr) {
        walk_expr(self, expr);
    }

    fn pattern(&mut self, pattern: &'a Pattern) {
        walk_pattern(self, pattern);
    }
}

pub(super) fn walk_stmt<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, stmt: &'a Stmt) {
    match &stmt.kind {
        StmtKind::Empty | StmtKind::Broken | StmtKind::Break(_) | StmtKind::Continue(_) => {}
        StmtKind::Expr(value) | StmtKind::Throw(value) => visitor.expr(value),
        StmtKind::Declare(declare) => visitor.declare(declare),
        StmtKind::Function(function) => visitor.function(function),
        StmtKind::Return(value) => {
            if let Some(value) = value {
                visitor.expr(value);
            }
        }
        StmtKind::If {
            test,
            then,
            otherwise,
        } => {
            visitor.expr(test);
            visitor.stmt(then);
            if let Some(otherwise) = otherwise {
                visitor.stmt(otherwise);
            }
        }
        StmtKind::While { test, body } => {
            visitor.expr(test);
            visitor.stmt(body);
        }
        StmtKind::DoWhile { body, test } => {
            visitor.stmt(body);
            visitor.expr(test);
        }
        StmtKind::For {
            init,
            before,
            test,
            update,
            body,
        } => {
            match init {
                Some(ForInit::Declare(declare)) => visitor.declare(declare),
                Some(ForInit::Exprs(exprs)) => exprs.iter().for_each(|expr| visitor.expr(expr)),
                None => {}
            }
            for expr in before.iter().chain(test) {
                visitor.expr(expr);
            }
            visitor.stmt(body);
            for expr in update {
                visitor.expr(expr);
            }
        }
        StmtKind::ForOf { left, right, body } | StmtKind::ForIn { left, right, body } => {
            visitor.expr(right);
            match left {
                ForLeft::Declare { target, .. } | ForLeft::Assign(target) => {
                    visitor.pattern(target);
                }
            }
            visitor.stmt(body);
        }
        StmtKind::Switch { value, cases } => {
            visitor.expr(value);
            visitor.cases(cases);
        }
        StmtKind::Try {
            block,
            handler,
            finalizer,
        } => {
            visitor.list(block);
            if let Some(handler) = handler {
                visitor.catch(handler);
            }
            if let Some(finalizer) = finalizer {
                visitor.list(finalizer);
            }
        }
        StmtKind::Block(body) => visitor.list(body),
        StmtKind::Labeled { body, .. } => visitor.stmt(body),
    }
}

pub(super) fn walk_declare<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, declare: &'a Declare) {
    for part in &declare.parts {
        if let Some(init) = &part.init {
            visitor.expr(init);
        }
        visitor.pattern(&part.target);
    }
}

pub(super) fn walk_function<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, function: &'a Function) {
    for param in &function.params {
        walk_item(visitor, param);
    }
    if let Some(rest) = &function.rest {
        visitor.pattern(rest);
    }
    walk_body(visitor, function);
}

pub(super) fn walk_body<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, function: &'a Function) {
    match &function.body {
        FunctionBody::Block(body) => visitor.list(body),
        FunctionBody::Expr(value) => visitor.expr(value),
    }
}

/// The default, then what it is bound to.
pub(super) fn walk_item<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, item: &'a PatternItem) {
    if let Some(default) = &item.default {
        visitor.expr(default);
    }
    visitor.pattern(&item.target);
}

pub(super) fn walk_pattern<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, pattern: &'a Pattern) {
    match &pattern.kind {
        PatternKind::Name(_) => {}
        PatternKind::Path(path) => visitor.expr(path),
        PatternKind::Array { items, rest } => {
            for item in items.iter().flatten() {
                walk_item(visitor, item);
            }
            if let Some(rest) = rest {
                visitor.pattern(rest);
            }
        }
        PatternKind::Object { props, rest } => {
            for prop in props {
                walk_key(visitor, &prop.key);
                walk_item(visitor, &prop.item);
            }
            if let Some(rest) = rest {
                visitor.pattern(rest);
            }
        }
    }
}

fn walk_key<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, key: &'a PropKey) {
    if let PropKey::Computed(value) = key {
        visitor.expr(value);
    }
}

fn walk_elements<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, elements: &'a [Element]) {
    for element in elements {
        visitor.expr(&element.value);
    }
}

pub(super) fn walk_expr<'a, V: Visitor<'a> + ?Sized>(visitor: &mut V, expr: &'a Expr) {
    match &expr.kind {
        ExprKind::Broken
        | ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Regex { .. }
        | ExprKind::Name(_) => {}
        ExprKind::Template { exprs, .. } => exprs.iter().for_each(|expr| visitor.expr(expr)),
        ExprKind::Array(items) => {
            for item in items.iter().flatten() {
                visitor.expr(&item.value);
            }
        }
        ExprKind::Object(props) => {
            for prop in props {
                match prop {
                    Prop::Value { key, value, .. } => {
                        walk_key(visitor, key);
                        visitor.expr(value);
                    }
                    Prop::Spread(value) => visitor.expr(value),
                }
            }
        }
        ExprKind::Function(function) => visitor.function(function),
        ExprKind::Unary { value, .. }
        | ExprKind::Delete(value)
        | ExprKind::Chain(value)
        | ExprKind::Await(value)
        | ExprKind::Paren(value) => visitor.expr(value),
        ExprKind::Binary { left, right, .. } | ExprKind::Logical { left, right, .. } => {
            visitor.expr(left);
            visitor.expr(right);
        }
        ExprKind::Conditional {
            test,
            then,
            otherwise,
        } => {
            visitor.expr(test);
            visitor.expr(then);
            visitor.expr(otherwise);
        }
        ExprKind::Assign { target, value } | ExprKind::Compound { target, value, .. } => {
            visitor.expr(value);
            visitor.pattern(target);
        }
        ExprKind::Update { target, .. } => visitor.pattern(target),
        ExprKind::Member { object, .. } => visitor.expr(object),
        ExprKind::Index { object, index, .. } => {
            visitor.expr(object);
            visitor.expr(index);
        }
        ExprKind::Call { callee, args, .. } => {
            visitor.expr(callee);
            walk_elements(visitor, args);
        }
        ExprKind::New { args, .. } => walk_elements(visitor, args),
    }
}
