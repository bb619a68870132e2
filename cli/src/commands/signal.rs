//! `rhythm signal`.

use std::time::Duration;

use clap::Args;
use rhythm_client::{Run, StartOptions};
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};

/// Send a signal to a running workflow
///
/// A signal that the workflow does not wait for yet is kept until it does.
#[derive(Args)]
pub(crate) struct SignalArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Name of the signal
    name: String,
    /// What it carries, as JSON; @FILE reads a file, - reads stdin
    #[arg(default_value = "null", hide_default_value = true, value_name = "JSON")]
    payload: String,
    /// The run gets the signal of this name and key once, however often it is sent
    #[arg(long)]
    key: Option<String>,
    /// Start the run first if none lives under this task_id
    #[arg(long, requires = "workflow")]
    start: bool,
    /// Inputs of the run that --start starts
    #[arg(
        long,
        requires = "start",
        default_value = "{}",
        hide_default_value = true,
        value_name = "JSON"
    )]
    inputs: String,
    /// Queue of the run that --start starts, instead of `default`
    #[arg(long, requires = "start")]
    queue: Option<String>,
    /// Priority of that run; larger goes first
    #[arg(long, requires = "start", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// How often that run begins again when it fails, as JSON
    #[arg(long, requires = "start", value_name = "JSON")]
    retry: Option<String>,
    /// How long that run may take in all
    #[arg(long, requires = "start", value_parser = input::duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// How long its key is kept once it is completed: '30 days', 0 or forever
    #[arg(long, requires = "start", value_name = "TIME")]
    remember: Option<String>,
    /// What becomes of its result
    #[arg(long, requires = "start", value_parser = ["keep", "discard"])]
    result: Option<String>,
    /// Trace that it belongs to, as JSON for its handlers: {"traceparent": "00-…"}
    #[arg(long, requires = "start", value_name = "JSON")]
    trace: Option<String>,
}

/// Which run is meant.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// Id of the run, or with --workflow its task_id
    run: String,
    /// The workflow whose run holds the task_id
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
}

impl RunArgs {
    /// The run, as the client wants it.
    pub(crate) fn read(&self) -> Result<Run> {
        match &self.workflow {
            Some(workflow) => Ok(Run::TaskId {
                workflow: workflow.clone(),
                task_id: self.run.clone(),
            }),
            None => self.run.parse::<Uuid>().map(Run::Id).map_err(|_| {
                CliError::usage(format!("{} is not the id of a run", self.run))
                    .hint("Give --workflow NAME to name a run by its task_id.")
            }),
        }
    }
}

pub(crate) async fn run(args: SignalArgs, context: &Context) -> Result<()> {
    let payload = input::json(&args.payload)?;
    let inputs = input::json(&args.inputs)?;
    let run = args.run.read()?;
    let (name, key) = (&args.name, args.key.as_deref());
    let client = context.client().await?;
    if let (true, Run::TaskId { workflow, task_id }) = (args.start, &run) {
        let options = StartOptions {
            task_id: Some(task_id.clone()),
            queue: args.queue,
            priority: args.priority,
            retry: args.retry.as_deref().map(input::json).transpose()?,
            timeout: args.timeout,
            remember: args.remember,
            result: args.result,
            trace: args.trace.as_deref().map(input::json).transpose()?,
            ..StartOptions::default()
        };
        let sent = client
            .signal_with_start(workflow, name, &payload, &inputs, key, &options)
            .await?;
        context.output.either(&json!(sent), || {
            let what = match (sent.started, sent.delivered) {
                (true, _) => "started with signal",
                (false, true) => "gets signal",
                (false, false) => "has had signal",
            };
            format!("{} {what} {name}", sent.id)
        });
        return Ok(());
    }
    let given = &args.run.run;
    if !client.signal(&run, name, &payload, key).await? {
        return Err(
            CliError::user(format!("{given} takes no signals: it has ended"))
                .hint(format!("See `rhythm show {given}`.")),
        );
    }
    let told = match &run {
        Run::Id(id) => json!({ "id": id, "signal": name }),
        Run::TaskId { workflow, task_id } => {
            json!({ "workflow": workflow, "task_id": task_id, "signal": name })
        }
    };
    context
        .output
        .either(&told, || format!("signal {name} is recorded"));
    Ok(())
}
