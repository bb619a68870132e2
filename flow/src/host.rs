//! The one seam between the VM and the world. The VM never reads a clock, makes an id or does I/O:
//! it asks its host. The extension, `rhythm test` and the fuzzer each have one.
//!
//! All values cross as JSON text, so that neither side knows the other's representation.

/// The number of a promise that the host settles; unique within one execution, never used twice.
pub type PromiseId = u32;

/// What a program can start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A task, by `Task.run` or `Task.try`.
    #[default]
    Task,
    /// A child workflow, by `Workflow.run` or `Workflow.try`.
    Workflow,
}

impl Kind {
    /// Its name, as hosts write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Workflow => "workflow",
        }
    }
}

/// A started task or child workflow as the program asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskCall {
    /// Which of them.
    pub kind: Kind,
    /// The name of the task or workflow.
    pub name: String,
    /// Its inputs as JSON text.
    pub inputs: String,
    /// The options as a JSON object with the keys of Flow, already checked; `{}` if none were given.
    pub options: String,
}

/// What `Signal.next` and `Signal.request` wait for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignalWait {
    /// The name of the signal.
    pub name: String,
    /// Only the signal that was sent with this key.
    pub key: Option<String>,
    /// When the wait is over, in milliseconds since 1970.
    pub due_ms: Option<f64>,
    /// Whether the promise becomes `{"payload": …, "id": …}` instead of the payload, where `id` is that of the request (null
    /// for a plain signal).
    pub is_request: bool,
}

/// What `Mutex.acquire` waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LockWait {
    /// The name of the mutex.
    pub name: String,
    /// When the wait is over, in milliseconds since 1970.
    pub due_ms: Option<f64>,
}

/// Bytes of JSON, names included, that `Context.set` may publish of one run.
pub const ATTRIBUTES: usize = 64 << 10;

/// What the `concurrency` of a fan-out may be at most.
pub const FAN_OUT: u32 = 1000;

/// The error of a `Context.set` that would pass this limit.
#[must_use]
pub fn too_many_attributes(bytes: usize) -> HostError {
    HostError {
        name: "RangeError".into(),
        message: format!(
            "What a run publishes with Context.set takes at most {ATTRIBUTES} bytes, and this would make {bytes}; publish less, or keep it in a table."
        ),
        ..HostError::default()
    }
}

/// An error that a host call throws into the program, or that a settled promise rejects with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostError {
    /// The class: `TaskError`, `SqlError`, `TimeoutError`, `CancelledError`, `TypeError` …
    pub name: String,
    /// The words.
    pub message: String,
    /// A stable code, such as a SQLSTATE.
    pub code: Option<String>,
    /// More facts as JSON text, seen by the program as `error.data`.
    pub data: Option<String>,
    /// The cause as the JSON text of an error object, seen by the program as `error.cause`.
    pub cause: Option<String>,
}

/// What a host promise becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// The value as JSON text. `undefined` where it is `None` (a timer, for one).
    Fulfilled(Option<String>),
    /// The error. For `Task.try` the VM turns it into `{success: false, error}` itself.
    Rejected(HostError),
}

/// Why the host wants the VM to stop at once. Nothing in the program can catch it.
#[derive(Clone, Debug, PartialEq)]
pub enum Interrupt {
    /// The step ran for too long: the execution fails with this named limit.
    Limit {
        /// Name of the setting, such as `rhythm.step_timeout`.
        setting: &'static str,
        /// The words.
        message: String,
    },
    /// The whole step is given up and run again later (a deadlock in its SQL, a query cancel).
    Abandon,
}

/// A host call that did not give a value.
#[derive(Clone, Debug, PartialEq)]
pub enum CallError {
    /// Thrown into the program, which may catch it.
    Throw(HostError),
    /// Ends the step.
    Interrupt(Interrupt),
}

/// What a VM needs from outside.
pub trait Host {
    /// Milliseconds since 1970, as `Date.now()` sees them.
    fn now_ms(&mut self) -> f64;
    /// A number in [0, 1).
    fn random(&mut self) -> f64;
    /// A random UUID in its text form.
    fn uuid(&mut self) -> String;
    /// Starts a task or a child workflow; the host settles `promise` with its outcome.
    fn start_task(&mut self, promise: PromiseId, call: TaskCall) -> Result<(), HostError>;
    /// Starts a timer that fulfils `promise` with `undefined` at `due_ms` (since 1970).
    fn start_timer(&mut self, promise: PromiseId, due_ms: f64) -> Result<(), HostError>;
    /// Waits for the next signal that fits; rejects `promise` with a `TimeoutError` when its time is up.
    fn next_signal(&mut self, promise: PromiseId, wait: SignalWait) -> Result<(), HostError>;
    /// Waits for a mutex; fulfils `promise` with `{"name": …, "id": …}` (the number of the promise) when the run holds it, and
    /// rejects it with a `TimeoutError` when its time is up.
    fn acquire(&mut self, _promise: PromiseId, _wait: LockWait) -> Result<(), HostError> {
        Err(HostError {
            name: "TypeError".into(),
            message: "There is no Mutex here.".into(),
            ..HostError::default()
        })
    }
    /// The run gives back what it got by this promise; what it does not hold stays as it is.
    fn release(&mut self, _promise: PromiseId) {}
    /// Answers the request with this id; `value` is JSON text. What was answered already stays as it is.
    fn reply(&mut self, request: &str, value: &str) -> Result<(), HostError>;
    /// The program has given up a promise, which is settled already: what is behind it need not go on.
    fn cancel(&mut self, promise: PromiseId, reason: &str) -> Result<(), HostError>;
    /// Says that these promises, all of which were started in this step, are awaited together:
    /// as long as all of them fulfil, the VM needs to run again only when the last one has.
    /// A host may ignore this, and settle them one by one.
    fn await_all(&mut self, group: u32, promises: &[PromiseId]);
    /// Says that `count` promises from `first` on, all of which were started in this step, are awaited together as those of
    /// `await_all`, and that at most `concurrency` of what is behind them may run at once: the first ones begin, the others in
    /// their order whenever one has ended. A host may begin all of them.
    fn fan_out(&mut self, _first: PromiseId, _count: u32, _concurrency: u32) {}
    /// Says that what of this fan-out has not begun need not: it is decided. Nobody looks at its promises any more.
    fn end_fan_out(&mut self, _first: PromiseId) {}
    /// Runs SQL in the step's transaction; `params` is a JSON array. Gives a JSON array of rows.
    fn sql_query(&mut self, text: &str, params: &str) -> Result<String, CallError>;
    /// The same, but gives how many rows the statement has written, or a `select` has found.
    fn sql_exec(&mut self, text: &str, params: &str) -> Result<u64, CallError>;
    /// Publishes a value (`Context.set`), JSON text.
    fn set_attribute(&mut self, key: &str, value: &str) -> Result<(), HostError>;
    /// Keeps a line of the log. `level` is `log`, `info`, `warn` or `error`.
    fn log(&mut self, level: &'static str, message: &str);
    /// A statement begins, by its number; only in programs that were compiled for coverage.
    fn cover(&mut self, _statement: u32) {}
    /// Called every few thousand instructions, and before long operations.
    fn tick(&mut self) -> Result<(), Interrupt>;
}
