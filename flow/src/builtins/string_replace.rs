//! `replace` and `replaceAll`: the replacement may be a function of the program.

use super::string::{find, receiver};
use super::{Builtin, stepped};
use crate::error::Throw;
use crate::value::{Ref, Value};
use crate::vm::cx::{Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    stepped("String.prototype.replace", 2, 2, 3, replace),
    stepped("String.prototype.replaceAll", 2, 2, 3, replace_all),
];

const PATTERN: usize = 1;
const REPLACEMENT: usize = 2;
/// The result so far.
const RESULT: usize = 3;
/// Where the last match began and ended.
const START: usize = 4;
const END: usize = 5;

/// `"a-b-c".replace("-", "+")` → `"a+b-c"`
fn replace(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    run(cx, frame, input, false)
}

/// `"a-b-c".replaceAll("-", (match, at) => at)` → `"a1b3c"`
fn replace_all(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    run(cx, frame, input, true)
}

fn position(cx: &Cx<'_>, frame: Native, register: usize) -> usize {
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
    let pattern = cx.string(cx.reg(frame, PATTERN))?;
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
        let words = expand(cx, &words, &text, at, needle.len())?;
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

/// Replaces `$$`, `$&`, `` $` `` and `$'`; there are no groups, so `$1` stays.
fn expand(
    cx: &mut Cx<'_>,
    words: &[u16],
    text: &[u16],
    at: usize,
    length: usize,
) -> Result<Ref, Throw> {
    let dollar = u16::from(b'$');
    let mut out = Vec::with_capacity(words.len());
    let mut rest = words;
    while let Some(next) = rest.iter().position(|unit| *unit == dollar) {
        out.extend_from_slice(&rest[..next]);
        rest = &rest[next + 1..];
        let known = match rest.first().and_then(|unit| u8::try_from(*unit).ok()) {
            Some(b'$') => Some(&words[..0]),
            Some(b'&') => Some(&text[at..at + length]),
            Some(b'`') => Some(&text[..at]),
            Some(b'\'') => Some(&text[at + length..]),
            _ => None,
        };
        match known {
            Some(part) if rest.first() != Some(&dollar) => {
                cx.work(part.len() / 16)?;
                cx.heap.meter.string(out.len() + part.len())?;
                out.extend_from_slice(part);
            }
            _ => out.push(dollar),
        }
        if known.is_some() {
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
    let made = cx.heap.string(&out)?;
    cx.string(made)
}
