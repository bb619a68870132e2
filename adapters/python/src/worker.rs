//! A worker whose handlers are Python's. Claimed tasks go to a thread that hands them over in batches, so that Python's
//! lock is taken once for all that came meanwhile; outcomes come back through the attempts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use rhythm_client::Config;
use rhythm_client::worker::{
    BoxFuture, Handler, SESSIONS, TaskContext, TaskFailure, TaskOptions, WorkerEvent, WorkerHandle,
    WorkerOptions,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::attempt::{Attempt, HandlerResult};
use crate::client::duration;
use crate::error;

/// A task as Python's half knows it; durations are seconds.
#[derive(FromPyObject)]
struct Task {
    name: String,
    queue: Option<String>,
    retry: Option<String>,
    timeout: Option<f64>,
    start_timeout: Option<f64>,
    attempt_timeout: Option<f64>,
    heartbeat_timeout: Option<f64>,
    priority: Option<i32>,
    remember: Option<String>,
    result: Option<String>,
    #[pyo3(attribute("schema"))]
    input_schema: Option<String>,
    #[pyo3(attribute("check"))]
    schema_check: Option<String>,
}

/// A worker. `crew` is told what to do: `start(attempts)`, `cancel(numbers)` and `note(important, text)` are called from
/// a thread of its own, and must return soon.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Worker {
    handle: WorkerHandle,
    /// Taken by `run`.
    parts: Mutex<Option<Parts>>,
}

/// What `run` needs.
struct Parts {
    worker: rhythm_client::worker::Worker,
    messages: Receiver<Message>,
    crew: Py<PyAny>,
}

/// What the crew is told.
enum Message {
    Start(Attempt),
    Cancel(u64),
    Note { important: bool, text: String },
}

#[pymethods]
impl Worker {
    #[new]
    #[allow(
        clippy::too_many_arguments,
        reason = "one for each option of the command line"
    )]
    fn new(
        py: Python<'_>,
        url: Option<&str>,
        name: Option<String>,
        queues: Vec<String>,
        slots: usize,
        lease: f64,
        grace: f64,
        relaxed_claims: bool,
        tasks: Vec<Task>,
        crew: Py<PyAny>,
    ) -> PyResult<Self> {
        let failed = |failure: rhythm_client::Error| error::to_python(py, &failure);
        let config = Config::from_url_and_environment(url).map_err(failed)?;
        let client = rhythm_client::Client::new(config, SESSIONS);
        let defaults = WorkerOptions::default();
        let options = WorkerOptions {
            name: name.unwrap_or(defaults.name),
            queues,
            slots,
            lease: duration("lease", Some(lease))?.unwrap_or(defaults.lease),
            grace: duration("grace", Some(grace))?.unwrap_or(defaults.grace),
            wait: defaults.wait,
            relaxed_claims,
        };
        let (sender, messages) = channel();
        let mut worker = rhythm_client::worker::Worker::new(client, options).map_err(failed)?;
        let numbers = Arc::new(AtomicU64::new(0));
        for task in tasks {
            let options = TaskOptions {
                queue: task.queue,
                retry: task.retry,
                timeout: duration("timeout", task.timeout)?,
                start_timeout: duration("start_timeout", task.start_timeout)?,
                attempt_timeout: duration("attempt_timeout", task.attempt_timeout)?,
                heartbeat_timeout: duration("heartbeat_timeout", task.heartbeat_timeout)?,
                priority: task.priority,
                remember: task.remember,
                result: task.result,
                input_schema: task.input_schema,
                schema_check: task.schema_check,
            };
            let handler = HandedOver {
                numbers: numbers.clone(),
                messages: sender.clone(),
            };
            worker = worker.task(&task.name, options, handler);
        }
        let worker = worker.observe(move |event| {
            let important = match event {
                WorkerEvent::Ready | WorkerEvent::Draining { .. } => false,
                WorkerEvent::Said(notice) => notice.is_warning(),
                _ => true,
            };
            // The crew is gone once the worker is.
            let _ = sender.send(Message::Note {
                important,
                text: event.to_string(),
            });
        });
        Ok(Self {
            handle: worker.handle(),
            parts: Mutex::new(Some(Parts {
                worker,
                messages,
                crew,
            })),
        })
    }

    /// Serves until `drain` or `quit` is called from another thread.
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        let parts = self
            .parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Parts {
            worker,
            messages,
            crew,
        } = parts.ok_or_else(|| PyRuntimeError::new_err("a worker runs only once"))?;
        let runtime = serving_runtime().map_err(|error| PyOSError::new_err(error.to_string()))?;
        let served = py.detach(move || {
            let thread = std::thread::Builder::new()
                .name("rhythm-crew".into())
                .spawn(move || tell_crew(messages, &crew))
                .map_err(|error| PyOSError::new_err(error.to_string()))?;
            let served = runtime.block_on(worker.run());
            // What was given up is dropped with the runtime, since no other thread would. A name that is being looked up
            // is not waited for.
            runtime.shutdown_background();
            // The worker is gone, and its senders with it, so the thread ends when it has told all.
            let _ = thread.join();
            Ok::<_, PyErr>(served)
        })?;
        served.map_err(|failure| error::to_python(py, &failure))
    }

    /// Claims nothing more, lets what runs end, and leaves.
    fn drain(&self) {
        self.handle.drain();
    }

    /// Gives back what runs, and leaves.
    fn quit(&self) {
        self.handle.quit();
    }
}

