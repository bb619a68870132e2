//! What numbers, strings, templates and names mean, from the text that they are written in.

use pest::unicode::{ID_CONTINUE, ID_START};

use super::Parser;
use super::refuse::Refused;
use super::token::Kind;
use crate::codes::Code;
use crate::source::Span;

impl Parser<'_> {
    /// The value of a number that the grammar accepted.
    pub(super) fn decode_number(&self, span: Span) -> f64 {
        let text: String = self
            .source
            .slice(span)
            .chars()
            .filter(|char| *char != '_')
            .collect();
        let radix = match text.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0o" | "0O") => 8,
            Some("0b" | "0B") => 2,
            // Rust reads all decimal forms that JavaScript has, and rounds in the same way.
            _ => return text.parse().unwrap_or(f64::NAN),
        };
        whole_number(text.get(2..).unwrap_or_default(), radix)
    }

    /// Says what is wrong with a number.
    pub(super) fn bad_number(&mut self, span: Span) {
        let text = self.source.slice(span);
        let is_bigint = text.strip_suffix('n').is_some_and(|digits| {
            let hex = digits.starts_with("0x") || digits.starts_with("0X");
            let digits = digits.trim_start_matches(['0', 'x', 'X', 'o', 'O', 'b', 'B']);
            let radix = if hex { 16 } else { 10 };
            digits
                .chars()
                .all(|char| char.is_digit(radix) || char == '_')
        });
        let legacy = text.starts_with('0') && text.chars().all(|char| char.is_ascii_digit());
        if is_bigint {
            self.refuse(Refused::BigInt, span);
        } else if legacy {
            let hint = "Write it without the leading 0; octal numbers are written as 0o17.";
            let message = format!("`{text}` has a leading 0, which means octal in old JavaScript");
            self.report(Code::BadNumber, span, message, Some(hint));
        } else if text.contains('_') {
            let message = format!("`{text}` has a separator at a wrong place");
            self.report(
                Code::BadNumber,
                span,
                message,
                Some("`_` stands between two digits."),
            );
        } else if text.chars().all(|char| char.is_ascii_digit()) {
            let message = format!("a name stands right behind the number `{text}.`");
            let hint = format!("Write `({text}).` to get at a method of a number.");
            self.report(Code::BadNumber, span, message, Some(&hint));
        } else {
            let hint = "Put a space between a number and a name.";
            self.report(
                Code::BadNumber,
                span,
                format!("`{text}` is no number"),
                Some(hint),
            );
        }
    }

    /// The value of a string with its quotes.
    pub(super) fn decode_string(&mut self, span: Span) -> Vec<u16> {
        self.decode_text(
            Span {
                start: span.start + 1,
                end: span.end - 1,
            },
            false,
        )
    }

    /// The value of the text between the holes of a template.
    pub(super) fn decode_template(&mut self, span: Span) -> Vec<u16> {
        self.decode_text(span, true)
    }

    fn decode_text(&mut self, span: Span, template: bool) -> Vec<u16> {
        let text = self.source.slice(span);
        let mut units = Vec::with_capacity(text.len());
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            match char {
                '\\' => {
                    let rest = text.get(at + 1..).unwrap_or_default();
                    let used = match escape(rest) {
                        Escape::Unit(unit, used) => {
                            units.push(unit);
                            used
                        }
                        Escape::Char(char, used) => {
                            units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
                            used
                        }
                        Escape::Nothing(used) => used,
                        Escape::Bad(message, used) => {
                            let start = span.start as usize + at;
                            let hint =
                                "Write \\\\ for a backslash, \\u0041 or \\x41 for a character.";
                            let span = Span::new(start, start + 1 + used);
                            self.report(Code::BadEscape, span, message, Some(hint));
                            used
                        }
                    };
                    while chars.peek().is_some_and(|(next, _)| *next <= at + used) {
                        chars.next();
                    }
                }
                // In templates all line breaks mean the same.
                '\r' if template => {
                    if chars.peek().is_some_and(|(_, next)| *next == '\n') {
                        chars.next();
                    }
                    units.push(u16::from(b'\n'));
                }
                char => units.extend_from_slice(char.encode_utf16(&mut [0; 2])),
            }
        }
        units
    }

    /// The name that is written at `span`, with its escapes resolved.
    pub(super) fn decode_name(&mut self, span: Span) -> String {
        let text = self.source.slice(span);
        if !text.contains('\\') {
            return text.to_owned();
        }
        let mut name = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            name.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let (char, used) = match escape(rest) {
                Escape::Unit(unit, used) => (char::from_u32(u32::from(unit)), used),
                Escape::Char(char, used) => (Some(char), used),
                Escape::Nothing(used) | Escape::Bad(_, used) => (None, used),
            };
            let first = name.is_empty();
            match char.filter(|char| is_name_char(*char, first)) {
                Some(char) => name.push(char),
                None => {
                    let message = "this escape gives no character of a name";
                    self.report(
                        Code::BadEscape,
                        span,
                        message,
                        Some("Write the name plainly."),
                    );
                }
            }
            rest = rest.get(used..).unwrap_or_default();
        }
        name + rest
    }

    /// The current word as a static property name in UTF-16 units, if it can be one.
    pub(super) fn static_key(&mut self) -> Option<Vec<u16>> {
        let token = self.current();
        match token.kind {
            Kind::Name => Some(self.decode_name(token.span).encode_utf16().collect()),
            Kind::String => Some(self.decode_string(token.span)),
            Kind::Number => {
                let value = self.decode_number(token.span);
                Some(number_name(value).encode_utf16().collect())
            }
            _ => None,
        }
    }
}

