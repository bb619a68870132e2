//! `Map` and `Set`.

use super::{Builtin, object, plain, stepped};
use crate::error::Throw;
use crate::value::heap::IterKind;
use crate::value::object::Key;
use crate::value::table::Table;
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Call, Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Map", 0, map_without_new),
    plain("new Map", 0, new_map),
    plain("Map.prototype.clear", 0, clear),
    plain("Map.prototype.delete", 1, delete),
    plain("Map.prototype.entries", 0, entries),
    plain("Map.prototype.get", 1, get),
    plain("Map.prototype.has", 1, has),
    plain("Map.prototype.keys", 0, keys),
    plain("Map.prototype.set", 2, set),
    plain("Map.prototype.values", 0, values),
    stepped("Map.groupBy", 2, 2, 4, group_by),
    stepped("Map.prototype.forEach", 1, 2, 1, |cx, frame, _| {
        for_each(cx, frame, "Map.prototype.forEach")
    }),
    plain("Set", 0, set_without_new),
    plain("new Set", 0, new_set),
    plain("Set.prototype.add", 1, add),
    plain("Set.prototype.clear", 0, clear),
    plain("Set.prototype.delete", 1, delete),
    plain("Set.prototype.difference", 1, difference),
    plain("Set.prototype.entries", 0, entries),
    plain("Set.prototype.has", 1, has),
    plain("Set.prototype.intersection", 1, intersection),
    plain("Set.prototype.isDisjointFrom", 1, is_disjoint_from),
    plain("Set.prototype.isSubsetOf", 1, is_subset_of),
    plain("Set.prototype.isSupersetOf", 1, is_superset_of),
    plain("Set.prototype.symmetricDifference", 1, symmetric_difference),
    plain("Set.prototype.union", 1, union),
    plain("Set.prototype.values", 0, values),
    stepped("Set.prototype.forEach", 1, 2, 1, |cx, frame, _| {
        for_each(cx, frame, "Set.prototype.forEach")
    }),
];

/// What an entry costs.
const ENTRY_BYTES: usize = 80;

fn map_without_new(_cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    Err(Throw::type_error("Constructor Map requires 'new'"))
}

/// As `Map`.
fn set_without_new(_cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    Err(Throw::type_error("Constructor Set requires 'new'"))
}

/// `new Map([["a", 1]])`
fn new_map(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let entries = cx.arg(call, 0);
    let mut table = Table::default();
    if !entries.is_nullish() {
        let iterator = cx.iterate_argument(entries)?;
        while let Some(entry) = cx.next(iterator)? {
            if !matches!(entry, Value::Object(_)) {
                let what = cx.told(entry);
                return Err(Throw::type_error(format!(
                    "Iterator value {what} is not an entry object"
                )));
            }
            let key = cx.get(entry, Key::Index(0))?;
            let value = cx.get(entry, Key::Index(1))?;
            insert(cx, &mut table, key, value)?;
        }
    }
    Ok(Value::Object(cx.heap.alloc(Body::Map(Box::new(table)))))
}

/// `new Set([1, 2])`
fn new_set(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let items = cx.arg(call, 0);
    let mut table = Table::default();
    if !items.is_nullish() {
        for item in cx.spread_argument(items)? {
            insert(cx, &mut table, item, Value::Undefined)?;
        }
    }
    Ok(made(cx, table))
}

fn insert(cx: &mut Cx<'_>, table: &mut Table, key: Value, value: Value) -> Result<(), Throw> {
    cx.work(1)?;
    cx.heap.meter.charge(ENTRY_BYTES)?;
    let key = cx.heap.table_key(key);
    table.set(key, value);
    Ok(())
}

fn made(cx: &mut Cx<'_>, table: Table) -> Value {
    Value::Object(cx.heap.alloc(Body::Set(Box::new(table))))
}

fn is_table(cx: &Cx<'_>, value: Value) -> bool {
    matches!(value, Value::Object(at) if matches!(cx.heap.body(at), Body::Map(_) | Body::Set(_)))
}

