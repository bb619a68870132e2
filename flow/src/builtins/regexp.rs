//! `RegExp`, and the methods of strings that look for one: `match`, `matchAll`, `search`, `split`.
//!
//! `replace` and `replaceAll` are in `string_replace`, since they may call functions of the program.

use std::rc::Rc;

use super::{Builtin, plain};
use crate::error::{ErrorClass, Throw};
use crate::regex::{Budget, Flags, Program};
use crate::value::heap::{Iter, IterKind};
use crate::value::object::{Key, Props};
use crate::value::regex::Regex;
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Call, Cx};
use crate::vm::words::works_on;

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("RegExp", 2, without_new),
    plain("new RegExp", 2, new_regexp),
    plain("RegExp.prototype.exec", 1, exec),
    plain("RegExp.prototype.test", 1, test),
    plain("RegExp.prototype.toString", 0, to_string),
    plain("String.prototype.match", 1, string_match),
    plain("String.prototype.matchAll", 1, match_all),
    plain("String.prototype.search", 1, search),
    plain("String.prototype.split", 2, split),
];

/// The meter of the VM pays for the machine.
struct Meter<'c, 'a>(&'c mut Cx<'a>);

impl Budget for Meter<'_, '_> {
    type Error = Throw;

    fn spend(&mut self, steps: usize) -> Result<(), Throw> {
        self.0.work(steps)
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Throw> {
        self.0.heap.meter.charge(bytes)
    }
}

// ---- Making --------------------------------------------------------------------------------------

/// `new RegExp("a+", "g")` → `/a+/g`
fn new_regexp(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    make(cx, cx.arg(call, 0), cx.arg(call, 1))
}

/// `RegExp("a")` makes one too, but gives a regular expression back as it is.
fn without_new(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (pattern, flags) = (cx.arg(call, 0), cx.arg(call, 1));
    if flags.is_undefined() && cx.heap.regex(pattern).is_some() {
        return Ok(pattern);
    }
    make(cx, pattern, flags)
}

fn make(cx: &mut Cx<'_>, pattern: Value, flags: Value) -> Result<Value, Throw> {
    let (mut pattern, mut known) = (pattern, None);
    if let Some(regex) = cx.heap.regex(pattern) {
        known = Some(regex.flags);
        pattern = Value::String(regex.source);
    }
    let pattern = match pattern {
        Value::Undefined => Rc::from([]),
        given => cx.units(given)?,
    };
    let flags = match (flags, known) {
        (Value::Undefined, Some(known)) => known,
        (Value::Undefined, None) => Flags::default(),
        (given, _) => read_flags(cx, given)?,
    };
    create(cx, &pattern, flags)
}

fn read_flags(cx: &mut Cx<'_>, given: Value) -> Result<Flags, Throw> {
    let letters = cx.units(given)?;
    if let Some(flags) = Flags::of(&letters) {
        return Ok(flags);
    }
    let letters = String::from_utf16_lossy(&letters);
    Err(if letters.contains('v') && !letters.contains('u') {
        Throw::type_error("Flow does not have the flag 'v' of regular expressions.")
    } else {
        let message = format!("Invalid flags supplied to RegExp constructor '{letters}'");
        Throw::syntax_error(message)
    })
}

/// Makes a regular expression of a pattern.
fn create(cx: &mut Cx<'_>, pattern: &Rc<[u16]>, flags: Flags) -> Result<Value, Throw> {
    // To look it up, and to escape it.
    cx.work(pattern.len() / 8)?;
    let mut program = compiled(cx, pattern, pattern, flags)?;
    let source = escaped(pattern);
    // A save holds the source alone, which is longer: it must be a pattern that can be loaded.
    if source != **pattern {
        program = compiled(cx, &Rc::from(&source[..]), pattern, flags)?;
    }
    let source = cx.heap.string(&source)?;
    let source = cx.string(source)?;
    let regex = Regex {
        source,
        flags,
        last_index: Value::Number(0.0),
        program,
    };
    Ok(Value::Object(cx.heap.alloc(Body::Regex(Box::new(regex)))))
}

/// The program of a pattern, paid for; `shown` is what an error says.
fn compiled(
    cx: &mut Cx<'_>,
    pattern: &Rc<[u16]>,
    shown: &[u16],
    flags: Flags,
) -> Result<Rc<Program>, Throw> {
    match cx.state.regexes.program(pattern, flags) {
        Ok((program, made)) => {
            if made {
                cx.work(program.cost())?;
                cx.heap.meter.charge(program.bytes())?;
            }
            Ok(program)
        }
        Err(error) => {
            cx.work(error.cost)?;
            let (text, flags) = (String::from_utf16_lossy(shown), flags.text());
            let message = error.message;
            Err(Throw::error(
                ErrorClass::SyntaxError,
                format!("Invalid regular expression: /{text}/{flags}: {message}"),
            ))
        }
    }
}

/// A pattern as it could stand between slashes.
fn escaped(pattern: &[u16]) -> Vec<u16> {
    if pattern.is_empty() {
        return "(?:)".encode_utf16().collect();
    }
    let mut out = Vec::with_capacity(pattern.len());
    let (mut in_class, mut behind_backslash) = (false, false);
    for unit in pattern {
        let words = match unit {
            0x0A => "\\n",
            0x0D => "\\r",
            0x2028 => "\\u2028",
            0x2029 => "\\u2029",
            0x2F if !in_class && !behind_backslash => "\\/",
            _ => "",
        };
        if words.is_empty() {
            out.push(*unit);
        } else {
            // A backslash in front of a line break meant the same.
            let skip = usize::from(behind_backslash);
            out.extend(words.encode_utf16().skip(skip));
        }
        if !behind_backslash {
            match char::from_u32(u32::from(*unit)) {
                Some('[') => in_class = true,
                Some(']') => in_class = false,
                _ => {}
            }
        }
        behind_backslash = *unit == u16::from(b'\\') && !behind_backslash;
    }
    out
}

/// The argument of a method of strings as a regular expression: anything else is a pattern.
fn pattern_of(cx: &mut Cx<'_>, given: Value, flags: Flags) -> Result<Value, Throw> {
    if cx.heap.regex(given).is_some() {
        return Ok(given);
    }
    let pattern = match given {
        Value::Undefined => Rc::from([]),
        given => cx.units(given)?,
    };
    create(cx, &pattern, flags)
}

// ---- Matching ------------------------------------------------------------------------------------

/// Where a match begins and ends.
type Place = (usize, usize);

/// What a match is made of.
pub(super) struct Found {
    /// Where it begins and ends.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where each group begins and ends, the whole match first.
    pub(super) groups: Vec<Option<(usize, usize)>>,
}

/// A regular expression that is being used: all but its `lastIndex`, which the program may change.
#[derive(Clone)]
pub(super) struct Used {
    pub(super) flags: Flags,
    pub(super) program: Rc<Program>,
}

impl Used {
    pub(super) fn of(cx: &Cx<'_>, regex: Value) -> Result<Self, Throw> {
        let Some(regex) = cx.heap.regex(regex) else {
            return Err(Throw::fault("regular expression"));
        };
        Ok(Self {
            flags: regex.flags,
            program: Rc::clone(&regex.program),
        })
    }

