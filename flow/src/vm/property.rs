//! Reading and writing properties with JavaScript's meaning, without prototypes.

use super::cx::Cx;
use crate::builtins::registry;
use crate::error::Throw;
use crate::instead::instead_of;
use crate::program::NAME_OF_KEY;
use crate::value::inherited::{Kind, is_inherited};
use crate::value::object::{Integrity, Key};
use crate::value::{Body, Ref, Value};

/// What a new array element and a new property cost.
const ITEM_BYTES: usize = 16;
const PROP_BYTES: usize = 48;

impl Cx<'_> {
    /// The kind of a value's methods; none for `null` and `undefined`.
    #[must_use]
    pub fn kind(&self, value: Value) -> Option<Kind> {
        Some(match value {
            Value::Undefined | Value::Null | Value::Empty | Value::Variable(_) => return None,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Object(at) => match self.heap.body(at) {
                Body::Array(_) => Kind::Array,
                Body::Closure(_) | Body::Native(_) => Kind::Function,
                Body::Promise(_) => Kind::Promise,
                Body::Error(_) => Kind::Error,
                Body::Date(_) => Kind::Date,
                Body::Map(_) => Kind::Map,
                Body::Set(_) => Kind::Set,
                Body::Iterator(_) => Kind::Iterator,
                Body::Regex(_) => Kind::RegExp,
                Body::Object(props) if props.is_bare => Kind::Bare,
                _ => Kind::Object,
            },
        })
    }

    /// The property `name` of `value`.
    ///
    /// # Errors
    /// For `null` and `undefined`, and for names that JavaScript inherits and Flow does not have.
    pub fn get_name(&mut self, value: Value, name: &str) -> Result<Value, Throw> {
        let key = Key::Name(self.heap.intern_str(name));
        self.get(value, key)
    }

    /// `value[key]`
    ///
    /// # Errors
    /// For `null` and `undefined`, and for names that JavaScript inherits and Flow does not have.
    pub fn get(&mut self, value: Value, key: Key) -> Result<Value, Throw> {
        match value {
            Value::Object(at) => {
                if let Some(own) = self.get_own(at, key)?.or_else(|| self.size(at, key)) {
                    return Ok(own);
                }
            }
            Value::String(at) => match key {
                Key::Index(index) => {
                    let units = self.heap.text(at);
                    return Ok(match units.get(index as usize) {
                        Some(unit) => self.heap.unit(*unit),
                        None => Value::Undefined,
                    });
                }
                Key::Name(name) if self.is_name(name, "length") => {
                    return Ok(Value::from(self.heap.string_len(at)));
                }
                Key::Name(_) => {}
            },
            Value::Undefined | Value::Null | Value::Empty | Value::Variable(_) => {
                let name = self.key_text(key);
                let what = if matches!(value, Value::Null) {
                    "null"
                } else {
                    "undefined"
                };
                return Err(Throw::type_error(format!(
                    "Cannot read properties of {what} (reading '{name}')"
                )));
            }
            Value::Bool(_) | Value::Number(_) => {}
        }
        let Key::Name(name) = key else {
            return Ok(Value::Undefined);
        };
        self.inherited(value, name)
    }

    /// A method of the value's kind as a function value, or `undefined` for a name that nothing has.
    fn inherited(&mut self, value: Value, name: Ref) -> Result<Value, Throw> {
        let kind = self.kind(value).unwrap_or(Kind::Object);
        let name = self.heap.rust_text(name);
        if let Value::Object(at) = value
            && let Body::Error(error) = self.heap.body(at)
        {
            let (class, class_code) = (error.class.name(), error.class.legacy_code());
            match &*name {
                "name" => return Ok(Value::String(self.heap.intern_str(class))),
                "message" => return Ok(Value::String(self.heap.intern(&[]))),
                "code" => {
                    if let Some(code) = class_code {
                        return Ok(Value::from(code));
                    }
                }
                _ => {}
            }
        }
        if let Some(found) = self.regex_property(value, &name)? {
            return Ok(found);
        }
        let known = registry();
        if let Some(number) = known.method_or_inherited(kind, &name) {
            return Ok(self.heap.native(number));
        }
        if is_inherited(kind, &name) {
            let hint = instead_of(&name).map_or(String::new(), |hint| format!(" {hint}"));
            return Err(Throw::type_error(format!(
                "Flow does not have '{name}', which JavaScript's {} inherits.{hint}",
                kind.name()
            )));
        }
        if let Value::Object(at) = value
            && matches!(self.heap.body(at), Body::Native(_) | Body::Namespace(_))
        {
            return Err(Throw::type_error(format!(
                "Flow's library has no '{name}' here."
            )));
        }
        Ok(Value::Undefined)
    }

    /// An own property of an object; none if it is not there.
    ///
    /// # Errors
    /// Never by now; a getter-free world keeps it so.
    pub fn get_own(&mut self, at: Ref, key: Key) -> Result<Option<Value>, Throw> {
        Ok(match self.heap.body(at) {
            Body::Object(props) => props.get(key),
            Body::Array(array) => match key {
                Key::Index(index) => array
                    .items
                    .get(index as usize)
                    .copied()
                    .filter(|item| !item.is_empty()),
                Key::Name(name) => {
                    let length = array.items.len();
                    match array.names.as_ref().and_then(|names| names.get(key)) {
                        Some(value) => Some(value),
                        None => self.is_name(name, "length").then(|| Value::from(length)),
                    }
                }
            },
            Body::Regex(regex) => {
                let last_index = regex.last_index;
                match key {
                    Key::Name(name) if self.is_name(name, "lastIndex") => Some(last_index),
                    _ => None,
                }
            }
            Body::Error(error) => error.hidden.get(key).or_else(|| error.props.get(key)),
            Body::Closure(closure) => {
                let function = &self.program.functions[closure.function as usize];
                match key {
                    Key::Name(name) if self.is_name(name, "name") => {
                        if function.name == NAME_OF_KEY {
                            return Err(Throw::type_error(
                                "Flow does not know the name of a function under a computed key.",
                            ));
                        }
                        Some(self.heap.str(&function.name)?)
                    }
                    Key::Name(name) if self.is_name(name, "length") => {
                        Some(Value::Number(f64::from(function.length)))
                    }
                    _ => None,
                }
            }
            Body::Native(number) => {
                let number = *number;
                self.member_of_native(number, key)?
            }
            Body::Namespace(number) => {
                let head = registry().namespaces.get(usize::from(*number)).copied();
                self.static_member(head.unwrap_or_default(), key)
            }
            _ => None,
        })
    }

    /// The `size` of a map or set, which in JavaScript is no property of its own.
    fn size(&self, at: Ref, key: Key) -> Option<Value> {
        match (self.heap.body(at), key) {
            (Body::Map(table) | Body::Set(table), Key::Name(name))
                if self.is_name(name, "size") =>
            {
                Some(Value::from(table.len()))
            }
            _ => None,
        }
    }

    fn member_of_native(&mut self, number: u16, key: Key) -> Result<Option<Value>, Throw> {
        let Some(builtin) = registry().all.get(usize::from(number)) else {
            return Ok(None);
        };
        let Key::Name(name) = key else {
            return Ok(None);
        };
        if self.is_name(name, "length") {
            return Ok(Some(Value::Number(f64::from(builtin.length))));
        }
        if self.is_name(name, "name") {
            let short = builtin.path.rsplit(['.', ' ']).next().unwrap_or_default();
            return Ok(Some(self.heap.str(short)?));
        }
        Ok(self.static_member(builtin.path, key))
    }

    fn static_member(&mut self, head: &str, key: Key) -> Option<Value> {
        let Key::Name(name) = key else { return None };
        let path = format!("{head}.{}", self.heap.rust_text(name));
        if let Some(number) = registry().find(&path) {
            return Some(self.heap.native(number));
        }
        registry().constant(&path).map(Value::Number)
    }

    /// Whether a name is this one.
    fn is_name(&self, name: Ref, text: &str) -> bool {
        let Body::String {
            text: crate::value::string::Text::Flat(units),
            ..
        } = self.heap.body(name)
        else {
            return false;
        };
        units.len() == text.len()
            && units
                .iter()
                .zip(text.bytes())
                .all(|(a, b)| *a == u16::from(b))
    }

    /// A key as text for messages.
    #[must_use]
    pub fn key_text(&mut self, key: Key) -> String {
        match key {
            Key::Index(index) => index.to_string(),
            Key::Name(name) => self.heap.rust_text(name),
        }
    }

    /// `value[key] = new`
    ///
    /// # Errors
    /// As in strict JavaScript, and for properties that Flow does not keep on this kind of value.
    pub fn set(&mut self, value: Value, key: Key, new: Value) -> Result<(), Throw> {
        let Value::Object(at) = value else {
            return Err(self.cannot_set(value, key));
        };
        match self.heap.body_mut(at) {
            Body::Object(props) => {
                if props.integrity == Integrity::Open {
                    if let Key::Name(name) = key
                        && !props.is_bare
                        && !props.has(key)
                        && self.is_name(name, "__proto__")
                    {
                        return Err(Throw::type_error(
                            "Flow has no prototypes: '__proto__' cannot be set.",
                        ));
                    }
                    if let Body::Object(props) = self.heap.body_mut(at)
                        && props.set(key, new)
                    {
                        self.heap.meter.allocated(PROP_BYTES);
                    }
                    return Ok(());
                }
                if !props.has(key) {
                    return Err(self.not_extensible(key));
                }
                if props.integrity == Integrity::Frozen {
                    return Err(self.read_only(value, key));
                }
                props.set(key, new);
                Ok(())
            }
            Body::Array(_) => self.set_array(at, key, new),
            Body::Regex(_) => self.set_regex(value, key, new),
            Body::Error(error) => {
                let integrity = error.props.integrity;
                let hidden = error.hidden.has(key);
                if integrity > Integrity::Open && !hidden && !error.props.has(key) {
                    return Err(self.not_extensible(key));
                }
                if integrity == Integrity::Frozen {
                    return Err(self.read_only(value, key));
                }
                if hidden {
                    error.hidden.set(key, new);
                } else if error.props.set(key, new) {
                    self.heap.meter.allocated(PROP_BYTES);
                }
                Ok(())
            }
            _ => {
                let name = self.key_text(key);
                Err(Throw::type_error(format!(
                    "Flow keeps no properties on this kind of value: '{name}' cannot be set."
                )))
            }
        }
    }

    fn set_array(&mut self, at: Ref, key: Key, new: Value) -> Result<(), Throw> {
        let Body::Array(array) = self.heap.body_mut(at) else {
            return Ok(());
        };
        let (integrity, named) = (array.integrity(), array.has_name(key));
        match key {
            Key::Index(index) => {
                let index = index as usize;
                let length = array.items.len();
                if let Some(item) = array.items.get_mut(index)
                    && integrity != Integrity::Frozen
                    && (integrity == Integrity::Open || !item.is_empty())
                {
                    *item = new;
                    return Ok(());
                }
                if integrity != Integrity::Open {
                    let there = self.heap.items(at).and_then(|items| items.get(index));
                    return Err(if there.is_some_and(|item| !item.is_empty()) {
                        self.read_only(Value::Object(at), key)
                    } else {
                        self.not_extensible(key)
                    });
                }
                let more = index + 1 - length;
                self.heap.meter.charge(more * ITEM_BYTES)?;
                if let Body::Array(array) = self.heap.body_mut(at) {
                    array.items.resize(index, Value::Empty);
                    array.items.push(new);
                }
                Ok(())
            }
            Key::Name(name) if self.is_name(name, "length") => {
                if integrity == Integrity::Frozen {
                    return Err(self.read_only(Value::Object(at), key));
                }
                let number = self.heap.to_number(new)?;
                let length = number as u32;
                if f64::from(length) != number {
                    return Err(Throw::range_error("Invalid array length"));
                }
                let now = self.heap.items(at).map_or(0, <[Value]>::len);
                let more = (length as usize).saturating_sub(now);
                self.heap.meter.charge(more * ITEM_BYTES)?;
                let mut stuck = None;
                if let Body::Array(array) = self.heap.body_mut(at) {
                    let mut length = length as usize;
                    // What cannot be deleted stays, and so does all in front of it.
                    if integrity == Integrity::Sealed {
                        stuck = (length..now).rev().find(|at| !array.items[*at].is_empty());
                        length = stuck.map_or(length, |at| at + 1);
                    }
                    array.items.resize(length, Value::Empty);
                }
                match stuck {
                    Some(index) => {
                        Err(self.not_deletable(Value::Object(at), Key::Index(index as u32)))
                    }
                    None => Ok(()),
                }
            }
            Key::Name(_) if named => {
                if integrity == Integrity::Frozen {
                    return Err(self.read_only(Value::Object(at), key));
                }
                if let Body::Array(array) = self.heap.body_mut(at)
                    && let Some(names) = &mut array.names
                {
                    names.set(key, new);
                }
                Ok(())
            }
            Key::Name(_) if integrity > Integrity::Open => Err(self.not_extensible(key)),
            Key::Name(_) => {
                let name = self.key_text(key);
                Err(Throw::type_error(format!(
                    "An array of Flow holds only elements: '{name}' cannot be set on it."
                )))
            }
        }
    }

    /// `value[index]` of any value.
    ///
    /// # Errors
    /// As `get`, and for an index that has no string form.
    pub fn get_index(&mut self, value: Value, index: Value) -> Result<Value, Throw> {
        if value.is_nullish() {
            // The message should not depend on whether the key could be converted.
            let key = self.told_key(index, "reading");
            let what = self.told(value);
            return Err(Throw::type_error(format!(
                "Cannot read properties of {what}{key}"
            )));
        }
        let key = match (value, index) {
            // A name that was never interned is the name of no property.
            (Value::Object(_), Value::String(string)) if self.heap.string_len(string) > 10 => {
                match self.heap.find_interned(string) {
                    Some(name) => Key::Name(name),
                    None => {
                        let kind = self.kind(value).unwrap_or(Kind::Object);
                        let text = self.heap.rust_text(string);
                        if !is_inherited(kind, &text) {
                            return Ok(Value::Undefined);
                        }
                        self.heap.string_key(string)
                    }
                }
            }
            _ => self.heap.to_key(index)?,
        };
        self.get(value, key)
    }

    /// `value[index] = new` of any value.
    ///
    /// # Errors
    /// As `set`, and for an index that has no string form.
    pub fn set_index(&mut self, value: Value, index: Value, new: Value) -> Result<(), Throw> {
        if let (Value::Object(at), Value::Number(number)) = (value, index)
            && let Body::Array(array) = self.heap.body_mut(at)
            && array.integrity() == Integrity::Open
            && number as usize as f64 == number
            && let Some(item) = array.items.get_mut(number as usize)
        {
            *item = new;
            return Ok(());
        }
        if value.is_nullish() {
            let key = self.told_key(index, "setting");
            let what = self.told(value);
            return Err(Throw::type_error(format!(
                "Cannot set properties of {what}{key}"
            )));
        }
        let key = self.heap.to_key(index)?;
        self.set(value, key, new)
    }

    /// `delete value[key]`
    ///
    /// # Errors
    /// For `null` and `undefined`, and for what is sealed or frozen.
    pub fn delete(&mut self, value: Value, key: Key) -> Result<(), Throw> {
        let Value::Object(at) = value else {
            if value.is_nullish() {
                return Err(Throw::type_error(
                    "Cannot convert undefined or null to object",
                ));
            }
            if let Value::String(at) = value {
                let length = self.heap.string_len(at);
                let own = match key {
                    Key::Index(index) => (index as usize) < length,
                    Key::Name(name) => self.is_name(name, "length"),
                };
                if own {
                    return Err(self.not_deletable(value, key));
                }
            }
            return Ok(());
        };
        let own = self.get_own(at, key)?;
        let has = own.is_some();
        let is_function = own.is_some_and(|own| self.heap.is_callable(own));
        let refused = match self.heap.body_mut(at) {
            Body::Object(props) => {
                let refused = has && props.integrity >= Integrity::Sealed;
                if !refused {
                    props.remove(key);
                }
                refused
            }
            Body::Array(array) => match key {
                Key::Index(index) => {
                    let refused = has && array.integrity() >= Integrity::Sealed;
                    if !refused && let Some(item) = array.items.get_mut(index as usize) {
                        *item = Value::Empty;
                    }
                    refused
                }
                Key::Name(_) => {
                    let own = array.has_name(key);
                    let refused = has && (!own || array.integrity() >= Integrity::Sealed);
                    if let (false, Some(names)) = (refused, &mut array.names) {
                        names.remove(key);
                    }
                    refused
                }
            },
            Body::Error(error) => {
                let refused = has && error.props.integrity >= Integrity::Sealed;
                if !refused {
                    error.hidden.remove(key);
                    error.props.remove(key);
                }
                refused
            }
            Body::Closure(_) | Body::Native(_) if has => return Err(self.kept(key)),
            // A constant cannot be deleted in JavaScript either.
            Body::Namespace(_) if is_function => return Err(self.kept(key)),
            _ => has,
        };
        if refused {
            return Err(self.not_deletable(value, key));
        }
        Ok(())
    }

    /// The failure of a `delete` of what a function or the library has; JavaScript does most of these.
    fn kept(&mut self, key: Key) -> Throw {
        let name = self.key_text(key);
        Throw::type_error(format!(
            "Flow cannot delete '{name}': functions and the library keep what they have."
        ))
    }

    /// `key in value`
    ///
    /// # Errors
    /// For values that are no objects.
    pub fn has(&mut self, value: Value, key: Key) -> Result<bool, Throw> {
        let Value::Object(at) = value else {
            return Err(Throw::type_error(
                "Cannot use 'in' operator to search in a primitive value",
            ));
        };
        if self.get_own(at, key)?.is_some() {
            return Ok(true);
        }
        let Key::Name(name) = key else {
            return Ok(false);
        };
        let kind = self.kind(value).unwrap_or(Kind::Object);
        let name = self.heap.rust_text(name);
        Ok(match (&*name, self.heap.body(at)) {
            ("name" | "message", Body::Error(_)) => true,
            ("code", Body::Error(error)) => error.class.legacy_code().is_some(),
            ("size", Body::Map(_) | Body::Set(_)) => true,
            ("prototype", Body::Closure(closure)) => {
                self.program.functions[closure.function as usize].is_constructor
            }
            // Of the library, the classes have one.
            ("prototype", Body::Native(number)) => registry()
                .all
                .get(usize::from(*number))
                .is_some_and(|builtin| {
                    builtin.path.starts_with(char::is_uppercase) && !builtin.path.contains('.')
                }),
            _ => is_inherited(kind, &name),
        })
    }

    /// The own keys that `Object.keys`, spread and `for … in` list, in JavaScript's order.
    #[must_use]
    pub fn keys(&mut self, value: Value) -> Vec<Key> {
        match value {
            Value::Object(at) => match self.heap.body(at) {
                Body::Object(props) => props.iter().map(|(key, _)| key).collect(),
                Body::Error(error) => error.props.iter().map(|(key, _)| key).collect(),
                Body::Array(array) => {
                    let items = array.items.iter().enumerate();
                    let names = array.names.iter().flat_map(|names| names.iter());
                    items
                        .filter(|(_, item)| !item.is_empty())
                        .map(|(at, _)| Key::Index(at as u32))
                        .chain(names.map(|(key, _)| key))
                        .collect()
                }
                _ => Vec::new(),
            },
            Value::String(at) => (0..self.heap.string_len(at))
                .map(|at| Key::Index(at as u32))
                .collect(),
            _ => Vec::new(),
        }
    }
}
