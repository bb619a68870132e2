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
    /// How many of the slots the meter knows of: operands may make the stack grow before a call asks.
    counted: usize,
}

/// A stack below this is never made smaller.
const KEPT: usize = 4096;

impl Default for Stack {
    fn default() -> Self {
        Self {
            slots: vec![Value::Undefined; REGISTERS + 32],
            top: 0,
            counted: REGISTERS + 32,
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

    /// Whether the stack can be as high as this without more memory than the meter knows of.
    #[inline]
    pub(crate) fn has_room(&self, top: usize) -> bool {
        top + REGISTERS <= self.counted
    }

    /// Makes room for a stack as high as this, of at most `most` bytes: the bytes that the meter does not know
    /// of yet, or nothing if that is too much.
    pub(crate) fn reserve(&mut self, top: usize, most: usize) -> Option<usize> {
        let wanted = top.checked_add(REGISTERS)?;
        let most = most / size_of::<Value>();
        if wanted > most.max(KEPT) {
            return None;
        }
        if wanted > self.slots.len() {
            let length = wanted.max((self.slots.len() * 2).min(most));
            self.slots.reserve_exact(length - self.slots.len());
            self.slots.resize(length, Value::Undefined);
        }
        let new = self.slots.len() - self.counted;
        self.counted = self.slots.len();
        Some(new * size_of::<Value>())
    }

    /// Gives memory back that a stack of this height does not need.
    pub(crate) fn shrink(&mut self) {
        let wanted = ((self.top + REGISTERS) * 2).max(KEPT);
        if self.slots.len() > wanted * 2 {
            self.slots.truncate(wanted);
            self.slots.shrink_to_fit();
        }
        self.counted = self.slots.len();
    }

    /// What the stack takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Value>()
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
