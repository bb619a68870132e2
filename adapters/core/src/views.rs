//! Reads of the views, for whoever shows what is going on.

use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::client::{Client, Parameter};
use crate::error::Result;
use crate::rows::{
    Execution, ExecutionFilter, LogLine, QueueInfo, TaskInfo, WorkerInfo, WorkflowInfo,
};

impl Client {
    /// One execution of the view `executions`.
    pub async fn execution(&self, id: Uuid) -> Result<Option<Execution>> {
        let sql = format!(
            "select {} from rhythm.executions where id = $1",
            Execution::COLUMNS
        );
        let rows = self.rows(&sql, &[(&id, Type::UUID)]).await?;
        rows.first().map(Execution::from_row).transpose()
    }

    /// Executions that pass a filter, the newest first.
    pub async fn executions(&self, filter: &ExecutionFilter) -> Result<Vec<Execution>> {
        let states: Vec<_> = filter.states.iter().map(|state| state.as_str()).collect();
        let (made, id) = filter.after.unzip();
        // What is not asked for is not in the statement: its plan is made for what is.
        let mut wanted = Vec::new();
        let mut parameters: Vec<Parameter<'_>> = vec![(&filter.limit, Type::INT8)];
        if !states.is_empty() {
            parameters.push((&states, Type::TEXT_ARRAY));
            wanted.push(format!("state::text = any(${})", parameters.len()));
        }
        for (column, value) in [
            ("kind", &filter.kind),
            ("name", &filter.name),
            ("queue", &filter.queue),
            ("task_id", &filter.task_id),
        ] {
            if value.is_some() {
                parameters.push((value, Type::TEXT));
                wanted.push(format!("{column}::text = ${}", parameters.len()));
            }
        }
        for (comparison, value) in [(">=", &filter.since), ("<", &filter.until)] {
            if value.is_some() {
                parameters.push((value, Type::TIMESTAMPTZ));
                wanted.push(format!("created_at {comparison} ${}", parameters.len()));
            }
        }
        if filter.after.is_some() {
            parameters.push((&made, Type::TIMESTAMPTZ));
            parameters.push((&id, Type::UUID));
            let last = parameters.len();
            wanted.push(format!("(created_at, id) < (${}, ${last})", last - 1));
        }
        let mut sql = format!("select {} from rhythm.executions", Execution::COLUMNS);
        if !wanted.is_empty() {
            sql.push_str(&format!(" where {}", wanted.join(" and ")));
        }
        sql.push_str(" order by created_at desc, id desc limit $1");
        self.rows(&sql, &parameters)
            .await?
            .iter()
            .map(Execution::from_row)
            .collect()
    }

    /// All queues that have work or settings.
    pub async fn queues(&self) -> Result<Vec<QueueInfo>> {
        let sql = "select name, pending::bigint, scheduled::bigint, running::bigint, paused_at, \
                   paused_by, pause_reason, rate_limit, concurrency, oldest_pending_at, failed, timed_out, \
                   estimated, paused, retention::text \
                   from rhythm.queues order by name";
        self.rows(sql, &[])
            .await?
            .iter()
            .map(|row| {
                Ok(QueueInfo {
                    name: row.try_get(0)?,
                    pending: row.try_get(1)?,
                    scheduled: row.try_get(2)?,
                    running: row.try_get(3)?,
                    paused_at: row.try_get(4)?,
                    paused_by: row.try_get(5)?,
                    pause_reason: row.try_get(6)?,
                    rate_limit: row.try_get(7)?,
                    concurrency: row.try_get(8)?,
                    oldest_pending_at: row.try_get(9)?,
                    failed: row.try_get(10)?,
                    timed_out: row.try_get(11)?,
                    estimated: row.try_get(12)?,
                    paused: row.try_get(13)?,
                    retention: row.try_get(14)?,
                })
            })
            .collect()
    }

    /// All workers that were seen lately.
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>> {
        let sql = "select name, coalesce(tasks, '{}'), running::bigint, last_seen, \
                   queues, registered_at \
                   from rhythm.workers order by name";
        self.rows(sql, &[])
            .await?
            .iter()
            .map(|row| {
                Ok(WorkerInfo {
                    name: row.try_get(0)?,
                    tasks: row.try_get(1)?,
                    running: row.try_get(2)?,
                    last_seen: row.try_get(3)?,
                    queues: row.try_get(4)?,
                    registered_at: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// All tasks that workers have registered.
    pub async fn tasks(&self) -> Result<Vec<TaskInfo>> {
        let sql = "select name, queue, input_schema::text, schema_check, retry::text, \
                   extract(epoch from timeout)::float8, extract(epoch from heartbeat_timeout)::float8, workers, last_seen, \
                   extract(epoch from start_timeout)::float8, extract(epoch from attempt_timeout)::float8, result, \
                   first_served_at, priority, remember \
                   from rhythm.tasks order by name";
        self.rows(sql, &[])
            .await?
            .iter()
            .map(|row| {
                Ok(TaskInfo {
                    name: row.try_get(0)?,
                    queue: row.try_get(1)?,
                    input_schema: row.try_get(2)?,
                    schema_check: row.try_get(3)?,
                    retry: row.try_get(4)?,
                    timeout: row.try_get(5)?,
                    heartbeat_timeout: row.try_get(6)?,
                    workers: row.try_get(7)?,
                    last_seen: row.try_get(8)?,
                    start_timeout: row.try_get(9)?,
                    attempt_timeout: row.try_get(10)?,
                    result: row.try_get(11)?,
                    first_served_at: row.try_get(12)?,
                    priority: row.try_get(13)?,
                    remember: row.try_get(14)?,
                })
            })
            .collect()
    }

    /// All definitions, the newest version of each workflow first.
    pub async fn workflows(&self) -> Result<Vec<WorkflowInfo>> {
        let sql = "select name, version, is_current, deployer, uses_sql, input_type::text, \
                   created_at, source from rhythm.workflows order by name, version desc";
        self.rows(sql, &[])
            .await?
            .iter()
            .map(|row| {
                Ok(WorkflowInfo {
                    name: row.try_get(0)?,
                    version: row.try_get(1)?,
                    is_current: row.try_get(2)?,
                    deployer: row.try_get(3)?,
                    uses_sql: row.try_get(4)?,
                    input_type: row.try_get(5)?,
                    created_at: row.try_get(6)?,
                    source: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// What a workflow logged, in order.
    pub async fn logs(&self, id: Uuid) -> Result<Vec<LogLine>> {
        let sql = "select at, level::text, message from rhythm.logs where id = $1 order by seq";
        self.rows(sql, &[(&id, Type::UUID)])
            .await?
            .iter()
            .map(|row| {
                Ok(LogLine {
                    at: row.try_get(0)?,
                    level: row.try_get(1)?,
                    message: row.try_get(2)?,
                })
            })
            .collect()
    }
}