/// The table of a map or set.
fn table<'a>(cx: &'a mut Cx<'_>, value: Value) -> Result<&'a mut Table, Throw> {
    if let Value::Object(at) = value
        && let Body::Map(table) | Body::Set(table) = cx.heap.body_mut(at)
    {
        return Ok(table);
    }
    Err(Throw::fault("map or set"))
}

/// The table of the map or set that a method was called on. No method of a map can be called on a set: a map keeps no
/// properties, and so no methods of others.
fn receiver<'a>(cx: &'a mut Cx<'_>, call: Call) -> Result<&'a mut Table, Throw> {
    if !is_table(cx, call.this) {
        return Err(cx.incompatible(call));
    }
    table(cx, call.this)
}

/// `new Map([["a", 1]]).get("a")` → `1`
fn get(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let key = cx.heap.table_key(cx.arg(call, 0));
    Ok(receiver(cx, call)?.get(key).unwrap_or_default())
}

/// `new Set([1]).has(1)` → `true`
fn has(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let key = cx.heap.table_key(cx.arg(call, 0));
    Ok(Value::Bool(receiver(cx, call)?.has(key)))
}

/// `new Map().set("a", 1)` → the map
fn set(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (key, value) = (cx.heap.table_key(cx.arg(call, 0)), cx.arg(call, 1));
    cx.heap.meter.charge(ENTRY_BYTES)?;
    receiver(cx, call)?.set(key, value);
    Ok(call.this)
}

/// `new Set().add(1)` → the set
fn add(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let key = cx.heap.table_key(cx.arg(call, 0));
    cx.heap.meter.charge(ENTRY_BYTES)?;
    receiver(cx, call)?.set(key, Value::Undefined);
    Ok(call.this)
}

/// `new Set([1]).delete(1)` → `true`
fn delete(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let key = cx.heap.table_key(cx.arg(call, 0));
    Ok(Value::Bool(receiver(cx, call)?.remove(key)))
}

/// `new Set([1]).clear()` → `undefined`
fn clear(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(cx, call)?.clear();
    Ok(Value::Undefined)
}

/// `[...new Map([["a", 1]]).entries()]` → `[["a", 1]]`
fn entries(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(cx, call)?;
    Ok(cx.new_iterator(call.this, IterKind::Entries))
}

/// `[...new Map([["a", 1]]).keys()]` → `["a"]`
fn keys(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(cx, call)?;
    Ok(cx.new_iterator(call.this, IterKind::Keys))
}

/// `[...new Map([["a", 1]]).values()]` → `[1]`
fn values(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(cx, call)?;
    Ok(cx.new_iterator(call.this, IterKind::Values))
}

/// `Map.groupBy([1, 2, 3], (n) => n % 2)` → a map of arrays
fn group_by(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    object::groups(cx, frame, input, true)
}

/// `new Map([["a", 1]]).forEach((value, key) => …)`
fn for_each(cx: &mut Cx<'_>, frame: Native, path: &str) -> Result<Step, Throw> {
    const CALLBACK: usize = 1;
    const ITERATOR: usize = 3;
    let this = cx.reg(frame, 0);
    let callback = cx.reg(frame, CALLBACK);
    if frame.state == 0 {
        if !is_table(cx, this) {
            return Err(cx.incompatible_with(path, this));
        }
        cx.check_callback(callback)?;
        let iterator = cx.new_iterator(this, IterKind::Entries);
        cx.set_reg(frame, ITERATOR, iterator);
    }
    let Value::Object(iterator) = cx.reg(frame, ITERATOR) else {
        return Err(Throw::fault("iterator"));
    };
    let Some(entry) = cx.next(iterator)? else {
        return Ok(Step::Return(Value::Undefined));
    };
    let (key, value) = (cx.get(entry, Key::Index(0))?, cx.get(entry, Key::Index(1))?);
    Ok(Step::call(callback, &[value, key, this], 1))
}

