//! `rhythm terminate`.

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::{CliError, Result};

/// End an execution and all that it has started, at once
///
/// A workflow runs neither `catch` nor `finally`, so nothing is undone: `rhythm cancel --grace 10m` is kinder.
#[derive(Args)]
pub(crate) struct TerminateArgs {
    /// Id of the execution
    id: Uuid,
    /// Why, for those who read it later
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) async fn run(args: TerminateArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    if !client.terminate(args.id, args.reason.as_deref()).await? {
        return Err(
            CliError::user(format!("{} cannot be terminated: it has ended", args.id))
                .hint(format!("See `rhythm show {}`.", args.id)),
        );
    }
    context
        .output
        .either(&json!({ "id": args.id, "terminated": true }), || {
            format!("{} is being terminated", args.id)
        });
    Ok(())
}
