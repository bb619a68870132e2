//! Settings of queues, and what keeps whole queues, task names or everything from running: the functions of `10_queue.sql`.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio_postgres::types::Type;

use crate::client::{Client, Parameter, seconds};
use crate::error::Result;
use crate::time;

/// What `configure_queue` is to set; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSettings {
    /// Whether workers get nothing from it.
    pub paused: Option<bool>,
    /// Why it is paused.
    pub reason: Option<String>,
    /// How long what has ended is kept: an interval such as `7 days`, `0` or `forever`.
    pub retention: Option<String>,
    /// How many may start in a time: `100/sec`, `N/min`, `N/hour`, `N/day`.
    pub rate_limit: Option<String>,
    /// How many may start at once after a pause; otherwise the N of the rate.
    pub rate_burst: Option<i32>,
    /// A path into the inputs, such as `customer.id`: a bucket for each value.
    pub rate_key: Option<String>,
    /// How many may run at once.
    pub concurrency: Option<i32>,
    /// A path into the inputs: so many for each value.
    pub concurrency_key: Option<String>,
    /// How many may run at once for each value of `concurrency_key`; 1 unless set.
    pub concurrency_per_key: Option<i32>,
    /// The priority of what is enqueued without one.
    pub priority: Option<i32>,
    /// A retry policy as JSON text, for what neither the task nor the call says.
    pub retry: Option<String>,
    /// How long an execution may take in all.
    pub timeout: Option<Duration>,
    /// How long it may wait for a worker.
    pub start_timeout: Option<Duration>,
    /// How long one attempt may take.
    pub attempt_timeout: Option<Duration>,
    /// How long a handler may be silent.
    pub heartbeat_timeout: Option<Duration>,
    /// How long a completed execution keeps its `task_id`, as `retention`.
    pub remember: Option<String>,
    /// `keep` or `discard`: what becomes of results.
    pub result: Option<String>,
    /// Names of settings to take away.
    pub reset: Vec<String>,
}

/// One setting of a queue, as `show_queue` tells it.
#[derive(Clone, Debug, Serialize)]
pub struct QueueSetting {
    /// Its name, as `configure_queue` knows it.
    pub setting: String,
    /// What holds, in words of SQL; `None`: nothing of the kind.
    pub value: Option<String>,
    /// Whether nobody has set it.
    pub is_default: bool,
}

/// A row of the view `pauses`.
#[derive(Clone, Debug, Serialize)]
pub struct Pause {
    /// `queue`, `task`, `all`; `restored` or `copied` for a database that nobody has adopted.
    pub what: String,
    /// Of the queue or of the task.
    pub name: Option<String>,
    /// What the one who paused it said.
    pub reason: Option<String>,
    /// The role that paused it.
    pub paused_by: Option<String>,
    /// Since when.
    #[serde(with = "time::option")]
    pub paused_at: Option<SystemTime>,
}

impl Pause {
    /// Whether it stops everything until `adopt` is called.
    #[must_use]
    pub fn wants_adoption(&self) -> bool {
        matches!(self.what.as_str(), "restored" | "copied")
    }
}

