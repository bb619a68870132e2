//! `replace` and `replaceAll`: the replacement may be a function of the program.

use super::regexp::Found;
use super::string::{find, receiver};
use super::{Builtin, regexp_replace, replacement, stepped};
use crate::error::Throw;
use crate::value::{Ref, Value};
use crate::vm::cx::{Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    stepped("String.prototype.replace", 2, 2, 5, replace),
    stepped("String.prototype.replaceAll", 2, 2, 5, replace_all),
];

pub(super) const PATTERN: usize = 1;
pub(super) const REPLACEMENT: usize = 2;
/// The result so far.
pub(super) const RESULT: usize = 3;
/// Where the last match began and ended.
pub(super) const START: usize = 4;
pub(super) const END: usize = 5;

/// `"a-b-c".replace("-", "+")` → `"a+b-c"`
fn replace(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    run(cx, frame, input, false)
}

/// `"a-b-c".replaceAll("-", (match, at) => at)` → `"a1b3c"`
fn replace_all(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    run(cx, frame, input, true)
}

pub(super) fn position(cx: &Cx<'_>, frame: Native, register: usize) -> usize {
    match cx.reg(frame, register) {
        Value::Number(number) => number as usize,
        _ => 0,
    }
}

fn run(cx: &mut Cx<'_>, frame: Native, input: Value, all: bool) -> Result<Step, Throw> {
    let text = receiver(
        cx,
        cx.reg(frame, 0),
        if all { "replaceAll" } else { "replace" },
    )?;
    let given = cx.reg(frame, PATTERN);
    if cx.heap.regex(given).is_some() {
        return regexp_replace::run(cx, frame, input, &text, all);
    }
    let pattern = cx.string(given)?;
    let needle = cx.heap.text(pattern);
    let replacement = cx.reg(frame, REPLACEMENT);
    let calls = cx.heap.is_callable(replacement);
    let mut from = 0;
    if frame.state == 0 {
        let empty = cx.heap.string(&[])?;
        cx.set_reg(frame, RESULT, empty);
        cx.set_reg(frame, END, Value::from(0));
        if !calls {
            // Converted once, before anything is found, as in JavaScript.
            let words = cx.string(replacement)?;
            cx.set_reg(frame, REPLACEMENT, Value::String(words));
        }
    } else {
        let words = cx.string(input)?;
        from = replaced(cx, frame, &text, needle.len(), words)?;
    }
    while all || (frame.state == 0 && position(cx, frame, END) == 0 && from == 0) {
        cx.work(1)?;
        let Some(at) = find(&text, &needle, from) else {
            break;
        };
        cx.set_reg(frame, START, Value::from(at));
        if calls {
            let whole = cx.string(cx.reg(frame, 0))?;
            let args = [
                Value::String(pattern),
                Value::from(at),
                Value::String(whole),
            ];
            return Ok(Step::call(replacement, &args, 1));
        }
        let words = cx.units(cx.reg(frame, REPLACEMENT))?;
        let words = expanded(cx, &words, &text, (at, at + needle.len()))?;
        from = replaced(cx, frame, &text, needle.len(), words)?;
        if !all {
            break;
        }
    }
    let rest = cx.heap.string(&text[position(cx, frame, END)..])?;
    let (result, rest) = (cx.string(cx.reg(frame, RESULT))?, cx.string(rest)?);
    Ok(Step::Return(Value::String(cx.heap.concat(result, rest)?)))
}

/// Adds what is between the last match and this one, and the words for it; where to search on.
fn replaced(
    cx: &mut Cx<'_>,
    frame: Native,
    text: &[u16],
    length: usize,
    words: Ref,
) -> Result<usize, Throw> {
    let (start, end) = (position(cx, frame, START), position(cx, frame, END));
    let between = cx.heap.string(&text[end..start])?;
    let (result, between) = (cx.string(cx.reg(frame, RESULT))?, cx.string(between)?);
    let result = cx.heap.concat(result, between)?;
    let result = cx.heap.concat(result, words)?;
    cx.set_reg(frame, RESULT, Value::String(result));
    cx.set_reg(frame, END, Value::from(start + length));
    // An empty pattern fits between any two units.
    Ok(start + length.max(1))
}

/// The words for a match of a string: it has no groups, so `$1` stays.
fn expanded(
    cx: &mut Cx<'_>,
    words: &[u16],
    text: &[u16],
    (start, end): (usize, usize),
) -> Result<Ref, Throw> {
    let found = Found {
        start,
        end,
        groups: vec![Some((start, end))],
    };
    let mut out = Vec::with_capacity(words.len());
    replacement::expand(cx, &mut out, words, text, &found, &[])?;
    let made = cx.heap.string(&out)?;
    cx.string(made)
}
