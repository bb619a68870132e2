//! Promises, what waits for them, and the frames that wait. Only data: `vm::promise` moves it.

use super::{Ref, Value};
use crate::host::PromiseId;

/// What a promise is.
#[derive(Clone, Copy, Debug)]
pub enum PromiseState {
    /// Not settled yet.
    Pending,
    /// Has a value.
    Fulfilled(Value),
    /// Has an error.
    Rejected(Value),
}

/// A promise.
#[derive(Debug)]
pub struct Promise {
    /// What it is.
    pub state: PromiseState,
    /// What happens when it settles, in order. Empty when it is settled.
    pub reactions: Vec<Reaction>,
    /// Whether somebody looks at a rejection.
    pub handled: bool,
    /// Whether it was resolved with another promise and waits for that one.
    pub locked: bool,
    /// The host's number, for promises that the host settles.
    pub host: Option<HostPromise>,
}

/// The host's side of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPromise {
    /// Its number.
    pub id: PromiseId,
    /// What settling does to the value.
    pub wrap: Wrap,
}

/// What becomes of a settlement by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// Fulfil or reject.
    Plain,
    /// Always fulfil, with `{success, value | error}` (`Task.try`).
    Try,
    /// Fulfil with a request that can be answered, or reject.
    Request,
    /// Fulfil with a lock that can be released, or reject.
    Lock,
}

/// What happens when a promise settles.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Reaction {
    /// A suspended frame goes on.
    Await(Ref),
    /// `.then(on_fulfilled, on_rejected)`; settles `derived`.
    Then {
        fulfilled: Value,
        rejected: Value,
        derived: Ref,
    },
    /// `.finally(callback)`; settles `derived`.
    Finally { callback: Value, derived: Ref },
    /// After `finally`'s callback: settles `derived` as the first promise was.
    Pass {
        value: Value,
        rejected: bool,
        derived: Ref,
    },
    /// `derived` becomes what the promise is: a promise was resolved with it.
    Forward(Ref),
    /// Element `at` of a `Promise.all/allSettled/any/race`.
    Element { aggregate: Ref, at: u32 },
}

/// The kinds of combinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Combinator {
    All = 0,
    AllSettled = 1,
    Any = 2,
    Race = 3,
    /// `All` over what a fan-out has started: nobody else can see its elements, and what has no turn yet is given up with it.
    FanOut = 4,
}

/// A combinator at work.
#[derive(Debug)]
pub struct Aggregate {
    /// Which one.
    pub kind: Combinator,
    /// The promise that it settles.
    pub derived: Ref,
    /// The values (or errors, for `any`) so far.
    pub values: Vec<Value>,
    /// How many elements are not settled.
    pub left: u32,
    /// Of a fan-out, the number of its first promise; the others follow it.
    pub first: PromiseId,
}

/// A suspended async function: one frame, taken off the stack.
#[derive(Debug)]
pub struct Coroutine {
    /// Number of its function in the program.
    pub function: u32,
    /// The closure that runs; none for the main function.
    pub closure: Option<Ref>,
    /// Where it goes on.
    pub pc: u32,
    /// Its locals and operands.
    pub slots: Vec<Value>,
    /// The promise of its result.
    pub promise: Ref,
}
