//! `rhythm call`.

use std::time::Duration;

use clap::Args;

use crate::cli::Context;
use crate::commands::input;
use crate::commands::signal::RunArgs;
use crate::error::Result;

/// Send a request to a running workflow, and print its answer
///
/// The workflow takes it with Signal.request and answers with request.reply. Fails when there is no answer in time, or when the
/// workflow ends without one. A request that it has not taken in time is taken back.
#[derive(Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Name of the signal
    name: String,
    /// What it carries, as JSON; @FILE reads a file, - reads stdin
    #[arg(default_value = "null", hide_default_value = true, value_name = "JSON")]
    payload: String,
    /// How long to wait, such as 30s or 15m
    #[arg(long, value_parser = input::duration, value_name = "DURATION", default_value = "30s")]
    timeout: Duration,
}

pub(crate) async fn run(args: CallArgs, context: &Context) -> Result<()> {
    let payload = input::json(&args.payload)?;
    let run = args.run.read()?;
    let client = context.client().await?;
    let reply = client
        .call(&run, &args.name, &payload, args.timeout)
        .await?;
    context.output.line(&reply);
    Ok(())
}
