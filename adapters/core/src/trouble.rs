//! What somebody asks when something has gone wrong: why it does not move, which attempts failed, and another try; and how what has
//! ended is taken away.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::client::{Client, Parameter, seconds};
use crate::error::Result;
use crate::rows::json;
use crate::time;

/// Why something does not move: the one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// A short name that stays the same between versions, such as `rate_limited`; `None`: nothing keeps it.
    pub reason: Option<String>,
    /// The sentence.
    pub explanation: Option<String>,
    /// Since when.
    #[serde(with = "time::option")]
    pub since: Option<SystemTime>,
    /// Until when, where that is known.
    #[serde(with = "time::option")]
    pub until: Option<SystemTime>,
    /// What to do.
    pub hint: Option<String>,
}

/// A row of the view `attempts`: an attempt that failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedAttempt {
    /// From 1.
    pub attempt: i32,
    /// The worker that made it.
    pub worker: Option<String>,
    /// When it began, where that is known.
    #[serde(with = "time::option")]
    pub started_at: Option<SystemTime>,
    /// When it failed.
    #[serde(with = "time")]
    pub failed_at: SystemTime,
    /// JSON text of the error `{name, message, code?, stack?, cause?, data?}`.
    #[serde(serialize_with = "json")]
    pub error: Option<String>,
    /// When it was to be tried again; `None` for the last one.
    #[serde(with = "time::option")]
    pub next_at: Option<SystemTime>,
}

/// Which failed executions to retry; what is `None` does not narrow the choice.
#[derive(Clone, Debug, Default)]
pub struct RetryFilter {
    /// Only those of this queue.
    pub queue: Option<String>,
    /// Only those of this name.
    pub name: Option<String>,
    /// The error's name or code, or a pattern of its message as for ILIKE.
    pub error: Option<String>,
    /// Only those that failed then or later.
    pub since: Option<SystemTime>,
    /// Only `task` or `workflow`.
    pub kind: Option<String>,
    /// Spreads them over time: `10/sec`, `N/min`, `N/hour`, `N/day`.
    pub rate: Option<String>,
    /// How many at most; the oldest first. `None`: 10 000.
    pub max: Option<i32>,
    /// Only counts.
    pub dry_run: bool,
}

/// Which finished executions to delete; what is `None` does not narrow the choice.
#[derive(Clone, Debug, Default)]
pub struct CleanupFilter {
    /// Only those that ended at least so long ago.
    pub older_than: Duration,
    /// Only those that ended in this state.
    pub status: Option<String>,
    /// Only those of this queue.
    pub queue: Option<String>,
    /// Only counts.
    pub dry_run: bool,
    /// How many at most, the oldest first, and the rest of the last tree; `None`: all.
    pub max: Option<i32>,
}

impl Client {
    /// Why an execution does not move.
    pub async fn why(&self, id: Uuid) -> Result<Why> {
        let sql = "select reason, explanation, since, until, hint from rhythm.why($1)";
        why(&self.row(sql, &[(&id, Type::UUID)]).await?)
    }

    /// Why a queue does not move: what keeps the task that a claim would meet first.
    pub async fn why_queue(&self, name: &str) -> Result<Why> {
        let sql = "select reason, explanation, since, until, hint from rhythm.why_queue($1)";
        why(&self.row(sql, &[(&name, Type::TEXT)]).await?)
    }

    /// The failed attempts of a task, in order; of more than a hundred the last hundred.
    pub async fn attempts(&self, id: Uuid) -> Result<Vec<FailedAttempt>> {
        let sql = "select attempt, worker, started_at, failed_at, error::text, next_at \
                   from rhythm.attempts where id = $1 order by failed_at, attempt";
        self.rows(sql, &[(&id, Type::UUID)])
            .await?
            .iter()
            .map(|row| {
                Ok(FailedAttempt {
                    attempt: row.try_get(0)?,
                    worker: row.try_get(1)?,
                    started_at: row.try_get(2)?,
                    failed_at: row.try_get(3)?,
                    error: row.try_get(4)?,
                    next_at: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// Lets a failed execution go on, under the same id, not before the delay is over; a run in this version, 0 being the newest.
    pub async fn retry(
        &self,
        id: Uuid,
        delay: Option<Duration>,
        version: Option<i32>,
    ) -> Result<Uuid> {
        let delay = seconds(delay);
        let parameters: [Parameter<'_>; 3] = [
            (&id, Type::UUID),
            (&delay, Type::FLOAT8),
            (&version, Type::INT4),
        ];
        Ok(self
            .row(
                "select rhythm.retry($1, make_interval(secs => $2), $3)",
                &parameters,
            )
            .await?
            .try_get(0)?)
    }

    /// Lets all failed executions that pass a filter go on, all of them or none; gives their number.
    pub async fn retry_many(&self, filter: &RetryFilter) -> Result<i64> {
        let sql = "select rhythm.retry_many(queue => $1, name => $2, error => $3, since => $4, \
                   kind => $5, rate => $6, max => coalesce($7, 10000), dry_run => $8)";
        let parameters: [Parameter<'_>; 8] = [
            (&filter.queue, Type::TEXT),
            (&filter.name, Type::TEXT),
            (&filter.error, Type::TEXT),
            (&filter.since, Type::TIMESTAMPTZ),
            (&filter.kind, Type::TEXT),
            (&filter.rate, Type::TEXT),
            (&filter.max, Type::INT4),
            (&filter.dry_run, Type::BOOL),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// Deletes finished executions before their retention is over, whole trees as their roots say; gives their number.
    pub async fn cleanup(&self, filter: &CleanupFilter) -> Result<i64> {
        let sql = "select rhythm.cleanup(make_interval(secs => $1), status => $2, queue => $3, \
                   dry_run => $4, max => $5)";
        let older_than = filter.older_than.as_secs_f64();
        let parameters: [Parameter<'_>; 5] = [
            (&older_than, Type::FLOAT8),
            (&filter.status, Type::TEXT),
            (&filter.queue, Type::TEXT),
            (&filter.dry_run, Type::BOOL),
            (&filter.max, Type::INT4),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }
}

fn why(row: &Row) -> Result<Why> {
    Ok(Why {
        reason: row.try_get(0)?,
        explanation: row.try_get(1)?,
        since: row.try_get(2)?,
        until: row.try_get(3)?,
        hint: row.try_get(4)?,
    })
}
