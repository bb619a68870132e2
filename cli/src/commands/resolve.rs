//! `rhythm resolve`.

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::commands::input;
use crate::error::Result;

/// Give a task the result that it did not give itself
///
/// As if it had completed: one that waits, runs, has failed, timed out or was cancelled; and so a child workflow that has ended. The
/// run that awaits it goes on at once if it waits, and with `rhythm retry` if it has failed with it.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm resolve 0190a1b2-0000-7000-8000-000000000000 '{\"paid\": true}'
  rhythm resolve 0190a1b2-0000-7000-8000-000000000000 --retry")]
pub(crate) struct ResolveArgs {
    /// Id of the task
    id: Uuid,
    /// The result as JSON, @FILE, or - for stdin; null if left out
    #[arg(value_name = "JSON")]
    result: Option<String>,
    /// Retry the run that has failed with it
    #[arg(long)]
    retry: bool,
}

pub(crate) async fn run(args: ResolveArgs, context: &Context) -> Result<()> {
    let result = args.result.as_deref().map(input::json).transpose()?;
    let client = context.client().await?;
    let run = client.resolve(args.id, result.as_deref()).await?;
    // Only one that has failed needs it: the other has gone on.
    let mut state = None;
    if let Some(run) = run {
        state = Some(client.result(run).await?.state.to_string());
    }
    let failed = matches!(state.as_deref(), Some("failed" | "timed_out"));
    let mut retried = false;
    if let (true, true, Some(run)) = (args.retry, failed, run) {
        client.retry(run, None, None).await?;
        retried = true;
    }
    let report = json!({ "id": args.id, "run": run, "run_state": state, "retried": retried });
    context
        .output
        .either(&report, || match (run, retried, failed) {
            (None, ..) => format!("{} is resolved", args.id),
            (Some(run), true, _) => format!("{} is resolved, and run {run} runs again", args.id),
            (Some(run), _, true) => format!(
                "{} is resolved; run {run} has failed: `rhythm retry {run}` lets it go on",
                args.id
            ),
            (Some(run), ..) => format!("{} is resolved, and run {run} goes on", args.id),
        });
    Ok(())
}
