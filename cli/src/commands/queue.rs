//! `rhythm queue`.

use clap::{Args, Subcommand};
use comfy_table::Cell;
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;
use crate::output::Output;

/// List, pause and resume queues
#[derive(Args)]
pub(crate) struct QueueArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List queues with what waits in them
    List,
    /// Hand out nothing more from a queue
    Pause {
        /// Name of the queue
        name: String,
    },
    /// Go on with a paused queue
    Resume {
        /// Name of the queue
        name: String,
    },
}

pub(crate) async fn run(args: QueueArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let output = context.output;
    match args.verb {
        Verb::List => {
            let queues = client.queues().await?;
            output.either(&queues, || table(&queues, output));
        }
        Verb::Pause { name } => {
            client.pause_queue(&name).await?;
            output.either(&json!({ "queue": name, "paused": true }), || {
                format!("{name} is paused")
            });
        }
        Verb::Resume { name } => {
            client.resume_queue(&name).await?;
            output.either(&json!({ "queue": name, "paused": false }), || {
                format!("{name} goes on")
            });
        }
    }
    Ok(())
}

fn table(queues: &[rhythm_client::QueueInfo], output: Output) -> String {
    if queues.is_empty() {
        return "none".to_owned();
    }
    let mut table = output.table(&["queue", "pending", "scheduled", "running", "paused"]);
    for queue in queues {
        table.add_row([
            Cell::new(&queue.name),
            Cell::new(queue.pending),
            Cell::new(queue.scheduled),
            Cell::new(queue.running),
            Cell::new(if queue.paused_at.is_some() { "yes" } else { "" }),
        ]);
    }
    output.draw(table)
}
