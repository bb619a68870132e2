//! `rhythm schedule`.

use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use rhythm_client::{ScheduleInfo, ScheduleOptions};
use serde_json::json;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};
use crate::output::Output;
use crate::render::execution::{compact, facts};
use crate::render::time;

/// Start tasks and workflows at times: list, set, pause, trigger, backfill
#[derive(Args)]
pub(crate) struct ScheduleArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List schedules with when they start next, and what came of the last time
    List,
    /// Show a schedule
    Show {
        /// Name of the schedule
        name: String,
    },
    /// Make a schedule, or replace it
    Set(Box<SetArgs>),
    /// Delete a schedule; what it has started runs on
    Delete {
        /// Name of the schedule
        name: String,
    },
    /// Let a schedule start nothing by itself
    Pause {
        /// Name of the schedule
        name: String,
        /// Why, for whoever looks
        #[arg(long)]
        reason: Option<String>,
    },
    /// Go on with a paused schedule, at its next time
    Resume {
        /// Name of the schedule
        name: String,
    },
    /// Start one now
    Trigger {
        /// Name of the schedule
        name: String,
        /// What to do while the last one runs, instead of what the schedule says
        #[arg(long, value_enum)]
        overlap: Option<Overlap>,
    },
    /// Start what was not started in a time that is over
    Backfill {
        /// Name of the schedule
        name: String,
        /// From when: 2026-11-24T03:53Z, or how long ago, such as 3d
        #[arg(long, value_parser = input::past, value_name = "TIME")]
        since: SystemTime,
        /// Until when; otherwise until now
        #[arg(long, value_parser = input::past, value_name = "TIME")]
        until: Option<SystemTime>,
        /// What to do while one runs; otherwise one starts after the other
        #[arg(long, value_enum)]
        overlap: Option<Overlap>,
    },
    /// Print the next times of a schedule, or of a cron expression
    Next {
        /// Name of the schedule
        #[arg(required_unless_present = "cron", conflicts_with_all = ["cron", "time_zone"])]
        name: Option<String>,
        /// A cron expression, to see what it means
        #[arg(long, value_name = "EXPRESSION")]
        cron: Option<String>,
        /// On whose clock it is read, such as Europe/Berlin
        #[arg(long, default_value = "UTC", value_name = "ZONE")]
        time_zone: String,
        /// How many
        #[arg(long, default_value_t = 5)]
        count: i32,
        /// After this time instead of now
        #[arg(long, value_parser = input::moment, value_name = "TIME")]
        since: Option<SystemTime>,
    },
}

#[derive(Args)]
struct SetArgs {
    /// Name of the schedule
    name: String,
    /// Inputs of what it starts as JSON; @FILE reads a file, - reads stdin
    #[arg(value_name = "JSON")]
    inputs: Option<String>,
    /// When: minute, hour, day of month, month, weekday; with six fields, seconds come first
    #[arg(
        long,
        value_name = "EXPRESSION",
        required_unless_present = "every",
        conflicts_with = "every"
    )]
    cron: Option<String>,
    /// Or how often, such as 90s, 15m, 24h
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    every: Option<Duration>,
    /// Name of the task to start
    #[arg(
        long,
        required_unless_present = "workflow",
        conflicts_with = "workflow"
    )]
    task: Option<String>,
    /// Or of the workflow
    #[arg(long)]
    workflow: Option<String>,
    /// On whose clock the expression is read, such as Europe/Berlin; otherwise UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What to do while the last one runs; otherwise skip
    #[arg(long, value_enum)]
    overlap: Option<Overlap>,
    /// How late it may still start, after an outage; otherwise a day
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    catch_up: Option<Duration>,
    /// Delay each start by a random time up to this
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    jitter: Option<Duration>,
    /// Not on the days and times of this calendar
    #[arg(long, value_name = "CALENDAR")]
    exclude: Vec<String>,
    /// Queue, instead of that of the task
    #[arg(long)]
    queue: Option<String>,
    /// Larger goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// How to retry what it starts, as JSON: {"maxAttempts": 5, "initial": "1s", "backoff": 2, "max": "5m"}
    #[arg(long, value_name = "JSON")]
    retry: Option<String>,
    /// How long it may take
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// How long a task may wait for its first attempt
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    start_timeout: Option<Duration>,
    /// How long each attempt of a task may take
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    attempt_timeout: Option<Duration>,
    /// How long the worker of a task may be silent
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    heartbeat_timeout: Option<Duration>,
    /// How long the key of a completed start is kept: '30 days', 0 or forever
    #[arg(long, value_name = "TIME")]
    remember: Option<String>,
    /// What becomes of results
    #[arg(long, value_parser = ["keep", "discard"])]
    result: Option<String>,
    /// Not before this time, in UTC
    #[arg(long, value_parser = input::moment, value_name = "TIME")]
    starts_at: Option<SystemTime>,
    /// Not after this time
    #[arg(long, value_parser = input::moment, value_name = "TIME")]
    ends_at: Option<SystemTime>,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Overlap {
    /// Leave the new one out
    Skip,
    /// Let one wait for its turn
    QueueOne,
    /// Let all wait for their turn
    QueueAll,
    /// Cancel the running one, and start when it has ended
    CancelOther,
    /// Start it beside the other
    Allow,
}

