//! `rhythm cancel`.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};

/// Cancel an execution
///
/// A task that waits ends at once; one that runs is told through its heartbeat. A workflow gets a
/// CancelledError where it awaits, and may clean up in `finally`: as long as it likes, or for the
/// grace, after which it is terminated.
#[derive(Args)]
pub(crate) struct CancelArgs {
    /// Id of the execution
    id: Uuid,
    /// Why, for those who read it later
    #[arg(long)]
    reason: Option<String>,
    /// How long a workflow may clean up, such as 30s or 15m
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    grace: Option<Duration>,
}

pub(crate) async fn run(args: CancelArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let told = client.cancel(args.id, args.reason.as_deref(), args.grace);
    if !told.await? {
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
