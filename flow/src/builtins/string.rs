//! `String`: everything that calls no function of the program. All positions are UTF-16 units.

use std::rc::Rc;

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::{Value, number};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("String.fromCharCode", 1, from_char_code),
    plain("String.fromCodePoint", 1, from_code_point),
    plain("String.prototype.at", 1, at),
    plain("String.prototype.charAt", 1, char_at),
    plain("String.prototype.charCodeAt", 1, char_code_at),
    plain("String.prototype.codePointAt", 1, code_point_at),
    plain("String.prototype.concat", 1, concat),
    plain("String.prototype.endsWith", 1, ends_with),
    plain("String.prototype.includes", 1, includes),
    plain("String.prototype.indexOf", 1, index_of),
    plain("String.prototype.isWellFormed", 0, is_well_formed),
    plain("String.prototype.lastIndexOf", 1, last_index_of),
    plain("String.prototype.padEnd", 1, pad_end),
    plain("String.prototype.padStart", 1, pad_start),
    plain("String.prototype.repeat", 1, repeat),
    plain("String.prototype.slice", 2, slice),
    plain("String.prototype.startsWith", 1, starts_with),
    plain("String.prototype.substr", 2, substr),
    plain("String.prototype.substring", 2, substring),
    plain(
        "String.prototype.toLocaleLowerCase",
        0,
        to_locale_lower_case,
    ),
    plain(
        "String.prototype.toLocaleUpperCase",
        0,
        to_locale_upper_case,
    ),
    plain("String.prototype.toLowerCase", 0, to_lower_case),
    plain("String.prototype.toString", 0, |_, call| {
        itself(call, "toString")
    }),
    plain("String.prototype.toUpperCase", 0, to_upper_case),
    plain("String.prototype.toWellFormed", 0, to_well_formed),
    plain("String.prototype.trim", 0, trim),
    plain("String.prototype.trimEnd", 0, trim_end),
    plain("String.prototype.trimStart", 0, trim_start),
    plain("String.prototype.valueOf", 0, |_, call| {
        itself(call, "valueOf")
    }),
];

/// The units of the string that a method was called on.
pub(super) fn receiver(cx: &mut Cx<'_>, this: Value, name: &str) -> Result<Rc<[u16]>, Throw> {
    if this.is_nullish() {
        let message = format!("String.prototype.{name} called on null or undefined");
        return Err(Throw::type_error(message));
    }
    let units = cx.units(this)?;
    // Most methods look at each unit; sixteen of them cost about as much as an instruction.
    cx.work(units.len() / 16)?;
    Ok(units)
}

/// The text that a method looks for, which may be no pattern.
fn plain_text(cx: &mut Cx<'_>, call: Call, name: &str) -> Result<Rc<[u16]>, Throw> {
    let wanted = cx.arg(call, 0);
    if cx.heap.regex(wanted).is_some() {
        return Err(Throw::type_error(format!(
            "First argument to String.prototype.{name} must not be a regular expression"
        )));
    }
    cx.units(wanted)
}

/// A position argument, kept between 0 and the length.
fn position(cx: &mut Cx<'_>, value: Value, length: usize, default: usize) -> Result<usize, Throw> {
    if value.is_undefined() {
        return Ok(default);
    }
    Ok(cx.heap.to_integer(value)?.clamp(0.0, length as f64) as usize)
}

/// As `position`; negative ones count from the end.
fn relative(cx: &mut Cx<'_>, value: Value, length: usize, default: usize) -> Result<usize, Throw> {
    super::array::relative(cx, value, length, default)
}

/// Where `needle` begins in `text`, from a position on. Linear in both, whatever they hold.
pub(super) fn find(text: &[u16], needle: &[u16], from: usize) -> Option<usize> {
    let Some(first) = needle.first() else {
        return (from <= text.len()).then_some(from);
    };
    if needle.len() > text.len() {
        return None;
    }
    if needle.len() < 8 {
        let last = text.len() - needle.len();
        return (from..=last).find(|at| text[*at] == *first && text[*at..].starts_with(needle));
    }
    // Knuth, Morris, Pratt: how much of the needle still fits after a difference.
    let mut fits = vec![0usize; needle.len()];
    let mut length = 0;
    for at in 1..needle.len() {
        while length > 0 && needle[at] != needle[length] {
            length = fits[length - 1];
        }
        length += usize::from(needle[at] == needle[length]);
        fits[at] = length;
    }
    let mut matched = 0;
    for (at, unit) in text.iter().enumerate().skip(from) {
        while matched > 0 && *unit != needle[matched] {
            matched = fits[matched - 1];
        }
        matched += usize::from(*unit == needle[matched]);
        if matched == needle.len() {
            return Some(at + 1 - matched);
        }
    }
    None
}

