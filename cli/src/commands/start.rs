//! `rhythm start`.

use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::commands::{input, wait};
use crate::error::Result;

/// Start a workflow
///
/// Prints the id of the run. With --wait, prints its result instead.
#[derive(Args)]
#[command(after_help = "Example:
  rhythm start order '{\"customer\": \"c1\"}' --task-id order-17 --timeout 2d --wait")]
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
    /// Larger goes first; otherwise the queue's default
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Not before this much time has passed, such as 90s, 15m, 24h
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    delay: Option<Duration>,
    /// Not before this time, in UTC, such as 2026-11-24T03:53Z
    #[arg(long, value_parser = input::moment, value_name = "TIME", conflicts_with = "delay")]
    run_at: Option<SystemTime>,
    /// How often a run that fails begins again, as JSON: {"maxAttempts": 3, "initial": "1m"}
    #[arg(long, value_name = "JSON")]
    retry: Option<String>,
    /// How long it may take in all
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// How long its key is kept once it is completed: '30 days', 0 or forever
    #[arg(long, value_name = "TIME")]
    remember: Option<String>,
    /// What becomes of its result
    #[arg(long, value_parser = ["keep", "discard"])]
    result: Option<String>,
    /// Trace that it belongs to, as JSON for its handlers: {"traceparent": "00-…"}
    #[arg(long, value_name = "JSON")]
    trace: Option<String>,
    /// Wait until the run has ended, and print its result
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(args: StartArgs, context: &Context) -> Result<()> {
    let inputs = input::json(&args.inputs)?;
    let trace = args.trace.as_deref().map(input::json).transpose()?;
    let retry = args.retry.as_deref().map(input::json).transpose()?;
    let client = context.client().await?;
    let options = rhythm_client::StartOptions {
        task_id: args.task_id,
        queue: args.queue,
        priority: args.priority,
        delay: args.delay,
        run_at: args.run_at,
        retry,
        timeout: args.timeout,
        remember: args.remember,
        result: args.result,
        trace,
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
