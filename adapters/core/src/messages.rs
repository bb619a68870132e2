//! What is said to workflows that run, and what they say: signals, requests, published values. One method for each public SQL
//! function, with its name.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::client::{Client, ONE_WAIT, Parameter, seconds};
use crate::error::{Error, ErrorKind, Result};
use crate::rows::{Execution, StartOptions};

/// Which run is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// By its id.
    Id(Uuid),
    /// By the key that it holds.
    TaskId {
        /// The workflow's name.
        workflow: String,
        /// The caller's idempotency key.
        task_id: String,
    },
}

impl Run {
    fn parts(&self) -> (Option<Uuid>, Option<&str>, Option<&str>) {
        match self {
            Self::Id(id) => (Some(*id), None, None),
            Self::TaskId { workflow, task_id } => (None, Some(workflow), Some(task_id)),
        }
    }
}

impl From<Uuid> for Run {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

/// What came of `signal_with_start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Signalled {
    /// The run that has the signal.
    pub id: Uuid,
    /// Whether the call has started it.
    pub started: bool,
    /// Whether the signal was delivered; not when its key was sent before.
    pub delivered: bool,
}

impl Client {
    /// Gives a signal to a workflow; false when it has ended. `payload` is JSON text. One of a name and key is delivered once to a
    /// run, however often it is sent.
    pub async fn signal(
        &self,
        run: &Run,
        name: &str,
        payload: &str,
        key: Option<&str>,
    ) -> Result<bool> {
        let sql = "select rhythm.signal($1, $2, $3::jsonb, $4, workflow => $5, task_id => $6)";
        let (id, workflow, task_id) = run.parts();
        let parameters: [Parameter<'_>; 6] = [
            (&id, Type::UUID),
            (&name, Type::TEXT),
            (&payload, Type::TEXT),
            (&key, Type::TEXT),
            (&workflow, Type::TEXT),
            (&task_id, Type::TEXT),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// Gives a signal to the live run of a workflow under the `task_id` of the options, and starts that first if there is none.
    /// `payload` and `inputs` are JSON text.
    ///
    /// # Errors
    /// Also when the options have no `task_id`, or would have the run start later.
    pub async fn signal_with_start(
        &self,
        workflow: &str,
        name: &str,
        payload: &str,
        inputs: &str,
        key: Option<&str>,
        options: &StartOptions,
    ) -> Result<Signalled> {
        if options.delay.is_some() || options.run_at.is_some() {
            let message = "signal_with_start starts at once: it takes neither delay nor run_at";
            return Err(Error::new(ErrorKind::Input, message));
        }
        let sql = "select id, started, delivered from rhythm.signal_with_start($1, $2, $3, $4::jsonb, $5::jsonb, \
                   key => $6, queue => $7, priority => $8, timeout => make_interval(secs => $9), trace => $10::jsonb, \
                   remember => $11, result => $12, retry => $13::jsonb)";
        let timeout = seconds(options.timeout);
        let parameters: [Parameter<'_>; 13] = [
            (&workflow, Type::TEXT),
            (&options.task_id, Type::TEXT),
            (&name, Type::TEXT),
            (&payload, Type::TEXT),
            (&inputs, Type::TEXT),
            (&key, Type::TEXT),
            (&options.queue, Type::TEXT),
            (&options.priority, Type::INT4),
            (&timeout, Type::FLOAT8),
            (&options.trace, Type::TEXT),
            (&options.remember, Type::TEXT),
            (&options.result, Type::TEXT),
            (&options.retry, Type::TEXT),
        ];
        let row = self.row(sql, &parameters).await?;
        Ok(Signalled {
            id: row.try_get(0)?,
            started: row.try_get(1)?,
            delivered: row.try_get(2)?,
        })
    }

    /// Sends a signal that the workflow can answer until the timeout is over; gives the id of the request.
    pub async fn request(
        &self,
        run: &Run,
        name: &str,
        payload: &str,
        timeout: Duration,
    ) -> Result<Uuid> {
        let sql = "select rhythm.request($1, $2, $3::jsonb, make_interval(secs => $4), workflow => $5, task_id => $6)";
        let (id, workflow, task_id) = run.parts();
        let timeout = timeout.as_secs_f64();
        let parameters: [Parameter<'_>; 6] = [
            (&id, Type::UUID),
            (&name, Type::TEXT),
            (&payload, Type::TEXT),
            (&timeout, Type::FLOAT8),
            (&workflow, Type::TEXT),
            (&task_id, Type::TEXT),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// The answer to a request as JSON text, if it comes in time. The server waits a few seconds at most.
    pub async fn await_reply(&self, request: Uuid, timeout: Duration) -> Result<Option<String>> {
        let sql =
            "select is_there, reply::text from rhythm.await_reply($1, make_interval(secs => $2))";
        let timeout = timeout.as_secs_f64();
        let parameters: [Parameter<'_>; 2] = [(&request, Type::UUID), (&timeout, Type::FLOAT8)];
        let row = self.row(sql, &parameters).await?;
        let is_there: bool = row.try_get(0)?;
        let reply: Option<String> = row.try_get(1)?;
        Ok(reply.filter(|_| is_there))
    }

    /// Sends a request and waits for the answer, which is JSON text. Goes on through restarts of the server once the request is
    /// sent.
    ///
    /// # Errors
    /// `RH308` when the time is up, `RH307` when the workflow ends without an answer.
    pub async fn call(
        &self,
        run: &Run,
        name: &str,
        payload: &str,
        timeout: Duration,
    ) -> Result<String> {
        let began = Instant::now();
        let request = self.request(run, name, payload, timeout).await?;
        let mut backoff = Backoff::random();
        loop {
            match self.await_reply(request, ONE_WAIT).await {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => backoff.succeeded(),
                Err(error) if error.retryable() => {
                    let pause = backoff.failed();
                    if began.elapsed() + pause >= timeout {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What a workflow has published, a JSON object.
    pub async fn attributes(&self, id: Uuid) -> Result<String> {
        let sql = "select rhythm.attributes($1)::text";
        Ok(self.row(sql, &[(&id, Type::UUID)]).await?.try_get(0)?)
    }

    /// Runs of a workflow that have published these attributes (a JSON object) among others, the newest first.
    pub async fn find(
        &self,
        workflow: &str,
        attributes: &str,
        state: Option<&str>,
        max: i32,
    ) -> Result<Vec<Execution>> {
        let sql = format!(
            "select {} from rhythm.find($1, $2::jsonb, $3, $4)",
            Execution::COLUMNS
        );
        let parameters: [Parameter<'_>; 4] = [
            (&workflow, Type::TEXT),
            (&attributes, Type::TEXT),
            (&state, Type::TEXT),
            (&max, Type::INT4),
        ];
        self.rows(&sql, &parameters)
            .await?
            .iter()
            .map(Execution::from_row)
            .collect()
    }
}
