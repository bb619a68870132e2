//! The properties of plain objects in JavaScript's order: integer keys ascending, then names as they came.

use std::collections::BTreeMap;

use super::hashed::Hashed;
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

/// A map from keys to values with JavaScript's order.
#[derive(Debug, Default)]
pub struct Props {
    /// A deleted entry of a large object is `None` until the next compaction.
    names: Vec<(Option<Ref>, Value)>,
    /// What small objects with names alone do not have.
    rare: Option<Box<Rare>>,
    /// What may still be changed.
    pub integrity: Integrity,
    /// Whether it inherits nothing, as the results of `Object.groupBy` and the named groups of a match: in JavaScript their
    /// prototype is `null`.
    pub is_bare: bool,
}

/// What most objects do not have.
#[derive(Debug, Default)]
struct Rare {
    indexed: BTreeMap<u32, Value>,
    /// Where each name is, for more than `LINEAR` of them.
    index: Option<Hashed<Ref, u32>>,
    deleted: usize,
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

    /// An empty map that inherits nothing.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            is_bare: true,
            ..Self::default()
        }
    }

    #[inline]
    fn position(&self, name: Ref) -> Option<usize> {
        if let Some(rare) = &self.rare
            && let Some(index) = &rare.index
        {
            return index.get(&name).map(|at| *at as usize);
        }
        self.names.iter().position(|(key, _)| *key == Some(name))
    }

    /// The value of a key.
    #[must_use]
    #[inline]
    pub fn get(&self, key: Key) -> Option<Value> {
        match key {
            Key::Index(index) => self.rare.as_ref()?.indexed.get(&index).copied(),
            Key::Name(name) => self.position(name).map(|at| self.names[at].1),
        }
    }

    /// The value of a name, and where it is: `hint` is where the last object had it.
    #[inline]
    pub(crate) fn get_near(&self, name: Ref, hint: &mut u32) -> Option<&Value> {
        match self.names.get(*hint as usize) {
            Some((key, value)) if *key == Some(name) => Some(value),
            _ => {
                let at = self.position(name)?;
                *hint = at as u32;
                Some(&self.names[at].1)
            }
        }
    }

    /// The place of a name's value, as `get_near`.
    #[inline]
    pub(crate) fn slot_near(&mut self, name: Ref, hint: &mut u32) -> Option<&mut Value> {
        let near = matches!(self.names.get(*hint as usize), Some((key, _)) if *key == Some(name));
        if !near {
            *hint = self.position(name)? as u32;
        }
        self.names.get_mut(*hint as usize).map(|(_, value)| value)
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
            Key::Index(index) => {
                let rare = self.rare.get_or_insert_default();
                rare.indexed.insert(index, value).is_none()
            }
            Key::Name(name) => {
                if let Some(at) = self.position(name) {
                    self.names[at].1 = value;
                    return false;
                }
                self.append(name, value);
                true
            }
        }
    }

    /// Whether it has only names, in a buffer that is not larger than this.
    pub(super) fn is_small(&self, most: usize) -> bool {
        self.rare.is_none() && self.names.capacity() <= most
    }

    /// Empties a small one.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.integrity = Integrity::Open;
        self.is_bare = false;
    }

    /// Sets all properties of another one.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.is_empty() && self.rare.is_none() && other.rare.is_none() {
            self.names.extend_from_slice(&other.names);
            return;
        }
        for (key, value) in other.iter() {
            self.set(key, value);
        }
    }

    /// Adds a name that is not there.
    fn append(&mut self, name: Ref, value: Value) {
        let at = self.names.len();
        self.names.push((Some(name), value));
        if at >= LINEAR {
            let rare = self.rare.get_or_insert_default();
            match &mut rare.index {
                Some(index) => {
                    index.insert(name, at as u32);
                }
                None => self.reindex(),
            }
        }
    }

    /// Deletes a key; true if it was there.
    pub fn remove(&mut self, key: Key) -> bool {
        let name = match key {
            Key::Index(index) => {
                let rare = self.rare.as_mut();
                return rare.is_some_and(|rare| rare.indexed.remove(&index).is_some());
            }
            Key::Name(name) => name,
        };
        let Some(at) = self.position(name) else {
            return false;
        };
        let Some((deleted, index)) = self.rare.as_mut().and_then(|rare| {
            let Rare { index, deleted, .. } = &mut **rare;
            index.as_mut().map(|index| (deleted, index))
        }) else {
            self.names.remove(at);
            return true;
        };
        index.remove(&name);
        self.names[at] = (None, Value::Undefined);
        *deleted += 1;
        if *deleted * 2 > self.names.len() {
            *deleted = 0;
            self.names.retain(|(key, _)| key.is_some());
            self.reindex();
        }
        true
    }

    fn reindex(&mut self) {
        let Some(rare) = &mut self.rare else { return };
        if self.names.len() <= LINEAR {
            rare.index = None;
            return;
        }
        let pairs = self.names.iter().enumerate();
        let index = pairs
            .filter_map(|(at, (key, _))| key.map(|key| (key, at as u32)))
            .collect();
        rare.index = Some(index);
    }

    /// The number of properties.
    #[must_use]
    pub fn len(&self) -> usize {
        let rare = self.rare.as_ref();
        let (more, less) = rare.map_or((0, 0), |rare| (rare.indexed.len(), rare.deleted));
        more + self.names.len() - less
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
        let indexed = self.rare.iter().flat_map(|rare| &rare.indexed);
        indexed
            .map(|(index, value)| (Key::Index(*index), *value))
            .chain(names)
    }

    /// What the map takes in memory, roughly.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| {
            // The first key of a tree takes a whole node.
            let first = if rare.indexed.is_empty() { 0 } else { 200 };
            96 + first
                + rare.indexed.len() * 40
                + rare.index.as_ref().map_or(0, |index| index.capacity() * 10)
        });
        self.names.capacity() * 24 + rare
    }
}
