//! A small model of the state machine of tasks: what operations do to a few queues, said a second time and as plainly as can be.
//! It knows no SQL but how to ask for an operation.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

/// Attempts of each task.
pub const ATTEMPTS: i64 = 3;
/// One without limits, one with a limit for the whole, one with a limit by key.
pub const QUEUES: [&str; 3] = ["open", "limited", "keyed"];
/// How many run at once in the second.
pub const LIMIT: usize = 4;
/// And of a key in the third.
pub const PER_KEY: usize = 2;

/// What the model knows of one task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its place in `QUEUES`.
    pub queue: usize,
    /// What limits by key see.
    pub key: u64,
    /// The key of idempotency.
    pub task_id: Option<u64>,
    /// As the server names it.
    pub state: &'static str,
    /// Attempts begun.
    pub attempt: i64,
    /// The lease that holds, and until when (in the model's seconds).
    pub lease: Option<(i64, u64)>,
    /// When it becomes pending, if it is scheduled.
    pub due: u64,
    /// Whether somebody wants it cancelled.
    pub cancelled: bool,
}

impl Task {
    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, "completed" | "failed" | "cancelled")
    }

    /// An attempt has failed; without `delay` it is claimable at once.
    pub fn fail(&mut self, due: Option<u64>) {
        self.lease = None;
        self.state = match due {
            _ if self.cancelled => "cancelled",
            _ if self.attempt >= ATTEMPTS => "failed",
            Some(_) => "scheduled",
            None => "pending",
        };
        self.due = due.unwrap_or(0);
    }
}

/// All tasks, and what else decides.
#[derive(Debug, Default)]
pub struct Model {
    /// By id.
    pub tasks: BTreeMap<Uuid, Task>,
    /// Leases that were lost: they must change nothing.
    pub stale: Vec<(Uuid, i64)>,
    /// Seconds since the beginning.
    pub now: u64,
    /// The queues that are.
    pub paused: [bool; 3],
    /// Whether the task's name is, or everything.
    pub stopped: bool,
}

impl Model {
    /// Who holds a task_id: alive or completed.
    #[must_use]
    pub fn holder(&self, key: u64) -> Option<Uuid> {
        let holds = |task: &&Task| {
            task.task_id == Some(key) && !matches!(task.state, "failed" | "cancelled")
        };
        self.tasks
            .iter()
            .find(|(_, task)| holds(task))
            .map(|(id, _)| *id)
    }

    /// The leases that hold.
    #[must_use]
    pub fn running(&self) -> Vec<(Uuid, i64)> {
        let leases = self
            .tasks
            .iter()
            .filter_map(|(id, task)| Some((*id, task.lease?.0)));
        leases.collect()
    }

    /// Time passes.
    pub fn advance(&mut self, seconds: u64) {
        self.now += seconds;
        for (id, task) in &mut self.tasks {
            if let Some((token, until)) = task.lease
                && until <= self.now
            {
                self.stale.push((*id, token));
                task.fail(None);
            }
            if task.state == "scheduled" && task.due <= self.now {
                task.state = "pending";
            }
        }
    }

    /// How many a queue lets run beside those that run; of one key.
    #[must_use]
    pub fn free(&self, queue: usize, key: u64) -> (usize, usize) {
        let running = |of: &dyn Fn(&Task) -> bool| {
            self.tasks
                .values()
                .filter(|t| t.lease.is_some() && of(t))
                .count()
        };
        match QUEUES[queue] {
            "limited" => (
                LIMIT.saturating_sub(running(&|t| t.queue == queue)),
                usize::MAX,
            ),
            "keyed" => (
                usize::MAX,
                PER_KEY.saturating_sub(running(&|t| t.queue == queue && t.key == key)),
            ),
            _ => (usize::MAX, usize::MAX),
        }
    }

    /// How many could be claimed of a queue.
    #[must_use]
    pub fn claimable(&self, queue: usize) -> usize {
        if self.paused[queue] || self.stopped {
            return 0;
        }
        let mut by_key: BTreeMap<u64, usize> = BTreeMap::new();
        for task in self
            .tasks
            .values()
            .filter(|t| t.queue == queue && t.state == "pending")
        {
            *by_key.entry(task.key).or_default() += 1;
        }
        let of_keys: usize = by_key
            .iter()
            .map(|(key, n)| (*n).min(self.free(queue, *key).1))
            .sum();
        of_keys.min(self.free(queue, 0).0)
    }
}

