//! Reading a save. Nothing in it is trusted: a damaged one is a `Fault`, never a panic.

use std::collections::HashMap;
use std::rc::Rc;

use super::{MAGIC, UNCHECKED, VERSION, fit, kind, reaction, tag};
use crate::builtins::registry;
use crate::error::{ErrorClass, Fault};
use crate::limits::Limits;
use crate::program::Program;
use crate::program::wire::Reader;
use crate::regex::{self, Flags};
use crate::value::error::ErrorBody;
use crate::value::heap::{Array, Closure, Iter, IterKind};
use crate::value::object::{Integrity, Key, Props};
use crate::value::promise::{
    Aggregate, Combinator, Coroutine, HostPromise, Promise, PromiseState, Reaction, Wrap,
};
use crate::value::regex::{Regex, Regexes};
use crate::value::table::Table;
use crate::value::{Body, Heap, Ref, Value, date};
use crate::vm::state::State;

/// Reads what `save` wrote.
pub(crate) fn load(program: &Program, save: &[u8], limits: Limits) -> Result<(Heap, State), Fault> {
    let bytes = save.strip_prefix(MAGIC).ok_or(Fault::NotOurs("save"))?;
    let mut input = Reader::new(bytes);
    let version = input.number().ok_or(Fault::Damaged("save header"))?;
    if version > VERSION {
        return Err(Fault::TooNew {
            what: "save",
            version: version as u32,
        });
    }
    if version > UNCHECKED {
        let checked = input.drop_last(4).ok_or(Fault::Damaged("save header"))?;
        let (before, _) = save.split_at(save.len() - 4);
        // A fuzzer would never get past it.
        if !cfg!(fuzzing) && checked != crc32fast::hash(before).to_le_bytes() {
            return Err(Fault::Damaged("the save's checksum is wrong"));
        }
    }
    let hash = input.take(8).ok_or(Fault::Damaged("save header"))?;
    if hash != program.content_hash().to_le_bytes() {
        return Err(Fault::Damaged("the save belongs to another program"));
    }
    let mut loader = Loader {
        program,
        input,
        heap: Heap::new(limits),
        strings: Vec::new(),
        bodies: Vec::new(),
        kinds: Vec::new(),
        expected: Vec::new(),
        unknown: None,
        programs: HashMap::new(),
        regexes: Regexes::that_keep_all(),
    };
    match loader.all() {
        Some(state) => Ok((loader.heap, state)),
        None => Err(loader
            .unknown
            .map_or(Fault::Damaged("save body"), Fault::UnknownBuiltin)),
    }
}

/// What a reference must point to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Something that a program can hold.
    Value,
    /// One kind of body.
    Kind(u8),
}

struct Loader<'a> {
    program: &'a Program,
    input: Reader<'a>,
    heap: Heap,
    strings: Vec<Ref>,
    bodies: Vec<Ref>,
    kinds: Vec<u8>,
    /// Checked when all kinds are known.
    expected: Vec<(u32, Expect)>,
    unknown: Option<String>,
    /// Compiled patterns by the numbers of their strings, so that none is read once for each body that has it; and
    /// by their texts, so that what shared a program does so again.
    programs: HashMap<(u64, Flags), Rc<regex::Program>>,
    regexes: Regexes,
}

/// Beyond this no number of a promise or of an entry can be made, so that those behind it never overflow.
const MOST_PROMISES: u32 = 1 << 31;
const MOST_ENTRIES: u64 = 1 << 53;

