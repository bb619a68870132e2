//! `rhythm list`.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use comfy_table::Cell;

use crate::cli::Context;
use crate::commands::input;
use crate::error::Result;
use crate::output::Output;
use crate::render::time;

/// List executions, the newest first
#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only those in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only tasks, or only workflows
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only those of this name
    #[arg(long)]
    name: Option<String>,
    /// Only those of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only runs of the workflow --name that have published these attributes, as JSON: '{"customer": 7}'
    #[arg(long, requires = "name", conflicts_with_all = ["kind", "queue"], value_name = "JSON")]
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
        let state = args.state.map(word);
        let client = context.client().await?;
        let found = client.find(name, &published, state.as_deref(), max).await?;
        context
            .output
            .either(&found, || table(&found, context.output));
        return Ok(());
    }
    let client = context.client().await?;
    let filter = rhythm_client::ExecutionFilter {
        state: args.state.map(|state| word(state).parse()).transpose()?,
        kind: args.kind.map(word),
        name: args.name,
        queue: args.queue,
        limit: args.limit.into(),
    };
    let found = client.executions(&filter).await?;
    context
        .output
        .either(&found, || table(&found, context.output));
    Ok(())
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
