//! A run from outside: start or load, settle, run, save.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cx::Cx;
use super::frame::Frame;
use super::grouping;
pub use super::outcome::ExecutionError;
use super::stack::Stack;
use super::state::{Job, State};
use crate::error::{Fatal, Fault, Throw};
use crate::host::{Host, HostError, Interrupt, PromiseId, Settlement};
use crate::limits::{Limits, Used};
use crate::program::Program;
use crate::value::object::{Integrity, Key};
use crate::value::promise::{Combinator, PromiseState, Reaction, Wrap};
use crate::value::{Body, Heap, Ref, Value, json};

/// What a run begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// `Inputs` as JSON text.
    pub inputs: String,
    /// `Context`.
    pub context: ContextInfo,
}

/// What `Context` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextInfo {
    /// The execution's id.
    pub execution_id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The version of its definition.
    pub version: i32,
    /// The caller's idempotency key.
    pub task_id: Option<String>,
    /// When it was started, in milliseconds since 1970.
    pub started_at_ms: f64,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It waits for promises of the host.
    Suspended,
    /// It is done; the result as JSON text.
    Completed(String),
    /// It failed.
    Failed(ExecutionError),
    /// The host wanted the step to be given up.
    Abandoned,
}

/// A run of a program.
pub struct Vm {
    program: Arc<Program>,
    pub(crate) heap: Heap,
    pub(crate) state: State,
    pub(super) stack: Stack,
    pub(super) frames: Vec<Frame>,
    start: Option<Start>,
    settled: Vec<(PromiseId, Settlement)>,
    cancel: Option<String>,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vm")
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}

impl Vm {
    /// A run that has not begun.
    #[must_use]
    pub fn start(program: Arc<Program>, start: Start, limits: Limits) -> Self {
        let state = State::new(&program);
        Self::with(program, Heap::new(limits), state, Some(start))
    }

    /// A run as `save` left it.
    ///
    /// # Errors
    /// When the bytes are no save, are damaged, belong to another program or are too new.
    pub fn load(program: Arc<Program>, save: &[u8], limits: Limits) -> Result<Self, Fault> {
        let (heap, state) = crate::snapshot::load(&program, save, limits)?;
        Ok(Self::with(program, heap, state, None))
    }

    fn with(program: Arc<Program>, heap: Heap, state: State, start: Option<Start>) -> Self {
        Self {
            program,
            heap,
            state,
            stack: Stack::default(),
            frames: Vec::new(),
            start,
            settled: Vec::new(),
            cancel: None,
        }
    }

    /// Gives the promises of a run that has not begun numbers from `first` on: lower ones are those of an earlier attempt, whose
    /// settlements may still come, and are ignored.
    pub fn number_from(&mut self, first: PromiseId) {
        self.state.next_promise = first;
    }

    /// Says how a host promise ended; `run` goes on with it. Unknown and settled promises are ignored.
    pub fn settle(&mut self, promise: PromiseId, settlement: Settlement) {
        self.settled.push((promise, settlement));
    }

    /// Throws a `CancelledError` at the awaits of the run.
    ///
    /// It is thrown where async functions wait for the host or for combinators and chains of host
    /// promises; async functions (and the main function) that wait for these get it as the rejection
    /// of what they wait for. The promises themselves go on, and may be awaited again.
    pub fn cancel(&mut self, reason: &str) {
        self.cancel = Some(reason.to_owned());
    }

    /// The host promises that are not settled.
    #[must_use]
    pub fn pending(&self) -> Vec<PromiseId> {
        self.state.pending.keys().copied().collect()
    }

    /// What the last step has used of its limits.
    #[must_use]
    pub fn used(&self) -> Used {
        self.heap.meter.used()
    }

    /// The state between two steps.
    ///
    /// # Errors
    /// When it is larger than `rhythm.save_size`.
    // Made once a step at most: its size costs nothing.
    #[allow(clippy::result_large_err)]
    pub fn save(&self) -> Result<Vec<u8>, ExecutionError> {
        let limit = self.heap.meter.limits.save_bytes;
        crate::snapshot::save(&self.program, &self.heap, &self.state, limit).ok_or_else(|| {
            let message =
                format!("The state of the run needs more than {limit} bytes to be saved.");
            ExecutionError::limit("rhythm.save_size", message)
        })
    }

