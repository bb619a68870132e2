//! The methods of `Array` that call a function for each element: frames of the VM, one step a call.

use super::array::{flatten, item, receiver};
use super::{Builtin, stepped};
use crate::error::Throw;
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    stepped("Array.prototype.every", 1, 2, 4, every),
    stepped("Array.prototype.filter", 1, 2, 4, filter),
    stepped("Array.prototype.find", 1, 2, 4, find),
    stepped("Array.prototype.findIndex", 1, 2, 4, find_index),
    stepped("Array.prototype.findLast", 1, 2, 4, find_last),
    stepped("Array.prototype.findLastIndex", 1, 2, 4, find_last_index),
    stepped("Array.prototype.flatMap", 1, 2, 4, flat_map),
    stepped("Array.prototype.forEach", 1, 2, 4, for_each),
    stepped("Array.prototype.map", 1, 2, 4, map),
    stepped("Array.prototype.reduce", 1, 2, 4, reduce),
    stepped("Array.prototype.reduceRight", 1, 2, 4, reduce_right),
    stepped("Array.prototype.some", 1, 2, 4, some),
    stepped("Array.from", 1, 3, 4, from),
];

/// The registers behind receiver and two arguments.
const CALLBACK: usize = 1;
const INITIAL: usize = 2;
/// How many elements were visited.
const VISITED: usize = 3;
/// The length at the start: elements that are added later are not visited.
const LENGTH: usize = 4;
/// The array or value that is being made.
const RESULT: usize = 5;
/// The element that the callback looks at.
const CURRENT: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Every,
    Filter,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    FlatMap,
    ForEach,
    Map,
    Some,
}

impl Walk {
    fn name(self) -> &'static str {
        match self {
            Self::Every => "every",
            Self::Filter => "filter",
            Self::Find => "find",
            Self::FindIndex => "findIndex",
            Self::FindLast => "findLast",
            Self::FindLastIndex => "findLastIndex",
            Self::FlatMap => "flatMap",
            Self::ForEach => "forEach",
            Self::Map => "map",
            Self::Some => "some",
        }
    }

    fn backwards(self) -> bool {
        matches!(self, Self::FindLast | Self::FindLastIndex)
    }

    /// Whether holes are visited, as `undefined`.
    fn visits_holes(self) -> bool {
        matches!(
            self,
            Self::Find | Self::FindIndex | Self::FindLast | Self::FindLastIndex
        )
    }

    /// What the method gives when no callback decided it.
    fn otherwise(self, result: Value) -> Value {
        match self {
            Self::Every => Value::Bool(true),
            Self::Some => Value::Bool(false),
            Self::FindIndex | Self::FindLastIndex => Value::Number(-1.0),
            Self::Filter | Self::Map | Self::FlatMap => result,
            Self::Find | Self::FindLast | Self::ForEach => Value::Undefined,
        }
    }
}

macro_rules! walks {
    ($($function:ident $walk:ident $doc:literal;)+) => {
        $(#[doc = $doc]
        fn $function(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
            walk(cx, frame, input, Walk::$walk)
        })+
    };
}

walks! {
    every Every "`[1, 2].every((n) => n > 0)` → `true`";
    filter Filter "`[1, 2].filter((n) => n > 1)` → `[2]`";
    find Find "`[1, 2].find((n) => n > 1)` → `2`";
    find_index FindIndex "`[1, 2].findIndex((n) => n > 1)` → `1`";
    find_last FindLast "`[1, 2].findLast((n) => n > 0)` → `2`";
    find_last_index FindLastIndex "`[1, 2].findLastIndex((n) => n > 0)` → `1`";
    flat_map FlatMap "`[1, 2].flatMap((n) => [n, n])` → `[1, 1, 2, 2]`";
    for_each ForEach "`[1, 2].forEach((n) => console.log(n))` → `undefined`";
    map Map "`[1, 2].map((n) => n * 2)` → `[2, 4]`";
    some Some "`[1, 2].some((n) => n > 1)` → `true`";
}

/// The number in a register.
fn count(cx: &Cx<'_>, frame: Native, register: usize) -> usize {
    match cx.reg(frame, register) {
        Value::Number(number) => number as usize,
        _ => 0,
    }
}

