//! What a run holds besides values and frames: promises of the host, jobs, caches.

use std::collections::{BTreeMap, VecDeque};

use crate::builtins::Sorts;
use crate::host::PromiseId;
use crate::program::Program;
use crate::value::heap::Tracer;
use crate::value::inherited::Kind;
use crate::value::object::Key;
use crate::value::promise::Reaction;
use crate::value::regex::Regexes;
use crate::value::{Ref, Value};

/// A microtask.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    /// A reaction to a promise that settled.
    React {
        reaction: Reaction,
        value: Value,
        rejected: bool,
    },
    /// `promise` was resolved with `other`: waits for it (one tick later, as in JavaScript).
    Follow { promise: Ref, other: Ref },
    /// The run is cancelled: a suspended function gets a `CancelledError`.
    Cancel { coroutine: Ref, reason: Value },
}

/// A constant as the loop uses it; made when it is first used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prepared {
    /// The value; `Empty` until then.
    pub(crate) value: Value,
    /// The property key, for strings.
    pub(crate) key: Key,
    /// The method of that name that was found last.
    pub(crate) method: Option<(Kind, u16)>,
    /// Where the last object had a property of that name.
    pub(crate) near: u32,
    /// Whether a plain object that has no such property of its own has none at all.
    pub(crate) is_own: bool,
    /// Whether it is `length`, which arrays and strings have.
    pub(crate) is_length: bool,
}

/// The state of a run.
#[derive(Debug)]
pub(crate) struct State {
    /// By index of the program's constants.
    pub(crate) consts: Vec<Prepared>,
    /// Microtasks, first come first served.
    pub(crate) jobs: VecDeque<Job>,
    /// Promises that the host has not settled.
    pub(crate) pending: BTreeMap<PromiseId, Ref>,
    /// The number of the next host promise.
    pub(crate) next_promise: PromiseId,
    /// The number of the first host promise of this step.
    pub(crate) first_of_step: PromiseId,
    /// Rejected promises that nobody handled when they were rejected.
    pub(crate) unhandled: Vec<Ref>,
    /// The promise of the main function.
    pub(crate) main: Option<Ref>,
    /// Compiled regular expressions.
    pub(crate) regexes: Regexes,
    /// What was returned to the frame on top, if that is no code.
    pub(crate) input: Value,
    /// The sorts under way.
    pub(crate) sorts: Sorts,
}

impl State {
    /// The state of a run of a program that has not begun.
    pub(crate) fn new(program: &Program) -> Self {
        let unmade = Prepared {
            value: Value::Empty,
            key: Key::Index(0),
            method: None,
            near: 0,
            is_length: false,
            is_own: false,
        };
        Self {
            consts: vec![unmade; program.consts.len()],
            jobs: VecDeque::new(),
            pending: BTreeMap::new(),
            next_promise: 1,
            first_of_step: 1,
            unhandled: Vec::new(),
            main: None,
            regexes: Regexes::default(),
            input: Value::Undefined,
            sorts: Sorts::default(),
        }
    }

    /// Marks what the state holds.
    pub(crate) fn trace(&self, tracer: &mut Tracer) {
        self.consts
            .iter()
            .for_each(|constant| tracer.value(constant.value));
        for job in &self.jobs {
            match job {
                Job::React {
                    reaction, value, ..
                } => {
                    tracer.reaction(reaction);
                    tracer.value(*value);
                }
                Job::Follow { promise, other } => {
                    tracer.mark(*promise);
                    tracer.mark(*other);
                }
                Job::Cancel { coroutine, reason } => {
                    tracer.mark(*coroutine);
                    tracer.value(*reason);
                }
            }
        }
        self.pending.values().for_each(|at| tracer.mark(*at));
        self.unhandled.iter().for_each(|at| tracer.mark(*at));
        self.main.iter().for_each(|at| tracer.mark(*at));
        tracer.value(self.input);
    }
}