    /// Looks for a match from a position on.
    pub(super) fn find(
        &self,
        cx: &mut Cx<'_>,
        text: &[u16],
        from: usize,
        sticky: bool,
    ) -> Result<Option<Found>, Throw> {
        match self.place(cx, text, from, sticky)? {
            Some(place) => self.with_groups(cx, place).map(Some),
            None => Ok(None),
        }
    }

    /// The groups of the match that was just found.
    fn with_groups(&self, cx: &mut Cx<'_>, (start, end): Place) -> Result<Found, Throw> {
        let count = self.program.groups();
        cx.work(count as usize / 4)?;
        let scratch = &cx.state.regexes.scratch;
        let groups = (0..count).map(|group| scratch.group(group)).collect();
        Ok(Found { start, end, groups })
    }

    /// Looks for a match from a position on, and makes no list of its groups.
    fn place(
        &self,
        cx: &mut Cx<'_>,
        text: &[u16],
        from: usize,
        sticky: bool,
    ) -> Result<Option<Place>, Throw> {
        cx.work(8)?;
        let mut scratch = std::mem::take(&mut cx.state.regexes.scratch);
        let found = self
            .program
            .exec(text, from, sticky, &mut scratch, &mut Meter(cx));
        scratch.trim();
        let place = scratch.group(0);
        cx.state.regexes.scratch = scratch;
        Ok(if found? { place } else { None })
    }

