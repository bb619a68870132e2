//! Schedules and calendars: their functions, and reads of their views. Defaults are the server's: what is not given is not
//! sent.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::client::{Client, Parameter, seconds};
use crate::error::Result;
use crate::rows::json;
use crate::time;

/// What a schedule starts, and when. Either `cron` or `every`, and either `task` or `workflow`.
#[derive(Clone, Debug, Default)]
pub struct ScheduleOptions {
    /// A cron expression.
    pub cron: Option<String>,
    /// Or how long from one tick to the next.
    pub every: Option<Duration>,
    /// The name of a task.
    pub task: Option<String>,
    /// Or of a workflow.
    pub workflow: Option<String>,
    /// JSON text.
    pub inputs: Option<String>,
    /// On whose clock the expression and days are read, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// `skip`, `queue_one`, `queue_all`, `cancel_other` or `allow`.
    pub overlap: Option<String>,
    /// How late a tick may still be started.
    pub catch_up: Option<Duration>,
    /// By how much a tick may be delayed at random.
    pub jitter: Option<Duration>,
    /// The queue of what it starts.
    pub queue: Option<String>,
    /// Larger goes first.
    pub priority: Option<i32>,
    /// JSON text: how to retry what it starts; a workflow begins again from its start.
    pub retry: Option<String>,
    /// As in `enqueue`.
    pub timeout: Option<Duration>,
    /// As in `enqueue`.
    pub start_timeout: Option<Duration>,
    /// As in `enqueue`.
    pub attempt_timeout: Option<Duration>,
    /// As in `enqueue`.
    pub heartbeat_timeout: Option<Duration>,
    /// As in `enqueue`.
    pub remember: Option<String>,
    /// As in `enqueue`.
    pub result: Option<String>,
    /// Calendars of exclusion.
    pub exclude: Option<Vec<String>>,
    /// No tick before.
    pub starts_at: Option<SystemTime>,
    /// No tick after.
    pub ends_at: Option<SystemTime>,
}

/// A row of the view `schedules`.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleInfo {
    /// The name.
    pub name: String,
    /// `task` or `workflow`.
    pub kind: String,
    /// The name of what it starts.
    pub target: String,
    /// Its cron expression, or `every …`.
    pub spec: String,
    /// On whose clock.
    pub time_zone: String,
    /// What happens to a tick while the last one runs.
    pub overlap: String,
    /// JSON text.
    #[serde(serialize_with = "json")]
    pub inputs: Option<String>,
    /// How late a tick may still be started, in seconds.
    pub catch_up: f64,
    /// By how much a tick may be delayed at random, in seconds.
    pub jitter: f64,
    /// The queue of what it starts, where it says one; so it is with all down to `result`.
    pub queue: Option<String>,
    /// Larger goes first.
    pub priority: Option<i32>,
    /// JSON text: how to retry what it starts; a workflow begins again from its start.
    #[serde(serialize_with = "json")]
    pub retry: Option<String>,
    /// How long it may take in all, in seconds.
    pub timeout: Option<f64>,
    /// How long it may wait for a worker, in seconds.
    pub start_timeout: Option<f64>,
    /// How long one attempt may take, in seconds.
    pub attempt_timeout: Option<f64>,
    /// How long it may be silent, in seconds.
    pub heartbeat_timeout: Option<f64>,
    /// How long a completed one keeps its `task_id`: an interval, or `forever`.
    pub remember: Option<String>,
    /// `keep` or `discard`: what becomes of its result.
    pub result: Option<String>,
    /// Calendars of exclusion.
    pub exclude: Vec<String>,
    /// No tick before.
    #[serde(with = "time::option")]
    pub starts_at: Option<SystemTime>,
    /// No tick after.
    #[serde(with = "time::option")]
    pub ends_at: Option<SystemTime>,
    /// When it starts next; `None` when paused or over.
    #[serde(with = "time::option")]
    pub next_at: Option<SystemTime>,
    /// When its last run was started.
    #[serde(with = "time::option")]
    pub last_at: Option<SystemTime>,
    /// The execution of that.
    pub last_id: Option<Uuid>,
    /// And its state.
    pub last_state: Option<String>,
    /// Executions that it has started and that are alive.
    pub running: i64,
    /// Ticks that wait for those to end.
    pub held: i64,
    /// Ticks started so far.
    pub started: i64,
    /// Ticks that the overlap policy left out.
    pub skipped: i64,
    /// Ticks that came too late to be caught up.
    pub missed: i64,
    /// Ticks that could not be started.
    pub failed: i64,
    /// JSON text: why, the last time.
    #[serde(serialize_with = "json")]
    pub last_error: Option<String>,
    /// Since when it is paused.
    #[serde(with = "time::option")]
    pub paused_at: Option<SystemTime>,
    /// Why.
    pub pause_reason: Option<String>,
}

