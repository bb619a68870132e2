//! The worker: claims tasks, runs their handlers, and sends what came of it.
//!
//! One loop owns all state and never waits for anything but the next event. One session of the server waits for work
//! while another one carries outcomes and heartbeats; a flush of outcomes claims for the slots that it frees, in the
//! same round trip. Knows the SQL functions through [`server::Server`] alone, and no language but JSON text.
//!
//! # Layout
//! - `options`: what a worker is told.
//! - `shift`: the loop.
//! - `claim`: free slots, and the pace of claims.
//! - `run`: a handler, what it is given and what it answers.
//! - `complete`: the outbox of outcomes that the server has not acknowledged.
//! - `heartbeat`: whose lease wants to be extended when. `progress`: what a handler has said of how far it is.
//! - `drain`: leaving in good order.
//! - `server`: what is asked of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use self::drain::Wish;
use self::shift::Shift;
use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::notice::Notice;

mod claim;
mod complete;
mod drain;
mod heartbeat;
mod options;
mod progress;
mod run;
mod server;
mod shift;
#[cfg(test)]
mod tests;

pub use self::drain::WorkerHandle;
pub use self::options::{TaskOptions, WorkerOptions};
pub use self::run::{BoxFuture, Cancellation, Handler, TaskContext, TaskFailure, Unfinished};

/// How many sessions a worker wants: one waits for work, one carries outcomes and heartbeats, and a third one is opened
/// only when a heartbeat is due while a flush takes long.
pub const SESSIONS: usize = 3;

/// What happens in a worker that whoever operates it may want to read.
#[derive(Clone, Debug)]
pub enum WorkerEvent {
    /// The server knows the worker's tasks: it serves. Comes again after each outage.
    Ready,
    /// The server does not answer; the worker tries again.
    Outage {
        /// What it said, or why nothing was heard.
        error: Error,
        /// When the worker tries again.
        retry_in: Duration,
    },
    /// A lease has become somebody else's while the handler ran.
    LeaseLost(Uuid),
    /// The server refused what came of a task, and even the failure that said so.
    OutcomeDropped(Uuid),
    /// The server refused the progress of some tasks; it is forgotten.
    ProgressDropped(Error),
    /// What the server says beside its answers; what a step's SQL says, too, if it was taken by this worker's outcomes.
    Said(Notice),
    /// The worker was asked to leave.
    Draining {
        /// How many handlers still run.
        running: usize,
    },
    /// The grace period is over: this many tasks were given back.
    GaveBack(usize),
}

impl fmt::Display for WorkerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => write!(f, "serving"),
            Self::Outage { error, retry_in } => {
                write!(
                    f,
                    "the server does not serve ({error}), next try in {retry_in:.1?}"
                )
            }
            Self::LeaseLost(id) => write!(f, "lost the lease of {id}, its result will be dropped"),
            Self::OutcomeDropped(id) => write!(f, "the server refused the outcome of {id}"),
            Self::ProgressDropped(error) => write!(f, "the server refused progress: {error}"),
            Self::Said(notice) => write!(f, "the server says: {notice}"),
            Self::Draining { running } => write!(f, "leaving, {running} tasks still run"),
            Self::GaveBack(tasks) => write!(f, "gave back {tasks} unfinished tasks"),
        }
    }
}

/// A worker before it runs.
///
/// ```no_run
/// use rhythm_client::worker::{SESSIONS, TaskContext, TaskFailure, TaskOptions, Worker, WorkerOptions};
/// use rhythm_client::{Client, Config};
///
/// # async fn example() -> rhythm_client::Result<()> {
/// let config = Config::from_url_and_environment(Some("postgresql://localhost/app"))?;
/// let worker = Worker::new(Client::new(config, SESSIONS), WorkerOptions::default())?
///     .task("echo", TaskOptions::default(), |_: TaskContext, inputs: String| async move { Ok::<_, TaskFailure>(inputs) })
///     .observe(|event| eprintln!("{event}"));
/// worker.run().await
/// # }
/// ```
pub struct Worker {
    client: Client,
    options: WorkerOptions,
    tasks: BTreeMap<String, (TaskOptions, Arc<dyn Handler>)>,
    wishes: watch::Sender<Wish>,
    observer: Observer,
}

type Observer = Arc<dyn Fn(&WorkerEvent) + Send + Sync>;

impl Worker {
    /// Makes a worker that has no tasks yet. Its client should have [`SESSIONS`] sessions; who observes that is not told what
    /// the server says to the worker, whose own observer is.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(client: Client, options: WorkerOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            client,
            options,
            tasks: BTreeMap::new(),
            wishes: watch::Sender::new(Wish::Serve),
            observer: Arc::new(|_| {}),
        })
    }

    /// Runs tasks of this name with `handler`.
    #[must_use]
    pub fn task(mut self, name: &str, options: TaskOptions, handler: impl Handler) -> Self {
        self.tasks
            .insert(name.to_owned(), (options, Arc::new(handler)));
        self
    }

    /// Tells `observer` what happens. It is called from the loop and its calls and must not block.
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(&WorkerEvent) + Send + Sync + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Returns what stops the worker.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle(self.wishes.clone())
    }

    /// Serves until the handle stops it. Goes on through every outage once the server has accepted it.
    ///
    /// # Errors
    /// When the server refuses the worker at its start.
    pub async fn run(self) -> Result<()> {
        let wishes = self.wishes.subscribe();
        let told = Arc::clone(&self.observer);
        let client = self
            .client
            .observe(move |notice| told(&WorkerEvent::Said(notice.clone())));
        let shift = Shift::new(
            client,
            self.options,
            self.tasks,
            self.observer,
            Backoff::random(),
        )?;
        // The sender lives in `self.wishes` and in handles; this one keeps the channel open.
        let _sender = self.wishes;
        shift.run(wishes).await
    }
}