impl Overlap {
    fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::QueueOne => "queue_one",
            Self::QueueAll => "queue_all",
            Self::CancelOther => "cancel_other",
            Self::Allow => "allow",
        }
    }
}

pub(crate) async fn run(args: ScheduleArgs, context: &Context) -> Result<()> {
    let output = context.output;
    let client = context.client().await?;
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => {
            let schedules = client.schedules(None).await?;
            output.either(&schedules, || table(&schedules, output));
        }
        Verb::Show { name } => {
            let found = client.schedules(Some(&name)).await?;
            let Some(schedule) = found.first() else {
                return Err(unknown(&name));
            };
            output.either(schedule, || details(schedule, output));
        }
        Verb::Set(args) => {
            let (name, options) = options(*args)?;
            let next = client.schedule(&name, &options).await?;
            let answer = json!({ "schedule": name, "next_at": next.map(rhythm_client::time::iso) });
            output.either(&answer, || format!("{name} starts next {}", moment(next)));
        }
        Verb::Delete { name } => {
            if !client.unschedule(&name).await? {
                return Err(unknown(&name));
            }
            output.either(&json!({ "schedule": name, "deleted": true }), || {
                format!("{name} is deleted")
            });
        }
        Verb::Pause { name, reason } => {
            client.pause_schedule(&name, reason.as_deref()).await?;
            output.either(&json!({ "schedule": name, "paused": true }), || {
                format!("{name} is paused")
            });
        }
        Verb::Resume { name } => {
            client.resume_schedule(&name).await?;
            output.either(&json!({ "schedule": name, "paused": false }), || {
                format!("{name} goes on")
            });
        }
        Verb::Trigger { name, overlap } => {
            let id = client
                .trigger_schedule(&name, overlap.map(Overlap::word))
                .await?;
            output.either(&json!({ "schedule": name, "id": id }), || match id {
                Some(id) => id.to_string(),
                None => format!("{name} runs: its overlap policy skips or holds another"),
            });
        }
        Verb::Backfill {
            name,
            since,
            until,
            overlap,
        } => {
            let count = client
                .backfill_schedule(&name, since, until, overlap.map(Overlap::word))
                .await?;
            output.either(&json!({ "schedule": name, "count": count }), || {
                format!("{name}: {count} to start")
            });
        }
        Verb::Next {
            name,
            cron,
            time_zone,
            count,
            since,
        } => {
            let times = match (name, cron) {
                (Some(name), _) => client.schedule_times(&name, count, since).await?,
                (None, cron) => {
                    let cron = cron.unwrap_or_default();
                    client.cron_times(&cron, &time_zone, count, since).await?
                }
            };
            let iso: Vec<_> = times
                .iter()
                .map(|at| rhythm_client::time::iso(*at))
                .collect();
            output.either(&iso, || {
                let lines: Vec<_> = times.iter().map(|at| moment(Some(*at))).collect();
                if lines.is_empty() {
                    "none".to_owned()
                } else {
                    lines.join("\n")
                }
            });
        }
    }
    Ok(())
}

fn unknown(name: &str) -> CliError {
    CliError::user(format!("there is no schedule {name}")).hint("See `rhythm schedule list`.")
}

