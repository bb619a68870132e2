//! Expressions that are neither calls nor assignments.

use super::Compiler;
use crate::ast::{
    BinaryOp, Element, Expr, ExprKind, Ident, LogicalOp, Pattern, PatternKind, Prop, PropKey,
    UnaryOp,
};
use crate::op::Op;
use crate::program::NAME_OF_KEY;
use crate::regex::Flags;

impl Pattern {
    /// The name that a function gets which is bound to it. A target in parentheses gives none.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.kind {
            PatternKind::Name(ident) if ident.span == self.span => Some(&ident.name),
            _ => None,
        }
    }
}

/// The instruction of an operator.
pub(super) fn binary_op(op: BinaryOp) -> Op {
    match op {
        BinaryOp::Add => Op::Add,
        BinaryOp::Sub => Op::Sub,
        BinaryOp::Mul => Op::Mul,
        BinaryOp::Div => Op::Div,
        BinaryOp::Rem => Op::Rem,
        BinaryOp::Pow => Op::Pow,
        BinaryOp::BitAnd => Op::BitAnd,
        BinaryOp::BitOr => Op::BitOr,
        BinaryOp::BitXor => Op::BitXor,
        BinaryOp::Shl => Op::Shl,
        BinaryOp::Shr => Op::Shr,
        BinaryOp::UShr => Op::UShr,
        BinaryOp::Eq => Op::Eq,
        BinaryOp::Ne => Op::Ne,
        BinaryOp::StrictEq => Op::StrictEq,
        BinaryOp::StrictNe => Op::StrictNe,
        BinaryOp::Lt => Op::Lt,
        BinaryOp::Le => Op::Le,
        BinaryOp::Gt => Op::Gt,
        BinaryOp::Ge => Op::Ge,
        BinaryOp::In => Op::In,
        BinaryOp::Instanceof => Op::Instanceof,
    }
}

/// The jump that leaves out the right side.
pub(super) fn logical_jump(op: LogicalOp) -> fn(u32) -> Op {
    match op {
        LogicalOp::And => Op::JumpIfFalseOrPop,
        LogicalOp::Or => Op::JumpIfTrueOrPop,
        LogicalOp::Nullish => Op::JumpIfValueOrPop,
    }
}

