//! What the functions and views of Rhythm answer with, in the words of the SQL surface.
//! JSON is carried as the text that the server gave: nothing here limits its depth or size.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::time;

/// The state of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Claimable now.
    Pending,
    /// Later: delayed, or between two attempts.
    Scheduled,
    /// Leased by a worker; or a workflow that steps.
    Running,
    /// A workflow at an await.
    Waiting,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended by `cancel`.
    Cancelled,
    /// Ended because it took too long.
    TimedOut,
}

impl State {
    /// The word that SQL uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// Whether nothing happens any more, unless it is retried.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::TimedOut
        )
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        const ALL: [State; 8] = [
            State::Pending,
            State::Scheduled,
            State::Running,
            State::Waiting,
            State::Completed,
            State::Failed,
            State::Cancelled,
            State::TimedOut,
        ];
        ALL.into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| unknown(&format!("state \"{word}\"")))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn unknown(what: &str) -> Error {
    Error::new(
        ErrorKind::Server,
        format!("the server answered with an unknown {what}"),
    )
    .hint("Use a client of the same version as the extension.")
}

/// How to enqueue a task; what is `None` is left to the server.
#[derive(Clone, Debug, Default)]
pub struct EnqueueOptions {
    /// Queue, instead of `default`.
    pub queue: Option<String>,
    /// The caller's idempotency key.
    pub task_id: Option<String>,
    /// Larger goes first; otherwise the queue's default, or 0.
    pub priority: Option<i32>,
    /// Not before this much time has passed.
    pub delay: Option<Duration>,
    /// Not before this moment.
    pub run_at: Option<SystemTime>,
    /// JSON text with `maxAttempts`, `initial`, `backoff`, `max`, `jitter`, `delays`, `nonRetryable`.
    pub retry: Option<String>,
    /// How long it may take in all.
    pub timeout: Option<Duration>,
    /// How long it may wait for a worker.
    pub start_timeout: Option<Duration>,
    /// How long its handler may be silent.
    pub heartbeat_timeout: Option<Duration>,
    /// How long one attempt may take.
    pub attempt_timeout: Option<Duration>,
    /// How long its `task_id` is kept once it is completed: an interval such as `30 days`, `0` or `forever`.
    pub remember: Option<String>,
    /// `keep` or `discard`: what becomes of its result.
    pub result: Option<String>,
    /// The trace context to hand on, as JSON text.
    pub trace: Option<String>,
}

/// How to start a workflow; what is `None` is left to the server.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    /// The caller's idempotency key.
    pub task_id: Option<String>,
    /// Queue, instead of `default`.
    pub queue: Option<String>,
    /// Larger goes first; otherwise the queue's default, or 0.
    pub priority: Option<i32>,
    /// Not before this much time has passed.
    pub delay: Option<Duration>,
    /// Not before this moment.
    pub run_at: Option<SystemTime>,
    /// JSON text as of `EnqueueOptions`: how often a run that fails begins again. Otherwise never.
    pub retry: Option<String>,
    /// How long it may take in all, with all its attempts.
    pub timeout: Option<Duration>,
    /// How long its `task_id` is kept once it is completed: an interval such as `30 days`, `0` or `forever`.
    pub remember: Option<String>,
    /// `keep` or `discard`: what becomes of its result.
    pub result: Option<String>,
    /// The trace context to hand on, as JSON text.
    pub trace: Option<String>,
}

/// A task that this worker has got.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The execution.
    pub id: Uuid,
    /// The fencing token of this lease.
    pub token: i64,
    /// The task's name.
    pub name: String,
    /// The queue that it came from.
    pub queue: String,
    /// JSON text.
    pub inputs: String,
    /// From 1.
    pub attempt: i32,
    /// JSON text.
    pub trace: Option<String>,
    /// For how long the claim holds: as long as was asked for, or the task's heartbeat timeout.
    pub lease_left: Duration,
    /// How far an attempt before has got, as JSON text.
    pub progress: Option<String>,
    /// How long its handler may be silent: then its own heartbeats count, and not those that a worker sends for it.
    pub heartbeat_timeout: Option<Duration>,
}

/// What a heartbeat is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatStatus {
    /// The lease is longer now.
    Ok,
    /// The lease is longer, and somebody wants the task to stop.
    Cancel,
    /// The lease is somebody else's; whatever comes of the handler counts for nothing.
    Lost,
}

impl FromStr for HeartbeatStatus {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "ok" => Ok(Self::Ok),
            "cancel" => Ok(Self::Cancel),
            "lost" => Ok(Self::Lost),
            _ => Err(unknown(&format!("heartbeat status \"{word}\""))),
        }
    }
}

/// What a heartbeat tells of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The execution.
    pub id: Uuid,
    /// What became of its lease.
    pub status: HeartbeatStatus,
    /// Whether its progress is stored; `None` when none was given. It is not while somebody else's open transaction holds the
    /// task: send it again.
    pub saved: Option<bool>,
}

