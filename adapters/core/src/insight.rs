//! What went on in a run, and where it stands: its timeline, its log, the variables of its frames.

use std::time::SystemTime;

use serde::Serialize;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::client::{Client, Parameter};
use crate::error::Result;
use crate::rows::json;
use crate::time;

/// A row of `timeline`.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineEvent {
    /// When.
    #[serde(with = "time")]
    pub at: SystemTime,
    /// What happened, such as `task_started`; `earlier` counts what is not told.
    pub event: String,
    /// To which task, timer or signal.
    pub name: Option<String>,
    /// JSON text of more facts.
    #[serde(serialize_with = "json")]
    pub data: Option<String>,
    /// Seconds that it had waited for a worker, or for its time.
    pub waited: Option<f64>,
    /// Seconds that it had run.
    pub ran: Option<f64>,
    /// Who has run it.
    pub worker: Option<String>,
    /// Which attempt that was.
    pub attempt: Option<i32>,
}

/// A row of `log`.
#[derive(Clone, Debug, Serialize)]
pub struct LogEntry {
    /// When.
    #[serde(with = "time")]
    pub at: SystemTime,
    /// `log`, `info`, `warn` or `error`.
    pub level: String,
    /// The words.
    pub message: String,
    /// Whose line it is.
    pub execution_id: Uuid,
    /// Of which workflow.
    pub name: String,
}

/// A row of `variables`.
#[derive(Clone, Debug, Serialize)]
pub struct Variable {
    /// The number of the frame: 1 is the workflow itself.
    pub frame: i32,
    /// The function that waits.
    pub function: String,
    /// Where it waits.
    pub line: i32,
    /// Where it waits.
    pub col: i32,
    /// The name; none for a frame without variables.
    pub variable: Option<String>,
    /// The value as `console.log` shows it.
    pub value: Option<String>,
    /// Whether there is more of it.
    pub cut: Option<bool>,
}

impl Client {
    /// What happened to an execution, in order: the last `max` entries, and before them one that counts the others.
    pub async fn timeline(&self, id: Uuid, max: i32) -> Result<Vec<TimelineEvent>> {
        let sql = "select at, event, name, data::text, extract(epoch from waited)::float8, \
                   extract(epoch from ran)::float8, worker, attempt from rhythm.timeline($1, $2)";
        self.rows(sql, &[(&id, Type::UUID), (&max, Type::INT4)])
            .await?
            .iter()
            .map(|row| {
                Ok(TimelineEvent {
                    at: row.try_get(0)?,
                    event: row.try_get(1)?,
                    name: row.try_get(2)?,
                    data: row.try_get(3)?,
                    waited: row.try_get(4)?,
                    ran: row.try_get(5)?,
                    worker: row.try_get(6)?,
                    attempt: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// What a run wrote to its log, in order: the last `max` lines; with `tree` also of all workflows below it.
    pub async fn log(&self, id: Uuid, tree: bool, max: i32) -> Result<Vec<LogEntry>> {
        let sql = "select at, level, message, execution_id, name from rhythm.log($1, $2, $3)";
        let parameters: [Parameter<'_>; 3] =
            [(&id, Type::UUID), (&tree, Type::BOOL), (&max, Type::INT4)];
        self.rows(sql, &parameters)
            .await?
            .iter()
            .map(|row| {
                Ok(LogEntry {
                    at: row.try_get(0)?,
                    level: row.try_get(1)?,
                    message: row.try_get(2)?,
                    execution_id: row.try_get(3)?,
                    name: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Where the frames of a waiting run wait, and their variables: `max` rows at most, and `max_bytes` of each value.
    pub async fn variables(&self, id: Uuid, max: i32, max_bytes: i32) -> Result<Vec<Variable>> {
        let sql = "select frame, function, line, col, variable, value, cut from rhythm.variables($1, $2, $3)";
        let parameters: [Parameter<'_>; 3] = [
            (&id, Type::UUID),
            (&max, Type::INT4),
            (&max_bytes, Type::INT4),
        ];
        self.rows(sql, &parameters)
            .await?
            .iter()
            .map(|row| {
                Ok(Variable {
                    frame: row.try_get(0)?,
                    function: row.try_get(1)?,
                    line: row.try_get(2)?,
                    col: row.try_get(3)?,
                    variable: row.try_get(4)?,
                    value: row.try_get(5)?,
                    cut: row.try_get(6)?,
                })
            })
            .collect()
    }
}
