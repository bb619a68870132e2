//! Conversions between types. None calls back into the program: an object with a `toString` or
//! `valueOf` of its own is refused by name, so no conversion recurses.

use super::string::Text;
use super::{Body, Heap, Ref, Value, date, number};
use crate::error::Throw;
use crate::value::object::Key;

/// What a conversion to a primitive would rather have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Hint {
    Default,
    Number,
    String,
}

/// Something that is to be written as text.
enum Part<'a> {
    /// As `String(value)`.
    Value(Value),
    /// As an element of an array: nothing for `null` and `undefined`.
    Element(Value),
    Words(&'static str),
    Units(&'a [u16]),
    /// The end of an array.
    Leave,
}

impl Heap {
    /// `Boolean(value)`
    #[must_use]
    #[inline]
    pub fn truthy(&self, value: Value) -> bool {
        match value {
            Value::Undefined | Value::Null | Value::Empty => false,
            Value::Bool(value) => value,
            Value::Number(value) => !(value == 0.0 || value.is_nan()),
            Value::String(at) => self.string_len(at) != 0,
            Value::Object(_) | Value::Variable(_) => true,
        }
    }

    /// `Number(value)`
    ///
    /// # Errors
    /// For values that have no primitive form.
    pub fn to_number(&mut self, value: Value) -> Result<f64, Throw> {
        Ok(match value {
            Value::Undefined | Value::Empty => f64::NAN,
            Value::Null => 0.0,
            Value::Bool(value) => f64::from(u8::from(value)),
            Value::Number(value) => value,
            Value::String(at) => number::parse(&self.text(at)),
            Value::Object(_) | Value::Variable(_) => {
                let primitive = self.to_primitive(value, Hint::Number)?;
                match primitive {
                    Value::String(at) => number::parse(&self.text(at)),
                    Value::Number(value) => value,
                    _ => f64::NAN,
                }
            }
        })
    }

    /// The number without its fraction; NaN becomes 0.
    ///
    /// # Errors
    /// For values that have no primitive form.
    pub fn to_integer(&mut self, value: Value) -> Result<f64, Throw> {
        let number = self.to_number(value)?;
        Ok(if number.is_nan() {
            0.0
        } else {
            number.trunc() + 0.0
        })
    }

    /// The operand of a bitwise operator.
    ///
    /// # Errors
    /// For values that have no primitive form.
    #[inline]
    pub fn to_int32(&mut self, value: Value) -> Result<i32, Throw> {
        let number = match value {
            Value::Number(number) => number,
            other => self.to_number(other)?,
        };
        Ok(int32(number))
    }

    /// `String(value)` as a string in the heap.
    ///
    /// # Errors
    /// For values that have no string form, and for results over the limit.
    pub fn to_string(&mut self, value: Value) -> Result<Ref, Throw> {
        match value {
            Value::String(at) => Ok(at),
            Value::Undefined | Value::Empty => Ok(self.intern_str("undefined")),
            Value::Null => Ok(self.intern_str("null")),
            Value::Bool(true) => Ok(self.intern_str("true")),
            Value::Bool(false) => Ok(self.intern_str("false")),
            Value::Number(value) => {
                let text = number::format(value);
                Ok(self.made(&text)?)
            }
            Value::Object(_) | Value::Variable(_) => {
                match self.to_primitive(value, Hint::String)? {
                    Value::String(at) => Ok(at),
                    // Only a date becomes a number, and not with this hint.
                    _ => Ok(self.intern_str("")),
                }
            }
        }
    }

    fn made(&mut self, text: &str) -> Result<Ref, Throw> {
        match self.str(text)? {
            Value::String(at) => Ok(at),
            _ => Ok(self.intern_str(text)),
        }
    }

    /// An object as a primitive; primitives are returned as they are.
    ///
    /// # Errors
    /// For values that have no primitive form.
    pub fn to_primitive(&mut self, value: Value, hint: Hint) -> Result<Value, Throw> {
        let Value::Object(at) = value else {
            return Ok(value);
        };
        if let (Body::Date(ms), Hint::Number) = (self.body(at), hint) {
            return Ok(Value::Number(*ms));
        }
        if hint != Hint::String {
            self.refuse_own_conversion(at, "valueOf")?;
        }
        let units = self.display(value)?;
        self.string(&units)
    }

    /// What `String(value)` says, in units. Walks nested arrays with a list of its own.
    fn display(&mut self, value: Value) -> Result<Vec<u16>, Throw> {
        self.display_parts(Vec::new(), vec![Part::Value(value)])
    }

    /// The elements of an array as text with a separator between them.
    ///
    /// # Errors
    /// For elements without a string form, and when the text is over the limit.
    pub fn join(&mut self, array: Ref, separator: &[u16]) -> Result<Vec<u16>, Throw> {
        let items = self.items(array).map(<[Value]>::to_vec).unwrap_or_default();
        self.meter.spend(items.len())?;
        let mut parts = Vec::with_capacity(items.len() * 2);
        for (at, item) in items.into_iter().enumerate().rev() {
            parts.push(Part::Element(item));
            if at > 0 {
                parts.push(Part::Units(separator));
            }
        }
        self.display_parts(vec![array], parts)
    }

    /// Writes parts, the last one first. The arrays in `open` are being written already.
    fn display_parts(
        &mut self,
        mut open: Vec<Ref>,
        mut parts: Vec<Part<'_>>,
    ) -> Result<Vec<u16>, Throw> {
        let mut out: Vec<u16> = Vec::new();
        while let Some(part) = parts.pop() {
            self.meter.spend(1)?;
            if out.len() > self.meter.limits.string_units {
                self.meter.string(out.len())?;
            }
            let value = match part {
                Part::Words(words) => {
                    out.extend(words.encode_utf16());
                    continue;
                }
                Part::Units(units) => {
                    out.extend_from_slice(units);
                    continue;
                }
                Part::Leave => {
                    open.pop();
                    continue;
                }
                Part::Element(value) if value.is_nullish() || value.is_empty() => continue,
                Part::Element(value) | Part::Value(value) => value,
            };
            let Value::Object(at) = value else {
                let text = self.to_string(value)?;
                out.extend_from_slice(&self.text(text));
                continue;
            };
            self.has_text(at)?;
            match self.body(at) {
                Body::Array(array) => {
                    // An array inside itself is the empty string, as in JavaScript.
                    if open.contains(&at) {
                        continue;
                    }
                    if open.len() >= self.meter.limits.depth {
                        return Err(self.meter.too_deep());
                    }
                    open.push(at);
                    parts.push(Part::Leave);
                    for (at, item) in array.items.iter().enumerate().rev() {
                        parts.push(Part::Element(*item));
                        if at > 0 {
                            parts.push(Part::Words(","));
                        }
                    }
                }
                Body::Date(ms) => out.extend(date::to_string(*ms).encode_utf16()),
                Body::Error(error) => {
                    let class = error.class.name();
                    let message = self.error_get(at, "message");
                    let name = self.error_get(at, "name");
                    let message = message.unwrap_or_default();
                    let blank = match message {
                        Value::Undefined => true,
                        Value::String(text) => self.string_len(text) == 0,
                        _ => false,
                    };
                    let nameless =
                        matches!(name, Some(Value::String(text)) if self.string_len(text) == 0);
                    if !blank {
                        parts.push(Part::Value(message));
                        if !nameless {
                            parts.push(Part::Words(": "));
                        }
                    }
                    match name {
                        Some(name) if !name.is_undefined() => parts.push(Part::Value(name)),
                        _ => parts.push(Part::Words(class)),
                    }
                }
                Body::Regex(regex) => {
                    let (source, flags) = (regex.source, regex.flags.text());
                    out.push(u16::from(b'/'));
                    out.extend_from_slice(&self.text(source));
                    out.push(u16::from(b'/'));
                    out.extend(flags.encode_utf16());
                }
                Body::Promise(_) => out.extend("[object Promise]".encode_utf16()),
                Body::Map(_) => out.extend("[object Map]".encode_utf16()),
                Body::Set(_) => out.extend("[object Set]".encode_utf16()),
                Body::Closure(_) | Body::Native(_) => {
                    return Err(Throw::type_error(
                        "A function has no string form in Flow: its source is not kept.",
                    ));
                }
                Body::Iterator(iter) => {
                    out.extend(format!("[object {}]", iter.name(self)).encode_utf16());
                }
                Body::Namespace(_) => {
                    return Err(Throw::type_error(
                        "This builtin object has no string form in Flow.",
                    ));
                }
                _ => out.extend("[object Object]".encode_utf16()),
            }
        }
        Ok(out)
    }

    /// Refuses what has no `toString`: it inherits none, or has a property of this name that is no function.
    fn has_text(&mut self, at: Ref) -> Result<(), Throw> {
        let own = self.refuse_own_conversion(at, "toString")?;
        let is_bare = matches!(self.body(at), Body::Object(props) if props.is_bare);
        if own || is_bare {
            self.refuse_own_conversion(at, "valueOf")?;
            return Err(Throw::type_error(
                "Cannot convert object to primitive value",
            ));
        }
        Ok(())
    }

    /// Conversions of the program's own would be calls from inside a conversion. Whether the object has something else
    /// under this name.
    fn refuse_own_conversion(&mut self, at: Ref, name: &str) -> Result<bool, Throw> {
        let key = Key::Name(self.intern_str(name));
        let own = match self.body(at) {
            Body::Object(props) => props.get(key),
            Body::Error(error) => error.props.get(key),
            _ => None,
        };
        if own.is_some_and(|own| self.is_callable(own)) {
            return Err(Throw::type_error(format!(
                "The object has a '{name}' of its own, which Flow does not call by itself. \
                 Call it where you want its value."
            )));
        }
        Ok(own.is_some())
    }

    /// The property key that a value means.
    ///
    /// # Errors
    /// For values that have no string form.
    #[inline]
    pub fn to_key(&mut self, value: Value) -> Result<Key, Throw> {
        if let Value::Number(number) = value {
            let index = number as u32;
            if f64::from(index) == number && index != u32::MAX {
                return Ok(Key::Index(index));
            }
        }
        let string = self.to_string(value)?;
        Ok(self.string_key(string))
    }

    /// The property key of a string.
    pub fn string_key(&mut self, string: Ref) -> Key {
        if let Body::String {
            text: Text::Flat(units),
            ..
        } = self.body(string)
            && let Some(index) = array_index(units)
        {
            return Key::Index(index);
        }
        Key::Name(self.intern_ref(string))
    }

    /// A property key as a string value.
    pub fn key_value(&mut self, key: Key) -> Value {
        match key {
            Key::Name(name) => Value::String(name),
            Key::Index(index) => Value::String(self.intern_str(&index.to_string())),
        }
    }
}

/// The array index that some units spell, if they do so canonically.
#[must_use]
pub fn array_index(units: &[u16]) -> Option<u32> {
    if units.is_empty() || units.len() > 10 || (units[0] == u16::from(b'0') && units.len() > 1) {
        return None;
    }
    let mut index: u64 = 0;
    for unit in units {
        let digit = unit
            .checked_sub(u16::from(b'0'))
            .filter(|digit| *digit < 10)?;
        index = index * 10 + u64::from(digit);
    }
    u32::try_from(index).ok().filter(|index| *index != u32::MAX)
}

/// A number modulo 2^32, as bitwise operators see it.
#[must_use]
#[inline]
pub fn int32(number: f64) -> i32 {
    let quick = number as i32;
    if f64::from(quick) == number {
        return quick;
    }
    large_int32(number)
}

/// Of a number that is no 32-bit integer itself.
#[cold]
fn large_int32(number: f64) -> i32 {
    if number.abs() < 9e18 {
        // What is cut off above the lower half are multiples of the modulus.
        return number as i64 as i32;
    }
    if !number.is_finite() {
        return 0;
    }
    let modulus = 4_294_967_296.0;
    number.trunc().rem_euclid(modulus) as u32 as i32
}
