//! `replace` and `replaceAll` with a regular expression.
//!
//! JavaScript finds all matches before it calls a function for the first. Here each is looked for when the one before was
//! replaced: nothing that the function could do changes what is found, since the position is kept apart from `lastIndex`.

use super::regexp::{Found, Used, find_next, group_text, named};
use super::replacement::{add, expand};
use super::string_replace::{END, PATTERN, REPLACEMENT, RESULT, START, position};
use crate::error::Throw;
use crate::regex::Flags;
use crate::value::Value;
use crate::vm::cx::{Cx, Native, Step};

/// Where the match ends that a function was called for.
const MATCH_END: usize = 6;
/// Where the next match is looked for.
const FROM: usize = 7;

pub(super) fn run(
    cx: &mut Cx<'_>,
    frame: Native,
    input: Value,
    text: &[u16],
    all: bool,
) -> Result<Step, Throw> {
    let regex = cx.reg(frame, PATTERN);
    let used = Used::of(cx, regex)?;
    let global = used.flags.has(Flags::GLOBAL);
    let replacement = cx.reg(frame, REPLACEMENT);
    if frame.state == 0 {
        if all && !global {
            return Err(Throw::type_error(
                "String.prototype.replaceAll called with a non-global RegExp argument",
            ));
        }
        if !cx.heap.is_callable(replacement) {
            // Converted before anything is found, as in JavaScript.
            let words = cx.units(replacement)?;
            return replace_by_words(cx, frame, regex, &used, text, &words);
        }
        if global {
            cx.heap.set_last_index(regex, Value::Number(0.0));
        }
        let empty = cx.heap.string(&[])?;
        cx.set_reg(frame, RESULT, empty);
        cx.set_reg(frame, END, Value::from(0));
        cx.set_reg(frame, FROM, Value::from(0));
    } else {
        let words = cx.string(input)?;
        let (start, end) = (position(cx, frame, START), position(cx, frame, END));
        let between = cx.heap.string(&text[end..start])?;
        let (result, between) = (cx.string(cx.reg(frame, RESULT))?, cx.string(between)?);
        let result = cx.heap.concat(result, between)?;
        let result = cx.heap.concat(result, words)?;
        cx.set_reg(frame, RESULT, Value::String(result));
        let end = cx.reg(frame, MATCH_END);
        cx.set_reg(frame, END, end);
    }
    let from = position(cx, frame, FROM);
    let found = if global {
        find_from(cx, &used, text, from)?
    } else if frame.state == 0 {
        find_next(cx, regex, text)?
    } else {
        None
    };
    let Some(found) = found else {
        let rest = cx.heap.string(&text[position(cx, frame, END)..])?;
        let (result, rest) = (cx.string(cx.reg(frame, RESULT))?, cx.string(rest)?);
        return Ok(Step::Return(Value::String(cx.heap.concat(result, rest)?)));
    };
    cx.set_reg(frame, START, Value::from(found.start));
    cx.set_reg(frame, MATCH_END, Value::from(found.end));
    let next = next_from(&used, text, &found);
    cx.set_reg(frame, FROM, Value::from(next));
    let mut args = Vec::with_capacity(found.groups.len() + 3);
    cx.heap.meter.charge(found.groups.len() * 16)?;
    for group in &found.groups {
        args.push(group_text(cx, text, *group)?);
    }
    let groups = named(cx, &used, &args);
    args.push(Value::from(found.start));
    args.push(Value::String(cx.string(cx.reg(frame, 0))?));
    if !groups.is_undefined() {
        args.push(groups);
    }
    Ok(Step::Apply {
        callee: replacement,
        args,
        state: 1,
    })
}

fn find_from(
    cx: &mut Cx<'_>,
    used: &Used,
    text: &[u16],
    from: usize,
) -> Result<Option<Found>, Throw> {
    if from > text.len() {
        return Ok(None);
    }
    used.find(cx, text, from, used.flags.has(Flags::STICKY))
}

fn next_from(used: &Used, text: &[u16], found: &Found) -> usize {
    if found.start == found.end {
        used.behind(text, found.end)
    } else {
        found.end
    }
}

fn replace_by_words(
    cx: &mut Cx<'_>,
    frame: Native,
    regex: Value,
    used: &Used,
    text: &[u16],
    words: &[u16],
) -> Result<Step, Throw> {
    let global = used.flags.has(Flags::GLOBAL);
    if global {
        cx.heap.set_last_index(regex, Value::Number(0.0));
    }
    let (mut out, mut end, mut from) = (Vec::new(), 0, 0);
    let mut any = false;
    loop {
        let found = if global {
            find_from(cx, used, text, from)?
        } else if any {
            None
        } else {
            find_next(cx, regex, text)?
        };
        let Some(found) = found else { break };
        any = true;
        add(cx, &mut out, &text[end..found.start])?;
        expand(cx, &mut out, words, text, &found, used.program.names())?;
        cx.work(words.len() / 16)?;
        end = found.end;
        from = next_from(used, text, &found);
    }
    if !any {
        return Ok(Step::Return(Value::String(cx.string(cx.reg(frame, 0))?)));
    }
    add(cx, &mut out, &text[end..])?;
    Ok(Step::Return(cx.heap.string(&out)?))
}
