//! `Array`: what calls no function of the program. Callbacks are in `array_walk` and `array_sort`.

use super::array_closed::closed;
use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::coerce::Hint;
use crate::value::heap::IterKind;
use crate::value::object::Integrity;
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Call, Cx};
use crate::vm::words::works_on;

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Array", 1, array),
    plain("Array.isArray", 1, is_array),
    plain("Array.of", 0, of),
    plain("Array.prototype.at", 1, at),
    plain("Array.prototype.concat", 1, concat),
    plain("Array.prototype.copyWithin", 2, copy_within),
    plain("Array.prototype.entries", 0, entries),
    plain("Array.prototype.fill", 1, fill),
    plain("Array.prototype.flat", 0, flat),
    plain("Array.prototype.includes", 1, includes),
    plain("Array.prototype.indexOf", 1, index_of),
    plain("Array.prototype.join", 1, join),
    plain("Array.prototype.keys", 0, keys),
    plain("Array.prototype.lastIndexOf", 1, last_index_of),
    plain("Array.prototype.pop", 0, pop),
    plain("Array.prototype.push", 1, push),
    plain("Array.prototype.reverse", 0, reverse),
    plain("Array.prototype.shift", 0, shift),
    plain("Array.prototype.slice", 2, slice),
    plain("Array.prototype.splice", 2, splice),
    plain("Array.prototype.toReversed", 0, to_reversed),
    plain("Array.prototype.toSpliced", 2, to_spliced),
    plain("Array.prototype.toString", 0, to_string),
    plain("Array.prototype.unshift", 1, unshift),
    plain("Array.prototype.values", 0, values),
    plain("Array.prototype.with", 2, with),
];

/// The methods of which V8 tells the name where they are called on nothing.
const CALLED_ON: [&str; 13] = [
    "concat",
    "every",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "forEach",
    "indexOf",
    "map",
    "reduce",
    "reduceRight",
    "some",
];

/// What an element costs.
const ITEM_BYTES: usize = 16;

/// The array that a method was called on, and its length.
pub(super) fn receiver(cx: &Cx<'_>, this: Value, name: &str) -> Result<(Ref, usize), Throw> {
    if let Value::Object(at) = this
        && let Some(items) = cx.heap.items(at)
    {
        return Ok((at, items.len()));
    }
    Err(if !this.is_undefined() {
        works_on(name, "arrays")
    } else if CALLED_ON.contains(&name) {
        Throw::type_error(format!(
            "Array.prototype.{name} called on null or undefined"
        ))
    } else {
        Throw::type_error("Cannot convert undefined or null to object")
    })
}

/// A copy of the elements of the receiver, paid for.
fn copied(cx: &mut Cx<'_>, call: Call, name: &str) -> Result<Vec<Value>, Throw> {
    let (at, length) = receiver(cx, call.this, name)?;
    cx.work(length)?;
    cx.heap.meter.charge(length * ITEM_BYTES)?;
    Ok(cx.heap.items(at).map(<[Value]>::to_vec).unwrap_or_default())
}

/// The elements of an array that is open.
fn changeable<'a>(cx: &'a mut Cx<'_>, at: Ref) -> Result<&'a mut Vec<Value>, Throw> {
    match cx.heap.body_mut(at) {
        Body::Array(array) if array.integrity() == Integrity::Open => Ok(&mut array.items),
        _ => Err(Throw::fault("array")),
    }
}

/// An index argument: negative ones count from the end; kept within the array.
pub(super) fn relative(
    cx: &mut Cx<'_>,
    value: Value,
    length: usize,
    default: usize,
) -> Result<usize, Throw> {
    if value.is_undefined() {
        return Ok(default);
    }
    let number = cx.heap.to_integer(value)?;
    let length = length as f64;
    let index = if number < 0.0 {
        (length + number).max(0.0)
    } else {
        number.min(length)
    };
    Ok(index as usize)
}

/// `Array(3)` → three holes; `Array(1, 2)` → `[1, 2]`
fn array(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let items = match (call.count, cx.arg(call, 0)) {
        (1, Value::Number(number)) => {
            let length = number as u32;
            if f64::from(length) != number {
                return Err(Throw::range_error("Invalid array length"));
            }
            cx.heap.meter.charge(length as usize * ITEM_BYTES)?;
            vec![Value::Empty; length as usize]
        }
        _ => cx.args(call),
    };
    Ok(cx.heap.array(items))
}

