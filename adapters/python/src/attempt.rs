//! One attempt of a task, as Python's half sees it: what it is given, and where its outcome goes.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rhythm_client::worker::{Cancellation, TaskContext, TaskFailure, Unfinished};
use tokio::sync::oneshot;

use crate::client::duration;

/// What came of a handler.
pub(crate) type HandlerResult = Result<String, Unfinished>;

/// An attempt of a task that this worker has claimed. Exactly one of `complete`, `fail` and `snooze` should be called; a
/// second call does nothing.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Attempt {
    /// Tells the attempts of one worker apart.
    #[pyo3(get)]
    number: u64,
    #[pyo3(get)]
    inputs: String,
    context: TaskContext,
    reply: Mutex<Option<oneshot::Sender<HandlerResult>>>,
}

impl Attempt {
    pub(crate) fn new(
        number: u64,
        context: TaskContext,
        inputs: String,
        reply: oneshot::Sender<HandlerResult>,
    ) -> Self {
        Self {
            number,
            inputs,
            context,
            reply: Mutex::new(Some(reply)),
        }
    }

    fn reply(&self, result: HandlerResult) {
        if let Some(reply) = self
            .reply
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            // Nobody waits for it when the worker has left.
            let _ = reply.send(result);
        }
    }
}

#[pymethods]
impl Attempt {
    #[getter]
    fn id(&self) -> String {
        self.context.id.to_string()
    }

    #[getter]
    fn name(&self) -> &str {
        &self.context.name
    }

    #[getter]
    fn queue(&self) -> &str {
        &self.context.queue
    }

    #[getter]
    fn attempt(&self) -> i32 {
        self.context.attempt
    }

    #[getter]
    fn trace(&self) -> Option<&str> {
        self.context.trace.as_deref()
    }

    /// Why it should stop: `requested`, `lease_lost`, `shutdown`; `None` when it should not.
    #[getter]
    fn cancellation(&self) -> Option<&'static str> {
        self.context.cancellation().map(|why| match why {
            Cancellation::Requested => "requested",
            Cancellation::LeaseLost => "lease_lost",
            Cancellation::Shutdown => "shutdown",
        })
    }

    fn heartbeat(&self) {
        self.context.heartbeat();
    }

    /// How far it has got, or the attempt before it, as JSON.
    #[getter]
    fn progress(&self) -> Option<String> {
        self.context.progress()
    }

    fn set_progress(&self, json: String, at_once: bool) -> PyResult<()> {
        self.context
            .set_progress(json, at_once)
            .map_err(|refused| PyValueError::new_err(refused.message))
    }

    fn snooze(&self, delay: f64) -> PyResult<()> {
        let delay = duration("the snooze", Some(delay))?.unwrap_or_default();
        self.reply(Err(Unfinished::Snoozed(delay)));
        Ok(())
    }

    fn complete(&self, result: String) {
        self.reply(Ok(result));
    }

    #[allow(clippy::too_many_arguments, reason = "an error has these parts")]
    fn fail(
        &self,
        name: String,
        message: String,
        code: Option<String>,
        stack: Option<String>,
        cause: Option<String>,
        data: Option<String>,
        retryable: bool,
        retry_in: Option<f64>,
    ) -> PyResult<()> {
        let retry_in = duration("retry_in", retry_in)?;
        let failure = TaskFailure {
            name,
            message,
            code,
            stack,
            cause,
            data,
            retryable,
            retry_in,
        };
        self.reply(Err(failure.into()));
        Ok(())
    }
}
