//! Promises and microtasks, in the order and with the number of ticks that JavaScript has.

use super::call::MANY_LOCALS;
use super::cx::Cx;
use super::frame::{AsyncTask, Frame, FrameKind};
use super::state::Job;
use crate::error::Throw;
use crate::host::PromiseId;
use crate::program::NO_WORDS;
use crate::value::object::Key;
use crate::value::promise::{Aggregate, Combinator, Coroutine, Promise, PromiseState, Reaction};
use crate::value::{Body, Ref, Value};

impl Cx<'_> {
    /// A pending promise.
    pub fn new_promise(&mut self) -> Ref {
        self.promise_in(PromiseState::Pending)
    }

    fn promise_in(&mut self, state: PromiseState) -> Ref {
        if let Some(at) = self.heap.spare_promise() {
            if let Some(promise) = self.promise(at) {
                promise.state = state;
            }
            return at;
        }
        self.heap.alloc(Body::Promise(Box::new(Promise {
            state,
            reactions: Vec::new(),
            handled: false,
            locked: false,
            host: None,
        })))
    }

    /// The body of a promise.
    pub(crate) fn promise(&mut self, at: Ref) -> Option<&mut Promise> {
        match self.heap.body_mut(at) {
            Body::Promise(promise) => Some(promise),
            _ => None,
        }
    }

    /// Whether a value is a promise.
    #[must_use]
    pub fn as_promise(&self, value: Value) -> Option<Ref> {
        match value {
            Value::Object(at) if matches!(self.heap.body(at), Body::Promise(_)) => Some(at),
            _ => None,
        }
    }

    /// `Promise.resolve(value)`: a promise is returned as it is.
    ///
    /// # Errors
    /// For a thenable: an object with a `then` of its own.
    pub fn promise_of(&mut self, value: Value) -> Result<Ref, Throw> {
        if let Some(promise) = self.as_promise(value) {
            return Ok(promise);
        }
        self.refuse_thenable(value)?;
        Ok(self.promise_in(PromiseState::Fulfilled(value)))
    }

    /// An object with a `then` would be called by JavaScript; Flow has only its own promises.
    fn refuse_thenable(&mut self, value: Value) -> Result<(), Throw> {
        let Value::Object(at) = value else {
            return Ok(());
        };
        if !matches!(self.heap.body(at), Body::Object(_) | Body::Error(_)) {
            return Ok(());
        }
        let key = Key::Name(self.heap.intern_str("then"));
        if let Some(then) = self.get_own(at, key)?
            && self.heap.is_callable(then)
        {
            return Err(Throw::type_error(
                "An object with a 'then' function (a thenable) is no promise of Flow and cannot be awaited.",
            ));
        }
        Ok(())
    }

    /// Resolves a promise with a value; with another promise, it follows that one.
    pub(crate) fn resolve(&mut self, promise: Ref, value: Value) {
        if let Some(other) = self.as_promise(value) {
            if other == promise {
                let error = self.new_error(
                    crate::error::ErrorClass::TypeError,
                    Some("Chaining cycle detected for promise #<Promise>"),
                );
                let error = error.map_or(Value::Undefined, Value::Object);
                self.reject(promise, error);
                return;
            }
            if let Some(body) = self.promise(promise) {
                body.locked = true;
            }
            self.state.jobs.push_back(Job::Follow { promise, other });
            return;
        }
        if let Err(throw) = self.refuse_thenable(value) {
            let error = self.thrown(throw);
            self.reject(promise, error);
            return;
        }
        self.settle(promise, value, false);
    }

    /// Rejects a promise.
    pub(crate) fn reject(&mut self, promise: Ref, error: Value) {
        self.settle(promise, error, true);
    }

    /// The value of what was thrown by a builtin outside of any frame.
    pub(crate) fn thrown(&mut self, throw: Throw) -> Value {
        match throw {
            Throw::Value(value) => value,
            Throw::Error(raised) => self
                .new_error(raised.class, Some(&raised.message))
                .map_or(Value::Undefined, Value::Object),
            Throw::Fatal(_) => Value::Undefined,
        }
    }

    pub(super) fn settle(&mut self, promise: Ref, value: Value, rejected: bool) {
        let Body::Promise(body) = self.heap.body_mut(promise) else {
            return;
        };
        if !matches!(body.state, PromiseState::Pending) {
            return;
        }
        body.state = if rejected {
            PromiseState::Rejected(value)
        } else {
            PromiseState::Fulfilled(value)
        };
        body.locked = false;
        let handled = body.handled;
        if let Some(host) = body.host.take() {
            self.state.pending.remove(&host.id);
        }
        if rejected && !handled {
            self.state.unhandled.push(promise);
        }
        for reaction in body.reactions.drain(..) {
            self.state.jobs.push_back(Job::React {
                reaction,
                value,
                rejected,
            });
        }
    }

    /// Adds a reaction: now if the promise is settled, else when it is.
    pub(crate) fn react(&mut self, promise: Ref, reaction: Reaction) {
        self.heap.meter.allocated(48);
        let Some(body) = self.promise(promise) else {
            return;
        };
        body.handled = true;
        match body.state {
            PromiseState::Pending => {
                if body.reactions.is_empty() {
                    // Most promises are awaited once.
                    body.reactions.reserve_exact(1);
                }
                body.reactions.push(reaction);
            }
            PromiseState::Fulfilled(value) => {
                self.state.jobs.push_back(Job::React {
                    reaction,
                    value,
                    rejected: false,
                });
            }
            PromiseState::Rejected(value) => {
                self.state.jobs.push_back(Job::React {
                    reaction,
                    value,
                    rejected: true,
                });
            }
        }
    }

    /// Takes the async function on top off the stack until `value` is settled.
    pub(super) fn suspend(&mut self, value: Value, live: u32) -> Result<(), Throw> {
        let promise = self.promise_of(value)?;
        let Some(frame) = self.frames.last().copied() else {
            return Ok(());
        };
        let FrameKind::Code {
            function,
            closure,
            task: Some(task),
        } = frame.kind
        else {
            return Err(Throw::fault("await outside of an async function"));
        };
        let base = frame.base as usize;
        let locals = self.program.functions[function as usize].locals as usize;
        let (live, operands) = (
            &self.stack[base..base + live as usize],
            &self.stack[base + locals..],
        );
        // The one that it was taken from when it went on, or one that nobody needs any more.
        let known = task.coroutine.or_else(|| self.heap.spare_coroutine());
        let coroutine = if let Some(at) = known {
            let Body::Coroutine(body) = self.heap.body_mut(at) else {
                return Err(Throw::fault("suspended function"));
            };
            (body.function, body.closure) = (function, closure);
            (body.pc, body.promise) = (frame.pc, task.promise);
            body.slots.clear();
            body.slots.extend_from_slice(live);
            body.slots.extend_from_slice(operands);
            at
        } else {
            let slots = [live, operands].concat();
            self.heap.alloc(Body::Coroutine(Box::new(Coroutine {
                function,
                closure,
                pc: frame.pc,
                slots,
                promise: task.promise,
            })))
        };
        self.frames.pop();
        self.stack.truncate(frame.floor as usize);
        self.react(promise, Reaction::Await(coroutine));
        if task.coroutine.is_none() {
            self.deliver(Value::Object(task.promise));
        }
        Ok(())
    }

    /// Puts a suspended async function back on the stack.
    fn resume(&mut self, at: Ref, value: Value, rejected: bool) -> Result<(), Throw> {
        let Body::Coroutine(body) = self.heap.body_mut(at) else {
            return Err(Throw::fault("suspended function"));
        };
        let mut slots = std::mem::take(&mut body.slots);
        let (number, closure, pc, promise) = (body.function, body.closure, body.pc, body.promise);
        let function = &self.program.functions[number as usize];
        let operands = function
            .awaits
            .binary_search_by_key(&pc.wrapping_sub(1), |(at, _)| *at)
            .map(|found| function.awaits[found].1 as usize)
            .map_err(|_| Throw::fault("place of an await"))?;
        let base = self.stack.len();
        self.make_room(base + function.locals as usize + operands)?;
        if function.locals >= MANY_LOCALS {
            self.heap.meter.owe(function.locals as usize / 16);
        }
        let live = slots.len().saturating_sub(operands);
        self.stack.extend_from_slice(&slots[..live]);
        self.stack.fit(base + function.locals as usize);
        self.stack.extend_from_slice(&slots[live..]);
        // Empty, so that nothing is kept alive; its room is for the next suspension.
        slots.clear();
        if let Body::Coroutine(body) = self.heap.body_mut(at) {
            body.slots = slots;
        }
        self.frames.push(Frame {
            kind: FrameKind::Code {
                function: number,
                closure,
                task: Some(AsyncTask {
                    promise,
                    coroutine: Some(at),
                }),
            },
            pc,
            base: base as u32,
            floor: base as u32,
        });
        if rejected {
            return Err(Throw::Value(value));
        }
        self.stack.push(value);
        Ok(())
    }

    /// Begins a microtask; frames that it pushed run afterwards.
    pub(super) fn begin(&mut self, job: Job) -> Result<(), Throw> {
        match job {
            Job::Follow { promise, other } => self.react(other, Reaction::Forward(promise)),
            Job::Cancel { coroutine, reason } => {
                self.resume(coroutine, Value::Undefined, false)?;
                // Thrown here, with the frame on the stack, so that its trace shows the await.
                let reason = self.units(reason)?;
                let reason = String::from_utf16_lossy(&reason);
                return Err(Throw::error(
                    crate::error::ErrorClass::CancelledError,
                    reason,
                ));
            }
            Job::React {
                reaction,
                value,
                rejected,
            } => match reaction {
                Reaction::Await(coroutine) => self.resume(coroutine, value, rejected)?,
                Reaction::Forward(derived) => self.settle(derived, value, rejected),
                Reaction::Pass {
                    value,
                    rejected: first,
                    derived,
                } => {
                    // What `finally`'s callback returned was settled: an error of it wins.
                    match (rejected, job) {
                        (true, Job::React { value: error, .. }) => self.reject(derived, error),
                        _ => self.settle(derived, value, first),
                    }
                }
                Reaction::Then {
                    fulfilled,
                    rejected: on_rejected,
                    derived,
                } => {
                    let handler = if rejected { on_rejected } else { fulfilled };
                    if self.heap.is_callable(handler) {
                        self.call_back(FrameKind::Reaction(derived), handler, Some(value))?;
                    } else if rejected {
                        self.reject(derived, value);
                    } else {
                        self.resolve(derived, value);
                    }
                }
                Reaction::Finally { callback, derived } => {
                    self.call_back(
                        FrameKind::Finally {
                            derived,
                            value,
                            rejected,
                        },
                        callback,
                        None,
                    )?;
                }
                Reaction::Element { aggregate, at } => {
                    self.element_settled(aggregate, at, value, rejected)?;
                }
            },
        }
        Ok(())
    }

    fn call_back(
        &mut self,
        below: FrameKind,
        callee: Value,
        argument: Option<Value>,
    ) -> Result<(), Throw> {
        let floor = self.stack.len();
        self.frames.push(Frame {
            kind: below,
            pc: 0,
            base: floor as u32,
            floor: floor as u32,
        });
        self.stack.extend_from_slice(argument.as_slice());
        let count = self.stack.len() - floor;
        let called = self.call_value(callee, Value::Undefined, count, floor, NO_WORDS)?;
        if let super::call::Called::Value(value) = called {
            self.leave(value);
        }
        Ok(())
    }

    /// The callback of `finally` returned: `derived` waits for that, then gets what came in.
    pub(super) fn finally_returned(
        &mut self,
        derived: Ref,
        returned: Value,
        value: Value,
        rejected: bool,
    ) {
        let waited = match self.promise_of(returned) {
            Ok(waited) => waited,
            Err(throw) => {
                let error = self.thrown(throw);
                self.reject(derived, error);
                return;
            }
        };
        // JavaScript makes one more promise here and resolves `derived` with it: two more ticks.
        let passed = self.new_promise();
        self.react(
            waited,
            Reaction::Pass {
                value,
                rejected,
                derived: passed,
            },
        );
        self.resolve(derived, Value::Object(passed));
    }

    /// `Promise.all` and the like over some values.
    ///
    /// # Errors
    /// For thenables among the values.
    pub fn combine(&mut self, kind: Combinator, values: Vec<Value>) -> Result<Value, Throw> {
        self.combine_from(kind, 0, values)
    }

    /// The promise of a fan-out, over the promises of the host that begin with number `first`.
    ///
    /// # Errors
    /// When there are more than the heap holds.
    pub(crate) fn combine_fan_out(
        &mut self,
        first: PromiseId,
        promises: Vec<Value>,
    ) -> Result<Value, Throw> {
        self.combine_from(Combinator::FanOut, first, promises)
    }

    fn combine_from(
        &mut self,
        kind: Combinator,
        first: PromiseId,
        values: Vec<Value>,
    ) -> Result<Value, Throw> {
        let derived = self.new_promise();
        let count = values.len();
        self.heap.meter.charge(count * 16)?;
        let kept = if kind == Combinator::Race { 0 } else { count };
        let aggregate = self.heap.alloc(Body::Aggregate(Box::new(Aggregate {
            kind,
            derived,
            values: vec![Value::Undefined; kept],
            left: count as u32,
            first,
        })));
        if count == 0 {
            self.finish_aggregate(aggregate)?;
        }
        for (at, value) in values.into_iter().enumerate() {
            self.work(1)?;
            let promise = self.promise_of(value)?;
            self.react(
                promise,
                Reaction::Element {
                    aggregate,
                    at: at as u32,
                },
            );
        }
        Ok(Value::Object(derived))
    }

    fn element_settled(
        &mut self,
        aggregate: Ref,
        at: u32,
        value: Value,
        rejected: bool,
    ) -> Result<(), Throw> {
        let Body::Aggregate(body) = self.heap.body(aggregate) else {
            return Err(Throw::fault("combinator"));
        };
        let (kind, derived) = (body.kind, body.derived);
        let kept = match (kind, rejected) {
            (Combinator::FanOut, true) => {
                self.end_fan_out(aggregate);
                self.reject(derived, value);
                return Ok(());
            }
            (Combinator::Race, _) | (Combinator::All, true) | (Combinator::Any, false) => {
                if rejected {
                    self.reject(derived, value);
                } else {
                    self.resolve(derived, value);
                }
                return Ok(());
            }
            (Combinator::AllSettled, _) => self.settled_object(value, rejected)?,
            (Combinator::All | Combinator::FanOut, false) | (Combinator::Any, true) => value,
        };
        let Body::Aggregate(body) = self.heap.body_mut(aggregate) else {
            return Ok(());
        };
        if let Some(slot) = body.values.get_mut(at as usize) {
            *slot = kept;
        }
        body.left = body.left.saturating_sub(1);
        if body.left == 0 {
            self.finish_aggregate(aggregate)?;
        }
        Ok(())
    }

    /// A fan-out is decided before its elements are: nobody waits for them any more. Gives the numbers of those that are not settled.
    pub(super) fn end_fan_out(&mut self, aggregate: Ref) -> Vec<PromiseId> {
        let Body::Aggregate(body) = self.heap.body_mut(aggregate) else {
            return Vec::new();
        };
        let count = std::mem::take(&mut body.values).len() as PromiseId;
        let numbers = body.first..body.first.saturating_add(count);
        if count == 0 {
            return Vec::new();
        }
        self.host.end_fan_out(numbers.start);
        let left: Vec<PromiseId> = self
            .state
            .pending
            .range(numbers)
            .map(|(number, _)| *number)
            .collect();
        for number in &left {
            self.state.pending.remove(number);
        }
        left
    }

    /// All elements are settled.
    fn finish_aggregate(&mut self, aggregate: Ref) -> Result<(), Throw> {
        let Body::Aggregate(body) = self.heap.body_mut(aggregate) else {
            return Ok(());
        };
        let (kind, derived) = (body.kind, body.derived);
        let values = std::mem::take(&mut body.values);
        match kind {
            // A race of nobody never ends.
            Combinator::Race => {}
            Combinator::All | Combinator::AllSettled | Combinator::FanOut => {
                let values = self.heap.array(values);
                self.resolve(derived, values);
            }
            Combinator::Any => {
                let class = crate::error::ErrorClass::AggregateError;
                let error = self.new_error(class, Some("All promises were rejected"))?;
                let values = self.heap.array(values);
                self.heap.error_hide(error, "errors", values);
                self.reject(derived, Value::Object(error));
            }
        }
        Ok(())
    }

    /// An element of the result of `allSettled`.
    fn settled_object(&mut self, value: Value, rejected: bool) -> Result<Value, Throw> {
        let object = self.heap.object();
        let status = self
            .heap
            .str(if rejected { "rejected" } else { "fulfilled" })?;
        self.set_name(object, "status", status);
        self.set_name(object, if rejected { "reason" } else { "value" }, value);
        Ok(Value::Object(object))
    }

    /// Sets a property of a plain object by its name.
    pub fn set_name(&mut self, object: Ref, name: &str, value: Value) {
        let key = Key::Name(self.heap.intern_str(name));
        if let Body::Object(props) = self.heap.body_mut(object) {
            props.set(key, value);
        }
    }
}
