//! Declarations: which names a scope has, and from where on they have a value.

use super::super::globals::{self, PARAMETERS};
use super::super::walk::Visitor;
use super::{Binding, Kind, Resolver};
use crate::ast::{Declare, Ident, Pattern, PatternItem, PatternKind, PropKey, Stmt, StmtKind};
use crate::codes::Code;

impl<'a> Resolver<'a, '_> {
    pub(super) fn declare(&mut self, name: &'a Ident, kind: Kind, may_be_unused: bool) {
        let Some(scope) = self.scopes.last() else {
            return;
        };
        let same = scope.names.get(name.name.as_str()).copied();
        let outer = scope
            .joined
            .then(|| self.scopes.len().checked_sub(2))
            .flatten();
        let outer = outer.and_then(|at| self.scopes[at].names.get(name.name.as_str()).copied());
        if let Some(other) = same.or(outer) {
            let line = self.source.line_of(self.bindings[other].name.span.start);
            let message = format!("`{}` is already declared in line {line}", name.name);
            let hint = "Choose another name, or assign without `let` or `const`.".to_owned();
            self.report(Code::DuplicateName, name.span, message, Some(hint));
            return;
        }
        let mut may_be_unused = may_be_unused;
        let is_parameter = PARAMETERS.contains(&name.name.as_str());
        if is_parameter && self.scopes.len() == 1 {
            let message = format!(
                "`{}` is already declared: it is a parameter of the program",
                name.name
            );
            let hint = "Choose another name.".to_owned();
            self.report(Code::DuplicateName, name.span, message, Some(hint));
            may_be_unused = true;
        } else if kind != Kind::Itself && (is_parameter || globals::is_builtin(&name.name)) {
            let message = format!("`{}` hides what Flow provides under this name", name.name);
            let hint = "Choose another name.".to_owned();
            self.report(Code::ShadowedBuiltin, name.span, message, Some(hint));
        }
        let ready = matches!(kind, Kind::Function | Kind::Itself);
        let index = self.bindings.len();
        self.names.own.insert(name.span.start, index);
        self.bindings.push(Binding {
            name,
            kind,
            function: self.function,
            ready,
            read: kind == Kind::Itself,
            written: false,
            may_be_unused,
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.names.insert(&name.name, index);
        }
    }

    pub(super) fn declare_pattern(
        &mut self,
        pattern: &'a Pattern,
        kind: Kind,
        may_be_unused: bool,
    ) {
        match &pattern.kind {
            PatternKind::Name(name) => self.declare(name, kind, may_be_unused),
            PatternKind::Path(_) => {}
            PatternKind::Array { items, rest } => {
                for item in items.iter().flatten() {
                    self.declare_pattern(&item.target, kind, may_be_unused);
                }
                if let Some(rest) = rest {
                    self.declare_pattern(rest, kind, may_be_unused);
                }
            }
            PatternKind::Object { props, rest } => {
                // `const {secret, ...others} = all` leaves `secret` out of `others`.
                let leaves_out = may_be_unused || rest.is_some();
                for prop in props {
                    self.declare_pattern(&prop.item.target, kind, leaves_out);
                }
                if let Some(rest) = rest {
                    self.declare_pattern(rest, kind, may_be_unused);
                }
            }
        }
    }

    /// Declares what the statements of a list declare, before any of them runs.
    pub(super) fn hoist(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            match &stmt.kind {
                StmtKind::Declare(declare) => self.hoist_declare(declare),
                StmtKind::Function(function) => {
                    if let Some(name) = &function.name {
                        self.declare(name, Kind::Function, false);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn hoist_declare(&mut self, declare: &'a Declare) {
        let kind = if declare.constant {
            Kind::Const
        } else {
            Kind::Let
        };
        for part in &declare.parts {
            self.declare_pattern(&part.target, kind, false);
        }
    }

    pub(super) fn list_here(&mut self, body: &'a [Stmt]) {
        self.hoist(body);
        for stmt in body {
            self.stmt(stmt);
        }
    }

    /// The declaration of these names has been reached.
    pub(super) fn bind(&mut self, pattern: &'a Pattern) {
        match &pattern.kind {
            PatternKind::Name(name) => {
                if let Some(index) = self.find(&name.name) {
                    self.bindings[index].ready = true;
                }
            }
            PatternKind::Path(path) => self.expr(path),
            PatternKind::Array { .. } | PatternKind::Object { .. } => {
                self.parts(pattern, |resolver, inner| resolver.bind(inner));
            }
        }
    }

    /// Keys and defaults of a pattern, and `each` of its targets.
    pub(super) fn parts(&mut self, pattern: &'a Pattern, each: fn(&mut Self, &'a Pattern)) {
        let item = |resolver: &mut Self, item: &'a PatternItem| {
            if let Some(default) = &item.default {
                resolver.expr(default);
            }
            each(resolver, &item.target);
        };
        let rest = match &pattern.kind {
            PatternKind::Array { items, rest } => {
                items.iter().flatten().for_each(|part| item(self, part));
                rest
            }
            PatternKind::Object { props, rest } => {
                for prop in props {
                    if let PropKey::Computed(key) = &prop.key {
                        self.expr(key);
                    }
                    item(self, &prop.item);
                }
                rest
            }
            _ => return,
        };
        if let Some(rest) = rest {
            each(self, rest);
        }
    }

    /// Parameters behind which a used one stands are needed for their place.
    pub(super) fn mark_parameters(&mut self) {
        let Some(scope) = self.scopes.last() else {
            return;
        };
        let mut parameters: Vec<usize> = scope.names.values().copied().collect();
        parameters.sort_unstable();
        let last_read = parameters
            .iter()
            .rposition(|index| self.bindings[*index].read);
        for index in parameters.iter().take(last_read.unwrap_or_default()) {
            self.bindings[*index].may_be_unused = true;
        }
    }
}
