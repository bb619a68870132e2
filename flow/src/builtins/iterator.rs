//! The methods of iterators that `entries()`, `keys()` and `values()` give.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::{Body, Value};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Iterator.prototype.next", 0, next),
    plain("Iterator.prototype.toArray", 0, to_array),
];

/// `["a"].values().next()` → `{value: "a", done: false}`
fn next(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let Value::Object(at) = call.this else {
        return Err(not_iterator());
    };
    if !matches!(cx.heap.body(at), Body::Iterator(_)) {
        return Err(not_iterator());
    }
    let value = cx.next(at)?;
    let result = cx.heap.object();
    cx.set_name(result, "value", value.unwrap_or_default());
    cx.set_name(result, "done", Value::Bool(value.is_none()));
    Ok(Value::Object(result))
}

/// `["a"].keys().toArray()` → `[0]`
fn to_array(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match call.this {
        Value::Object(at) if matches!(cx.heap.body(at), Body::Iterator(_)) => {
            let items = cx.collect_iterator(call.this)?;
            Ok(cx.heap.array(items))
        }
        _ => Err(not_iterator()),
    }
}

pub(super) fn not_iterator() -> Throw {
    Throw::type_error("The method was not called on an iterator.")
}