/// What a session does in a round.
#[derive(Clone, Debug)]
pub enum Do {
    /// One task.
    Enqueue {
        /// By `enqueue_many`.
        many: bool,
        /// Its place in `QUEUES`.
        queue: usize,
        /// What limits by key see.
        key: u64,
        /// The key of idempotency.
        task_id: Option<u64>,
        /// In a hundred seconds.
        delay: bool,
    },
    /// Up to so many of a queue.
    Claim {
        /// Its place in `QUEUES`.
        queue: usize,
        /// How many.
        most: usize,
    },
    /// With the token of a lease, as the next four.
    Complete(Uuid, i64),
    /// An attempt.
    Fail(Uuid, i64),
    /// For a hundred seconds.
    Snooze(Uuid, i64),
    /// At once.
    Release(Uuid, i64),
    /// For a thousand seconds.
    Beat(Uuid, i64),
    /// Whatever its state.
    Cancel(Uuid),
    /// Whatever its state.
    Retry(Uuid),
}

impl Do {
    /// How to ask for it.
    #[must_use]
    pub fn sql(&self) -> String {
        let error = r#"{"name": "E", "message": "m"}"#;
        match self {
            Self::Enqueue {
                many,
                queue,
                key,
                task_id,
                delay,
            } => {
                let mut item = json!({"name": "work", "inputs": {"key": key}, "queue": QUEUES[*queue],
                    "retry": {"maxAttempts": ATTEMPTS, "initial": "100s", "backoff": 1, "jitter": 0}});
                if let Some(task_id) = task_id {
                    item["task_id"] = json!(format!("t{task_id}"));
                }
                if *delay {
                    item["delay"] = json!("100 seconds");
                }
                if *many {
                    return format!("select id, created from rhythm.enqueue_many('[{item}]')");
                }
                let task_id = task_id
                    .map(|t| format!(", task_id => 't{t}'"))
                    .unwrap_or_default();
                let delay = if *delay {
                    ", delay => '100 seconds'"
                } else {
                    ""
                };
                format!(
                    "select rhythm.enqueue('work', '{}', '{}', retry => '{}'{task_id}{delay}), null",
                    item["inputs"], QUEUES[*queue], item["retry"]
                )
            }
            Self::Claim { queue, most } => format!(
                "select id, token, attempt from rhythm.claim('w', '{{{}}}', max => {most}, lease => '1000 seconds')",
                QUEUES[*queue]
            ),
            Self::Complete(id, token) => format!("select rhythm.complete('{id}', {token})"),
            Self::Fail(id, token) => format!("select rhythm.fail('{id}', {token}, '{error}')"),
            Self::Snooze(id, token) => {
                format!("select rhythm.snooze('{id}', {token}, '100 seconds')")
            }
            Self::Release(id, token) => format!(
                "select count(*) from rhythm.finish('w', '[{{\"id\": \"{id}\", \"token\": \"{token}\", \"release\": true}}]')"
            ),
            Self::Beat(id, token) => {
                format!(
                    "select status from rhythm.heartbeat('{{{id}}}', '{{{token}}}', '1000 seconds')"
                )
            }
            Self::Cancel(id) => format!("select rhythm.cancel('{id}')"),
            Self::Retry(id) => format!("select rhythm.retry('{id}')"),
        }
    }
}

/// Rows, or the code of an error.
pub type Answer = Result<Vec<Vec<Option<String>>>, String>;

