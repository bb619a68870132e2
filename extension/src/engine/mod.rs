//! Steps of workflows: load them, let each run on with what has happened (`run`), and write what became of all in one call.
//!
//! The caller (`_step_many` in SQL) holds the locks of the trees, and a subtransaction if the definition uses SQL. Failures come
//! back as data: a step never raises an error of its own, since it would end the transaction of all that run in it.
//! Knows no SQL (that is `db`) and no arguments of Postgres (that is `api`).

use std::cell::Cell;
use std::collections::HashMap;

use crate::db::DbResult;
use crate::db::step::{self as store, Event, Writes, Written};

mod clock;
mod effects;
mod host;
pub(crate) mod json;
mod programs;
mod rows;
mod run;

pub(crate) use programs::program;

use run::{Paused, Run};

/// How a step ended.
pub(crate) enum Stepped {
    /// It waits; state and effects are written.
    Suspended,
    /// It has returned, and its result is written.
    Completed,
    /// It has ended as it was told to; what it cleaned up on the way is written.
    Cancelled,
    /// It failed; nothing of it is written.
    Failed {
        /// The error as a JSON object.
        error: String,
        /// The log of the step as a JSON array, which the caller keeps.
        logs: String,
    },
    /// It has to run again, alone; nothing of it is written.
    Abandoned,
}

thread_local! {
    /// Steps that run in this backend: more than one if the SQL of one starts another.
    static RUNNING: Cell<u32> = const { Cell::new(0) };
}

/// A step that runs, however it ends.
struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

/// Whether a step runs in this backend, so that it is its SQL that asks.
pub(crate) fn is_running() -> bool {
    RUNNING.get() > 0
}

/// Bytes of states and effects that are held before they are written.
const HELD: usize = 16 << 20;

/// Steps executions until nothing that they await is there; says how each ended, in their order.
pub(crate) fn step(ids: &[pgrx::Uuid]) -> DbResult<Vec<Stepped>> {
    let _running = Running::begin();
    let mut loaded = store::load(ids)?;
    let mut events = store::events(ids)?;
    let mut steps = Steps::default();
    for (at, id) in ids.iter().enumerate() {
        // One that ended meanwhile has nothing to do.
        steps.ends.push(Stepped::Suspended);
        let Some(loaded) = loaded.remove(id) else {
            continue;
        };
        match Run::begin(*id, loaded)? {
            Ok(run) => steps.go_on(at, run, events.remove(id).unwrap_or_default()),
            Err(end) => steps.ends[at] = end,
        }
        if steps.writes.bytes() > HELD {
            steps.write()?;
        }
    }
    steps.write()?;
    Ok(steps.ends)
}

/// Steps that are done together.
#[derive(Default)]
struct Steps {
    ends: Vec<Stepped>,
    writes: Writes,
    /// Those that wait for what they have just asked for; some of it may be there at once.
    waiting: HashMap<pgrx::Uuid, (usize, Run)>,
}

impl Steps {
    fn go_on(&mut self, at: usize, mut run: Run, events: Vec<Event>) {
        let taken: Vec<i64> = events.iter().map(|event| event.seq).collect();
        let (end, effects, written) = match run.go_on(events) {
            Paused::Waiting { save, effects } => (Stepped::Suspended, effects, Written::Save(save)),
            Paused::Completed { result, effects } => {
                let end = if run.is_cancelling() {
                    Stepped::Cancelled
                } else {
                    Stepped::Completed
                };
                (end, effects, Written::Result(result))
            }
            Paused::Cancelled { error, effects } => {
                (Stepped::Cancelled, effects, Written::Cancelled(error))
            }
            Paused::Ended(end) => {
                self.ends[at] = end;
                return;
            }
        };
        self.ends[at] = end;
        let may_go_on = effects.is_some() && matches!(written, Written::Save(_));
        self.writes
            .add(run.id(), &taken, effects, written, run.cancels());
        if may_go_on {
            self.waiting.insert(run.id(), (at, run));
        }
    }

    /// Writes what has become of them, and lets those go on for which something is there.
    fn write(&mut self) -> DbResult<()> {
        loop {
            let mut waiting = std::mem::take(&mut self.waiting);
            let news = std::mem::take(&mut self.writes).write()?;
            if news.is_empty() {
                return Ok(());
            }
            let mut events = store::events(&news)?;
            for id in news {
                if let Some((at, mut run)) = waiting.remove(&id) {
                    run.is_written();
                    self.go_on(at, run, events.remove(&id).unwrap_or_default());
                }
            }
        }
    }
}
