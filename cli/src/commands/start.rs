//! `rhythm start`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::commands::{input, wait};
use crate::error::Result;

/// Start a workflow
///
/// Prints the id of the run. With --wait, prints its result instead.
#[derive(Args)]
pub(crate) struct StartArgs {
    /// Name of the workflow
    workflow: String,
    /// Its inputs as JSON; @FILE reads a file, - reads stdin
    #[arg(default_value = "{}", hide_default_value = true, value_name = "JSON")]
    inputs: String,
    /// Your key for this run: the same key again starts nothing and gives the same id
    #[arg(long, value_name = "KEY")]
    task_id: Option<String>,
    /// Queue, instead of `default`
    #[arg(long)]
    queue: Option<String>,
    /// Wait until the run has ended, and print its result
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(args: StartArgs, context: &Context) -> Result<()> {
    let inputs = input::json(&args.inputs)?;
    let client = context.client().await?;
    let options = rhythm_client::StartOptions {
        task_id: args.task_id,
        queue: args.queue,
        ..Default::default()
    };
    let id = client.start(&args.workflow, &inputs, &options).await?;
    if args.wait {
        return wait::until_end(&client, id, Duration::MAX, context).await;
    }
    context
        .output
        .either(&json!({ "id": id }), || id.to_string());
    Ok(())
}
