//! The client's calls, as Python's half makes them: every argument is text, a number or `None`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rhythm_client::{
    CleanupFilter, Config, EnqueueOptions, QueueSettings, RetryFilter, Run, StartOptions,
};

use crate::call::{Answer, Call, keep};
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
            let fresh =
                rhythm_client::Client::new(self.config.clone(), self.sessions).observe(keep);
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
        let client = rhythm_client::Client::new(config.clone(), sessions).observe(keep);
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
        Call::new(async move {
            let version = client.deploy(&name, &source).await?;
            Ok(Answer::Number(version.into()))
        })
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
        priority: Option<i32>,
        delay: Option<f64>,
        run_at: Option<f64>,
        retry: Option<String>,
        timeout: Option<f64>,
        start_timeout: Option<f64>,
        attempt_timeout: Option<f64>,
        heartbeat_timeout: Option<f64>,
        remember: Option<String>,
        result: Option<String>,
        trace: Option<String>,
    ) -> PyResult<Call> {
        let client = self.client();
        let options = EnqueueOptions {
            queue,
            task_id,
            priority,
            delay: duration("delay", delay)?,
            run_at: moment("run_at", run_at)?,
            retry,
            timeout: duration("timeout", timeout)?,
            start_timeout: duration("start_timeout", start_timeout)?,
            attempt_timeout: duration("attempt_timeout", attempt_timeout)?,
            heartbeat_timeout: duration("heartbeat_timeout", heartbeat_timeout)?,
            remember,
            result,
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
        priority: Option<i32>,
        delay: Option<f64>,
        run_at: Option<f64>,
        retry: Option<String>,
        timeout: Option<f64>,
        remember: Option<String>,
        result: Option<String>,
        trace: Option<String>,
    ) -> PyResult<Call> {
        let client = self.client();
        let options = StartOptions {
            task_id,
            queue,
            priority,
            delay: duration("delay", delay)?,
            run_at: moment("run_at", run_at)?,
            retry,
            timeout: duration("timeout", timeout)?,
            remember,
            result,
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

    fn signal(
        &self,
        run: (Option<String>, String),
        name: String,
        payload: String,
        key: Option<String>,
    ) -> PyResult<Call> {
        let (client, run) = (self.client(), meant(run)?);
        Ok(Call::new(async move {
            let sent = client.signal(&run, &name, &payload, key.as_deref());
            sent.await.map(Answer::Flag)
        }))
    }

    #[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
    fn signal_with_start(
        &self,
        workflow: String,
        task_id: String,
        name: String,
        payload: String,
        inputs: String,
        key: Option<String>,
        queue: Option<String>,
        priority: Option<i32>,
        retry: Option<String>,
        timeout: Option<f64>,
        remember: Option<String>,
        result: Option<String>,
        trace: Option<String>,
    ) -> PyResult<Call> {
        let client = self.client();
        let options = StartOptions {
            task_id: Some(task_id),
            queue,
            priority,
            retry,
            timeout: duration("timeout", timeout)?,
            remember,
            result,
            trace,
            ..StartOptions::default()
        };
        Ok(Call::new(async move {
            let key = key.as_deref();
            let sent = client.signal_with_start(&workflow, &name, &payload, &inputs, key, &options);
            Answer::json(&sent.await?)
        }))
    }

    fn call(
        &self,
        run: (Option<String>, String),
        name: String,
        payload: String,
        timeout: f64,
    ) -> PyResult<Call> {
        let (client, run) = (self.client(), meant(run)?);
        let timeout = duration("timeout", Some(timeout))?.unwrap_or_default();
        Ok(Call::new(async move {
            let reply = client.call(&run, &name, &payload, timeout);
            reply.await.map(Answer::Text)
        }))
    }

    fn attributes(&self, id: &str) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            client.attributes(id).await.map(Answer::Text)
        }))
    }

    fn find(&self, workflow: String, attributes: String, state: Option<String>, max: i32) -> Call {
        let client = self.client();
        Call::new(async move {
            let found = client.find(&workflow, &attributes, state.as_deref(), max);
            Answer::json(&found.await?)
        })
    }

    fn cancel(&self, id: &str, reason: Option<String>, grace: Option<f64>) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        let grace = duration("grace", grace)?;
        Ok(Call::new(async move {
            let told = client.cancel(id, reason.as_deref(), grace);
            told.await.map(Answer::Flag)
        }))
    }

    fn terminate(&self, id: &str, reason: Option<String>) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            let ended = client.terminate(id, reason.as_deref());
            ended.await.map(Answer::Flag)
        }))
    }

    fn start_many(&self, items: String) -> Call {
        let client = self.client();
        Call::new(async move { client.start_many(&items).await.map(Answer::Ids) })
    }

    fn retry(&self, id: &str, delay: Option<f64>, version: Option<i32>) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        let delay = duration("delay", delay)?;
        Ok(Call::new(async move {
            client.retry(id, delay, version).await.map(Answer::Id)
        }))
    }

    #[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
    fn retry_many(
        &self,
        queue: Option<String>,
        name: Option<String>,
        error: Option<String>,
        since: Option<f64>,
        kind: Option<String>,
        rate: Option<String>,
        max: i32,
        dry_run: bool,
    ) -> PyResult<Call> {
        let client = self.client();
        let filter = RetryFilter {
            queue,
            name,
            error,
            since: moment("since", since)?,
            kind,
            rate,
            max: Some(max),
            dry_run,
        };
        Ok(Call::new(async move {
            client.retry_many(&filter).await.map(Answer::Number)
        }))
    }

    fn cleanup(
        &self,
        older_than: f64,
        status: Option<String>,
        queue: Option<String>,
        dry_run: bool,
        max: Option<i32>,
    ) -> PyResult<Call> {
        let client = self.client();
        let filter = CleanupFilter {
            older_than: duration("older_than", Some(older_than))?.unwrap_or_default(),
            status,
            queue,
            dry_run,
            max,
        };
        Ok(Call::new(async move {
            client.cleanup(&filter).await.map(Answer::Number)
        }))
    }

    fn enqueue_rows(&self, query: String) -> Call {
        let client = self.client();
        Call::new(async move { client.enqueue_rows(&query).await.map(Answer::Number) })
    }

    fn why(&self, id: &str) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(
            async move { Answer::json(&client.why(id).await?) },
        ))
    }

    fn why_queue(&self, name: String) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.why_queue(&name).await?) })
    }

    fn attempts(&self, id: &str) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            Answer::json(&client.attempts(id).await?)
        }))
    }

    fn configure_queue(&self, name: String, settings: Settings) -> PyResult<Call> {
        let client = self.client();
        let settings = settings.read()?;
        Ok(Call::new(async move {
            let done = client.configure_queue(&name, &settings).await;
            done.map(|()| Answer::Nothing)
        }))
    }

    fn show_queue(&self, name: String) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.show_queue(&name).await?) })
    }

    fn pauses(&self) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.pauses().await?) })
    }

    /// Pauses a `queue`, a `task` or `all`; for `all` there is no name.
    fn pause(&self, what: &str, name: String, reason: Option<String>) -> PyResult<Call> {
        let client = self.client();
        let what = Paused::read(what)?;
        Ok(Call::new(async move {
            let reason = reason.as_deref();
            let done = match what {
                Paused::Queue => client.pause_queue(&name, reason).await,
                Paused::Task => client.pause_task(&name, reason).await,
                Paused::All => client.pause_all(reason).await,
            };
            done.map(|()| Answer::Nothing)
        }))
    }

    fn resume(&self, what: &str, name: String) -> PyResult<Call> {
        let client = self.client();
        let what = Paused::read(what)?;
        Ok(Call::new(async move {
            let done = match what {
                Paused::Queue => client.resume_queue(&name).await,
                Paused::Task => client.resume_task(&name).await,
                Paused::All => client.resume_all().await,
            };
            done.map(|()| Answer::Nothing)
        }))
    }

    fn adopt(&self) -> Call {
        let client = self.client();
        Call::new(async move { client.adopt().await.map(Answer::Flag) })
    }

    fn tick(&self) -> Call {
        let client = self.client();
        Call::new(async move { client.tick().await.map(|()| Answer::Nothing) })
    }
}

