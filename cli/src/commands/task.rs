//! `rhythm task`.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use comfy_table::Cell;
use rhythm_client::TaskInfo;
use serde_json::json;

use crate::cli::Context;
use crate::error::{CliError, Result};
use crate::output::Output;
use crate::render::execution::{compact, facts};
use crate::render::time;

/// List, show, pause and resume tasks that workers have registered
///
/// Without a verb it lists them. With --json also what each one takes, as a JSON Schema.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  rhythm tasks
  rhythm task show send_mail
  rhythm task pause charge --reason 'wrong amounts'"
)]
pub(crate) struct TaskArgs {
    /// Only those with this in their name; of a single one, all that is known
    name: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List tasks with their queues, timeouts and workers
    List,
    /// Show a task: its defaults, what it takes, and who serves it
    Show {
        /// Name of the task
        name: String,
    },
    /// Hand out no more tasks of this name, from no queue
    ///
    /// What runs goes on.
    Pause {
        /// Name of the task
        name: String,
        /// Why, for those who ask `rhythm why`
        #[arg(long)]
        reason: Option<String>,
    },
    /// Go on with the tasks of a paused name
    Resume {
        /// Name of the task
        name: String,
    },
}

pub(crate) async fn run(args: TaskArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let output = context.output;
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => {
            let mut tasks = client.tasks().await?;
            let part = args.name.unwrap_or_default();
            tasks.retain(|task| task.name.contains(&part));
            output.either(&tasks, || match tasks.as_slice() {
                [task] if !part.is_empty() => whole(task, output),
                tasks => table(tasks, output),
            });
        }
        Verb::Show { name } => {
            let tasks = client.tasks().await?;
            let task = tasks.iter().find(|task| task.name == name).ok_or_else(|| {
                CliError::user(format!("no worker has registered a task '{name}'"))
                    .hint("`rhythm tasks` lists those that are.")
            })?;
            output.either(task, || whole(task, output));
        }
        Verb::Pause { name, reason } => {
            client.pause_task(&name, reason.as_deref()).await?;
            output.either(&json!({ "task": name, "paused": true }), || {
                format!("tasks {name} are paused")
            });
        }
        Verb::Resume { name } => {
            client.resume_task(&name).await?;
            output.either(&json!({ "task": name, "paused": false }), || {
                format!("tasks {name} go on")
            });
        }
    }
    Ok(())
}

fn seen(task: &TaskInfo) -> Option<String> {
    let now = SystemTime::now();
    let ago = |at| format!("{} ago", time::between(at, now));
    task.last_seen.map(ago)
}

/// All that is known of one task.
fn whole(task: &TaskInfo, output: Output) -> String {
    let check = task.schema_check.as_deref();
    let inputs = match (&task.input_schema, check) {
        (Some(schema), Some(check)) => format!("{} ({check} what does not fit)", compact(schema)),
        _ => "any".to_owned(),
    };
    facts(
        &[
            ("task", Some(task.name.clone())),
            ("queue", Some(task.queue.clone())),
            ("inputs", Some(inputs)),
            ("retry", task.retry.as_deref().map(compact)),
            ("start timeout", time::span(task.start_timeout)),
            ("attempt timeout", time::span(task.attempt_timeout)),
            ("timeout", time::span(task.timeout)),
            ("heartbeat timeout", time::span(task.heartbeat_timeout)),
            (
                "priority",
                task.priority.map(|priority| priority.to_string()),
            ),
            ("remember", task.remember.clone()),
            ("result", task.result.clone()),
            (
                "workers",
                Some(task.workers.join(", ")).filter(|names| !names.is_empty()),
            ),
            ("last seen", seen(task)),
        ],
        output,
    )
}

fn table(tasks: &[TaskInfo], output: Output) -> String {
    if tasks.is_empty() {
        return "none".to_owned();
    }
    let mut table = output.table(&[
        "task",
        "queue",
        "inputs",
        "start",
        "attempt",
        "timeout",
        "priority",
        "remember",
        "result",
        "workers",
        "last seen",
    ]);
    for task in tasks {
        table.add_row([
            Cell::new(&task.name),
            Cell::new(&task.queue),
            Cell::new(task.schema_check.as_deref().unwrap_or("any")),
            Cell::new(time::span(task.start_timeout).unwrap_or_default()),
            Cell::new(time::span(task.attempt_timeout).unwrap_or_default()),
            Cell::new(time::span(task.timeout).unwrap_or_default()),
            Cell::new(task.priority.map(|p| p.to_string()).unwrap_or_default()),
            Cell::new(task.remember.as_deref().unwrap_or_default()),
            Cell::new(task.result.as_deref().unwrap_or_default()),
            Cell::new(task.workers.join(", ")),
            Cell::new(seen(task).unwrap_or_default()),
        ]);
    }
    output.draw(table)
}
