//! The entries of a `Map` or `Set`. Each has a number that only grows, so an iterator survives any change.

use super::hashed::Hashed;
use super::{Heap, Ref, Value};

/// A key as it is compared: SameValueZero, strings by their interned handle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Same {
    Undefined,
    Null,
    Bool(bool),
    Number(u64),
    String(u32),
    Object(u32),
}

/// One entry.
#[derive(Debug, Clone, Copy)]
struct Entry {
    number: u64,
    key: Value,
    value: Value,
    live: bool,
}

/// Entries in the order of insertion.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    index: Hashed<Same, usize>,
    next: u64,
}

impl Heap {
    /// The key that a table stores for a value: strings interned, −0 as 0, all NaNs as one.
    pub fn table_key(&mut self, key: Value) -> Value {
        match key {
            Value::String(string) => Value::String(self.intern_ref(string)),
            Value::Number(0.0) => Value::Number(0.0),
            Value::Number(number) if number.is_nan() => Value::Number(f64::NAN),
            other => other,
        }
    }
}

fn same(key: Value) -> Same {
    match key {
        Value::Undefined | Value::Empty => Same::Undefined,
        Value::Null => Same::Null,
        Value::Bool(value) => Same::Bool(value),
        Value::Number(value) => Same::Number(value.to_bits()),
        Value::String(Ref(at)) => Same::String(at),
        Value::Object(Ref(at)) | Value::Variable(Ref(at)) => Same::Object(at),
    }
}

/// All keys given to these methods come from `Heap::table_key`.
impl Table {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: Value) -> Option<Value> {
        self.index.get(&same(key)).map(|at| self.entries[*at].value)
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn has(&self, key: Value) -> bool {
        self.index.contains_key(&same(key))
    }

    /// Sets a value; true if the key is new.
    pub fn set(&mut self, key: Value, value: Value) -> bool {
        if let Some(at) = self.index.get(&same(key)) {
            self.entries[*at].value = value;
            return false;
        }
        self.index.insert(same(key), self.entries.len());
        self.entries.push(Entry {
            number: self.next,
            key,
            value,
            live: true,
        });
        self.next += 1;
        true
    }

    /// Deletes a key; true if it was there.
    pub fn remove(&mut self, key: Value) -> bool {
        let Some(at) = self.index.remove(&same(key)) else {
            return false;
        };
        let entry = &mut self.entries[at];
        (entry.key, entry.value, entry.live) = (Value::Undefined, Value::Undefined, false);
        if self.index.len() * 2 < self.entries.len() && self.entries.len() > 16 {
            self.entries.retain(|entry| entry.live);
            for (at, entry) in self.entries.iter().enumerate() {
                self.index.insert(same(entry.key), at);
            }
        }
        true
    }

    /// Deletes everything. Iterators go on with what is added later.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.index.clear();
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The first entry whose number is `from` or more: the number to go on from, key and value.
    #[must_use]
    pub fn next(&self, from: u64) -> Option<(u64, Value, Value)> {
        let start = self.entries.partition_point(|entry| entry.number < from);
        let entry = self.entries[start..].iter().find(|entry| entry.live)?;
        Some((entry.number + 1, entry.key, entry.value))
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (Value, Value)> + '_ {
        self.entries
            .iter()
            .filter(|entry| entry.live)
            .map(|entry| (entry.key, entry.value))
    }

    /// The numbers of the entries, and the next one: what a save needs so that iterators go on.
    pub(crate) fn numbers(&self) -> (u64, impl Iterator<Item = u64> + '_) {
        (
            self.next,
            self.entries
                .iter()
                .filter(|entry| entry.live)
                .map(|entry| entry.number),
        )
    }

    /// Rebuilds a table from a save; false if the numbers do not ascend.
    pub(crate) fn restore(&mut self, number: u64, key: Value, value: Value) -> bool {
        if number < self.next {
            return false;
        }
        self.next = number;
        self.set(key, value)
    }

    /// Sets the number of the next entry of a rebuilt table.
    pub(crate) fn restore_next(&mut self, next: u64) -> bool {
        let fits = next >= self.next;
        self.next = next.max(self.next);
        fits
    }

    /// What the table takes in memory, roughly.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * 48 + self.index.capacity() * 28
    }
}