/// `Array.isArray([])` → `true`
fn is_array(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    Ok(Value::Bool(cx.heap.is_array(cx.arg(call, 0))))
}

/// `Array.of(1, 2)` → `[1, 2]`
fn of(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let items = cx.args(call);
    Ok(cx.heap.array(items))
}

/// `[1, 2].at(-1)` → `2`
fn at(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "at")?;
    let number = cx.heap.to_integer(cx.arg(call, 0))?;
    let index = if number < 0.0 {
        length as f64 + number
    } else {
        number
    };
    if index < 0.0 {
        return Ok(Value::Undefined);
    }
    let item = cx
        .heap
        .items(at)
        .and_then(|items| items.get(index as usize));
    Ok(item.map_or(Value::Undefined, |item| item.or_undefined()))
}

/// `[1].concat([2, 3], 4)` → `[1, 2, 3, 4]`
fn concat(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let mut items = copied(cx, call, "concat")?;
    for value in cx.args(call) {
        match value {
            Value::Object(at) if cx.heap.is_array(value) => {
                let length = cx.heap.items(at).map_or(0, <[Value]>::len);
                cx.work(length)?;
                cx.heap.meter.charge(length * ITEM_BYTES)?;
                items.extend_from_slice(cx.heap.items(at).unwrap_or_default());
            }
            other => items.push(other),
        }
    }
    Ok(cx.heap.array(items))
}

/// `[1, 2, 3].copyWithin(0, 1)` → `[2, 3, 3]`
fn copy_within(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "copyWithin")?;
    let to = relative(cx, cx.arg(call, 0), length, 0)?;
    let start = relative(cx, cx.arg(call, 1), length, 0)?;
    let end = relative(cx, cx.arg(call, 2), length, length)?;
    cx.work(length)?;
    let count = end.saturating_sub(start).min(length - to);
    if let Some(closed) = closed(cx, at) {
        return closed.copy_within(to, start, count);
    }
    let items = changeable(cx, at)?;
    items.copy_within(start..start + count, to);
    Ok(call.this)
}

fn iterator(cx: &mut Cx<'_>, call: Call, kind: IterKind, name: &str) -> Result<Value, Throw> {
    receiver(cx, call.this, name)?;
    Ok(cx.new_iterator(call.this, kind))
}

/// `[...["a"].entries()]` → `[[0, "a"]]`
fn entries(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    iterator(cx, call, IterKind::Entries, "entries")
}

/// `[...["a"].keys()]` → `[0]`
fn keys(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    iterator(cx, call, IterKind::Keys, "keys")
}

/// `[...["a"].values()]` → `["a"]`
fn values(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    iterator(cx, call, IterKind::Values, "values")
}

/// `[1, 2, 3].fill(0, 1)` → `[1, 0, 0]`
fn fill(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "fill")?;
    let value = cx.arg(call, 0);
    let start = relative(cx, cx.arg(call, 1), length, 0)?;
    let end = relative(cx, cx.arg(call, 2), length, length)?.max(start);
    cx.work(length)?;
    if let Some(closed) = closed(cx, at) {
        return closed.fill(start, end, value);
    }
    changeable(cx, at)?[start..end].fill(value);
    Ok(call.this)
}

/// `[1, [2, [3]]].flat(2)` → `[1, 2, 3]`
fn flat(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, _) = receiver(cx, call.this, "flat")?;
    let depth = match cx.arg(call, 0) {
        Value::Undefined => 1.0,
        depth => cx.heap.to_integer(depth)?,
    };
    let items = flatten(cx, at, depth)?;
    Ok(cx.heap.array(items))
}

/// The elements of an array with the elements of inner arrays in their place, without recursion.
pub(super) fn flatten(cx: &mut Cx<'_>, at: Ref, depth: f64) -> Result<Vec<Value>, Throw> {
    let mut out = Vec::new();
    // The arrays that are open, and where we are in each.
    let mut open = vec![(at, 0usize)];
    while let Some((at, next)) = open.last_mut() {
        let item = cx
            .heap
            .items(*at)
            .and_then(|items| items.get(*next))
            .copied();
        *next += 1;
        let level = open.len() as f64 - 1.0;
        cx.work(1)?;
        match item {
            None => {
                open.pop();
            }
            Some(Value::Empty) => {}
            Some(Value::Object(inner)) if level < depth && cx.heap.items(inner).is_some() => {
                if open.len() > cx.heap.meter.limits.depth {
                    return Err(cx.heap.meter.too_deep());
                }
                open.push((inner, 0));
            }
            Some(item) => {
                cx.heap.meter.charge(ITEM_BYTES)?;
                out.push(item);
            }
        }
    }
    Ok(out)
}

