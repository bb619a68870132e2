//! A started task or child workflow: its attempts and its end, as the server keeps them.

use rhythm_flow::host::{HostError, Kind, PromiseId, Settlement, TaskCall};
use serde::Serialize;
use serde_json::value::RawValue;

use super::policy::{ParentClose, Policy};
use super::report::{Call, raw};
use super::stored;

/// An attempt that a handler is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Which of the run's tasks.
    pub task: usize,
    /// 1 for the first attempt.
    pub number: u32,
    /// Whether it is a task, or a child workflow.
    pub kind: Kind,
    /// The task's name.
    pub name: String,
    /// The inputs as JSON text.
    pub inputs: String,
    /// The options as a JSON object.
    pub options: String,
}

/// What a handler makes of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The result as JSON text.
    Completed(String),
    /// An error.
    Failed(Failure),
    /// It is too early: another attempt after so many milliseconds, and this one does not count.
    Snoozed(f64),
}

/// The error of an attempt, as workers tell it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Failure {
    /// Its class.
    pub name: String,
    /// Its words.
    pub message: String,
    /// A stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where it was raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Its cause as JSON text.
    #[serde(skip)]
    pub cause: Option<String>,
    /// More facts as JSON text.
    #[serde(skip)]
    pub data: Option<String>,
    /// Another attempt may mend it.
    #[serde(skip)]
    pub is_final: bool,
    /// When the next attempt is to be, instead of what the policy says.
    #[serde(skip)]
    pub retry_in_ms: Option<f64>,
}

impl Failure {
    /// A failure that another attempt may mend.
    #[must_use]
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            own: &'a Failure,
            #[serde(skip_serializing_if = "Option::is_none")]
            cause: Option<serde_json::Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<serde_json::Value>,
        }
        let read = |text: &Option<String>| serde_json::from_str(text.as_ref()?).ok();
        let whole = Whole {
            own: self,
            cause: read(&self.cause),
            data: read(&self.data),
        };
        serde_json::to_string(&whole).unwrap_or_else(|_| "null".into())
    }
}

#[derive(Debug)]
enum Stage {
    /// The attempt with this number is to come.
    Waiting(u32),
    /// The attempt with this number is with a handler.
    Running(u32),
    Completed(String),
    Failed,
    TimedOut,
    Cancelled,
}

/// A task of a run.
#[derive(Debug)]
pub(super) struct Task {
    /// Those that get its outcome: its own, and those started with the same `taskId`.
    pub(super) promises: Vec<PromiseId>,
    pub(super) policy: Policy,
    call: TaskCall,
    started_ms: f64,
    attempts: u32,
    stage: Stage,
    failure: Option<Failure>,
}

impl Task {
    pub(super) fn new(
        promise: PromiseId,
        mut call: TaskCall,
        defaults: Option<&str>,
        now_ms: f64,
    ) -> Self {
        call.inputs = stored(&call.inputs);
        Self {
            promises: vec![promise],
            policy: match defaults {
                Some(defaults) => Policy::with_defaults(&call.options, defaults, now_ms),
                None => Policy::of(call.kind, &call.options, now_ms),
            },
            call,
            started_ms: now_ms,
            attempts: 0,
            stage: Stage::Waiting(1),
            failure: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        !matches!(self.stage, Stage::Waiting(_) | Stage::Running(_))
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running(_))
    }

    /// Whether this attempt is with a handler.
    pub(super) fn is_attempt(&self, number: u32) -> bool {
        matches!(self.stage, Stage::Running(running) if running == number)
    }

    /// Whether this attempt is to come.
    pub(super) fn awaits_attempt(&self, number: u32) -> bool {
        matches!(self.stage, Stage::Waiting(next) if next == number)
    }

    /// Whether it has the key that another one is started with.
    pub(super) fn holds_key_of(&self, other: &Self) -> bool {
        let holds = !self.is_over() || matches!(self.stage, Stage::Completed(_));
        let key = self.policy.task_id.is_some() && self.policy.task_id == other.policy.task_id;
        let (own, others) = (&self.call, &other.call);
        holds && key && (own.kind, &own.name) == (others.kind, &others.name)
    }

    /// Gives the next attempt to a handler.
    pub(super) fn begin(&mut self, task: usize) -> Attempt {
        self.attempts += 1;
        self.stage = Stage::Running(self.attempts);
        Attempt {
            task,
            number: self.attempts,
            kind: self.call.kind,
            name: self.call.name.clone(),
            inputs: self.call.inputs.clone(),
            options: self.call.options.clone(),
        }
    }

    pub(super) fn complete(&mut self, value: String) {
        self.failure = None;
        self.stage = Stage::Completed(value);
    }

    /// An attempt failed. Gives the moment of the next one; none: the task has failed.
    pub(super) fn fail(&mut self, failure: Failure, now_ms: f64, may_retry: bool) -> Option<f64> {
        let is_final = failure.is_final
            || self.policy.is_final(&failure.name, failure.code.as_deref())
            // What a workflow throws is mostly what one of its tasks has thrown.
            || (self.call.kind == Kind::Workflow && self.policy.names_cause(failure.cause.as_deref()));
        let again = may_retry && !is_final && self.attempts < self.policy.max_attempts;
        let pause_ms = failure
            .retry_in_ms
            .unwrap_or_else(|| self.policy.pause_ms(self.attempts));
        self.failure = Some(failure);
        self.stage = match (again, may_retry) {
            (true, _) => Stage::Waiting(self.attempts + 1),
            (false, true) => Stage::Failed,
            (false, false) => Stage::Cancelled,
        };
        again.then_some(now_ms + pause_ms)
    }

