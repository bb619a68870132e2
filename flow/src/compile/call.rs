//! Member access, calls, and optional chains.

use super::Compiler;
use crate::ast::{Element, Expr, ExprKind, Ident, PatternKind, Prop, PropKey};
use crate::op::Op;
use crate::program::NO_WORDS;

/// Longer lists of arguments go through an array.
const MOST_ARGUMENTS: usize = 250;

/// Jumps out of an optional chain: with one and with two operands of the chain on the stack.
#[derive(Default)]
pub(super) struct Chain {
    one: Vec<usize>,
    two: Vec<usize>,
}

impl Compiler<'_> {
    /// An optional chain: `body` pushes its value, and a `?.` that finds nothing gives `nothing`.
    pub(super) fn chain(&mut self, _whole: &Expr, nothing: Op, body: impl FnOnce(&mut Self)) {
        self.this().chains.push(Chain::default());
        body(self);
        let Some(Chain { one, two }) = self.this().chains.pop() else {
            return;
        };
        if one.is_empty() && two.is_empty() {
            return;
        }
        let end = self.jump(Op::Jump);
        if !two.is_empty() {
            self.land_all(two);
            self.emit(Op::Pop);
        }
        self.land_all(one);
        self.emit(Op::Pop);
        self.emit(nothing);
        self.land(end);
    }

    /// `?.`: leaves the chain if the top is nullish.
    pub(super) fn short_circuit(&mut self, optional: bool) {
        if optional {
            let jump = self.jump(Op::JumpIfNullish);
            if let Some(chain) = self.this().chains.last_mut() {
                chain.one.push(jump);
            }
        }
    }

    /// As `short_circuit`, with the receiver below the top.
    fn short_circuit_call(&mut self, optional: bool) {
        if optional {
            let jump = self.jump(Op::JumpIfNullish);
            if let Some(chain) = self.this().chains.last_mut() {
                chain.two.push(jump);
            }
        }
    }

    /// The path of a builtin such as `Math.max`, if an expression names one.
    fn builtin_path(&mut self, expr: &Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Name(ident) if self.find(&ident.name).is_none() => Some(ident.name.clone()),
            ExprKind::Member { object, name, .. } => match &object.kind {
                ExprKind::Name(head) if self.find(&head.name).is_none() => {
                    Some(format!("{}.{}", head.name, name.name))
                }
                _ => None,
            },
            ExprKind::Paren(inner) => self.builtin_path(inner),
            _ => None,
        }
    }

    /// `object.name` and `object[index]`.
    pub(super) fn member(&mut self, expr: &Expr) {
        if let Some(path) = self.builtin_path(expr)
            && let Some(index) = self.global(&path)
        {
            self.emit(Op::Global(index));
            return;
        }
        match &expr.kind {
            ExprKind::Member {
                object,
                name,
                optional,
            } => {
                self.expr(object);
                self.short_circuit(*optional);
                self.mark(name.span);
                let name = self.words(&name.name);
                self.emit(Op::GetProp(name));
            }
            ExprKind::Index {
                object,
                index,
                optional,
            } => {
                self.expr(object);
                self.short_circuit(*optional);
                self.expr(index);
                self.mark(index.span);
                self.emit(Op::GetIndex);
            }
            _ => self.expr(expr),
        }
    }

    /// Pushes the arguments and returns their number, or an array of them and nothing.
    fn arguments(&mut self, args: &[Element]) -> Option<u16> {
        if args.len() > MOST_ARGUMENTS || args.iter().any(|arg| arg.spread) {
            self.emit(Op::NewArray(args.len().min(1 << 16) as u32));
            let alone = is_last_spread(args);
            args.iter().for_each(|arg| self.argument(arg, alone));
            return None;
        }
        args.iter().for_each(|arg| self.expr(&arg.value));
        Some(args.len() as u16)
    }

    /// Adds an argument to the array on the stack; `alone`: the last one is the only spread.
    fn argument(&mut self, arg: &Element, alone: bool) {
        self.expr(&arg.value);
        self.mark(arg.value.span);
        if !arg.spread {
            self.emit(Op::ArrayPush);
            return;
        }
        self.phrase_argument(&arg.value, alone);
        self.emit(Op::ArraySpread);
    }

    fn takes_array(args: &[Element]) -> bool {
        args.len() > MOST_ARGUMENTS || args.iter().any(|arg| arg.spread)
    }

    fn note_task(&mut self, path: &str, args: &[Element]) {
        if matches!(path, "Task.run" | "Task.try" | "Task.map")
            && let Some(Element {
                value:
                    Expr {
                        kind: ExprKind::String(name),
                        ..
                    },
                ..
            }) = args.first()
        {
            self.task_names.insert(String::from_utf16_lossy(name));
        }
    }

    pub(super) fn call(&mut self, whole: &Expr, callee: &Expr, args: &[Element], optional: bool) {
        if let Some(path) = self.builtin_path(callee) {
            self.note_task(&path, args);
            if crate::builtins::registry().find(&path).is_some()
                && let Some(index) = self.global(&path)
            {
                self.call_global(whole, index, args);
                return;
            }
        }
        let mut target = callee;
        while let ExprKind::Paren(inner) = &target.kind {
            target = inner;
        }
        let spread = Self::takes_array(args);
        match &target.kind {
            ExprKind::Member {
                object,
                name,
                optional: short,
            } => {
                self.expr(object);
                self.short_circuit(*short);
                let words = self.words(&name.name);
                // What is called is looked up before its arguments, which may put something else in its place.
                let early = args.iter().any(|arg| changes_objects(&arg.value));
                if !optional && !spread && !early {
                    // A receiver without properties throws before its arguments do anything.
                    let nothing = args
                        .iter()
                        .any(|arg| self.may_be_told(&arg.value))
                        .then(|| self.jump(Op::JumpIfNullish));
                    let count = self.arguments(args).unwrap_or_default();
                    self.mark(name.span);
                    self.phrase_call(whole, target);
                    self.emit(Op::CallMethod(words, count));
                    if let Some(nothing) = nothing {
                        let end = self.jump(Op::Jump);
                        self.land(nothing);
                        self.mark(name.span);
                        self.emit(Op::GetProp(words));
                        self.land(end);
                    }
                    return;
                }
                self.mark(name.span);
                self.emit(Op::Dup);
                self.emit(Op::GetProp(words));
                self.call_this(whole, name.span, target, args, optional);
            }
            ExprKind::Index {
                object,
                index,
                optional: short,
            } => {
                self.expr(object);
                self.short_circuit(*short);
                let told = args.iter().any(|arg| self.may_be_told(&arg.value));
                if !optional && !spread && !told {
                    self.expr(index);
                    let count = self.arguments(args).unwrap_or_default();
                    self.mark(index.span);
                    self.phrase_call(whole, target);
                    self.emit(Op::CallIndex(count));
                    return;
                }
                self.emit(Op::Dup);
                self.expr(index);
                self.mark(index.span);
                self.emit(Op::GetIndex);
                self.call_this(whole, index.span, target, args, optional);
            }
            _ if spread => {
                // A `?.` in the callee leaves the chain with one operand, so the receiver comes after it.
                self.expr(target);
                self.short_circuit(optional);
                self.emit(Op::Undefined);
                self.emit(Op::Swap);
                self.call_this(whole, callee.span, callee, args, false);
            }
            _ => {
                self.expr(target);
                self.short_circuit(optional);
                let count = self.arguments(args).unwrap_or_default();
                self.mark(callee.span);
                self.phrase_call(whole, target);
                self.emit(Op::Call(NO_WORDS, count));
            }
        }
    }

    /// A call with receiver and callee on the stack.
    fn call_this(
        &mut self,
        whole: &Expr,
        at: crate::source::Span,
        callee: &Expr,
        args: &[Element],
        optional: bool,
    ) {
        self.short_circuit_call(optional);
        let count = self.arguments(args);
        self.mark(at);
        if args.iter().any(|arg| arg.spread) && !is_last_spread(args) {
            self.phrase_apply();
        } else {
            self.phrase_call(whole, callee);
        }
        self.emit(match count {
            Some(count) => Op::CallThis(NO_WORDS, count),
            None => Op::CallSpread(NO_WORDS),
        });
    }

    /// Whether anybody could tell when an argument was evaluated.
    fn may_be_told(&mut self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Function(_) => false,
            // One that may not be initialised throws.
            ExprKind::Name(ident) => self.find(&ident.name).is_some_and(|place| place.early),
            _ => true,
        }
    }

    fn call_global(&mut self, whole: &Expr, index: u32, args: &[Element]) {
        if Self::takes_array(args) {
            self.emit(Op::Undefined);
            self.emit(Op::Global(index));
            self.arguments(args);
            self.mark(whole.span);
            self.emit(Op::CallSpread(NO_WORDS));
        } else {
            let count = self.arguments(args).unwrap_or_default();
            self.mark(whole.span);
            self.emit(Op::CallGlobal(index, count));
        }
    }

    /// `new Name(args)` of a builtin class; the checker refused all others.
    pub(super) fn construct(&mut self, whole: &Expr, callee: &Ident, args: &[Element]) {
        match self.global(&format!("new {}", callee.name)) {
            Some(index) => self.call_global(whole, index, args),
            None => {
                self.emit(Op::Undefined);
            }
        }
    }
}

