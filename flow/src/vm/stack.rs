//! The stack of values: slots, operands and registers of all frames. Above its top there is always room for
//! the registers of a function, so that the loop can see them as an array of fixed size.

use std::ops::{Deref, DerefMut};

use crate::program::lower::REGISTERS;
use crate::value::Value;

/// The stack. As a slice it is what lies below its top.
#[derive(Debug)]
pub(crate) struct Stack {
    /// At least `REGISTERS` longer than `top`; what lies above the top is stale.
    slots: Vec<Value>,
    top: usize,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            slots: vec![Value::Undefined; REGISTERS + 32],
            top: 0,
        }
    }
}

impl Deref for Stack {
    type Target = [Value];
    #[inline]
    fn deref(&self) -> &[Value] {
        &self.slots[..self.top]
    }
}

impl DerefMut for Stack {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Value] {
        &mut self.slots[..self.top]
    }
}

impl Stack {
    /// The registers of the function whose slots begin at `base`, which is not above the top.
    #[inline]
    pub(crate) fn registers(&mut self, base: usize) -> Option<&mut [Value; REGISTERS]> {
        self.slots.get_mut(base..)?.first_chunk_mut()
    }

    /// Moves the top, to where a function has written its registers.
    #[inline]
    pub(crate) fn set_top(&mut self, top: usize) {
        self.make_room(top);
        self.top = top;
    }

    #[inline]
    fn make_room(&mut self, top: usize) {
        if top + REGISTERS > self.slots.len() {
            self.grow(top);
        }
    }

    #[cold]
    fn grow(&mut self, top: usize) {
        let length = (top + REGISTERS).max(self.slots.len() * 2);
        self.slots.resize(length, Value::Undefined);
    }

    #[inline]
    pub(crate) fn push(&mut self, value: Value) {
        self.make_room(self.top + 1);
        self.slots[self.top] = value;
        self.top += 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Value> {
        self.top = self.top.checked_sub(1)?;
        Some(self.slots[self.top])
    }

    #[inline]
    pub(crate) fn truncate(&mut self, top: usize) {
        self.top = self.top.min(top);
    }

    /// Makes the stack as high as this; what is new is `undefined`.
    #[inline]
    pub(crate) fn fit(&mut self, top: usize) {
        self.make_room(top);
        if top > self.top {
            self.slots[self.top..top].fill(Value::Undefined);
        }
        self.top = top;
    }

    pub(crate) fn extend_from_slice(&mut self, values: &[Value]) {
        let top = self.top + values.len();
        self.make_room(top);
        self.slots[self.top..top].copy_from_slice(values);
        self.top = top;
    }

    /// Puts a value below what lies from `at` on.
    pub(crate) fn insert(&mut self, at: usize, value: Value) {
        self.push(value);
        self[at..].rotate_right(1);
    }
}
