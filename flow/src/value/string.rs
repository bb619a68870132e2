//! Strings: UTF-16 units, flat or a rope that is flattened when somebody looks inside.

use std::rc::Rc;

use super::heap::INTERNED_BYTES;
use super::{Body, Heap, Ref, Value};
use crate::error::Throw;

/// Shorter results of a concatenation are copied at once: a rope would be larger.
const ROPE_FROM: usize = 32;

/// Units below this have their strings in a list.
const UNITS: usize = 256;

/// The contents of a string.
#[derive(Debug)]
pub enum Text {
    /// The units.
    Flat(Rc<[u16]>),
    /// Left and right part, and the length of both.
    Rope(Ref, Ref, usize),
}

impl Text {
    /// The length in units.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Flat(units) => units.len(),
            Self::Rope(_, _, length) => *length,
        }
    }

    /// Whether it has no units.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Heap {
    /// Makes a string of Rust text.
    ///
    /// # Errors
    /// When it is longer than the limit.
    pub fn str(&mut self, text: &str) -> Result<Value, Throw> {
        let units: Vec<u16> = text.encode_utf16().collect();
        self.string(&units)
    }

    /// Makes a string of units.
    ///
    /// # Errors
    /// When it is longer than the limit.
    pub fn string(&mut self, units: &[u16]) -> Result<Value, Throw> {
        if units.len() < 2 {
            return Ok(Value::String(self.short_string(units)));
        }
        self.meter.string(units.len())?;
        Ok(Value::String(self.alloc_counted(Body::String {
            text: Text::Flat(units.into()),
            atom: None,
        })))
    }

    /// Makes a string of one unit.
    #[inline]
    pub fn unit(&mut self, unit: u16) -> Value {
        match self.units.get(usize::from(unit)) {
            Some(Some(known)) => Value::String(*known),
            _ => self.new_unit(unit),
        }
    }

    fn new_unit(&mut self, unit: u16) -> Value {
        let string = self.intern(&[unit]);
        if usize::from(unit) < UNITS {
            self.units.resize(UNITS, None);
            self.units[usize::from(unit)] = Some(string);
        }
        Value::String(string)
    }

    /// The one string of these units: property names are compared by handle.
    pub fn intern(&mut self, units: &[u16]) -> Ref {
        if let Some(found) = self.interned.get(units) {
            return *found;
        }
        let shared: Rc<[u16]> = units.into();
        let name = self.alloc(Body::String {
            text: Text::Flat(Rc::clone(&shared)),
            atom: None,
        });
        if let Body::String { atom, .. } = self.body_mut(name) {
            *atom = Some(name);
        }
        self.interned.insert(shared, name);
        self.meter.allocated(INTERNED_BYTES);
        name
    }

    /// As `intern`, of Rust text.
    pub fn intern_str(&mut self, text: &str) -> Ref {
        let mut buffer = [0u16; 32];
        let mut length = 0;
        for unit in text.encode_utf16() {
            if length == buffer.len() {
                return self.intern(&text.encode_utf16().collect::<Vec<u16>>());
            }
            buffer[length] = unit;
            length += 1;
        }
        self.intern(&buffer[..length])
    }

    /// The interned form of a string in the heap.
    pub fn intern_ref(&mut self, string: Ref) -> Ref {
        if let Body::String {
            atom: Some(atom), ..
        } = self.body(string)
        {
            return *atom;
        }
        let units = self.text(string);
        self.meter.owe(units.len() / 16);
        let name = self.intern(&units);
        if let Body::String { atom, .. } = self.body_mut(string) {
            *atom = Some(name);
        }
        name
    }

    /// The interned form if there is one already: a name that no object has is not there.
    pub(crate) fn find_interned(&mut self, string: Ref) -> Option<Ref> {
        if let Body::String {
            atom: Some(atom), ..
        } = self.body(string)
        {
            return Some(*atom);
        }
        let units = self.text(string);
        self.meter.owe(units.len() / 16);
        self.interned.get(&*units).copied()
    }

    fn short_string(&mut self, units: &[u16]) -> Ref {
        self.intern(units)
    }

    /// The length of a string in units.
    #[must_use]
    pub fn string_len(&self, string: Ref) -> usize {
        match self.body(string) {
            Body::String { text, .. } => text.len(),
            _ => 0,
        }
    }

    /// The units of a string, shared: the heap may be changed while they are used.
    pub fn text(&mut self, string: Ref) -> Rc<[u16]> {
        if let Body::String {
            text: Text::Flat(units),
            ..
        } = self.body(string)
        {
            return Rc::clone(units);
        }
        self.flatten(string)
    }

    /// A string as Rust text; lone surrogates become U+FFFD.
    pub fn rust_text(&mut self, string: Ref) -> String {
        String::from_utf16_lossy(&self.text(string))
    }

    #[cold]
    fn flatten(&mut self, string: Ref) -> Rc<[u16]> {
        let mut units = vec![0u16; self.string_len(string)];
        // From the right: ropes made by `s += …` in a loop are deep on the left.
        let mut end = units.len();
        let mut pending = vec![string];
        let mut ropes = 0;
        while let Some(part) = pending.pop() {
            match self.body(part) {
                Body::String {
                    text: Text::Flat(flat),
                    ..
                } => {
                    let start = end.saturating_sub(flat.len());
                    units[start..end].copy_from_slice(&flat[flat.len() - (end - start)..]);
                    end = start;
                }
                Body::String {
                    text: Text::Rope(left, right, _),
                    ..
                } => {
                    ropes += 1;
                    pending.push(*left);
                    pending.push(*right);
                }
                _ => {}
            }
        }
        let flat: Rc<[u16]> = units.into();
        if let Body::String { text, .. } = self.body_mut(string) {
            *text = Text::Flat(Rc::clone(&flat));
        }
        self.meter.allocated(flat.len() * 2);
        // At least one, so that a loop that has used up its memory is asked to pay.
        self.meter.owe((flat.len() / 16 + ropes / 8).max(1));
        flat
    }

    /// `left + right` of two strings.
    ///
    /// # Errors
    /// When the result is longer than the limit.
    pub fn concat(&mut self, left: Ref, right: Ref) -> Result<Ref, Throw> {
        let (a, b) = (self.string_len(left), self.string_len(right));
        if b == 0 {
            return Ok(left);
        }
        if a == 0 {
            return Ok(right);
        }
        let length = a + b;
        if length < ROPE_FROM {
            let (left, right) = (self.text(left), self.text(right));
            let mut buffer = [0u16; ROPE_FROM];
            buffer[..a].copy_from_slice(&left);
            buffer[a..length].copy_from_slice(&right);
            self.meter.string(length)?;
            let text = Text::Flat(buffer[..length].into());
            return Ok(self.alloc_counted(Body::String { text, atom: None }));
        }
        if length > self.meter.limits.string_units {
            self.meter.string(length)?;
        }
        Ok(self.alloc(Body::String {
            text: Text::Rope(left, right, length),
            atom: None,
        }))
    }
}
