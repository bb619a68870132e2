//! The heap: bodies in slots named by handles, and a mark-and-sweep collector that does not recurse.
//!
//! A collection happens only between two instructions, when every live value is on the VM's stack or
//! in its tables. So a builtin may hold handles in Rust variables as long as it runs.

use std::rc::Rc;

use super::error::ErrorBody;
use super::hashed::Hashed;
use super::object::{Integrity, Key, Props};
use super::promise::{Aggregate, Coroutine, Promise, PromiseState, Reaction};
use super::regex::Regex;
use super::spare::Spare;
use super::string::Text;
use super::table::Table;
use super::{Ref, Value};
use crate::error::Throw;
use crate::limits::{Limits, Meter};

/// What a slot costs beside what its body owns.
const SLOT_BYTES: usize = 48;

/// What a flat string costs beside its slot and its units.
const TEXT_BYTES: usize = 24;

/// What it costs that a string is interned.
pub(super) const INTERNED_BYTES: usize = 40;

// A larger body would make every slot larger.
const _: () = assert!(size_of::<Body>() <= 40);

/// An array.
#[derive(Debug, Default)]
pub struct Array {
    /// The elements; a hole is `Value::Empty`.
    pub items: Vec<Value>,
    /// Names beside the elements, which only the result of a match has (`index`, `input`, `groups`), and what may still
    /// be changed of the whole. Most arrays have neither.
    pub names: Option<Box<Props>>,
}

impl Array {
    /// What may still be changed.
    #[must_use]
    #[inline]
    pub fn integrity(&self) -> Integrity {
        self.names
            .as_ref()
            .map_or(Integrity::Open, |names| names.integrity)
    }

    /// Whether it has a name beside its elements.
    #[must_use]
    pub fn has_name(&self, key: Key) -> bool {
        self.names.as_ref().is_some_and(|names| names.has(key))
    }
}

/// A function of the program with what it captured.
#[derive(Debug)]
pub struct Closure {
    /// Its number in the program.
    pub function: u32,
    /// The variables of outer functions that it uses.
    pub captures: Captures,
}

/// Captured variables. Most functions have few: these need no memory of their own.
#[derive(Debug)]
pub enum Captures {
    /// How many, and which.
    Few(u8, [Ref; FEW_CAPTURES]),
    /// All of them.
    Many(Box<[Ref]>),
}

/// As many as fit into a body.
const FEW_CAPTURES: usize = 4;

impl std::ops::Deref for Captures {
    type Target = [Ref];
    #[inline]
    fn deref(&self) -> &[Ref] {
        match self {
            Self::Few(count, refs) => refs.get(..usize::from(*count)).unwrap_or_default(),
            Self::Many(refs) => refs,
        }
    }
}

impl FromIterator<Ref> for Captures {
    fn from_iter<I: IntoIterator<Item = Ref>>(refs: I) -> Self {
        let (mut count, mut few) = (0, [Ref(0); FEW_CAPTURES]);
        let mut refs = refs.into_iter();
        while let Some(next) = refs.next() {
            if count == FEW_CAPTURES {
                let mut many = few.to_vec();
                many.push(next);
                many.extend(refs);
                return Self::Many(many.into());
            }
            few[count] = next;
            count += 1;
        }
        Self::Few(count as u8, few)
    }
}

/// What an iterator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum IterKind {
    Values = 0,
    Keys = 1,
    Entries = 2,
    /// What `matchAll` gives; the source is an array of a regular expression and a string.
    Matches = 3,
}

/// Where an iterator stands that has reached its end. It still knows what it walked: messages name it.
pub const ENDED: u64 = u64::MAX;

/// An iterator over an array, string, map or set.
#[derive(Debug)]
pub struct Iter {
    /// What is walked; `undefined` in older saves once the end was reached.
    pub source: Value,
    /// What it gives.
    pub kind: IterKind,
    /// Where it is.
    pub at: u64,
}

/// What a slot of the heap holds.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Body {
    /// Nothing: the slot may be used again.
    Free,
    /// A string, and its interned form where that is known.
    String {
        text: Text,
        atom: Option<Ref>,
    },
    Object(Props),
    Array(Array),
    Closure(Closure),
    /// A builtin function, by its number in the registry.
    Native(u16),
    /// `Math`, `JSON` and the like: a name with members that is no function.
    Namespace(u16),
    /// A captured variable.
    Variable(Value),
    Promise(Box<Promise>),
    Coroutine(Box<Coroutine>),
    Aggregate(Box<Aggregate>),
    Error(Box<ErrorBody>),
    /// Milliseconds since 1970; NaN for an invalid date.
    Date(f64),
    Map(Box<Table>),
    Set(Box<Table>),
    Iterator(Iter),
    Regex(Box<Regex>),
}

