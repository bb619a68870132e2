//! Running a handler: what it is given, what it may answer, and how it learns that it should stop.
//!
//! Knows nothing of claims, batches and the server: it turns one claimed task into one [`Ended`].

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::progress::{self, Progress};
use super::shift::Event;
use crate::error::Error;
use crate::rows::Claimed;

/// A boxed future, as a trait object has to return it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// Runs the tasks of one name. `inputs` and the result are JSON texts.
pub trait Handler: Send + Sync + 'static {
    /// Runs one attempt. A panic is a failure of the attempt like any other.
    fn run(&self, context: TaskContext, inputs: String) -> BoxFuture<Result<String, Unfinished>>;
}

impl<F, R, E> Handler for F
where
    F: Fn(TaskContext, String) -> R + Send + Sync + 'static,
    R: Future<Output = Result<String, E>> + Send + 'static,
    E: Into<Unfinished>,
{
    fn run(&self, context: TaskContext, inputs: String) -> BoxFuture<Result<String, Unfinished>> {
        let answer = self(context, inputs);
        Box::pin(async move { answer.await.map_err(Into::into) })
    }
}

/// How an attempt ends that does not complete its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// It failed.
    Failed(TaskFailure),
    /// It is too early: another attempt after this time, and this one does not count.
    Snoozed(Duration),
}

impl From<TaskFailure> for Unfinished {
    fn from(failure: TaskFailure) -> Self {
        Self::Failed(failure)
    }
}

/// Which attempt of which task: an execution's id and the fencing token of this claim.
pub(super) type Key = (Uuid, i64);

/// Why a handler should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// Somebody cancelled the execution; what the handler answers still counts.
    Requested,
    /// The lease is somebody else's by now; whatever the handler answers is dropped.
    LeaseLost,
    /// The worker leaves and has given the task back.
    Shutdown,
}

/// What a handler may know about the attempt that it runs, and ask of the worker.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// The execution's id.
    pub id: Uuid,
    /// The task's name.
    pub name: String,
    /// The queue that it was claimed from.
    pub queue: String,
    /// 1 for the first attempt.
    pub attempt: i32,
    /// The caller's trace context, as JSON text.
    pub trace: Option<String>,
    /// For how long the claim held when it was made.
    pub lease: Duration,
    token: i64,
    last_beat: Arc<Mutex<Instant>>,
    progress: Arc<Progress>,
    cancellation: watch::Receiver<Option<Cancellation>>,
    events: UnboundedSender<Event>,
}

impl TaskContext {
    /// Returns why the handler should stop, once it should.
    pub fn cancellation(&self) -> Option<Cancellation> {
        *self.cancellation.borrow()
    }

    /// Waits until the handler should stop; forever, when that never comes.
    pub async fn cancelled(&self) -> Cancellation {
        let mut changes = self.cancellation.clone();
        loop {
            if let Some(why) = *changes.borrow_and_update() {
                return why;
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Says that the handler is alive. The worker extends the lease by itself at each third of it, so only a task with
    /// a heartbeat timeout needs this. May be called as often as one likes: most calls cost nothing.
    pub fn heartbeat(&self) {
        let mut last = self
            .last_beat
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < self.lease / 10 {
            return;
        }
        *last = Instant::now();
        // A worker that is gone needs no heartbeat.
        let _ = self.events.send(Event::BeatNow((self.id, self.token)));
    }
}

impl TaskContext {
    /// How far this attempt has got, or one before it, as JSON text.
    pub fn progress(&self) -> Option<String> {
        self.progress.get()
    }

    /// Says how far the handler has got, as JSON text: views show it, and the next attempt begins with it. It is saved
    /// within a second (`at_once`: without that delay), and in any case before the end of an attempt that does not
    /// complete. Counts as a heartbeat.
    ///
    /// # Errors
    /// When it is not JSON, or not what jsonb can hold.
    pub fn set_progress(&self, json: impl Into<String>, at_once: bool) -> Result<(), Error> {
        let json = json.into();
        progress::check(&json)?;
        if self.progress.set(json) || at_once {
            let key = (self.id, self.token);
            // A worker that is gone saves nothing.
            let _ = self.events.send(Event::Progressed { key, at_once });
        }
        Ok(())
    }
}

/// How an attempt failed, and whether and when to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// The kind of error, such as the name of an exception's class.
    pub name: String,
    /// What happened, for people.
    pub message: String,
    /// The handler's own code for it.
    pub code: Option<String>,
    /// Where it happened.
    pub stack: Option<String>,
    /// The error behind it, as JSON text.
    pub cause: Option<String>,
    /// Facts for the caller, as JSON text.
    pub data: Option<String>,
    /// Whether another attempt may go better.
    pub retryable: bool,
    /// When to try again, instead of what the task's retry policy says.
    pub retry_in: Option<Duration>,
}

impl TaskFailure {
    /// Makes a failure that is retried as the task's policy says.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            message: message.into(),
            code: None,
            stack: None,
            cause: None,
            data: None,
            retryable: true,
            retry_in: None,
        }
    }

