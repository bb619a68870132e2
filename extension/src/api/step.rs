//! The step of a workflow, as SQL calls it.

use pgrx::prelude::*;

use super::jsonb::Jsonb;
use crate::db::DbResult;
use crate::engine::{self, Stepped, json};
use crate::timer;

/// `_step(execution)`: `{outcome, error?, logs?}`, the outcome being suspended, completed, cancelled, failed or abandon. Writes nothing when the outcome is `failed` or `abandon`.
#[pg_extern(sql = false)]
fn step(execution: pgrx::Uuid) -> DbResult<Jsonb> {
    let mut out = String::from("{");
    json::key(&mut out, "outcome");
    let outcome = match engine::step(execution)? {
        Stepped::Suspended => "suspended",
        Stepped::Completed => "completed",
        Stepped::Cancelled => "cancelled",
        Stepped::Abandoned => "abandon",
        Stepped::Failed { error, logs } => {
            out.push_str("\"failed\",\"error\":");
            out.push_str(&error);
            out.push_str(",\"logs\":");
            out.push_str(&logs);
            out.push('}');
            return Ok(Jsonb(out));
        }
    };
    json::quote(&mut out, outcome);
    out.push('}');
    Ok(Jsonb(out))
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
