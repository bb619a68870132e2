//! How V8 names values in the messages of its errors: programs compare and log these messages.
//!
//! V8 quotes the source for what a program calls, walks through or takes apart. The compiler made these messages
//! (`Program::phrases`); programs of compilers that did not get words of Flow's own.

use super::cx::{Call, Cx};
use super::frame::FrameKind;
use crate::builtins::registry;
use crate::error::Throw;
use crate::program::{NO_WORDS, phrase};
use crate::value::object::Key;
use crate::value::{Body, Value};

/// A text as V8 shows it where its builtins wanted something else: the first of a long one.
fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    let units: Vec<u16> = text.encode_utf16().take(MOST + 1).collect();
    if units.len() <= MOST {
        return text.to_owned();
    }
    format!("{}<...>", String::from_utf16_lossy(&units[..MOST]))
}

/// The failure of a method that in JavaScript works on whatever has the properties it looks for.
#[cold]
pub(crate) fn works_on(name: &str, what: &str) -> Throw {
    Throw::type_error(format!("Flow's {name} works on {what} alone."))
}

impl Cx<'_> {
    /// The failure of a method that was called on a value of another class.
    #[cold]
    pub(crate) fn incompatible(&mut self, call: Call) -> Throw {
        let builtin = registry().all.get(usize::from(call.builtin));
        self.incompatible_with(builtin.map_or("", |builtin| builtin.path), call.this)
    }

    /// As `incompatible`, of the method with a path.
    #[cold]
    pub(crate) fn incompatible_with(&mut self, path: &str, receiver: Value) -> Throw {
        let receiver = self.told(receiver);
        Throw::type_error(format!(
            "Method {path} called on incompatible receiver {receiver}"
        ))
    }

    /// Text of a value for messages; never fails.
    #[must_use]
    pub fn describe(&mut self, value: Value) -> String {
        match value {
            Value::String(at) => {
                let units = self.heap.text(at);
                let short = String::from_utf16_lossy(&units[..units.len().min(40)]);
                format!("\"{short}\"")
            }
            Value::Object(_) | Value::Variable(_) => {
                super::operate::type_name(self.heap, value).to_owned()
            }
            other => match self.heap.to_string(other) {
                Ok(text) => self.heap.rust_text(text),
                Err(_) => String::new(),
            },
        }
    }

    /// A value as V8's messages name it: text as it is, `#<Object>`, `[object Array]`.
    #[must_use]
    pub fn told(&mut self, value: Value) -> String {
        let Value::Object(at) = value else {
            return match self.heap.to_string(value) {
                Ok(text) => self.heap.rust_text(text),
                Err(_) => String::new(),
            };
        };
        match self.heap.body(at) {
            Body::Array(_) => "[object Array]".into(),
            Body::Date(_) => "[object Date]".into(),
            Body::Regex(_) => "[object RegExp]".into(),
            Body::Iterator(iter) => format!("[object {}]", iter.name(self.heap)),
            Body::Closure(_) | Body::Native(_) => "function".into(),
            Body::Error(_) => match self.heap.to_string(value) {
                Ok(text) => self.heap.rust_text(text),
                Err(_) => "#<Error>".into(),
            },
            Body::Promise(_) => "#<Promise>".into(),
            Body::Map(_) => "#<Map>".into(),
            Body::Set(_) => "#<Set>".into(),
            Body::Object(props) if props.is_bare => "[object Object]".into(),
            Body::Object(props) => {
                let keys: Vec<Key> = props.iter().map(|(key, _)| key).collect();
                let is_own = keys.into_iter().any(|key| self.is_key(key, "toString"));
                let told = if is_own {
                    "[object Object]"
                } else {
                    "#<Object>"
                };
                told.into()
            }
            _ => "#<Object>".into(),
        }
    }

    /// A value as V8 names it where its builtins wanted a function or something iterable: `number 5`, `object null`.
    #[must_use]
    pub fn told_with_type(&mut self, value: Value) -> String {
        let kind = match value {
            Value::Undefined | Value::Empty | Value::Variable(_) => return "undefined".into(),
            Value::Object(_) if self.heap.is_callable(value) => return "function".into(),
            Value::Object(_) => return "object".into(),
            Value::Null => return "object null".into(),
            Value::String(_) => return format!("string \"{}\"", shortened(&self.told(value))),
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
        };
        format!("{kind} {}", self.told(value))
    }

    /// A value as V8 names it where it applies what is no function.
    fn told_as_applied(&mut self, value: Value) -> String {
        let kind = match value {
            Value::Undefined | Value::Empty | Value::Variable(_) => "a undefined",
            Value::Null => "null",
            Value::Object(_) => "an object",
            Value::String(_) => "a string",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
        };
        format!("{}, which is {kind}", self.told(value))
    }

    /// What the running instruction says when it fails on a value, if the compiler has left words for that.
    #[cold]
    pub(super) fn phrase(&mut self, value: Value) -> Option<String> {
        let frame = self.frames.last()?;
        let FrameKind::Code { function, .. } = frame.kind else {
            return None;
        };
        let function = self.program.functions.get(function as usize)?;
        let index = function.phrase(frame.pc.wrapping_sub(1))?;
        let program = self.program;
        let template = program.phrases.get(index as usize)?;
        let nothing = if matches!(value, Value::Null) {
            "null"
        } else {
            "undefined"
        };
        let told = if template.contains(phrase::VALUE) {
            self.told_with_type(value)
        } else if template.contains(phrase::APPLIED) {
            self.told_as_applied(value)
        } else {
            String::new()
        };
        Some(phrase::fill(template, value.is_nullish(), nothing, &told))
    }

    /// The failure of `for … of`, of a spread and of an array pattern.
    #[cold]
    pub(super) fn not_iterable_here(&mut self, value: Value) -> Throw {
        match self.phrase(value) {
            Some(message) => Throw::type_error(message),
            None => self.not_iterable(value),
        }
    }

    /// The failure of an object pattern.
    #[cold]
    pub(super) fn cannot_destructure(&mut self, value: Value, words: u32) -> Throw {
        if let Some(message) = self.phrase(value) {
            return Throw::type_error(message);
        }
        let value = self.told(value);
        let what = if words == NO_WORDS {
            value.clone()
        } else {
            let pattern = self.constant(words).key;
            self.key_text(pattern)
        };
        Throw::type_error(format!("Cannot destructure '{what}' as it is {value}."))
    }

    /// The failure of a write to what is frozen.
    pub(crate) fn read_only(&mut self, object: Value, key: Key) -> Throw {
        let name = self.key_text(key);
        let object = self.told(object);
        Throw::type_error(format!(
            "Cannot assign to read only property '{name}' of object '{object}'"
        ))
    }

    pub(super) fn not_extensible(&mut self, key: Key) -> Throw {
        let name = self.key_text(key);
        Throw::type_error(format!(
            "Cannot add property {name}, object is not extensible"
        ))
    }

    pub(super) fn not_deletable(&mut self, object: Value, key: Key) -> Throw {
        let name = self.key_text(key);
        let object = match object {
            Value::String(_) => "[object String]".into(),
            object => self.told(object),
        };
        Throw::type_error(format!("Cannot delete property '{name}' of {object}"))
    }

    pub(super) fn cannot_set(&mut self, value: Value, key: Key) -> Throw {
        let name = self.key_text(key);
        match value {
            Value::Null => {
                Throw::type_error(format!("Cannot set properties of null (setting '{name}')"))
            }
            Value::Undefined | Value::Empty | Value::Variable(_) => Throw::type_error(format!(
                "Cannot set properties of undefined (setting '{name}')"
            )),
            Value::String(at) => {
                let length = self.heap.string_len(at);
                let text = self.told(value);
                let read_only = match key {
                    Key::Index(index) => (index as usize) < length,
                    Key::Name(_) => name == "length",
                };
                Throw::type_error(if read_only {
                    format!("Cannot assign to read only property '{name}' of string '{text}'")
                } else {
                    format!("Cannot create property '{name}' on string '{text}'")
                })
            }
            _ => {
                let kind = match value {
                    Value::Number(_) => "number",
                    _ => "boolean",
                };
                let text = self.told(value);
                Throw::type_error(format!(
                    "Cannot create property '{name}' on {kind} '{text}'"
                ))
            }
        }
    }

    /// What a message says of the key of `null[key]`; nothing where V8 would have to run the key's `toString`.
    pub(super) fn told_key(&mut self, key: Value, verb: &str) -> String {
        let own_words = match key {
            Value::Object(at) => match self.heap.body(at) {
                Body::Array(_) | Body::Date(_) | Body::Iterator(_) | Body::Regex(_) => true,
                Body::Object(props) if props.is_bare => true,
                Body::Object(props) => {
                    let found = props.iter().map(|(key, _)| key).collect::<Vec<_>>();
                    found.into_iter().any(|key| self.is_key(key, "toString"))
                }
                _ => false,
            },
            _ => false,
        };
        if own_words {
            return String::new();
        }
        format!(" ({verb} '{}')", self.told(key))
    }

    fn is_key(&mut self, key: Key, text: &str) -> bool {
        self.key_text(key) == text
    }
}
