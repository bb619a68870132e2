//! `JSON.parse` and `JSON.stringify`. Functions of the program (a reviver, a replacer, `toJSON`) are
//! called from frames of the VM, which walk with a list in a register; `value::json` does the rest.

use super::{Builtin, stepped};
use crate::error::Throw;
use crate::program::Const;
use crate::value::json::{self, Style};
use crate::value::object::Key;
use crate::value::{Body, Ref, Value, date};
use crate::vm::cx::{Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    stepped("JSON.parse", 2, 2, 1, parse),
    stepped("JSON.stringify", 3, 3, 4, stringify),
];

/// The containers that are open, outermost first: each an array of the parts below.
const PARSE_OPEN: usize = 3;
/// An open container: what is walked, its copy, its keys, and how many of them are done.
const SOURCE: usize = 0;
const COPY: usize = 1;
const KEYS: usize = 2;
const DONE: usize = 3;

/// Opens a container.
fn open(
    cx: &mut Cx<'_>,
    list: Value,
    source: Value,
    copy: Value,
    keys: &[Key],
) -> Result<(), Throw> {
    cx.work(keys.len() + 1)?;
    cx.heap.meter.charge(keys.len() * 16 + 64)?;
    let keys: Vec<Value> = keys.iter().map(|key| cx.heap.key_value(*key)).collect();
    let keys = cx.heap.array(keys);
    let parts = cx.heap.array(vec![source, copy, keys, Value::from(0)]);
    if let Value::Object(list) = list
        && let Body::Array(list) = cx.heap.body_mut(list)
    {
        list.items.push(parts);
    }
    Ok(())
}

/// The innermost open container.
fn innermost(cx: &Cx<'_>, list: Value) -> Option<Ref> {
    let Value::Object(list) = list else {
        return None;
    };
    match cx.heap.items(list)?.last()? {
        Value::Object(parts) => Some(*parts),
        _ => None,
    }
}

fn part(cx: &Cx<'_>, parts: Ref, which: usize) -> Value {
    cx.heap
        .items(parts)
        .and_then(|items| items.get(which))
        .copied()
        .unwrap_or_default()
}

/// The key of a container that is being worked on, or the next one if `advance`.
fn key_of(cx: &mut Cx<'_>, parts: Ref, advance: bool) -> Option<Value> {
    let (Value::Object(keys), Value::Number(done)) = (part(cx, parts, KEYS), part(cx, parts, DONE))
    else {
        return None;
    };
    let index = if advance {
        done as usize
    } else {
        (done as usize).checked_sub(1)?
    };
    let key = cx.heap.items(keys)?.get(index).copied()?;
    if advance && let Body::Array(parts) = cx.heap.body_mut(parts) {
        parts.items[DONE] = Value::Number(done + 1.0);
    }
    Some(key)
}

/// Closes the innermost container.
fn close(cx: &mut Cx<'_>, list: Value) {
    if let Value::Object(list) = list
        && let Body::Array(list) = cx.heap.body_mut(list)
    {
        list.items.pop();
    }
}

/// Whether a value is an object or array with parts of its own.
fn is_container(cx: &Cx<'_>, value: Value) -> bool {
    let Value::Object(at) = value else {
        return false;
    };
    matches!(
        cx.heap.body(at),
        Body::Object(_) | Body::Array(_) | Body::Error(_)
    )
}

/// `JSON.parse("[1]", (key, value) => value)` → `[1]`
fn parse(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    let reviver = cx.reg(frame, 2);
    if frame.state == 0 {
        let units = cx.units(cx.reg(frame, 1))?;
        cx.work(units.len() / 16)?;
        let value = json::parse(cx.heap, &units)?;
        if !cx.heap.is_callable(reviver) {
            return Ok(Step::Return(value));
        }
        let list = cx.heap.array(Vec::new());
        cx.set_reg(frame, PARSE_OPEN, list);
        if !is_container(cx, value) {
            return revive(cx, reviver, None, value);
        }
        let keys = cx.keys(value);
        open(cx, list, value, Value::Undefined, &keys)?;
    } else {
        // What the reviver returned takes the place of the value; `undefined` deletes it.
        let Some(parts) = innermost(cx, cx.reg(frame, PARSE_OPEN)) else {
            return Ok(Step::Return(input));
        };
        let (holder, key) = (part(cx, parts, SOURCE), key_of(cx, parts, false));
        let key = cx.heap.to_key(key.unwrap_or_default())?;
        if input.is_undefined() {
            cx.delete(holder, key)?;
        } else {
            cx.set(holder, key, input)?;
        }
    }
    let list = cx.reg(frame, PARSE_OPEN);
    loop {
        cx.work(1)?;
        let Some(parts) = innermost(cx, list) else {
            return Err(Throw::fault("reviver"));
        };
        let holder = part(cx, parts, SOURCE);
        let Some(key) = key_of(cx, parts, true) else {
            // All its parts are done: now it is itself a value of its holder.
            close(cx, list);
            let key = innermost(cx, list).and_then(|outer| key_of(cx, outer, false));
            return revive(cx, reviver, key, holder);
        };
        let at = cx.heap.to_key(key)?;
        let value = cx.get(holder, at)?;
        if !is_container(cx, value) {
            return revive(cx, reviver, Some(key), value);
        }
        let keys = cx.keys(value);
        open(cx, list, value, Value::Undefined, &keys)?;
    }
}

