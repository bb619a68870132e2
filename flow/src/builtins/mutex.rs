//! `Mutex.acquire`, and the `release` of what it gives.

use super::{Builtin, duration, options, plain, task};
use crate::error::Throw;
use crate::host::{LockWait, PromiseId};
use crate::value::Value;
use crate::value::promise::Wrap;
use crate::vm::cx::{Call, Cx};

/// The name of `release`: no program can write it, locks hold it.
pub(crate) const RELEASE: &str = "Lock.prototype.release";

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Mutex.acquire", 1, acquire),
    plain(RELEASE, 0, release),
];

/// `const lock = await Mutex.acquire("customer:7", {timeout: "1h"})` → `{name, id, release}`; rejects with a `TimeoutError`.
fn acquire(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let name = task::name_argument(cx, cx.arg(call, 0), "Mutex.acquire", "mutex")?;
    let given = cx.arg(call, 1);
    let mut wait = LockWait { name, due_ms: None };
    if !given.is_undefined() {
        let at = options::object(cx, given, "The second argument of Mutex.acquire")?;
        options::only(cx, given, &["timeout"], "the options of Mutex.acquire")?;
        let timeout = options::get(cx, at, "timeout")?;
        if !timeout.is_undefined() {
            let ms = duration::milliseconds(cx, timeout, "Option 'timeout'")?;
            wait.due_ms = Some(cx.host.now_ms() + ms);
        }
    }
    cx.work(100)?;
    let (id, promise) = cx.host_promise(Wrap::Lock);
    if let Err(error) = cx.host.acquire(id, wait) {
        return Err(cx.thrown_by_host(&error));
    }
    Ok(cx.host_accepted(id, promise))
}

/// `lock.release()` → `undefined`; whoever is next gets the mutex when the step commits. A second call does nothing.
fn release(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match cx.own_name(call.this, "id") {
        // A program may have changed it to anything; hosts number promises by 31 bits.
        Some(Value::Number(id)) if id.fract() == 0.0 && (1.0..2_147_483_648.0).contains(&id) => {
            cx.work(100)?;
            cx.host.release(id as PromiseId);
            Ok(Value::Undefined)
        }
        _ => Err(Throw::type_error(
            "release belongs to a lock: call it as lock.release().",
        )),
    }
}