    /// The position behind an empty match: a code point further with the flag `u`.
    pub(super) fn behind(&self, text: &[u16], at: usize) -> usize {
        let pair = self.flags.has(Flags::UNICODE)
            && matches!(
                text.get(at..at + 2),
                Some([0xD800..=0xDBFF, 0xDC00..=0xDFFF])
            );
        at + 1 + usize::from(pair)
    }
}

/// Looks for a match as `exec` does: from `lastIndex` on with the flags `g` and `y`, which set it too.
pub(super) fn find_next(
    cx: &mut Cx<'_>,
    regex: Value,
    text: &[u16],
) -> Result<Option<Found>, Throw> {
    let used = Used::of(cx, regex)?;
    match next_place(cx, regex, &used, text)? {
        Some(place) => used.with_groups(cx, place).map(Some),
        None => Ok(None),
    }
}

/// As `find_next`, without the groups.
fn next_place(
    cx: &mut Cx<'_>,
    regex: Value,
    used: &Used,
    text: &[u16],
) -> Result<Option<Place>, Throw> {
    let sticky = used.flags.has(Flags::STICKY);
    let keeps = sticky || used.flags.has(Flags::GLOBAL);
    let last = cx.heap.regex(regex).map(|regex| regex.last_index);
    let last = cx.heap.to_integer(last.unwrap_or_default())?.max(0.0);
    let from = if keeps { last } else { 0.0 };
    let found = if from > text.len() as f64 {
        None
    } else {
        used.place(cx, text, from as usize, sticky)?
    };
    if keeps {
        let end = found.map_or(0, |(_, end)| end);
        cx.heap.set_last_index(regex, Value::from(end));
    }
    Ok(found)
}

/// Text of a group; `undefined` if it took no part.
pub(super) fn group_text(
    cx: &mut Cx<'_>,
    text: &[u16],
    group: Option<(usize, usize)>,
) -> Result<Value, Throw> {
    match group {
        Some((start, end)) => cx.heap.string(&text[start..end]),
        None => Ok(Value::Undefined),
    }
}

/// An object with the values of the groups that have names; `undefined` if none has one.
pub(super) fn named(cx: &mut Cx<'_>, used: &Used, values: &[Value]) -> Value {
    if used.program.names().is_empty() {
        return Value::Undefined;
    }
    let mut props = Props::bare();
    for (name, group) in used.program.names() {
        let name = cx.heap.intern(name);
        let key = cx.heap.string_key(name);
        props.set(
            key,
            values.get(*group as usize).copied().unwrap_or_default(),
        );
    }
    Value::Object(cx.heap.alloc(Body::Object(props)))
}

/// The array that `exec` gives.
fn result(
    cx: &mut Cx<'_>,
    used: &Used,
    input: Value,
    text: &[u16],
    found: &Found,
) -> Result<Value, Throw> {
    cx.work(found.groups.len())?;
    cx.heap.meter.charge(found.groups.len() * 16 + 200)?;
    let mut items = Vec::with_capacity(found.groups.len());
    for group in &found.groups {
        items.push(group_text(cx, text, *group)?);
    }
    let groups = named(cx, used, &items);
    let mut names = Props::default();
    let mut set = |cx: &mut Cx<'_>, name: &str, value: Value| {
        names.set(Key::Name(cx.heap.intern_str(name)), value);
    };
    set(cx, "index", Value::from(found.start));
    set(cx, "input", input);
    set(cx, "groups", groups);
    if used.flags.has(Flags::INDICES) {
        let places: Vec<Value> = found
            .groups
            .iter()
            .map(|place| match place {
                Some((start, end)) => cx.heap.array(vec![Value::from(*start), Value::from(*end)]),
                None => Value::Undefined,
            })
            .collect();
        let groups = named(cx, used, &places);
        let mut of_indices = Props::default();
        of_indices.set(Key::Name(cx.heap.intern_str("groups")), groups);
        let indices = cx.heap.match_array(places, of_indices);
        set(cx, "indices", indices);
    }
    Ok(cx.heap.match_array(items, names))
}

