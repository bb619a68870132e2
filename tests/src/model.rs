//! A small model of the state machine of tasks: what operations and time do to a few queues, said a second time and as plainly as
//! can be. It knows no SQL but how to ask for an operation (`operation`); what an answer must be is in `answer`, what is asked
//! in a round in `plan`.

pub mod answer;
pub mod operation;
pub mod plan;
pub mod schedule;

use std::collections::BTreeMap;

use uuid::Uuid;

/// Attempts of each task.
pub const ATTEMPTS: i64 = 2;
/// One without limits, one with a limit for the whole, one with a limit by key, one with a rate, and one in which schedules start.
pub const QUEUES: [&str; 5] = ["open", "limited", "keyed", "rated", "ticks"];
/// How many run at once in the second.
pub const LIMIT: usize = 4;
/// And of a key in the third.
pub const PER_KEY: usize = 2;
/// How many tokens the bucket of the fourth holds.
pub const BURST: f64 = 5.0;
/// Seconds: what is put off is so for as long, and a token comes in it. The test itself must take less than half of it.
pub const UNIT: u64 = 600;
/// Of those who claim and beat.
pub const LEASE: u64 = 10 * UNIT;

/// What a task was enqueued with beside its queue; times in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given {
    /// Larger goes first.
    pub priority: i64,
    /// What limits by key see.
    pub key: u64,
    /// The key of idempotency.
    pub task_id: Option<u64>,
    /// Whether it is to begin in a unit.
    pub delay: bool,
    /// `start_timeout`.
    pub start: Option<u64>,
    /// `timeout`.
    pub whole: Option<u64>,
    /// `attempt_timeout`.
    pub attempt: Option<u64>,
    /// `heartbeat_timeout`.
    pub beat: Option<u64>,
}

/// What the model knows of one task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its place in `QUEUES`.
    pub queue: usize,
    /// As it was enqueued.
    pub given: Given,
    /// Which schedule has started it.
    pub schedule: Option<usize>,
    /// How many it has.
    pub attempts: i64,
    /// As the server counts them, once it has told.
    pub seq: Option<i64>,
    /// As the server names it.
    pub state: &'static str,
    /// Attempts begun.
    pub attempt: i64,
    /// The lease that holds, and until when (in the model's seconds).
    pub lease: Option<(i64, u64)>,
    /// When the attempt that runs must have ended.
    pub attempt_until: Option<u64>,
    /// When it becomes pending, if it is scheduled.
    pub due: u64,
    /// Until when the first attempt must have begun; nothing once one has failed.
    pub start_by: Option<u64>,
    /// Until when it must have ended.
    pub end_by: Option<u64>,
    /// Whether somebody wants it cancelled.
    pub cancelled: bool,
    /// And at once, even if a claim was faster.
    pub terminated: bool,
    /// In which round it ended.
    pub ended: u32,
}

impl Task {
    /// One that was enqueued at this time.
    #[must_use]
    pub fn new(queue: usize, given: Given, now: u64) -> Self {
        let from = if given.delay { now + UNIT } else { now };
        Self {
            queue,
            given,
            schedule: None,
            attempts: ATTEMPTS,
            seq: None,
            state: if given.delay { "scheduled" } else { "pending" },
            attempt: 0,
            lease: None,
            attempt_until: None,
            due: from,
            start_by: given.start.map(|start| from + start),
            end_by: given.whole.map(|whole| from + whole),
            cancelled: false,
            terminated: false,
            ended: 0,
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(
            self.state,
            "completed" | "failed" | "cancelled" | "timed_out"
        )
    }

    /// It runs no more.
    pub fn stop(&mut self, state: &'static str) {
        (self.state, self.lease, self.attempt_until) = (state, None, None);
    }

    /// An attempt has failed; without `due` it is claimable at once. `over`: what it is when it has no attempts left.
    pub fn fail(&mut self, due: Option<u64>, over: &'static str) {
        let again = !self.cancelled && self.attempt < self.attempts;
        self.stop(match due {
            _ if self.cancelled => "cancelled",
            _ if !again => over,
            Some(_) => "scheduled",
            None => "pending",
        });
        if again {
            (self.due, self.start_by) = (due.unwrap_or(0), None);
        }
    }

    /// It is given back, after a unit or at once; the attempt does not count.
    pub fn release(&mut self, now: u64, puts_off: bool) {
        self.attempt -= 1;
        if puts_off {
            self.due = now + UNIT;
            self.start_by = self
                .given
                .start
                .filter(|_| self.start_by.is_some())
                .map(|start| self.due + start);
        }
        self.stop(match () {
            () if self.cancelled => "cancelled",
            () if puts_off => "scheduled",
            () if self.start_by.is_some_and(|by| by <= now) => "timed_out",
            () => "pending",
        });
    }

    /// It goes on after its end, with all its attempts.
    pub fn revive(&mut self, now: u64) {
        self.stop("pending");
        (self.attempt, self.cancelled, self.terminated) = (0, false, false);
        self.start_by = self
            .given
            .start
            .filter(|_| self.start_by.is_some())
            .map(|start| now + start);
        self.end_by = self.given.whole.map(|whole| now + whole);
    }

    /// Time has passed; true: the lease is lost.
    fn pass(&mut self, now: u64) -> bool {
        let is_due = |by: Option<u64>| by.is_some_and(|by| by <= now);
        let runs = self.lease.is_some();
        if is_due(self.end_by) || (!runs && is_due(self.start_by)) {
            self.stop("timed_out");
        } else if is_due(self.attempt_until) {
            self.fail(Some(now + UNIT), "timed_out");
        } else if is_due(self.lease.map(|(_, until)| until)) {
            match self.given.beat {
                Some(_) => self.fail(Some(now + UNIT), "timed_out"),
                None => self.fail(None, "failed"),
            }
        } else if self.state == "scheduled" && self.due <= now {
            self.state = "pending";
        }
        runs && self.lease.is_none()
    }
}

/// Tokens of a rate. The server's clock goes on between the steps of the model's, by as much as the test takes; so there are two counts.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    least: f64,
    most: f64,
    at: u64,
    real: f64,
}