/// What can be paused.
enum Paused {
    Queue,
    Task,
    All,
}

impl Paused {
    fn read(word: &str) -> PyResult<Self> {
        match word {
            "queue" => Ok(Self::Queue),
            "task" => Ok(Self::Task),
            "all" => Ok(Self::All),
            _ => Err(PyValueError::new_err(format!("{word} cannot be paused"))),
        }
    }
}

/// Settings of a queue as a dict that has them all; durations are seconds.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Settings {
    paused: Option<bool>,
    reason: Option<String>,
    retention: Option<String>,
    rate_limit: Option<String>,
    rate_burst: Option<i32>,
    rate_key: Option<String>,
    concurrency: Option<i32>,
    concurrency_key: Option<String>,
    concurrency_per_key: Option<i32>,
    priority: Option<i32>,
    retry: Option<String>,
    timeout: Option<f64>,
    start_timeout: Option<f64>,
    attempt_timeout: Option<f64>,
    heartbeat_timeout: Option<f64>,
    remember: Option<String>,
    result: Option<String>,
    reset: Vec<String>,
}

impl Settings {
    fn read(self) -> PyResult<QueueSettings> {
        Ok(QueueSettings {
            paused: self.paused,
            reason: self.reason,
            retention: self.retention,
            rate_limit: self.rate_limit,
            rate_burst: self.rate_burst,
            rate_key: self.rate_key,
            concurrency: self.concurrency,
            concurrency_key: self.concurrency_key,
            concurrency_per_key: self.concurrency_per_key,
            priority: self.priority,
            retry: self.retry,
            timeout: duration("timeout", self.timeout)?,
            start_timeout: duration("start_timeout", self.start_timeout)?,
            attempt_timeout: duration("attempt_timeout", self.attempt_timeout)?,
            heartbeat_timeout: duration("heartbeat_timeout", self.heartbeat_timeout)?,
            remember: self.remember,
            result: self.result,
            reset: self.reset,
        })
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
pub(crate) fn moment(what: &str, seconds: Option<f64>) -> PyResult<Option<SystemTime>> {
    let since = duration(what, seconds)?;
    let too_late = || PyValueError::new_err(format!("{what} is too late"));
    since
        .map(|d| SystemTime::UNIX_EPOCH.checked_add(d).ok_or_else(too_late))
        .transpose()
}

/// Which run is meant: the workflow and its `task_id`, or no workflow and an id.
fn meant((workflow, task_id): (Option<String>, String)) -> PyResult<Run> {
    match workflow {
        Some(workflow) => Ok(Run::TaskId { workflow, task_id }),
        None => uuid(&task_id).map(Run::Id),
    }
}
