//! Functions: parameters, bodies, closures.

use super::phrase::Subject;
use super::{Compiler, OpenFunction};
use crate::ast::{Function, FunctionBody, Ident, PatternKind, Script};
use crate::op::Op;
use crate::program::Func;
use crate::source::Span;

/// The parameters of the main function.
pub(super) const MAIN_PARAMS: [&str; 2] = ["Inputs", "Context"];

/// A parameter of the main function as a name; it is written nowhere.
pub(super) fn main_param(at: usize) -> Ident {
    let place = u32::MAX - at as u32;
    Ident {
        name: MAIN_PARAMS[at].to_owned(),
        span: Span {
            start: place,
            end: place,
        },
    }
}

impl Compiler<'_> {
    /// The whole script as function 0.
    pub(super) fn main(&mut self, script: &Script) {
        let func = Func {
            is_async: true,
            params: 2,
            length: 2,
            ..Func::default()
        };
        self.open_function(func, Span::default());
        self.push_scope();
        let params = [main_param(0), main_param(1)];
        for param in &params {
            self.declare(param);
        }
        for (slot, param) in params.iter().enumerate() {
            if self.is_captured(param) {
                self.emit(Op::BoxVar(slot as u32));
            }
        }
        self.block(&script.body);
        self.pop_scope();
        self.close_function();
    }

    fn open_function(&mut self, func: Func, span: Span) {
        let number = self.functions.len() as u32;
        self.functions.push(Func::default());
        self.open.push(OpenFunction {
            number,
            func,
            span,
            at: span,
            ..OpenFunction::default()
        });
    }

    fn close_function(&mut self) -> u32 {
        self.emit(Op::Undefined);
        self.emit(Op::Return);
        let Some(mut open) = self.open.pop() else {
            return 0;
        };
        if open.last_await.is_some() {
            let names = open
                .captured_names
                .iter()
                .map(|name| self.variable_name(name));
            open.func.capture_names = names.collect();
        }
        open.func.names.sort_by_key(|name| (name.slot, name.start));
        self.functions[open.number as usize] = open.func;
        open.number
    }

    /// Pushes a closure. `hint` names a function that has no name of its own.
    pub(super) fn closure(&mut self, function: &Function, hint: Option<&str>) {
        let name = function
            .name
            .as_ref()
            .map(|name| &*name.name)
            .or(hint)
            .unwrap_or_default();
        let simple = |at: usize| match &function.params[at] {
            param if param.default.is_some() => None,
            param => match &param.target.kind {
                PatternKind::Name(name) => Some(name),
                _ => None,
            },
        };
        let count = function.params.len();
        let func = Func {
            name: name.to_owned(),
            params: count as u32,
            rest: function.rest.is_some(),
            length: function
                .params
                .iter()
                .take_while(|param| param.default.is_none())
                .count() as u32,
            is_async: function.is_async,
            // Methods, arrows and async functions are none.
            is_constructor: self.source.slice(function.span).starts_with("function"),
            ..Func::default()
        };
        self.open_function(func, function.span);
        self.push_scope();
        // The arguments come in these slots.
        for _ in 0..count + usize::from(function.rest.is_some()) {
            self.slot();
        }
        // A parameter that a default may see too early gets a slot of its own.
        let early = |this: &Self, name: &Ident| this.analysis.early.contains(&name.span.start);
        for at in 0..count {
            match simple(at) {
                Some(name) if !early(self, name) => {
                    self.declare_at(name, at as u32);
                    if self.is_captured(name) {
                        self.emit(Op::BoxVar(at as u32));
                    }
                }
                _ => self.declare_pattern(&function.params[at].target),
            }
        }
        function
            .rest
            .iter()
            .for_each(|rest| self.declare_pattern(rest));
        for (at, param) in function.params.iter().enumerate() {
            if simple(at).is_some_and(|name| !early(self, name)) {
                continue;
            }
            self.emit(Op::LoadLocal(at as u32));
            self.default(param, true);
            self.bind(&param.target, Subject::Param(param.default.as_ref()));
        }
        if let Some(rest) = &function.rest {
            self.emit(Op::LoadLocal(count as u32));
            self.bind(rest, Subject::Inner);
        }
        match &function.body {
            FunctionBody::Block(body) => self.block(body),
            FunctionBody::Expr(expr) => {
                self.cover(expr.span);
                self.expr(expr);
                self.emit(Op::Return);
            }
        }
        self.pop_scope();
        let number = self.close_function();
        self.emit(Op::Closure(number));
    }

    /// Pushes the closure of a function expression, which may see its own name.
    pub(super) fn function_expr(&mut self, function: &Function, hint: Option<&str>) {
        match &function.name {
            Some(name) => {
                self.push_scope();
                let slot = self.declare(name);
                if self.is_captured(name) {
                    self.emit(Op::NewVar(slot));
                }
                self.closure(function, None);
                self.emit(Op::Dup);
                self.init(name);
                self.pop_scope();
            }
            None => self.closure(function, hint),
        }
    }
}