/// One match from `lastIndex` on, as an array; `null` if there is none.
fn exec_on(cx: &mut Cx<'_>, regex: Value, input: Ref) -> Result<Value, Throw> {
    let text = cx.heap.text(input);
    let used = Used::of(cx, regex)?;
    match find_next(cx, regex, &text)? {
        Some(found) => result(cx, &used, Value::String(input), &text, &found),
        None => Ok(Value::Null),
    }
}

fn receiver(cx: &mut Cx<'_>, call: Call, name: &str) -> Result<Value, Throw> {
    if cx.heap.regex(call.this).is_some() {
        return Ok(call.this);
    }
    // JavaScript's `test` works on whatever has an `exec`, and `toString` on all objects.
    if name != "exec" && matches!(call.this, Value::Object(_)) {
        return Err(works_on(name, "regular expressions"));
    }
    Err(cx.incompatible(call))
}

/// `/b(.)/.exec("abc")` → `["bc", "c", index: 1, input: "abc", groups: undefined]`
fn exec(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let regex = receiver(cx, call, "exec")?;
    let input = cx.string(cx.arg(call, 0))?;
    exec_on(cx, regex, input)
}

/// `/b/.test("abc")` → `true`
fn test(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let regex = receiver(cx, call, "test")?;
    let text = cx.units(cx.arg(call, 0))?;
    let used = Used::of(cx, regex)?;
    let found = next_place(cx, regex, &used, &text)?;
    Ok(Value::Bool(found.is_some()))
}

/// `/a/g.toString()` → `"/a/g"`
fn to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let regex = receiver(cx, call, "toString")?;
    cx.string(regex).map(Value::String)
}

/// The string that a method was called on.
fn string_receiver(cx: &mut Cx<'_>, call: Call, name: &str) -> Result<Ref, Throw> {
    super::string::receiver(cx, call.this, name)?;
    cx.string(call.this)
}

/// `"a1b2".match(/\d/g)` → `["1", "2"]`
fn string_match(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let input = string_receiver(cx, call, "match")?;
    let regex = pattern_of(cx, cx.arg(call, 0), Flags::default())?;
    let used = Used::of(cx, regex)?;
    if !used.flags.has(Flags::GLOBAL) {
        return exec_on(cx, regex, input);
    }
    let text = cx.heap.text(input);
    cx.heap.set_last_index(regex, Value::Number(0.0));
    let mut matches = Vec::new();
    let mut from = 0;
    let sticky = used.flags.has(Flags::STICKY);
    while from <= text.len()
        && let Some((start, end)) = used.place(cx, &text, from, sticky)?
    {
        cx.heap.meter.charge(16)?;
        matches.push(group_text(cx, &text, Some((start, end)))?);
        from = if start == end {
            used.behind(&text, end)
        } else {
            end
        };
    }
    Ok(if matches.is_empty() {
        Value::Null
    } else {
        cx.heap.array(matches)
    })
}

/// `"a1b2".matchAll(/\d/g)` → an iterator over what `exec` gives
fn match_all(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let input = string_receiver(cx, call, "matchAll")?;
    let given = pattern_of(cx, cx.arg(call, 0), Flags::GLOBAL)?;
    let Some(regex) = cx.heap.regex(given) else {
        return Err(Throw::fault("regular expression"));
    };
    if !regex.flags.has(Flags::GLOBAL) {
        return Err(Throw::type_error(
            "String.prototype.matchAll called with a non-global RegExp argument",
        ));
    }
    let last_index = cx.heap.to_integer(regex.last_index)?.max(0.0);
    let copy = copy(cx, given)?;
    cx.heap.set_last_index(copy, Value::Number(last_index));
    let source = cx.heap.array(vec![copy, Value::String(input)]);
    let iter = Iter {
        source,
        kind: IterKind::Matches,
        at: 0,
    };
    Ok(Value::Object(cx.heap.alloc(Body::Iterator(iter))))
}