fn options(args: SetArgs) -> Result<(String, ScheduleOptions)> {
    let options = ScheduleOptions {
        cron: args.cron,
        every: args.every,
        task: args.task,
        workflow: args.workflow,
        inputs: args.inputs.as_deref().map(input::json).transpose()?,
        time_zone: args.time_zone,
        overlap: args.overlap.map(|overlap| overlap.word().to_owned()),
        catch_up: args.catch_up,
        jitter: args.jitter,
        queue: args.queue,
        priority: args.priority,
        retry: args.retry.as_deref().map(input::json).transpose()?,
        timeout: args.timeout,
        start_timeout: args.start_timeout,
        attempt_timeout: args.attempt_timeout,
        heartbeat_timeout: args.heartbeat_timeout,
        remember: args.remember,
        result: args.result,
        exclude: (!args.exclude.is_empty()).then_some(args.exclude),
        starts_at: args.starts_at,
        ends_at: args.ends_at,
    };
    Ok((args.name, options))
}

fn moment(at: Option<SystemTime>) -> String {
    match at {
        Some(at) => format!("{} UTC", time::timestamp(at)),
        None => "never".to_owned(),
    }
}

/// When it starts next, for people: how far away, or why not.
fn next(schedule: &ScheduleInfo, now: SystemTime) -> String {
    match (schedule.paused_at, schedule.next_at) {
        (Some(_), _) => "paused".to_owned(),
        (None, Some(at)) => format!("in {}", time::between(now, at)),
        (None, None) => "over".to_owned(),
    }
}

fn table(schedules: &[ScheduleInfo], output: Output) -> String {
    if schedules.is_empty() {
        return "none".to_owned();
    }
    let now = SystemTime::now();
    let mut table = output.table(&[
        "schedule", "starts", "when", "zone", "next", "last", "running", "held",
    ]);
    for schedule in schedules {
        table.add_row([
            Cell::new(&schedule.name),
            Cell::new(format!("{} {}", schedule.kind, schedule.target)),
            Cell::new(&schedule.spec),
            Cell::new(&schedule.time_zone),
            Cell::new(next(schedule, now)),
            match &schedule.last_state {
                Some(state) => output.state_cell(state),
                None => Cell::new(""),
            },
            Cell::new(schedule.running),
            Cell::new(schedule.held),
        ]);
    }
    output.draw(table)
}

fn details(schedule: &ScheduleInfo, output: Output) -> String {
    let last = schedule.last_id.map(|id| {
        let state = schedule.last_state.as_deref().unwrap_or("swept");
        format!("{} {}, {id}", moment(schedule.last_at), output.state(state))
    });
    let paused = schedule.paused_at.map(|at| {
        let reason = schedule
            .pause_reason
            .as_deref()
            .unwrap_or("no reason given");
        format!("since {}: {reason}", moment(Some(at)))
    });
    let counts = format!(
        "{} started, {} skipped, {} missed, {} failed; {} running, {} held",
        schedule.started,
        schedule.skipped,
        schedule.missed,
        schedule.failed,
        schedule.running,
        schedule.held
    );
    let given = |text: &Option<String>| text.as_deref().map(compact);
    let exclude = (!schedule.exclude.is_empty()).then(|| schedule.exclude.join(", "));
    facts(
        &[
            (
                "starts",
                Some(format!("{} {}", schedule.kind, schedule.target)),
            ),
            (
                "when",
                Some(format!("{} ({})", schedule.spec, schedule.time_zone)),
            ),
            ("exclude", exclude),
            ("not before", schedule.starts_at.map(|at| moment(Some(at)))),
            ("not after", schedule.ends_at.map(|at| moment(Some(at)))),
            ("overlap", Some(schedule.overlap.clone())),
            ("catch up", time::span(Some(schedule.catch_up))),
            (
                "jitter",
                time::span(Some(schedule.jitter).filter(|jitter| *jitter > 0.0)),
            ),
            ("next", Some(moment(schedule.next_at))),
            ("paused", paused),
            ("last", last),
            ("ticks", Some(counts)),
            ("queue", schedule.queue.clone()),
            (
                "priority",
                schedule.priority.map(|priority| priority.to_string()),
            ),
            ("retry", given(&schedule.retry)),
            ("start timeout", time::span(schedule.start_timeout)),
            ("attempt timeout", time::span(schedule.attempt_timeout)),
            ("timeout", time::span(schedule.timeout)),
            ("heartbeat timeout", time::span(schedule.heartbeat_timeout)),
            ("remember", schedule.remember.clone()),
            ("result", schedule.result.clone()),
            ("inputs", given(&schedule.inputs)),
            ("error", given(&schedule.last_error)),
        ],
        output,
    )
}
