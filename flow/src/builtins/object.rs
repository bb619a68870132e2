//! `Object`: keys, entries, integrity, grouping.

use super::{Builtin, plain, stepped};
use crate::error::Throw;
use crate::value::inherited::Kind;
use crate::value::object::{Integrity, Key, Props};
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Call, Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Object", 1, constructor),
    plain("Function", 1, function),
    plain("Function.prototype.toString", 0, function_to_string),
    plain("Object.assign", 2, assign),
    plain("Object.entries", 1, entries),
    plain("Object.freeze", 1, freeze),
    plain("Object.fromEntries", 1, from_entries),
    plain("Object.getOwnPropertyNames", 1, own_names),
    plain("Object.hasOwn", 2, has_own),
    plain("Object.is", 2, is),
    plain("Object.isExtensible", 1, is_extensible),
    plain("Object.isFrozen", 1, is_frozen),
    plain("Object.isSealed", 1, is_sealed),
    plain("Object.keys", 1, keys),
    plain("Object.preventExtensions", 1, prevent_extensions),
    plain("Object.prototype.hasOwnProperty", 1, has_own_property),
    plain("Object.prototype.toString", 0, to_string),
    plain("Object.prototype.valueOf", 0, value_of),
    plain("Object.seal", 1, seal),
    plain("Object.values", 1, values),
    stepped("Object.groupBy", 2, 2, 4, group_by),
];

/// What a property costs.
const PROP_BYTES: usize = 48;

/// `Object` is a class for `instanceof`; wrapper objects are not in Flow.
fn constructor(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match cx.arg(call, 0) {
        Value::Undefined | Value::Null => Ok(Value::Object(cx.heap.object())),
        value @ Value::Object(_) => Ok(value),
        _ => Err(Throw::type_error(
            "Flow has no wrapper objects: use the value itself.",
        )),
    }
}

/// `Function` is a class for `instanceof`; code cannot be made from text.
fn function(_cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    Err(Throw::type_error("Flow cannot make functions from text."))
}

/// `(() => 1).toString()` throws by name: the source of a function is not kept.
fn function_to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    if !cx.heap.is_callable(call.this) {
        return Err(Throw::type_error(
            "Function.prototype.toString requires that 'this' be a Function",
        ));
    }
    cx.string(call.this).map(Value::String)
}

/// An argument that must not be `null` or `undefined`.
fn required(cx: &Cx<'_>, call: Call) -> Result<Value, Throw> {
    let value = cx.arg(call, 0);
    if value.is_nullish() {
        return Err(Throw::type_error(
            "Cannot convert undefined or null to object",
        ));
    }
    Ok(value)
}

/// The listed keys of the first argument, paid for.
fn listed(cx: &mut Cx<'_>, call: Call) -> Result<(Value, Vec<Key>), Throw> {
    let value = required(cx, call)?;
    let keys = cx.keys(value);
    cx.work(keys.len())?;
    cx.heap.meter.charge(keys.len() * 32)?;
    Ok((value, keys))
}

/// `Object.keys({a: 1})` → `["a"]`
fn keys(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (_, keys) = listed(cx, call)?;
    let keys = keys.into_iter().map(|key| cx.heap.key_value(key)).collect();
    Ok(cx.heap.array(keys))
}

/// `Object.values({a: 1})` → `[1]`
fn values(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (value, keys) = listed(cx, call)?;
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        values.push(cx.get(value, key)?);
    }
    Ok(cx.heap.array(values))
}

/// `Object.entries({a: 1})` → `[["a", 1]]`
fn entries(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (value, keys) = listed(cx, call)?;
    let mut entries = Vec::with_capacity(keys.len());
    for key in keys {
        cx.heap.meter.charge(96)?;
        let item = cx.get(value, key)?;
        let pair = vec![cx.heap.key_value(key), item];
        entries.push(cx.heap.array(pair));
    }
    Ok(cx.heap.array(entries))
}

/// `Object.getOwnPropertyNames({a: 1})` → `["a"]`; of an array also `"length"`.
fn own_names(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (value, keys) = listed(cx, call)?;
    let elements = keys
        .iter()
        .take_while(|key| matches!(key, Key::Index(_)))
        .count();
    let mut names: Vec<Value> = keys.into_iter().map(|key| cx.heap.key_value(key)).collect();
    match cx.kind(value) {
        // Before the names that the result of a match has.
        Some(Kind::Array | Kind::String) => {
            names.insert(elements, Value::String(cx.heap.intern_str("length")));
        }
        Some(Kind::Object | Kind::Bare | Kind::Number | Kind::Boolean) => {}
        _ => {
            return Err(Throw::type_error(
                "Object.getOwnPropertyNames of Flow takes plain objects, arrays and strings.",
            ));
        }
    }
    Ok(cx.heap.array(names))
}

