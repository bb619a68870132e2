//! Calls and returns.

use super::cx::{Call, Cx, Native, Step};
use super::frame::{AsyncTask, Frame, FrameKind};
use super::state::Prepared;
use crate::builtins::{Run, registry};
use crate::error::Throw;
use crate::program::{Const, NO_WORDS, Resolved};
use crate::value::inherited::{Kind, is_inherited};
use crate::value::object::Key;
use crate::value::{Body, Ref, Value};

/// So many locals that making them is work of its own.
pub(super) const MANY_LOCALS: u32 = 256;

/// What a call led to.
pub(super) enum Called {
    /// It is done.
    Value(Value),
    /// A frame was pushed.
    Frame,
}

impl Cx<'_> {
    /// A constant, made on first use.
    #[inline]
    pub(super) fn constant(&mut self, index: u32) -> Prepared {
        let made = self.state.consts[index as usize];
        if made.value.is_empty() {
            self.make_constant(index)
        } else {
            made
        }
    }

    #[cold]
    fn make_constant(&mut self, index: u32) -> Prepared {
        let prepared = match &self.program.consts[index as usize] {
            Const::Number(number) => Prepared {
                value: Value::Number(*number),
                key: Key::Index(0),
                method: None,
                near: 0,
                is_length: false,
                is_own: false,
            },
            Const::String(units) => {
                let string = self.heap.intern(units);
                let key = self.heap.string_key(string);
                // No name of a builtin is longer.
                let is_own = units.len() > 32 || {
                    let text = String::from_utf16_lossy(units);
                    registry().method(Kind::Object, &text).is_none()
                        && !is_inherited(Kind::Object, &text)
                };
                Prepared {
                    value: Value::String(string),
                    key,
                    method: None,
                    near: 0,
                    is_own,
                    is_length: units.iter().copied().eq("length".encode_utf16()),
                }
            }
        };
        self.state.consts[index as usize] = prepared;
        prepared
    }

    /// The value of a global of the program.
    pub(super) fn global(&mut self, index: u32) -> Value {
        match self.program.resolved[index as usize] {
            Resolved::Native(number) => self.heap.native(number),
            Resolved::Namespace(number) => self.heap.namespace(number),
            Resolved::Number(number) => Value::Number(number),
        }
    }

    /// Calls a value with the top `count` values as arguments; the result replaces what is above `floor`.
    pub(super) fn call_value(
        &mut self,
        callee: Value,
        this: Value,
        count: usize,
        floor: usize,
        words: u32,
    ) -> Result<Called, Throw> {
        if let Value::Object(at) = callee {
            match self.heap.body(at) {
                Body::Closure(closure) => {
                    let function = closure.function;
                    self.enter(function, Some(at), count, floor)?;
                    return Ok(Called::Frame);
                }
                Body::Native(number) => {
                    let number = *number;
                    return self.call_native(number, this, count, floor);
                }
                _ => {}
            }
        }
        if let Some(message) = self.phrase(callee) {
            return Err(Throw::type_error(message));
        }
        let what = match self.program.consts.get(words as usize) {
            Some(Const::String(units)) if words != NO_WORDS => String::from_utf16_lossy(units),
            _ => self.describe(callee),
        };
        Err(Throw::type_error(format!("{what} is not a function")))
    }

    /// Counts the memory of a stack as high as this before it is used.
    ///
    /// # Errors
    /// When the stack would need more than the heap may have.
    #[inline]
    pub(super) fn make_room(&mut self, top: usize) -> Result<(), Throw> {
        if self.stack.has_room(top) {
            return Ok(());
        }
        self.grow_stack(top)
    }

    #[cold]
    fn grow_stack(&mut self, top: usize) -> Result<(), Throw> {
        let most = self.heap.meter.limits.heap_bytes;
        let Some(bytes) = self.stack.reserve(top, most) else {
            return Err(self.heap.meter.out_of_heap());
        };
        self.heap.meter.allocated(bytes);
        Ok(())
    }

    /// Pushes the frame of a function of the program.
    pub(super) fn enter(
        &mut self,
        number: u32,
        closure: Option<Ref>,
        count: usize,
        floor: usize,
    ) -> Result<(), Throw> {
        if self.frames.len() >= self.heap.meter.limits.depth {
            return Err(self.heap.meter.too_deep());
        }
        let function = &self.program.functions[number as usize];
        let base = self.stack.len() - count;
        let params = function.params as usize;
        let slots = base + function.locals as usize;
        self.make_room(slots)?;
        if function.locals >= MANY_LOCALS {
            self.heap.meter.owe(function.locals as usize / 16);
        }
        if function.rest {
            let rest = self
                .stack
                .get(base + params..)
                .map(<[Value]>::to_vec)
                .unwrap_or_default();
            self.stack.fit(base + params);
            let rest = self.heap.array(rest);
            self.stack.push(rest);
        } else if count > params {
            self.stack.truncate(base + params);
        }
        self.stack.fit(slots);
        let task = function.is_async.then(|| {
            let promise = self.new_promise();
            AsyncTask {
                promise,
                coroutine: None,
            }
        });
        self.frames.push(Frame {
            kind: FrameKind::Code {
                function: number,
                closure,
                task,
            },
            pc: 0,
            base: base as u32,
            floor: floor as u32,
        });
        Ok(())
    }

    /// Calls a builtin.
    pub(super) fn call_native(
        &mut self,
        number: u16,
        this: Value,
        count: usize,
        floor: usize,
    ) -> Result<Called, Throw> {
        let Some(builtin) = registry().all.get(usize::from(number)) else {
            return Err(Throw::fault("number of a builtin"));
        };
        let base = self.stack.len() - count;
        match builtin.run {
            Run::Plain(run) => {
                let call = Call {
                    this,
                    base: base as u32,
                    count: count as u32,
                    builtin: number,
                };
                let value = run(self, call)?;
                self.stack.truncate(floor);
                Ok(Called::Value(value))
            }
            Run::Stepped {
                params, registers, ..
            } => {
                if self.frames.len() >= self.heap.meter.limits.depth {
                    return Err(self.heap.meter.too_deep());
                }
                // Registers: the receiver, the arguments, then its own.
                let size = 1 + usize::from(params) + usize::from(registers);
                self.make_room(base + size)?;
                self.stack.fit(base + usize::from(params).min(count));
                self.stack.insert(base, this);
                self.stack.fit(base + size);
                self.frames.push(Frame {
                    kind: FrameKind::Native {
                        builtin: number,
                        count: count as u32,
                    },
                    pc: 0,
                    base: base as u32,
                    floor: floor as u32,
                });
                self.state.input = Value::Undefined;
                Ok(Called::Frame)
            }
        }
    }

    /// Runs the builtin frame on top until it calls or returns.
    pub(super) fn step_native(
        &mut self,
        frame: Frame,
        number: u16,
        count: u32,
    ) -> Result<(), Throw> {
        let Some(Run::Stepped { step, .. }) =
            registry().all.get(usize::from(number)).map(|b| b.run)
        else {
            return Err(Throw::fault("number of a builtin"));
        };
        let input = std::mem::take(&mut self.state.input);
        let native = Native {
            base: frame.base,
            count,
            state: frame.pc,
        };
        match step(self, native, input)? {
            Step::Return(value) => self.leave(value),
            Step::Call {
                callee,
                args,
                count,
                state,
            } => self.call_from_native(callee, &args[..usize::from(count)], state)?,
            Step::Apply {
                callee,
                args,
                state,
            } => self.call_from_native(callee, &args, state)?,
        }
        Ok(())
    }

    /// A call by the builtin frame on top, which goes on in a state.
    fn call_from_native(&mut self, callee: Value, args: &[Value], state: u32) -> Result<(), Throw> {
        if let Some(frame) = self.frames.last_mut() {
            frame.pc = state;
        }
        let floor = self.stack.len();
        self.make_room(floor + args.len())?;
        self.stack.extend_from_slice(args);
        let called = self.call_value(callee, Value::Undefined, args.len(), floor, NO_WORDS)?;
        if let Called::Value(value) = called {
            self.state.input = value;
        }
        Ok(())
    }

    /// Ends the frame on top with a value.
    pub(super) fn leave(&mut self, value: Value) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        self.stack.truncate(frame.floor as usize);
        match frame.kind {
            FrameKind::Code {
                task: Some(task), ..
            } => {
                self.resolve(task.promise, value);
                if task.coroutine.is_none() {
                    self.deliver(Value::Object(task.promise));
                }
            }
            FrameKind::Code { .. } | FrameKind::Native { .. } => self.deliver(value),
            FrameKind::Reaction(derived) => self.resolve(derived, value),
            FrameKind::Finally {
                derived,
                value: first,
                rejected,
            } => {
                self.finally_returned(derived, value, first, rejected);
            }
        }
    }

    /// Gives a value to the frame on top.
    pub(super) fn deliver(&mut self, value: Value) {
        match self.frames.last() {
            Some(Frame {
                kind: FrameKind::Code { .. },
                ..
            }) => self.stack.push(value),
            Some(_) => self.state.input = value,
            None => {}
        }
    }

    /// Calls method `name` of the receiver below the top `count` values.
    pub(super) fn call_method(&mut self, name: u32, count: usize) -> Result<Called, Throw> {
        let floor = self.stack.len() - count - 1;
        let receiver = self.stack[floor];
        let prepared = self.constant(name);
        if let Value::Object(at) = receiver
            && let Body::Object(props) = self.heap.body(at)
            && let Some(own) = props.get(prepared.key)
        {
            return self.call_own(own, receiver, prepared, count, floor);
        }
        let Some(kind) = self.kind(receiver) else {
            self.get(receiver, prepared.key)?;
            return Err(Throw::fault("receiver"));
        };
        if let Some((cached, number)) = prepared.method
            && cached == kind
        {
            return self.call_native(number, receiver, count, floor);
        }
        let Key::Name(text) = prepared.key else {
            let own = self.get(receiver, prepared.key)?;
            return self.call_own(own, receiver, prepared, count, floor);
        };
        let text = self.heap.rust_text(text);
        let has_own = match receiver {
            Value::Object(at) => self.get_own(at, prepared.key)?.is_some(),
            _ => false,
        };
        if !has_own && let Some(number) = registry().method_or_inherited(kind, &text) {
            if keeps_methods(kind) {
                self.state.consts[name as usize].method = Some((kind, number));
            }
            return self.call_native(number, receiver, count, floor);
        }
        let own = self.get(receiver, prepared.key)?;
        self.call_own(own, receiver, prepared, count, floor)
    }

    /// Keeps which builtin a name means for the kind of a receiver of which it was read.
    pub(super) fn know_method(
        &mut self,
        name: u32,
        receiver: Value,
        found: Value,
    ) -> Result<(), Throw> {
        let Value::Object(found) = found else {
            return Ok(());
        };
        let Body::Native(number) = *self.heap.body(found) else {
            return Ok(());
        };
        let Some(kind) = self.kind(receiver).filter(|kind| keeps_methods(*kind)) else {
            return Ok(());
        };
        let key = self.constant(name).key;
        let is_own = match receiver {
            Value::Object(at) => self.get_own(at, key)?.is_some(),
            _ => false,
        };
        if !is_own {
            self.state.consts[name as usize].method = Some((kind, number));
        }
        Ok(())
    }

    fn call_own(
        &mut self,
        own: Value,
        receiver: Value,
        name: Prepared,
        count: usize,
        floor: usize,
    ) -> Result<Called, Throw> {
        if !self.heap.is_callable(own) {
            if let Some(message) = self.phrase(own) {
                return Err(Throw::type_error(message));
            }
            let name = self.key_text(name.key);
            let what = super::operate::type_name(self.heap, receiver);
            let message = format!("'{name}' is not a function of {what}");
            return Err(Throw::type_error(message));
        }
        self.call_value(own, receiver, count, floor, NO_WORDS)
    }
}

/// Whether a method of a kind stays what it is: plain objects, errors and namespaces may get a property of its name.
fn keeps_methods(kind: Kind) -> bool {
    !matches!(kind, Kind::Object | Kind::Error | Kind::Function)
}