impl Client {
    /// Sets what is given of a queue, and leaves the rest as it is.
    pub async fn configure_queue(&self, name: &str, settings: &QueueSettings) -> Result<()> {
        let sql = "select rhythm.configure_queue($1, paused => $2, retention => $3, \
                   rate_limit => $4, rate_burst => $5, rate_key => $6, concurrency => $7, \
                   concurrency_key => $8, concurrency_per_key => $9, priority => $10, \
                   retry => $11::jsonb, timeout => make_interval(secs => $12), \
                   start_timeout => make_interval(secs => $13), \
                   attempt_timeout => make_interval(secs => $14), \
                   heartbeat_timeout => make_interval(secs => $15), remember => $16, \
                   result => $17, reset => $18, reason => $19)";
        let timeout = seconds(settings.timeout);
        let start_timeout = seconds(settings.start_timeout);
        let attempt_timeout = seconds(settings.attempt_timeout);
        let heartbeat_timeout = seconds(settings.heartbeat_timeout);
        let parameters: [Parameter<'_>; 19] = [
            (&name, Type::TEXT),
            (&settings.paused, Type::BOOL),
            (&settings.retention, Type::TEXT),
            (&settings.rate_limit, Type::TEXT),
            (&settings.rate_burst, Type::INT4),
            (&settings.rate_key, Type::TEXT),
            (&settings.concurrency, Type::INT4),
            (&settings.concurrency_key, Type::TEXT),
            (&settings.concurrency_per_key, Type::INT4),
            (&settings.priority, Type::INT4),
            (&settings.retry, Type::TEXT),
            (&timeout, Type::FLOAT8),
            (&start_timeout, Type::FLOAT8),
            (&attempt_timeout, Type::FLOAT8),
            (&heartbeat_timeout, Type::FLOAT8),
            (&settings.remember, Type::TEXT),
            (&settings.result, Type::TEXT),
            (&settings.reset, Type::TEXT_ARRAY),
            (&settings.reason, Type::TEXT),
        ];
        self.done(sql, &parameters).await
    }

    /// All settings of a queue, and what holds where none is set.
    pub async fn show_queue(&self, name: &str) -> Result<Vec<QueueSetting>> {
        let sql = "select setting, value, is_default from rhythm.show_queue($1)";
        self.rows(sql, &[(&name, Type::TEXT)])
            .await?
            .iter()
            .map(|row| {
                Ok(QueueSetting {
                    setting: row.try_get(0)?,
                    value: row.try_get(1)?,
                    is_default: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Stops handing out work of a queue; what runs goes on.
    pub async fn pause_queue(&self, name: &str, reason: Option<&str>) -> Result<()> {
        let parameters: [Parameter<'_>; 2] = [(&name, Type::TEXT), (&reason, Type::TEXT)];
        self.done("select rhythm.pause_queue($1, $2)", &parameters)
            .await
    }

    /// Goes on with a paused queue.
    pub async fn resume_queue(&self, name: &str) -> Result<()> {
        self.done("select rhythm.resume_queue($1)", &[(&name, Type::TEXT)])
            .await
    }

    /// Stops handing out tasks of this name, in all queues; what runs goes on.
    pub async fn pause_task(&self, name: &str, reason: Option<&str>) -> Result<()> {
        let parameters: [Parameter<'_>; 2] = [(&name, Type::TEXT), (&reason, Type::TEXT)];
        self.done("select rhythm.pause_task($1, $2)", &parameters)
            .await
    }

    /// Goes on with tasks of a paused name.
    pub async fn resume_task(&self, name: &str) -> Result<()> {
        self.done("select rhythm.resume_task($1)", &[(&name, Type::TEXT)])
            .await
    }

    /// Stops everything: tasks, steps of workflows, timers. What runs goes on.
    pub async fn pause_all(&self, reason: Option<&str>) -> Result<()> {
        self.done("select rhythm.pause_all($1)", &[(&reason, Type::TEXT)])
            .await
    }

    /// Ends `pause_all`; pauses of single queues and names stay.
    pub async fn resume_all(&self) -> Result<()> {
        self.done("select rhythm.resume_all()", &[]).await
    }

    /// Lets a restored or copied database run; false when there was nothing to adopt.
    pub async fn adopt(&self) -> Result<bool> {
        Ok(self.row("select rhythm.adopt()", &[]).await?.try_get(0)?)
    }

    /// Everything that is paused.
    pub async fn pauses(&self) -> Result<Vec<Pause>> {
        let sql = "select what, name, reason, paused_by, paused_at from rhythm.pauses \
                   order by paused_at nulls first, what, name";
        self.rows(sql, &[])
            .await?
            .iter()
            .map(|row| {
                Ok(Pause {
                    what: row.try_get(0)?,
                    name: row.try_get(1)?,
                    reason: row.try_get(2)?,
                    paused_by: row.try_get(3)?,
                    paused_at: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// A call whose answer says nothing.
    async fn done(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        self.row(sql, parameters).await.map(drop)
    }
}