/// `[NaN].includes(NaN)` → `true`
fn includes(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "includes")?;
    let start = relative(cx, cx.arg(call, 1), length, 0)?;
    let wanted = cx.arg(call, 0);
    cx.work(length - start)?;
    for index in start..length {
        let item = item(cx, at, index);
        if cx.heap.same_value_zero(item.or_undefined(), wanted) {
            return Ok(Value::Bool(true));
        }
        cx.pay()?;
    }
    Ok(Value::Bool(false))
}

/// Element `index`; `Empty` for a hole and behind the end.
pub(super) fn item(cx: &Cx<'_>, at: Ref, index: usize) -> Value {
    cx.heap
        .items(at)
        .and_then(|items| items.get(index))
        .copied()
        .unwrap_or(Value::Empty)
}

/// `["a", "b"].indexOf("b")` → `1`
fn index_of(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "indexOf")?;
    let start = relative(cx, cx.arg(call, 1), length, 0)?;
    let wanted = cx.arg(call, 0);
    cx.work(length - start)?;
    position(cx, at, wanted, start..length)
}

/// The first of some places where an array has a value; −1 if there is none.
fn position(
    cx: &mut Cx<'_>,
    at: Ref,
    wanted: Value,
    places: impl Iterator<Item = usize>,
) -> Result<Value, Throw> {
    for index in places {
        let item = item(cx, at, index);
        if !item.is_empty() && cx.heap.strict_equal(item, wanted) {
            return Ok(Value::from(index));
        }
        cx.pay()?;
    }
    Ok(Value::Number(-1.0))
}

/// `[1, 2, 1].lastIndexOf(1)` → `2`
fn last_index_of(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "lastIndexOf")?;
    let wanted = cx.arg(call, 0);
    let mut end = length;
    if call.count > 1 {
        let number = cx.heap.to_integer(cx.arg(call, 1))?;
        let last = if number < 0.0 {
            length as f64 + number
        } else {
            number
        };
        end = if last < 0.0 {
            0
        } else {
            (last as usize).saturating_add(1).min(length)
        };
    }
    cx.work(end)?;
    position(cx, at, wanted, (0..end).rev())
}

/// `[1, null, 2].join("-")` → `"1--2"`
fn join(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, _) = receiver(cx, call.this, "join")?;
    let separator = match cx.arg(call, 0) {
        Value::Undefined => cx.heap.unit(u16::from(b',')),
        other => other,
    };
    let separator = cx.units(separator)?;
    let units = cx.heap.join(at, &separator)?;
    cx.heap.string(&units)
}

/// `[1, 2].toString()` → `"1,2"`
fn to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(cx, call.this, "toString")?;
    cx.heap.to_primitive(call.this, Hint::String)
}

/// `[1, 2].pop()` → `2`
fn pop(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, _) = receiver(cx, call.this, "pop")?;
    if let Some(closed) = closed(cx, at) {
        return closed.pop();
    }
    Ok(changeable(cx, at)?.pop().unwrap_or_default().or_undefined())
}

/// `[1].push(2, 3)` → `3`
fn push(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "push")?;
    cx.heap.meter.charge(call.count as usize * ITEM_BYTES)?;
    if call.count == 0
        && let Some(closed) = closed(cx, at)
    {
        return closed.push(Vec::new());
    }
    for index in 0..call.count as usize {
        let value = cx.arg(call, index);
        match changeable(cx, at) {
            Ok(items) => items.push(value),
            Err(fault) => {
                let values = cx.args(call);
                return closed(cx, at).map_or(Err(fault), |closed| closed.push(values));
            }
        }
    }
    Ok(Value::from(length + call.count as usize))
}

