//! Operators, where the operands are not simply two numbers.

use super::cx::Cx;
use crate::builtins::registry;
use crate::error::{ErrorClass, Throw};
use crate::op::Op;
use crate::value::coerce::{Hint, int32};
use crate::value::{Body, Heap, Ref, Value};

/// `typeof value`
#[must_use]
pub fn type_of(heap: &Heap, value: Value) -> &'static str {
    match value {
        Value::Undefined | Value::Empty => "undefined",
        Value::Null => "object",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Object(_) | Value::Variable(_) if heap.is_callable(value) => "function",
        Value::Object(_) | Value::Variable(_) => "object",
    }
}

/// A word for a kind of value, for messages.
#[must_use]
pub fn type_name(heap: &Heap, value: Value) -> &'static str {
    match value {
        Value::Undefined | Value::Empty | Value::Variable(_) => "undefined",
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Object(at) => match heap.body(at) {
            Body::Array(_) => "an array",
            Body::Closure(_) | Body::Native(_) => "a function",
            Body::Promise(_) => "a promise",
            Body::Error(_) => "an error",
            Body::Date(_) => "a date",
            Body::Map(_) => "a map",
            Body::Set(_) => "a set",
            Body::Iterator(_) => "an iterator",
            Body::Regex(_) => "a regular expression",
            _ => "an object",
        },
    }
}