/// `String.fromCharCode(72, 105)` → `"Hi"`
fn from_char_code(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let mut units = Vec::with_capacity(call.count as usize);
    for value in cx.args(call) {
        units.push(cx.heap.to_int32(value)? as u16);
    }
    cx.heap.string(&units)
}

/// `String.fromCodePoint(128512)` → `"😀"`
fn from_code_point(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let mut units = Vec::with_capacity(call.count as usize);
    for value in cx.args(call) {
        let point = cx.heap.to_number(value)?;
        if point.fract() != 0.0 || !(0.0..=1_114_111.0).contains(&point) {
            let text = cx.told(Value::Number(point));
            return Err(Throw::range_error(format!("Invalid code point {text}")));
        }
        let point = point as u32;
        if point < 0x1_0000 {
            units.push(point as u16);
        } else {
            let above = point - 0x1_0000;
            units.extend([
                0xD800 + (above >> 10) as u16,
                0xDC00 + (above & 0x3FF) as u16,
            ]);
        }
    }
    cx.heap.string(&units)
}

/// `"abc".at(-1)` → `"c"`
fn at(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "at")?;
    let number = cx.heap.to_integer(cx.arg(call, 0))?;
    let index = if number < 0.0 {
        text.len() as f64 + number
    } else {
        number
    };
    if index < 0.0 {
        return Ok(Value::Undefined);
    }
    let unit = text.get(index as usize).copied();
    Ok(unit.map_or(Value::Undefined, |unit| cx.heap.unit(unit)))
}

/// The unit at the position of the first argument.
fn unit_at(cx: &mut Cx<'_>, call: Call, name: &str) -> Result<(Rc<[u16]>, Option<usize>), Throw> {
    let text = receiver(cx, call.this, name)?;
    let number = cx.heap.to_integer(cx.arg(call, 0))?;
    let inside = number >= 0.0 && number < text.len() as f64;
    Ok((text, inside.then_some(number as usize)))
}

/// `"abc".charAt(1)` → `"b"`
fn char_at(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (text, index) = unit_at(cx, call, "charAt")?;
    match index {
        Some(index) => Ok(cx.heap.unit(text[index])),
        None => cx.heap.string(&[]),
    }
}

/// `"abc".charCodeAt(1)` → `98`
fn char_code_at(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (text, index) = unit_at(cx, call, "charCodeAt")?;
    Ok(Value::Number(
        index.map_or(f64::NAN, |index| f64::from(text[index])),
    ))
}

/// `"😀".codePointAt(0)` → `128512`
fn code_point_at(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (text, index) = unit_at(cx, call, "codePointAt")?;
    let Some(index) = index else {
        return Ok(Value::Undefined);
    };
    let point = match char::decode_utf16(text[index..].iter().copied()).next() {
        Some(Ok(c)) => c as u32,
        _ => u32::from(text[index]),
    };
    Ok(Value::Number(f64::from(point)))
}

/// `"a".concat("b", 1)` → `"ab1"`
fn concat(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(cx, call.this, "concat")?;
    let mut whole = cx.string(call.this)?;
    for value in cx.args(call) {
        let part = cx.string(value)?;
        whole = cx.heap.concat(whole, part)?;
    }
    Ok(Value::String(whole))
}

/// `"abc".endsWith("bc")` → `true`
fn ends_with(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "endsWith")?;
    let wanted = plain_text(cx, call, "endsWith")?;
    let end = position(cx, cx.arg(call, 1), text.len(), text.len())?;
    Ok(Value::Bool(text[..end].ends_with(&wanted)))
}

/// `"abc".startsWith("ab")` → `true`
fn starts_with(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "startsWith")?;
    let wanted = plain_text(cx, call, "startsWith")?;
    let start = position(cx, cx.arg(call, 1), text.len(), 0)?;
    Ok(Value::Bool(text[start..].starts_with(&wanted)))
}

/// `"abc".includes("b")` → `true`
fn includes(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "includes")?;
    let wanted = plain_text(cx, call, "includes")?;
    let start = position(cx, cx.arg(call, 1), text.len(), 0)?;
    Ok(Value::Bool(find(&text, &wanted, start).is_some()))
}

