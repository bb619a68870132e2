//! The step of a workflow, as SQL calls it.

use pgrx::prelude::*;

use super::jsonb::Jsonb;
use crate::db::DbResult;
use crate::engine::{self, Ran, Stepped};
use crate::{cancel, timer};

/// `_step(executions)`: `[{outcome, final?, error?, logs?}]` in their order, the outcome being suspended, completed, cancelled, failed or
/// abandon. Writes nothing of those whose outcome is `failed` or `abandon`.
#[pg_extern(sql = false)]
fn step(executions: Vec<pgrx::Uuid>) -> DbResult<Jsonb> {
    let ends: Vec<String> = engine::step(&executions)?.iter().map(told).collect();
    Ok(Jsonb(format!("[{}]", ends.join(","))))
}

/// `_begin_steps(executions)`
#[pg_extern(sql = false)]
fn begin_steps(executions: Vec<pgrx::Uuid>) -> DbResult<()> {
    engine::begin(&executions)
}

/// `_run_step(number)`: `{outcome, final?, error?, logs?}`, also `later`.
#[pg_extern(sql = false)]
fn run_step(number: i32) -> DbResult<Jsonb> {
    let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
    Ok(Jsonb(match engine::run(at)? {
        Ran::Ended(end) => told(&end),
        Ran::Later => r#"{"outcome":"later"}"#.into(),
        Ran::NotBegun => not_begun(),
    }))
}

/// `_end_steps()`
#[pg_extern(sql = false)]
fn end_steps() -> DbResult<Vec<pgrx::Uuid>> {
    Ok(engine::end()?.unwrap_or_else(|| not_begun()))
}

/// Ends the batch, whose steps are then done one by one: none of them may be lost.
fn not_begun() -> ! {
    ereport!(
        ERROR,
        PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        "no such step was begun"
    );
}

fn told(end: &Stepped) -> String {
    let outcome = match end {
        Stepped::Suspended => "suspended",
        Stepped::Completed => "completed",
        Stepped::Cancelled => "cancelled",
        Stepped::Abandoned => "abandon",
        Stepped::Failed {
            error,
            logs,
            is_final,
        } => {
            return format!(
                "{{\"outcome\":\"failed\",\"final\":{is_final},\"error\":{error},\"logs\":{logs}}}"
            );
        }
    };
    format!("{{\"outcome\":\"{outcome}\"}}")
}

/// `_subtransactions()`: how many have a number, which other sessions look for while this transaction runs.
#[pg_extern(sql = false)]
fn subtransactions() -> i32 {
    // SAFETY: `MyProc` is set in every process that runs SQL; the counts are this process' own.
    let status = unsafe { (*pg_sys::MyProc).subxidStatus };
    if status.overflowed {
        i32::MAX
    } else {
        i32::from(status.count)
    }
}

/// `_in_step()`: whether it is the SQL of a step that asks.
#[pg_extern(sql = false)]
fn in_step() -> bool {
    engine::is_running()
}

/// `_cancelled_by()`: who raised the error 57014 that was just caught: `step` (its time was up), `session` (somebody cancels what it
/// does, or its own timeout), none (the SQL itself); asked once.
#[pg_extern(sql = false)]
fn cancelled_by() -> Option<&'static str> {
    if timer::has_rung() {
        Some("step")
    } else {
        cancel::is_raised().then_some("session")
    }
}