/// The runtime of a worker, on the thread that serves: from the socket to the crew no task waits for another thread to
/// wake, which takes longer than all that is done there.
fn serving_runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A handler that hands the attempt over to the crew and waits for its outcome.
struct HandedOver {
    numbers: Arc<AtomicU64>,
    messages: Sender<Message>,
}

impl Handler for HandedOver {
    fn run(&self, context: TaskContext, inputs: String) -> BoxFuture<HandlerResult> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let messages = self.messages.clone();
        Box::pin(async move {
            let (reply, mut outcome) = oneshot::channel();
            let attempt = Attempt::new(number, context.clone(), inputs, reply);
            // Should the crew be gone, the reply is dropped with the attempt.
            let _ = messages.send(Message::Start(attempt));
            let settled = tokio::select! {
                settled = &mut outcome => settled,
                _ = context.cancelled() => {
                    let _ = messages.send(Message::Cancel(number));
                    outcome.await
                }
            };
            match settled {
                Ok(result) => result,
                Err(_) => Err(TaskFailure::new(
                    "HandlerVanished",
                    "the handler ended without an outcome",
                )
                .into()),
            }
        })
    }
}

/// Tells the crew everything, as long as there is somebody who might say something. Python knows the thread all the
/// while: to make itself known anew for each message would cost more than most messages.
fn tell_crew(mut messages: Receiver<Message>, crew: &Py<PyAny>) {
    Python::attach(|py| {
        let crew = crew.bind(py);
        loop {
            // Without Python's lock; what is used there goes there and comes back.
            let (back, all) = py.detach(move || {
                let first = messages.recv().ok();
                let all: Vec<Message> = first.into_iter().chain(messages.try_iter()).collect();
                (messages, all)
            });
            messages = back;
            if all.is_empty() {
                return;
            }
            let mut attempts = Vec::new();
            for message in all {
                let told = match message {
                    Message::Start(attempt) => {
                        attempts.push(attempt);
                        continue;
                    }
                    // An attempt is started before it is cancelled.
                    Message::Cancel(number) => start(crew, &mut attempts)
                        .and_then(|()| crew.call_method1("cancel", (number,)).map(drop)),
                    Message::Note { important, text } => {
                        crew.call_method1("note", (important, text)).map(drop)
                    }
                };
                report(told, crew);
            }
            report(start(crew, &mut attempts), crew);
        }
    });
}

fn start(crew: &Bound<'_, PyAny>, attempts: &mut Vec<Attempt>) -> PyResult<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    crew.call_method1("start", (std::mem::take(attempts),))
        .map(drop)
}

fn report(told: PyResult<()>, crew: &Bound<'_, PyAny>) {
    if let Err(error) = told {
        error.write_unraisable(crew.py(), Some(crew));
    }
}
