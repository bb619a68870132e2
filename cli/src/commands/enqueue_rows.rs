//! `rhythm enqueue-rows`.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::commands::input;
use crate::error::Result;

/// Enqueue what a query gives, a task a row
///
/// The columns have the names of the parameters of `rhythm.enqueue`: name, inputs, queue, task_id,
/// priority, delay, run_at, retry, … The query runs with the rights of the role that asks, and all
/// of its rows are enqueued or none.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm enqueue-rows @reminders.sql
  generate-query | rhythm enqueue-rows -")]
pub(crate) struct EnqueueRowsArgs {
    /// The query; @FILE reads a file, - reads stdin
    query: String,
}

pub(crate) async fn run(args: EnqueueRowsArgs, context: &Context) -> Result<()> {
    let query = input::text(&args.query)?;
    let count = context.client().await?.enqueue_rows(&query).await?;
    context.output.either(&json!({ "enqueued": count }), || {
        format!("{count} enqueued")
    });
    Ok(())
}
