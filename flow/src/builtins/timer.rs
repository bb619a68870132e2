//! `sleep`, `Timer.delay`, `Timer.until`.

use super::{Builtin, duration, options, plain};
use crate::error::Throw;
use crate::value::Value;
use crate::value::promise::Wrap;
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("sleep", 1, sleep),
    plain("Timer.delay", 1, delay),
    plain("Timer.until", 1, until),
];

/// `await sleep("15m")` → `undefined`, a quarter of an hour later.
fn sleep(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    wait(cx, cx.arg(call, 0), "The duration of sleep")
}

/// `await Timer.delay(90)` → `undefined`, 90 seconds later.
fn delay(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    wait(cx, cx.arg(call, 0), "The duration of Timer.delay")
}

fn wait(cx: &mut Cx<'_>, value: Value, what: &str) -> Result<Value, Throw> {
    let ms = duration::milliseconds(cx, value, what)?;
    let due = cx.host.now_ms() + ms;
    start(cx, due)
}

/// `await Timer.until(new Date("2026-01-31T12:00:00Z"))` → `undefined`, then.
fn until(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let due = options::moment(cx, cx.arg(call, 0), "The argument of Timer.until")?;
    start(cx, due)
}

fn start(cx: &mut Cx<'_>, due: f64) -> Result<Value, Throw> {
    cx.work(100)?;
    let (id, promise) = cx.host_promise(Wrap::Plain);
    if let Err(error) = cx.host.start_timer(id, due) {
        return Err(cx.thrown_by_host(&error));
    }
    Ok(cx.host_accepted(id, promise))
}