impl Body {
    /// What the body takes in memory, roughly.
    fn bytes(&self) -> usize {
        SLOT_BYTES
            + match self {
                Self::String {
                    text: Text::Flat(units),
                    ..
                } => units.len() * 2 + TEXT_BYTES,
                Self::Object(props) => props.bytes(),
                Self::Array(array) => {
                    let names = array.names.as_ref().map_or(0, |names| 80 + names.bytes());
                    array.items.capacity() * 16 + names
                }
                // A program is shared by all that were made of one literal.
                Self::Regex(regex) => 64 + regex.program.bytes() / Rc::strong_count(&regex.program),
                Self::Closure(Closure {
                    captures: Captures::Many(refs),
                    ..
                }) => refs.len() * 4,
                Self::Promise(promise) => 80 + promise.reactions.capacity() * 48,
                Self::Coroutine(coroutine) => 64 + coroutine.slots.capacity() * 16,
                Self::Aggregate(aggregate) => 48 + aggregate.values.capacity() * 16,
                Self::Error(error) => 168 + error.props.bytes() + error.hidden.bytes(),
                Self::Map(table) | Self::Set(table) => 64 + table.bytes(),
                _ => 0,
            }
    }
}

/// All values of one run.
#[derive(Debug)]
pub struct Heap {
    slots: Vec<Body>,
    marks: Vec<bool>,
    free: Vec<u32>,
    spare: Spare,
    /// The strings of one unit that were used, by their unit.
    pub(super) units: Vec<Option<Ref>>,
    pub(super) interned: Hashed<Rc<[u16]>, Ref>,
    natives: Hashed<u16, Ref>,
    namespaces: Hashed<u16, Ref>,
    /// Counts fuel and bytes.
    pub meter: Meter,
}

impl Iter {
    /// What JavaScript calls such an iterator.
    #[must_use]
    pub fn name(&self, heap: &Heap) -> &'static str {
        match self.source {
            Value::String(_) => "String Iterator",
            Value::Object(source) => match heap.body(source) {
                Body::Map(_) => "Map Iterator",
                Body::Set(_) => "Set Iterator",
                _ if self.kind == IterKind::Matches => "RegExp String Iterator",
                _ => "Array Iterator",
            },
            _ => "Iterator",
        }
    }
}

