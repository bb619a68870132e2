//! `rhythm worker`.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use comfy_table::Cell;

use crate::cli::Context;
use crate::error::Result;
use crate::output::Output;
use crate::render::time;

/// List workers
#[derive(Args)]
pub(crate) struct WorkerArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List workers with the tasks that they serve
    List,
}

pub(crate) async fn run(args: WorkerArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => {
            let workers = client.workers().await?;
            context
                .output
                .either(&workers, || table(&workers, context.output));
        }
    }
    Ok(())
}

fn table(workers: &[rhythm_client::WorkerInfo], output: Output) -> String {
    if workers.is_empty() {
        return "none".to_owned();
    }
    let now = SystemTime::now();
    let mut table = output.table(&["worker", "running", "last seen", "tasks"]);
    for worker in workers {
        table.add_row([
            Cell::new(&worker.name),
            Cell::new(worker.running),
            Cell::new(format!("{} ago", time::between(worker.last_seen, now))),
            Cell::new(worker.tasks.join(", ")),
        ]);
    }
    output.draw(table)
}