/// A row of the view `schedule_runs`: a start of a schedule, or one that it holds back.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleRun {
    /// The schedule's name.
    pub schedule: String,
    /// The time for which it was started.
    #[serde(with = "time")]
    pub tick: SystemTime,
    /// `tick`, `trigger` or `backfill`.
    pub cause: String,
    /// The execution; `None` while it is held.
    pub id: Option<Uuid>,
    /// Its state; `held` while it waits for the running one, `None` once retention has swept it.
    pub state: Option<String>,
    /// When it was started.
    #[serde(with = "time::option")]
    pub created_at: Option<SystemTime>,
    /// When it ended.
    #[serde(with = "time::option")]
    pub finished_at: Option<SystemTime>,
    /// JSON text.
    #[serde(serialize_with = "json")]
    pub error: Option<String>,
}

/// A row of the view `calendars`.
#[derive(Clone, Debug, Serialize)]
pub struct CalendarInfo {
    /// The name.
    pub name: String,
    /// Days as `2026-12-25`.
    pub days: Vec<String>,
    /// Days of each week, as `sat`.
    pub weekdays: Vec<String>,
    /// Times from one moment to another.
    pub during: Vec<During>,
    /// The schedules that exclude it.
    pub schedules: Vec<String>,
}

/// A time from one moment to another; `None`: without a beginning, or an end.
#[derive(Clone, Debug, Serialize)]
pub struct During {
    /// The first moment.
    #[serde(with = "time::option")]
    pub from: Option<SystemTime>,
    /// The one after the last.
    #[serde(with = "time::option")]
    pub to: Option<SystemTime>,
}

impl Client {
    /// Makes or replaces a schedule; gives when it starts next.
    pub async fn schedule(
        &self,
        name: &str,
        options: &ScheduleOptions,
    ) -> Result<Option<SystemTime>> {
        let mut call = Arguments::new("schedule", &name);
        let [
            every,
            catch_up,
            jitter,
            timeout,
            start_timeout,
            attempt_timeout,
            heartbeat_timeout,
        ] = [
            options.every,
            options.catch_up,
            options.jitter,
            options.timeout,
            options.start_timeout,
            options.attempt_timeout,
            options.heartbeat_timeout,
        ]
        .map(seconds);
        call.give("cron", &options.cron, Type::TEXT, "$");
        call.give("every", &every, Type::FLOAT8, SECONDS);
        call.give("task", &options.task, Type::TEXT, "$");
        call.give("workflow", &options.workflow, Type::TEXT, "$");
        call.give("inputs", &options.inputs, Type::TEXT, "$::jsonb");
        call.give("time_zone", &options.time_zone, Type::TEXT, "$");
        call.give("overlap", &options.overlap, Type::TEXT, "$");
        call.give("catch_up", &catch_up, Type::FLOAT8, SECONDS);
        call.give("jitter", &jitter, Type::FLOAT8, SECONDS);
        call.give("queue", &options.queue, Type::TEXT, "$");
        call.give("priority", &options.priority, Type::INT4, "$");
        call.give("retry", &options.retry, Type::TEXT, "$::jsonb");
        call.give("timeout", &timeout, Type::FLOAT8, SECONDS);
        call.give("start_timeout", &start_timeout, Type::FLOAT8, SECONDS);
        call.give("attempt_timeout", &attempt_timeout, Type::FLOAT8, SECONDS);
        call.give(
            "heartbeat_timeout",
            &heartbeat_timeout,
            Type::FLOAT8,
            SECONDS,
        );
        call.give("remember", &options.remember, Type::TEXT, "$");
        call.give("result", &options.result, Type::TEXT, "$");
        call.give("exclude", &options.exclude, Type::TEXT_ARRAY, "$");
        call.give("starts_at", &options.starts_at, Type::TIMESTAMPTZ, "$");
        call.give("ends_at", &options.ends_at, Type::TIMESTAMPTZ, "$");
        Ok(self.row(&call.sql(), &call.parameters).await?.try_get(0)?)
    }

