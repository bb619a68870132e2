//! `rhythm pause` and `rhythm resume`: everything, a queue, or a task name.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;

/// Stop everything, a queue, or the tasks of one name
///
/// Workers get nothing of it; what runs goes on. With --all workflows take no step and timers do not
/// fire either.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm pause --queue mail --reason 'the relay is down'
  rhythm pause --task charge --reason 'wrong amounts'
  rhythm pause --all --reason 'migration of the shop'")]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    what: What,
    /// Why, for those who ask `rhythm why`
    #[arg(long)]
    reason: Option<String>,
}

/// Go on with everything, a queue, or the tasks of one name
///
/// What has become due meanwhile happens now. Without arguments it lists what is paused.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm resume
  rhythm resume --queue mail
  rhythm resume --task charge
  rhythm resume --all")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    what: MaybeWhat,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// A queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Tasks of this name, in all queues
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
#[group(multiple = false)]
struct MaybeWhat {
    /// A queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Tasks of this name, in all queues
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Everything; queues and tasks that are paused by themselves stay so
    #[arg(long)]
    all: bool,
}

pub(crate) async fn pause(args: PauseArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let reason = args.reason.as_deref();
    match (args.what.queue, args.what.task) {
        (Some(queue), _) => {
            client.pause_queue(&queue, reason).await?;
            context
                .output
                .either(&json!({ "queue": queue, "paused": true }), || {
                    format!("{queue} is paused")
                });
        }
        (_, Some(task)) => {
            client.pause_task(&task, reason).await?;
            context
                .output
                .either(&json!({ "task": task, "paused": true }), || {
                    format!("tasks {task} are paused")
                });
        }
        (None, None) => {
            client.pause_all(reason).await?;
            context
                .output
                .either(&json!({ "all": true, "paused": true }), || {
                    "everything is paused".to_owned()
                });
        }
    }
    Ok(())
}

pub(crate) async fn resume(args: ResumeArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let output = context.output;
    match args.what {
        MaybeWhat {
            queue: Some(queue), ..
        } => {
            client.resume_queue(&queue).await?;
            output.either(&json!({ "queue": queue, "paused": false }), || {
                format!("{queue} goes on")
            });
        }
        MaybeWhat {
            task: Some(task), ..
        } => {
            client.resume_task(&task).await?;
            output.either(&json!({ "task": task, "paused": false }), || {
                format!("tasks {task} go on")
            });
        }
        MaybeWhat { all: true, .. } => {
            client.resume_all().await?;
            let left = client.pauses().await?;
            output.either(
                &json!({ "all": true, "paused": false, "left": left }),
                || match left.as_slice() {
                    [] => "everything goes on".to_owned(),
                    left => format!(
                        "everything goes on, but for what is paused by itself:\n{}",
                        table(left, output)
                    ),
                },
            );
        }
        MaybeWhat { .. } => {
            let pauses = client.pauses().await?;
            output.either(&pauses, || table(&pauses, output));
        }
    }
    Ok(())
}

fn table(pauses: &[rhythm_client::Pause], output: crate::output::Output) -> String {
    if pauses.is_empty() {
        return "nothing is paused".to_owned();
    }
    let mut table = output.table(&["what", "name", "by", "since (UTC)", "reason"]);
    for pause in pauses {
        let since = pause.paused_at.map(crate::render::time::timestamp);
        table.add_row([
            pause.what.as_str(),
            pause.name.as_deref().unwrap_or_default(),
            pause.paused_by.as_deref().unwrap_or_default(),
            since.as_deref().unwrap_or_default(),
            pause.reason.as_deref().unwrap_or_default(),
        ]);
    }
    let mut shown = output.draw(table);
    if pauses.iter().any(rhythm_client::Pause::wants_adoption) {
        shown.push_str("\n`rhythm adopt` lets this database run, if it is no test copy.");
    }
    shown
}