/// Checks an answer and does the same to the model. Claims come last: they may have met what the others did, or not.
pub fn apply(model: &mut Model, done: &Do, answer: &Answer) {
    let first = answer
        .as_ref()
        .ok()
        .and_then(|rows| rows.first())
        .and_then(|row| row[0].clone())
        .unwrap_or_default();
    let holds = |model: &Model, id: &Uuid, token: i64| {
        model.tasks[id].lease.is_some_and(|lease| lease.0 == token)
    };
    let now = model.now;
    match *done {
        Do::Enqueue {
            many,
            queue,
            key,
            task_id,
            delay,
        } => {
            let id: Uuid = first
                .parse()
                .unwrap_or_else(|_| panic!("{done:?}: {answer:?}"));
            let holder = task_id.and_then(|key| model.holder(key));
            if many {
                let created = answer
                    .as_ref()
                    .is_ok_and(|rows| rows[0][1].as_deref() == Some("t"));
                assert_eq!(created, holder.is_none(), "{done:?}");
            }
            if let Some(holder) = holder {
                assert_eq!(id, holder, "{done:?}");
                return;
            }
            let state = if delay { "scheduled" } else { "pending" };
            let task = Task {
                queue,
                key,
                task_id,
                state,
                attempt: 0,
                lease: None,
                due: now + 100,
                cancelled: false,
            };
            assert!(model.tasks.insert(id, task).is_none(), "a new id");
        }
        Do::Claim { .. } => {}
        Do::Complete(id, token)
        | Do::Fail(id, token)
        | Do::Snooze(id, token)
        | Do::Release(id, token)
        | Do::Beat(id, token) => {
            let held = holds(model, &id, token);
            let task = model.tasks.get_mut(&id).expect("it is known");
            match done {
                Do::Complete(..) => {
                    assert_eq!(first, if held { "t" } else { "f" }, "{done:?} {task:?}");
                    if held {
                        task.lease = None;
                        task.state = "completed";
                    }
                }
                Do::Fail(..) => {
                    if held {
                        task.fail(Some(now + 100));
                    }
                    assert_eq!(
                        first,
                        if held { task.state } else { "" },
                        "{done:?} {task:?}"
                    );
                }
                Do::Beat(..) => {
                    let status = match (held, task.cancelled) {
                        (false, _) => "lost",
                        (true, true) => "cancel",
                        (true, false) => "ok",
                    };
                    assert_eq!(first, status, "{done:?} {task:?}");
                    if held {
                        task.lease = Some((token, now + 1000));
                    }
                }
                _ => {
                    let snoozes = matches!(done, Do::Snooze(..));
                    if snoozes {
                        assert_eq!(first, if held { "t" } else { "f" }, "{done:?} {task:?}");
                    }
                    if held {
                        task.lease = None;
                        task.attempt -= 1;
                        task.due = now + 100;
                        task.state = match (task.cancelled, snoozes) {
                            (true, _) => "cancelled",
                            (false, true) => "scheduled",
                            (false, false) => "pending",
                        };
                    }
                }
            }
            if held && !matches!(done, Do::Beat(..)) {
                model.stale.push((id, token));
            }
        }
        Do::Cancel(id) => {
            let task = model.tasks.get_mut(&id).expect("it is known");
            // A claim of the same round may have been first; then the lease hears of it.
            assert_eq!(
                first,
                if task.is_over() { "f" } else { "t" },
                "{done:?} {task:?}"
            );
            if !task.is_over() {
                task.cancelled = true;
                if task.lease.is_none() {
                    task.state = "cancelled";
                }
            }
        }
        Do::Retry(id) => {
            let holder = model.tasks[&id].task_id.and_then(|key| model.holder(key));
            let task = model.tasks.get_mut(&id).expect("it is known");
            let expected = match (task.state, holder) {
                ("failed" | "cancelled", None) => "",
                ("failed" | "cancelled", Some(_)) => "RH304",
                _ => "RH302",
            };
            assert_eq!(
                answer.as_ref().err().map_or("", String::as_str),
                expected,
                "{task:?}"
            );
            if expected.is_empty() {
                (task.state, task.attempt, task.cancelled) = ("pending", 0, false);
            }
        }
    }
}

/// What was claimed in a round must have been claimable, and within the limits.
pub fn claimed(model: &mut Model, done: &Do, answer: &Answer) {
    let (Do::Claim { queue, most }, Ok(rows)) = (done, answer) else {
        return;
    };
    assert!(rows.len() <= *most, "{done:?}: {rows:?}");
    for row in rows {
        let cell = |i: usize| row[i].clone().unwrap_or_default();
        let id: Uuid = cell(0).parse().expect("an id");
        let (token, attempt): (i64, i64) = (
            cell(1).parse().expect("a token"),
            cell(2).parse().expect("a number"),
        );
        let free = model.free(*queue, model.tasks[&id].key);
        assert!(
            free.0 > 0 && free.1 > 0,
            "over the limit: {done:?} {free:?}"
        );
        assert!(!model.paused[*queue] && !model.stopped, "paused: {done:?}");
        let task = model.tasks.get_mut(&id).expect("it is known");
        let was_cancelled = task.state == "cancelled" && task.cancelled;
        assert!(
            task.state == "pending" || was_cancelled,
            "{done:?} gave {task:?}"
        );
        assert_eq!(
            (task.queue, task.attempt + 1),
            (*queue, attempt),
            "{task:?}"
        );
        task.state = "running";
        task.attempt = attempt;
        task.lease = Some((token, model.now + 1000));
    }
}
