//! `rhythm queue`.

use std::time::Duration;

use clap::{Args, Subcommand};
use comfy_table::{Attribute, Cell};
use rhythm_client::{QueueInfo, QueueSetting, QueueSettings};
use serde_json::json;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};
use crate::output::Output;

/// List, show, configure, pause and resume queues
///
/// Without a verb it lists them. A queue exists by being named; only one that is to have limits or defaults of its own has to be
/// configured.
#[derive(Args)]
pub(crate) struct QueueArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List queues with what waits in them and what has failed
    List,
    /// Show the settings of a queue, and what holds where none is set
    #[command(after_help = "Example:\n  rhythm queue show stripe")]
    Show {
        /// Name of the queue
        name: String,
    },
    Configure(Box<ConfigureArgs>),
    /// Hand out nothing more from a queue
    ///
    /// What runs goes on.
    #[command(after_help = "Example:\n  rhythm queue pause mail --reason 'the relay is down'")]
    Pause {
        /// Name of the queue
        name: String,
        /// Why, for those who ask `rhythm why`
        #[arg(long)]
        reason: Option<String>,
    },
    /// Go on with a paused queue
    #[command(after_help = "Example:\n  rhythm queue resume mail")]
    Resume {
        /// Name of the queue
        name: String,
    },
}

/// Set limits and defaults of a queue
///
/// What is not given stays as it is. Defaults hold where neither the call nor the task's registration
/// says otherwise. Durations are written as 250ms, 90s, 15m, 24h, 7d.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm queue configure stripe --rate-limit 100/sec --rate-burst 20
  rhythm queue configure tenants --concurrency 50 --concurrency-key tenant.id --concurrency-per-key 2
  rhythm queue configure reports --attempt-timeout 15m --retry '{\"maxAttempts\": 3}' --retention '30 days'
  rhythm queue configure stripe --reset rate_limit,rate_burst")]
struct ConfigureArgs {
    /// Name of the queue
    name: String,
    /// Hand out nothing more, as `rhythm queue pause`; false goes on
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    paused: Option<bool>,
    /// Why it is paused, for those who ask `rhythm why`
    #[arg(long, requires = "paused")]
    reason: Option<String>,
    /// How many may start in a time: N/sec, N/min, N/hour, N/day
    #[arg(long, value_name = "RATE")]
    rate_limit: Option<String>,
    /// How many may start at once after a pause; otherwise the N of the rate
    #[arg(long, value_name = "COUNT")]
    rate_burst: Option<i32>,
    /// A path into the inputs, such as customer.id: a rate for each value
    #[arg(long, value_name = "PATH")]
    rate_key: Option<String>,
    /// How many may run at once
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<i32>,
    /// A path into the inputs: so many at once for each value
    #[arg(long, value_name = "PATH")]
    concurrency_key: Option<String>,
    /// How many may run at once for each value; otherwise 1
    #[arg(long, value_name = "COUNT")]
    concurrency_per_key: Option<i32>,
    /// Default priority; larger goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Default retry policy, as JSON: {"maxAttempts": 5, "initial": "1s", "backoff": 2, "max": "5m"}
    #[arg(long, value_name = "JSON")]
    retry: Option<String>,
    /// How long an execution may take, over all attempts
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// How long it may wait for a worker
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    start_timeout: Option<Duration>,
    /// How long one attempt may take
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    attempt_timeout: Option<Duration>,
    /// How long a handler may be silent
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    heartbeat_timeout: Option<Duration>,
    /// How long what has ended is kept: '7 days', 0 or forever
    #[arg(long, value_name = "TIME")]
    retention: Option<String>,
    /// How long a completed execution keeps its task id: '30 days', 0 or forever
    #[arg(long, value_name = "TIME")]
    remember: Option<String>,
    /// What becomes of results
    #[arg(long, value_parser = ["keep", "discard"])]
    result: Option<String>,
    /// Settings to take away, separated by commas, as `rhythm queue show` names them
    #[arg(long, value_name = "SETTING", value_delimiter = ',')]
    reset: Vec<String>,
}

