//! `===`, `==`, SameValue and SameValueZero.

use std::rc::Rc;

use super::coerce::Hint;
use super::string::Text;
use super::{Body, Heap, Ref, Value};
use crate::error::Throw;

/// Strings of so many units pay for being compared.
const LONG: usize = 256;

impl Heap {
    /// `left === right`
    #[inline]
    pub fn strict_equal(&mut self, left: Value, right: Value) -> bool {
        match (left, right) {
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::String(a), Value::String(b)) => self.same_text(a, b),
            (Value::Object(a), Value::Object(b)) => a == b,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Undefined, Value::Undefined) | (Value::Null, Value::Null) => true,
            _ => false,
        }
    }

    /// Whether two strings have the same units.
    pub fn same_text(&mut self, left: Ref, right: Ref) -> bool {
        if left == right {
            return true;
        }
        if let (Body::String { text: a, atom: x }, Body::String { text: b, atom: y }) =
            (self.body(left), self.body(right))
        {
            if let (Some(x), Some(y)) = (x, y) {
                return x == y;
            }
            if a.len() != b.len() {
                return false;
            }
            if let (Text::Flat(a), Text::Flat(b)) = (a, b)
                && a.len() < LONG
            {
                return a == b;
            }
        }
        self.same_long_text(left, right)
    }

    /// Comparing long strings is work of its own.
    #[cold]
    fn same_long_text(&mut self, left: Ref, right: Ref) -> bool {
        let (a, b) = (self.text(left), self.text(right));
        if Rc::ptr_eq(&a, &b) {
            return true;
        }
        self.meter.owe(a.len() / 16);
        a == b
    }

    /// Equality of `includes`, `Map` and `Set`: NaN is itself.
    pub fn same_value_zero(&mut self, left: Value, right: Value) -> bool {
        matches!((left, right), (Value::Number(a), Value::Number(b)) if a.is_nan() && b.is_nan())
            || self.strict_equal(left, right)
    }

    /// `Object.is`: NaN is itself, and 0 is not −0.
    pub fn same_value(&mut self, left: Value, right: Value) -> bool {
        match (left, right) {
            (Value::Number(a), Value::Number(b)) => {
                (a.is_nan() && b.is_nan())
                    || (a == b && a.is_sign_negative() == b.is_sign_negative())
            }
            _ => self.strict_equal(left, right),
        }
    }

    /// `left == right`
    ///
    /// # Errors
    /// For an object that has no primitive form.
    pub fn loose_equal(&mut self, left: Value, right: Value) -> Result<bool, Throw> {
        if left.is_nullish() || right.is_nullish() {
            return Ok(left.is_nullish() && right.is_nullish());
        }
        match (left, right) {
            (Value::Object(a), Value::Object(b)) => Ok(a == b),
            (Value::Object(_), _) => {
                let left = self.to_primitive(left, Hint::Default)?;
                self.loose_primitives(left, right)
            }
            (_, Value::Object(_)) => {
                let right = self.to_primitive(right, Hint::Default)?;
                self.loose_primitives(left, right)
            }
            _ => self.loose_primitives(left, right),
        }
    }

    fn loose_primitives(&mut self, left: Value, right: Value) -> Result<bool, Throw> {
        if let (Value::String(a), Value::String(b)) = (left, right) {
            return Ok(self.same_text(a, b));
        }
        Ok(self.to_number(left)? == self.to_number(right)?)
    }
}