/// `"abc".indexOf("c")` → `2`
fn index_of(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "indexOf")?;
    let wanted = cx.units(cx.arg(call, 0))?;
    let start = position(cx, cx.arg(call, 1), text.len(), 0)?;
    Ok(find(&text, &wanted, start).map_or(Value::Number(-1.0), Value::from))
}

/// `"abab".lastIndexOf("b")` → `3`
fn last_index_of(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "lastIndexOf")?;
    let wanted = cx.units(cx.arg(call, 0))?;
    let limit = cx.heap.to_number(cx.arg(call, 1))?;
    let Some(last) = text.len().checked_sub(wanted.len()) else {
        return Ok(Value::Number(-1.0));
    };
    let last = if limit.is_nan() {
        last
    } else {
        limit.clamp(0.0, last as f64) as usize
    };
    // Found in the reversed text, which keeps the search linear.
    let backwards: Vec<u16> = text[..last + wanted.len()].iter().rev().copied().collect();
    let reversed: Vec<u16> = wanted.iter().rev().copied().collect();
    let found = find(&backwards, &reversed, 0);
    Ok(found.map_or(Value::Number(-1.0), |at| {
        Value::from(backwards.len() - at - wanted.len())
    }))
}

/// `"\uD800".isWellFormed()` → `false`
fn is_well_formed(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "isWellFormed")?;
    Ok(Value::Bool(
        char::decode_utf16(text.iter().copied()).all(|point| point.is_ok()),
    ))
}

/// `"\uD800".toWellFormed()` → `"\uFFFD"`
fn to_well_formed(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "toWellFormed")?;
    let text = String::from_utf16_lossy(&text);
    cx.heap.str(&text)
}

/// The units that fill a text up to a length.
fn padding(cx: &mut Cx<'_>, call: Call, length: usize) -> Result<Vec<u16>, Throw> {
    let wanted = cx.heap.to_integer(cx.arg(call, 0))?;
    if wanted <= length as f64 {
        return Ok(Vec::new());
    }
    let fill = match cx.arg(call, 1) {
        Value::Undefined => Rc::from([u16::from(b' ')]),
        fill => cx.units(fill)?,
    };
    if fill.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = wanted.min(f64::from(u32::MAX)) as usize;
    cx.heap.meter.string(wanted)?;
    cx.work(wanted / 16)?;
    Ok(fill.iter().copied().cycle().take(wanted - length).collect())
}

/// `"5".padStart(3, "0")` → `"005"`
fn pad_start(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "padStart")?;
    let mut units = padding(cx, call, text.len())?;
    units.extend_from_slice(&text);
    cx.heap.string(&units)
}

/// `"5".padEnd(3, "0")` → `"500"`
fn pad_end(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "padEnd")?;
    let padding = padding(cx, call, text.len())?;
    let mut units = text.to_vec();
    units.extend(padding);
    cx.heap.string(&units)
}

/// `"ab".repeat(2)` → `"abab"`
fn repeat(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "repeat")?;
    let count = cx.heap.to_integer(cx.arg(call, 0))?;
    if count < 0.0 || count.is_infinite() {
        let given = cx.units(cx.arg(call, 0))?;
        let given = String::from_utf16_lossy(&given);
        return Err(Throw::range_error(format!("Invalid count value: {given}")));
    }
    if text.is_empty() || count == 0.0 {
        return cx.heap.string(&[]);
    }
    let length = (text.len() as f64 * count).min(f64::from(u32::MAX)) as usize;
    cx.heap.meter.string(length)?;
    cx.work(length / 16)?;
    cx.heap.string(&text.repeat(count as usize))
}

/// `"abcd".slice(1, -1)` → `"bc"`
fn slice(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "slice")?;
    let start = relative(cx, cx.arg(call, 0), text.len(), 0)?;
    let end = relative(cx, cx.arg(call, 1), text.len(), text.len())?.max(start);
    cx.heap.string(&text[start..end])
}

/// `"abcd".substring(3, 1)` → `"bc"`
fn substring(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "substring")?;
    let a = position(cx, cx.arg(call, 0), text.len(), 0)?;
    let b = position(cx, cx.arg(call, 1), text.len(), text.len())?;
    cx.heap.string(&text[a.min(b)..a.max(b)])
}

/// `"abcd".substr(-3, 2)` → `"bc"`
fn substr(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "substr")?;
    let start = relative(cx, cx.arg(call, 0), text.len(), 0)?;
    let count = position(cx, cx.arg(call, 1), text.len() - start, text.len() - start)?;
    cx.heap.string(&text[start..start + count])
}

