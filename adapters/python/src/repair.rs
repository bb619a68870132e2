//! The client's calls for repair: results given by hand, runs that go on in another version or begin at an earlier step, and versions.

use pyo3::prelude::*;

use crate::call::{Answer, Call};
use crate::client::Client;
use crate::error::uuid;

/// The calls of a client that mend runs and look after versions.
#[pyclass(frozen, module = "rhythm._native")]
pub(crate) struct Repairs(Py<Client>);

impl Repairs {
    fn client(&self) -> rhythm_client::Client {
        self.0.get().client()
    }
}

#[pymethods]
impl Repairs {
    #[new]
    fn new(client: Py<Client>) -> Self {
        Self(client)
    }

    fn resolve(&self, id: &str, result: String) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            client.resolve(id, Some(&result)).await.map(Answer::MaybeId)
        }))
    }

    fn r#move(&self, id: &str, version: Option<i32>) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            let version = client.r#move(id, version).await?;
            Ok(Answer::Number(version.into()))
        }))
    }

    fn move_many(
        &self,
        workflow: String,
        version: Option<i32>,
        after: Option<&str>,
        max: i32,
        dry_run: bool,
    ) -> PyResult<Call> {
        let client = self.client();
        let after = after.map(uuid).transpose()?;
        Ok(Call::new(async move {
            let runs = client.move_many(&workflow, version, after, max, dry_run);
            Answer::json(&runs.await?)
        }))
    }

    fn states(&self, id: &str, max: i32) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            Answer::json(&client.states(id, max).await?)
        }))
    }

    fn fork(
        &self,
        id: &str,
        step: i32,
        task_id: Option<String>,
        version: Option<i32>,
    ) -> PyResult<Call> {
        let (client, id) = (self.client(), uuid(id)?);
        Ok(Call::new(async move {
            let fork = client.fork(id, step, task_id.as_deref(), version);
            fork.await.map(Answer::Id)
        }))
    }

    fn versions(&self, workflow: Option<String>) -> Call {
        let client = self.client();
        Call::new(async move { Answer::json(&client.versions(workflow.as_deref()).await?) })
    }

    fn explain_workflow(&self, workflow: String, version: Option<i32>, format: String) -> Call {
        let client = self.client();
        Call::new(async move {
            let rows = client.explain_workflow(&workflow, version, &format);
            Answer::json(&rows.await?)
        })
    }

    fn retire(&self, workflow: String, reason: Option<String>) -> Call {
        let client = self.client();
        Call::new(async move {
            let retired = client.retire(&workflow, reason.as_deref()).await;
            retired.map(Answer::Flag)
        })
    }

    fn unretire(&self, workflow: String) -> Call {
        let client = self.client();
        Call::new(async move { client.unretire(&workflow).await.map(Answer::Flag) })
    }

    fn undeploy(&self, workflow: String, version: Option<i32>) -> Call {
        let client = self.client();
        Call::new(async move {
            let count = client.undeploy(&workflow, version).await?;
            Ok(Answer::Number(count.into()))
        })
    }
}