    /// Deletes a schedule; false when there is none of this name.
    pub async fn unschedule(&self, name: &str) -> Result<bool> {
        let parameters: [Parameter<'_>; 1] = [(&name, Type::TEXT)];
        let row = self.row("select rhythm.unschedule($1)", &parameters);
        Ok(row.await?.try_get(0)?)
    }

    /// Lets a schedule start nothing by itself; false when it was paused before.
    pub async fn pause_schedule(&self, name: &str, reason: Option<&str>) -> Result<bool> {
        let parameters: [Parameter<'_>; 2] = [(&name, Type::TEXT), (&reason, Type::TEXT)];
        let row = self.row("select rhythm.pause_schedule($1, $2)", &parameters);
        Ok(row.await?.try_get(0)?)
    }

    /// Ends a pause; false when there was none.
    pub async fn resume_schedule(&self, name: &str) -> Result<bool> {
        let parameters: [Parameter<'_>; 1] = [(&name, Type::TEXT)];
        let row = self.row("select rhythm.resume_schedule($1)", &parameters);
        Ok(row.await?.try_get(0)?)
    }

    /// Starts one now; `None` when the overlap policy (or the one given) skips or holds it.
    pub async fn trigger_schedule(
        &self,
        name: &str,
        overlap: Option<&str>,
    ) -> Result<Option<Uuid>> {
        let parameters: [Parameter<'_>; 2] = [(&name, Type::TEXT), (&overlap, Type::TEXT)];
        let row = self.row("select rhythm.trigger_schedule($1, $2)", &parameters);
        Ok(row.await?.try_get(0)?)
    }

    /// Starts the ticks of a time that is over, but for those that were started; gives their number.
    pub async fn backfill_schedule(
        &self,
        name: &str,
        since: SystemTime,
        until: Option<SystemTime>,
        overlap: Option<&str>,
    ) -> Result<i32> {
        let mut call = Arguments::new("backfill_schedule", &name);
        let since = Some(since);
        call.give("since", &since, Type::TIMESTAMPTZ, "$");
        call.give("until", &until, Type::TIMESTAMPTZ, "$");
        call.give("overlap", &overlap, Type::TEXT, "$");
        Ok(self.row(&call.sql(), &call.parameters).await?.try_get(0)?)
    }

    /// The ticks of a schedule that come after `since`, or after now.
    pub async fn schedule_times(
        &self,
        name: &str,
        count: i32,
        since: Option<SystemTime>,
    ) -> Result<Vec<SystemTime>> {
        let parameters: [Parameter<'_>; 3] = [
            (&name, Type::TEXT),
            (&count, Type::INT4),
            (&since, Type::TIMESTAMPTZ),
        ];
        let sql = "select t from rhythm.schedule_times($1, $2, $3) t";
        self.times(sql, &parameters).await
    }

    /// The times of a cron expression that come after `since`, or after now.
    pub async fn cron_times(
        &self,
        cron: &str,
        time_zone: &str,
        count: i32,
        since: Option<SystemTime>,
    ) -> Result<Vec<SystemTime>> {
        let parameters: [Parameter<'_>; 4] = [
            (&cron, Type::TEXT),
            (&time_zone, Type::TEXT),
            (&count, Type::INT4),
            (&since, Type::TIMESTAMPTZ),
        ];
        let sql = "select t from rhythm.cron_times($1, $2, $3, $4) t";
        self.times(sql, &parameters).await
    }

    async fn times(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<SystemTime>> {
        let rows = self.rows(sql, parameters).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Makes or replaces a calendar of exclusion: days as `2026-12-25`, weekdays as `sat`, times from one moment to
    /// another.
    pub async fn set_calendar(
        &self,
        name: &str,
        days: &[String],
        weekdays: &[String],
        during: &[(SystemTime, SystemTime)],
    ) -> Result<()> {
        let ranges: Vec<String> = during
            .iter()
            .map(|(from, to)| format!("[{},{})", time::iso(*from), time::iso(*to)))
            .collect();
        let during = format!("{{{}}}", ranges.join(","));
        let parameters: [Parameter<'_>; 4] = [
            (&name, Type::TEXT),
            (&days, Type::TEXT_ARRAY),
            (&weekdays, Type::TEXT_ARRAY),
            (&during, Type::TEXT),
        ];
        let sql = "select rhythm.set_calendar($1, $2::date[], $3, $4::tstzmultirange)";
        self.row(sql, &parameters).await?;
        Ok(())
    }

    /// Deletes a calendar that no schedule excludes; false when there is none of this name.
    pub async fn delete_calendar(&self, name: &str) -> Result<bool> {
        let parameters: [Parameter<'_>; 1] = [(&name, Type::TEXT)];
        let row = self.row("select rhythm.delete_calendar($1)", &parameters);
        Ok(row.await?.try_get(0)?)
    }

    /// All calendars of exclusion, or the one of a name.
    pub async fn calendars(&self, name: Option<&str>) -> Result<Vec<CalendarInfo>> {
        let sql = "select name, days::text[], weekdays, \
                   array(select nullif(lower(r), '-infinity') from unnest(during) r order by r), \
                   array(select nullif(upper(r), 'infinity') from unnest(during) r order by r), schedules \
                   from rhythm.calendars where name = coalesce($1, name) order by name";
        self.rows(sql, &[(&name, Type::TEXT)])
            .await?
            .iter()
            .map(|row| {
                let (from, to): (Vec<_>, Vec<_>) = (row.try_get(3)?, row.try_get(4)?);
                let during = from.into_iter().zip(to);
                Ok(CalendarInfo {
                    name: row.try_get(0)?,
                    days: row.try_get(1)?,
                    weekdays: row.try_get(2)?,
                    during: during.map(|(from, to)| During { from, to }).collect(),
                    schedules: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// The last starts of all schedules, or of the one of a name, and what is held back; the newest first.
    pub async fn schedule_runs(&self, name: Option<&str>, limit: i64) -> Result<Vec<ScheduleRun>> {
        let sql = "select schedule, tick, cause, id, state::text, created_at, finished_at, error::text \
                   from rhythm.schedule_runs where schedule = coalesce($1, schedule) \
                   order by tick desc, created_at desc nulls first limit $2";
        self.rows(sql, &[(&name, Type::TEXT), (&limit, Type::INT8)])
            .await?
            .iter()
            .map(|row| {
                Ok(ScheduleRun {
                    schedule: row.try_get(0)?,
                    tick: row.try_get(1)?,
                    cause: row.try_get(2)?,
                    id: row.try_get(3)?,
                    state: row.try_get(4)?,
                    created_at: row.try_get(5)?,
                    finished_at: row.try_get(6)?,
                    error: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// All schedules, or the one of a name.
    pub async fn schedules(&self, name: Option<&str>) -> Result<Vec<ScheduleInfo>> {
        let sql = "select name, kind, target, spec, time_zone, overlap, inputs::text, queue, exclude, \
                   next_at, last_at, last_id, last_state, running::bigint, held::bigint, started, \
                   skipped, missed, failed, last_error::text, paused_at, pause_reason, \
                   extract(epoch from catch_up)::float8, extract(epoch from jitter)::float8, priority, retry::text, \
                   extract(epoch from timeout)::float8, extract(epoch from start_timeout)::float8, \
                   extract(epoch from attempt_timeout)::float8, extract(epoch from heartbeat_timeout)::float8, \
                   remember, result, starts_at, ends_at from rhythm.schedules where name = coalesce($1, name) order by name";
        self.rows(sql, &[(&name, Type::TEXT)])
            .await?
            .iter()
            .map(|row| {
                Ok(ScheduleInfo {
                    name: row.try_get(0)?,
                    kind: row.try_get(1)?,
                    target: row.try_get(2)?,
                    spec: row.try_get(3)?,
                    time_zone: row.try_get(4)?,
                    overlap: row.try_get(5)?,
                    inputs: row.try_get(6)?,
                    queue: row.try_get(7)?,
                    exclude: row.try_get(8)?,
                    next_at: row.try_get(9)?,
                    last_at: row.try_get(10)?,
                    last_id: row.try_get(11)?,
                    last_state: row.try_get(12)?,
                    running: row.try_get(13)?,
                    held: row.try_get(14)?,
                    started: row.try_get(15)?,
                    skipped: row.try_get(16)?,
                    missed: row.try_get(17)?,
                    failed: row.try_get(18)?,
                    last_error: row.try_get(19)?,
                    paused_at: row.try_get(20)?,
                    pause_reason: row.try_get(21)?,
                    catch_up: row.try_get(22)?,
                    jitter: row.try_get(23)?,
                    priority: row.try_get(24)?,
                    retry: row.try_get(25)?,
                    timeout: row.try_get(26)?,
                    start_timeout: row.try_get(27)?,
                    attempt_timeout: row.try_get(28)?,
                    heartbeat_timeout: row.try_get(29)?,
                    remember: row.try_get(30)?,
                    result: row.try_get(31)?,
                    starts_at: row.try_get(32)?,
                    ends_at: row.try_get(33)?,
                })
            })
            .collect()
    }
}

/// An interval of seconds.
const SECONDS: &str = "make_interval(secs => $)";

/// A call by names, with those arguments alone that are given.
struct Arguments<'a> {
    function: &'static str,
    words: Vec<String>,
    parameters: Vec<Parameter<'a>>,
}

impl<'a> Arguments<'a> {
    fn new(function: &'static str, name: &'a &str) -> Self {
        Self {
            function,
            words: vec!["$1".to_owned()],
            parameters: vec![(name, Type::TEXT)],
        }
    }

    /// Adds an argument if there is one; in `form`, `$` stands for its value.
    fn give<T: ToSql + Sync>(&mut self, name: &str, value: &'a Option<T>, kind: Type, form: &str) {
        if let Some(value) = value {
            self.parameters.push((value, kind));
            let place = format!("${}", self.parameters.len());
            self.words
                .push(format!("{name} => {}", form.replace('$', &place)));
        }
    }

    fn sql(&self) -> String {
        format!("select rhythm.{}({})", self.function, self.words.join(", "))
    }
}