impl Loader<'_> {
    fn all(&mut self) -> Option<State> {
        for _ in 0..self.input.count()? {
            let units = self.input.units()?;
            match self.heap.string(&units).ok()? {
                Value::String(at) => self.strings.push(at),
                _ => return None,
            }
        }
        let count = self.input.count()?;
        // A damaged number may claim as many as there are bytes.
        self.heap.room_for(count).ok()?;
        self.bodies = (0..count)
            .map(|_| self.heap.alloc(Body::Variable(Value::Undefined)))
            .collect();
        for at in 0..count {
            let (kind, body) = self.body()?;
            self.kinds.push(kind);
            *self.heap.body_mut(self.bodies[at]) = body;
            self.heap.adopt(self.bodies[at]);
        }
        let state = self.roots()?;
        let fits = self.expected.iter().all(|(number, expect)| {
            let kind = self.kinds[*number as usize];
            match expect {
                Expect::Kind(expected) => kind == *expected,
                Expect::Value => {
                    !matches!(kind, kind::VARIABLE | kind::COROUTINE | kind::AGGREGATE)
                }
            }
        });
        (fits
            && self.input.left() == 0
            && fit::coroutines(self.program, &self.heap, &self.bodies)
            && fit::promises(&self.heap, &self.bodies, &state))
        .then_some(state)
    }

    fn roots(&mut self) -> Option<State> {
        let mut state = State::new(self.program);
        state.next_promise = self.input.index().filter(|next| *next <= MOST_PROMISES)?;
        state.first_of_step = state.next_promise;
        for _ in 0..self.input.count().filter(|count| *count <= 1)? {
            state.main = Some(self.reference(Expect::Kind(kind::PROMISE))?);
        }
        for _ in 0..self.input.count()? {
            let promise = self.reference(Expect::Kind(kind::PROMISE))?;
            let Body::Promise(body) = self.heap.body(promise) else {
                return None;
            };
            let (host, PromiseState::Pending) = (body.host?, body.state) else {
                return None;
            };
            if host.id >= state.next_promise || state.pending.insert(host.id, promise).is_some() {
                return None;
            }
        }
        Some(state)
    }

    fn captures_fit(&self, function: u32, captures: usize) -> bool {
        let function = self.program.functions.get(function as usize);
        function.is_some_and(|function| function.captures.len() == captures)
    }

    fn reference(&mut self, expect: Expect) -> Option<Ref> {
        let number = self.input.index()?;
        let at = *self.bodies.get(number as usize)?;
        self.expected.push((number, expect));
        Some(at)
    }

    fn string(&mut self, number: u64) -> Option<Ref> {
        self.strings.get(usize::try_from(number).ok()?).copied()
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.input.byte()? {
            tag::UNDEFINED => Value::Undefined,
            tag::NULL => Value::Null,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::INTEGER => Value::Number(self.input.signed()? as f64),
            tag::DOUBLE => Value::Number(self.input.double()?),
            tag::EMPTY => Value::Empty,
            tag::STRING => {
                let number = self.input.number()?;
                Value::String(self.string(number)?)
            }
            tag::OBJECT => Value::Object(self.reference(Expect::Value)?),
            tag::VARIABLE => Value::Variable(self.reference(Expect::Kind(kind::VARIABLE))?),
            _ => return None,
        })
    }

    /// A value that a program can see.
    fn plain(&mut self) -> Option<Value> {
        let value = self.value()?;
        (!matches!(value, Value::Empty | Value::Variable(_))).then_some(value)
    }

    fn values(&mut self) -> Option<Vec<Value>> {
        let count = self.input.count()?;
        self.heap.meter.charge(count.checked_mul(16)?).ok()?;
        (0..count).map(|_| self.value()).collect()
    }

    fn integrity(&mut self) -> Option<Integrity> {
        Some(match self.input.byte()? {
            0 => Integrity::Open,
            1 => Integrity::Closed,
            2 => Integrity::Sealed,
            3 => Integrity::Frozen,
            _ => return None,
        })
    }

    fn props(&mut self) -> Option<Props> {
        let integrity = self.integrity()?;
        let mut props = Props::default();
        props.integrity = integrity;
        for _ in 0..self.input.count()? {
            let head = self.input.number()?;
            let key = if head & 1 == 1 {
                Key::Index(
                    u32::try_from(head >> 1)
                        .ok()
                        .filter(|index| *index != u32::MAX)?,
                )
            } else {
                let name = self.string(head >> 1)?;
                Key::Name(self.heap.intern_ref(name))
            };
            let value = self.plain()?;
            self.heap.meter.charge(48).ok()?;
            if !props.set(key, value) {
                return None;
            }
        }
        Some(props)
    }

    fn table(&mut self, values: bool) -> Option<Table> {
        let next = self.input.number().filter(|next| *next <= MOST_ENTRIES)?;
        let mut table = Table::default();
        for _ in 0..self.input.count()? {
            // Those that are not below `next` are refused at the end.
            let number = self
                .input
                .number()
                .filter(|number| *number < MOST_ENTRIES)?;
            let key = self.plain()?;
            let key = self.heap.table_key(key);
            let value = if values {
                self.plain()?
            } else {
                Value::Undefined
            };
            self.heap.meter.charge(80).ok()?;
            if !table.restore(number, key, value) {
                return None;
            }
        }
        table.restore_next(next).then_some(table)
    }

    fn regex(&mut self) -> Option<Regex> {
        let flags = Flags::of_number(self.input.byte()?)?;
        let number = self.input.number()?;
        let source = self.string(number)?;
        let program = match self.programs.get(&(number, flags)) {
            Some(known) => Rc::clone(known),
            None => {
                let pattern = self.heap.text(source);
                let (program, made) = self.regexes.program(&pattern, flags).ok()?;
                if made {
                    self.heap.meter.charge(program.bytes()).ok()?;
                }
                self.programs.insert((number, flags), Rc::clone(&program));
                program
            }
        };
        Some(Regex {
            source,
            flags,
            last_index: self.plain()?,
            program,
        })
    }

    fn promise(&mut self) -> Option<Promise> {
        let flags = self.input.byte()?;
        let state = match self.input.byte()? {
            0 => PromiseState::Pending,
            1 => PromiseState::Fulfilled(self.plain()?),
            2 => PromiseState::Rejected(self.plain()?),
            _ => return None,
        };
        let host = match self.input.byte()? {
            0 => None,
            wrap @ 1..=4 => {
                let wrap = match wrap {
                    2 => Wrap::Try,
                    3 => Wrap::Request,
                    4 => Wrap::Lock,
                    _ => Wrap::Plain,
                };
                Some(HostPromise {
                    id: self.input.index()?,
                    wrap,
                })
            }
            _ => return None,
        };
        let count = self.input.count()?;
        self.heap.meter.charge(count.checked_mul(48)?).ok()?;
        let reactions = (0..count).map(|_| self.reaction()).collect::<Option<_>>()?;
        let (handled, locked) = (flags & 1 != 0, flags & 2 != 0);
        Some(Promise {
            state,
            reactions,
            handled,
            locked,
            host,
        })
    }

    fn reaction(&mut self) -> Option<Reaction> {
        let promise = Expect::Kind(kind::PROMISE);
        Some(match self.input.byte()? {
            reaction::AWAIT => Reaction::Await(self.reference(Expect::Kind(kind::COROUTINE))?),
            reaction::THEN => Reaction::Then {
                fulfilled: self.plain()?,
                rejected: self.plain()?,
                derived: self.reference(promise)?,
            },
            reaction::FINALLY => Reaction::Finally {
                callback: self.plain()?,
                derived: self.reference(promise)?,
            },
            reaction::PASS => Reaction::Pass {
                value: self.plain()?,
                rejected: self.input.byte()? != 0,
                derived: self.reference(promise)?,
            },
            reaction::FORWARD => Reaction::Forward(self.reference(promise)?),
            reaction::ELEMENT => Reaction::Element {
                aggregate: self.reference(Expect::Kind(kind::AGGREGATE))?,
                at: self.input.index()?,
            },
            _ => return None,
        })
    }

    fn body(&mut self) -> Option<(u8, Body)> {
        let kind = self.input.byte()?;
        let body = match kind {
            kind::OBJECT => Body::Object(self.props()?),
            kind::BARE => {
                let mut props = self.props()?;
                props.is_bare = true;
                Body::Object(props)
            }
            kind::ARRAY | kind::MATCH => {
                let integrity = self.integrity()?;
                let items = self.values()?;
                if items.iter().any(|item| matches!(item, Value::Variable(_))) {
                    return None;
                }
                let mut names = match kind {
                    kind::MATCH => Some(Box::new(self.props()?)),
                    _ => None,
                };
                if integrity != Integrity::Open {
                    names.get_or_insert_default().integrity = integrity;
                }
                Body::Array(Array { items, names })
            }
            kind::CLOSURE => {
                let function = self.input.index().filter(|number| *number != 0)?;
                let count = self.input.count()?;
                if !self.captures_fit(function, count) {
                    return None;
                }
                let captures = (0..count)
                    .map(|_| self.reference(Expect::Kind(kind::VARIABLE)))
                    .collect::<Option<_>>()?;
                Body::Closure(Closure { function, captures })
            }
            kind::NATIVE => {
                let path = self.input.text()?;
                match registry().find(&path) {
                    Some(number) => Body::Native(number),
                    None => {
                        self.unknown = Some(path);
                        return None;
                    }
                }
            }
            kind::NAMESPACE => {
                let name = self.input.text()?;
                match registry().namespace(&name) {
                    Some(number) => Body::Namespace(number),
                    None => {
                        self.unknown = Some(name);
                        return None;
                    }
                }
            }
            kind::VARIABLE => {
                let value = self.value()?;
                if matches!(value, Value::Variable(_)) {
                    return None;
                }
                Body::Variable(value)
            }
            kind::PROMISE => Body::Promise(Box::new(self.promise()?)),
            kind::COROUTINE => {
                let function = self.input.index()?;
                let closure = match self.input.number()? {
                    0 => None,
                    number => {
                        let number = u32::try_from(number - 1).ok()?;
                        self.expected.push((number, Expect::Kind(kind::CLOSURE)));
                        Some(*self.bodies.get(number as usize)?)
                    }
                };
                let pc = self.input.index()?;
                let promise = self.reference(Expect::Kind(kind::PROMISE))?;
                let slots = self.values()?;
                Body::Coroutine(Box::new(Coroutine {
                    function,
                    closure,
                    pc,
                    slots,
                    promise,
                }))
            }
            kind::AGGREGATE => {
                let kind = match self.input.byte()? {
                    0 => Combinator::All,
                    1 => Combinator::AllSettled,
                    2 => Combinator::Any,
                    3 => Combinator::Race,
                    4 => Combinator::FanOut,
                    _ => return None,
                };
                let derived = self.reference(Expect::Kind(kind::PROMISE))?;
                let left = self.input.index()?;
                let values = self.values()?;
                let is_plain = |value: &Value| !matches!(value, Value::Empty | Value::Variable(_));
                if !values.iter().all(is_plain) {
                    return None;
                }
                let first = match kind {
                    Combinator::FanOut => {
                        self.input.index().filter(|first| *first <= MOST_PROMISES)?
                    }
                    _ => 0,
                };
                Body::Aggregate(Box::new(Aggregate {
                    kind,
                    derived,
                    values,
                    left,
                    first,
                }))
            }
            kind::ERROR => {
                let class = ErrorClass::of_number(self.input.byte()?)?;
                let props = self.props()?;
                let hidden = self.props()?;
                Body::Error(Box::new(ErrorBody {
                    class,
                    props,
                    hidden,
                }))
            }
            kind::DATE => {
                let ms = self.input.double()?;
                // Only what a program can make: whole milliseconds within the range of dates, or NaN.
                (date::clip(ms).to_bits() == ms.to_bits() || ms.is_nan())
                    .then_some(Body::Date(ms))?
            }
            kind::REGEX => Body::Regex(Box::new(self.regex()?)),
            kind::MAP => Body::Map(Box::new(self.table(true)?)),
            kind::SET => Body::Set(Box::new(self.table(false)?)),
            kind::ITERATOR => {
                let kind = match self.input.byte()? {
                    0 => IterKind::Values,
                    1 => IterKind::Keys,
                    2 => IterKind::Entries,
                    3 => IterKind::Matches,
                    _ => return None,
                };
                let at = self.input.number()?;
                Body::Iterator(Iter {
                    source: self.plain()?,
                    kind,
                    at,
                })
            }
            _ => return None,
        };
        Some((kind, body))
    }
}
