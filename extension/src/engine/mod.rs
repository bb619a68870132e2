//! Steps of workflows: load them, let each run on with what has happened (`run`), and write what became of all in one call.
//!
//! The caller (`_step_many` in SQL) holds the locks of the trees, and a subtransaction if the definition uses SQL. Failures come
//! back as data: a step never raises an error of its own, since it would end the transaction of all that run in it.
//! Knows no SQL (that is `db`) and no arguments of Postgres (that is `api`).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::db::DbResult;
use crate::db::step::{self as store, Event, Loaded, Writes, Written};
use crate::guc;

mod clock;
mod effects;
mod host;
pub(crate) mod json;
pub(crate) mod near;
mod programs;
mod rows;
mod run;

pub(crate) use programs::program;

use clock::Clock;
use host::Deployers;
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
        /// Another attempt would not mend it.
        is_final: bool,
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

thread_local! {
    /// Steps that were begun by `begin`, until `end`. They outlive the calls in which they run, and an error in between: then
    /// nobody asks for them again.
    static BEGUN: RefCell<Option<Batch>> = const { RefCell::new(None) };
}

/// Steps executions until nothing that they await is there; says how each ended, in their order.
pub(crate) fn step(ids: &[pgrx::Uuid]) -> DbResult<Vec<Stepped>> {
    let _running = Running::begin();
    BEGUN.take();
    let mut batch = Batch::load(ids)?;
    let mut ends = Vec::with_capacity(ids.len());
    for at in 0..ids.len() {
        ends.push(batch.run(at, true)?);
        if batch.writes.bytes() > HELD {
            batch.write(&mut ends)?;
        }
    }
    batch.write(&mut ends)?;
    Ok(ends)
}

/// Loads executions, for `run`.
pub(crate) fn begin(ids: &[pgrx::Uuid]) -> DbResult<()> {
    BEGUN.set(Some(Batch::load(ids)?));
    Ok(())
}

/// The batch that was begun, while it is worked on: put back also when the SQL of a step raises an error, since others of the batch
/// have run.
struct Taken(Option<Batch>);

impl Taken {
    fn take() -> Option<Self> {
        BEGUN.take().map(|batch| Self(Some(batch)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        BEGUN.set(self.0.take());
    }
}

/// Steps one of those that were begun, counted from 0.
pub(crate) fn run(at: usize) -> DbResult<Ran> {
    let _running = Running::begin();
    let mut taken = Taken::take();
    let Some(batch) = taken.as_mut().and_then(|taken| taken.0.as_mut()) else {
        return Ok(Ran::NotBegun);
    };
    if at >= batch.ids.len() {
        return Ok(Ran::NotBegun);
    }
    if batch.writes.bytes() > HELD {
        return Ok(Ran::Later);
    }
    batch.run(at, false).map(Ran::Ended)
}

/// What `run` did.
pub(crate) enum Ran {
    /// The step, which ended so.
    Ended(Stepped),
    /// Nothing: enough is held in memory.
    Later,
    /// Nothing: there is no such step.
    NotBegun,
}

/// Writes what has succeeded since `begin`; gives those for which an event is there already; none if nothing was begun.
pub(crate) fn end() -> DbResult<Option<Vec<pgrx::Uuid>>> {
    let _running = Running::begin();
    BEGUN
        .take()
        .map(|batch| batch.writes.write(guc::kept_states()))
        .transpose()
}

/// Steps that are done together.
struct Batch {
    ids: Vec<pgrx::Uuid>,
    loaded: HashMap<pgrx::Uuid, Loaded>,
    events: HashMap<pgrx::Uuid, Vec<Event>>,
    /// What time it was when the events were there.
    clock: Clock,
    deployers: Deployers,
    writes: Writes,
    /// Those that wait for what they have just asked for; some of it may be there at once.
    waiting: HashMap<pgrx::Uuid, (usize, Run)>,
}

impl Batch {
    fn load(ids: &[pgrx::Uuid]) -> DbResult<Self> {
        Ok(Self {
            ids: ids.to_vec(),
            loaded: store::load(ids)?,
            events: store::events(ids)?,
            clock: Clock::read()?,
            deployers: Deployers::default(),
            writes: Writes::default(),
            waiting: HashMap::new(),
        })
    }

    /// Steps one; it stays in memory if it may go on at once, and that is wanted.
    fn run(&mut self, at: usize, stays: bool) -> DbResult<Stepped> {
        let id = self.ids[at];
        let events = self.events.remove(&id).unwrap_or_default();
        let Some(loaded) = self.loaded.remove(&id) else {
            // It ended meanwhile: there is nothing to do.
            return Ok(Stepped::Suspended);
        };
        Ok(
            match Run::begin(id, loaded, self.clock, self.deployers.clone())? {
                Ok(run) => self.go_on(at, run, events, stays),
                Err(end) => end,
            },
        )
    }

    fn go_on(&mut self, at: usize, mut run: Run, events: Vec<Event>, stays: bool) -> Stepped {
        let taken: Vec<i64> = events.iter().map(|event| event.seq).collect();
        let (end, effects, written) = match run.go_on(events, self.clock) {
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
            Paused::Ended(end) => return end,
        };
        let may_go_on = stays && effects.is_some() && matches!(written, Written::Save(_));
        self.writes.add(
            run.id(),
            &taken,
            effects,
            written,
            run.cancels(),
            run.is_pending(),
        );
        if may_go_on {
            self.waiting.insert(run.id(), (at, run));
        }
        end
    }

    /// Writes what has become of them, and lets those go on for which something is there.
    fn write(&mut self, ends: &mut [Stepped]) -> DbResult<()> {
        loop {
            let mut waiting = std::mem::take(&mut self.waiting);
            let news = std::mem::take(&mut self.writes).write(guc::kept_states())?;
            if news.is_empty() {
                return Ok(());
            }
            let mut events = store::events(&news)?;
            self.clock = self.clock.or_later(Clock::read()?);
            for id in news {
                if let Some((at, mut run)) = waiting.remove(&id) {
                    run.is_written();
                    ends[at] = self.go_on(at, run, events.remove(&id).unwrap_or_default(), true);
                }
            }
        }
    }
}
