//! `rhythm cancel`.

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::{CliError, Result};

/// Cancel an execution
///
/// A task that waits ends at once; one that runs is told through its heartbeat. A workflow gets a
/// CancelledError where it awaits, and may clean up in `finally`.
#[derive(Args)]
pub(crate) struct CancelArgs {
    /// Id of the execution
    id: Uuid,
    /// Why, for those who read it later
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) async fn run(args: CancelArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    if !client.cancel(args.id, args.reason.as_deref(), None).await? {
        return Err(
            CliError::user(format!("{} cannot be cancelled: it has ended", args.id))
                .hint(format!("See `rhythm show {}`.", args.id)),
        );
    }
    context
        .output
        .either(&json!({ "id": args.id, "cancelled": true }), || {
            format!("{} is being cancelled", args.id)
        });
    Ok(())
}
