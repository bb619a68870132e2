//! The methods of iterators that call a function for each value until they have their answer: frames of the VM, one step a call.
//!
//! Those that give another iterator (`map`, `filter`, `take`, `drop`, `flatMap`) are not in Flow: what is read later would have to keep
//! its place in a function through saves.

use super::{Builtin, iterator, stepped};
use crate::error::Throw;
use crate::value::{Ref, Value};
use crate::vm::cx::{Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    stepped("Iterator.prototype.every", 1, 1, 2, every),
    stepped("Iterator.prototype.find", 1, 1, 2, find),
    stepped("Iterator.prototype.forEach", 1, 1, 2, for_each),
    stepped("Iterator.prototype.reduce", 1, 2, 2, reduce),
    stepped("Iterator.prototype.some", 1, 1, 2, some),
];

const CALLBACK: usize = 1;

/// The iterator of a frame whose callback is a function.
fn receiver(cx: &Cx<'_>, frame: Native, name: &str) -> Result<Ref, Throw> {
    let at = iterator::receiver(cx, cx.reg(frame, 0), name)?;
    if frame.state == 0 && !cx.heap.is_callable(cx.reg(frame, CALLBACK)) {
        // V8 names the method, and not what it was given.
        return Err(Throw::type_error(format!(
            "string \"Iterator.prototype.{name}\" is not a function"
        )));
    }
    Ok(at)
}

/// Calls the function with the next value and its number; `end` is the answer behind the last one.
fn walk(
    cx: &mut Cx<'_>,
    frame: Native,
    input: Value,
    name: &str,
    decide: fn(bool, Value) -> Option<Value>,
    end: Value,
) -> Result<Step, Throw> {
    const COUNT: usize = 2;
    const CURRENT: usize = 3;
    let at = receiver(cx, frame, name)?;
    let count = if frame.state == 0 {
        0.0
    } else {
        if let Some(answer) = decide(cx.heap.truthy(input), cx.reg(frame, CURRENT)) {
            return Ok(Step::Return(answer));
        }
        cx.heap.to_number(cx.reg(frame, COUNT))? + 1.0
    };
    let Some(value) = cx.next(at)? else {
        return Ok(Step::Return(end));
    };
    cx.set_reg(frame, COUNT, Value::Number(count));
    cx.set_reg(frame, CURRENT, value);
    let callback = cx.reg(frame, CALLBACK);
    Ok(Step::call(callback, &[value, Value::Number(count)], 1))
}

/// `[1, 2].values().every((n) => n > 0)` → `true`
fn every(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    let decide = |held: bool, _| (!held).then_some(Value::Bool(false));
    walk(cx, frame, input, "every", decide, Value::Bool(true))
}

/// `new Set([1, 2]).values().find((n) => n > 1)` → `2`
fn find(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    let decide = |held: bool, value| held.then_some(value);
    walk(cx, frame, input, "find", decide, Value::Undefined)
}

/// `map.keys().forEach((key) => { … })`
fn for_each(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    walk(cx, frame, input, "forEach", |_, _| None, Value::Undefined)
}

/// `[1, 2].values().some((n) => n > 1)` → `true`
fn some(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    let decide = |held: bool, _| held.then_some(Value::Bool(true));
    walk(cx, frame, input, "some", decide, Value::Bool(false))
}

/// `map.values().reduce((sum, n) => sum + n, 0)`
fn reduce(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    const INITIAL: usize = 2;
    const COUNT: usize = 3;
    let at = receiver(cx, frame, "reduce")?;
    let (so_far, count) = if frame.state > 0 {
        (input, cx.heap.to_number(cx.reg(frame, COUNT))? + 1.0)
    } else if frame.count > 1 {
        (cx.reg(frame, INITIAL), 0.0)
    } else {
        let first = cx
            .next(at)?
            .ok_or_else(|| Throw::type_error("Reduce of a done iterator with no initial value"))?;
        (first, 1.0)
    };
    let Some(value) = cx.next(at)? else {
        return Ok(Step::Return(so_far));
    };
    cx.set_reg(frame, COUNT, Value::Number(count));
    let callback = cx.reg(frame, CALLBACK);
    let args = [so_far, value, Value::Number(count)];
    Ok(Step::call(callback, &args, 1))
}