/// The keys of the set and of the other one.
fn both(
    cx: &mut Cx<'_>,
    call: Call,
    name: &str,
) -> Result<(Vec<Value>, Ref, Vec<Value>, Ref), Throw> {
    let this = match call.this {
        Value::Object(at) if matches!(cx.heap.body(at), Body::Set(_)) => at,
        _ => return Err(cx.incompatible(call)),
    };
    let other = match cx.arg(call, 0) {
        Value::Object(at) if matches!(cx.heap.body(at), Body::Set(_) | Body::Map(_)) => at,
        Value::Object(at) => {
            let size = match cx.heap.body(at) {
                Body::Object(_) => cx.get_name(Value::Object(at), "size")?,
                _ => Value::Undefined,
            };
            return Err(Throw::type_error(if size.is_undefined() {
                "The .size property is NaN"
            } else {
                "Flow has no objects that act as sets: give a set or a map."
            }));
        }
        _ => {
            return Err(Throw::type_error(format!(
                "Set.prototype.{name} argument must be an object"
            )));
        }
    };
    let (left, right) = (
        table(cx, call.this)?.len(),
        table(cx, Value::Object(other))?.len(),
    );
    cx.work(left + right)?;
    cx.heap.meter.charge((left + right) * ENTRY_BYTES)?;
    let mut keys = |at| -> Result<Vec<Value>, Throw> {
        Ok(table(cx, Value::Object(at))?
            .iter()
            .map(|(key, _)| key)
            .collect())
    };
    Ok((keys(this)?, this, keys(other)?, other))
}

fn contains(cx: &mut Cx<'_>, at: Ref, key: Value) -> bool {
    table(cx, Value::Object(at)).is_ok_and(|table| table.has(key))
}

fn set_of(cx: &mut Cx<'_>, keys: impl IntoIterator<Item = Value>) -> Value {
    let mut table = Table::default();
    for key in keys {
        table.set(key, Value::Undefined);
    }
    made(cx, table)
}

/// `new Set([1]).union(new Set([2]))` → a set of 1 and 2
fn union(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (left, _, right, _) = both(cx, call, "union")?;
    Ok(set_of(cx, left.into_iter().chain(right)))
}

/// `new Set([1, 2]).intersection(new Set([2]))` → a set of 2
fn intersection(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (left, this, right, other) = both(cx, call, "intersection")?;
    // JavaScript walks the smaller one, so its order is the result's.
    let (mut walked, in_which) = if left.len() <= right.len() {
        (left, other)
    } else {
        (right, this)
    };
    walked.retain(|key| contains(cx, in_which, *key));
    Ok(set_of(cx, walked))
}

/// `new Set([1, 2]).difference(new Set([2]))` → a set of 1
fn difference(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (mut left, _, _, other) = both(cx, call, "difference")?;
    left.retain(|key| !contains(cx, other, *key));
    Ok(set_of(cx, left))
}

/// `new Set([1, 2]).symmetricDifference(new Set([2, 3]))` → a set of 1 and 3
fn symmetric_difference(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (mut left, this, mut right, other) = both(cx, call, "symmetricDifference")?;
    left.retain(|key| !contains(cx, other, *key));
    right.retain(|key| !contains(cx, this, *key));
    Ok(set_of(cx, left.into_iter().chain(right)))
}

/// `new Set([1]).isSubsetOf(new Set([1, 2]))` → `true`
fn is_subset_of(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (left, _, _, other) = both(cx, call, "isSubsetOf")?;
    Ok(Value::Bool(
        left.into_iter().all(|key| contains(cx, other, key)),
    ))
}

/// `new Set([1, 2]).isSupersetOf(new Set([1]))` → `true`
fn is_superset_of(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (_, this, right, _) = both(cx, call, "isSupersetOf")?;
    Ok(Value::Bool(
        right.into_iter().all(|key| contains(cx, this, key)),
    ))
}

/// `new Set([1]).isDisjointFrom(new Set([2]))` → `true`
fn is_disjoint_from(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (left, _, _, other) = both(cx, call, "isDisjointFrom")?;
    Ok(Value::Bool(
        !left.into_iter().any(|key| contains(cx, other, key)),
    ))
}
