//! `btoa`, `atob` and the functions for parts of URIs.

use super::{Builtin, plain};
use crate::error::{ErrorClass, Throw};
use crate::value::Value;
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("atob", 1, atob),
    plain("btoa", 1, btoa),
    plain("decodeURI", 1, decode_uri),
    plain("decodeURIComponent", 1, decode_uri_component),
    plain("encodeURI", 1, encode_uri),
    plain("encodeURIComponent", 1, encode_uri_component),
];

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a URI component keeps besides letters and digits.
const MARKS: &[u8] = b"-_.!~*'()";

/// What has a meaning of its own in a whole URI.
const RESERVED: &[u8] = b";/?:@&=+$,#";

/// `btoa("hi")` → `"aGk="`
fn btoa(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let units = argument(cx, call)?;
    let mut bytes = Vec::with_capacity(units.len());
    for unit in units.iter() {
        let Ok(byte) = u8::try_from(*unit) else {
            return Err(invalid_character());
        };
        bytes.push(byte);
    }
    let length = bytes.len().div_ceil(3) * 4;
    cx.heap.meter.string(length)?;
    let mut out: Vec<u16> = Vec::with_capacity(length);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(u16::from(if at > chunk.len() { b'=' } else { digit }));
        }
    }
    cx.heap.string(&out)
}

/// `atob("aGk=")` → `"hi"`
fn atob(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let units = argument(cx, call)?;
    let blank = |unit: &u16| matches!(*unit, 0x09 | 0x0A | 0x0C | 0x0D | 0x20);
    let mut digits: Vec<u16> = units.iter().copied().filter(|unit| !blank(unit)).collect();
    let end = u16::from(b'=');
    if digits.len().is_multiple_of(4) {
        for _ in 0..2 {
            if digits.last() == Some(&end) {
                digits.pop();
            }
        }
    }
    if digits.iter().any(|unit| digit(*unit).is_none()) {
        return Err(invalid_character());
    }
    if digits.len() % 4 == 1 {
        return Err(not_encoded());
    }
    let mut out: Vec<u16> = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        let mut bits = 0u32;
        for at in 0..4 {
            let value = chunk
                .get(at)
                .and_then(|unit| digit(*unit))
                .unwrap_or_default();
            bits = bits << 6 | value;
        }
        let bytes = [bits >> 16, bits >> 8, bits].map(|byte| (byte & 0xFF) as u16);
        out.extend_from_slice(&bytes[..chunk.len() - 1]);
    }
    cx.heap.string(&out)
}

/// What a digit of base 64 stands for.
fn digit(unit: u16) -> Option<u32> {
    let at = DIGITS.iter().position(|digit| u16::from(*digit) == unit)?;
    Some(at as u32)
}

fn argument(cx: &mut Cx<'_>, call: Call) -> Result<std::rc::Rc<[u16]>, Throw> {
    if call.count == 0 {
        return Err(Throw::type_error(
            "The \"input\" argument must be specified",
        ));
    }
    let units = cx.units(cx.arg(call, 0))?;
    cx.work(units.len() / 4)?;
    Ok(units)
}

/// A `DOMException` in JavaScript: its name and words, and an `Error` like that one.
fn invalid_character() -> Throw {
    Throw::error(ErrorClass::InvalidCharacterError, "Invalid character")
}

fn not_encoded() -> Throw {
    Throw::error(
        ErrorClass::InvalidCharacterError,
        "The string to be decoded is not correctly encoded.",
    )
}

/// `encodeURIComponent("a b&c")` → `"a%20b%26c"`
fn encode_uri_component(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    encode(cx, call, &[])
}

/// `encodeURI("/a b?c=d")` → `"/a%20b?c=d"`
fn encode_uri(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    encode(cx, call, RESERVED)
}

fn malformed() -> Throw {
    Throw::error(ErrorClass::UriError, "URI malformed")
}

fn encode(cx: &mut Cx<'_>, call: Call, kept: &[u8]) -> Result<Value, Throw> {
    let units = cx.units(cx.arg(call, 0))?;
    cx.work(units.len() / 4)?;
    let mut out: Vec<u16> = Vec::with_capacity(units.len());
    for char in char::decode_utf16(units.iter().copied()) {
        let char = char.map_err(|_| malformed())?;
        if let Ok(byte) = u8::try_from(char)
            && (byte.is_ascii_alphanumeric() || MARKS.contains(&byte) || kept.contains(&byte))
        {
            out.push(u16::from(byte));
            continue;
        }
        for byte in char.encode_utf8(&mut [0; 4]).bytes() {
            out.extend(format!("%{byte:02X}").bytes().map(u16::from));
        }
        if out.len() > cx.heap.meter.limits.string_units {
            cx.heap.meter.string(out.len())?;
        }
    }
    cx.heap.string(&out)
}

/// `decodeURIComponent("a%20b%26c")` → `"a b&c"`
fn decode_uri_component(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    decode(cx, call, &[])
}

/// `decodeURI("a%20b%26c")` → `"a b%26c"`
fn decode_uri(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    decode(cx, call, RESERVED)
}

fn decode(cx: &mut Cx<'_>, call: Call, kept: &[u8]) -> Result<Value, Throw> {
    let units = cx.units(cx.arg(call, 0))?;
    cx.work(units.len() / 4)?;
    let mut out: Vec<u16> = Vec::with_capacity(units.len());
    let mut at = 0;
    while let Some(unit) = units.get(at).copied() {
        if unit != u16::from(b'%') {
            out.push(unit);
            at += 1;
            continue;
        }
        let start = at;
        let first = escaped(&units, at)?;
        at += 3;
        let more = match first {
            0..0x80 => 0,
            0xC0..0xE0 => 1,
            0xE0..0xF0 => 2,
            0xF0..0xF8 => 3,
            _ => return Err(malformed()),
        };
        let mut bytes = vec![first];
        for _ in 0..more {
            bytes.push(escaped(&units, at)?);
            at += 3;
        }
        // Refuses overlong forms, surrogates and what is beyond Unicode.
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
        if kept.contains(&first) {
            out.extend_from_slice(&units[start..at]);
        } else {
            out.extend(text.encode_utf16());
        }
    }
    cx.heap.string(&out)
}

/// The byte of a `%XX` at some place.
fn escaped(units: &[u16], at: usize) -> Result<u8, Throw> {
    let Some([percent, high, low]) = units.get(at..at + 3) else {
        return Err(malformed());
    };
    let digit = |unit: u16| char::from_u32(u32::from(unit)).and_then(|char| char.to_digit(16));
    match (digit(*high), digit(*low)) {
        (Some(high), Some(low)) if *percent == u16::from(b'%') => Ok((high << 4 | low) as u8),
        _ => Err(malformed()),
    }
}
