//! `Context.set`: publishes a value that anyone may query.

use super::{Builtin, plain, task};
use crate::error::Throw;
use crate::value::{Value, json};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file. The parameter `Context` holds `set`; there is no global of that name.
pub(super) const TABLE: &[Builtin] = &[plain("Context.set", 2, set)];

/// `Context.set("progress", 0.5)` → `undefined`
fn set(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let key = task::name_argument(cx, cx.arg(call, 0), "Context.set", "value")?;
    let value = json::to_host(cx.heap, cx.arg(call, 1))?.unwrap_or_else(|| "null".to_owned());
    cx.work(100)?;
    match cx.host.set_attribute(&key, &value) {
        Ok(()) => Ok(Value::Undefined),
        Err(error) => Err(cx.thrown_by_host(&error)),
    }
}
