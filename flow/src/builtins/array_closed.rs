//! The methods that change an array, for arrays that are frozen, sealed or not extensible: element by element, as
//! ECMAScript writes them down, so that what is allowed happens and what is not throws where it does in JavaScript.

use crate::error::Throw;
use crate::value::object::{Integrity, Key};
use crate::value::{Body, Ref, Value};
use crate::vm::cx::Cx;

/// An array that is not open, while a method changes it.
pub(super) struct Closed<'a, 'c> {
    cx: &'a mut Cx<'c>,
    array: Value,
    length: usize,
}

/// The array if it is not open.
pub(super) fn closed<'a, 'c>(cx: &'a mut Cx<'c>, at: Ref) -> Option<Closed<'a, 'c>> {
    match cx.heap.body(at) {
        Body::Array(array) if array.integrity() != Integrity::Open => {
            let length = array.items.len();
            Some(Closed {
                cx,
                array: Value::Object(at),
                length,
            })
        }
        _ => None,
    }
}

impl Closed<'_, '_> {
    fn item(&mut self, at: usize) -> Result<Option<Value>, Throw> {
        self.cx.work(1)?;
        match self.array {
            Value::Object(array) => self.cx.get_own(array, Key::Index(at as u32)),
            _ => Ok(None),
        }
    }

    fn set(&mut self, at: usize, value: Value) -> Result<(), Throw> {
        self.cx.work(1)?;
        self.cx.set(self.array, Key::Index(at as u32), value)
    }

    fn delete(&mut self, at: usize) -> Result<(), Throw> {
        self.cx.work(1)?;
        self.cx.delete(self.array, Key::Index(at as u32))
    }

    fn set_length(&mut self, length: usize) -> Result<(), Throw> {
        let key = Key::Name(self.cx.heap.intern_str("length"));
        self.cx.set(self.array, key, Value::from(length))
    }

    /// Puts what is at `from`, a hole too, to `to`.
    fn shift_item(&mut self, from: usize, to: usize) -> Result<(), Throw> {
        match self.item(from)? {
            Some(value) => self.set(to, value),
            None => self.delete(to),
        }
    }

    pub(super) fn push(mut self, values: Vec<Value>) -> Result<Value, Throw> {
        let length = self.length + values.len();
        for (index, value) in values.into_iter().enumerate() {
            self.set(self.length + index, value)?;
        }
        self.set_length(length)?;
        Ok(Value::from(length))
    }

    pub(super) fn pop(mut self) -> Result<Value, Throw> {
        let Some(last) = self.length.checked_sub(1) else {
            self.set_length(0)?;
            return Ok(Value::Undefined);
        };
        let value = self.item(last)?.unwrap_or_default();
        self.delete(last)?;
        self.set_length(last)?;
        Ok(value)
    }

    pub(super) fn shift(mut self) -> Result<Value, Throw> {
        let Some(last) = self.length.checked_sub(1) else {
            self.set_length(0)?;
            return Ok(Value::Undefined);
        };
        let value = self.item(0)?.unwrap_or_default();
        for from in 1..self.length {
            self.shift_item(from, from - 1)?;
        }
        self.delete(last)?;
        self.set_length(last)?;
        Ok(value)
    }

    pub(super) fn unshift(mut self, values: Vec<Value>) -> Result<Value, Throw> {
        let length = self.length + values.len();
        if !values.is_empty() {
            for from in (0..self.length).rev() {
                self.shift_item(from, from + values.len())?;
            }
            for (index, value) in values.into_iter().enumerate() {
                self.set(index, value)?;
            }
        }
        self.set_length(length)?;
        Ok(Value::from(length))
    }

    pub(super) fn reverse(mut self) -> Result<Value, Throw> {
        for low in 0..self.length / 2 {
            let high = self.length - 1 - low;
            match (self.item(low)?, self.item(high)?) {
                (Some(first), Some(last)) => {
                    self.set(low, last)?;
                    self.set(high, first)?;
                }
                (None, Some(last)) => {
                    self.set(low, last)?;
                    self.delete(high)?;
                }
                (Some(first), None) => {
                    self.delete(low)?;
                    self.set(high, first)?;
                }
                (None, None) => {}
            }
        }
        Ok(self.array)
    }

    pub(super) fn fill(mut self, start: usize, end: usize, value: Value) -> Result<Value, Throw> {
        for at in start..end {
            self.set(at, value)?;
        }
        Ok(self.array)
    }

    pub(super) fn copy_within(
        mut self,
        to: usize,
        from: usize,
        count: usize,
    ) -> Result<Value, Throw> {
        for step in 0..count {
            let at = if from < to { count - 1 - step } else { step };
            self.shift_item(from + at, to + at)?;
        }
        Ok(self.array)
    }

    pub(super) fn splice(
        mut self,
        start: usize,
        count: usize,
        added: Vec<Value>,
    ) -> Result<Value, Throw> {
        let mut removed = Vec::with_capacity(count);
        for at in start..start + count {
            removed.push(self.item(at)?.unwrap_or(Value::Empty));
        }
        let length = self.length - count + added.len();
        if added.len() < count {
            for from in start + count..self.length {
                self.shift_item(from, from - count + added.len())?;
            }
            for at in (length..self.length).rev() {
                self.delete(at)?;
            }
        } else if added.len() > count {
            for from in (start + count..self.length).rev() {
                self.shift_item(from, from - count + added.len())?;
            }
        }
        for (index, value) in added.into_iter().enumerate() {
            self.set(start + index, value)?;
        }
        self.set_length(length)?;
        Ok(self.cx.heap.array(removed))
    }
}
