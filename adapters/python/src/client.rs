//! The client's calls, as Python's half makes them: every argument is text, a number or `None`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rhythm_client::{Config, EnqueueOptions, StartOptions};

use crate::call::{Answer, Call};
use crate::error::{self, uuid};

/// A client of one database.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Client {
    config: Config,
    sessions: usize,
    /// The client of this process: sessions are of no use to a forked one.
    client: Mutex<(u32, rhythm_client::Client)>,
}

impl Client {
    pub(crate) fn client(&self) -> rhythm_client::Client {
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != std::process::id() {
            let fresh = rhythm_client::Client::new(self.config.clone(), self.sessions);
            let parents = std::mem::replace(&mut *current, (std::process::id(), fresh));
            // Closing them here would close the parent's.
            std::mem::forget(parents);
        }
        current.1.clone()
    }
}

#[pymethods]
impl Client {
    #[new]
    fn new(py: Python<'_>, url: Option<&str>, sessions: usize) -> PyResult<Self> {
        let config =
            Config::from_url_and_environment(url).map_err(|error| error::to_python(py, &error))?;
        let client = rhythm_client::Client::new(config.clone(), sessions);
        Ok(Self {
            config,
            sessions,
            client: Mutex::new((std::process::id(), client)),
        })
    }

    fn close(&self) {
        self.client().close();
    }

    fn version(&self) -> Call {
        let client = self.client();
        Call::new(async move { client.version().await.map(Answer::Text) })
    }

    fn deploy(&self, name: String, source: String) -> Call {
        let client = self.client();
        Call::new(async move { client.deploy(&name, &source).await.map(Answer::Number) })
    }

    fn check(&self, source: String) -> Call {
        let client = self.client();
        Call::new(async move { client.check(&source).await.map(Answer::Diagnostics) })
    }

    #[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
    fn enqueue(
        &self,
        name: String,
        inputs: String,
        queue: Option<String>,
        task_id: Option<String>,
        priority: i32,
        delay: Option<f64>,
        run_at: Option<f64>,
        retry: Option<String>,
        timeout: Option<f64>,
        start_timeout: Option<f64>,
        heartbeat_timeout: Option<f64>,
        trace: Option<String>,
    ) -> PyResult<Call> {
        let client = self.client();
        let options = EnqueueOptions {
            queue,
            task_id,
            priority,
            delay: duration("delay", delay)?,
            run_at: moment(run_at)?,
            retry,
            timeout: duration("timeout", timeout)?,
            start_timeout: duration("start_timeout", start_timeout)?,
            heartbeat_timeout: duration("heartbeat_timeout", heartbeat_timeout)?,
            trace,
        };
        Ok(Call::new(async move {
            client
                .enqueue(&name, &inputs, &options)
                .await
                .map(Answer::Id)
        }))
    }

    #[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
    fn start(
        &self,
        workflow: String,
        inputs: String,
        task_id: Option<String>,
        queue: Option<String>,
        priority: i32,
        delay: Option<f64>,
        run_at: Option<f64>,
        timeout: Option<f64>,
        trace: Option<String>,
    ) -> PyResult<Call> {
        let client = self.client();
        let options = StartOptions {
            task_id,
            queue,
            priority,
            delay: duration("delay", delay)?,
            run_at: moment(run_at)?,
            timeout: duration("timeout", timeout)?,
            trace,
        };
        Ok(Call::new(async move {
            client
                .start(&workflow, &inputs, &options)
                .await
                .map(Answer::Id)
        }))
    }

    fn enqueue_many(&self, items: String) -> Call {
        let client = self.client();
        Call::new(async move { client.enqueue_many(&items).await.map(Answer::Ids) })
    }

    fn result(&self, id: &str) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            client.result(id).await.map(Answer::Outcome)
        }))
    }

    fn wait(&self, id: &str, timeout: Option<f64>) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        let timeout = duration("timeout", timeout)?;
        Ok(Call::new(async move {
            client.wait_for_end(id, timeout).await.map(Answer::Outcome)
        }))
    }

    fn signal(&self, id: &str, name: String, payload: String) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            client.signal(id, &name, &payload).await.map(Answer::Flag)
        }))
    }

    fn cancel(&self, id: &str, reason: Option<String>) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            client.cancel(id, reason.as_deref()).await.map(Answer::Flag)
        }))
    }

    fn retry(&self, id: &str) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(
            async move { client.retry(id).await.map(Answer::Id) },
        ))
    }

    fn tick(&self) -> Call {
        let client = self.client();
        Call::new(async move { client.tick().await.map(|()| Answer::Nothing) })
    }
}

/// Reads seconds, which may be neither negative nor infinite.
pub(crate) fn duration(what: &str, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let read = |seconds| {
        Duration::try_from_secs_f64(seconds).map_err(|_| {
            PyValueError::new_err(format!(
                "{what} must be a number of seconds from 0, not {seconds}"
            ))
        })
    };
    seconds.map(read).transpose()
}

/// Reads seconds since 1970.
pub(crate) fn moment(seconds: Option<f64>) -> PyResult<Option<SystemTime>> {
    let since = duration("run_at since 1970", seconds)?;
    let too_late = || PyValueError::new_err("run_at is too late");
    since
        .map(|d| SystemTime::UNIX_EPOCH.checked_add(d).ok_or_else(too_late))
        .transpose()
}