/// What `result` and `wait` tell.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The state; terminal, or that at the timeout.
    pub state: State,
    /// JSON text of a completed execution's result.
    #[serde(serialize_with = "json")]
    pub result: Option<String>,
    /// JSON text of the error `{name, message, code?, stack?, cause?, data?}`.
    #[serde(serialize_with = "json")]
    pub error: Option<String>,
}

/// One line of `check`.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostic {
    /// From 1.
    pub line: i32,
    /// From 1, in UTF-16 units.
    pub col: i32,
    /// `error` or `warning`.
    pub severity: String,
    /// Such as `E0101`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A row of the view `executions`.
#[derive(Clone, Debug, Serialize)]
pub struct Execution {
    /// The id.
    pub id: Uuid,
    /// `task` or `workflow`.
    pub kind: String,
    /// The task's or workflow's name.
    pub name: String,
    /// The version of a workflow's definition.
    pub version: Option<i32>,
    /// The queue.
    pub queue: String,
    /// The state.
    pub state: State,
    /// The caller's idempotency key.
    pub task_id: Option<String>,
    /// The workflow that started it.
    pub parent_id: Option<Uuid>,
    /// The first of its tree.
    pub root_id: Uuid,
    /// JSON text.
    #[serde(serialize_with = "json")]
    pub inputs: Option<String>,
    /// JSON text.
    #[serde(serialize_with = "json")]
    pub result: Option<String>,
    /// JSON text.
    #[serde(serialize_with = "json")]
    pub error: Option<String>,
    /// How often it was tried.
    pub attempt: i32,
    /// Larger goes first.
    pub priority: i32,
    /// JSON text of what the workflow published.
    #[serde(serialize_with = "json")]
    pub attributes: Option<String>,
    /// When it was enqueued or started.
    #[serde(with = "time")]
    pub created_at: SystemTime,
    /// When it may run, or could first.
    #[serde(with = "time::option")]
    pub run_at: Option<SystemTime>,
    /// When its first attempt began.
    #[serde(with = "time::option")]
    pub started_at: Option<SystemTime>,
    /// When it reached its terminal state.
    #[serde(with = "time::option")]
    pub finished_at: Option<SystemTime>,
    /// Of the trace that its starter gave.
    pub trace_id: Option<String>,
    /// Who runs it, or ran it last.
    pub worker: Option<String>,
    /// Until when that worker holds it.
    #[serde(with = "time::option")]
    pub lease_until: Option<SystemTime>,
    /// JSON text of how far it has got, as its handler said.
    #[serde(serialize_with = "json")]
    pub progress: Option<String>,
    /// Why it does not go on, where the server knows.
    pub note: Option<String>,
    /// Since when a live one is to be cancelled.
    #[serde(with = "time::option")]
    pub cancel_requested_at: Option<SystemTime>,
    /// Why.
    pub cancel_reason: Option<String>,
}

impl Execution {
    /// The columns of the view, in the order of `from_row`.
    pub(crate) const COLUMNS: &'static str = "id, kind::text, name, version, queue, state::text, \
        task_id, parent_id, root_id, inputs::text, result::text, error::text, attempt, priority, \
        attributes::text, created_at, run_at, started_at, finished_at, worker, progress::text, note, \
        trace_id, lease_until, cancel_requested_at, cancel_reason";

    pub(crate) fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.try_get(0)?,
            kind: row.try_get(1)?,
            name: row.try_get(2)?,
            version: row.try_get(3)?,
            queue: row.try_get(4)?,
            state: row.try_get::<_, &str>(5)?.parse()?,
            task_id: row.try_get(6)?,
            parent_id: row.try_get(7)?,
            root_id: row.try_get(8)?,
            inputs: row.try_get(9)?,
            result: row.try_get(10)?,
            error: row.try_get(11)?,
            attempt: row.try_get(12)?,
            priority: row.try_get(13)?,
            attributes: row.try_get(14)?,
            created_at: row.try_get(15)?,
            run_at: row.try_get(16)?,
            started_at: row.try_get(17)?,
            finished_at: row.try_get(18)?,
            worker: row.try_get(19)?,
            progress: row.try_get(20)?,
            note: row.try_get(21)?,
            trace_id: row.try_get(22)?,
            lease_until: row.try_get(23)?,
            cancel_requested_at: row.try_get(24)?,
            cancel_reason: row.try_get(25)?,
        })
    }
}

/// Which executions to list; what is `None` does not narrow the choice.
#[derive(Clone, Debug, Default)]
pub struct ExecutionFilter {
    /// Only those in one of these states; none: in any.
    pub states: Vec<State>,
    /// Only `task` or `workflow`.
    pub kind: Option<String>,
    /// Only those of this name.
    pub name: Option<String>,
    /// Only those of this queue.
    pub queue: Option<String>,
    /// Only those with this key of their caller.
    pub task_id: Option<String>,
    /// Only those that were made then or later.
    pub since: Option<SystemTime>,
    /// Only those that were made before then.
    pub until: Option<SystemTime>,
    /// The next page: only those that come after the execution that was made then and has this id.
    pub after: Option<(SystemTime, Uuid)>,
    /// How many at most, the newest first.
    pub limit: i64,
}

