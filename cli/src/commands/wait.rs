//! `rhythm wait`.

use std::time::{Duration, Instant};

use clap::Args;
use rhythm_client::State;
use uuid::Uuid;

use crate::cli::Context;
use crate::commands::input;
use crate::connection::Client;
use crate::error::{CliError, Result};
use crate::output::note;
use crate::render::execution::failure;
use crate::render::time;

/// The longest that one call waits: a connection that is held for longer is no better.
const ONE_CALL: Duration = Duration::from_secs(5);

/// Between two attempts to reach a server that has gone away.
const PAUSE: Duration = Duration::from_millis(500);

/// Wait until an execution has ended, and print its result
///
/// Fails when the execution failed, or has not ended in time. Goes on through restarts of the server.
#[derive(Args)]
pub(crate) struct WaitArgs {
    /// Id of the execution
    id: Uuid,
    /// How long to wait, such as 30s or 15m; for ever without it
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    timeout: Option<Duration>,
}

pub(crate) async fn run(args: WaitArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    until_end(
        &client,
        args.id,
        args.timeout.unwrap_or(Duration::MAX),
        context,
    )
    .await
}

/// Waits, prints the result, and fails as the execution did.
pub(crate) async fn until_end(
    client: &Client,
    id: Uuid,
    patience: Duration,
    context: &Context,
) -> Result<()> {
    let start = Instant::now();
    let mut away = false;
    loop {
        let left = patience.saturating_sub(start.elapsed());
        let outcome = match client.wait(id, left.min(ONE_CALL)).await {
            Ok(outcome) => outcome,
            // A restart: the execution goes on after it, and so does whoever waits for it.
            Err(error) if error.retryable() && !left.is_zero() => {
                if !away {
                    note(format!("· {error}; waiting until the server is back …"));
                }
                away = true;
                tokio::time::sleep(PAUSE.min(left)).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        away = false;
        if outcome.state.is_terminal() {
            if context.output.is_json() {
                context.output.json(&outcome);
            }
            if outcome.state == State::Completed {
                if !context.output.is_json() {
                    context
                        .output
                        .line(outcome.result.as_deref().unwrap_or("null"));
                }
                return Ok(());
            }
            return Err(failure(id, outcome.state, outcome.error.as_deref()));
        }
        if left.is_zero() {
            return Err(CliError::user(format!(
                "{id} is still {} after {}",
                outcome.state.as_str(),
                time::duration(patience)
            ))
            .hint(format!("See `rhythm show {id}`.")));
        }
    }
}
