//! The step of a workflow, as SQL calls it.

use pgrx::prelude::*;

use super::jsonb::Jsonb;
use crate::db::DbResult;
use crate::engine::{self, Stepped};
use crate::timer;

/// `_step(executions)`: `[{outcome, error?, logs?}]` in their order, the outcome being suspended, completed, cancelled, failed or
/// abandon. Writes nothing of those whose outcome is `failed` or `abandon`.
#[pg_extern(sql = false)]
fn step(executions: Vec<pgrx::Uuid>) -> DbResult<Jsonb> {
    let ends: Vec<String> = engine::step(&executions)?.iter().map(told).collect();
    Ok(Jsonb(format!("[{}]", ends.join(","))))
}

fn told(end: &Stepped) -> String {
    let outcome = match end {
        Stepped::Suspended => "suspended",
        Stepped::Completed => "completed",
        Stepped::Cancelled => "cancelled",
        Stepped::Abandoned => "abandon",
        Stepped::Failed { error, logs } => {
            return format!("{{\"outcome\":\"failed\",\"error\":{error},\"logs\":{logs}}}");
        }
    };
    format!("{{\"outcome\":\"{outcome}\"}}")
}

/// `_in_step()`: whether it is the SQL of a step that asks.
#[pg_extern(sql = false)]
fn in_step() -> bool {
    engine::is_running()
}

/// `_step_timed_out()`: whether the query cancel that was just caught is the step's own timeout; asked once.
#[pg_extern(sql = false)]
fn step_timed_out() -> bool {
    timer::has_rung()
}
