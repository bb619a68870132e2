//! What a builtin sees of the VM: the heap, its arguments, and how it calls back.

use std::rc::Rc;

use crate::error::Throw;
use crate::host::Host;
use crate::program::Program;
use crate::value::{Heap, Ref, Value};
use crate::vm::frame::Frame;
use crate::vm::stack::Stack;
use crate::vm::state::State;

/// The context of a running step.
pub struct Cx<'a> {
    /// All values.
    pub heap: &'a mut Heap,
    /// The world.
    pub host: &'a mut dyn Host,
    /// Locals, operands and registers of all frames.
    pub(crate) stack: &'a mut Stack,
    /// What runs.
    pub(crate) frames: &'a mut Vec<Frame>,
    /// The code.
    pub(crate) program: &'a Program,
    /// Promises, jobs and caches.
    pub(crate) state: &'a mut State,
}

/// A call of a plain builtin.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The receiver; `undefined` for a plain call.
    pub this: Value,
    pub(crate) base: u32,
    /// The number of arguments.
    pub count: u32,
    /// Which builtin it is.
    pub(crate) builtin: u16,
}

/// A frame of a stepped builtin.
#[derive(Clone, Copy, Debug)]
pub struct Native {
    pub(crate) base: u32,
    /// The number of arguments that were given.
    pub count: u32,
    /// Where its state machine is: 0 at first, then what the last `Step::Call` said.
    pub state: u32,
}

/// What a stepped builtin does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// It is done.
    Return(Value),
    /// Calls a function; `step` is called again in `state` with its result.
    Call {
        /// The function; not callable is a TypeError.
        callee: Value,
        /// Up to four arguments: `args[..count]`.
        args: [Value; 4],
        /// How many.
        count: u8,
        /// The next state.
        state: u32,
    },
    /// As `Call`, with any number of arguments.
    Apply {
        /// The function; not callable is a TypeError.
        callee: Value,
        /// The arguments.
        args: Vec<Value>,
        /// The next state.
        state: u32,
    },
}

impl Step {
    /// A call of `callee` with some arguments, at most four.
    #[must_use]
    pub fn call(callee: Value, given: &[Value], state: u32) -> Self {
        let mut args = [Value::Undefined; 4];
        let count = given.len().min(4);
        args[..count].copy_from_slice(&given[..count]);
        Self::Call {
            callee,
            args,
            count: count as u8,
            state,
        }
    }
}

impl Cx<'_> {
    /// Argument `at` of a plain call; `undefined` if it was not given.
    #[must_use]
    #[inline]
    pub fn arg(&self, call: Call, at: usize) -> Value {
        if at < call.count as usize {
            self.stack[call.base as usize + at]
        } else {
            Value::Undefined
        }
    }

    /// All arguments of a plain call.
    #[must_use]
    pub fn args(&self, call: Call) -> Vec<Value> {
        self.stack[call.base as usize..(call.base + call.count) as usize].to_vec()
    }

    /// A register of a stepped builtin: 0 the receiver, 1 … the arguments, then its own.
    #[must_use]
    #[inline]
    pub fn reg(&self, frame: Native, at: usize) -> Value {
        self.stack[frame.base as usize + at]
    }

    /// Sets a register.
    #[inline]
    pub fn set_reg(&mut self, frame: Native, at: usize, value: Value) {
        self.stack[frame.base as usize + at] = value;
    }

    /// Counts `amount` instructions and, every few thousand, asks the host whether to stop.
    ///
    /// # Errors
    /// When the fuel is used up or the host wants to stop.
    pub fn work(&mut self, amount: usize) -> Result<(), Throw> {
        self.heap.meter.spend(amount)?;
        if amount >= 4096 || self.heap.meter.countdown == 0 {
            self.host.tick().map_err(Throw::interrupt)?;
        }
        Ok(())
    }

    /// Pays for what was done without asking, in a loop over values that may be long strings.
    ///
    /// # Errors
    /// As of `work`, and when strings that were flattened take too much memory.
    #[inline]
    pub fn pay(&mut self) -> Result<(), Throw> {
        if self.heap.meter.countdown < 0 {
            return self.work(0);
        }
        Ok(())
    }

    /// The units of a string value after conversion with `String(value)`.
    ///
    /// # Errors
    /// For values without a string form.
    pub fn units(&mut self, value: Value) -> Result<Rc<[u16]>, Throw> {
        let string = self.heap.to_string(value)?;
        Ok(self.heap.text(string))
    }

    /// As `units`, as a handle.
    ///
    /// # Errors
    /// For values without a string form.
    pub fn string(&mut self, value: Value) -> Result<Ref, Throw> {
        self.heap.to_string(value)
    }
}
