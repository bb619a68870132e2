//! The machine that runs a program. This file is the dispatch loop, and only that.
//!
//! Frames and values are explicit: nothing a program does recurses on the Rust stack. The loop runs
//! the function on top of the frames; builtins that call functions are frames too (`call`).

mod call;
pub mod cx;
mod frame;
mod grouping;
mod iterate;
pub mod operate;
mod outcome;
mod promise;
mod property;
mod run;
pub(crate) mod state;
mod unwind;

pub use run::{ContextInfo, ExecutionError, Outcome, Start, Vm};

use crate::error::{Fatal, Throw};
use crate::op::Op;
use crate::program::Resolved;
use crate::value::heap::Closure;
use crate::value::{Body, Ref, Value};
use call::Called;
use cx::Cx;
use frame::FrameKind;
use operate::arithmetic;

impl Cx<'_> {
    /// Runs until no frame is left.
    fn run_frames(&mut self) -> Result<(), Box<Fatal>> {
        while let Some(frame) = self.top() {
            let done = match frame.kind {
                FrameKind::Code { .. } => self.run_code(),
                FrameKind::Native { builtin, count } => self
                    .between()
                    .and_then(|()| self.step_native(frame, builtin, count)),
                FrameKind::Reaction(_) | FrameKind::Finally { .. } => {
                    let value = std::mem::take(&mut self.state.input);
                    self.leave(value);
                    Ok(())
                }
            };
            if let Err(throw) = done {
                self.unwind(throw)?;
            }
        }
        Ok(())
    }

    /// Between two steps of a builtin.
    fn between(&mut self) -> Result<(), Throw> {
        self.heap.meter.countdown -= 1;
        if self.heap.meter.countdown < 0 {
            self.pause()
        } else {
            Ok(())
        }
    }

    /// Between two instructions: interrupts, garbage, fuel.
    #[cold]
    fn pause(&mut self) -> Result<(), Throw> {
        self.host.tick().map_err(Throw::interrupt)?;
        if self.heap.meter.collection_due() {
            self.collect()?;
        }
        self.heap.meter.refill()
    }

    /// Frees what nobody can reach.
    fn collect(&mut self) -> Result<(), Throw> {
        let (stack, frames, state) = (&*self.stack, &*self.frames, &*self.state);
        self.heap.collect(|tracer| {
            stack.iter().for_each(|value| tracer.value(*value));
            state.trace(tracer);
            for frame in frames {
                match frame.kind {
                    FrameKind::Code { closure, task, .. } => {
                        closure.iter().for_each(|at| tracer.mark(*at));
                        if let Some(task) = task {
                            tracer.mark(task.promise);
                            task.coroutine.iter().for_each(|at| tracer.mark(*at));
                        }
                    }
                    FrameKind::Native { .. } => {}
                    FrameKind::Reaction(derived) => tracer.mark(derived),
                    FrameKind::Finally { derived, value, .. } => {
                        tracer.mark(derived);
                        tracer.value(value);
                    }
                }
            }
        })
    }

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
        let captures = &self.program.functions[number as usize].captures;
        let mut refs = Vec::with_capacity(captures.len());
        for capture in captures {
            refs.push(match capture {
                crate::program::Capture::Local(slot) => {
                    self.variable(self.stack[base + *slot as usize])?
                }
                crate::program::Capture::Outer(index) => self.captured(own, *index)?,
            });
        }
        let closure = Closure {
            function: number,
            captures: refs.into(),
        };
        Ok(Value::Object(
            self.heap.alloc(Body::Closure(Box::new(closure))),
        ))
    }

    /// Runs the function on top until a frame is pushed or popped.
    fn run_code(&mut self) -> Result<(), Throw> {
        let program = self.program;
        'frame: loop {
            let Some(frame) = self.frames.last() else {
                return Ok(());
            };
            let FrameKind::Code {
                function,
                closure,
                task,
            } = frame.kind
            else {
                return Ok(());
            };
            let function = &program.functions[function as usize];
            let code = &function.code[..];
            let base = frame.base as usize;
            let mut pc = frame.pc as usize;

            // Saves where the frame is: a callee returns there, and errors look up their place.
            macro_rules! save {
                () => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.pc = pc as u32;
                    }
                };
            }
            macro_rules! check {
                ($result:expr) => {
                    match $result {
                        Ok(value) => value,
                        Err(throw) => {
                            save!();
                            return Err(throw);
                        }
                    }
                };
            }
            macro_rules! called {
                ($result:expr) => {
                    match $result? {
                        Called::Value(value) => self.stack.push(value),
                        Called::Frame => continue 'frame,
                    }
                };
            }
            macro_rules! numeric {
                ($op:expr, $a:ident, $b:ident, $result:expr) => {{
                    if let [.., left, right] = self.stack.as_mut_slice()
                        && let (Value::Number($a), Value::Number($b)) = (*left, *right)
                    {
                        *left = $result;
                        self.stack.pop();
                    } else {
                        check!(self.binary($op));
                    }
                }};
            }

            loop {
                self.heap.meter.countdown -= 1;
                if self.heap.meter.countdown < 0 {
                    check!(self.pause());
                }
                let op = code[pc];
                pc += 1;
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
                            self.stack.extend([a, b]);
                        }
                    }
                    Op::Swap => {
                        if let [.., a, b] = self.stack.as_mut_slice() {
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
                        let value = self.stack[base + slot as usize];
                        self.stack.push(value);
                    }
                    Op::StoreLocal(slot) => {
                        let value = self.pop();
                        self.stack[base + slot as usize] = value;
                    }
                    Op::LoadVar(slot) => {
                        let at = check!(self.variable(self.stack[base + slot as usize]));
                        let value = check!(self.read_variable(at));
                        self.stack.push(value);
                    }
                    Op::StoreVar(slot) => {
                        let at = check!(self.variable(self.stack[base + slot as usize]));
                        let value = self.pop();
                        *self.heap.body_mut(at) = Body::Variable(value);
                    }
                    Op::LoadCapture(index) => {
                        let at = check!(self.captured(closure, index));
                        let value = check!(self.read_variable(at));
                        self.stack.push(value);
                    }
                    Op::StoreCapture(index) => {
                        let at = check!(self.captured(closure, index));
                        let value = self.pop();
                        *self.heap.body_mut(at) = Body::Variable(value);
                    }
                    Op::CheckInit(name) => {
                        if let Some(Value::Empty) = self.stack.last() {
                            let name = self.constant(name).key;
                            let name = self.key_text(name);
                            check!(Err(Throw::error(
                                crate::error::ErrorClass::ReferenceError,
                                format!("Cannot access '{name}' before initialization"),
                            )));
                        }
                    }
                    Op::ClearLocal(slot) => self.stack[base + slot as usize] = Value::Empty,
                    Op::NewVar(slot) => {
                        let fresh = self.heap.alloc(Body::Variable(Value::Empty));
                        self.stack[base + slot as usize] = Value::Variable(fresh);
                    }
                    Op::BoxVar(slot) => {
                        let value = self.stack[base + slot as usize];
                        let fresh = self.heap.alloc(Body::Variable(value));
                        self.stack[base + slot as usize] = Value::Variable(fresh);
                    }
                    Op::CopyVar(slot) => {
                        let at = check!(self.variable(self.stack[base + slot as usize]));
                        let value = check!(self.read_variable(at));
                        let fresh = self.heap.alloc(Body::Variable(value));
                        self.stack[base + slot as usize] = Value::Variable(fresh);
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
                    Op::In | Op::Instanceof => check!(self.binary(op)),
                    Op::StrictEq | Op::StrictNe => {
                        let right = self.pop();
                        let left = self.pop();
                        let equal = self.heap.strict_equal(left, right);
                        self.stack.push(Value::Bool(equal == (op == Op::StrictEq)));
                    }
                    Op::Neg => {
                        let value = self.pop();
                        let number = check!(self.heap.to_number(value));
                        self.stack.push(Value::Number(-number));
                    }
                    Op::ToNumber => {
                        let value = self.pop();
                        let number = check!(self.heap.to_number(value));
                        self.stack.push(Value::Number(number));
                    }
                    Op::Inc | Op::Dec => {
                        let value = self.pop();
                        let number = check!(self.heap.to_number(value));
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
                        let number = check!(self.heap.to_int32(value));
                        self.stack.push(Value::Number(f64::from(!number)));
                    }
                    Op::Typeof => {
                        let value = self.pop();
                        let word = operate::type_of(self.heap, value);
                        let word = self.heap.intern_str(word);
                        self.stack.push(Value::String(word));
                    }
                    Op::Template(count) => check!(self.template(count as usize)),
                    Op::Jump(to) => pc = to as usize,
                    Op::JumpIfFalse(to) => {
                        let truthy = match self.pop() {
                            Value::Bool(value) => value,
                            other => self.heap.truthy(other),
                        };
                        if !truthy {
                            pc = to as usize;
                        }
                    }
                    Op::JumpIfTrue(to) => {
                        let value = self.pop();
                        if self.heap.truthy(value) {
                            pc = to as usize;
                        }
                    }
                    Op::JumpIfFalseOrPop(to) | Op::JumpIfTrueOrPop(to) => {
                        let top = self.stack.last().copied().unwrap_or_default();
                        if self.heap.truthy(top) == matches!(op, Op::JumpIfTrueOrPop(_)) {
                            pc = to as usize;
                        } else {
                            self.stack.pop();
                        }
                    }
                    Op::JumpIfValueOrPop(to) => {
                        if self.stack.last().is_some_and(|top| !top.is_nullish()) {
                            pc = to as usize;
                        } else {
                            self.stack.pop();
                        }
                    }
                    Op::JumpIfNullish(to) => {
                        if self.stack.last().is_some_and(|top| top.is_nullish()) {
                            pc = to as usize;
                        }
                    }
                    Op::JumpIfDefined(to) => {
                        if self.stack.last().is_some_and(|top| !top.is_undefined()) {
                            pc = to as usize;
                        } else {
                            self.stack.pop();
                        }
                    }
                    Op::NewObject => {
                        let object = self.heap.object();
                        self.stack.push(Value::Object(object));
                    }
                    Op::NewArray(room) => {
                        let array = self
                            .heap
                            .array(Vec::with_capacity(room.min(1 << 16) as usize));
                        self.stack.push(array);
                    }
                    Op::ArrayPush | Op::ArrayHole => {
                        let value = if op == Op::ArrayPush {
                            self.pop()
                        } else {
                            Value::Empty
                        };
                        let array = check!(self.literal(0));
                        self.heap.meter.allocated(16);
                        if let Body::Array(array) = self.heap.body_mut(array) {
                            array.items.push(value);
                        }
                    }
                    Op::ArraySpread => {
                        let value = self.pop();
                        let items = check!(self.spread(value));
                        let array = check!(self.literal(0));
                        if let Body::Array(array) = self.heap.body_mut(array) {
                            array.items.extend(items);
                        }
                    }
                    Op::DefineProp(name) => {
                        let key = self.constant(name).key;
                        let value = self.pop();
                        let object = check!(self.literal(0));
                        self.heap.meter.allocated(48);
                        if let Body::Object(props) = self.heap.body_mut(object) {
                            props.set(key, value);
                        }
                    }
                    Op::DefineIndex => {
                        let value = self.pop();
                        let key = self.pop();
                        let key = check!(self.heap.to_key(key));
                        let object = check!(self.literal(0));
                        self.heap.meter.allocated(48);
                        if let Body::Object(props) = self.heap.body_mut(object) {
                            props.set(key, value);
                        }
                    }
                    Op::ObjectSpread => {
                        let source = self.pop();
                        let object = check!(self.literal(0));
                        check!(self.spread_object(object, source));
                    }
                    Op::GetProp(name) => {
                        let key = self.constant(name).key;
                        let object = self.pop();
                        if let Value::Object(at) = object
                            && let Body::Object(props) = self.heap.body(at)
                            && let Some(value) = props.get(key)
                        {
                            self.stack.push(value);
                        } else {
                            let value = check!(self.get(object, key));
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
                            let value = check!(self.get_index(object, index));
                            self.stack.push(value);
                        }
                    }
                    Op::SetProp(name) => {
                        let key = self.constant(name).key;
                        let value = self.pop();
                        let object = self.pop();
                        check!(self.set(object, key, value));
                        self.stack.push(value);
                    }
                    Op::SetIndex => {
                        let value = self.pop();
                        let index = self.pop();
                        let object = self.pop();
                        check!(self.set_index(object, index, value));
                        self.stack.push(value);
                    }
                    Op::DeleteProp(name) => {
                        let key = self.constant(name).key;
                        let object = self.pop();
                        check!(self.delete(object, key));
                        self.stack.push(Value::Bool(true));
                    }
                    Op::DeleteIndex => {
                        let index = self.pop();
                        let object = self.pop();
                        let key = check!(self.heap.to_key(index));
                        check!(self.delete(object, key));
                        self.stack.push(Value::Bool(true));
                    }
                    Op::Call(words, count) => {
                        save!();
                        let count = usize::from(count);
                        let floor = self.stack.len() - count - 1;
                        let callee = self.stack[floor];
                        called!(self.call_value(callee, Value::Undefined, count, floor, words));
                    }
                    Op::CallMethod(name, count) => {
                        save!();
                        called!(self.call_method(name, usize::from(count)));
                    }
                    Op::CallIndex(count) => {
                        save!();
                        let count = usize::from(count);
                        let floor = self.stack.len() - count - 2;
                        let (receiver, index) = (self.stack[floor], self.stack[floor + 1]);
                        let callee = self.get_index(receiver, index)?;
                        let words = crate::program::NO_WORDS;
                        called!(self.call_value(callee, receiver, count, floor, words));
                    }
                    Op::CallThis(words, count) => {
                        save!();
                        let count = usize::from(count);
                        let floor = self.stack.len() - count - 2;
                        let (receiver, callee) = (self.stack[floor], self.stack[floor + 1]);
                        called!(self.call_value(callee, receiver, count, floor, words));
                    }
                    Op::CallGlobal(index, count) => {
                        save!();
                        let Some(Resolved::Native(number)) = program.resolved.get(index as usize)
                        else {
                            return Err(Throw::fault("builtin"));
                        };
                        let count = usize::from(count);
                        let floor = self.stack.len() - count;
                        called!(self.call_native(*number, Value::Undefined, count, floor));
                    }
                    Op::CallSpread(words) => {
                        save!();
                        let args = self.pop();
                        let floor = self.stack.len() - 2;
                        let (receiver, callee) = (self.stack[floor], self.stack[floor + 1]);
                        let args = self.spread(args)?;
                        let count = args.len();
                        self.stack.extend(args);
                        called!(self.call_value(callee, receiver, count, floor, words));
                    }
                    Op::Closure(number) => {
                        let made = check!(self.make_closure(number, base, closure));
                        self.stack.push(made);
                    }
                    Op::Return => {
                        let value = self.pop();
                        if task.is_some() {
                            save!();
                            self.leave(value);
                            return Ok(());
                        }
                        if let Some(frame) = self.frames.pop() {
                            self.stack.truncate(frame.floor as usize);
                        }
                        self.deliver(value);
                        continue 'frame;
                    }
                    Op::Throw => {
                        let value = self.pop();
                        check!(Err(Throw::Value(value)));
                    }
                    Op::Await(live) => {
                        save!();
                        let value = self.pop();
                        self.suspend(value, live)?;
                        continue 'frame;
                    }
                    Op::Iterate => {
                        let value = self.pop();
                        let iterator = check!(self.iterate(value));
                        self.stack.push(iterator);
                    }
                    Op::NextOrJump(to, slot) => {
                        let iterator = check!(self.iterator_at(base + usize::from(slot)));
                        match check!(self.next(iterator)) {
                            Some(value) => self.stack.push(value),
                            None => pc = to as usize,
                        }
                    }
                    Op::NextOrUndefined(slot) => {
                        let iterator = check!(self.iterator_at(base + slot as usize));
                        let value = check!(self.next(iterator)).unwrap_or_default();
                        self.stack.push(value);
                    }
                    Op::RestOfIterator(slot) => {
                        let iterator = self.stack[base + slot as usize];
                        let items = check!(self.collect_iterator(iterator));
                        let array = self.heap.array(items);
                        self.stack.push(array);
                    }
                    Op::KeysToWalk => {
                        let value = self.pop();
                        let keys = check!(self.keys_to_walk(value));
                        self.stack.push(keys);
                    }
                    Op::HasKey => {
                        let object = self.pop();
                        let key = self.pop();
                        let there = match object {
                            Value::Object(at) => {
                                let key = check!(self.heap.to_key(key));
                                check!(self.get_own(at, key)).is_some()
                            }
                            _ => true,
                        };
                        self.stack.push(Value::Bool(there));
                    }
                    Op::RequireObject(words) => {
                        let top = self.stack.last().copied().unwrap_or_default();
                        if top.is_nullish() {
                            let pattern = self.constant(words).key;
                            let pattern = self.key_text(pattern);
                            let value = self.describe(top);
                            check!(Err(Throw::type_error(format!(
                                "Cannot destructure '{pattern}' as it is {value}."
                            ))));
                        }
                    }
                    Op::RestOfObject(count) => check!(self.rest_of_object(count as usize)),
                    Op::IncLocal(slot) => {
                        let slot = base + slot as usize;
                        if let Value::Number(number) = &mut self.stack[slot] {
                            *number += 1.0;
                        } else {
                            let number = check!(self.heap.to_number(self.stack[slot]));
                            self.stack[slot] = Value::Number(number + 1.0);
                        }
                    }
                    Op::LocalLtJump(to, slot) => {
                        let right = self.pop();
                        let left = self.stack[base + usize::from(slot)];
                        let less = match (left, right) {
                            (Value::Number(a), Value::Number(b)) => a < b,
                            _ => {
                                self.stack.extend([left, right]);
                                check!(self.binary(Op::Lt));
                                matches!(self.pop(), Value::Bool(true))
                            }
                        };
                        if !less {
                            pc = to as usize;
                        }
                    }
                }
            }
        }
    }
}
