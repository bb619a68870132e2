//! What a worker is told: its name, how much it runs at once, and its tasks' defaults.

use std::fmt::Write as _;
use std::time::Duration;

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};

/// How a worker behaves.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Its name in `rhythm.workers`; unique among those that run.
    pub name: String,
    /// Where to claim, in this order; empty: the queues of its tasks.
    pub queues: Vec<String>,
    /// How many tasks run at once.
    pub slots: usize,
    /// For how long a claim holds without a heartbeat.
    pub lease: Duration,
    /// How long one claim waits in the server for work.
    pub wait: Duration,
    /// How long what runs may go on after the worker was asked to leave.
    pub grace: Duration,
    /// Claims that waited for work are handed over before they are on the server's disk; see [`Client::claim_until`].
    ///
    /// [`Client::claim_until`]: crate::Client::claim_until
    pub relaxed_claims: bool,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            name: format!("worker-{}", Uuid::new_v4()),
            queues: Vec::new(),
            slots: 10,
            lease: Duration::from_secs(60),
            wait: Duration::from_secs(5),
            grace: Duration::from_secs(30),
            relaxed_claims: false,
        }
    }
}

impl WorkerOptions {
    pub(super) fn check(&self) -> Result<()> {
        let wrong =
            |message: &str, hint: &str| Err(Error::new(ErrorKind::Config, message).hint(hint));
        if self.slots == 0 || self.slots > 10_000 {
            return wrong(
                "slots must be between 1 and 10000",
                "Say how many tasks may run at once.",
            );
        }
        if self.lease < Duration::from_millis(100) {
            return wrong("the lease must be at least 100 ms", "60 s is the default.");
        }
        if self.name.is_empty() {
            return wrong("the worker needs a name", "Leave it out to get one.");
        }
        Ok(())
    }
}

/// What a task's executions get when whoever starts them says nothing else.
#[derive(Clone, Debug, Default)]
pub struct TaskOptions {
    /// The queue that it goes to; otherwise `default`.
    pub queue: Option<String>,
    /// The retry policy, as JSON text: `{"maxAttempts": 3, "initial": "1s", "nonRetryable": ["KeyError"], …}`.
    pub retry: Option<String>,
    /// How long it may take in all.
    pub timeout: Option<Duration>,
    /// How long it may wait for a worker.
    pub start_timeout: Option<Duration>,
    /// How long one attempt may take.
    pub attempt_timeout: Option<Duration>,
    /// The lease ends this long after the handler's last heartbeat.
    pub heartbeat_timeout: Option<Duration>,
    /// Larger goes first.
    pub priority: Option<i32>,
    /// How long a completed one keeps its `task_id`: an interval such as `30 days`, `0` or `forever`.
    pub remember: Option<String>,
    /// `keep` or `discard`: what becomes of its results.
    pub result: Option<String>,
    /// A JSON Schema of its inputs, as JSON text.
    pub input_schema: Option<String>,
    /// What happens to inputs that do not fit: `refuse`, `warn` (the server's choice if it is left out) or `off`.
    pub schema_check: Option<String>,
}

/// Returns the tasks as `register` takes them.
pub(super) fn registration<'a>(
    tasks: impl Iterator<Item = (&'a String, &'a TaskOptions)>,
) -> String {
    let mut json = String::from("[");
    for (name, options) in tasks {
        let comma = if json.len() > 1 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(
            json,
            "{comma}{{\"name\":{}",
            serde_json::Value::from(name.as_str())
        );
        let seconds = |duration: Option<Duration>| duration.map(|d| d.as_secs_f64().to_string());
        let word = |word: &Option<String>| {
            word.as_deref()
                .map(|w| serde_json::Value::from(w).to_string())
        };
        let entries = [
            ("queue", word(&options.queue)),
            ("retry", options.retry.clone()),
            ("timeout", seconds(options.timeout)),
            ("startTimeout", seconds(options.start_timeout)),
            ("attemptTimeout", seconds(options.attempt_timeout)),
            ("heartbeatTimeout", seconds(options.heartbeat_timeout)),
            ("priority", options.priority.map(|p| p.to_string())),
            ("remember", word(&options.remember)),
            ("result", word(&options.result)),
            ("inputSchema", options.input_schema.clone()),
            ("schemaCheck", word(&options.schema_check)),
        ];
        for (key, value) in entries {
            if let Some(value) = value {
                let _ = write!(json, ",\"{key}\":{value}");
            }
        }
        json.push('}');
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_register_with_the_defaults_that_they_have() {
        let charge = TaskOptions {
            queue: Some("pay\"ments".into()),
            retry: Some("{\"maxAttempts\":3}".into()),
            timeout: Some(Duration::from_millis(1500)),
            attempt_timeout: Some(Duration::from_secs(20)),
            priority: Some(-5),
            remember: Some("30 days".into()),
            result: Some("discard".into()),
            input_schema: Some("{\"type\":\"object\"}".into()),
            schema_check: Some("refuse".into()),
            ..TaskOptions::default()
        };
        let tasks = [
            ("charge".to_owned(), charge),
            ("mail".to_owned(), TaskOptions::default()),
        ];
        insta::assert_snapshot!(
            registration(tasks.iter().map(|(name, options)| (name, options))),
            @r#"[{"name":"charge","queue":"pay\"ments","retry":{"maxAttempts":3},"timeout":1.5,"attemptTimeout":20,"priority":-5,"remember":"30 days","result":"discard","inputSchema":{"type":"object"},"schemaCheck":"refuse"},{"name":"mail"}]"#
        );
    }
}
