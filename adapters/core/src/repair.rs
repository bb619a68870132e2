//! Repair of runs: results given by hand, runs that go on in another version or begin again at an earlier step, and what becomes of
//! versions.

use std::time::SystemTime;

use serde::Serialize;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::client::{Client, Parameter};
use crate::error::Result;
use crate::time;

/// What `move_many` says of a run.
#[derive(Clone, Debug, Serialize)]
pub struct MovedRun {
    /// The run.
    pub id: Uuid,
    /// The version that it was on.
    pub from_version: Option<i32>,
    /// `moved`, `refused`, or `busy`: somebody steps it just now.
    pub outcome: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// `file:line:column` in its own version where that differs.
    pub old_place: Option<String>,
    /// The same in the other version.
    pub new_place: Option<String>,
}

/// A row of `states`: an earlier state of a run, from which it can be forked.
#[derive(Clone, Debug, Serialize)]
pub struct KeptState {
    /// The step that has left it.
    pub step: i32,
    /// When that was.
    #[serde(with = "time")]
    pub at: SystemTime,
    /// The version that it ran on.
    pub version: i32,
    /// `file:line:column` where it waited.
    pub place: Option<String>,
    /// For what.
    pub waits_for: Option<String>,
    /// How large it is.
    pub bytes: i32,
}

/// A row of the view `versions`.
#[derive(Clone, Debug, Serialize)]
pub struct VersionInfo {
    /// The workflow.
    pub workflow: String,
    /// The version, from 1.
    pub version: i32,
    /// When it was deployed.
    #[serde(with = "time")]
    pub deployed_at: SystemTime,
    /// By whom: the role as which its SQL runs.
    pub deployed_by: String,
    /// Whether it is the one that starts now.
    pub is_current: bool,
    /// Since when nobody may start the workflow.
    #[serde(with = "time::option")]
    pub retired_at: Option<SystemTime>,
    /// When it was taken away.
    #[serde(with = "time::option")]
    pub undeployed_at: Option<SystemTime>,
    /// Live runs on it.
    pub runs: i64,
}

/// What `explain_workflow` says: a part of a workflow, or a line of a diagram, of which only the text is there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OutlineRow {
    /// How deep it is in what is around it; the workflow itself is 0.
    pub depth: Option<i32>,
    /// `task`, `child`, `signal`, `timer`, `sql`, `await`, `call`, or what is around them: `workflow`, `function`, `loop`, `branch`.
    pub kind: Option<String>,
    /// Its name, or the text that stands for it.
    pub name: Option<String>,
    /// Where it stands.
    pub line: Option<i32>,
    /// Where it stands.
    pub col: Option<i32>,
    /// Whether a run may wait there.
    pub waits: Option<bool>,
    /// How often it happens at most in one call of the function around it; none: any number of times.
    pub times: Option<i64>,
    /// All that, indented.
    pub text: String,
}

