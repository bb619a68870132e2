//! The client's reads of the views. All rows are JSON: Python's half makes its records of them.

use std::time::{Duration, SystemTime};

use pyo3::prelude::*;
use rhythm_client::{Error, ErrorKind, ExecutionFilter, State};

use crate::call::{Answer, Call};
use crate::client::{Client, moment};
use crate::error::{self, uuid};

/// The calls of a client that are about what is there.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Views(Py<Client>);

impl Views {
    fn client(&self) -> rhythm_client::Client {
        self.0.get().client()
    }
}

#[pymethods]
impl Views {
    #[new]
    fn new(client: Py<Client>) -> Self {
        Self(client)
    }

    fn execution(&self, id: &str) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            match client.execution(id).await? {
                Some(execution) => Answer::json(&execution),
                None => {
                    let message = format!("execution {id} does not exist");
                    let mut error = Error::new(ErrorKind::Control, message);
                    // As the functions say it.
                    error.code = Some("RH301".to_owned());
                    error.hint = Some("What ended long ago is removed.".to_owned());
                    Err(error)
                }
            }
        }))
    }

    /// `after` is when the last execution of the page before was made, in microseconds since 1970, and its id.
    #[allow(clippy::too_many_arguments, reason = "the filter has them")]
    fn executions(
        &self,
        py: Python<'_>,
        states: Vec<String>,
        kind: Option<String>,
        name: Option<String>,
        queue: Option<String>,
        task_id: Option<String>,
        since: Option<f64>,
        until: Option<f64>,
        after: Option<(u64, String)>,
        limit: i64,
    ) -> PyResult<Call> {
        let client = self.client();
        let states: Result<Vec<State>, Error> = states.iter().map(|word| state(word)).collect();
        let after = match after {
            Some((made, id)) => Some((
                SystemTime::UNIX_EPOCH + Duration::from_micros(made),
                uuid(&id)?,
            )),
            None => None,
        };
        let filter = ExecutionFilter {
            states: states.map_err(|error| error::to_python(py, &error))?,
            kind,
            name,
            queue,
            task_id,
            since: moment("since", since)?,
            until: moment("until", until)?,
            after,
            limit,
        };
        Ok(Call::new(async move {
            Answer::json(&client.executions(&filter).await?)
        }))
    }

    fn tree(&self, id: &str, max: i32) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            Answer::json(&client.tree(id, max).await?)
        }))
    }

    fn timeline(&self, id: &str, max: i32) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            Answer::json(&client.timeline(id, max).await?)
        }))
    }

    fn log(&self, id: &str, tree: bool, max: i32) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            Answer::json(&client.log(id, tree, max).await?)
        }))
    }

    fn variables(&self, id: &str, max: i32, max_bytes: i32) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            Answer::json(&client.variables(id, max, max_bytes).await?)
        }))
    }

    fn limits(&self) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.limits().await?) })
    }

    fn near_limits(&self, id: Option<&str>, workflow: Option<String>, max: i64) -> PyResult<Call> {
        let (client, id) = (self.client(), id.map(uuid).transpose()?);
        Ok(Call::new(async move {
            Answer::json(&client.near_limits(id, workflow.as_deref(), max).await?)
        }))
    }

    fn near_limit_counts(&self) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.near_limit_counts().await?) })
    }

    fn logs(&self, id: &str) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(
            async move { Answer::json(&client.logs(id).await?) },
        ))
    }

    fn queues(&self) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.queues().await?) })
    }

    fn workers(&self) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.workers().await?) })
    }

    fn tasks(&self) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.tasks().await?) })
    }

    fn workflows(&self) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.workflows().await?) })
    }
}

fn state(word: &str) -> Result<State, Error> {
    word.parse().map_err(|_| {
        let mut error = Error::new(ErrorKind::Input, format!("there is no state '{word}'"));
        error.hint = Some(
            "States are pending, scheduled, running, waiting, completed, failed, cancelled and timed_out."
                .to_owned(),
        );
        error
    })
}