pub(crate) async fn run(args: QueueArgs, context: &Context) -> Result<()> {
    let output = context.output;
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => {
            let queues = context.client().await?.queues().await?;
            output.either(&queues, || table(&queues, output));
        }
        Verb::Show { name } => {
            let settings = context.client().await?.show_queue(&name).await?;
            output.either(&settings, || settings_table(&settings, output));
        }
        Verb::Configure(args) => configure(*args, context).await?,
        Verb::Pause { name, reason } => {
            let client = context.client().await?;
            client.pause_queue(&name, reason.as_deref()).await?;
            output.either(&json!({ "queue": name, "paused": true }), || {
                format!("{name} is paused")
            });
        }
        Verb::Resume { name } => {
            context.client().await?.resume_queue(&name).await?;
            output.either(&json!({ "queue": name, "paused": false }), || {
                format!("{name} goes on")
            });
        }
    }
    Ok(())
}

/// Sets what was given, and shows what holds now.
async fn configure(args: ConfigureArgs, context: &Context) -> Result<()> {
    let settings = QueueSettings {
        paused: args.paused,
        reason: args.reason,
        retention: args.retention,
        rate_limit: args.rate_limit,
        rate_burst: args.rate_burst,
        rate_key: args.rate_key,
        concurrency: args.concurrency,
        concurrency_key: args.concurrency_key,
        concurrency_per_key: args.concurrency_per_key,
        priority: args.priority,
        retry: args.retry.as_deref().map(input::json).transpose()?,
        timeout: args.timeout,
        start_timeout: args.start_timeout,
        attempt_timeout: args.attempt_timeout,
        heartbeat_timeout: args.heartbeat_timeout,
        remember: args.remember,
        result: args.result,
        reset: args.reset,
    };
    if settings == QueueSettings::default() {
        return Err(CliError::usage("there is nothing to set").hint(
            "Give a setting, such as --concurrency 10; `rhythm queue show` lists what is set.",
        ));
    }
    let client = context.client().await?;
    client.configure_queue(&args.name, &settings).await?;
    let now = client.show_queue(&args.name).await?;
    let output = context.output;
    output.either(&now, || settings_table(&now, output));
    Ok(())
}

fn settings_table(settings: &[QueueSetting], output: Output) -> String {
    let mut table = output.table(&["setting", "value"]);
    for setting in settings {
        let value = setting.value.as_deref().unwrap_or("none");
        let value = if setting.is_default {
            Cell::new(format!("{value} (default)")).add_attribute(Attribute::Dim)
        } else {
            Cell::new(value)
        };
        table.add_row([Cell::new(&setting.setting), value]);
    }
    output.draw(table)
}

fn table(queues: &[QueueInfo], output: Output) -> String {
    if queues.is_empty() {
        return "none".to_owned();
    }
    let mut table = output.table(&[
        "queue",
        "pending",
        "scheduled",
        "running",
        "failed",
        "timed out",
        "rate",
        "concurrency",
        "paused",
    ]);
    for queue in queues {
        let paused = match (&queue.paused_at, &queue.pause_reason) {
            (None, _) => String::new(),
            (Some(_), None) => "yes".to_owned(),
            (Some(_), Some(reason)) => format!("yes: {reason}"),
        };
        table.add_row([
            Cell::new(&queue.name),
            Cell::new(queue.pending),
            Cell::new(queue.scheduled),
            Cell::new(queue.running),
            Cell::new(queue.failed),
            Cell::new(queue.timed_out),
            Cell::new(queue.rate_limit.as_deref().unwrap_or_default()),
            Cell::new(queue.concurrency.map(|n| n.to_string()).unwrap_or_default()),
            Cell::new(paused),
        ]);
    }
    output.draw(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_which_are_defaults() {
        let setting = |setting: &str, value: Option<&str>, is_default| QueueSetting {
            setting: setting.into(),
            value: value.map(str::to_owned),
            is_default,
        };
        let settings = [
            setting("rate_limit", Some("100/sec"), false),
            setting("concurrency", None, true),
            setting("result", Some("keep"), true),
        ];
        insta::assert_snapshot!(settings_table(&settings, Output::plain()));
    }
}
