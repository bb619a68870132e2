//! What the harness asks of its host, and is answered: the inputs and results of its `Task.run("$…")`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::simulation::{Attempt, Query};

/// `$plan`: a test.
#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    pub(super) path: Vec<String>,
    pub(super) stack: String,
    pub(super) skip: bool,
    pub(super) only: bool,
    pub(super) todo: bool,
}

/// `$begin`
#[derive(Debug, Deserialize)]
pub(super) struct Begin {
    pub(super) test: usize,
}

/// `$end`
#[derive(Debug, Deserialize)]
pub(super) struct End {
    pub(super) test: usize,
    pub(super) errors: Vec<Thrown>,
}

/// An error of the test file, as `$error` in the harness tells it; `$broken`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Thrown {
    pub(super) name: String,
    pub(super) message: String,
    pub(super) stack: Option<String>,
    pub(super) code: Option<String>,
    pub(super) expected: Option<String>,
    pub(super) actual: Option<String>,
    /// The stack of an error that the message is about.
    pub(super) about: Option<String>,
    pub(super) cause: Option<Box<Self>>,
    pub(super) data: Option<Box<RawValue>>,
}

/// `$start`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartRun {
    pub(super) workflow: String,
    pub(super) inputs: Box<RawValue>,
    #[serde(default)]
    pub(super) signals: Vec<Signal>,
    pub(super) cancel: Option<Cancel>,
    pub(super) now: Option<serde_json::Value>,
    pub(super) until: Option<serde_json::Value>,
    pub(super) task_id: Option<String>,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default)]
    pub(super) is_child: bool,
}

/// `$has`: whether there is a workflow of this name.
#[derive(Debug, Deserialize)]
pub(super) struct Has {
    pub(super) workflow: String,
}

/// A signal of `$start`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signal {
    pub(super) name: String,
    #[serde(default)]
    pub(super) at: serde_json::Value,
    pub(super) payload: Option<Box<RawValue>>,
    pub(super) key: Option<String>,
    /// Whether it is one that the workflow can answer.
    #[serde(default)]
    pub(super) request: bool,
}

/// The cancel of `$start`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    #[serde(default)]
    pub(super) at: serde_json::Value,
    #[serde(default = "cancelled")]
    pub(super) reason: String,
}

fn cancelled() -> String {
    "cancelled".to_owned()
}

/// `$next`
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    pub(super) run: usize,
}

/// `$stop`: the next `$next` is answered with all of this.
#[derive(Debug, Deserialize)]
pub(super) struct Stop {
    pub(super) run: usize,
}

/// `$answer`
#[derive(Debug, Deserialize)]
pub(super) struct AnswerTask {
    pub(super) run: usize,
    pub(super) attempt: AttemptId,
    pub(super) value: Option<Box<RawValue>>,
    pub(super) error: Option<Thrown>,
    pub(super) retryable: Option<bool>,
}

/// An attempt as the harness hands it back.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct AttemptId {
    pub(super) task: usize,
    pub(super) number: u32,
}

/// `$rows`
#[derive(Debug, Deserialize)]
pub(super) struct Rows {
    pub(super) run: usize,
    pub(super) rows: Option<Box<RawValue>>,
    pub(super) error: Option<Thrown>,
}

/// `$signal`
#[derive(Debug, Deserialize)]
pub(super) struct SendSignal {
    pub(super) run: usize,
    pub(super) name: String,
    pub(super) payload: Box<RawValue>,
    pub(super) key: Option<String>,
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The answer of `$next` when an attempt begins.
pub(super) fn attempt_event(attempt: &Attempt) -> String {
    #[derive(Serialize)]
    struct AttemptEvent<'a> {
        kind: &'static str,
        of: &'static str,
        name: &'a str,
        inputs: Box<RawValue>,
        options: Box<RawValue>,
        attempt: AttemptId,
    }
    let event = AttemptEvent {
        kind: "attempt",
        of: attempt.kind.word(),
        name: &attempt.name,
        inputs: raw(&attempt.inputs),
        options: raw(&attempt.options),
        attempt: AttemptId {
            task: attempt.task,
            number: attempt.number,
        },
    };
    serde_json::to_string(&event).unwrap_or_default()
}

/// The answer of `$next` when the step asks the database.
pub(super) fn query_event(query: &Query) -> String {
    #[derive(Serialize)]
    struct QueryEvent<'a> {
        kind: &'static str,
        text: &'a str,
        params: Box<RawValue>,
    }
    let event = QueryEvent {
        kind: "query",
        text: &query.text,
        params: raw(&query.params),
    };
    serde_json::to_string(&event).unwrap_or_default()
}