    /// Makes a failure that no other attempt would mend.
    pub fn permanent(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            retryable: false,
            ..Self::new(name, message)
        }
    }

    /// Returns the error as the SQL functions take it: `{name, message, code?, stack?, cause?, data?}`.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        let texts = [
            ("name", Some(&self.name)),
            ("message", Some(&self.message)),
            ("code", self.code.as_ref()),
            ("stack", self.stack.as_ref()),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                let comma = if json.len() > 1 { "," } else { "" };
                // Writing to a String cannot fail.
                let _ = write!(json, "{comma}\"{key}\":{}", quoted(text));
            }
        }
        for (key, value) in [("cause", &self.cause), ("data", &self.data)] {
            if let Some(value) = value {
                let _ = write!(json, ",\"{key}\":{value}");
            }
        }
        json.push('}');
        json
    }
}

/// Returns a JSON string. U+0000 becomes U+FFFD, since jsonb cannot hold it and an error must not be lost over that.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('\0', "\u{fffd}")).to_string()
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) key: Key,
    pub(super) result: Result<String, Unfinished>,
}

/// The handlers that are running. Dropping it stops those that are futures.
pub(super) struct Handlers {
    tasks: JoinSet<()>,
    events: UnboundedSender<Event>,
}

impl Handlers {
    pub(super) fn new(events: UnboundedSender<Event>) -> Self {
        Self {
            tasks: JoinSet::new(),
            events,
        }
    }

    /// Starts the handler; its end comes as an event. The sender tells it to stop, and it says how far it is.
    pub(super) fn start(
        &mut self,
        handler: Arc<dyn Handler>,
        claimed: Claimed,
    ) -> (watch::Sender<Option<Cancellation>>, Arc<Progress>) {
        // Those that ended are kept by the set until they are asked for.
        while self.tasks.try_join_next().is_some() {}
        let (cancel, cancellation) = watch::channel(None);
        let key = (claimed.id, claimed.token);
        let progress = Arc::new(Progress::new(claimed.progress));
        let context = TaskContext {
            id: claimed.id,
            name: claimed.name,
            queue: claimed.queue,
            attempt: claimed.attempt,
            trace: claimed.trace,
            lease: claimed.lease_left,
            token: claimed.token,
            last_beat: Arc::new(Mutex::new(Instant::now())),
            progress: progress.clone(),
            cancellation,
            events: self.events.clone(),
        };
        let mut ending = Ending {
            key,
            events: self.events.clone(),
            told: false,
        };
        self.tasks.spawn(async move {
            let result = handler.run(context, claimed.inputs).await;
            ending.tell(result);
        });
        (cancel, progress)
    }
}

/// Reports the end of an attempt, also when the handler panics: then its drop does.
struct Ending {
    key: Key,
    events: UnboundedSender<Event>,
    told: bool,
}

impl Ending {
    fn tell(&mut self, result: Result<String, Unfinished>) {
        self.told = true;
        // Nobody listens any more once the worker has left.
        let _ = self.events.send(Event::Ended(Ended {
            key: self.key,
            result,
        }));
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.told {
            let failure =
                TaskFailure::new("HandlerPanicked", "the handler panicked or was aborted");
            self.tell(Err(failure.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::claimed;
    use super::*;

    #[test]
    fn a_failure_is_json_whatever_its_texts_hold() {
        let mut failure = TaskFailure::new("Value\"Error", "a\0b\nc");
        failure.stack = Some("at 1".into());
        failure.data = Some("[1]".into());
        assert_eq!(
            failure.to_json(),
            r#"{"name":"Value\"Error","message":"a�b\nc","stack":"at 1","data":[1]}"#
        );
    }

    #[tokio::test]
    async fn a_panic_ends_the_attempt_as_a_failure() {
        let (events, mut received) = tokio::sync::mpsc::unbounded_channel();
        let mut handlers = Handlers::new(events);
        async fn broken(_: TaskContext, _: String) -> Result<String, TaskFailure> {
            panic!("broken handler");
        }
        let _held = handlers.start(Arc::new(broken), claimed(1, "broken"));
        let Some(Event::Ended(ended)) = received.recv().await else {
            panic!("no end")
        };
        let Err(Unfinished::Failed(failure)) = ended.result else {
            panic!("no failure")
        };
        assert_eq!(failure.name, "HandlerPanicked");
    }
}
