//! `Workflow.run` and `Workflow.try`: child workflows are started at once, and awaited by their promise, as tasks are.

use super::task::start;
use super::{Builtin, plain};
use crate::error::Throw;
use crate::host::Kind;
use crate::value::Value;
use crate::value::promise::Wrap;
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Workflow.run", 1, run),
    plain("Workflow.try", 1, try_),
];

/// `Workflow.run("ship", {order: 5})` → a promise of its result; rejects with a `TaskError`.
fn run(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    start(cx, call, Wrap::Plain, Kind::Workflow, "Workflow.run")
}

/// `Workflow.try("ship")` → a promise of `{success: true, value}` or `{success: false, error}`.
fn try_(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    start(cx, call, Wrap::Try, Kind::Workflow, "Workflow.try")
}