/// `Object.assign({a: 1}, {b: 2})` → `{a: 1, b: 2}`, the first object.
fn assign(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let target = required(cx, call)?;
    if !matches!(target, Value::Object(_)) {
        return Err(Throw::type_error(
            "Object.assign of Flow needs an object as its first argument.",
        ));
    }
    for source in cx.args(call).into_iter().skip(1) {
        let keys = cx.keys(source);
        cx.work(keys.len())?;
        for key in keys {
            cx.heap.meter.charge(PROP_BYTES)?;
            let value = cx.get(source, key)?;
            cx.set(target, key, value)?;
        }
    }
    Ok(target)
}

/// `Object.fromEntries([["a", 1]])` → `{a: 1}`
fn from_entries(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let iterator = match cx.arg(call, 0) {
        // V8 forgets what it was given.
        entries if entries.is_nullish() => {
            return Err(Throw::type_error("undefined is not iterable"));
        }
        entries => cx.iterate_argument(entries)?,
    };
    let mut props = Props::default();
    while let Some(entry) = cx.next(iterator)? {
        cx.work(1)?;
        if !matches!(entry, Value::Object(_)) {
            let what = cx.told(entry);
            return Err(Throw::type_error(format!(
                "Iterator value {what} is not an entry object"
            )));
        }
        let key = cx.get(entry, Key::Index(0))?;
        let value = cx.get(entry, Key::Index(1))?;
        let key = cx.heap.to_key(key)?;
        cx.heap.meter.charge(PROP_BYTES)?;
        props.set(key, value);
    }
    Ok(Value::Object(cx.heap.alloc(Body::Object(props))))
}

/// `Object.is(NaN, NaN)` → `true`
fn is(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (left, right) = (cx.arg(call, 0), cx.arg(call, 1));
    Ok(Value::Bool(cx.heap.same_value(left, right)))
}

fn owns(cx: &mut Cx<'_>, value: Value, key: Value) -> Result<Value, Throw> {
    let key = cx.heap.to_key(key)?;
    let there = match value {
        Value::Object(at) => cx.get_own(at, key)?.is_some(),
        Value::String(at) => match key {
            Key::Index(index) => (index as usize) < cx.heap.string_len(at),
            Key::Name(_) => cx.key_text(key) == "length",
        },
        _ => false,
    };
    Ok(Value::Bool(there))
}

/// `Object.hasOwn({a: 1}, "a")` → `true`
fn has_own(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let value = required(cx, call)?;
    owns(cx, value, cx.arg(call, 1))
}

/// `({a: 1}).hasOwnProperty("a")` → `true`
fn has_own_property(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    if call.this.is_nullish() {
        return Err(Throw::type_error(
            "Cannot convert undefined or null to object",
        ));
    }
    owns(cx, call.this, cx.arg(call, 0))
}

/// `({}).toString()` → `"[object Object]"`
fn to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let class = match (cx.kind(call.this), call.this) {
        (None, _) => "Undefined",
        // These have no text, or one that tells more.
        (Some(Kind::Object | Kind::Iterator), Value::Object(at))
            if !matches!(cx.heap.body(at), Body::Object(_)) =>
        {
            return cx.string(call.this).map(Value::String);
        }
        (Some(Kind::Bare), _) => "Object",
        (Some(kind), _) => kind.name(),
    };
    cx.heap.str(&format!("[object {class}]"))
}

/// `({a: 1}).valueOf()` → the object
fn value_of(_cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    if call.this.is_nullish() {
        return Err(Throw::type_error(
            "Cannot convert undefined or null to object",
        ));
    }
    Ok(call.this)
}

/// What may be changed of a value; none if Flow does not keep that for its kind.
fn integrity<'a>(cx: &'a mut Cx<'_>, at: Ref) -> Option<&'a mut Integrity> {
    match cx.heap.body_mut(at) {
        Body::Object(props) => Some(&mut props.integrity),
        Body::Array(array) => Some(&mut array.names.get_or_insert_default().integrity),
        Body::Error(error) => Some(&mut error.props.integrity),
        _ => None,
    }
}

fn tighten(cx: &mut Cx<'_>, call: Call, to: Integrity) -> Result<Value, Throw> {
    let value = cx.arg(call, 0);
    let Value::Object(at) = value else {
        return Ok(value);
    };
    if let Some(now) = integrity(cx, at) {
        *now = (*now).max(to);
    } else if !cx.heap.is_callable(value) {
        // Functions hold no properties in Flow: they are frozen as they are.
        let what = cx.describe(value);
        return Err(Throw::type_error(format!("Flow cannot freeze {what}.")));
    }
    Ok(value)
}

/// `Object.freeze({a: 1})`: nothing can be changed.
fn freeze(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    tighten(cx, call, Integrity::Frozen)
}

/// `Object.seal({a: 1})`: nothing can be added or deleted.
fn seal(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    tighten(cx, call, Integrity::Sealed)
}

/// `Object.preventExtensions({a: 1})`: nothing can be added.
fn prevent_extensions(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    tighten(cx, call, Integrity::Closed)
}

