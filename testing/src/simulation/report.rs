//! What came of a run, as those who look at it get it.

use std::collections::BTreeMap;

use rhythm_flow::ExecutionError;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Query;

/// JSON text as it is; `null` for what is none.
pub(super) fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has returned.
    Completed,
    /// It has thrown.
    Failed,
    /// It was cancelled, and has ended.
    Cancelled,
    /// It waits.
    Waiting,
}

/// The end of a run.
#[derive(Clone, Debug)]
pub struct Ended {
    state: State,
    result: Option<String>,
    pub(super) error: Option<ExecutionError>,
    /// After the start.
    pub(super) at_ms: f64,
}

impl Ended {
    pub(super) fn completed(result: String) -> Self {
        Self {
            state: State::Completed,
            result: Some(result),
            error: None,
            at_ms: 0.0,
        }
    }

    pub(super) fn failed(error: ExecutionError) -> Self {
        Self {
            state: State::Failed,
            result: None,
            error: Some(error),
            at_ms: 0.0,
        }
    }

    /// It could not be run.
    pub(super) fn broken(message: &str) -> Self {
        Self::failed(ExecutionError {
            name: "InternalError".into(),
            message: format!(
                "Rhythm could not run this step ({message}). This is a bug of Rhythm."
            ),
            ..ExecutionError::default()
        })
    }

    /// One that was told to cancel ends cancelled, whatever its program made of it.
    pub(super) fn cancelled(&mut self) {
        self.state = State::Cancelled;
        self.result = None;
        let error = self
            .error
            .take()
            .filter(|error| error.name == "CancelledError");
        self.error = Some(error.unwrap_or_else(|| ExecutionError {
            name: "CancelledError".into(),
            message: "cancelled".into(),
            ..ExecutionError::default()
        }));
    }
}

/// A started task or child workflow.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// `task` or `workflow`.
    pub kind: &'static str,
    /// The task's name.
    pub name: String,
    /// Its inputs.
    pub inputs: Box<RawValue>,
    /// Its options.
    pub options: Box<RawValue>,
    /// When it was started, after the start of the run.
    #[serde(rename = "at")]
    pub at_ms: f64,
    /// How many attempts began.
    pub attempts: u32,
    /// `scheduled`, `running`, `completed`, `failed`, `timed_out`, `cancelled`.
    pub state: &'static str,
    /// What it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// The error of the last attempt that failed, unless a later one completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RawValue>>,
}

/// A line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// After the start of the run.
    #[serde(rename = "at")]
    pub at_ms: f64,
    /// `log`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The words.
    pub message: String,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How it stands.
    pub state: State,
    /// What it returned; `null` unless it completed.
    pub result: Box<RawValue>,
    /// What it ended with; `null` unless it failed or was cancelled.
    pub error: Box<RawValue>,
    /// How long it took by the clock, in milliseconds.
    pub duration: f64,
    /// The tasks and workflows that it started, in order.
    pub calls: Vec<Call>,
    /// Its log.
    pub log: Vec<LogLine>,
    /// What `Context.set` published.
    pub attributes: BTreeMap<String, Box<RawValue>>,
    /// The SQL that it ran.
    pub queries: Vec<Asked>,
    /// What it answered to requests, in the order in which these were given; `null` where it did not.
    pub replies: Vec<Box<RawValue>>,
}

/// A query that was answered.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// The text.
    pub text: String,
    /// The parameters.
    pub params: Box<RawValue>,
}

impl Report {
    pub(super) fn new(
        ended: Option<&Ended>,
        elapsed_ms: f64,
        calls: Vec<Call>,
        log: &[LogLine],
        attributes: &BTreeMap<String, String>,
        queries: &[Query],
        replies: Vec<Option<&str>>,
    ) -> Self {
        let null = || RawValue::NULL.to_owned();
        let result = ended.and_then(|ended| ended.result.as_deref()).map(raw);
        let error = ended.and_then(|ended| ended.error.as_ref());
        Self {
            state: ended.map_or(State::Waiting, |ended| ended.state),
            result: result.unwrap_or_else(null),
            error: error.map_or_else(null, |error| raw(&error.to_json())),
            duration: ended.map_or(elapsed_ms, |ended| ended.at_ms),
            calls,
            log: log.to_vec(),
            attributes: attributes
                .iter()
                .map(|(key, value)| (key.clone(), raw(value)))
                .collect(),
            queries: queries
                .iter()
                .map(|query| Asked {
                    text: query.text.clone(),
                    params: raw(&query.params),
                })
                .collect(),
            replies: replies
                .into_iter()
                .map(|reply| reply.map_or_else(null, raw))
                .collect(),
        }
    }

    /// All of it as JSON text.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "null".into())
    }
}
