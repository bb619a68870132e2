//! A call on its way: Python either blocks for the answer, or is called back with it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rhythm_client::{Diagnostic, Error, ErrorKind, Notice, Outcome, Result};
use serde::Serialize;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::error;
use crate::runtime::runtime;

/// How often a blocked call looks for Python's signals, such as that of Ctrl-C.
const LOOK_FOR_SIGNALS: Duration = Duration::from_millis(100);

tokio::task_local! {
    /// What the server has said in the call under way.
    static SAID: Said;
}

type Said = Arc<Mutex<Vec<Notice>>>;

type Future_ = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

/// What calls answer with. Ids become text, and JSON stays text: Python's own modules read both.
pub(crate) enum Answer {
    Nothing,
    Id(Uuid),
    Flag(bool),
    Number(i64),
    /// Also JSON: what has many parts.
    Text(String),
    Ids(Vec<(Uuid, bool)>),
    Outcome(Outcome),
    Diagnostics(Vec<Diagnostic>),
    /// Seconds since 1970.
    Moments(Vec<f64>),
    Moment(Option<f64>),
    MaybeId(Option<Uuid>),
}

impl Answer {
    /// What has many parts, as JSON.
    pub(crate) fn json(parts: &impl Serialize) -> Result<Self> {
        serde_json::to_string(parts)
            .map(Self::Text)
            .map_err(|error| Error::new(ErrorKind::Server, error.to_string()))
    }

    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Self::Nothing => py.None(),
            Self::Id(id) => id.to_string().into_pyobject(py)?.into_any().unbind(),
            Self::Flag(flag) => flag.into_pyobject(py)?.to_owned().into_any().unbind(),
            Self::Number(number) => number.into_pyobject(py)?.into_any().unbind(),
            Self::Text(text) => text.into_pyobject(py)?.into_any().unbind(),
            Self::Ids(ids) => {
                let ids: Vec<_> = ids
                    .into_iter()
                    .map(|(id, new)| (id.to_string(), new))
                    .collect();
                ids.into_pyobject(py)?.unbind()
            }
            Self::Outcome(outcome) => (outcome.state.as_str(), outcome.result, outcome.error)
                .into_pyobject(py)?
                .into_any()
                .unbind(),
            Self::Moments(moments) => moments.into_pyobject(py)?.unbind(),
            Self::Moment(moment) => moment.into_pyobject(py)?.unbind(),
            Self::MaybeId(id) => id
                .map(|id| id.to_string())
                .into_pyobject(py)?
                .into_any()
                .unbind(),
            Self::Diagnostics(found) => {
                let rows: Vec<_> = found
                    .into_iter()
                    .map(|d| (d.line, d.col, d.severity, d.code, d.message, d.hint))
                    .collect();
                rows.into_pyobject(py)?.unbind()
            }
        })
    }
}

/// A call that has not been started: `wait` blocks for its answer, `then` is called with it.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Call {
    future: Mutex<Option<Future_>>,
    said: Said,
}

impl Call {
    pub(crate) fn new(future: impl Future<Output = Result<Answer>> + Send + 'static) -> Self {
        let said = Said::default();
        Self {
            future: Mutex::new(Some(Box::pin(SAID.scope(said.clone(), future)))),
            said,
        }
    }

    fn take(&self) -> PyResult<Future_> {
        let future = self
            .future
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        future.ok_or_else(|| PyRuntimeError::new_err("the call was started before"))
    }
}

#[pymethods]
impl Call {
    /// Blocks until the answer is there. Signals are handled meanwhile, and an exception of a handler ends the call.
    fn wait(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let runtime = runtime()?;
        let mut task = runtime.spawn(self.take()?);
        loop {
            let answer = py.detach(|| {
                runtime.block_on(async { tokio::time::timeout(LOOK_FOR_SIGNALS, &mut task).await })
            });
            match answer {
                Ok(Ok(Ok(answer))) => return answer.into_python(py),
                Ok(Ok(Err(failure))) => return Err(error::to_python(py, &failure)),
                Ok(Err(panic)) => return Err(PyRuntimeError::new_err(panic.to_string())),
                Err(_) => {
                    if let Err(interrupt) = py.check_signals() {
                        task.abort();
                        return Err(interrupt);
                    }
                }
            }
        }
    }

    /// What the server has said beside its answer since the last look: whether it is a warning, and the text. Python's half logs
    /// it where the call was made.
    fn notices(&self) -> Vec<(bool, String)> {
        let said = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        said.iter()
            .map(|notice| (notice.is_warning(), notice.to_string()))
            .collect()
    }

    /// Calls `callback(answer, exception)` from another thread when the answer is there.
    fn then(&self, callback: Py<PyAny>) -> PyResult<Started> {
        let runtime = runtime()?;
        let future = self.take()?;
        let task = runtime.spawn(async move {
            let answer = future.await;
            // Taking Python's lock may block, which the runtime's own threads must not.
            let told = tokio::task::spawn_blocking(move || {
                Python::attach(|py| tell(py, &callback, answer));
            });
            let _ = told.await;
        });
        Ok(Started(task.abort_handle()))
    }
}

/// Keeps what the server says in a call with that call. It is told by the call's own future.
pub(crate) fn keep(notice: &Notice) {
    let _ = SAID.try_with(|said| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(notice.clone());
    });
}

fn tell(py: Python<'_>, callback: &Py<PyAny>, answer: Result<Answer>) {
    let answer = match answer {
        Ok(answer) => answer.into_python(py),
        Err(failure) => Err(error::to_python(py, &failure)),
    };
    let called = match answer {
        Ok(answer) => callback.call1(py, (answer, py.None())),
        Err(exception) => callback.call1(py, (py.None(), exception)),
    };
    if let Err(error) = called {
        error.write_unraisable(py, Some(callback.bind(py)));
    }
}

/// A call whose answer goes to a callback.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Started(AbortHandle);

#[pymethods]
impl Started {
    /// Gives the call up; whether the server has done it is then not known.
    fn abort(&self) {
        self.0.abort();
    }
}