/// `"a,b".split(",")` → `["a", "b"]`
pub(super) fn split(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "split")?;
    let limit = match cx.arg(call, 1) {
        Value::Undefined => u32::MAX as usize,
        limit => cx.heap.to_int32(limit)? as u32 as usize,
    };
    let separator = match cx.arg(call, 0) {
        Value::Undefined => None,
        separator => Some(cx.units(separator)?),
    };
    let mut parts = Vec::new();
    if limit > 0 && separator.is_none() {
        parts.push(cx.heap.string(&text)?);
    } else if let (1.., Some(separator)) = (limit, separator) {
        if separator.is_empty() {
            let count = text.len().min(limit);
            cx.work(count)?;
            cx.heap.meter.charge(count * 16)?;
            parts.extend(text.iter().take(count).map(|unit| cx.heap.unit(*unit)));
        } else {
            let mut start = 0;
            while parts.len() < limit {
                cx.work(1)?;
                cx.heap.meter.charge(16)?;
                let end = find(&text, &separator, start);
                parts.push(cx.heap.string(&text[start..end.unwrap_or(text.len())])?);
                let Some(end) = end else { break };
                start = end + separator.len();
            }
        }
    }
    Ok(cx.heap.array(parts))
}

/// Changes the case of what is text; lone surrogates stay.
fn change_case(
    cx: &mut Cx<'_>,
    call: Call,
    name: &str,
    change: fn(&str) -> String,
) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, name)?;
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut run = String::new();
    for point in char::decode_utf16(text.iter().copied()) {
        match point {
            Ok(c) => run.push(c),
            Err(lone) => {
                units.extend(change(&run).encode_utf16());
                run.clear();
                units.push(lone.unpaired_surrogate());
            }
        }
    }
    units.extend(change(&run).encode_utf16());
    cx.heap.string(&units)
}

/// `"Ab".toLowerCase()` → `"ab"`
fn to_lower_case(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    change_case(cx, call, "toLowerCase", str::to_lowercase)
}

/// `"Ab".toUpperCase()` → `"AB"`
fn to_upper_case(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    change_case(cx, call, "toUpperCase", str::to_uppercase)
}

/// `"Ab".toLocaleLowerCase()` → `"ab"`
fn to_locale_lower_case(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    without_locale(cx, call, "toLowerCase")?;
    change_case(cx, call, "toLocaleLowerCase", str::to_lowercase)
}

/// `"Ab".toLocaleUpperCase()` → `"AB"`
fn to_locale_upper_case(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    without_locale(cx, call, "toUpperCase")?;
    change_case(cx, call, "toLocaleUpperCase", str::to_uppercase)
}

/// Without a locale the method means the same in all locales but a few, which a program would have to name.
fn without_locale(cx: &Cx<'_>, call: Call, instead: &str) -> Result<(), Throw> {
    if cx.arg(call, 0).is_undefined() {
        return Ok(());
    }
    Err(Throw::type_error(format!(
        "Flow knows no locale but that of JavaScript's '{instead}': leave the argument out."
    )))
}

/// `" a ".trim()` → `"a"`
fn trim(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "trim")?;
    cx.heap.string(number::trim(&text))
}

/// `" a ".trimEnd()` → `" a"`
fn trim_end(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "trimEnd")?;
    cx.heap.string(number::trim_end(&text))
}

/// `" a ".trimStart()` → `"a "`
fn trim_start(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "trimStart")?;
    cx.heap.string(number::trim_start(&text))
}

/// `"a".toString()` → `"a"`
fn itself(call: Call, name: &str) -> Result<Value, Throw> {
    match call.this {
        Value::String(_) => Ok(call.this),
        _ => Err(Throw::type_error(format!(
            "String.prototype.{name} requires that 'this' be a String"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_long_needle_is_found_where_a_short_one_would_be() {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let text = units("aaaaaaaaabaaaaaaaaac");
        for needle in [
            "aaaaaaaab",
            "aaaaaaaaac",
            "aaaaaaaaab",
            "baaaaaaaaac",
            "aaaaaaaaaaaa",
            "c",
        ] {
            let needle = units(needle);
            let plain = text
                .windows(needle.len())
                .position(|window| window == needle);
            assert_eq!(find(&text, &needle, 0), plain);
        }
        assert_eq!(find(&text, &[], 20), Some(20));
        assert_eq!(find(&text, &[], 21), None);
    }
}
