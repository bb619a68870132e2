//! `console`: lines of the execution's log.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::{Body, Value, json};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("console.log", 0, log),
    plain("console.info", 0, info),
    plain("console.warn", 0, warn),
    plain("console.error", 0, error),
];

/// A line is not longer than this many characters.
const MOST: usize = 64 << 10;

fn log(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "log")
}

fn info(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "info")
}

fn warn(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "warn")
}

fn error(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "error")
}

/// Strings as they are, errors with their stack, everything else as JSON.
fn line(cx: &mut Cx<'_>, call: Call, level: &'static str) -> Result<Value, Throw> {
    let mut out = String::new();
    for value in cx.args(call) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&text(cx, value)?);
        cx.work(out.len() / 8 + 10)?;
    }
    if out.len() > MOST {
        let end = (0..=MOST)
            .rev()
            .find(|at| out.is_char_boundary(*at))
            .unwrap_or_default();
        out.truncate(end);
        out.push('…');
    }
    let out = out.replace('\0', "\u{FFFD}");
    cx.host.log(level, &out);
    Ok(Value::Undefined)
}

fn text(cx: &mut Cx<'_>, value: Value) -> Result<String, Throw> {
    if let Value::Object(at) = value {
        if let Body::Error(_) = cx.heap.body(at)
            && let Some(Value::String(stack)) = cx.heap.error_get(at, "stack")
        {
            return Ok(cx.heap.rust_text(stack));
        }
        if let Body::Regex(_) = cx.heap.body(at) {
            let text = cx.string(value)?;
            return Ok(cx.heap.rust_text(text));
        }
        // A log line never fails a run: what JSON cannot hold is named instead.
        return match json::to_host(cx.heap, value) {
            Ok(Some(text)) => Ok(text),
            Err(fatal @ Throw::Fatal(_)) => Err(fatal),
            Ok(None) | Err(_) => Ok(format!("[{}]", cx.describe(value))),
        };
    }
    let text = cx.string(value)?;
    Ok(cx.heap.rust_text(text))
}