/// `[1, 2].reverse()` → `[2, 1]`, the same array.
fn reverse(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "reverse")?;
    cx.work(length)?;
    if let Some(closed) = closed(cx, at) {
        return closed.reverse();
    }
    changeable(cx, at)?.reverse();
    Ok(call.this)
}

/// `[1, 2].shift()` → `1`
fn shift(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "shift")?;
    // Moving memory is some hundred times faster than instructions.
    cx.work(length / 256)?;
    if let Some(closed) = closed(cx, at) {
        return closed.shift();
    }
    let items = changeable(cx, at)?;
    if items.is_empty() {
        Ok(Value::Undefined)
    } else {
        Ok(items.remove(0).or_undefined())
    }
}

/// `[2].unshift(0, 1)` → `3`
fn unshift(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "unshift")?;
    let added = cx.args(call);
    cx.work(length / 256 + added.len())?;
    cx.heap.meter.charge(added.len() * ITEM_BYTES)?;
    let count = added.len();
    if let Some(closed) = closed(cx, at) {
        return closed.unshift(added);
    }
    changeable(cx, at)?.splice(0..0, added);
    Ok(Value::from(length + count))
}

/// `[1, 2, 3].slice(1)` → `[2, 3]`
fn slice(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "slice")?;
    let start = relative(cx, cx.arg(call, 0), length, 0)?;
    let end = relative(cx, cx.arg(call, 1), length, length)?.max(start);
    cx.work(end - start)?;
    cx.heap.meter.charge((end - start) * ITEM_BYTES)?;
    let items = cx
        .heap
        .items(at)
        .map(|items| items[start..end].to_vec())
        .unwrap_or_default();
    Ok(cx.heap.array(items))
}

/// Where `splice` cuts, and what it puts there.
fn cut(cx: &mut Cx<'_>, call: Call, length: usize) -> Result<(usize, usize, Vec<Value>), Throw> {
    let start = relative(cx, cx.arg(call, 0), length, 0)?;
    let count = match call.count {
        0 => 0,
        1 => length - start,
        _ => {
            let count = cx.heap.to_integer(cx.arg(call, 1))?;
            count.clamp(0.0, (length - start) as f64) as usize
        }
    };
    let added = cx.args(call).split_off((call.count as usize).min(2));
    Ok((start, count, added))
}

/// `[1, 2, 3].splice(1, 1, 9)` → `[2]`, and the array is `[1, 9, 3]`.
fn splice(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (at, length) = receiver(cx, call.this, "splice")?;
    let (start, count, added) = cut(cx, call, length)?;
    cx.work(length / 256 + count + added.len())?;
    cx.heap.meter.charge((count + added.len()) * ITEM_BYTES)?;
    if let Some(closed) = closed(cx, at) {
        return closed.splice(start, count, added);
    }
    let removed: Vec<Value> = changeable(cx, at)?
        .splice(start..start + count, added)
        .collect();
    Ok(cx.heap.array(removed))
}

/// `[1, 2, 3].toSpliced(1, 1)` → `[1, 3]`
fn to_spliced(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let mut items = copied(cx, call, "toSpliced")?;
    let (start, count, added) = cut(cx, call, items.len())?;
    cx.heap.meter.charge(added.len() * ITEM_BYTES)?;
    items.splice(start..start + count, added);
    items
        .iter_mut()
        .for_each(|item| *item = item.or_undefined());
    Ok(cx.heap.array(items))
}

/// `[1, 2].toReversed()` → `[2, 1]`, a new array.
fn to_reversed(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let items = copied(cx, call, "toReversed")?;
    let items = items.into_iter().rev().map(Value::or_undefined).collect();
    Ok(cx.heap.array(items))
}

/// `[1, 2].with(0, 9)` → `[9, 2]`, a new array.
fn with(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let mut items = copied(cx, call, "with")?;
    let number = cx.heap.to_integer(cx.arg(call, 0))?;
    let index = if number < 0.0 {
        items.len() as f64 + number
    } else {
        number
    };
    if index < 0.0 || index >= items.len() as f64 {
        let number = cx.told(cx.arg(call, 0));
        return Err(Throw::range_error(format!("Invalid index : {number}")));
    }
    items[index as usize] = cx.arg(call, 1);
    items
        .iter_mut()
        .for_each(|item| *item = item.or_undefined());
    Ok(cx.heap.array(items))
}