    /// Runs until everything waits, or until the end.
    pub fn run(&mut self, host: &mut dyn Host) -> Outcome {
        self.heap.meter.refuel();
        self.state.first_of_step = self.state.next_promise;
        let program = Arc::clone(&self.program);
        let (start, settled, cancel) = (
            self.start.take(),
            std::mem::take(&mut self.settled),
            self.cancel.take(),
        );
        let mut cx = Cx {
            heap: &mut self.heap,
            host,
            stack: &mut self.stack,
            frames: &mut self.frames,
            program: &program,
            state: &mut self.state,
        };
        match cx.run_step(start, settled, cancel) {
            Ok(outcome) => outcome,
            Err(fatal) => match *fatal {
                Fatal::Interrupt(Interrupt::Abandon) => Outcome::Abandoned,
                Fatal::Interrupt(Interrupt::Limit { setting, message }) => {
                    Outcome::Failed(ExecutionError::limit(setting, message))
                }
                Fatal::Fault(fault) => Outcome::Failed(ExecutionError::fault(&fault)),
            },
        }
    }
}

impl Cx<'_> {
    fn run_step(
        &mut self,
        start: Option<Start>,
        settled: Vec<(PromiseId, Settlement)>,
        cancel: Option<String>,
    ) -> Result<Outcome, Box<Fatal>> {
        if let Some(start) = start {
            if let Err(throw) = self.begin_main(&start) {
                return self.failed(throw);
            }
            self.run_frames()?;
        }
        if let Some(outcome) = self.drain()? {
            return Ok(outcome);
        }
        // Each settlement is an event of its own, as in Node: what it wakes runs before the next.
        for (id, settlement) in settled {
            let Some(promise) = self.state.pending.get(&id).copied() else {
                continue;
            };
            if let Err(throw) = self.settle_host(promise, settlement) {
                return self.failed(throw);
            }
            if let Some(outcome) = self.drain()? {
                return Ok(outcome);
            }
        }
        if let Some(reason) = cancel {
            self.cancel_awaits(&reason);
            if let Some(outcome) = self.drain()? {
                return Ok(outcome);
            }
        }
        if self.state.pending.is_empty() {
            return Ok(Outcome::Failed(ExecutionError::never_settles()));
        }
        grouping::announce(self.heap, self.state, self.host);
        self.stack.shrink();
        Ok(Outcome::Suspended)
    }

    fn failed(&mut self, throw: Throw) -> Result<Outcome, Box<Fatal>> {
        match throw {
            Throw::Fatal(fatal) => Err(fatal),
            throw => {
                let error = self.thrown(throw);
                Ok(Outcome::Failed(ExecutionError::of(self, error)))
            }
        }
    }

    fn begin_main(&mut self, start: &Start) -> Result<(), Throw> {
        let inputs = json::from_host(self.heap, &start.inputs)?;
        let context = self.context(&start.context)?;
        self.stack.extend_from_slice(&[inputs, context]);
        self.enter(0, None, 2, 0)?;
        if let Some(Frame {
            kind: super::frame::FrameKind::Code {
                task: Some(task), ..
            },
            ..
        }) = self.top()
        {
            self.state.main = Some(task.promise);
            if let Some(main) = self.promise(task.promise) {
                main.handled = true;
            }
        }
        Ok(())
    }

    fn context(&mut self, info: &ContextInfo) -> Result<Value, Throw> {
        let object = self.heap.object();
        let id = self.heap.str(&info.execution_id)?;
        self.set_name(object, "executionId", id);
        let workflow = self.heap.str(&info.workflow)?;
        self.set_name(object, "workflow", workflow);
        self.set_name(object, "version", Value::Number(f64::from(info.version)));
        for (name, text) in [("taskId", &info.task_id), ("traceId", &info.trace_id)] {
            let value = match text {
                Some(text) => self.heap.str(text)?,
                None => Value::Null,
            };
            self.set_name(object, name, value);
        }
        let started = self.heap.alloc(Body::Date(info.started_at_ms));
        self.set_name(object, "startedAt", Value::Object(started));
        if let Some(number) = crate::builtins::registry().find("Context.set") {
            let set = self.heap.native(number);
            self.set_name(object, "set", set);
        }
        if let Body::Object(props) = self.heap.body_mut(object) {
            props.integrity = Integrity::Frozen;
        }
        Ok(Value::Object(object))
    }

    /// Runs all microtasks; an outcome if the run is over.
    fn drain(&mut self) -> Result<Option<Outcome>, Box<Fatal>> {
        while let Some(job) = self.state.jobs.pop_front() {
            if let Err(throw) = self.between_jobs().and_then(|()| self.begin(job)) {
                self.unwind(throw)?;
            }
            self.run_frames()?;
        }
        let main = self.state.main.and_then(|main| match self.heap.body(main) {
            Body::Promise(promise) => Some(promise.state),
            _ => None,
        });
        match main {
            Some(PromiseState::Fulfilled(value)) => {
                self.warn_of_dropped();
                return match json::to_host(self.heap, value) {
                    Ok(json) => Ok(Some(Outcome::Completed(
                        json.unwrap_or_else(|| "null".into()),
                    ))),
                    Err(throw) => self.failed(throw).map(Some),
                };
            }
            Some(PromiseState::Rejected(error)) => {
                return Ok(Some(Outcome::Failed(ExecutionError::of(self, error))));
            }
            _ => {}
        }
        for promise in std::mem::take(&mut self.state.unhandled) {
            if let Body::Promise(body) = self.heap.body(promise)
                && let (PromiseState::Rejected(error), false) = (body.state, body.handled)
            {
                return Ok(Some(Outcome::Failed(ExecutionError::of(self, error))));
            }
        }
        Ok(None)
    }

    /// A microtask costs an instruction, so that a chain of promises cannot run for ever.
    fn between_jobs(&mut self) -> Result<(), Throw> {
        // A job that was taken from the queue is not reachable: no collection here.
        self.work(1)
    }

    fn warn_of_dropped(&mut self) {
        let pending: Vec<Ref> = self.state.pending.values().copied().collect();
        let reached = self
            .heap
            .reach(|tracer| pending.iter().for_each(|at| tracer.mark(*at)));
        let dropped = self.heap.iter().filter(|(at, body)| {
            matches!(body, Body::Coroutine(_)) && reached.get(at.0 as usize) == Some(&true)
        });
        let count = dropped.count();
        if count > 0 {
            let what = if count == 1 {
                "async function was"
            } else {
                "async functions were"
            };
            self.host.log(
                "warn",
                &format!(
                    "{count} {what} still waiting when the workflow returned, and will not go on."
                ),
            );
        }
    }

    /// A new promise that the host settles.
    pub(crate) fn host_promise(&mut self, wrap: Wrap) -> (PromiseId, Ref) {
        let promise = self.new_promise();
        let id = self.state.next_promise;
        if let Some(body) = self.promise(promise) {
            body.host = Some(crate::value::promise::HostPromise { id, wrap });
        }
        (id, promise)
    }

    /// Notes that the host has accepted a promise.
    pub(crate) fn host_accepted(&mut self, id: PromiseId, promise: Ref) -> Value {
        self.state.next_promise = id + 1;
        self.state.pending.insert(id, promise);
        Value::Object(promise)
    }

    pub(super) fn settle_host(&mut self, at: Ref, settlement: Settlement) -> Result<(), Throw> {
        let wrap = match self.promise(at).and_then(|promise| promise.host) {
            Some(host) => host.wrap,
            None => return Ok(()),
        };
        let (value, ok) = match settlement {
            Settlement::Fulfilled(None) => (Value::Undefined, true),
            Settlement::Fulfilled(Some(text)) => (json::from_host(self.heap, &text)?, true),
            Settlement::Rejected(error) => {
                let error = self.host_error(&error)?;
                self.add_waiting_stack(error, at)?;
                (Value::Object(error), false)
            }
        };
        match (wrap, ok) {
            (Wrap::Plain | Wrap::Request | Wrap::Lock, true) => {
                match wrap {
                    Wrap::Request => self.add_method(value, "reply", crate::builtins::REPLY),
                    Wrap::Lock => self.add_method(value, "release", crate::builtins::RELEASE),
                    _ => {}
                }
                self.settle(at, value, false);
            }
            (Wrap::Plain | Wrap::Request | Wrap::Lock, false) => self.settle(at, value, true),
            (Wrap::Try, ok) => {
                let object = self.heap.object();
                self.set_name(object, "success", Value::Bool(ok));
                self.set_name(object, if ok { "value" } else { "error" }, value);
                self.settle(at, Value::Object(object), false);
            }
        }
        Ok(())
    }

    /// Gives a value of the host its method: a request its `reply`, a lock its `release`.
    fn add_method(&mut self, value: Value, name: &str, path: &str) {
        if let (Value::Object(object), Some(number)) =
            (value, crate::builtins::registry().find(path))
        {
            let method = self.heap.native(number);
            self.set_name(object, name, method);
        }
    }

    /// The value of an error of the host, without a stack.
    pub(crate) fn host_error(&mut self, error: &HostError) -> Result<Ref, Throw> {
        let outer = self.named_error(&error.name, &error.message)?;
        if let Some(code) = &error.code {
            let code = self.heap.str(code)?;
            self.heap.error_set(outer, "code", code);
        }
        if let Some(data) = &error.data {
            let data = json::from_host(self.heap, data)?;
            self.heap.error_set(outer, "data", data);
        }
        let mut cause = match &error.cause {
            Some(cause) => json::from_host(self.heap, cause)?,
            None => return Ok(outer),
        };
        // Causes have causes: each object with a message becomes an error.
        let mut above = outer;
        loop {
            self.work(1)?;
            let text = |this: &mut Self, name: &str| {
                let value = this.own_name(cause, name);
                match value {
                    Some(Value::String(text)) => Some(this.heap.rust_text(text)),
                    _ => None,
                }
            };
            let Some(message) = text(self, "message") else {
                self.heap.error_hide(above, "cause", cause);
                return Ok(outer);
            };
            let name = text(self, "name").unwrap_or_else(|| "Error".into());
            let inner = self.named_error(&name, &message)?;
            if let Some(stack) = self.own_name(cause, "stack") {
                self.heap.error_hide(inner, "stack", stack);
            }
            for name in ["code", "data"] {
                if let Some(value) = self.own_name(cause, name) {
                    self.heap.error_set(inner, name, value);
                }
            }
            self.heap.error_hide(above, "cause", Value::Object(inner));
            let Some(next) = self.own_name(cause, "cause") else {
                return Ok(outer);
            };
            (above, cause) = (inner, next);
        }
    }

    /// An own property of a plain object.
    pub(crate) fn own_name(&mut self, value: Value, name: &str) -> Option<Value> {
        let Value::Object(at) = value else {
            return None;
        };
        let key = Key::Name(self.heap.intern_str(name));
        match self.heap.body(at) {
            Body::Object(props) => props.get(key),
            _ => None,
        }
    }

    fn named_error(&mut self, name: &str, message: &str) -> Result<Ref, Throw> {
        use crate::error::ErrorClass;
        let class = ErrorClass::of_name(name);
        let error = self
            .heap
            .error(class.unwrap_or(ErrorClass::Error), Some(message))?;
        if class.is_none() {
            let name = self.heap.str(name)?;
            self.heap.error_set(error, "name", name);
        }
        Ok(error)
    }

    /// Throws a `CancelledError` into the async functions that wait for no other async function.
    fn cancel_awaits(&mut self, reason: &str) {
        let roots: Vec<Ref> = self
            .state
            .pending
            .values()
            .copied()
            .chain(self.state.main)
            .collect();
        let reached = self
            .heap
            .reach(|tracer| roots.iter().for_each(|at| tracer.mark(*at)));
        let live = |at: Ref| reached.get(at.0 as usize) == Some(&true);
        let mut waits: Vec<(Ref, Ref)> = Vec::new();
        for (at, body) in self.heap.iter() {
            if let (Body::Promise(promise), true) = (body, live(at)) {
                let awaits = promise
                    .reactions
                    .iter()
                    .filter_map(|reaction| match reaction {
                        Reaction::Await(coroutine) => Some((*coroutine, at)),
                        _ => None,
                    });
                waits.extend(awaits);
            }
        }
        // Also those that wait for what nothing can settle, such as a race of nobody.
        waits.extend(self.heap.iter().flat_map(|(at, body)| {
            match body {
                Body::Promise(promise) if !live(at) => promise
                    .reactions
                    .iter()
                    .filter_map(|reaction| match reaction {
                        Reaction::Await(coroutine) => Some((*coroutine, at)),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            }
        }));
        waits.sort_unstable();
        waits.dedup();
        let waiting_for_others = self.waiting_for_functions(&waits);
        for (coroutine, promise) in waits {
            if waiting_for_others.contains(&coroutine) {
                continue;
            }
            if let Some(body) = self.promise(promise) {
                body.reactions.retain(
                    |reaction| !matches!(reaction, Reaction::Await(at) if *at == coroutine),
                );
            }
            let reason = self.heap.str(reason).unwrap_or_default();
            self.state.jobs.push_back(Job::Cancel { coroutine, reason });
        }
    }

    /// Those of the suspended functions that an error of another one reaches.
    fn waiting_for_functions(&self, waits: &[(Ref, Ref)]) -> BTreeSet<Ref> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut work: Vec<Ref> = Vec::new();
        for (coroutine, _) in waits {
            if let Body::Coroutine(body) = self.heap.body(*coroutine) {
                work.push(body.promise);
            }
        }
        while let Some(at) = work.pop() {
            if !seen.insert(at) {
                continue;
            }
            let Body::Promise(promise) = self.heap.body(at) else {
                continue;
            };
            for reaction in &promise.reactions {
                match *reaction {
                    Reaction::Await(coroutine) => {
                        found.insert(coroutine);
                    }
                    Reaction::Then { derived, .. }
                    | Reaction::Finally { derived, .. }
                    | Reaction::Pass { derived, .. }
                    | Reaction::Forward(derived) => work.push(derived),
                    Reaction::Element { aggregate, .. } => {
                        // `allSettled` and `any` keep errors to themselves.
                        if let Body::Aggregate(body) = self.heap.body(aggregate)
                            && !matches!(body.kind, Combinator::AllSettled | Combinator::Any)
                        {
                            work.push(body.derived);
                        }
                    }
                }
            }
        }
        found
    }
}