impl Compiler<'_> {
    /// Pushes the value of an expression.
    pub(super) fn expr(&mut self, expr: &Expr) {
        self.expr_named(expr, None);
    }

    /// As `expr`; a function without a name gets this one.
    pub(super) fn expr_named(&mut self, expr: &Expr, hint: Option<&str>) {
        match &expr.kind {
            ExprKind::Broken => {
                self.emit(Op::Undefined);
            }
            ExprKind::Null => {
                self.emit(Op::Null);
            }
            ExprKind::Bool(value) => {
                self.emit(if *value { Op::True } else { Op::False });
            }
            ExprKind::Number(number) => self.number(*number),
            ExprKind::String(units) => self.push_string(units),
            ExprKind::Regex { pattern, flags } => self.regex(pattern, *flags, expr),
            ExprKind::Template { strings, exprs } => self.template(strings, exprs, expr),
            ExprKind::Name(ident) => self.name(ident),
            ExprKind::Array(items) => self.array(items),
            ExprKind::Object(props) => self.object(props),
            ExprKind::Function(function) => {
                self.mark(function.span);
                self.function_expr(function, hint);
            }
            ExprKind::Unary { op, value } => self.unary(*op, value, expr),
            ExprKind::Delete(path) => self.delete(path),
            ExprKind::Binary {
                op,
                op_span,
                left,
                right,
            } => {
                self.expr(left);
                self.expr(right);
                self.mark(*op_span);
                self.emit(binary_op(*op));
            }
            ExprKind::Logical { op, left, right } => {
                self.expr(left);
                let end = self.jump(logical_jump(*op));
                self.expr(right);
                self.land(end);
            }
            ExprKind::Conditional {
                test,
                then,
                otherwise,
            } => {
                self.expr(test);
                let no = self.jump(Op::JumpIfFalse);
                self.expr(then);
                let end = self.jump(Op::Jump);
                self.land(no);
                self.expr(otherwise);
                self.land(end);
            }
            ExprKind::Assign { target, value } => self.assign(target, value, true),
            ExprKind::Compound { op, target, value } => self.compound(*op, target, value, true),
            ExprKind::Update {
                increment,
                prefix,
                target,
            } => {
                self.update(*increment, *prefix, target, true);
            }
            ExprKind::Member { .. } | ExprKind::Index { .. } => self.member(expr),
            ExprKind::Call {
                callee,
                args,
                optional,
            } => self.call(expr, callee, args, *optional),
            ExprKind::Chain(inner) => self.chain(inner, Op::Undefined, |this| this.expr(inner)),
            ExprKind::New { callee, args } => self.construct(expr, callee, args),
            ExprKind::Await(value) => {
                self.expr(value);
                self.mark(expr.span);
                let live = self.this().next_slot;
                let at = self.emit(Op::Await(live));
                self.this().last_await = Some(at as u32);
            }
            ExprKind::Paren(inner) => self.expr_named(inner, hint),
        }
    }

    fn push_string(&mut self, units: &[u16]) {
        let index = self.string(units);
        self.emit(Op::Const(index));
    }

    /// A literal makes a new object each time, of a program that is kept.
    fn regex(&mut self, pattern: &[u16], flags: Flags, whole: &Expr) {
        self.push_string(pattern);
        self.push_string(&flags.text().encode_utf16().collect::<Vec<u16>>());
        self.mark(whole.span);
        if let Some(index) = self.global("new RegExp") {
            self.emit(Op::CallGlobal(index, 2));
        }
    }

    fn template(&mut self, strings: &[Vec<u16>], exprs: &[Expr], whole: &Expr) {
        let mut parts = 0;
        for (at, text) in strings.iter().enumerate() {
            if !text.is_empty() || strings.len() == 1 {
                self.push_string(text);
                parts += 1;
            }
            if let Some(expr) = exprs.get(at) {
                self.expr(expr);
                parts += 1;
                // A part is text before the next one is looked at, which may change or throw something.
                if !is_primitive(expr) && !exprs[at + 1..].iter().all(|next| self.is_quiet(next)) {
                    self.mark(whole.span);
                    self.emit(Op::Template(1));
                }
            }
        }
        if !exprs.is_empty() {
            self.mark(whole.span);
            self.emit(Op::Template(parts));
        }
    }

    /// Whether looking at an expression neither changes nor throws anything.
    fn is_quiet(&mut self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Paren(inner) => self.is_quiet(inner),
            ExprKind::Name(ident) => self.find(&ident.name).is_none_or(|place| !place.early),
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Function(_) => true,
            _ => false,
        }
    }

    fn name(&mut self, ident: &Ident) {
        self.mark(ident.span);
        if let Some(place) = self.find(&ident.name) {
            self.load(place, &ident.name);
            return;
        }
        match &*ident.name {
            "NaN" => self.number(f64::NAN),
            "Infinity" => self.number(f64::INFINITY),
            name => match self.global(name) {
                Some(index) => {
                    self.emit(Op::Global(index));
                }
                // `undefined`; the checker refused every other name.
                None => {
                    self.emit(Op::Undefined);
                }
            },
        }
    }

    fn array(&mut self, items: &[Option<Element>]) {
        self.emit(Op::NewArray(items.len().min(1 << 16) as u32));
        for item in items {
            match item {
                None => {
                    self.emit(Op::ArrayHole);
                }
                Some(element) if element.spread => {
                    self.iterated(&element.value);
                    self.mark(element.value.span);
                    self.phrase_element(&element.value);
                    self.emit(Op::ArraySpread);
                }
                Some(element) => self.element(element),
            }
        }
    }

    /// Adds an element or argument to the array on the stack.
    pub(super) fn element(&mut self, element: &Element) {
        self.expr(&element.value);
        self.mark(element.value.span);
        self.emit(if element.spread {
            Op::ArraySpread
        } else {
            Op::ArrayPush
        });
    }

    fn object(&mut self, props: &[Prop]) {
        self.emit(Op::NewObject);
        for prop in props {
            match prop {
                Prop::Spread(value) => {
                    self.expr(value);
                    self.emit(Op::ObjectSpread);
                }
                Prop::Value {
                    key: PropKey::Static { name, .. },
                    value,
                    ..
                } => {
                    let hint = String::from_utf16_lossy(name);
                    self.expr_named(value, Some(&hint));
                    let name = self.string(name);
                    self.emit(Op::DefineProp(name));
                }
                Prop::Value {
                    key: PropKey::Computed(key),
                    value,
                    ..
                } => {
                    self.computed_key(key);
                    if !is_primitive(key) && !self.is_quiet(value) {
                        self.mark(key.span);
                        self.emit(Op::Template(1));
                    }
                    self.expr_named(value, Some(NAME_OF_KEY));
                    self.mark(key.span);
                    self.emit(Op::DefineIndex);
                }
            }
        }
    }

    fn unary(&mut self, op: UnaryOp, value: &Expr, whole: &Expr) {
        if let (UnaryOp::Minus, ExprKind::Number(number)) = (op, &value.kind) {
            self.number(-number);
            return;
        }
        self.expr(value);
        self.mark(whole.span);
        match op {
            UnaryOp::Minus => self.emit(Op::Neg),
            UnaryOp::Plus => self.emit(Op::ToNumber),
            UnaryOp::Not => self.emit(Op::Not),
            UnaryOp::BitNot => self.emit(Op::BitNot),
            UnaryOp::Typeof => self.emit(Op::Typeof),
            UnaryOp::Void => {
                self.emit(Op::Pop);
                self.emit(Op::Undefined)
            }
        };
    }

    fn delete(&mut self, path: &Expr) {
        match &path.kind {
            ExprKind::Chain(inner) => self.chain(inner, Op::True, |this| this.delete(inner)),
            ExprKind::Paren(inner) => self.delete(inner),
            ExprKind::Member {
                object,
                name,
                optional,
            } => {
                self.expr(object);
                self.short_circuit(*optional);
                self.mark(name.span);
                let name = self.words(&name.name);
                self.emit(Op::DeleteProp(name));
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
                self.emit(Op::DeleteIndex);
            }
            _ => {
                self.discard(path);
                self.emit(Op::True);
            }
        }
    }

    /// Pushes the object of a path, and its key if that is computed.
    pub(super) fn path(&mut self, path: &Expr) {
        match &path.kind {
            ExprKind::Member { object, .. } => self.expr(object),
            ExprKind::Index { object, index, .. } => {
                self.expr(object);
                self.expr(index);
            }
            ExprKind::Paren(inner) => self.path(inner),
            _ => self.expr(path),
        }
    }
}

/// Whether an expression is sure to give a primitive value, whose text cannot change and needs no looking for.
fn is_primitive(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Paren(inner) => is_primitive(inner),
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Template { .. }
        | ExprKind::Unary { .. }
        | ExprKind::Binary { .. }
        | ExprKind::Update { .. } => true,
        _ => false,
    }
}