impl Client {
    /// What a version of a workflow may do, as its source says; `format`: `tree`, `mermaid` or `dot`.
    pub async fn explain_workflow(
        &self,
        workflow: &str,
        version: Option<i32>,
        format: &str,
    ) -> Result<Vec<OutlineRow>> {
        let sql = "select depth, kind, name, line, col, waits, times, text \
                   from rhythm.explain_workflow($1, $2, $3)";
        let parameters: [Parameter<'_>; 3] = [
            (&workflow, Type::TEXT),
            (&version, Type::INT4),
            (&format, Type::TEXT),
        ];
        self.rows(sql, &parameters)
            .await?
            .iter()
            .map(|row| {
                Ok(OutlineRow {
                    depth: row.try_get(0)?,
                    kind: row.try_get(1)?,
                    name: row.try_get(2)?,
                    line: row.try_get(3)?,
                    col: row.try_get(4)?,
                    waits: row.try_get(5)?,
                    times: row.try_get(6)?,
                    text: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// Gives an execution a result (JSON text) by hand; the run that gets it, if any.
    pub async fn resolve(&self, id: Uuid, result: Option<&str>) -> Result<Option<Uuid>> {
        let parameters: [Parameter<'_>; 2] = [(&id, Type::UUID), (&result, Type::TEXT)];
        Ok(self
            .row("select rhythm.resolve($1, $2::jsonb)", &parameters)
            .await?
            .try_get(0)?)
    }

    /// Lets a run go on in another version, the newest if none is given; gives that version.
    pub async fn r#move(&self, id: Uuid, version: Option<i32>) -> Result<i32> {
        let parameters: [Parameter<'_>; 2] = [(&id, Type::UUID), (&version, Type::INT4)];
        Ok(self
            .row("select rhythm.move($1, $2)", &parameters)
            .await?
            .try_get(0)?)
    }

    /// Lets the live runs of a workflow go on in another version, each that can; of `max` runs behind `after`, in the order of ids.
    pub async fn move_many(
        &self,
        workflow: &str,
        version: Option<i32>,
        after: Option<Uuid>,
        max: i32,
        dry_run: bool,
    ) -> Result<Vec<MovedRun>> {
        let sql = "select id, from_version, outcome, reason, old_place, new_place \
                   from rhythm.move_many($1, $2, after => $3, max => $4, dry_run => $5)";
        let parameters: [Parameter<'_>; 5] = [
            (&workflow, Type::TEXT),
            (&version, Type::INT4),
            (&after, Type::UUID),
            (&max, Type::INT4),
            (&dry_run, Type::BOOL),
        ];
        self.rows(sql, &parameters)
            .await?
            .iter()
            .map(|row| {
                Ok(MovedRun {
                    id: row.try_get(0)?,
                    from_version: row.try_get(1)?,
                    outcome: row.try_get(2)?,
                    reason: row.try_get(3)?,
                    old_place: row.try_get(4)?,
                    new_place: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// The last `max` of the states of a run that are kept, the earliest first.
    pub async fn states(&self, id: Uuid, max: i32) -> Result<Vec<KeptState>> {
        let sql =
            "select step, at, version, place, waits_for, bytes from rhythm.states($1, max => $2)";
        self.rows(sql, &[(&id, Type::UUID), (&max, Type::INT4)])
            .await?
            .iter()
            .map(|row| {
                Ok(KeptState {
                    step: row.try_get(0)?,
                    at: row.try_get(1)?,
                    version: row.try_get(2)?,
                    place: row.try_get(3)?,
                    waits_for: row.try_get(4)?,
                    bytes: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// Starts a new run from an earlier state of another, in its version or in this one (0: the newest); gives its id.
    pub async fn fork(
        &self,
        id: Uuid,
        step: i32,
        task_id: Option<&str>,
        version: Option<i32>,
    ) -> Result<Uuid> {
        let sql = "select rhythm.fork($1, $2, task_id => $3, version => $4)";
        let parameters: [Parameter<'_>; 4] = [
            (&id, Type::UUID),
            (&step, Type::INT4),
            (&task_id, Type::TEXT),
            (&version, Type::INT4),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// All versions of all workflows, the newest first; of one workflow if it is named.
    pub async fn versions(&self, workflow: Option<&str>) -> Result<Vec<VersionInfo>> {
        let sql = "select workflow, version, deployed_at, deployed_by, is_current, retired_at, undeployed_at, runs \
                   from rhythm.versions where $1::text is null or workflow = $1 \
                   order by workflow, version desc";
        self.rows(sql, &[(&workflow, Type::TEXT)])
            .await?
            .iter()
            .map(|row| {
                Ok(VersionInfo {
                    workflow: row.try_get(0)?,
                    version: row.try_get(1)?,
                    deployed_at: row.try_get(2)?,
                    deployed_by: row.try_get(3)?,
                    is_current: row.try_get(4)?,
                    retired_at: row.try_get(5)?,
                    undeployed_at: row.try_get(6)?,
                    runs: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// Stops new starts of a workflow; false: it was retired before.
    pub async fn retire(&self, workflow: &str, reason: Option<&str>) -> Result<bool> {
        let parameters: [Parameter<'_>; 2] = [(&workflow, Type::TEXT), (&reason, Type::TEXT)];
        Ok(self
            .row("select rhythm.retire($1, $2)", &parameters)
            .await?
            .try_get(0)?)
    }

    /// Lets a workflow be started again; false: it was not retired.
    pub async fn unretire(&self, workflow: &str) -> Result<bool> {
        let sql = "select rhythm.unretire($1)";
        Ok(self
            .row(sql, &[(&workflow, Type::TEXT)])
            .await?
            .try_get(0)?)
    }

    /// Takes a version of a workflow away, or all of them; gives how many.
    pub async fn undeploy(&self, workflow: &str, version: Option<i32>) -> Result<i32> {
        let parameters: [Parameter<'_>; 2] = [(&workflow, Type::TEXT), (&version, Type::INT4)];
        Ok(self
            .row("select rhythm.undeploy($1, $2)", &parameters)
            .await?
            .try_get(0)?)
    }
}