impl Bucket {
    fn filled(&self, now: u64, real: f64) -> Self {
        let came = |seconds: f64| seconds / UNIT as f64;
        let steps = (now - self.at) as f64;
        Self {
            least: BURST.min(self.least + came(steps)),
            most: BURST.min(self.most + came(steps + real - self.real)),
            at: now,
            real,
        }
    }
}

/// All tasks, and what else decides.
#[derive(Clone, Debug)]
pub struct Model {
    /// By id.
    pub tasks: BTreeMap<Uuid, Task>,
    /// Leases that were lost: they must change nothing.
    pub stale: Vec<(Uuid, i64)>,
    /// Seconds since the beginning, of the clock that is set.
    pub now: u64,
    /// The number of the round.
    pub round: u32,
    /// Seconds of real time since the beginning: before this round, and after it.
    pub real: (f64, f64),
    /// The queues that are.
    pub paused: [bool; QUEUES.len()],
    /// Whether the task's name is, or everything.
    pub stopped: bool,
    /// Of the queue with a rate.
    pub bucket: Bucket,
    /// In the order of `OVERLAPS`.
    pub schedules: [schedule::Schedule; schedule::OVERLAPS.len()],
}

impl Default for Model {
    fn default() -> Self {
        Self {
            tasks: BTreeMap::new(),
            stale: Vec::new(),
            now: 0,
            round: 0,
            real: (0.0, 0.0),
            paused: [false; QUEUES.len()],
            stopped: false,
            bucket: Bucket {
                least: BURST,
                most: BURST,
                at: 0,
                real: 0.0,
            },
            schedules: Default::default(),
        }
    }
}

impl Model {
    /// Who holds a task_id: alive or completed.
    #[must_use]
    pub fn holder(&self, key: u64) -> Option<Uuid> {
        let holds = |task: &&Task| {
            task.given.task_id == Some(key) && (!task.is_over() || task.state == "completed")
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

    /// What `retry_many` would retry of a queue: of several with one task_id the last.
    #[must_use]
    pub fn retryable(&self, queue: usize) -> Vec<Uuid> {
        let failed =
            |task: &Task| task.queue == queue && matches!(task.state, "failed" | "timed_out");
        let all = self.tasks.iter().filter(|(_, task)| failed(task));
        all.filter(|(id, task)| {
            let Some(key) = task.given.task_id else {
                return true;
            };
            let newer = |(other, t): (&Uuid, &Task)| {
                failed(t) && t.given.task_id == Some(key) && (t.ended, other) > (task.ended, id)
            };
            self.holder(key).is_none() && !self.tasks.iter().any(newer)
        })
        .map(|(id, _)| *id)
        .collect()
    }

    /// Time passes.
    pub fn advance(&mut self, seconds: u64) {
        let since = self.now;
        self.now += seconds;
        for (id, task) in &mut self.tasks {
            let (lease, was_over) = (task.lease, task.is_over());
            if !was_over
                && task.pass(self.now)
                && let Some((token, _)) = lease
            {
                self.stale.push((*id, token));
            }
            if !was_over && task.is_over() {
                task.ended = self.round;
            }
        }
        self.tick(since);
    }

    /// How many a queue lets run beside those that run, or at most claim now; of one key.
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
                PER_KEY.saturating_sub(running(&|t| t.queue == queue && t.given.key == key)),
            ),
            "rated" => (self.tokens().1, usize::MAX),
            _ => (usize::MAX, usize::MAX),
        }
    }

    /// How many tokens there are at least and at most.
    #[must_use]
    pub fn tokens(&self) -> (usize, usize) {
        let there = self.bucket.filled(self.now, self.real.1);
        let whole = |tokens: f64| (tokens + 0.000_01).floor().max(0.0) as usize;
        (whole(there.least), whole(there.most))
    }

    /// One token is taken.
    pub fn spend(&mut self) {
        let there = self.bucket.filled(self.now, self.real.1);
        self.bucket = Bucket {
            least: there.least - 1.0,
            most: there.most - 1.0,
            at: self.now,
            real: self.real.0,
        };
    }

    /// How many could be claimed of a queue, at least and at most.
    #[must_use]
    pub fn claimable(&self, queue: usize) -> (usize, usize) {
        if self.paused[queue] || self.stopped {
            return (0, 0);
        }
        let mut by_key: BTreeMap<u64, usize> = BTreeMap::new();
        for task in self
            .tasks
            .values()
            .filter(|t| t.queue == queue && t.state == "pending")
        {
            *by_key.entry(task.given.key).or_default() += 1;
        }
        let of_keys: usize = by_key
            .iter()
            .map(|(key, n)| (*n).min(self.free(queue, *key).1))
            .sum();
        let most = of_keys.min(self.free(queue, 0).0);
        let least = if QUEUES[queue] == "rated" {
            most.min(self.tokens().0)
        } else {
            most
        };
        (least, most)
    }
}