impl Cx<'_> {
    /// A binary operator on the top two operands.
    #[inline(never)]
    pub(super) fn binary(&mut self, op: Op) -> Result<(), Throw> {
        let right = self.stack.pop().unwrap_or_default();
        let left = self.stack.pop().unwrap_or_default();
        let value = match op {
            Op::Add => self.add(left, right)?,
            Op::Eq => Value::Bool(self.heap.loose_equal(left, right)?),
            Op::Ne => Value::Bool(!self.heap.loose_equal(left, right)?),
            Op::Lt | Op::Le | Op::Gt | Op::Ge => Value::Bool(self.compare(op, left, right)?),
            Op::In => self.is_in(left, right)?,
            Op::Instanceof => Value::Bool(self.instance_of(left, right)?),
            _ => {
                let left = self.heap.to_number(left)?;
                let right = self.heap.to_number(right)?;
                Value::Number(arithmetic(op, left, right))
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn add(&mut self, left: Value, right: Value) -> Result<Value, Throw> {
        let left = self.heap.to_primitive(left, Hint::Default)?;
        let right = self.heap.to_primitive(right, Hint::Default)?;
        if matches!(left, Value::String(_)) || matches!(right, Value::String(_)) {
            let left = self.heap.to_string(left)?;
            let right = self.heap.to_string(right)?;
            return Ok(Value::String(self.heap.concat(left, right)?));
        }
        Ok(Value::Number(
            self.heap.to_number(left)? + self.heap.to_number(right)?,
        ))
    }

    fn compare(&mut self, op: Op, left: Value, right: Value) -> Result<bool, Throw> {
        let left = self.heap.to_primitive(left, Hint::Number)?;
        let right = self.heap.to_primitive(right, Hint::Number)?;
        if let (Value::String(a), Value::String(b)) = (left, right) {
            let (a, b) = (self.heap.text(a), self.heap.text(b));
            self.heap.meter.owe(a.len().min(b.len()) / 16);
            return Ok(match op {
                Op::Lt => a < b,
                Op::Le => a <= b,
                Op::Gt => a > b,
                _ => a >= b,
            });
        }
        let (a, b) = (self.heap.to_number(left)?, self.heap.to_number(right)?);
        Ok(match op {
            Op::Lt => a < b,
            Op::Le => a <= b,
            Op::Gt => a > b,
            _ => a >= b,
        })
    }

    fn is_in(&mut self, left: Value, right: Value) -> Result<Value, Throw> {
        if !matches!(right, Value::Object(_)) {
            let left = self.told(left);
            let right = self.told(right);
            return Err(Throw::type_error(format!(
                "Cannot use 'in' operator to search for '{left}' in {right}"
            )));
        }
        let key = self.heap.to_key(left)?;
        Ok(Value::Bool(self.has(right, key)?))
    }

    fn instance_of(&mut self, value: Value, class: Value) -> Result<bool, Throw> {
        if !matches!(class, Value::Object(_)) {
            let message = "Right-hand side of 'instanceof' is not an object";
            return Err(Throw::type_error(message));
        }
        if !self.heap.is_callable(class) {
            let message = "Right-hand side of 'instanceof' is not callable";
            return Err(Throw::type_error(message));
        }
        let path = match class {
            Value::Object(at) => match self.heap.body(at) {
                Body::Native(number) => registry().all.get(usize::from(*number)).map(|b| b.path),
                _ => None,
            },
            _ => None,
        };
        let Some(name) = path else {
            return Err(Throw::type_error(
                "The right side of 'instanceof' is not a class of Flow's library.",
            ));
        };
        let name = name.strip_prefix("new ").unwrap_or(name);
        let Value::Object(at) = value else {
            return Ok(false);
        };
        let body = self.heap.body(at);
        if let Some(class) = ErrorClass::of_name(name) {
            return Ok(matches!(body, Body::Error(error)
                if error.class == class || class == ErrorClass::Error));
        }
        Ok(match name {
            "Object" => match body {
                Body::Object(props) => !props.is_bare,
                body => !matches!(body, Body::Variable(_)),
            },
            "Array" => matches!(body, Body::Array(_)),
            "Function" => matches!(body, Body::Closure(_) | Body::Native(_)),
            "Promise" => matches!(body, Body::Promise(_)),
            "Date" => matches!(body, Body::Date(_)),
            "Map" => matches!(body, Body::Map(_)),
            "Set" => matches!(body, Body::Set(_)),
            "RegExp" => matches!(body, Body::Regex(_)),
            "String" | "Number" | "Boolean" => false,
            _ => {
                return Err(Throw::type_error(
                    "The right side of 'instanceof' is not a class of Flow's library.",
                ));
            }
        })
    }

    /// Joins the top `count` values as strings.
    pub(super) fn template(&mut self, count: usize) -> Result<(), Throw> {
        let start = self.stack.len() - count;
        let mut joined: Option<Ref> = None;
        for at in start..self.stack.len() {
            let part = self.heap.to_string(self.stack[at])?;
            joined = Some(match joined {
                None => part,
                Some(joined) => self.heap.concat(joined, part)?,
            });
        }
        self.stack.truncate(start);
        let joined = joined.unwrap_or_else(|| self.heap.intern(&[]));
        self.stack.push(Value::String(joined));
        Ok(())
    }
}

/// An operator on two numbers.
#[inline]
pub(super) fn arithmetic(op: Op, left: f64, right: f64) -> f64 {
    match op {
        Op::Sub => left - right,
        Op::Mul => left * right,
        Op::Div => left / right,
        Op::Rem => remainder(left, right),
        Op::Pow => crate::value::number::power(left, right),
        Op::BitAnd => f64::from(int32(left) & int32(right)),
        Op::BitOr => f64::from(int32(left) | int32(right)),
        Op::BitXor => f64::from(int32(left) ^ int32(right)),
        Op::Shl => f64::from(int32(left).wrapping_shl(int32(right) as u32 & 31)),
        Op::Shr => f64::from(int32(left) >> (int32(right) as u32 & 31)),
        Op::UShr => f64::from((int32(left) as u32) >> (int32(right) as u32 & 31)),
        _ => left + right,
    }
}

#[inline]
pub(super) fn remainder(left: f64, right: f64) -> f64 {
    // A zero result of a negative number is −0, which integers do not have.
    let (a, b) = (left as i32, right as i32);
    if a >= 0 && b > 0 && f64::from(a) == left && f64::from(b) == right && !left.is_sign_negative()
    {
        return f64::from(a % b);
    }
    // Larger whole numbers: the remainder of two doubles is a double, so nothing is rounded.
    const LARGEST: f64 = 9e18;
    if left > 0.0 && left < LARGEST && right > 0.0 && right < LARGEST {
        let (a, b) = (left as i64, right as i64);
        if a as f64 == left && b as f64 == right {
            return (a % b) as f64;
        }
    }
    left % right
}
