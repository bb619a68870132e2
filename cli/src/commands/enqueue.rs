//! `rhythm enqueue`.

use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::commands::input;
use crate::error::Result;

/// Enqueue a task
///
/// Prints its id. A worker that knows a task of this name runs it.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm enqueue send_mail '{\"to\": \"a@b.c\"}' --task-id order-17 --delay 5m
  rhythm enqueue report @inputs.json --attempt-timeout 15m --timeout 1h --result discard")]
pub(crate) struct EnqueueArgs {
    /// Name of the task
    task: String,
    /// Its inputs as JSON; @FILE reads a file, - reads stdin
    #[arg(default_value = "{}", hide_default_value = true, value_name = "JSON")]
    inputs: String,
    /// Your key for this task: the same key again enqueues nothing and gives the same id
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
    /// How to retry, as JSON: {"maxAttempts": 5, "initial": "1s", "backoff": 2, "max": "5m"}
    #[arg(long, value_name = "JSON")]
    retry: Option<String>,
    /// How long it may wait for a worker
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    start_timeout: Option<Duration>,
    /// How long one attempt may take
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    attempt_timeout: Option<Duration>,
    /// How long all attempts may take together
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// How long its handler may be silent
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    heartbeat_timeout: Option<Duration>,
    /// How long its key is kept once it is completed: '30 days', 0 or forever
    #[arg(long, value_name = "TIME")]
    remember: Option<String>,
    /// What becomes of its result
    #[arg(long, value_parser = ["keep", "discard"])]
    result: Option<String>,
    /// Trace that it belongs to, as JSON for its handlers: {"traceparent": "00-…"}
    #[arg(long, value_name = "JSON")]
    trace: Option<String>,
}

pub(crate) async fn run(args: EnqueueArgs, context: &Context) -> Result<()> {
    let inputs = input::json(&args.inputs)?;
    let trace = args.trace.as_deref().map(input::json).transpose()?;
    let retry = args.retry.as_deref().map(input::json).transpose()?;
    let client = context.client().await?;
    let options = rhythm_client::EnqueueOptions {
        queue: args.queue,
        task_id: args.task_id,
        priority: args.priority,
        delay: args.delay,
        run_at: args.run_at,
        retry,
        timeout: args.timeout,
        start_timeout: args.start_timeout,
        attempt_timeout: args.attempt_timeout,
        heartbeat_timeout: args.heartbeat_timeout,
        remember: args.remember,
        result: args.result,
        trace,
    };
    let id = client.enqueue(&args.task, &inputs, &options).await?;
    context
        .output
        .either(&json!({ "id": id }), || id.to_string());
    Ok(())
}
