//! Schedules in the model: how many ticks come to what, by their policies of overlap. What they start are tasks as all others.

use super::{Given, Model, QUEUES, Task, UNIT};

/// Every schedule has a tick in as many seconds.
pub const EVERY: u64 = 2 * UNIT;
/// When the first is. The clock is set in steps of half a unit, so none is near.
pub const FIRST: u64 = EVERY - UNIT / 4;
/// The policies, which are the names too.
pub const OVERLAPS: [&str; 3] = ["skip", "queue_one", "allow"];
/// Where they start, as a place in `QUEUES`; nothing else ends there in a round in which somebody claims from it.
pub const TICKS: usize = QUEUES.len() - 1;

/// What the model knows of one schedule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule {
    /// How many ticks were started.
    pub started: u64,
    /// And how many left out.
    pub skipped: u64,
    /// Whether one waits for the end of what runs.
    pub held: bool,
    /// How many were started that nobody knows by their ids.
    pub fresh: usize,
}

impl Schedule {
    fn start(&mut self, count: u64) {
        self.started += count;
        self.fresh += count as usize;
    }
}

/// How many ticks there were at this time.
fn ticks(now: u64) -> u64 {
    (now + EVERY).saturating_sub(FIRST) / EVERY
}

impl Model {
    /// Whether something that a schedule has started is alive.
    fn is_alive(&self, schedule: usize) -> bool {
        self.schedules[schedule].fresh > 0
            || self
                .tasks
                .values()
                .any(|task| task.schedule == Some(schedule) && !task.is_over())
    }

    /// The ticks since a time come to what their policies say.
    pub fn tick(&mut self, since: u64) {
        let due = ticks(self.now) - ticks(since);
        for (i, overlap) in OVERLAPS.iter().enumerate() {
            let alive = self.is_alive(i);
            let schedule = &mut self.schedules[i];
            let take = match *overlap {
                "skip" => u64::from(!alive),
                "queue_one" if schedule.held => 0,
                "queue_one" => 2 - u64::from(alive),
                _ => due,
            }
            .min(due);
            schedule.skipped += due - take;
            if *overlap == "queue_one" && take > 0 {
                schedule.held = alive || take > 1;
                schedule.start(u64::from(!alive));
            } else {
                schedule.start(take);
            }
        }
    }

    /// What was held and is in nobody's way starts.
    pub fn start_held(&mut self) {
        for i in 0..OVERLAPS.len() {
            if self.schedules[i].held && !self.is_alive(i) {
                self.schedules[i].held = false;
                self.schedules[i].start(1);
            }
        }
    }

    /// The task that a schedule has started. It is retried for ever, so that time ends none.
    #[must_use]
    pub fn started(&self, schedule: usize, seq: Option<i64>) -> Task {
        Task {
            schedule: Some(schedule),
            attempts: 1000,
            seq,
            ..Task::new(TICKS, Given::default(), self.now)
        }
    }
}
