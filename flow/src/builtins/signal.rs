//! `Signal.next`, `Signal.request`, and the `reply` of what the latter gives.

use super::{Builtin, duration, options, plain, task};
use crate::error::Throw;
use crate::host::SignalWait;
use crate::value::promise::Wrap;
use crate::value::{Value, json};
use crate::vm::cx::{Call, Cx};

/// The name of `reply`: no program can write it, requests hold it.
pub(crate) const REPLY: &str = "Request.prototype.reply";

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Signal.next", 1, next),
    plain("Signal.request", 1, request),
    plain(REPLY, 1, reply),
];

/// `await Signal.next("approved", {timeout: "24h", key: "order-17"})` → the payload; rejects with a `TimeoutError`.
fn next(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    wait(cx, call, "Signal.next", false)
}

/// `await Signal.request("approve", {timeout: "24h"})` → `{payload, id, reply}`; rejects with a `TimeoutError`.
fn request(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    wait(cx, call, "Signal.request", true)
}

fn wait(cx: &mut Cx<'_>, call: Call, what: &str, is_request: bool) -> Result<Value, Throw> {
    let name = task::name_argument(cx, cx.arg(call, 0), what, "signal")?;
    let given = cx.arg(call, 1);
    let mut wait = SignalWait {
        name,
        is_request,
        ..SignalWait::default()
    };
    if !given.is_undefined() {
        let at = options::object(cx, given, &format!("The second argument of {what}"))?;
        let known = ["timeout", "key"];
        options::only(cx, given, &known, &format!("the options of {what}"))?;
        let timeout = options::get(cx, at, "timeout")?;
        if !timeout.is_undefined() {
            let ms = duration::milliseconds(cx, timeout, "Option 'timeout'")?;
            wait.due_ms = Some(cx.host.now_ms() + ms);
        }
        let key = options::get(cx, at, "key")?;
        if !key.is_undefined() {
            wait.key = match task::host_text(cx, key)? {
                Some(key) if !key.is_empty() => Some(key),
                _ => {
                    let given = cx.describe(key);
                    return Err(Throw::type_error(format!(
                        "Option 'key' must be a string with something in it, not {given}."
                    )));
                }
            };
        }
    }
    cx.work(100)?;
    let wrap = if is_request {
        Wrap::Request
    } else {
        Wrap::Plain
    };
    let (id, promise) = cx.host_promise(wrap);
    if let Err(error) = cx.host.next_signal(id, wait) {
        return Err(cx.thrown_by_host(&error));
    }
    Ok(cx.host_accepted(id, promise))
}

/// `request.reply({ok: true})` → `undefined`; the caller gets it when the step commits.
fn reply(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let id = match cx.own_name(call.this, "id") {
        Some(Value::Null) => return Ok(Value::Undefined),
        Some(id) => task::host_text(cx, id)?,
        None => None,
    };
    let Some(id) = id else {
        return Err(Throw::type_error(
            "reply belongs to a request: call it as request.reply(value).",
        ));
    };
    let value = json::to_host(cx.heap, cx.arg(call, 0))?.unwrap_or_else(|| "null".to_owned());
    cx.work(100)?;
    match cx.host.reply(&id, &value) {
        Ok(()) => Ok(Value::Undefined),
        Err(error) => Err(cx.thrown_by_host(&error)),
    }
}
