//! `rhythm signal`.

use clap::Args;
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
    /// Id of the run
    id: Uuid,
    /// Name of the signal
    name: String,
    /// What it carries, as JSON; @FILE reads a file, - reads stdin
    #[arg(default_value = "null", hide_default_value = true, value_name = "JSON")]
    payload: String,
}

pub(crate) async fn run(args: SignalArgs, context: &Context) -> Result<()> {
    let payload = input::json(&args.payload)?;
    let client = context.client().await?;
    if !client.signal(args.id, &args.name, &payload).await? {
        return Err(
            CliError::user(format!("{} takes no signals: it has ended", args.id))
                .hint(format!("See `rhythm show {}`.", args.id)),
        );
    }
    context
        .output
        .either(&json!({ "id": args.id, "signal": args.name }), || {
            format!("signal {} is recorded", args.name)
        });
    Ok(())
}