/// Calls the reviver; the outermost value has the empty key.
fn revive(
    cx: &mut Cx<'_>,
    reviver: Value,
    key: Option<Value>,
    value: Value,
) -> Result<Step, Throw> {
    let key = match key {
        Some(key) => key,
        None => cx.heap.string(&[])?,
    };
    Ok(Step::call(reviver, &[key, value], 1))
}

const REPLACER: usize = 2;
const OPEN: usize = 4;
/// The copy that is written in the end.
const ROOT: usize = 5;
/// The key of the value that a function looks at.
const KEY: usize = 6;

/// The states of `stringify`: what the last function was.
const TO_JSON: u32 = 1;
const REPLACED: u32 = 2;

/// `JSON.stringify({a: [1]}, null, 2)` → text on several lines
fn stringify(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    match frame.state {
        0 => {
            let value = cx.reg(frame, 1);
            if !cx.heap.is_callable(cx.reg(frame, REPLACER)) && !may_have_to_json(cx) {
                return write(cx, frame, value).map(Step::Return);
            }
            let list = cx.heap.array(Vec::new());
            cx.set_reg(frame, OPEN, list);
            let key = cx.heap.string(&[])?;
            if let Some(step) = visit(cx, frame, key, value)? {
                return Ok(step);
            }
        }
        TO_JSON => {
            if let Some(step) = converted(cx, frame, input)? {
                return Ok(step);
            }
        }
        _ => place(cx, frame, input)?,
    }
    let list = cx.reg(frame, OPEN);
    while let Some(parts) = innermost(cx, list) {
        cx.work(1)?;
        let Some(key) = key_of(cx, parts, true) else {
            close(cx, list);
            continue;
        };
        let at = cx.heap.to_key(key)?;
        let value = cx.get(part(cx, parts, SOURCE), at)?;
        if let Some(step) = visit(cx, frame, key, value)? {
            return Ok(step);
        }
    }
    write(cx, frame, cx.reg(frame, ROOT)).map(Step::Return)
}

/// A `toJSON` function needs its name in the program; without it nothing has to be walked twice.
fn may_have_to_json(cx: &Cx<'_>) -> bool {
    let name = "toJSON";
    cx.program.consts.iter().any(|constant| match constant {
        Const::String(units) => {
            units.len() == name.len()
                && units
                    .iter()
                    .zip(name.bytes())
                    .all(|(a, b)| *a == u16::from(b))
        }
        Const::Number(_) => false,
    })
}

/// Takes up a value: a call of its `toJSON` or of the replacer, or none.
fn visit(cx: &mut Cx<'_>, frame: Native, key: Value, value: Value) -> Result<Option<Step>, Throw> {
    cx.set_reg(frame, KEY, key);
    if let Value::Object(at) = value
        && let Some(own) = json::to_json(cx.heap, at)
    {
        return Ok(Some(Step::call(own, &[key], TO_JSON)));
    }
    let value = match value {
        Value::Object(at) => match cx.heap.body(at) {
            // A date has a `toJSON`: a replacer sees its text.
            Body::Date(ms) => match date::to_iso(*ms) {
                Some(text) => cx.heap.str(&text)?,
                None => Value::Null,
            },
            _ => value,
        },
        other => other,
    };
    converted(cx, frame, value)
}

/// Goes on with what `toJSON` gave: a call of the replacer, or none.
fn converted(cx: &mut Cx<'_>, frame: Native, value: Value) -> Result<Option<Step>, Throw> {
    let replacer = cx.reg(frame, REPLACER);
    if cx.heap.is_callable(replacer) {
        let key = cx.reg(frame, KEY);
        return Ok(Some(Step::call(replacer, &[key, value], REPLACED)));
    }
    place(cx, frame, value)?;
    Ok(None)
}