impl Heap {
    /// An empty heap.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            slots: Vec::new(),
            marks: Vec::new(),
            free: Vec::new(),
            spare: Spare::default(),
            units: Vec::new(),
            interned: Hashed::default(),
            natives: Hashed::default(),
            namespaces: Hashed::default(),
            meter: Meter::new(limits),
        }
    }

    /// Puts a body into a slot.
    pub fn alloc(&mut self, body: Body) -> Ref {
        self.meter.allocated(body.bytes());
        self.put(body)
    }

    /// As `alloc`, of a body whose contents were charged before.
    pub(super) fn alloc_counted(&mut self, body: Body) -> Ref {
        self.meter.allocated(SLOT_BYTES + TEXT_BYTES);
        self.put(body)
    }

    /// Whether so many bodies fit at all, before the first of them is made.
    ///
    /// # Errors
    /// When their slots alone are more than the heap may take.
    pub(crate) fn room_for(&self, bodies: usize) -> Result<(), Throw> {
        let most = self.meter.limits.heap_bytes / SLOT_BYTES;
        (bodies <= most)
            .then_some(())
            .ok_or_else(|| self.meter.out_of_heap())
    }

    fn put(&mut self, body: Body) -> Ref {
        if let Some(at) = self.free.pop() {
            self.slots[at as usize] = body;
            return Ref(at);
        }
        let at = self.slots.len() as u32;
        self.slots.push(body);
        Ref(at)
    }

    /// The body of a handle.
    #[must_use]
    #[inline]
    pub fn body(&self, at: Ref) -> &Body {
        self.slots.get(at.0 as usize).unwrap_or(&Body::Free)
    }

    /// The body of a handle, to be changed. Count what it grows by (`meter.charge`).
    #[inline]
    pub fn body_mut(&mut self, at: Ref) -> &mut Body {
        // Handles are only made by `alloc`, and slots are never taken away.
        &mut self.slots[at.0 as usize]
    }

    /// Makes an array.
    pub fn array(&mut self, items: Vec<Value>) -> Value {
        let array = Array { items, names: None };
        Value::Object(self.alloc(Body::Array(array)))
    }

    /// Makes an empty array with room for some elements.
    pub(crate) fn new_array(&mut self, room: usize) -> Value {
        match self.spare(|spare| &mut spare.arrays) {
            Some(at) => Value::Object(at),
            None => self.array(Vec::with_capacity(room)),
        }
    }

    /// Takes a spare body, which is empty, into use.
    #[inline]
    fn spare(&mut self, list: fn(&mut Spare) -> &mut Vec<u32>) -> Option<Ref> {
        let at = list(&mut self.spare).pop()?;
        let bytes = self.slots[at as usize].bytes();
        self.meter.allocated(bytes);
        Some(Ref(at))
    }

    /// A spare promise, which is pending.
    pub(crate) fn spare_promise(&mut self) -> Option<Ref> {
        self.spare(|spare| &mut spare.promises)
    }

    /// A spare suspended function, to be filled.
    pub(crate) fn spare_coroutine(&mut self) -> Option<Ref> {
        self.spare(|spare| &mut spare.coroutines)
    }

    /// Makes an empty object.
    pub fn object(&mut self) -> Ref {
        if let Some(at) = self.spare(|spare| &mut spare.objects) {
            return at;
        }
        self.alloc(Body::Object(Props::default()))
    }

    /// The elements of an array; none for anything else.
    #[must_use]
    #[inline]
    pub fn items(&self, at: Ref) -> Option<&[Value]> {
        match self.body(at) {
            Body::Array(array) => Some(&array.items),
            _ => None,
        }
    }

    /// Whether a value is an array.
    #[must_use]
    pub fn is_array(&self, value: Value) -> bool {
        matches!(value, Value::Object(at) if matches!(self.body(at), Body::Array(_)))
    }

    /// Whether a value can be called.
    #[must_use]
    pub fn is_callable(&self, value: Value) -> bool {
        matches!(value, Value::Object(at) if matches!(self.body(at), Body::Closure(_) | Body::Native(_)))
    }

    /// The one function value of a builtin.
    pub fn native(&mut self, number: u16) -> Value {
        if let Some(found) = self.natives.get(&number) {
            return Value::Object(*found);
        }
        let made = self.alloc(Body::Native(number));
        self.natives.insert(number, made);
        Value::Object(made)
    }

    /// The one value of a namespace.
    pub fn namespace(&mut self, number: u16) -> Value {
        if let Some(found) = self.namespaces.get(&number) {
            return Value::Object(*found);
        }
        let made = self.alloc(Body::Namespace(number));
        self.namespaces.insert(number, made);
        Value::Object(made)
    }

    /// Makes a loaded body the one value of its builtin or namespace.
    pub(crate) fn adopt(&mut self, at: Ref) {
        match self.body(at) {
            Body::Native(number) => {
                let number = *number;
                self.natives.insert(number, at);
            }
            Body::Namespace(number) => {
                let number = *number;
                self.namespaces.insert(number, at);
            }
            _ => {}
        }
    }

    /// Frees everything that `roots` does not lead to. `besides` is how many bytes are in use outside of the heap.
    ///
    /// # Errors
    /// When what is left is over the limit.
    pub(crate) fn collect(
        &mut self,
        besides: usize,
        roots: impl FnOnce(&mut Tracer),
    ) -> Result<(), Throw> {
        let mut tracer = Tracer {
            marks: std::mem::take(&mut self.marks),
            work: Vec::new(),
        };
        tracer.marks.clear();
        tracer.marks.resize(self.slots.len(), false);
        roots(&mut tracer);
        self.trace(&mut tracer);
        let mut live = besides;
        let count = tracer.marks.iter().filter(|mark| **mark).count();
        self.spare.restart(count);
        for (at, body) in self.slots.iter_mut().enumerate() {
            if tracer.marks[at] {
                live += body.bytes();
            } else if !matches!(body, Body::Free) && !self.spare.keep(at as u32, body) {
                *body = Body::Free;
                self.free.push(at as u32);
            }
        }
        self.interned.retain(|_, at| tracer.marks[at.0 as usize]);
        for unit in &mut self.units {
            *unit = unit.filter(|at| tracer.marks[at.0 as usize]);
        }
        live += self.interned.len() * INTERNED_BYTES;
        self.natives.retain(|_, at| tracer.marks[at.0 as usize]);
        self.namespaces.retain(|_, at| tracer.marks[at.0 as usize]);
        self.marks = tracer.marks;
        self.meter.collected(live)
    }

    /// Marks everything that is reachable, without freeing anything.
    pub(crate) fn reach(&self, roots: impl FnOnce(&mut Tracer)) -> Vec<bool> {
        let mut tracer = Tracer {
            marks: vec![false; self.slots.len()],
            work: Vec::new(),
        };
        roots(&mut tracer);
        self.trace(&mut tracer);
        tracer.marks
    }

    fn trace(&self, tracer: &mut Tracer) {
        while let Some(at) = tracer.work.pop() {
            visit(&self.slots[at as usize], tracer);
        }
    }

    /// All slots in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ref, &Body)> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, body)| !matches!(body, Body::Free))
            .map(|(at, body)| (Ref(at as u32), body))
    }
}