fn push(cx: &mut Cx<'_>, array: Value, value: Value) -> Result<(), Throw> {
    cx.heap.meter.charge(16)?;
    if let Value::Object(at) = array
        && let Body::Array(array) = cx.heap.body_mut(at)
    {
        array.items.push(value);
    }
    Ok(())
}

fn walk(cx: &mut Cx<'_>, frame: Native, input: Value, walk: Walk) -> Result<Step, Throw> {
    let (at, length) = receiver(cx, cx.reg(frame, 0), walk.name())?;
    let callback = cx.reg(frame, CALLBACK);
    if frame.state == 0 {
        cx.check_callback(callback)?;
        cx.set_reg(frame, VISITED, Value::from(0));
        cx.set_reg(frame, LENGTH, Value::from(length));
        let made = match walk {
            Walk::Map => {
                cx.heap.meter.charge(length * 16)?;
                cx.heap.array(vec![Value::Empty; length])
            }
            Walk::Filter | Walk::FlatMap => cx.heap.array(Vec::new()),
            _ => Value::Undefined,
        };
        cx.set_reg(frame, RESULT, made);
    } else if let Some(value) = returned(cx, frame, input, walk)? {
        return Ok(Step::Return(value));
    }
    let length = count(cx, frame, LENGTH);
    let mut visited = count(cx, frame, VISITED);
    while visited < length {
        let index = if walk.backwards() {
            length - 1 - visited
        } else {
            visited
        };
        visited += 1;
        let current = item(cx, at, index);
        if current.is_empty() && !walk.visits_holes() {
            cx.work(1)?;
            continue;
        }
        let current = current.or_undefined();
        cx.set_reg(frame, VISITED, Value::from(visited));
        cx.set_reg(frame, CURRENT, current);
        let args = [current, Value::from(index), cx.reg(frame, 0)];
        return Ok(Step::call(callback, &args, 1));
    }
    Ok(Step::Return(walk.otherwise(cx.reg(frame, RESULT))))
}

/// Takes what the callback returned; a value if that decides the method.
fn returned(
    cx: &mut Cx<'_>,
    frame: Native,
    input: Value,
    walk: Walk,
) -> Result<Option<Value>, Throw> {
    let visited = count(cx, frame, VISITED);
    let length = count(cx, frame, LENGTH);
    let index = if walk.backwards() {
        length - visited
    } else {
        visited - 1
    };
    let result = cx.reg(frame, RESULT);
    let truthy = cx.heap.truthy(input);
    Ok(match walk {
        Walk::ForEach => None,
        Walk::Map => {
            if let Value::Object(at) = result
                && let Body::Array(array) = cx.heap.body_mut(at)
                && let Some(slot) = array.items.get_mut(index)
            {
                *slot = input;
            }
            None
        }
        Walk::Filter => {
            if truthy {
                let current = cx.reg(frame, CURRENT);
                push(cx, result, current)?;
            }
            None
        }
        Walk::FlatMap => {
            match input {
                Value::Object(at) if cx.heap.items(at).is_some() => {
                    for value in flatten(cx, at, 0.0)? {
                        push(cx, result, value)?;
                    }
                }
                other => push(cx, result, other)?,
            }
            None
        }
        Walk::Every => (!truthy).then_some(Value::Bool(false)),
        Walk::Some => truthy.then_some(Value::Bool(true)),
        Walk::Find | Walk::FindLast => truthy.then(|| cx.reg(frame, CURRENT)),
        Walk::FindIndex | Walk::FindLastIndex => truthy.then(|| Value::from(index)),
    })
}

/// `[1, 2, 3].reduce((sum, n) => sum + n, 0)` → `6`
fn reduce(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    fold(cx, frame, input, false)
}

/// `["a", "b"].reduceRight((text, part) => text + part)` → `"ba"`
fn reduce_right(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    fold(cx, frame, input, true)
}

