//! `rhythm states` and `rhythm fork`.

use clap::Args;
use comfy_table::Cell;
use rhythm_client::KeptState;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::Result;
use crate::render::time;

/// List the states of a run from which another can be forked
///
/// How many are kept is the setting rhythm.kept_states, which is 0 unless somebody has set it.
#[derive(Args)]
pub(crate) struct StatesArgs {
    /// Id of the run
    id: Uuid,
    /// States that are shown, the last ones
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    max: i32,
}

pub(crate) async fn states(args: StatesArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let states = client.states(args.id, args.max).await?;
    let output = context.output;
    output.either(&states, || {
        if states.is_empty() {
            return "none of its states is kept (rhythm.kept_states)".to_owned();
        }
        let mut table = output.table(&["STEP", "AT (UTC)", "VERSION", "WAITED AT", "FOR", "BYTES"]);
        for state in &states {
            table.add_row(row(state));
        }
        output.draw(table)
    });
    Ok(())
}

fn row(state: &KeptState) -> Vec<Cell> {
    let text = |text: &Option<String>| Cell::new(text.as_deref().unwrap_or_default());
    vec![
        Cell::new(state.step),
        Cell::new(time::timestamp(state.at)),
        Cell::new(state.version),
        text(&state.place),
        text(&state.waits_for),
        Cell::new(state.bytes),
    ]
}

/// Start a new run from an earlier state of another
///
/// It goes on from there under its own id. What the other run was waiting for then, and has ended since, is not done again: the new run
/// gets the same outcomes. What is still alive is started anew.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm states 0190a1b2-0000-7000-8000-000000000000
  rhythm fork 0190a1b2-0000-7000-8000-000000000000 3
  rhythm fork 0190a1b2-0000-7000-8000-000000000000 3 --version 0")]
pub(crate) struct ForkArgs {
    /// Id of the run, which may be alive or have ended
    id: Uuid,
    /// The step, as `rhythm states` lists it
    step: i32,
    /// Idempotency key: the same call again gives the same run
    #[arg(long, value_name = "KEY")]
    task_id: Option<String>,
    /// Go on in this version of the workflow, 0 being the newest, as `rhythm move` does
    #[arg(long)]
    version: Option<i32>,
}

pub(crate) async fn fork(args: ForkArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let task_id = args.task_id.as_deref();
    let id = client
        .fork(args.id, args.step, task_id, args.version)
        .await?;
    context
        .output
        .either(&json!({ "id": id }), || id.to_string());
    Ok(())
}
