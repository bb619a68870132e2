//! `Signal.next`.

use super::{Builtin, duration, options, plain, task};
use crate::error::Throw;
use crate::value::Value;
use crate::value::promise::Wrap;
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[plain("Signal.next", 1, next)];

/// `await Signal.next("approved", {timeout: "24h"})` → the payload; rejects with a `TimeoutError`.
fn next(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let name = task::name_argument(cx, cx.arg(call, 0), "Signal.next", "signal")?;
    let given = cx.arg(call, 1);
    let mut due = None;
    if !given.is_undefined() {
        let at = options::object(cx, given, "The second argument of Signal.next")?;
        options::only(cx, given, &["timeout"], "the options of Signal.next")?;
        let timeout = options::get(cx, at, "timeout")?;
        if !timeout.is_undefined() {
            let ms = duration::milliseconds(cx, timeout, "Option 'timeout'")?;
            due = Some(cx.host.now_ms() + ms);
        }
    }
    cx.work(100)?;
    let (id, promise) = cx.host_promise(Wrap::Plain);
    if let Err(error) = cx.host.next_signal(id, &name, due) {
        return Err(cx.thrown_by_host(&error));
    }
    Ok(cx.host_accepted(id, promise))
}