    /// An attempt took too long. Gives the moment of the next one; none: the task has timed out.
    pub(super) fn overrun(&mut self, now_ms: f64) -> Option<f64> {
        let (number, name) = (self.attempts, &self.call.name);
        let message = format!("attempt {number} of task '{name}' timed out");
        self.end_attempt(Failure::new("TimeoutError", message), now_ms)
    }

    /// The handler was silent for too long. Gives the moment of the next attempt; none: the task has timed out.
    pub(super) fn fall_silent(&mut self, now_ms: f64) -> Option<f64> {
        let number = self.attempts;
        let message = format!("worker 'test' sent no heartbeat in attempt {number}");
        self.end_attempt(Failure::new("HeartbeatTimeout", message), now_ms)
    }

    fn end_attempt(&mut self, failure: Failure, now_ms: f64) -> Option<f64> {
        let again = self.fail(failure, now_ms, true);
        if again.is_none() {
            self.stage = Stage::TimedOut;
        }
        again
    }

    /// An attempt was put off. Gives the moment of the next one, which has its number; none: the run is being cancelled.
    pub(super) fn snooze(&mut self, delay_ms: f64, now_ms: f64, may_retry: bool) -> Option<f64> {
        if !may_retry {
            self.failure = Some(Failure::new("CancelledError", "cancelled"));
            self.stage = Stage::Cancelled;
            return None;
        }
        self.stage = Stage::Waiting(self.attempts);
        self.attempts -= 1;
        Some(now_ms + delay_ms)
    }

    pub(super) fn time_out(&mut self) {
        let (kind, name) = (self.call.kind.word(), &self.call.name);
        let message = format!("{kind} '{name}' timed out");
        self.failure = Some(Failure::new("TimeoutError", message));
        self.stage = Stage::TimedOut;
    }

    /// The run or the task was cancelled: what nobody has begun does not begin.
    pub(super) fn cancel_if_waiting(&mut self, reason: &str) {
        if matches!(self.stage, Stage::Waiting(_)) {
            self.failure = Some(Failure::new("CancelledError", reason));
            self.stage = Stage::Cancelled;
        }
    }

    /// The parent has ended. A child workflow that runs and is to end with it hears of it in a moment: for the parent it has ended.
    pub(super) fn parent_ended(&mut self, was_cancelled: bool) {
        match self.policy.parent_close {
            Some(ParentClose::Abandon) => {}
            Some(ParentClose::Cancel) if !self.is_over() => {
                self.failure = Some(Failure::new("CancelledError", "its parent has ended"));
                self.stage = Stage::Cancelled;
            }
            None if was_cancelled => self.cancel_if_waiting("cancelled"),
            _ => {}
        }
    }

    /// Whether it may be tried again, once its parent has ended as one that was cancelled.
    pub(super) fn survives_cancel(&self) -> bool {
        self.policy.parent_close == Some(ParentClose::Abandon)
    }

    /// One of those that get its outcome is of no interest any more. A key may stand for more than one call: then only the one
    /// that started it stops it. True: it has ended, which the others have to be told.
    pub(super) fn give_up(&mut self, promise: PromiseId, reason: &str) -> bool {
        let was_over = self.is_over();
        if self.promises.first() == Some(&promise) {
            self.cancel_if_waiting(reason);
        }
        self.promises.retain(|one| *one != promise);
        self.is_over() && !was_over
    }

    /// What the program gets: a `TaskError` whose cause is the task's own error.
    pub(super) fn task_error(&self) -> HostError {
        let failure = self.failure.clone().unwrap_or_default();
        HostError {
            name: "TaskError".into(),
            message: failure.message.clone(),
            cause: Some(stored(&failure.json())),
            code: failure.code,
            data: failure.data.as_deref().map(stored),
        }
    }

    /// Its outcome, if it has one.
    pub(super) fn settlement(&self) -> Option<Settlement> {
        match &self.stage {
            Stage::Waiting(_) | Stage::Running(_) => None,
            Stage::Completed(value) => Some(Settlement::Fulfilled(Some(value.clone()))),
            _ => Some(Settlement::Rejected(self.task_error())),
        }
    }

    /// What a report says of it.
    pub(super) fn call(&self, start_ms: f64) -> Call {
        let (state, result) = match &self.stage {
            Stage::Waiting(_) => ("scheduled", None),
            Stage::Running(_) => ("running", None),
            Stage::Completed(value) => ("completed", Some(raw(value))),
            Stage::Failed => ("failed", None),
            Stage::TimedOut => ("timed_out", None),
            Stage::Cancelled => ("cancelled", None),
        };
        let error: Option<Box<RawValue>> = self.failure.as_ref().map(|one| raw(&one.json()));
        Call {
            kind: self.call.kind.word(),
            name: self.call.name.clone(),
            inputs: raw(&self.call.inputs),
            options: raw(&self.call.options),
            at_ms: self.started_ms - start_ms,
            attempts: self.attempts,
            state,
            result,
            error,
        }
    }
}
