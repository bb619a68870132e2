//! `console`: lines of the execution's log. Texts are put together as Node's `util.format` does it.

use super::inspect::{MOST, inspect, number_text};
use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::{Value, json, number};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("console.log", 0, log),
    plain("console.debug", 0, debug),
    plain("console.info", 0, info),
    plain("console.warn", 0, warn),
    plain("console.error", 0, error),
];

fn log(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "log")
}

fn debug(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "debug")
}

fn info(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "info")
}

fn warn(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "warn")
}

fn error(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    line(cx, call, "error")
}

fn line(cx: &mut Cx<'_>, call: Call, level: &'static str) -> Result<Value, Throw> {
    let values = cx.args(call);
    let mut out = String::new();
    let mut rest = values.as_slice();
    if let [Value::String(text), given @ ..] = rest
        && !given.is_empty()
    {
        let text = cx.heap.rust_text(*text);
        cx.work(text.len() / 8)?;
        (out, rest) = fill(cx, &text, given)?;
        if !rest.is_empty() {
            out.push(' ');
        }
    }
    for (at, value) in rest.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out = match *value {
            Value::String(text) => out + &cx.heap.rust_text(text),
            value => inspect(cx, value, out, MOST)?,
        };
        cx.work(out.len().min(MOST) / 8 + 10)?;
        if out.len() > MOST {
            break;
        }
    }
    if out.len() > MOST {
        out.truncate(out.floor_char_boundary(MOST));
        out.push('…');
    }
    let out = out.replace('\0', "\u{FFFD}");
    cx.host.log(level, &out);
    Ok(Value::Undefined)
}

/// Puts values in where a text has `%s` and its like; gives those that are left over too.
fn fill<'v>(
    cx: &mut Cx<'_>,
    text: &str,
    mut values: &'v [Value],
) -> Result<(String, &'v [Value]), Throw> {
    let mut out = String::new();
    let mut tail = text;
    while let Some(at) = tail.find('%') {
        let (before, mark) = tail.split_at(at);
        out.push_str(before);
        let mut chars = mark.chars();
        chars.next();
        let kind = chars.next();
        match (kind, values.split_first()) {
            (Some('%'), _) => out.push('%'),
            (Some(kind @ ('s' | 'd' | 'i' | 'f' | 'j' | 'o' | 'O' | 'c')), Some((value, left))) => {
                values = left;
                out = filled(cx, kind, *value, out)?;
                cx.work(out.len().min(MOST) / 8 + 10)?;
            }
            _ => {
                // It stays as it is, and what follows it begins no mark.
                out.push('%');
                out.extend(kind);
            }
        }
        tail = chars.as_str();
        if out.len() > MOST {
            return Ok((out, &[]));
        }
    }
    out.push_str(tail);
    Ok((out, values))
}

/// Adds a value in the form that a mark asks for.
fn filled(cx: &mut Cx<'_>, kind: char, value: Value, mut out: String) -> Result<String, Throw> {
    match (kind, value) {
        ('c', _) => {}
        ('s', Value::String(text)) => out.push_str(&cx.heap.rust_text(text)),
        ('d', value) => {
            let number = told(cx.heap.to_number(value))?;
            out.push_str(&number_text(number.unwrap_or(f64::NAN)));
        }
        ('i' | 'f', value) => {
            let number = told(cx.units(value))?.map(|units| match kind {
                'i' => number::parse_int(&units, 0),
                _ => number::parse_float(&units),
            });
            out.push_str(&number_text(number.unwrap_or(f64::NAN)));
        }
        ('j', value) => match told(json::to_host(cx.heap, value))? {
            Some(text) => out.push_str(text.as_deref().unwrap_or("undefined")),
            // What JSON cannot hold is said all the same.
            None => return inspect(cx, value, out, MOST),
        },
        (_, value) => return inspect(cx, value, out, MOST),
    }
    Ok(out)
}

/// A log line never fails a run, except by its limits: none for a value that cannot be converted.
fn told<T>(converted: Result<T, Throw>) -> Result<Option<T>, Throw> {
    match converted {
        Ok(value) => Ok(Some(value)),
        Err(fatal @ Throw::Fatal(_)) => Err(fatal),
        Err(_) => Ok(None),
    }
}
