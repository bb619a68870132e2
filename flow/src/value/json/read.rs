//! `JSON.parse` without a reviver. Messages are those of V8, positions included.

use std::borrow::Cow;

use super::super::number;
use super::super::object::{Key, Props};
use super::super::{Body, Heap, Value};
use crate::error::Throw;

/// Characters that a message shows on each side of an unexpected one.
const CONTEXT: usize = 10;

/// What an element, a property and a container cost.
const ITEM_BYTES: usize = 16;
const PROP_BYTES: usize = 48;

/// A container whose end has not come yet.
enum Open {
    Array(Vec<Value>),
    Object(Props, Key),
}

/// Reads JSON text.
///
/// # Errors
/// A `SyntaxError` for text that is no JSON, and limits.
pub fn parse(heap: &mut Heap, text: &[u16]) -> Result<Value, Throw> {
    Reader { text, at: 0 }.document(heap)
}

struct Reader<'a> {
    text: &'a [u16],
    at: usize,
}

const fn ascii(byte: u8) -> u16 {
    byte as u16
}

impl<'a> Reader<'a> {
    fn document(&mut self, heap: &mut Heap) -> Result<Value, Throw> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            heap.meter.spend(1)?;
            let mut value = match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    if self.peek() == Some(b'}') {
                        self.at += 1;
                        Value::Object(heap.object())
                    } else {
                        let key = self.key(heap, "Expected property name or '}'")?;
                        open.push(Open::Object(Props::default(), key));
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if self.peek() == Some(b']') {
                        self.at += 1;
                        heap.array(Vec::new())
                    } else {
                        open.push(Open::Array(Vec::new()));
                        continue;
                    }
                }
                _ => self.scalar(heap)?,
            };
            // Puts the value into its container, and closes all that end here.
            loop {
                match open.last_mut() {
                    None => {
                        if self.peek_end().is_some() {
                            return Err(self.trailing());
                        }
                        return Ok(value);
                    }
                    Some(Open::Array(items)) => {
                        heap.meter.charge(ITEM_BYTES)?;
                        items.push(value);
                        match self.peek() {
                            Some(b',') => {
                                self.at += 1;
                                break;
                            }
                            Some(b']') => self.at += 1,
                            _ => {
                                return Err(
                                    self.expected("Expected ',' or ']' after array element")
                                );
                            }
                        }
                    }
                    Some(Open::Object(props, key)) => {
                        heap.meter.charge(PROP_BYTES)?;
                        props.set(*key, value);
                        match self.peek() {
                            Some(b',') => {
                                self.at += 1;
                                let next =
                                    self.key(heap, "Expected double-quoted property name")?;
                                *key = next;
                                break;
                            }
                            Some(b'}') => self.at += 1,
                            _ => {
                                return Err(
                                    self.expected("Expected ',' or '}' after property value")
                                );
                            }
                        }
                    }
                }
                value = match open.pop() {
                    Some(Open::Array(items)) => heap.array(items),
                    Some(Open::Object(props, _)) => Value::Object(heap.alloc(Body::Object(props))),
                    None => value,
                };
            }
        }
    }

    /// Skips blanks; the next unit if it is ASCII, `Some(0xFF)` if it is another, none at the end.
    fn peek(&mut self) -> Option<u8> {
        while let Some(unit) = self.text.get(self.at) {
            match *unit {
                0x20 | 0x09 | 0x0A | 0x0D => self.at += 1,
                unit => return Some(u8::try_from(unit).unwrap_or(0xFF)),
            }
        }
        None
    }

    fn peek_end(&mut self) -> Option<u8> {
        self.peek()
    }

    fn key(&mut self, heap: &mut Heap, otherwise: &str) -> Result<Key, Throw> {
        if self.peek() != Some(b'"') {
            return Err(self.expected(otherwise));
        }
        let units = self.string(heap)?;
        let name = heap.intern(&units);
        let key = heap.string_key(name);
        if self.peek() != Some(b':') {
            return Err(self.expected("Expected ':' after property name"));
        }
        self.at += 1;
        Ok(key)
    }

    fn scalar(&mut self, heap: &mut Heap) -> Result<Value, Throw> {
        match self.peek() {
            Some(b'"') => {
                let units = self.string(heap)?;
                heap.string(&units)
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Throw> {
        for byte in word.bytes() {
            if self.text.get(self.at) != Some(&ascii(byte)) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.digit().is_some() {
            self.at += 1;
        }
        self.at - start
    }

    fn digit(&self) -> Option<u16> {
        self.text
            .get(self.at)?
            .checked_sub(ascii(b'0'))
            .filter(|digit| *digit < 10)
    }

    fn is(&self, byte: u8) -> bool {
        self.text.get(self.at) == Some(&ascii(byte))
    }

    fn number(&mut self) -> Result<Value, Throw> {
        let start = self.at;
        if self.is(b'-') {
            self.at += 1;
            if self.digit().is_none() {
                return Err(self.expected("No number after minus sign"));
            }
        }
        if self.is(b'0') {
            self.at += 1;
            if self.digit().is_some() {
                let at = self.at;
                return Err(Throw::syntax_error(format!(
                    "Unexpected number in JSON at position {at}{}",
                    self.place(at)
                )));
            }
        } else {
            let count = self.digits();
            if count < 10 && !self.is(b'.') && !self.is(b'e') && !self.is(b'E') {
                let digits = &self.text[self.at - count..self.at];
                let whole = digits
                    .iter()
                    .fold(0.0, |n, unit| n * 10.0 + f64::from(unit - ascii(b'0')));
                let negative = self.text[start] == ascii(b'-');
                return Ok(Value::Number(if negative { -whole } else { whole }));
            }
        }
        if self.is(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.expected("Unterminated fractional number"));
            }
        }
        if self.is(b'e') || self.is(b'E') {
            self.at += 1;
            if self.is(b'+') || self.is(b'-') {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.expected("Exponent part is missing a number"));
            }
        }
        Ok(Value::Number(number::parse(&self.text[start..self.at])))
    }

    /// The contents of the string that begins here.
    fn string(&mut self, heap: &mut Heap) -> Result<Cow<'a, [u16]>, Throw> {
        self.at += 1;
        let start = self.at;
        let stops = |unit: &u16| matches!(*unit, 0x22 | 0x5C | 0..0x20);
        let text: &'a [u16] = self.text;
        let rest = &text[start..];
        let plain = rest.iter().position(stops).unwrap_or(rest.len());
        heap.meter.spend(plain / 16)?;
        self.at += plain;
        if self.is(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&rest[..plain]));
        }
        let mut out = rest[..plain].to_vec();
        loop {
            let Some(unit) = self.text.get(self.at).copied() else {
                return Err(self.expected("Unterminated string"));
            };
            match unit {
                0x22 => {
                    self.at += 1;
                    return Ok(Cow::Owned(out));
                }
                0x5C => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                0..0x20 => return Err(self.expected("Bad control character in string literal")),
                unit => {
                    self.at += 1;
                    out.push(unit);
                }
            }
            if out.len().is_multiple_of(1024) {
                heap.meter.spend(64)?;
            }
        }
    }

    fn escape(&mut self) -> Result<u16, Throw> {
        let Some(unit) = self.text.get(self.at).copied() else {
            return Err(self.unexpected());
        };
        let meant = match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\' | b'/')) => byte,
            Ok(b'b') => 0x08,
            Ok(b'f') => 0x0C,
            Ok(b'n') => b'\n',
            Ok(b'r') => b'\r',
            Ok(b't') => b'\t',
            Ok(b'u') => {
                self.at += 1;
                let mut code = 0u16;
                for _ in 0..4 {
                    let digit = self
                        .text
                        .get(self.at)
                        .and_then(|unit| char::from_u32(u32::from(*unit)));
                    let Some(digit) = digit.and_then(|digit| digit.to_digit(16)) else {
                        return Err(self.expected("Bad Unicode escape"));
                    };
                    code = code << 4 | digit as u16;
                    self.at += 1;
                }
                return Ok(code);
            }
            _ => return Err(self.expected("Bad escaped character")),
        };
        self.at += 1;
        Ok(ascii(meant))
    }

    /// ` (line 1 column 2)`
    fn place(&self, at: usize) -> String {
        let (mut line, mut start) = (1, 0);
        let mut units = self.text[..at].iter().enumerate().peekable();
        while let Some((at, unit)) = units.next() {
            match *unit {
                0x0D if units.peek().is_some_and(|(_, next)| **next == 0x0A) => {}
                0x0A | 0x0D => (line, start) = (line + 1, at + 1),
                _ => {}
            }
        }
        format!(" (line {line} column {})", at - start + 1)
    }

    fn trailing(&self) -> Throw {
        let at = self.at;
        let place = self.place(at);
        Throw::syntax_error(format!(
            "Unexpected non-whitespace character after JSON at position {at}{place}"
        ))
    }

    fn expected(&self, what: &str) -> Throw {
        let at = self.at;
        Throw::syntax_error(format!("{what} in JSON at position {at}{}", self.place(at)))
    }

    fn unexpected(&self) -> Throw {
        let Some(unit) = self.text.get(self.at).copied() else {
            return Throw::syntax_error("Unexpected end of JSON input");
        };
        let at = self.at;
        match u8::try_from(unit) {
            Ok(b'"') => {
                let place = self.place(at);
                return Throw::syntax_error(format!(
                    "Unexpected string in JSON at position {at}{place}"
                ));
            }
            Ok(b'-' | b'0'..=b'9') => {
                let place = self.place(at);
                return Throw::syntax_error(format!(
                    "Unexpected number in JSON at position {at}{place}"
                ));
            }
            _ => {}
        }
        let all = String::from_utf16_lossy;
        if ["[object Object]", "NaN", "Infinity", "undefined"].contains(&all(self.text).as_str()) {
            return Throw::syntax_error(format!("\"{}\" is not valid JSON", all(self.text)));
        }
        let length = self.text.len();
        let shown = if length <= CONTEXT * 2 {
            format!("\"{}\"", all(self.text))
        } else if at < CONTEXT {
            format!("\"{}\"...", all(&self.text[..at + CONTEXT]))
        } else if at < length - CONTEXT {
            format!("...\"{}\"...", all(&self.text[at - CONTEXT..at + CONTEXT]))
        } else {
            format!("...\"{}\"", all(&self.text[at - CONTEXT..]))
        };
        Throw::syntax_error(format!(
            "Unexpected token '{}', {shown} is not valid JSON",
            all(&[unit])
        ))
    }
}