/// A line that a workflow logged.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// When.
    #[serde(with = "time")]
    pub at: SystemTime,
    /// `log`, `info`, `warn` or `error`.
    pub level: String,
    /// The words.
    pub message: String,
}

/// A row of the view `queues`. Counts may be estimates.
#[derive(Clone, Debug, Serialize)]
pub struct QueueInfo {
    /// The name.
    pub name: String,
    /// Executions that a worker could take now.
    pub pending: i64,
    /// Executions for later.
    pub scheduled: i64,
    /// Executions that workers hold.
    pub running: i64,
    /// Executions that have failed, as long as they are kept; 10 000 at most.
    pub failed: i64,
    /// Those that have timed out; 10 000 at most.
    pub timed_out: i64,
    /// Whether `pending`, `scheduled` and `running` are estimates.
    pub estimated: bool,
    /// Whether workers get nothing from it.
    pub paused: bool,
    /// Since when it is paused.
    #[serde(with = "time::option")]
    pub paused_at: Option<SystemTime>,
    /// By which role.
    pub paused_by: Option<String>,
    /// Why.
    pub pause_reason: Option<String>,
    /// How many may start in a time, such as `100/sec`.
    pub rate_limit: Option<String>,
    /// How many may run at once.
    pub concurrency: Option<i32>,
    /// How long what has ended is kept, in words of SQL, where that is set.
    pub retention: Option<String>,
    /// Since when the oldest of those that a worker could take waits.
    #[serde(with = "time::option")]
    pub oldest_pending_at: Option<SystemTime>,
}

/// A row of the view `workers`.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerInfo {
    /// The name.
    pub name: String,
    /// The tasks that it can run.
    pub tasks: Vec<String>,
    /// The queues from which it takes them; `None` for the first ten seconds after its registration.
    pub queues: Option<Vec<String>>,
    /// Tasks that it holds.
    pub running: i64,
    /// When it registered; `None` for one that only claims.
    #[serde(with = "time::option")]
    pub registered_at: Option<SystemTime>,
    /// When it last called.
    #[serde(with = "time")]
    pub last_seen: SystemTime,
}

/// A row of the view `tasks`.
#[derive(Clone, Debug, Serialize)]
pub struct TaskInfo {
    /// The name.
    pub name: String,
    /// Where its executions go unless their starter says otherwise.
    pub queue: String,
    /// JSON text: the JSON Schema of its inputs.
    #[serde(serialize_with = "json")]
    pub input_schema: Option<String>,
    /// What happens to inputs that do not fit: `refuse`, `warn` or `off`; none without a schema.
    pub schema_check: Option<String>,
    /// JSON text: the retry policy that its workers registered.
    #[serde(serialize_with = "json")]
    pub retry: Option<String>,
    /// How long it may take in all, in seconds.
    pub timeout: Option<f64>,
    /// How long it may wait for a worker, in seconds.
    pub start_timeout: Option<f64>,
    /// How long one attempt may take, in seconds.
    pub attempt_timeout: Option<f64>,
    /// How long it may be silent, in seconds.
    pub heartbeat_timeout: Option<f64>,
    /// Larger goes first.
    pub priority: Option<i32>,
    /// How long a completed one keeps its `task_id`: an interval, or `forever`.
    pub remember: Option<String>,
    /// `keep` or `discard`: what becomes of its results, where that is registered.
    pub result: Option<String>,
    /// The workers that were seen in the last minute.
    pub workers: Vec<String>,
    /// When one that has it last called.
    #[serde(with = "time::option")]
    pub last_seen: Option<SystemTime>,
    /// When a worker first registered it.
    #[serde(with = "time::option")]
    pub first_served_at: Option<SystemTime>,
}

/// A row of the view `workflows`: one version of a workflow.
#[derive(Clone, Debug, Serialize)]
pub struct WorkflowInfo {
    /// The name.
    pub name: String,
    /// The version, from 1.
    pub version: i32,
    /// Whether it is the one that starts now.
    pub is_current: bool,
    /// The role as which its SQL runs.
    pub deployer: String,
    /// Whether it has SQL.
    pub uses_sql: bool,
    /// JSON text: the JSON Schema of its inputs.
    #[serde(serialize_with = "json")]
    pub input_type: Option<String>,
    /// When it was deployed.
    #[serde(with = "time")]
    pub created_at: SystemTime,
    /// Its program.
    pub source: String,
}

/// Puts JSON text into JSON as what it is.
pub(crate) fn json<S: Serializer>(
    text: &Option<String>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    match text {
        Some(text) => {
            let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
            raw.serialize(serializer)
        }
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_json_whatever_its_depth() {
        let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
        let outcome = Outcome {
            state: State::TimedOut,
            result: Some(deep.clone()),
            error: None,
        };
        let text = serde_json::to_string(&outcome).expect("it serialises");
        assert_eq!(
            text,
            format!("{{\"state\":\"timed_out\",\"result\":{deep},\"error\":null}}")
        );
    }

    #[test]
    fn an_unknown_state_is_an_error_with_a_hint() {
        let error = "asleep".parse::<State>().expect_err("there is none");
        assert!(error.message.contains("asleep") && error.hint.is_some());
    }
}