/// What stands behind a backslash, with the bytes that it takes.
enum Escape {
    Unit(u16, usize),
    Char(char, usize),
    Nothing(usize),
    Bad(&'static str, usize),
}

fn escape(rest: &str) -> Escape {
    let Some(first) = rest.chars().next() else {
        return Escape::Bad("a backslash at the end", 0);
    };
    let simple = |char: char| Escape::Unit(char as u16, 1);
    match first {
        'n' => simple('\n'),
        't' => simple('\t'),
        'r' => simple('\r'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{C}'),
        'v' => simple('\u{B}'),
        '0' if !rest[1..].starts_with(|next: char| next.is_ascii_digit()) => simple('\0'),
        '0'..='7' => Escape::Bad("octal escapes are not allowed in strict JavaScript", 1),
        '8' | '9' => Escape::Bad("`\\8` and `\\9` are not allowed in strict JavaScript", 1),
        'x' => match hex(rest.get(1..3)) {
            Some(value) => Escape::Unit(value as u16, 3),
            None => Escape::Bad("`\\x` needs two hexadecimal digits", 1),
        },
        'u' if rest[1..].starts_with('{') => {
            let digits = rest[2..].split('}').next().unwrap_or_default();
            let closed = rest[2 + digits.len()..].starts_with('}');
            let used = 3 + digits.len();
            // Any number of leading zeros is allowed.
            let digits = Some(digits).filter(|digits| closed && !digits.is_empty());
            match hex(digits) {
                Some(value) => match char::from_u32(value) {
                    Some(char) => Escape::Char(char, used),
                    None if value <= 0xFFFF => Escape::Unit(value as u16, used),
                    None => Escape::Bad("a character above \\u{10FFFF}", used),
                },
                None => Escape::Bad("`\\u{…}` needs hexadecimal digits", 1),
            }
        }
        'u' => match hex(rest.get(1..5)) {
            Some(value) => Escape::Unit(value as u16, 5),
            None => Escape::Bad("`\\u` needs four hexadecimal digits", 1),
        },
        // A backslash at the end of a line joins it with the next one.
        '\r' if rest.starts_with("\r\n") => Escape::Nothing(2),
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => Escape::Nothing(first.len_utf8()),
        other => Escape::Char(other, other.len_utf8()),
    }
}

fn hex(digits: Option<&str>) -> Option<u32> {
    let digits = digits?;
    let significant = digits.trim_start_matches('0');
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (plain, significant) {
        (true, "") => Some(0),
        (true, _) if significant.len() <= 8 => u32::from_str_radix(significant, 16).ok(),
        (true, _) => Some(u32::MAX),
        (false, _) => None,
    }
}

/// Whether a character may stand in a name.
fn is_name_char(char: char, first: bool) -> bool {
    match char {
        '$' | '_' => true,
        '\u{200C}' | '\u{200D}' => !first,
        _ if first => ID_START(char),
        _ => ID_CONTINUE(char),
    }
}

/// The value of a whole number of any length, rounded to the nearest double, ties to even.
fn whole_number(digits: &str, radix: u32) -> f64 {
    let bits_each = radix.trailing_zeros();
    let (mut kept, mut dropped, mut lost) = (0_u64, 0_i32, false);
    for digit in digits.chars().filter_map(|char| char.to_digit(radix)) {
        if kept >> (64 - bits_each) == 0 {
            kept = kept << bits_each | u64::from(digit);
        } else {
            dropped += bits_each as i32;
            lost |= digit != 0;
        }
    }
    // At least 60 bits are kept where any is dropped: a bit below the rounding place stands for them.
    (kept | u64::from(lost)) as f64 * 2_f64.powi(dropped)
}

/// A number as a property name: JavaScript's `String(value)`.
fn number_name(value: f64) -> String {
    if value.is_infinite() {
        return "Infinity".to_owned();
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let count = digits.len() as i32;
    match exponent {
        0..=20 if count <= exponent + 1 => {
            format!("{digits}{}", "0".repeat((exponent + 1 - count) as usize))
        }
        0..=20 => {
            let (whole, part) = digits.split_at((exponent + 1) as usize);
            format!("{whole}.{part}")
        }
        -6..=-1 => format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize)),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{}", exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{number_name, whole_number};

    #[test]
    fn property_names_of_numbers_are_javascripts() {
        let cases: [(f64, &str); 10] = [
            (0.0, "0"),
            (10.0, "10"),
            (1.5, "1.5"),
            (1e21, "1e+21"),
            (123456789012345680000.0, "123456789012345680000"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (0.1, "0.1"),
            (1234.5678, "1234.5678"),
            (f64::INFINITY, "Infinity"),
        ];
        for (value, name) in cases {
            assert_eq!(number_name(value), name);
        }
    }

    #[test]
    fn long_hexadecimal_numbers_round_to_even() {
        assert_eq!(whole_number("ff", 16), 255.0);
        assert_eq!(whole_number("20000000000001", 16), 9007199254740992.0);
        assert_eq!(whole_number("20000000000003", 16), 9007199254740996.0);
        let half = "20000000000001000000000000";
        assert_eq!(whole_number(&format!("{half}0"), 16), 2f64.powi(105));
        assert_eq!(
            whole_number(&format!("{half}1"), 16),
            2f64.powi(105) + 2f64.powi(53)
        );
    }
}