/// Whether the last argument is the only one with `...`, which V8 has an instruction for.
fn is_last_spread(args: &[Element]) -> bool {
    let spreads = args.iter().filter(|arg| arg.spread).count();
    spreads == 1 && args.last().is_some_and(|last| last.spread)
}

/// Whether to evaluate an expression may change a property of anything: in what it calls, or while it waits. Nothing
/// else runs code of the program: Flow has no getters, and converts no object by a function of its own.
fn changes_objects(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Broken
        | ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Regex { .. }
        | ExprKind::Name(_)
        | ExprKind::Function(_) => false,
        ExprKind::Template { exprs, .. } => exprs.iter().any(changes_objects),
        ExprKind::Array(elements) => {
            let mut values = elements.iter().flatten();
            values.any(|element| changes_objects(&element.value))
        }
        ExprKind::Object(props) => props.iter().any(|prop| match prop {
            Prop::Spread(value) => changes_objects(value),
            Prop::Value { key, value, .. } => {
                let computed = matches!(key, PropKey::Computed(key) if changes_objects(key));
                computed || changes_objects(value)
            }
        }),
        ExprKind::Unary { value, .. } | ExprKind::Paren(value) | ExprKind::Chain(value) => {
            changes_objects(value)
        }
        ExprKind::Binary { left, right, .. } | ExprKind::Logical { left, right, .. } => {
            changes_objects(left) || changes_objects(right)
        }
        ExprKind::Conditional {
            test,
            then,
            otherwise,
        } => [test, then, otherwise]
            .into_iter()
            .any(|part| changes_objects(part)),
        ExprKind::Member { object, .. } => changes_objects(object),
        ExprKind::Index { object, index, .. } => changes_objects(object) || changes_objects(index),
        ExprKind::Assign { target, value } | ExprKind::Compound { target, value, .. } => {
            !matches!(target.kind, PatternKind::Name(_)) || changes_objects(value)
        }
        ExprKind::Update { target, .. } => !matches!(target.kind, PatternKind::Name(_)),
        ExprKind::Delete(_) | ExprKind::Call { .. } | ExprKind::New { .. } | ExprKind::Await(_) => {
            true
        }
    }
}
