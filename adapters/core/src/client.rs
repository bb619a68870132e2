//! One method for each public SQL function, with its name, in the order of `sql/schema`: here those that start, run and await
//! executions. Every call is one round trip, and leaves nothing in its session.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::config::Config;
use crate::connect::Pool;
use crate::error::{Error, ErrorKind, Result};
use crate::notice::{Notice, Observer};
use crate::rows::{Claimed, Diagnostic, EnqueueOptions, Heartbeat, Outcome, StartOptions};

/// How many calls of a client that `connect` made may be in flight at once.
const SESSIONS: usize = 4;

/// What `claimed` reads. How long the lease holds is asked of the server, whose clock may differ.
const CLAIMED: &str = "id, token, name, queue, inputs::text, attempt, trace::text, \
                       extract(epoch from lease_until - clock_timestamp())::float8, progress::text, \
                       extract(epoch from heartbeat_timeout)::float8";

/// How long one call of `wait` stays in the server.
pub(crate) const ONE_WAIT: Duration = Duration::from_secs(5);

/// A value with its type: nothing is prepared, so that any pooler will do.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A client of one database. Clones share its sessions.
///
/// JSON is given and taken as text, so that neither depth nor the order of keys is changed here.
/// A call that is dropped before it ended is cancelled in the server as far as that is possible;
/// whether it has been done is then not known. No call is ever sent twice.
#[derive(Clone)]
pub struct Client {
    pool: Arc<Pool>,
    observer: Option<Observer>,
}

impl Client {
    /// A client with `sessions` at most, none of which is opened yet.
    #[must_use]
    pub fn new(config: Config, sessions: usize) -> Self {
        Self {
            pool: Arc::new(Pool::new(config, sessions)),
            observer: None,
        }
    }

    /// Tells `observer` what the server says beside its answers, before the call returns in which it was said. It is called by
    /// the call's own future and must not block. Without one nobody is told.
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    fn tell(&self, said: &[Notice]) {
        if let Some(observer) = &self.observer {
            said.iter().for_each(|notice| observer(notice));
        }
    }

    /// Connects to the database that `url` or the environment names, and makes sure that it has
    /// the extension.
    ///
    /// # Errors
    /// When there is no way to the database, or no Rhythm in it.
    pub async fn connect(url: Option<&str>) -> Result<Self> {
        let client = Self::new(Config::from_url_and_environment(url)?, SESSIONS);
        client.version().await?;
        Ok(client)
    }

    /// Closes all sessions; calls that come later fail.
    pub fn close(&self) {
        self.pool.close();
    }

    pub(crate) async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>> {
        let loan = self.pool.lend().await?;
        let rows = loan
            .session()?
            .query_typed(sql, parameters)
            .await
            .map_err(Error::from);
        self.tell(&loan.give_back_after(&rows));
        rows
    }

