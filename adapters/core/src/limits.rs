//! Limits of runs, and which runs have come near to one.

use std::time::SystemTime;

use serde::Serialize;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::client::{Client, Parameter};
use crate::error::Result;
use crate::time;

/// A row of `limits`.
#[derive(Clone, Debug, Serialize)]
pub struct LimitInfo {
    /// Its name; of a setting, that of the setting.
    pub name: String,
    /// How much it allows; none: there is no limit.
    pub most: Option<i64>,
    /// In what it is counted, such as `bytes`.
    pub unit: String,
    /// What it bounds.
    pub bounds: String,
    /// Whether it is a setting of the server.
    pub setting: bool,
    /// From how much on runs are marked; none: they are not.
    pub near: Option<i64>,
    /// How many runs are marked; none: they are not.
    pub runs: Option<i64>,
}

/// A row of the view `near_limits`: a run that has passed a quarter of a limit.
#[derive(Clone, Debug, Serialize)]
pub struct NearLimit {
    /// The run.
    pub id: Uuid,
    /// Its workflow.
    pub workflow: String,
    /// The limit.
    pub name: String,
    /// How far it had come then.
    pub value: i64,
    /// The limit at that time.
    pub most: i64,
    /// When.
    #[serde(with = "time")]
    pub at: SystemTime,
}

/// A row of the view `near_limit_counts`.
#[derive(Clone, Debug, Serialize)]
pub struct NearLimitCount {
    /// The workflow.
    pub workflow: String,
    /// The limit.
    pub name: String,
    /// Runs that have passed a quarter of it, as far as they are kept.
    pub runs: i64,
    /// Those of them that are alive.
    pub live: i64,
    /// When the last one did.
    #[serde(with = "time")]
    pub last_at: SystemTime,
}

impl Client {
    /// Every limit of runs.
    pub async fn limits(&self) -> Result<Vec<LimitInfo>> {
        let sql = "select name, most, unit, bounds, setting, near, runs from rhythm.limits()";
        self.rows(sql, &[])
            .await?
            .iter()
            .map(|row| {
                Ok(LimitInfo {
                    name: row.try_get(0)?,
                    most: row.try_get(1)?,
                    unit: row.try_get(2)?,
                    bounds: row.try_get(3)?,
                    setting: row.try_get(4)?,
                    near: row.try_get(5)?,
                    runs: row.try_get(6)?,
                })
            })
            .collect()
    }

    /// Runs that have passed a quarter of a limit, the last ones first: of one run, of one workflow, or all.
    pub async fn near_limits(
        &self,
        id: Option<Uuid>,
        workflow: Option<&str>,
        max: i64,
    ) -> Result<Vec<NearLimit>> {
        let sql = "select id, workflow, name, value, most, at from rhythm.near_limits \
                   where ($1::uuid is null or id = $1) and ($2::text is null or workflow = $2) \
                   order by at desc, id, name limit $3";
        let parameters: [Parameter<'_>; 3] = [
            (&id, Type::UUID),
            (&workflow, Type::TEXT),
            (&max, Type::INT8),
        ];
        self.rows(sql, &parameters)
            .await?
            .iter()
            .map(|row| {
                Ok(NearLimit {
                    id: row.try_get(0)?,
                    workflow: row.try_get(1)?,
                    name: row.try_get(2)?,
                    value: row.try_get(3)?,
                    most: row.try_get(4)?,
                    at: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// How many runs of each workflow have passed a quarter of a limit.
    pub async fn near_limit_counts(&self) -> Result<Vec<NearLimitCount>> {
        let sql = "select workflow, name, runs, live, last_at from rhythm.near_limit_counts \
                   order by runs desc, workflow, name";
        self.rows(sql, &[])
            .await?
            .iter()
            .map(|row| {
                Ok(NearLimitCount {
                    workflow: row.try_get(0)?,
                    name: row.try_get(1)?,
                    runs: row.try_get(2)?,
                    live: row.try_get(3)?,
                    last_at: row.try_get(4)?,
                })
            })
            .collect()
    }
}
