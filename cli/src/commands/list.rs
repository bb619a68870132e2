//! `rhythm list`.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use comfy_table::Cell;
use uuid::Uuid;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};
use crate::output::Output;
use crate::render::time;

/// List executions, the newest first
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm list --state failed,timed_out --queue stripe --since 1d
  rhythm list --name send_mail --limit 100 --after 0190a1b2-0000-7000-8000-000000000000")]
pub(crate) struct ListArgs {
    /// Only those in one of these states, separated by commas
    #[arg(long, visible_alias = "status", value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Only tasks, or only workflows
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only those of this name
    #[arg(long)]
    name: Option<String>,
    /// Only those of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only those with this key of their caller
    #[arg(long, value_name = "KEY")]
    task_id: Option<String>,
    /// Only those that were made since then: how long ago, such as 90s, 15m, 24h, or a time in UTC
    #[arg(long, value_parser = input::past, value_name = "TIME")]
    since: Option<SystemTime>,
    /// Only those that were made before then
    #[arg(long, value_parser = input::past, value_name = "TIME")]
    until: Option<SystemTime>,
    /// The next page: what comes after the last execution of this one
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
    /// Only runs of the workflow --name that have published these attributes, as JSON: '{"customer": 7}'
    #[arg(long, requires = "name", conflicts_with_all = ["kind", "queue", "task_id", "since", "until", "after"], value_name = "JSON")]
    published: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    limit: u32,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum State {
    Pending,
    Scheduled,
    Running,
    Waiting,
    Completed,
    Failed,
    Cancelled,
    TimedOut,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Task,
    Workflow,
}

fn word(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|v| v.get_name().to_owned())
        .unwrap_or_default()
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<()> {
    if let (Some(published), Some(name)) = (&args.published, &args.name) {
        let published = input::json(published)?;
        let max = args.limit.try_into().unwrap_or(i32::MAX);
        let state = match args.state.as_slice() {
            [] => None,
            [state] => Some(word(*state)),
            _ => {
                let many = CliError::usage("--published goes with one --state at most");
                return Err(many.hint("Ask for one state after the other."));
            }
        };
        let client = context.client().await?;
        let found = client.find(name, &published, state.as_deref(), max).await?;
        context
            .output
            .either(&found, || table(&found, context.output));
        return Ok(());
    }
    let client = context.client().await?;
    let after = match args.after {
        Some(id) => {
            let last = client.execution(id).await?.ok_or_else(|| gone(id))?;
            Some((last.created_at, id))
        }
        None => None,
    };
    let states: rhythm_client::Result<Vec<_>> =
        args.state.into_iter().map(|s| word(s).parse()).collect();
    let filter = rhythm_client::ExecutionFilter {
        states: states?,
        kind: args.kind.map(word),
        name: args.name,
        queue: args.queue,
        task_id: args.task_id,
        since: args.since,
        until: args.until,
        after,
        limit: args.limit.into(),
    };
    let found = client.executions(&filter).await?;
    context
        .output
        .either(&found, || table(&found, context.output));
    Ok(())
}

fn gone(id: Uuid) -> CliError {
    CliError::user(format!("there is no execution {id}"))
        .hint("What ended long ago is removed; go on with --until and a time.")
}

fn table(executions: &[rhythm_client::Execution], output: Output) -> String {
    if executions.is_empty() {
        return "none".to_owned();
    }
    let now = SystemTime::now();
    let mut table = output.table(&[
        "id", "name", "kind", "state", "queue", "age", "took", "note",
    ]);
    for execution in executions {
        let took = execution
            .finished_at
            .map(|end| time::between(execution.created_at, end));
        table.add_row([
            Cell::new(execution.id),
            Cell::new(&execution.name),
            Cell::new(&execution.kind),
            output.state_cell(execution.state.as_str()),
            Cell::new(&execution.queue),
            Cell::new(time::between(execution.created_at, now)),
            Cell::new(took.unwrap_or_default()),
            Cell::new(execution.note.as_deref().unwrap_or_default()),
        ]);
    }
    output.draw(table)
}