/// The same regular expression as another object, from its beginning.
pub(super) fn copy(cx: &mut Cx<'_>, regex: Value) -> Result<Value, Throw> {
    let used = Used::of(cx, regex)?;
    let Some(Regex { source, .. }) = cx.heap.regex(regex) else {
        return Err(Throw::fault("regular expression"));
    };
    let copy = Regex {
        source: *source,
        flags: used.flags,
        last_index: Value::Number(0.0),
        program: used.program,
    };
    Ok(Value::Object(cx.heap.alloc(Body::Regex(Box::new(copy)))))
}

/// The next result of `matchAll`; none at its end. `source` holds the regular expression and the string.
pub(crate) fn next_match(cx: &mut Cx<'_>, source: Ref) -> Result<Option<Value>, Throw> {
    let (regex, input) = match cx.heap.items(source) {
        Some([regex, Value::String(input)]) => (*regex, *input),
        _ => return Err(Throw::fault("iterator")),
    };
    let text = cx.heap.text(input);
    let used = Used::of(cx, regex)?;
    let Some(found) = find_next(cx, regex, &text)? else {
        return Ok(None);
    };
    if found.start == found.end {
        let next = used.behind(&text, found.end);
        cx.heap.set_last_index(regex, Value::from(next));
    }
    result(cx, &used, Value::String(input), &text, &found).map(Some)
}

/// `"abc".search(/c/)` → `2`
fn search(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let input = string_receiver(cx, call, "search")?;
    let regex = pattern_of(cx, cx.arg(call, 0), Flags::default())?;
    let used = Used::of(cx, regex)?;
    let text = cx.heap.text(input);
    let found = used.place(cx, &text, 0, used.flags.has(Flags::STICKY))?;
    Ok(found.map_or(Value::Number(-1.0), |(start, _)| Value::from(start)))
}

/// `"a, b".split(/, */)` → `["a", "b"]`
fn split(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let separator = cx.arg(call, 0);
    if cx.heap.regex(separator).is_none() {
        return super::string::split(cx, call);
    }
    let input = string_receiver(cx, call, "split")?;
    let limit = match cx.arg(call, 1) {
        Value::Undefined => u32::MAX as usize,
        limit => cx.heap.to_int32(limit)? as u32 as usize,
    };
    let text = cx.heap.text(input);
    let used = Used::of(cx, separator)?;
    let mut parts = Vec::new();
    if limit == 0 {
        return Ok(cx.heap.array(parts));
    }
    if text.is_empty() {
        // What fits the empty string leaves nothing.
        if used.place(cx, &text, 0, true)?.is_none() {
            parts.push(Value::String(input));
        }
        return Ok(cx.heap.array(parts));
    }
    let by_points = used.flags.has(Flags::STICKY);
    let (mut start, mut from) = (0, 0);
    while from < text.len() {
        let Some(found) = used.find(cx, &text, from, false)? else {
            break;
        };
        if found.start >= text.len() {
            break;
        }
        // With the flags `u` and `y` V8 looks at whole code points alone.
        let in_pair = |at: usize| at > 0 && used.behind(&text, at - 1) > at;
        if by_points && in_pair(found.start) {
            from = found.start + 1;
            continue;
        }
        // An empty match where the part begins separates nothing.
        if found.end == start {
            from = used.behind(&text, from.max(found.start));
            continue;
        }
        cx.heap.meter.charge(16 * found.groups.len())?;
        parts.push(cx.heap.string(&text[start..found.start])?);
        start = found.end;
        for group in found.groups.iter().skip(1) {
            if parts.len() < limit {
                let value = group_text(cx, &text, *group)?;
                parts.push(value);
            }
        }
        if parts.len() >= limit {
            return Ok(cx.heap.array(parts));
        }
        from = start;
    }
    parts.push(cx.heap.string(&text[start..])?);
    Ok(cx.heap.array(parts))
}
