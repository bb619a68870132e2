//! `rhythm retry`.

use std::time::{Duration, SystemTime};

use clap::{ArgGroup, Args, ValueEnum};
use rhythm_client::RetryFilter;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::commands::input;
use crate::error::Result;

/// Run a failed execution again, or all that have failed
///
/// It goes on under the same id: a task with all its attempts anew, a workflow from its last await,
/// with the tasks and child workflows that it has failed of.
/// With --all, everything that fits does, the oldest first: all of it or nothing.
#[derive(Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "all"])), after_help = "Examples:
  rhythm retry 0190a1b2-0000-7000-8000-000000000000
  rhythm retry --all --queue stripe --error '%timeout%' --since 2h --dry-run
  rhythm retry --all --queue stripe --error '%timeout%' --since 2h --rate 10/sec")]
pub(crate) struct RetryArgs {
    /// Id of the execution
    id: Option<Uuid>,
    /// A task waits this long first, such as 90s, 15m, 24h
    #[arg(long, value_parser = input::duration, value_name = "DURATION", conflicts_with = "all")]
    delay: Option<Duration>,
    /// Let a run go on in this version of its workflow, 0 being the newest, as `rhythm move` does
    #[arg(long, conflicts_with = "all")]
    version: Option<i32>,
    #[command(flatten)]
    many: Many,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Task,
    Workflow,
    Both,
}

#[derive(Args)]
#[group(skip)]
struct Many {
    /// All that have failed or timed out and that fit what follows
    #[arg(long)]
    all: bool,
    /// Only those of this queue
    #[arg(long, requires = "all", conflicts_with = "id")]
    queue: Option<String>,
    /// Only those of this name
    #[arg(long, requires = "all", conflicts_with = "id")]
    name: Option<String>,
    /// Only those with this error: its name, its code, or a pattern of its message, such as '%timeout%'
    #[arg(long, requires = "all", conflicts_with = "id")]
    error: Option<String>,
    /// Only those that failed since then: how long ago, such as 90s, 15m, 24h, or a time in UTC
    #[arg(
        long,
        requires = "all",
        conflicts_with = "id",
        value_parser = input::past,
        value_name = "TIME"
    )]
    since: Option<SystemTime>,
    /// Tasks, workflows, or both
    #[arg(
        long,
        requires = "all",
        conflicts_with = "id",
        value_enum,
        default_value = "task"
    )]
    kind: Kind,
    /// Spread them over time: N/sec, N/min, N/hour, N/day
    #[arg(long, requires = "all", conflicts_with = "id")]
    rate: Option<String>,
    /// How many at most
    #[arg(long, requires = "all", conflicts_with = "id", value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    max: Option<i32>,
    /// Only say how many there are
    #[arg(long, requires = "all", conflicts_with = "id")]
    dry_run: bool,
}

pub(crate) async fn run(args: RetryArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    if let Some(id) = args.id {
        let id = client.retry(id, args.delay, args.version).await?;
        context
            .output
            .either(&json!({ "id": id }), || format!("{id} runs again"));
        return Ok(());
    }
    let many = args.many;
    let (kind, one, several) = match many.kind {
        Kind::Task => (Some("task"), "task", "tasks"),
        Kind::Workflow => (Some("workflow"), "workflow", "workflows"),
        Kind::Both => (None, "execution", "executions"),
    };
    let filter = RetryFilter {
        queue: many.queue,
        name: many.name,
        error: many.error,
        since: many.since,
        kind: kind.map(str::to_owned),
        rate: many.rate,
        max: many.max,
        dry_run: many.dry_run,
    };
    let count = client.retry_many(&filter).await?;
    let report = json!({ "count": count, "kind": kind, "dry_run": filter.dry_run });
    context.output.either(&report, || {
        let what = if count == 1 { one } else { several };
        match filter.dry_run {
            true => format!("{count} {what} would run again"),
            false => format!("{count} {what} again"),
        }
    });
    Ok(())
}
