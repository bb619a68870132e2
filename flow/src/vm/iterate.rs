//! Iterators: `for … of`, spread and array patterns over arrays, strings, maps and sets.

use super::cx::Cx;
use crate::error::Throw;
use crate::value::heap::{ENDED, Iter, IterKind};
use crate::value::inherited::Kind;
use crate::value::object::{Key, Props};
use crate::value::{Body, Ref, Value};

impl Cx<'_> {
    /// Makes an iterator over a value.
    ///
    /// # Errors
    /// For values that cannot be iterated.
    pub fn iterate(&mut self, value: Value) -> Result<Value, Throw> {
        let kind = match value {
            Value::String(_) => IterKind::Values,
            Value::Object(at) => match self.heap.body(at) {
                Body::Array(_) | Body::Set(_) => IterKind::Values,
                Body::Map(_) => IterKind::Entries,
                Body::Iterator(_) => return Ok(value),
                _ => return Err(self.not_iterable(value)),
            },
            _ => return Err(self.not_iterable(value)),
        };
        Ok(self.new_iterator(value, kind))
    }

    /// Makes an iterator of some kind over an array, string, map or set.
    pub fn new_iterator(&mut self, source: Value, kind: IterKind) -> Value {
        let iter = Iter {
            source,
            kind,
            at: 0,
        };
        Value::Object(self.heap.alloc(Body::Iterator(iter)))
    }

    /// As `spread`, of an argument of a builtin: V8 has other words there.
    ///
    /// # Errors
    /// For values that cannot be iterated, and when there are more than the heap holds.
    pub fn spread_argument(&mut self, value: Value) -> Result<Vec<Value>, Throw> {
        self.check_iterable(value)?;
        self.spread(value)
    }

    /// As `iterate`, of an argument of a builtin: V8 has other words there.
    ///
    /// # Errors
    /// For values that cannot be iterated.
    pub fn iterate_argument(&mut self, value: Value) -> Result<Ref, Throw> {
        self.check_iterable(value)?;
        match self.iterate(value)? {
            Value::Object(iterator) => Ok(iterator),
            _ => Err(Throw::fault("iterator")),
        }
    }

    /// That an argument of a builtin can be iterated.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check_iterable(&mut self, value: Value) -> Result<(), Throw> {
        if self.kind(value).is_some_and(Kind::can_iterate) {
            return Ok(());
        }
        Err(self.not_iterable(value))
    }

    /// That an argument of a builtin can be called.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check_callback(&mut self, value: Value) -> Result<(), Throw> {
        if self.heap.is_callable(value) {
            return Ok(());
        }
        let what = self.told_with_type(value);
        Err(Throw::type_error(format!("{what} is not a function")))
    }

    pub(super) fn not_iterable(&mut self, value: Value) -> Throw {
        let what = self.told_with_type(value);
        Throw::type_error(format!(
            "{what} is not iterable (cannot read property Symbol(Symbol.iterator))"
        ))
    }

    /// The next value of an iterator; none at its end.
    ///
    /// # Errors
    /// When a string of an entry does not fit.
    pub fn next(&mut self, iterator: Ref) -> Result<Option<Value>, Throw> {
        let Body::Iterator(iter) = self.heap.body(iterator) else {
            return Err(Throw::fault("iterator"));
        };
        let (source, kind, at) = (iter.source, iter.kind, iter.at);
        if at == ENDED {
            return Ok(None);
        }
        if let (IterKind::Matches, Value::Object(object)) = (kind, source) {
            let next = crate::builtins::regexp::next_match(self, object)?;
            if next.is_none()
                && let Body::Iterator(iter) = self.heap.body_mut(iterator)
            {
                iter.at = ENDED;
            }
            return Ok(next);
        }
        let found = match source {
            Value::Object(object) => match self.heap.body(object) {
                Body::Array(array) => {
                    let item = array.items.get(at as usize).map(|item| item.or_undefined());
                    item.map(|item| (at + 1, Value::from(at as usize), item))
                }
                Body::Map(table) => table.next(at),
                Body::Set(table) => table.next(at).map(|(at, key, _)| (at, key, key)),
                _ => None,
            },
            Value::String(string) => {
                let units = self.heap.text(string);
                let start = at as usize;
                units.get(start).copied().map(|first| {
                    let second = units.get(start + 1).copied().unwrap_or_default();
                    let pair =
                        (0xD800..0xDC00).contains(&first) && (0xDC00..0xE000).contains(&second);
                    let end = start + 1 + usize::from(pair);
                    let point = if pair {
                        Value::String(self.heap.intern(&units[start..end]))
                    } else {
                        self.heap.unit(first)
                    };
                    (end as u64, Value::from(start), point)
                })
            }
            _ => None,
        };
        let Body::Iterator(iter) = self.heap.body_mut(iterator) else {
            return Err(Throw::fault("iterator"));
        };
        let Some((next, key, value)) = found else {
            // An iterator that has ended stays so, even if its array grows.
            iter.at = ENDED;
            return Ok(None);
        };
        iter.at = next;
        Ok(Some(match kind {
            IterKind::Values | IterKind::Matches => value,
            IterKind::Keys => key,
            IterKind::Entries => self.heap.array(vec![key, value]),
        }))
    }

    /// All that is left of an iterator, as the elements of an array.
    ///
    /// # Errors
    /// When it is more than the heap holds.
    pub fn collect_iterator(&mut self, iterator: Value) -> Result<Vec<Value>, Throw> {
        let Value::Object(at) = iterator else {
            return Err(Throw::fault("iterator"));
        };
        let mut items = Vec::new();
        while let Some(item) = self.next(at)? {
            self.work(1)?;
            self.heap.meter.charge(16)?;
            items.push(item);
        }
        Ok(items)
    }

    /// All values of something that can be iterated.
    ///
    /// # Errors
    /// For values that cannot be iterated, and when there are more than the heap holds.
    pub fn spread(&mut self, value: Value) -> Result<Vec<Value>, Throw> {
        if let Value::Object(at) = value
            && let Some(items) = self.heap.items(at)
        {
            let items: Vec<Value> = items.iter().map(|item| item.or_undefined()).collect();
            self.work(items.len())?;
            self.heap.meter.charge(items.len() * 16)?;
            return Ok(items);
        }
        let iterator = self.iterate(value)?;
        self.collect_iterator(iterator)
    }

    /// An iterator over the keys that `for … in` walks.
    pub(super) fn keys_to_walk(&mut self, value: Value) -> Result<Value, Throw> {
        if let Value::Object(at) = value
            && let Body::Error(error) = self.heap.body(at)
            && error.class.legacy_code().is_some()
        {
            return Err(Throw::type_error(
                "Flow does not list the legacy codes that an error of atob, btoa and structuredClone inherits.",
            ));
        }
        let keys = self.keys(value);
        self.work(keys.len())?;
        self.heap.meter.charge(keys.len() * 16)?;
        let keys = keys
            .into_iter()
            .map(|key| self.heap.key_value(key))
            .collect();
        let keys = self.heap.array(keys);
        Ok(self.new_iterator(keys, IterKind::Values))
    }

    /// Copies the listed properties of a source into an object.
    pub(super) fn spread_object(&mut self, object: Ref, source: Value) -> Result<(), Throw> {
        if let Value::Object(at) = source
            && let Body::Object(props) = self.heap.body(at)
        {
            let count = props.len();
            self.work(count)?;
            self.heap.meter.charge(count * 24)?;
            let mut target = self.take_props(object);
            if let Body::Object(props) = self.heap.body(at) {
                target.add(props);
            }
            *self.heap.body_mut(object) = Body::Object(target);
            return Ok(());
        }
        let keys = self.keys(source);
        self.work(keys.len())?;
        self.heap.meter.charge(keys.len() * 48)?;
        for key in keys {
            let value = self.get(source, key)?;
            if let Body::Object(props) = self.heap.body_mut(object) {
                props.set(key, value);
            }
        }
        Ok(())
    }

    /// The properties of the object below `count` keys, without these keys.
    pub(super) fn rest_of_object(&mut self, count: usize) -> Result<(), Throw> {
        let start = self.stack.len() - count;
        let mut without: Vec<Key> = Vec::with_capacity(count);
        for at in start..self.stack.len() {
            let key = self.heap.to_key(self.stack[at])?;
            without.push(key);
        }
        let source = self.stack[start - 1];
        self.stack.truncate(start - 1);
        let rest = self.heap.object();
        let mut props = self.take_props(rest);
        if let Value::Object(at) = source
            && let Body::Object(from) = self.heap.body(at)
        {
            let looked_at = from.len() * (1 + without.len());
            for (key, value) in from.iter() {
                if !without.contains(&key) {
                    props.set(key, value);
                }
            }
            self.heap.meter.charge(props.bytes())?;
            *self.heap.body_mut(rest) = Body::Object(props);
            self.work(looked_at)?;
            self.stack.push(Value::Object(rest));
            return Ok(());
        }
        let keys = self.keys(source);
        self.work(keys.len() * (1 + without.len()))?;
        self.heap.meter.charge(keys.len() * 48)?;
        for key in keys {
            if !without.contains(&key) {
                let value = self.get(source, key)?;
                props.set(key, value);
            }
        }
        *self.heap.body_mut(rest) = Body::Object(props);
        self.stack.push(Value::Object(rest));
        Ok(())
    }

    /// Takes the properties out of a new object, so that others can be looked at while they are filled.
    fn take_props(&mut self, object: Ref) -> Props {
        match self.heap.body_mut(object) {
            Body::Object(props) => std::mem::take(props),
            _ => Props::default(),
        }
    }
}