    pub(crate) async fn row(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Row> {
        self.rows(sql, parameters)
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Server,
                    "the server answered with no row where one was due",
                )
            })
    }

    /// The version of the extension.
    pub async fn version(&self) -> Result<String> {
        Ok(self
            .row("select rhythm.version()::text", &[])
            .await?
            .try_get(0)?)
    }

    /// Deploys a workflow; gives its version, which is the current one where nothing changed.
    pub async fn deploy(&self, name: &str, source: &str) -> Result<i32> {
        let parameters: [Parameter<'_>; 2] = [(&name, Type::TEXT), (&source, Type::TEXT)];
        Ok(self
            .row("select rhythm.deploy($1, $2)", &parameters)
            .await?
            .try_get(0)?)
    }

    /// Everything that is wrong with a source, without deploying it.
    pub async fn check(&self, source: &str) -> Result<Vec<Diagnostic>> {
        let sql = "select line, col, severity, code, message, hint from rhythm.check($1)";
        self.rows(sql, &[(&source, Type::TEXT)])
            .await?
            .iter()
            .map(|row| {
                Ok(Diagnostic {
                    line: row.try_get(0)?,
                    col: row.try_get(1)?,
                    severity: row.try_get(2)?,
                    code: row.try_get(3)?,
                    message: row.try_get(4)?,
                    hint: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// Enqueues a task; `inputs` is JSON text.
    pub async fn enqueue(
        &self,
        name: &str,
        inputs: &str,
        options: &EnqueueOptions,
    ) -> Result<Uuid> {
        let sql = "select rhythm.enqueue($1, $2::jsonb, queue => $3, task_id => $4, \
                   priority => $5, delay => make_interval(secs => $6), run_at => $7, \
                   retry => $8::jsonb, timeout => make_interval(secs => $9), \
                   start_timeout => make_interval(secs => $10), \
                   heartbeat_timeout => make_interval(secs => $11), trace => $12::jsonb, \
                   attempt_timeout => make_interval(secs => $13), remember => $14, result => $15)";
        let (delay, timeout) = (seconds(options.delay), seconds(options.timeout));
        let start_timeout = seconds(options.start_timeout);
        let heartbeat_timeout = seconds(options.heartbeat_timeout);
        let attempt_timeout = seconds(options.attempt_timeout);
        let parameters: [Parameter<'_>; 15] = [
            (&name, Type::TEXT),
            (&inputs, Type::TEXT),
            (&options.queue, Type::TEXT),
            (&options.task_id, Type::TEXT),
            (&options.priority, Type::INT4),
            (&delay, Type::FLOAT8),
            (&options.run_at, Type::TIMESTAMPTZ),
            (&options.retry, Type::TEXT),
            (&timeout, Type::FLOAT8),
            (&start_timeout, Type::FLOAT8),
            (&heartbeat_timeout, Type::FLOAT8),
            (&options.trace, Type::TEXT),
            (&attempt_timeout, Type::FLOAT8),
            (&options.remember, Type::TEXT),
            (&options.result, Type::TEXT),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// Starts a workflow; `inputs` is JSON text. Its first step is done when this returns.
    pub async fn start(
        &self,
        workflow: &str,
        inputs: &str,
        options: &StartOptions,
    ) -> Result<Uuid> {
        let sql = "select rhythm.start($1, $2::jsonb, task_id => $3, queue => $4, \
                   priority => $5, delay => make_interval(secs => $6), run_at => $7, \
                   timeout => make_interval(secs => $8), trace => $9::jsonb, remember => $10, \
                   result => $11, retry => $12::jsonb)";
        let (delay, timeout) = (seconds(options.delay), seconds(options.timeout));
        let parameters: [Parameter<'_>; 12] = [
            (&workflow, Type::TEXT),
            (&inputs, Type::TEXT),
            (&options.task_id, Type::TEXT),
            (&options.queue, Type::TEXT),
            (&options.priority, Type::INT4),
            (&delay, Type::FLOAT8),
            (&options.run_at, Type::TIMESTAMPTZ),
            (&timeout, Type::FLOAT8),
            (&options.trace, Type::TEXT),
            (&options.remember, Type::TEXT),
            (&options.result, Type::TEXT),
            (&options.retry, Type::TEXT),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// Enqueues and starts many at once; `items` is a JSON array with the parameters of `enqueue`.
    /// Gives the ids in their order, and whether each is new.
    pub async fn enqueue_many(&self, items: &str) -> Result<Vec<(Uuid, bool)>> {
        let sql = "select id, created from rhythm.enqueue_many($1::jsonb)";
        self.rows(sql, &[(&items, Type::TEXT)])
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Enqueues what a query gives, a task a row; gives their number. The columns have the names of `enqueue`'s parameters.
    pub async fn enqueue_rows(&self, query: &str) -> Result<i64> {
        Ok(self
            .row("select rhythm.enqueue_rows($1)", &[(&query, Type::TEXT)])
            .await?
            .try_get(0)?)
    }

    /// Says which tasks a worker can run; `tasks` is a JSON array.
    pub async fn register(&self, worker: &str, tasks: &str) -> Result<()> {
        let parameters: [Parameter<'_>; 2] = [(&worker, Type::TEXT), (&tasks, Type::TEXT)];
        self.row("select rhythm.register($1, $2::jsonb)", &parameters)
            .await?;
        Ok(())
    }

    /// Takes up to `max` tasks, waiting in the server for the first one.
    pub async fn claim(
        &self,
        worker: &str,
        queues: &[String],
        max: i32,
        wait: Duration,
        lease: Duration,
        tasks: Option<&[String]>,
    ) -> Result<Vec<Claimed>> {
        let never = std::future::pending();
        self.claim_until(worker, queues, max, wait, lease, tasks, false, never)
            .await
    }

    /// The same, but the wait is cut short when `stop` ends. What was claimed by then is returned;
    /// a claim that was cut short is an error (57014).
    ///
    /// `relaxed`: the server answers before the claim is on its disk (`synchronous_commit = off` for this transaction), which
    /// spares half of the way from enqueue to handler. Should the server then crash within three times its `wal_writer_delay` (0.6 s),
    /// it has forgotten the claim, and gives the task out again, with the same number of attempt and whatever limits had
    /// counted. Tokens are random, so the first claim's outcome is refused then.
    #[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
    pub async fn claim_until(
        &self,
        worker: &str,
        queues: &[String],
        max: i32,
        wait: Duration,
        lease: Duration,
        tasks: Option<&[String]>,
        relaxed: bool,
        stop: impl Future<Output = ()>,
    ) -> Result<Vec<Claimed>> {
        // Before the claim, on which it has no bearing: a setting of this transaction's commit.
        let worker_first = if relaxed {
            "(select case when set_config('synchronous_commit', 'off', true) is not null then $1 end as worker offset 0)"
        } else {
            "(select $1 as worker)"
        };
        let sql = format!(
            "select {CLAIMED} from {worker_first} w, rhythm.claim(w.worker, $2, $3, make_interval(secs => $4), \
             make_interval(secs => $5), $6)"
        );
        let (wait, lease) = (wait.as_secs_f64(), lease.as_secs_f64());
        let parameters: [Parameter<'_>; 6] = [
            (&worker, Type::TEXT),
            (&queues, Type::TEXT_ARRAY),
            (&max, Type::INT4),
            (&wait, Type::FLOAT8),
            (&lease, Type::FLOAT8),
            (&tasks, Type::TEXT_ARRAY),
        ];
        let loan = self.pool.lend().await?;
        let (rows, stopped) = {
            let mut call = pin!(loan.session()?.query_typed(&sql, &parameters));
            let (rows, stopped) = tokio::select! {
                rows = &mut call => (rows, false),
                () = stop => {
                    loan.cancel().await;
                    (call.await, true)
                }
            };
            (rows.map_err(Error::from), stopped)
        };
        if stopped {
            // The request to cancel may arrive late, and must not hit another call.
            loan.discard();
        } else {
            self.tell(&loan.give_back_after(&rows));
        }
        rows?.iter().map(claimed).collect()
    }

    /// Prolongs leases, and saves the progress (JSON text) of those that have any, each at the place of its id. The answers
    /// have the order of the ids.
    pub async fn heartbeat(
        &self,
        ids: &[Uuid],
        tokens: &[i64],
        lease: Duration,
        progress: Option<&[Option<String>]>,
    ) -> Result<Vec<Heartbeat>> {
        let sql = "select id, status, saved from rhythm.heartbeat($1, $2, make_interval(secs => $3), \
                   $4::text[]::jsonb[])";
        let lease = lease.as_secs_f64();
        let parameters: [Parameter<'_>; 4] = [
            (&ids, Type::UUID_ARRAY),
            (&tokens, Type::INT8_ARRAY),
            (&lease, Type::FLOAT8),
            (&progress, Type::TEXT_ARRAY),
        ];
        self.rows(sql, &parameters)
            .await?
            .iter()
            .map(|row| {
                Ok(Heartbeat {
                    id: row.try_get(0)?,
                    status: row.try_get::<_, &str>(1)?.parse()?,
                    saved: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Completes a task with a result (JSON text); false when its lease is lost.
    pub async fn complete(&self, id: Uuid, token: i64, result: Option<&str>) -> Result<bool> {
        let sql = "select rhythm.complete($1, $2, $3::jsonb)";
        let parameters: [Parameter<'_>; 3] = [
            (&id, Type::UUID),
            (&token, Type::INT8),
            (&result, Type::TEXT),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// Fails an attempt with an error (JSON text); gives the new state, or `None` when the lease
    /// is lost.
    pub async fn fail(
        &self,
        id: Uuid,
        token: i64,
        error: &str,
        retry_in: Option<Duration>,
        retryable: bool,
    ) -> Result<Option<String>> {
        let sql = "select rhythm.fail($1, $2, $3::jsonb, make_interval(secs => $4), $5)";
        let retry_in = seconds(retry_in);
        let parameters: [Parameter<'_>; 5] = [
            (&id, Type::UUID),
            (&token, Type::INT8),
            (&error, Type::TEXT),
            (&retry_in, Type::FLOAT8),
            (&retryable, Type::BOOL),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// Puts a task off without using up an attempt; false when its lease is lost.
    pub async fn snooze(&self, id: Uuid, token: i64, retry_in: Duration) -> Result<bool> {
        let sql = "select rhythm.snooze($1, $2, make_interval(secs => $3))";
        let retry_in = retry_in.as_secs_f64();
        let parameters: [Parameter<'_>; 3] = [
            (&id, Type::UUID),
            (&token, Type::INT8),
            (&retry_in, Type::FLOAT8),
        ];
        Ok(self.row(sql, &parameters).await?.try_get(0)?)
    }

    /// Hands in a batch of outcomes (a JSON array) and takes the next tasks, in one round trip.
    pub async fn finish(
        &self,
        worker: &str,
        outcomes: &str,
        queues: &[String],
        max: i32,
        wait: Duration,
        lease: Duration,
    ) -> Result<Vec<Claimed>> {
        let sql = format!(
            "select {CLAIMED} from rhythm.finish($1, $2::jsonb, $3, $4, \
             make_interval(secs => $5), make_interval(secs => $6))"
        );
        let (wait, lease) = (wait.as_secs_f64(), lease.as_secs_f64());
        let parameters: [Parameter<'_>; 6] = [
            (&worker, Type::TEXT),
            (&outcomes, Type::TEXT),
            (&queues, Type::TEXT_ARRAY),
            (&max, Type::INT4),
            (&wait, Type::FLOAT8),
            (&lease, Type::FLOAT8),
        ];
        self.rows(&sql, &parameters)
            .await?
            .iter()
            .map(claimed)
            .collect()
    }

    /// Asks an execution to end; false when it has ended. A workflow that still cleans up when the grace is over is terminated.
    pub async fn cancel(
        &self,
        id: Uuid,
        reason: Option<&str>,
        grace: Option<Duration>,
    ) -> Result<bool> {
        let grace = seconds(grace);
        let parameters: [Parameter<'_>; 3] = [
            (&id, Type::UUID),
            (&reason, Type::TEXT),
            (&grace, Type::FLOAT8),
        ];
        Ok(self
            .row(
                "select rhythm.cancel($1, $2, $3 * interval '1 second')",
                &parameters,
            )
            .await?
            .try_get(0)?)
    }

    /// What has become of an execution so far.
    pub async fn result(&self, id: Uuid) -> Result<Outcome> {
        let sql = "select state::text, result::text, error::text from rhythm.result($1)";
        outcome(&self.row(sql, &[(&id, Type::UUID)]).await?)
    }

    /// The same when the execution has ended, or at the timeout. The server waits a few seconds
    /// at most, whatever the timeout: whoever wants to wait for longer calls again.
    pub async fn wait(&self, id: Uuid, timeout: Duration) -> Result<Outcome> {
        let sql = "select state::text, result::text, error::text \
                   from rhythm.wait($1, make_interval(secs => $2))";
        let timeout = timeout.as_secs_f64();
        let parameters: [Parameter<'_>; 2] = [(&id, Type::UUID), (&timeout, Type::FLOAT8)];
        outcome(&self.row(sql, &parameters).await?)
    }

    /// Waits until the execution has ended, or `patience` is over; without one, for as long as it takes. Since it only
    /// looks, it goes on through outages of the server.
    pub async fn wait_for_end(&self, id: Uuid, patience: Option<Duration>) -> Result<Outcome> {
        let began = Instant::now();
        let mut backoff = Backoff::random();
        loop {
            let left = patience.map_or(ONE_WAIT, |patience| {
                patience.saturating_sub(began.elapsed())
            });
            match self.wait(id, left.min(ONE_WAIT)).await {
                Ok(outcome) if outcome.state.is_terminal() || left.is_zero() => return Ok(outcome),
                Ok(_) => backoff.succeeded(),
                Err(error) if error.retryable() => {
                    let pause = backoff.failed();
                    if patience.is_some() && pause >= left {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Does what the background worker would do now.
    pub async fn tick(&self) -> Result<()> {
        self.rows("select rhythm.tick()", &[]).await?;
        Ok(())
    }
}

pub(crate) fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}

fn claimed(row: &Row) -> Result<Claimed> {
    Ok(Claimed {
        id: row.try_get(0)?,
        token: row.try_get(1)?,
        name: row.try_get(2)?,
        queue: row.try_get(3)?,
        inputs: row.try_get(4)?,
        attempt: row.try_get(5)?,
        trace: row.try_get(6)?,
        lease_left: Duration::try_from_secs_f64(row.try_get(7)?).unwrap_or_default(),
        progress: row.try_get(8)?,
        heartbeat_timeout: row
            .try_get::<_, Option<f64>>(9)?
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    })
}

fn outcome(row: &Row) -> Result<Outcome> {
    Ok(Outcome {
        state: row.try_get::<_, &str>(0)?.parse()?,
        result: row.try_get(1)?,
        error: row.try_get(2)?,
    })
}
