//! `Task.run` and `Task.try`: tasks are started at once, and awaited by their promise; `Task.cancel` gives one up.

use super::{Builtin, options, plain};
use crate::error::Throw;
use crate::host::{Kind, TaskCall};
use crate::value::promise::{PromiseState, Wrap};
use crate::value::{Value, json};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Task.run", 1, run),
    plain("Task.try", 1, try_),
    plain("Task.cancel", 1, cancel),
];

/// `Task.run("charge", {amount: 5})` → a promise of the result; rejects with a `TaskError`.
fn run(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    start(cx, call, Wrap::Plain, Kind::Task, "Task.run")
}

/// `Task.try("charge")` → a promise of `{success: true, value}` or `{success: false, error}`.
fn try_(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    start(cx, call, Wrap::Try, Kind::Task, "Task.try")
}

/// `Task.cancel(promise, "too late")` → whether there was something to cancel; the promise rejects with a `CancelledError`.
fn cancel(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let value = cx.arg(call, 0);
    let promise = cx.as_promise(value);
    // A settled one has no host any more, so whose it was cannot be told.
    let mut fits = promise.is_some_and(|at| {
        cx.promise(at).is_some_and(|promise| {
            promise.host.is_some() || !matches!(promise.state, PromiseState::Pending)
        })
    });
    let fan_out = match promise {
        Some(at) if !fits => cx.fan_out_of(at)?,
        _ => None,
    };
    fits |= fan_out.is_some();
    let Some(promise) = promise.filter(|_| fits) else {
        let given = match promise {
            Some(_) => "a promise of an async function, then() or a combinator".to_owned(),
            None => cx.describe(value),
        };
        return Err(Throw::type_error(format!(
            "Task.cancel needs the promise that Task.run, Task.map, Workflow.run, a timer or a signal gave, not {given}."
        )));
    };
    let reason = cx.arg(call, 1);
    let reason = if reason.is_undefined() {
        "cancelled by the workflow".to_owned()
    } else {
        name_argument(cx, reason, "Task.cancel", "reason")?
    };
    cx.work(100)?;
    Ok(Value::Bool(match fan_out {
        Some(fan_out) => cx.give_up_fan_out(fan_out, &reason)?,
        None => cx.give_up(promise, &reason)?,
    }))
}

/// Starts what a call names.
pub(super) fn start(
    cx: &mut Cx<'_>,
    call: Call,
    wrap: Wrap,
    kind: Kind,
    what: &str,
) -> Result<Value, Throw> {
    let name = name_argument(cx, cx.arg(call, 0), what, kind.word())?;
    let inputs = json::to_host(cx.heap, cx.arg(call, 1))?.unwrap_or_else(|| "{}".to_owned());
    let options = options::start(cx, kind, cx.arg(call, 2))?;
    cx.work(100)?;
    let (id, promise) = cx.host_promise(wrap);
    if let Err(error) = cx.host.start_task(
        id,
        TaskCall {
            kind,
            name,
            inputs,
            options,
        },
    ) {
        return Err(cx.thrown_by_host(&error));
    }
    Ok(cx.host_accepted(id, promise))
}

/// A name that a host call gets: a string with something in it.
pub(super) fn name_argument(
    cx: &mut Cx<'_>,
    value: Value,
    call: &str,
    of: &str,
) -> Result<String, Throw> {
    if matches!(value, Value::String(_))
        && let Some(text) = host_text(cx, value)?
        && !text.is_empty()
    {
        return Ok(text);
    }
    let given = cx.describe(value);
    Err(Throw::type_error(format!(
        "{call} needs the name of a {of} as a string, not {given}."
    )))
}

/// A string as the host takes it: well-formed and without U+0000.
pub(super) fn host_text(cx: &mut Cx<'_>, value: Value) -> Result<Option<String>, Throw> {
    let Value::String(at) = value else {
        return Ok(None);
    };
    let units = cx.heap.text(at);
    match String::from_utf16(&units) {
        Ok(text) if !text.contains('\0') => Ok(Some(text)),
        _ => Err(Throw::type_error(
            "The string holds U+0000 or half of a surrogate pair, which cannot be stored.",
        )),
    }
}