/// Puts a value into the copy, and opens it if it is a container.
fn place(cx: &mut Cx<'_>, frame: Native, value: Value) -> Result<(), Throw> {
    let list = cx.reg(frame, OPEN);
    let parent = innermost(cx, list);
    let mut placed = value;
    let mut keys = None;
    if is_container(cx, value) {
        refuse_cycle(cx, list, value)?;
        if cx.heap.is_array(value) {
            let length = cx.get_name(value, "length")?;
            let length = cx.heap.to_number(length)? as usize;
            cx.heap.meter.charge(length * 32)?;
            keys = Some((0..length).map(|index| Key::Index(index as u32)).collect());
            placed = cx.heap.array(Vec::new());
        } else {
            keys = Some(match only(cx, cx.reg(frame, REPLACER))? {
                Some(only) => only,
                None => cx.keys(value),
            });
            placed = Value::Object(cx.heap.object());
        }
    }
    match parent {
        None => cx.set_reg(frame, ROOT, placed),
        Some(parts) => {
            let (copy, key) = (part(cx, parts, COPY), cx.reg(frame, KEY));
            let key = cx.heap.to_key(key)?;
            add(cx, copy, key, placed)?;
        }
    }
    if let Some(keys) = keys {
        let keys: Vec<Key> = keys;
        open(cx, list, value, placed, &keys)?;
    }
    Ok(())
}

/// Adds to a copy without looking at what names mean: `__proto__` is a name like any other here.
fn add(cx: &mut Cx<'_>, copy: Value, key: Key, value: Value) -> Result<(), Throw> {
    let Value::Object(at) = copy else {
        return Ok(());
    };
    cx.heap.meter.charge(48)?;
    match cx.heap.body_mut(at) {
        Body::Object(props) => {
            props.set(key, value);
        }
        Body::Array(array) => array.items.push(value),
        _ => {}
    }
    Ok(())
}

fn refuse_cycle(cx: &mut Cx<'_>, list: Value, value: Value) -> Result<(), Throw> {
    let (Value::Object(list), Value::Object(at)) = (list, value) else {
        return Ok(());
    };
    let open = cx
        .heap
        .items(list)
        .map(<[Value]>::to_vec)
        .unwrap_or_default();
    cx.work(open.len())?;
    let mut path = Vec::with_capacity(open.len());
    let mut closes = false;
    let mut led_by = None;
    for parts in open {
        let Value::Object(parts) = parts else {
            continue;
        };
        if let Value::Object(source) = part(cx, parts, SOURCE) {
            path.push((led_by, source));
            closes |= source == at;
        }
        led_by = match key_of(cx, parts, false) {
            Some(key) => Some(cx.heap.to_key(key)?),
            None => None,
        };
    }
    if closes {
        Err(json::circle(cx.heap, &path, at, led_by))
    } else {
        Ok(())
    }
}

/// Writes what needs no function any more.
fn write(cx: &mut Cx<'_>, frame: Native, value: Value) -> Result<Value, Throw> {
    let style = Style {
        indent: indent(cx, cx.reg(frame, 3)),
        only: only(cx, cx.reg(frame, REPLACER))?,
    };
    match json::stringify(cx.heap, value, &style)? {
        Some(units) => cx.heap.string(&units),
        None => Ok(Value::Undefined),
    }
}

/// The names of a list of properties.
fn only(cx: &mut Cx<'_>, replacer: Value) -> Result<Option<Vec<Key>>, Throw> {
    if !cx.heap.is_array(replacer) {
        return Ok(None);
    }
    let mut only: Vec<Key> = Vec::new();
    for name in cx.spread(replacer)? {
        if matches!(name, Value::String(_) | Value::Number(_)) {
            let key = cx.heap.to_key(name)?;
            cx.work(only.len() / 16)?;
            if !only.contains(&key) {
                only.push(key);
            }
        }
    }
    Ok(Some(only))
}

/// At most ten spaces, or the first ten units of a text. V8 breaks lines for whatever is above zero, so also where it
/// indents by nothing; and it ends the text at U+0000.
fn indent(cx: &mut Cx<'_>, space: Value) -> Option<Vec<u16>> {
    match space {
        Value::Number(count) if count > 0.0 => {
            Some(vec![u16::from(b' '); count.min(10.0) as usize])
        }
        Value::String(text) => {
            let units = cx.heap.text(text);
            let written = units.iter().copied().take(10).take_while(|unit| *unit != 0);
            (!units.is_empty()).then(|| written.collect())
        }
        _ => None,
    }
}
