//! The methods of iterators that `entries()`, `keys()` and `values()` give.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Call, Cx};
use crate::vm::words::works_on;

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Iterator.prototype.next", 0, next),
    plain("Iterator.prototype.toArray", 0, to_array),
];

/// `["a"].values().next()` → `{value: "a", done: false}`
fn next(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let at = receiver(cx, call.this, "next")?;
    let value = cx.next(at)?;
    let result = cx.heap.object();
    cx.set_name(result, "value", value.unwrap_or_default());
    cx.set_name(result, "done", Value::Bool(value.is_none()));
    Ok(Value::Object(result))
}

/// `["a"].keys().toArray()` → `[0]`
fn to_array(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(cx, call.this, "toArray")?;
    let items = cx.collect_iterator(call.this)?;
    Ok(cx.heap.array(items))
}

/// The iterator that a method was called on.
pub(super) fn receiver(cx: &Cx<'_>, this: Value, name: &str) -> Result<Ref, Throw> {
    match this {
        Value::Object(at) if matches!(cx.heap.body(at), Body::Iterator(_)) => Ok(at),
        // There, each kind of iterator has its own `next`.
        Value::Undefined if name != "next" => Err(Throw::type_error(format!(
            "Iterator.prototype.{name} called on non-object"
        ))),
        _ => Err(works_on(name, "iterators")),
    }
}
