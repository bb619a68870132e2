//! Writing a save.

use super::{MAGIC, VERSION, kind, reaction, tag};
use crate::builtins::registry;
use crate::program::Program;
use crate::program::wire::Writer;
use crate::value::hashed::Hashed;
use crate::value::object::{Key, Props};
use crate::value::promise::{Combinator, Promise, PromiseState, Reaction, Wrap};
use crate::value::string::Text;
use crate::value::table::Table;
use crate::value::{Body, Heap, Ref, Value};
use crate::vm::state::State;

/// Writes what is reachable; none if it is more than `limit` bytes.
pub(crate) fn save(program: &Program, heap: &Heap, state: &State, limit: usize) -> Option<Vec<u8>> {
    let mut saver = Saver {
        heap,
        numbers: Hashed::default(),
        bodies: Vec::new(),
        strings: Writer::default(),
        string_numbers: Hashed::default(),
        limit,
        is_over: false,
    };
    let mut roots = Writer::default();
    roots.number(u64::from(state.next_promise));
    roots.size(state.main.iter().count());
    if let Some(main) = state.main {
        roots.number(saver.number(main));
    }
    roots.size(state.pending.len());
    for promise in state.pending.values() {
        roots.number(saver.number(*promise));
    }
    let mut bodies = Writer::default();
    let mut next = 0;
    while let Some(at) = saver.bodies.get(next).copied() {
        saver.body(&mut bodies, at);
        next += 1;
        if saver.is_over || bodies.bytes.len() + saver.strings.bytes.len() > limit {
            return None;
        }
    }
    let mut out = Writer::default();
    out.bytes.extend_from_slice(MAGIC);
    out.number(VERSION);
    out.bytes
        .extend_from_slice(&program.content_hash().to_le_bytes());
    out.size(saver.string_numbers.len());
    out.bytes.append(&mut saver.strings.bytes);
    out.size(saver.bodies.len());
    out.bytes.append(&mut bodies.bytes);
    out.bytes.append(&mut roots.bytes);
    let checksum = crc32fast::hash(&out.bytes);
    out.bytes.extend_from_slice(&checksum.to_le_bytes());
    (out.bytes.len() <= limit).then_some(out.bytes)
}

struct Saver<'a> {
    heap: &'a Heap,
    numbers: Hashed<Ref, u64>,
    /// In the order of their numbers; those behind the one being written are still to do.
    bodies: Vec<Ref>,
    strings: Writer,
    string_numbers: Hashed<Ref, u64>,
    limit: usize,
    /// The strings alone are over the limit. Ropes share their parts in the heap, but not in a save, so
    /// one array of them may hold far more than the heap: asked before each string is written.
    is_over: bool,
}