fn fold(cx: &mut Cx<'_>, frame: Native, input: Value, backwards: bool) -> Result<Step, Throw> {
    let name = if backwards { "reduceRight" } else { "reduce" };
    let (at, length) = receiver(cx, cx.reg(frame, 0), name)?;
    let callback = cx.reg(frame, CALLBACK);
    let mut so_far = Some(input);
    if frame.state == 0 {
        cx.check_callback(callback)?;
        cx.set_reg(frame, VISITED, Value::from(0));
        cx.set_reg(frame, LENGTH, Value::from(length));
        so_far = (frame.count > 1).then(|| cx.reg(frame, INITIAL));
    }
    let length = count(cx, frame, LENGTH);
    let mut visited = count(cx, frame, VISITED);
    while visited < length {
        let index = if backwards {
            length - 1 - visited
        } else {
            visited
        };
        visited += 1;
        let current = item(cx, at, index);
        if current.is_empty() {
            cx.work(1)?;
            continue;
        }
        let Some(value) = so_far else {
            so_far = Some(current);
            continue;
        };
        cx.set_reg(frame, VISITED, Value::from(visited));
        let args = [value, current, Value::from(index), cx.reg(frame, 0)];
        return Ok(Step::call(callback, &args, 1));
    }
    let empty = || Throw::type_error("Reduce of empty array with no initial value");
    so_far.map(Step::Return).ok_or_else(empty)
}

/// `Array.from({length: 2}, (_, i) => i)` → `[0, 1]`
///
/// Registers: 1 source, 2 function, then the iterator or array-like, what was taken, and the result.
fn from(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    const SOURCE: usize = 1;
    const FUNCTION: usize = 2;
    const TAKEN: usize = 4;
    const RESULT: usize = 5;
    const LEFT: usize = 6;
    let (source, function) = (cx.reg(frame, SOURCE), cx.reg(frame, FUNCTION));
    if frame.state == 0 {
        if !function.is_undefined() {
            cx.check_callback(function)?;
        }
        let result = cx.heap.array(Vec::new());
        cx.set_reg(frame, RESULT, result);
        cx.set_reg(frame, TAKEN, Value::from(0));
        start_from(cx, frame, source, LEFT)?;
    } else {
        push(cx, cx.reg(frame, RESULT), input)?;
    }
    loop {
        cx.work(1)?;
        let taken = count(cx, frame, TAKEN);
        let left = cx.reg(frame, LEFT);
        let next = match left {
            Value::Object(iterator) => cx.next(iterator)?,
            _ if taken < count(cx, frame, LEFT) => {
                let key = cx.heap.to_key(Value::from(taken))?;
                Some(cx.get(source, key)?)
            }
            _ => None,
        };
        let Some(value) = next else {
            return Ok(Step::Return(cx.reg(frame, RESULT)));
        };
        cx.set_reg(frame, TAKEN, Value::from(taken + 1));
        if function.is_undefined() {
            push(cx, cx.reg(frame, RESULT), value)?;
        } else {
            return Ok(Step::call(function, &[value, Value::from(taken)], 1));
        }
    }
}

/// Puts an iterator of the source into a register, or the length of an array-like object.
fn start_from(cx: &mut Cx<'_>, frame: Native, source: Value, left: usize) -> Result<(), Throw> {
    let plain: Option<Ref> = match source {
        Value::Undefined | Value::Null => {
            cx.check_iterable(source)?;
            None
        }
        Value::Object(at) => matches!(
            cx.heap.body(at),
            Body::Object(_) | Body::Error(_) | Body::Closure(_) | Body::Native(_)
        )
        .then_some(at),
        Value::String(_) => None,
        // Numbers and booleans have neither elements nor a length.
        _ => {
            cx.set_reg(frame, left, Value::from(0));
            return Ok(());
        }
    };
    let value = if plain.is_some() {
        let length = cx.get_name(source, "length")?;
        let length = cx
            .heap
            .to_integer(length)?
            .clamp(0.0, 9_007_199_254_740_991.0);
        Value::Number(length)
    } else if matches!(cx.kind(source), Some(kind) if kind.can_iterate()) {
        cx.iterate(source)?
    } else {
        Value::from(0)
    };
    cx.set_reg(frame, left, value);
    Ok(())
}