/// Finds what is reachable.
#[derive(Debug)]
pub(crate) struct Tracer {
    marks: Vec<bool>,
    work: Vec<u32>,
}

impl Tracer {
    /// Marks a handle.
    pub(crate) fn mark(&mut self, at: Ref) {
        if let Some(mark) = self.marks.get_mut(at.0 as usize)
            && !*mark
        {
            *mark = true;
            self.work.push(at.0);
        }
    }

    /// Marks what a value names.
    #[inline]
    pub(crate) fn value(&mut self, value: Value) {
        if let Value::String(at) | Value::Object(at) | Value::Variable(at) = value {
            self.mark(at);
        }
    }

    /// Marks what a reaction names.
    pub(crate) fn reaction(&mut self, reaction: &Reaction) {
        match *reaction {
            Reaction::Await(coroutine) => self.mark(coroutine),
            Reaction::Then {
                fulfilled,
                rejected,
                derived,
            } => {
                self.value(fulfilled);
                self.value(rejected);
                self.mark(derived);
            }
            Reaction::Finally { callback, derived } => {
                self.value(callback);
                self.mark(derived);
            }
            Reaction::Pass { value, derived, .. } => {
                self.value(value);
                self.mark(derived);
            }
            Reaction::Forward(derived) => self.mark(derived),
            Reaction::Element { aggregate, .. } => self.mark(aggregate),
        }
    }

    fn props(&mut self, props: &Props) {
        for (key, value) in props.iter() {
            if let Key::Name(name) = key {
                self.mark(name);
            }
            self.value(value);
        }
    }
}

/// Marks what a body names.
fn visit(body: &Body, tracer: &mut Tracer) {
    match body {
        Body::Free | Body::Native(_) | Body::Namespace(_) | Body::Date(_) => {}
        Body::String { text, atom } => {
            if let Text::Rope(left, right, _) = text {
                tracer.mark(*left);
                tracer.mark(*right);
            }
            if let Some(atom) = atom {
                tracer.mark(*atom);
            }
        }
        Body::Object(props) => tracer.props(props),
        Body::Array(array) => {
            array.items.iter().for_each(|item| tracer.value(*item));
            if let Some(names) = &array.names {
                tracer.props(names);
            }
        }
        Body::Regex(regex) => {
            tracer.mark(regex.source);
            tracer.value(regex.last_index);
        }
        Body::Closure(closure) => closure.captures.iter().for_each(|at| tracer.mark(*at)),
        Body::Variable(value) => tracer.value(*value),
        Body::Promise(promise) => {
            match promise.state {
                PromiseState::Pending => {}
                PromiseState::Fulfilled(value) | PromiseState::Rejected(value) => {
                    tracer.value(value);
                }
            }
            promise
                .reactions
                .iter()
                .for_each(|reaction| tracer.reaction(reaction));
        }
        Body::Coroutine(coroutine) => {
            coroutine.slots.iter().for_each(|slot| tracer.value(*slot));
            coroutine
                .closure
                .iter()
                .for_each(|closure| tracer.mark(*closure));
            tracer.mark(coroutine.promise);
        }
        Body::Aggregate(aggregate) => {
            tracer.mark(aggregate.derived);
            aggregate
                .values
                .iter()
                .for_each(|value| tracer.value(*value));
        }
        Body::Error(error) => {
            tracer.props(&error.props);
            tracer.props(&error.hidden);
        }
        Body::Map(table) | Body::Set(table) => {
            for (key, value) in table.iter() {
                tracer.value(key);
                tracer.value(value);
            }
        }
        Body::Iterator(iter) => tracer.value(iter.source),
    }
}