/// An object without properties that cannot get any is frozen, whatever was called on it.
fn state(cx: &mut Cx<'_>, call: Call) -> Result<Integrity, Throw> {
    let Value::Object(at) = cx.arg(call, 0) else {
        return Ok(Integrity::Frozen);
    };
    let count = match cx.heap.body(at) {
        Body::Object(props) => props.len(),
        // V8 says so of empty arrays too, although their length can still be written.
        Body::Array(array) => array.items.iter().filter(|item| !item.is_empty()).count(),
        Body::Closure(_) | Body::Native(_) => {
            return Err(Throw::type_error(
                "Flow does not keep whether a function is frozen.",
            ));
        }
        _ => 1,
    };
    Ok(match integrity(cx, at).copied() {
        Some(now) if now > Integrity::Open && count == 0 => Integrity::Frozen,
        Some(now) => now,
        None => Integrity::Open,
    })
}

/// `Object.isFrozen(Object.freeze({}))` → `true`
fn is_frozen(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    Ok(Value::Bool(state(cx, call)? >= Integrity::Frozen))
}

/// `Object.isSealed(Object.seal({}))` → `true`
fn is_sealed(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    Ok(Value::Bool(state(cx, call)? >= Integrity::Sealed))
}

/// `Object.isExtensible({})` → `true`
fn is_extensible(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let primitive = !matches!(cx.arg(call, 0), Value::Object(_));
    Ok(Value::Bool(
        !primitive && state(cx, call)? == Integrity::Open,
    ))
}

/// `Object.groupBy([1, 2, 3], (n) => n % 2 ? "odd" : "even")` → `{odd: [1, 3], even: [2]}`
fn group_by(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    groups(cx, frame, input, false)
}

/// `Object.groupBy` and `Map.groupBy`: registers are the iterator, the count, the result, the item.
pub(super) fn groups(
    cx: &mut Cx<'_>,
    frame: Native,
    input: Value,
    in_map: bool,
) -> Result<Step, Throw> {
    const ITERATOR: usize = 3;
    const COUNT: usize = 4;
    const RESULT: usize = 5;
    const CURRENT: usize = 6;
    let callback = cx.reg(frame, 2);
    if frame.state == 0 {
        let values = cx.reg(frame, 1);
        if values.is_nullish() {
            let name = if in_map { "Map" } else { "Object" };
            return Err(Throw::type_error(format!(
                "{name}.groupBy called on null or undefined"
            )));
        }
        if !cx.heap.is_callable(callback) {
            let what = cx.told(callback);
            return Err(Throw::type_error(format!("{what} is not a function")));
        }
        cx.check_iterable(values)?;
        let iterator = cx.iterate(values)?;
        let result = if in_map {
            Body::Map(Box::default())
        } else {
            Body::Object(Props::bare())
        };
        let result = cx.heap.alloc(result);
        cx.set_reg(frame, ITERATOR, iterator);
        cx.set_reg(frame, COUNT, Value::from(0));
        cx.set_reg(frame, RESULT, Value::Object(result));
    } else {
        add_to_group(cx, cx.reg(frame, RESULT), input, cx.reg(frame, CURRENT))?;
    }
    let Value::Object(iterator) = cx.reg(frame, ITERATOR) else {
        return Err(Throw::fault("iterator"));
    };
    let Some(item) = cx.next(iterator)? else {
        return Ok(Step::Return(cx.reg(frame, RESULT)));
    };
    let count = cx.reg(frame, COUNT);
    let next = cx.heap.to_number(count)? + 1.0;
    cx.set_reg(frame, COUNT, Value::Number(next));
    cx.set_reg(frame, CURRENT, item);
    Ok(Step::call(callback, &[item, count], 1))
}

fn add_to_group(cx: &mut Cx<'_>, result: Value, key: Value, item: Value) -> Result<(), Throw> {
    let Value::Object(at) = result else {
        return Ok(());
    };
    cx.heap.meter.charge(96)?;
    let is_map = matches!(cx.heap.body(at), Body::Map(_));
    let map_key = if is_map {
        cx.heap.table_key(key)
    } else {
        Value::Undefined
    };
    let object_key = if is_map {
        Key::Index(0)
    } else {
        cx.heap.to_key(key)?
    };
    let group = match cx.heap.body(at) {
        Body::Map(table) => table.get(map_key),
        Body::Object(props) => props.get(object_key),
        _ => None,
    };
    if let Some(Value::Object(group)) = group {
        if let Body::Array(group) = cx.heap.body_mut(group) {
            group.items.push(item);
        }
        return Ok(());
    }
    let group = cx.heap.array(vec![item]);
    match cx.heap.body_mut(at) {
        Body::Map(table) => {
            table.set(map_key, group);
        }
        Body::Object(props) => {
            props.set(object_key, group);
        }
        _ => {}
    }
    Ok(())
}
