//! `rhythm tasks`.

use std::time::SystemTime;

use clap::Args;
use comfy_table::Cell;

use crate::cli::Context;
use crate::error::Result;
use crate::output::Output;
use crate::render::time;

/// List tasks that workers have registered
///
/// With --json also what each task takes, as a JSON Schema, and its defaults.
#[derive(Args)]
pub(crate) struct TasksArgs {
    /// Only those with this in their name
    name: Option<String>,
}

pub(crate) async fn run(args: TasksArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let mut tasks = client.tasks().await?;
    if let Some(part) = args.name {
        tasks.retain(|task| task.name.contains(&part));
    }
    context
        .output
        .either(&tasks, || table(&tasks, context.output));
    Ok(())
}

fn table(tasks: &[rhythm_client::TaskInfo], output: Output) -> String {
    if tasks.is_empty() {
        return "none".to_owned();
    }
    let now = SystemTime::now();
    let mut table = output.table(&["task", "queue", "inputs", "workers", "last seen"]);
    for task in tasks {
        let seen = task
            .last_seen
            .map(|at| format!("{} ago", time::between(at, now)));
        table.add_row([
            Cell::new(&task.name),
            Cell::new(&task.queue),
            Cell::new(task.schema_check.as_deref().unwrap_or("any")),
            Cell::new(task.workers.join(", ")),
            Cell::new(seen.unwrap_or_default()),
        ]);
    }
    output.draw(table)
}