impl Saver<'_> {
    fn number(&mut self, at: Ref) -> u64 {
        let next = self.bodies.len() as u64;
        let number = *self.numbers.entry(at).or_insert(next);
        if number == next {
            self.bodies.push(at);
        }
        number
    }

    fn string(&mut self, at: Ref) -> u64 {
        // A name and the same text as a value are one string.
        let at = match self.heap.body(at) {
            Body::String {
                atom: Some(atom), ..
            } => *atom,
            _ => at,
        };
        let next = self.string_numbers.len() as u64;
        let number = *self.string_numbers.entry(at).or_insert(next);
        if number == next && !self.is_over {
            // No unit takes less than a byte.
            self.is_over = self.strings.bytes.len() + self.heap.string_len(at) > self.limit;
        }
        if number == next && !self.is_over {
            match self.heap.body(at) {
                Body::String {
                    text: Text::Flat(units),
                    ..
                } => self.strings.units(units),
                _ => {
                    let units = self.flat(at);
                    self.strings.units(&units);
                }
            }
        }
        number
    }

    /// The units of a rope.
    fn flat(&self, at: Ref) -> Vec<u16> {
        let mut units = Vec::with_capacity(self.heap.string_len(at));
        let mut parts = vec![at];
        while let Some(part) = parts.pop() {
            match self.heap.body(part) {
                Body::String {
                    text: Text::Flat(flat),
                    ..
                } => units.extend_from_slice(flat),
                Body::String {
                    text: Text::Rope(left, right, _),
                    ..
                } => parts.extend([*right, *left]),
                _ => {}
            }
        }
        units
    }

    fn value(&mut self, out: &mut Writer, value: Value) {
        match value {
            Value::Undefined => out.byte(tag::UNDEFINED),
            Value::Null => out.byte(tag::NULL),
            Value::Bool(false) => out.byte(tag::FALSE),
            Value::Bool(true) => out.byte(tag::TRUE),
            Value::Number(number) => {
                let whole = number as i64;
                // −0 is no integer, and larger ones are shorter as doubles.
                if whole as f64 == number
                    && whole.unsigned_abs() < 1 << 48
                    && !(whole == 0 && number.is_sign_negative())
                {
                    out.byte(tag::INTEGER);
                    out.signed(whole);
                } else {
                    out.byte(tag::DOUBLE);
                    out.double(number);
                }
            }
            Value::Empty => out.byte(tag::EMPTY),
            Value::String(at) => {
                out.byte(tag::STRING);
                out.number(self.string(at));
            }
            Value::Object(at) => {
                out.byte(tag::OBJECT);
                out.number(self.number(at));
            }
            Value::Variable(at) => {
                out.byte(tag::VARIABLE);
                out.number(self.number(at));
            }
        }
    }

    fn values(&mut self, out: &mut Writer, values: &[Value]) {
        out.size(values.len());
        values.iter().for_each(|value| self.value(out, *value));
    }

    fn reference(&mut self, out: &mut Writer, at: Ref) {
        let number = self.number(at);
        out.number(number);
    }

    /// A reference that may be missing.
    fn option(&mut self, out: &mut Writer, at: Option<Ref>) {
        let number = at.map_or(0, |at| self.number(at) + 1);
        out.number(number);
    }

    fn props(&mut self, out: &mut Writer, props: &Props) {
        out.byte(props.integrity as u8);
        out.size(props.len());
        for (key, value) in props.iter() {
            match key {
                Key::Index(index) => out.number(u64::from(index) << 1 | 1),
                Key::Name(name) => {
                    let name = self.string(name);
                    out.number(name << 1);
                }
            }
            self.value(out, value);
        }
    }

    fn table(&mut self, out: &mut Writer, table: &Table, values: bool) {
        let (next, numbers) = table.numbers();
        out.number(next);
        out.size(table.len());
        for (number, (key, value)) in numbers.zip(table.iter()) {
            out.number(number);
            self.value(out, key);
            if values {
                self.value(out, value);
            }
        }
    }

    fn promise(&mut self, out: &mut Writer, promise: &Promise) {
        out.byte(u8::from(promise.handled) | u8::from(promise.locked) << 1);
        match promise.state {
            PromiseState::Pending => out.byte(0),
            PromiseState::Fulfilled(value) => {
                out.byte(1);
                self.value(out, value);
            }
            PromiseState::Rejected(value) => {
                out.byte(2);
                self.value(out, value);
            }
        }
        match promise.host {
            None => out.byte(0),
            Some(host) => {
                out.byte(match host.wrap {
                    Wrap::Plain => 1,
                    Wrap::Try => 2,
                    Wrap::Request => 3,
                    Wrap::Lock => 4,
                });
                out.number(u64::from(host.id));
            }
        }
        out.size(promise.reactions.len());
        promise
            .reactions
            .iter()
            .for_each(|reaction| self.reaction(out, reaction));
    }

    fn reaction(&mut self, out: &mut Writer, from: &Reaction) {
        match *from {
            Reaction::Await(coroutine) => {
                out.byte(reaction::AWAIT);
                self.reference(out, coroutine);
            }
            Reaction::Then {
                fulfilled,
                rejected,
                derived,
            } => {
                out.byte(reaction::THEN);
                self.value(out, fulfilled);
                self.value(out, rejected);
                self.reference(out, derived);
            }
            Reaction::Finally { callback, derived } => {
                out.byte(reaction::FINALLY);
                self.value(out, callback);
                self.reference(out, derived);
            }
            Reaction::Pass {
                value,
                rejected,
                derived,
            } => {
                out.byte(reaction::PASS);
                self.value(out, value);
                out.byte(u8::from(rejected));
                self.reference(out, derived);
            }
            Reaction::Forward(derived) => {
                out.byte(reaction::FORWARD);
                self.reference(out, derived);
            }
            Reaction::Element { aggregate, at } => {
                out.byte(reaction::ELEMENT);
                self.reference(out, aggregate);
                out.number(u64::from(at));
            }
        }
    }

    fn body(&mut self, out: &mut Writer, at: Ref) {
        let heap = self.heap;
        match heap.body(at) {
            // Strings have numbers of their own, and no reachable slot is free.
            Body::Free | Body::String { .. } => {
                out.byte(kind::VARIABLE);
                out.byte(tag::UNDEFINED);
            }
            Body::Object(props) => {
                out.byte(if props.is_bare {
                    kind::BARE
                } else {
                    kind::OBJECT
                });
                self.props(out, props);
            }
            Body::Array(array) => {
                let names = array.names.as_ref().filter(|names| !names.is_empty());
                out.byte(match names {
                    Some(_) => kind::MATCH,
                    None => kind::ARRAY,
                });
                out.byte(array.integrity() as u8);
                self.values(out, &array.items);
                if let Some(names) = names {
                    self.props(out, names);
                }
            }
            Body::Closure(closure) => {
                out.byte(kind::CLOSURE);
                out.number(u64::from(closure.function));
                out.size(closure.captures.len());
                closure
                    .captures
                    .iter()
                    .for_each(|at| self.reference(out, *at));
            }
            Body::Native(number) => {
                out.byte(kind::NATIVE);
                out.text(
                    registry()
                        .all
                        .get(usize::from(*number))
                        .map_or("", |builtin| builtin.path),
                );
            }
            Body::Namespace(number) => {
                out.byte(kind::NAMESPACE);
                out.text(
                    registry()
                        .namespaces
                        .get(usize::from(*number))
                        .copied()
                        .unwrap_or_default(),
                );
            }
            Body::Variable(value) => {
                out.byte(kind::VARIABLE);
                self.value(out, *value);
            }
            Body::Promise(promise) => {
                out.byte(kind::PROMISE);
                self.promise(out, promise);
            }
            Body::Coroutine(coroutine) => {
                out.byte(kind::COROUTINE);
                out.number(u64::from(coroutine.function));
                self.option(out, coroutine.closure);
                out.number(u64::from(coroutine.pc));
                self.reference(out, coroutine.promise);
                self.values(out, &coroutine.slots);
            }
            Body::Aggregate(aggregate) => {
                out.byte(kind::AGGREGATE);
                out.byte(aggregate.kind as u8);
                self.reference(out, aggregate.derived);
                out.number(u64::from(aggregate.left));
                self.values(out, &aggregate.values);
                if aggregate.kind == Combinator::FanOut {
                    out.number(u64::from(aggregate.first));
                }
            }
            Body::Error(error) => {
                out.byte(kind::ERROR);
                out.byte(error.class as u8);
                self.props(out, &error.props);
                self.props(out, &error.hidden);
            }
            Body::Date(ms) => {
                out.byte(kind::DATE);
                out.double(*ms);
            }
            Body::Regex(regex) => {
                out.byte(kind::REGEX);
                out.byte(regex.flags.number());
                out.number(self.string(regex.source));
                self.value(out, regex.last_index);
            }
            Body::Map(table) => {
                out.byte(kind::MAP);
                self.table(out, table, true);
            }
            Body::Set(table) => {
                out.byte(kind::SET);
                self.table(out, table, false);
            }
            Body::Iterator(iter) => {
                out.byte(kind::ITERATOR);
                out.byte(iter.kind as u8);
                out.number(iter.at);
                self.value(out, iter.source);
            }
        }
    }
}
