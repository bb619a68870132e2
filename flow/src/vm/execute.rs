//! What each instruction means, on the stack. The loop runs most of them on registers (`registers`); what it
//! has no short way for comes here.

use super::call::Called;
use super::cx::Cx;
use super::operate::{self, arithmetic};
use crate::error::Throw;
use crate::op::Op;
use crate::program::{Capture, Resolved};
use crate::value::heap::Closure;
use crate::value::{Body, Ref, Value};

/// The running function, as its instructions see it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Where its slots begin.
    pub(super) base: usize,
    pub(super) closure: Option<Ref>,
}

/// Where it goes on after an instruction.
pub(super) enum After {
    /// Behind it.
    Next,
    /// Elsewhere in the function.
    Jump(u32),
    /// In the frame on top, which may be another one.
    Frame,
}

impl Cx<'_> {
    /// A captured variable of the running closure.
    #[inline]
    fn captured(&self, closure: Option<Ref>, index: u32) -> Result<Ref, Throw> {
        match closure.map(|at| self.heap.body(at)) {
            Some(Body::Closure(closure)) => closure
                .captures
                .get(index as usize)
                .copied()
                .ok_or(Throw::fault("captured variable")),
            _ => Err(Throw::fault("captured variable")),
        }
    }

    #[inline]
    fn variable(&self, value: Value) -> Result<Ref, Throw> {
        match value {
            Value::Variable(at) => Ok(at),
            _ => Err(Throw::fault("captured variable")),
        }
    }

    #[inline]
    fn read_variable(&self, at: Ref) -> Result<Value, Throw> {
        match self.heap.body(at) {
            Body::Variable(value) => Ok(*value),
            _ => Err(Throw::fault("captured variable")),
        }
    }

    #[inline]
    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or_default()
    }

    /// The object below the top `above` operands, for instructions that fill literals.
    #[inline]
    fn literal(&self, above: usize) -> Result<Ref, Throw> {
        match self
            .stack
            .len()
            .checked_sub(above + 1)
            .map(|at| self.stack[at])
        {
            Some(Value::Object(at)) => Ok(at),
            _ => Err(Throw::fault("literal")),
        }
    }

    fn iterator_at(&self, slot: usize) -> Result<Ref, Throw> {
        match self.stack[slot] {
            Value::Object(at) => Ok(at),
            _ => Err(Throw::fault("iterator")),
        }
    }

    fn make_closure(&mut self, number: u32, base: usize, own: Option<Ref>) -> Result<Value, Throw> {
        let captures = self.program.functions[number as usize].captures.iter();
        let captures = captures.map(|capture| match capture {
            Capture::Local(slot) => self.variable(self.stack[base + *slot as usize]),
            Capture::Outer(index) => self.captured(own, *index),
        });
        let closure = Closure {
            function: number,
            captures: captures.collect::<Result<_, _>>()?,
        };
        Ok(Value::Object(self.heap.alloc(Body::Closure(closure))))
    }

    fn after_call(&mut self, called: Called) -> After {
        match called {
            Called::Value(value) => {
                self.stack.push(value);
                After::Next
            }
            Called::Frame => After::Frame,
        }
    }

    /// Runs one instruction; `frame.pc` is behind it already.
    pub(super) fn execute(&mut self, op: Op, place: Place) -> Result<After, Throw> {
        macro_rules! numeric {
            ($op:expr, $a:ident, $b:ident, $result:expr) => {{
                if let [.., left, right] = &mut self.stack[..]
                    && let (Value::Number($a), Value::Number($b)) = (*left, *right)
                {
                    *left = $result;
                    self.stack.pop();
                } else {
                    self.binary($op)?;
                }
            }};
        }

        match op {
            Op::Undefined => self.stack.push(Value::Undefined),
            Op::Null => self.stack.push(Value::Null),
            Op::True => self.stack.push(Value::Bool(true)),
            Op::False => self.stack.push(Value::Bool(false)),
            Op::Int(number) => self.stack.push(Value::Number(f64::from(number))),
            Op::Const(index) => {
                let constant = self.constant(index);
                self.stack.push(constant.value);
            }
            Op::Pop => {
                self.stack.pop();
            }
            Op::Dup => {
                let top = self.stack.last().copied().unwrap_or_default();
                self.stack.push(top);
            }
            Op::Dup2 => {
                if let [.., a, b] = self.stack[..] {
                    self.stack.extend_from_slice(&[a, b]);
                }
            }
            Op::Swap => {
                if let [.., a, b] = &mut self.stack[..] {
                    std::mem::swap(a, b);
                }
            }
            Op::Rot3 => {
                if let [.., _, _, _] = self.stack[..] {
                    let start = self.stack.len() - 3;
                    self.stack[start..].rotate_right(1);
                }
            }
            Op::Rot4 => {
                if let [.., _, _, _, _] = self.stack[..] {
                    let start = self.stack.len() - 4;
                    self.stack[start..].rotate_right(1);
                }
            }
            Op::LoadLocal(slot) => {
                let value = self.stack[place.base + slot as usize];
                self.stack.push(value);
            }
            Op::StoreLocal(slot) => {
                let value = self.pop();
                self.stack[place.base + slot as usize] = value;
            }
            Op::LoadVar(slot) => {
                let at = self.variable(self.stack[place.base + slot as usize])?;
                let value = self.read_variable(at)?;
                self.stack.push(value);
            }
            Op::StoreVar(slot) => {
                let at = self.variable(self.stack[place.base + slot as usize])?;
                let value = self.pop();
                *self.heap.body_mut(at) = Body::Variable(value);
            }
            Op::LoadCapture(index) => {
                let at = self.captured(place.closure, index)?;
                let value = self.read_variable(at)?;
                self.stack.push(value);
            }
            Op::StoreCapture(index) => {
                let at = self.captured(place.closure, index)?;
                let value = self.pop();
                *self.heap.body_mut(at) = Body::Variable(value);
            }
            Op::CheckInit(name) => {
                if let Some(Value::Empty) = self.stack.last() {
                    let name = self.constant(name).key;
                    let name = self.key_text(name);
                    return Err(Throw::error(
                        crate::error::ErrorClass::ReferenceError,
                        format!("Cannot access '{name}' before initialization"),
                    ));
                }
            }
            Op::ClearLocal(slot) => self.stack[place.base + slot as usize] = Value::Empty,
            Op::NewVar(slot) => {
                let fresh = self.heap.alloc(Body::Variable(Value::Empty));
                self.stack[place.base + slot as usize] = Value::Variable(fresh);
            }
            Op::BoxVar(slot) => {
                let value = self.stack[place.base + slot as usize];
                let fresh = self.heap.alloc(Body::Variable(value));
                self.stack[place.base + slot as usize] = Value::Variable(fresh);
            }
            Op::CopyVar(slot) => {
                let at = self.variable(self.stack[place.base + slot as usize])?;
                let value = self.read_variable(at)?;
                let fresh = self.heap.alloc(Body::Variable(value));
                self.stack[place.base + slot as usize] = Value::Variable(fresh);
            }
            Op::Global(index) => {
                let value = self.global(index);
                self.stack.push(value);
            }
            Op::Add => numeric!(op, a, b, Value::Number(a + b)),
            Op::Sub => numeric!(op, a, b, Value::Number(a - b)),
            Op::Mul => numeric!(op, a, b, Value::Number(a * b)),
            Op::Div => numeric!(op, a, b, Value::Number(a / b)),
            Op::Rem
            | Op::Pow
            | Op::BitAnd
            | Op::BitOr
            | Op::BitXor
            | Op::Shl
            | Op::Shr
            | Op::UShr => numeric!(op, a, b, Value::Number(arithmetic(op, a, b))),
            Op::Lt => numeric!(op, a, b, Value::Bool(a < b)),
            Op::Le => numeric!(op, a, b, Value::Bool(a <= b)),
            Op::Gt => numeric!(op, a, b, Value::Bool(a > b)),
            Op::Ge => numeric!(op, a, b, Value::Bool(a >= b)),
            Op::Eq => numeric!(op, a, b, Value::Bool(a == b)),
            Op::Ne => numeric!(op, a, b, Value::Bool(a != b)),
            Op::In | Op::Instanceof => self.binary(op)?,
            Op::StrictEq | Op::StrictNe => {
                let right = self.pop();
                let left = self.pop();
                let equal = self.heap.strict_equal(left, right);
                self.stack.push(Value::Bool(equal == (op == Op::StrictEq)));
            }
            Op::Neg => {
                let value = self.pop();
                let number = self.heap.to_number(value)?;
                self.stack.push(Value::Number(-number));
            }
            Op::ToNumber => {
                let value = self.pop();
                let number = self.heap.to_number(value)?;
                self.stack.push(Value::Number(number));
            }
            Op::Inc | Op::Dec => {
                let value = self.pop();
                let number = self.heap.to_number(value)?;
                let step = if op == Op::Inc { 1.0 } else { -1.0 };
                self.stack.push(Value::Number(number + step));
            }
            Op::Not => {
                let value = self.pop();
                let truthy = self.heap.truthy(value);
                self.stack.push(Value::Bool(!truthy));
            }
            Op::BitNot => {
                let value = self.pop();
                let number = self.heap.to_int32(value)?;
                self.stack.push(Value::Number(f64::from(!number)));
            }
            Op::Typeof => {
                let value = self.pop();
                let word = operate::type_of(self.heap, value);
                let word = self.heap.intern_str(word);
                self.stack.push(Value::String(word));
            }
            Op::Template(count) => self.template(count as usize)?,
            Op::Jump(to) => return Ok(After::Jump(to)),
            Op::JumpIfFalse(to) => {
                let truthy = match self.pop() {
                    Value::Bool(value) => value,
                    other => self.heap.truthy(other),
                };
                if !truthy {
                    return Ok(After::Jump(to));
                }
            }
            Op::JumpIfTrue(to) => {
                let value = self.pop();
                if self.heap.truthy(value) {
                    return Ok(After::Jump(to));
                }
            }
            Op::JumpIfFalseOrPop(to) | Op::JumpIfTrueOrPop(to) => {
                let top = self.stack.last().copied().unwrap_or_default();
                if self.heap.truthy(top) == matches!(op, Op::JumpIfTrueOrPop(_)) {
                    return Ok(After::Jump(to));
                } else {
                    self.stack.pop();
                }
            }
            Op::JumpIfValueOrPop(to) => {
                if self.stack.last().is_some_and(|top| !top.is_nullish()) {
                    return Ok(After::Jump(to));
                } else {
                    self.stack.pop();
                }
            }
            Op::JumpIfNullish(to) => {
                if self.stack.last().is_some_and(|top| top.is_nullish()) {
                    return Ok(After::Jump(to));
                }
            }
            Op::JumpIfDefined(to) => {
                if self.stack.last().is_some_and(|top| !top.is_undefined()) {
                    return Ok(After::Jump(to));
                } else {
                    self.stack.pop();
                }
            }
            Op::NewObject => {
                let object = self.heap.object();
                self.stack.push(Value::Object(object));
            }
            Op::NewArray(room) => {
                let array = self.heap.new_array(room.min(1 << 16) as usize);
                self.stack.push(array);
            }
            Op::ArrayPush | Op::ArrayHole => {
                let value = if op == Op::ArrayPush {
                    self.pop()
                } else {
                    Value::Empty
                };
                let array = self.literal(0)?;
                self.heap.meter.allocated(16);
                if let Body::Array(array) = self.heap.body_mut(array) {
                    array.items.push(value);
                }
            }
            Op::ArraySpread => {
                let value = self.pop();
                let items = match self.spread(value) {
                    Err(Throw::Error(_)) => return Err(self.not_iterable_here(value)),
                    items => items?,
                };
                let array = self.literal(0)?;
                if let Body::Array(array) = self.heap.body_mut(array) {
                    array.items.extend(items);
                }
            }
            Op::DefineProp(name) => {
                let key = self.constant(name).key;
                let value = self.pop();
                let object = self.literal(0)?;
                self.heap.meter.allocated(48);
                if let Body::Object(props) = self.heap.body_mut(object) {
                    props.set(key, value);
                }
            }
            Op::DefineIndex => {
                let value = self.pop();
                let key = self.pop();
                let key = self.heap.to_key(key)?;
                let object = self.literal(0)?;
                self.heap.meter.allocated(48);
                if let Body::Object(props) = self.heap.body_mut(object) {
                    props.set(key, value);
                }
            }
            Op::ObjectSpread => {
                let source = self.pop();
                let object = self.literal(0)?;
                self.spread_object(object, source)?;
            }
            Op::GetProp(name) => {
                let key = self.constant(name).key;
                let object = self.pop();
                if let Value::Object(at) = object
                    && let Body::Object(props) = self.heap.body(at)
                    && let Some(value) = props.get(key)
                {
                    self.stack.push(value);
                } else if let Some((kind, number)) = self.constant(name).method
                    && self.kind(object) == Some(kind)
                {
                    let method = self.heap.native(number);
                    self.stack.push(method);
                } else {
                    let value = self.get(object, key)?;
                    self.know_method(name, object, value)?;
                    self.stack.push(value);
                }
            }
            Op::GetIndex => {
                let index = self.pop();
                let object = self.pop();
                if let (Value::Object(at), Value::Number(number)) = (object, index)
                    && let Some(items) = self.heap.items(at)
                    && let Some(item) = items.get(number as usize)
                    && number as usize as f64 == number
                    && !item.is_empty()
                {
                    let item = *item;
                    self.stack.push(item);
                } else {
                    let value = self.get_index(object, index)?;
                    self.stack.push(value);
                }
            }
            Op::SetProp(name) => {
                let key = self.constant(name).key;
                let value = self.pop();
                let object = self.pop();
                self.set(object, key, value)?;
                self.stack.push(value);
            }
            Op::SetIndex => {
                let value = self.pop();
                let index = self.pop();
                let object = self.pop();
                self.set_index(object, index, value)?;
                self.stack.push(value);
            }
            Op::DeleteProp(name) => {
                let key = self.constant(name).key;
                let object = self.pop();
                self.delete(object, key)?;
                self.stack.push(Value::Bool(true));
            }
            Op::DeleteIndex => {
                let index = self.pop();
                let object = self.pop();
                let key = self.heap.to_key(index)?;
                self.delete(object, key)?;
                self.stack.push(Value::Bool(true));
            }
            Op::Call(words, count) => {
                let count = usize::from(count);
                let floor = self.stack.len() - count - 1;
                let callee = self.stack[floor];
                let called = self.call_value(callee, Value::Undefined, count, floor, words)?;
                return Ok(self.after_call(called));
            }
            Op::CallMethod(name, count) => {
                let called = self.call_method(name, usize::from(count))?;
                return Ok(self.after_call(called));
            }
            Op::CallIndex(count) => {
                let count = usize::from(count);
                let floor = self.stack.len() - count - 2;
                let (receiver, index) = (self.stack[floor], self.stack[floor + 1]);
                let callee = self.get_index(receiver, index)?;
                let words = crate::program::NO_WORDS;
                let called = self.call_value(callee, receiver, count, floor, words)?;
                return Ok(self.after_call(called));
            }
            Op::CallThis(words, count) => {
                let count = usize::from(count);
                let floor = self.stack.len() - count - 2;
                let (receiver, callee) = (self.stack[floor], self.stack[floor + 1]);
                let called = self.call_value(callee, receiver, count, floor, words)?;
                return Ok(self.after_call(called));
            }
            Op::CallGlobal(index, count) => {
                let Some(Resolved::Native(number)) = self.program.resolved.get(index as usize)
                else {
                    return Err(Throw::fault("builtin"));
                };
                let count = usize::from(count);
                let floor = self.stack.len() - count;
                // Called by its path, which has the receiver that it wants.
                let called = self.call_native(*number, Value::Empty, count, floor)?;
                return Ok(self.after_call(called));
            }
            Op::CallSpread(words) => {
                let args = self.pop();
                let floor = self.stack.len() - 2;
                let (receiver, callee) = (self.stack[floor], self.stack[floor + 1]);
                // A builtin that is called by its path comes here without a receiver.
                let receiver = match receiver {
                    Value::Undefined => Value::Empty,
                    receiver => receiver,
                };
                let args = self.spread(args)?;
                let count = args.len();
                self.make_room(self.stack.len() + count)?;
                self.stack.extend_from_slice(&args);
                let called = self.call_value(callee, receiver, count, floor, words)?;
                return Ok(self.after_call(called));
            }
            Op::Closure(number) => {
                let made = self.make_closure(number, place.base, place.closure)?;
                self.stack.push(made);
            }
            Op::Return => {
                let value = self.pop();
                self.leave(value);
                return Ok(After::Frame);
            }
            Op::Throw => {
                let value = self.pop();
                return Err(Throw::Value(value));
            }
            Op::Await(live) => {
                let value = self.pop();
                self.suspend(value, live)?;
                return Ok(After::Frame);
            }
            Op::Iterate => {
                let value = self.pop();
                let Ok(iterator) = self.iterate(value) else {
                    return Err(self.not_iterable_here(value));
                };
                self.stack.push(iterator);
            }
            Op::NextOrJump(to, slot) => {
                let iterator = self.iterator_at(place.base + usize::from(slot))?;
                match self.next(iterator)? {
                    Some(value) => self.stack.push(value),
                    None => return Ok(After::Jump(to)),
                }
            }
            Op::NextOrUndefined(slot) => {
                let iterator = self.iterator_at(place.base + slot as usize)?;
                let value = self.next(iterator)?.unwrap_or_default();
                self.stack.push(value);
            }
            Op::RestOfIterator(slot) => {
                let iterator = self.stack[place.base + slot as usize];
                let items = self.collect_iterator(iterator)?;
                let array = self.heap.array(items);
                self.stack.push(array);
            }
            Op::KeysToWalk => {
                let value = self.pop();
                let keys = self.keys_to_walk(value)?;
                self.stack.push(keys);
            }
            Op::HasKey => {
                let object = self.pop();
                let key = self.pop();
                let there = match object {
                    Value::Object(at) => {
                        let key = self.heap.to_key(key)?;
                        self.get_own(at, key)?.is_some()
                    }
                    _ => true,
                };
                self.stack.push(Value::Bool(there));
            }
            Op::RequireObject(words) => {
                let top = self.stack.last().copied().unwrap_or_default();
                if top.is_nullish() {
                    return Err(self.cannot_destructure(top, words));
                }
            }
            Op::RestOfObject(count) => self.rest_of_object(count as usize)?,
            Op::IncLocal(slot) => {
                let slot = place.base + slot as usize;
                if let Value::Number(number) = &mut self.stack[slot] {
                    *number += 1.0;
                } else {
                    let number = self.heap.to_number(self.stack[slot])?;
                    self.stack[slot] = Value::Number(number + 1.0);
                }
            }
            Op::LocalLtJump(to, slot) => {
                let right = self.pop();
                let left = self.stack[place.base + usize::from(slot)];
                let less = match (left, right) {
                    (Value::Number(a), Value::Number(b)) => a < b,
                    _ => {
                        self.stack.extend_from_slice(&[left, right]);
                        self.binary(Op::Lt)?;
                        matches!(self.pop(), Value::Bool(true))
                    }
                };
                if !less {
                    return Ok(After::Jump(to));
                }
            }
        }
        Ok(After::Next)
    }
}
