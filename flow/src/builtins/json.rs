//! `JSON.parse` and `JSON.stringify`. A reviver or replacer function makes them frames of the VM.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::json::{self, Style};
use crate::value::object::Key;
use crate::value::{Value, json as codec};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] =
    &[plain("JSON.parse", 2, parse), plain("JSON.stringify", 3, stringify)];

/// `JSON.parse("[1]")` → `[1]`
fn parse(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    if cx.heap.is_callable(cx.arg(call, 1)) {
        return Err(Throw::type_error(
            "Flow's JSON.parse takes no reviver function: change the result afterwards.",
        ));
    }
    let units = cx.units(cx.arg(call, 0))?;
    cx.work(units.len() / 4)?;
    codec::parse(cx.heap, &units)
}

/// `JSON.stringify({a: [1]}, null, 2)` → text on several lines
fn stringify(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let replacer = cx.arg(call, 1);
    if cx.heap.is_callable(replacer) {
        return Err(Throw::type_error(
            "Flow's JSON.stringify takes no replacer function: change the value before.",
        ));
    }
    let mut style = Style { indent: indent(cx, cx.arg(call, 2))?, ..Style::default() };
    if cx.heap.is_array(replacer) {
        let mut only: Vec<Key> = Vec::new();
        for name in cx.spread(replacer)? {
            if matches!(name, Value::String(_) | Value::Number(_)) {
                let key = cx.heap.to_key(name)?;
                if !only.contains(&key) {
                    only.push(key);
                }
            }
        }
        style.only = Some(only);
    }
    match json::stringify(cx.heap, cx.arg(call, 0), &style)? {
        Some(units) => cx.heap.string(&units),
        None => Ok(Value::Undefined),
    }
}

/// At most ten spaces, or the first ten units of a text.
fn indent(cx: &mut Cx<'_>, space: Value) -> Result<Vec<u16>, Throw> {
    match space {
        Value::Number(_) => {
            let count = cx.heap.to_integer(space)?.clamp(0.0, 10.0);
            Ok(vec![u16::from(b' '); count as usize])
        }
        Value::String(text) => {
            let units = cx.heap.text(text);
            Ok(units[..units.len().min(10)].to_vec())
        }
        _ => Ok(Vec::new()),
    }
}
