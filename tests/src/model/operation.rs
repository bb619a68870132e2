//! What a session of the property test does in a round, and how it asks for it.

use serde_json::json;
use uuid::Uuid;

use super::{ATTEMPTS, Given, LEASE, QUEUES, UNIT};

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a result.
    Complete,
    /// With an error; it is tried again in a unit.
    Fail,
    /// It is put off for a unit.
    Snooze,
    /// It is given back at once.
    Release,
}

/// One operation.
#[derive(Clone, Debug)]
pub enum Do {
    /// One task.
    Enqueue {
        /// By `enqueue_many`.
        many: bool,
        /// Its place in `QUEUES`.
        queue: usize,
        /// The rest.
        given: Given,
    },
    /// Up to so many of a queue.
    Claim {
        /// Its place in `QUEUES`.
        queue: usize,
        /// How many.
        most: usize,
    },
    /// With the token of a lease, by the call that does nothing else.
    End(Uuid, i64, End),
    /// Several at once, each in its way.
    Finish(Vec<(Uuid, i64, End)>),
    /// With the token of a lease.
    Beat(Uuid, i64),
    /// Whatever its state, as the next two.
    Cancel(Uuid),
    /// At once.
    Terminate(Uuid),
    /// What has ended goes on.
    Retry(Uuid),
    /// All that have failed or timed out in a queue.
    RetryMany(usize),
}

impl Do {
    /// The executions that it names.
    #[must_use]
    pub fn names(&self) -> Vec<Uuid> {
        match self {
            Self::Enqueue { .. } | Self::Claim { .. } | Self::RetryMany(_) => Vec::new(),
            Self::Finish(all) => all.iter().map(|(id, ..)| *id).collect(),
            Self::End(id, ..)
            | Self::Beat(id, _)
            | Self::Cancel(id)
            | Self::Terminate(id)
            | Self::Retry(id) => vec![*id],
        }
    }

    /// How to ask for it.
    #[must_use]
    pub fn sql(&self) -> String {
        let error = r#"{"name": "E", "message": "m"}"#;
        match self {
            Self::Enqueue { many, queue, given } => enqueue(*many, *queue, given),
            Self::Claim { queue, most } => format!(
                "select id, token, attempt from rhythm.claim('w', '{{{}}}', max => {most}, lease => '{LEASE} seconds')",
                QUEUES[*queue]
            ),
            Self::End(id, token, end) => match end {
                End::Complete => format!("select rhythm.complete('{id}', {token})"),
                End::Fail => format!("select rhythm.fail('{id}', {token}, '{error}')"),
                End::Snooze => format!("select rhythm.snooze('{id}', {token}, '{UNIT} seconds')"),
                End::Release => finish(&[(*id, *token, *end)]),
            },
            Self::Finish(all) => finish(all),
            Self::Beat(id, token) => {
                format!(
                    "select status from rhythm.heartbeat('{{{id}}}', '{{{token}}}', '{LEASE} seconds')"
                )
            }
            Self::Cancel(id) => format!("select rhythm.cancel('{id}')"),
            Self::Terminate(id) => format!("select rhythm.terminate('{id}')"),
            Self::Retry(id) => format!("select rhythm.retry('{id}')"),
            Self::RetryMany(queue) => {
                format!("select rhythm.retry_many(queue => '{}')", QUEUES[*queue])
            }
        }
    }
}

fn finish(all: &[(Uuid, i64, End)]) -> String {
    let outcomes: Vec<_> = all
        .iter()
        .map(|(id, token, end)| {
            let mut outcome = json!({"id": id, "token": token.to_string()});
            match end {
                End::Complete => outcome["result"] = json!(1),
                End::Fail => outcome["error"] = json!({"name": "E", "message": "m"}),
                End::Snooze => outcome["retry_in"] = json!(format!("{UNIT} seconds")),
                End::Release => outcome["release"] = json!(true),
            }
            outcome
        })
        .collect();
    format!(
        "select count(*) from rhythm.finish('w', '{}')",
        json!(outcomes)
    )
}

fn enqueue(many: bool, queue: usize, given: &Given) -> String {
    let inputs = json!({"key": given.key});
    let retry = json!({"maxAttempts": ATTEMPTS, "initial": format!("{UNIT}s"), "max": format!("{UNIT}s"), "backoff": 1, "jitter": 0});
    let seconds = |s: u64| format!("{s} seconds");
    let options = [
        ("task_id", given.task_id.map(|t| format!("t{t}"))),
        ("priority", Some(given.priority.to_string())),
        ("delay", given.delay.then(|| seconds(UNIT))),
        ("start_timeout", given.start.map(seconds)),
        ("timeout", given.whole.map(seconds)),
        ("attempt_timeout", given.attempt.map(seconds)),
        ("heartbeat_timeout", given.beat.map(seconds)),
    ];
    let options = options
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_ref()?)));
    if many {
        let mut item =
            json!({"name": "work", "inputs": inputs, "queue": QUEUES[queue], "retry": retry});
        for (name, value) in options {
            item[name] = if name == "priority" {
                json!(given.priority)
            } else {
                json!(value)
            };
        }
        return format!("select id, created from rhythm.enqueue_many('[{item}]')");
    }
    let options: String = options
        .map(|(name, value)| format!(", {name} => '{value}'"))
        .collect();
    format!(
        "select rhythm.enqueue('work', '{inputs}', '{}', retry => '{retry}'{options}), null",
        QUEUES[queue]
    )
}
