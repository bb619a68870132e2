//! The properties of plain objects in JavaScript's order: integer keys ascending, then names as they came.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::{Ref, Value};

/// Objects with more names than this get an index.
const LINEAR: usize = 8;

/// The name of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An array index: a canonical number below 2^32 - 1.
    Index(u32),
    /// An interned string that is no array index.
    Name(Ref),
}

/// What may still be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Integrity {
    /// Everything.
    #[default]
    Open,
    /// Nothing may be added (`Object.preventExtensions`).
    Closed,
    /// Nothing may be added or deleted (`Object.seal`).
    Sealed,
    /// Nothing (`Object.freeze`).
    Frozen,
}

/// A hasher for handles, which are small distinct integers.
#[derive(Default)]
pub struct RefHasher(u64);

impl Hasher for RefHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type Index = HashMap<u32, u32, BuildHasherDefault<RefHasher>>;

/// A map from keys to values with JavaScript's order.
#[derive(Debug, Default)]
pub struct Props {
    indexed: BTreeMap<u32, Value>,
    /// A deleted entry of a large object is `None` until the next compaction.
    names: Vec<(Option<Ref>, Value)>,
    index: Option<Box<Index>>,
    deleted: usize,
    /// What may still be changed.
    pub integrity: Integrity,
}

impl Props {
    /// An empty map with room.
    #[must_use]
    pub fn with_capacity(names: usize) -> Self {
        Self {
            names: Vec::with_capacity(names),
            ..Self::default()
        }
    }

    #[inline]
    fn position(&self, name: Ref) -> Option<usize> {
        match &self.index {
            None => self.names.iter().position(|(key, _)| *key == Some(name)),
            Some(index) => index.get(&name.0).map(|at| *at as usize),
        }
    }

    /// The value of a key.
    #[must_use]
    #[inline]
    pub fn get(&self, key: Key) -> Option<Value> {
        match key {
            Key::Index(index) => self.indexed.get(&index).copied(),
            Key::Name(name) => self.position(name).map(|at| self.names[at].1),
        }
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// Sets a value; true if the key is new. Does not look at the integrity.
    #[inline]
    pub fn set(&mut self, key: Key, value: Value) -> bool {
        match key {
            Key::Index(index) => self.indexed.insert(index, value).is_none(),
            Key::Name(name) => {
                if let Some(at) = self.position(name) {
                    self.names[at].1 = value;
                    return false;
                }
                let at = self.names.len();
                self.names.push((Some(name), value));
                match &mut self.index {
                    Some(index) => {
                        index.insert(name.0, at as u32);
                    }
                    None if at >= LINEAR => self.reindex(),
                    None => {}
                }
                true
            }
        }
    }

    /// Deletes a key; true if it was there.
    pub fn remove(&mut self, key: Key) -> bool {
        match key {
            Key::Index(index) => self.indexed.remove(&index).is_some(),
            Key::Name(name) => {
                let Some(at) = self.position(name) else {
                    return false;
                };
                if let Some(index) = &mut self.index {
                    index.remove(&name.0);
                    self.names[at] = (None, Value::Undefined);
                    self.deleted += 1;
                    if self.deleted * 2 > self.names.len() {
                        self.names.retain(|(key, _)| key.is_some());
                        self.deleted = 0;
                        self.reindex();
                    }
                } else {
                    self.names.remove(at);
                }
                true
            }
        }
    }

    fn reindex(&mut self) {
        if self.names.len() <= LINEAR {
            self.index = None;
            return;
        }
        let pairs = self.names.iter().enumerate();
        let index = pairs
            .filter_map(|(at, (key, _))| key.map(|key| (key.0, at as u32)))
            .collect();
        self.index = Some(Box::new(index));
    }

    /// The number of properties.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indexed.len() + self.names.len() - self.deleted
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All properties in JavaScript's order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, Value)> + '_ {
        let names = self
            .names
            .iter()
            .filter_map(|(key, value)| Some((Key::Name((*key)?), *value)));
        self.indexed
            .iter()
            .map(|(index, value)| (Key::Index(*index), *value))
            .chain(names)
    }

    /// What the map takes in memory, roughly.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.indexed.len() * 40
            + self.names.capacity() * 24
            + self.index.as_ref().map_or(0, |index| index.capacity() * 10)
    }
}
