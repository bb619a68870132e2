//! Numbers as JavaScript prints and reads them.

mod digits;
mod power;

pub use digits::{to_exponential, to_fixed, to_precision, to_radix};
pub use power::power;

/// `String(number)`: the shortest digits that read back as the same number.
#[must_use]
pub fn format(number: f64) -> String {
    let whole = number as i64;
    if whole as f64 == number && whole.unsigned_abs() < 1 << 53 {
        return whole.to_string();
    }
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let (digits, exponent) = digits::shortest(number.abs());
    let sign = if number < 0.0 { "-" } else { "" };
    let count = digits.len() as i32;
    // The decimal point stands behind this many digits.
    let point = exponent + 1;
    match point {
        _ if count <= point && point <= 21 => {
            let zeros = "0".repeat((point - count) as usize);
            format!("{sign}{digits}{zeros}")
        }
        1..=21 => {
            let (whole, fraction) = digits.split_at(point as usize);
            format!("{sign}{whole}.{fraction}")
        }
        -5..=0 => {
            let zeros = "0".repeat(point.unsigned_abs() as usize);
            format!("{sign}0.{zeros}{digits}")
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{rest}e{exponent:+}")
        }
    }
}

/// Whether JavaScript counts a unit as a blank or line end.
#[must_use]
pub fn is_blank(unit: u16) -> bool {
    matches!(
        unit,
        0x09..=0x0D | 0x20 | 0xA0 | 0x1680 | 0x2000..=0x200A | 0x2028 | 0x2029 | 0x202F | 0x205F | 0x3000 | 0xFEFF
    )
}

/// A text without the blanks around it.
#[must_use]
pub fn trim(units: &[u16]) -> &[u16] {
    trim_start(trim_end(units))
}

/// A text without the blanks before it.
#[must_use]
pub fn trim_start(units: &[u16]) -> &[u16] {
    let start = units
        .iter()
        .position(|unit| !is_blank(*unit))
        .unwrap_or(units.len());
    &units[start..]
}

/// A text without the blanks behind it.
#[must_use]
pub fn trim_end(units: &[u16]) -> &[u16] {
    let end = units
        .iter()
        .rposition(|unit| !is_blank(*unit))
        .map_or(0, |last| last + 1);
    &units[..end]
}

/// `Number(text)`: NaN for what is no number.
#[must_use]
pub fn parse(units: &[u16]) -> f64 {
    let text = trim(units);
    if text.is_empty() {
        return 0.0;
    }
    if let [zero, letter, digits @ ..] = text
        && *zero == u16::from(b'0')
    {
        let radix = match u8::try_from(*letter) {
            Ok(b'x' | b'X') => 16,
            Ok(b'o' | b'O') => 8,
            Ok(b'b' | b'B') => 2,
            _ => 0,
        };
        if radix != 0 {
            let whole =
                !digits.is_empty() && digits.iter().all(|unit| digit(*unit, radix).is_some());
            return if whole {
                whole_number(digits, radix)
            } else {
                f64::NAN
            };
        }
    }
    match decimal_prefix(text) {
        Some((number, length)) if length == text.len() => number,
        _ => f64::NAN,
    }
}

/// `parseFloat(text)`: the longest number at the beginning.
#[must_use]
pub fn parse_float(units: &[u16]) -> f64 {
    decimal_prefix(trim_start(units)).map_or(f64::NAN, |(number, _)| number)
}

/// `parseInt(text, radix)`; a radix of 0 means that the text decides.
#[must_use]
pub fn parse_int(units: &[u16], radix: i32) -> f64 {
    let mut text = trim_start(units);
    let mut negative = false;
    if let [sign, rest @ ..] = text
        && (*sign == u16::from(b'-') || *sign == u16::from(b'+'))
    {
        negative = *sign == u16::from(b'-');
        text = rest;
    }
    if radix != 0 && !(2..=36).contains(&radix) {
        return f64::NAN;
    }
    let mut base = if radix == 0 { 10 } else { radix as u32 };
    if let [zero, letter, rest @ ..] = text
        && (radix == 0 || radix == 16)
        && *zero == u16::from(b'0')
        && (*letter | 0x20) == u16::from(b'x')
    {
        (text, base) = (rest, 16);
    }
    let end = text
        .iter()
        .position(|unit| digit(*unit, base).is_none())
        .unwrap_or(text.len());
    if end == 0 {
        return f64::NAN;
    }
    let number = whole_number(&text[..end], base);
    if negative { -number } else { number }
}

fn digit(unit: u16, radix: u32) -> Option<u32> {
    char::from_u32(u32::from(unit))?.to_digit(radix)
}

/// The value of some digits. Correctly rounded for 10 and powers of two; otherwise as V8 does it.
fn whole_number(digits: &[u16], radix: u32) -> f64 {
    if radix == 10 {
        return ascii(digits).parse().unwrap_or(f64::NAN);
    }
    let values = digits.iter().filter_map(|unit| digit(*unit, radix));
    if radix.is_power_of_two() {
        return binary_number(values, radix.trailing_zeros());
    }
    // V8 adds up parts of 32 bits, and rounding errors with them. The first part begins with the first digit that counts.
    const MOST: u32 = u32::MAX / 36;
    let mut values = values.skip_while(|value| *value == 0).peekable();
    let mut number = 0.0;
    while values.peek().is_some() {
        let (mut part, mut multiplier) = (0u32, 1u32);
        while let Some(value) = values.peek() {
            let next = multiplier * radix;
            if next > MOST {
                break;
            }
            part = part * radix + value;
            multiplier = next;
            values.next();
        }
        number = number * f64::from(multiplier) + f64::from(part);
    }
    number
}

/// Digits of some bits each: the first 64 bits are kept, and of the rest whether any is set.
fn binary_number(values: impl Iterator<Item = u32>, bits: u32) -> f64 {
    let (mut kept, mut dropped, mut sticky) = (0u64, 0i32, false);
    for value in values {
        for bit in (0..bits).rev() {
            let set = value >> bit & 1 == 1;
            if kept >> 63 == 0 {
                kept = kept << 1 | u64::from(set);
            } else {
                dropped = dropped.saturating_add(1);
                sticky |= set;
            }
        }
    }
    // 64 bits are more than a double holds, so the lowest one can stand for all that were dropped.
    let number = (kept | u64::from(sticky)) as f64;
    if dropped > 1100 {
        f64::INFINITY
    } else {
        number * 2f64.powi(dropped)
    }
}

/// The longest decimal literal at the beginning and its length.
fn decimal_prefix(text: &[u16]) -> Option<(f64, usize)> {
    let is = |at: usize, byte: u8| text.get(at) == Some(&u16::from(byte));
    let digits = |from: usize| {
        text[from.min(text.len())..]
            .iter()
            .take_while(|unit| digit(**unit, 10).is_some())
            .count()
    };
    let sign = usize::from(is(0, b'-') || is(0, b'+'));
    let negative = is(0, b'-');
    let infinity = "Infinity";
    if text.len() >= sign + infinity.len()
        && text[sign..]
            .iter()
            .zip(infinity.bytes())
            .all(|(unit, byte)| *unit == u16::from(byte))
    {
        let number = if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
        return Some((number, sign + infinity.len()));
    }
    let whole = digits(sign);
    let mut end = sign + whole;
    if is(end, b'.') {
        let fraction = digits(end + 1);
        if whole + fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    if is(end, b'e') || is(end, b'E') {
        let sign = usize::from(is(end + 1, b'-') || is(end + 1, b'+'));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    Some((ascii(&text[..end]).parse().ok()?, end))
}

/// Units that are known to be ASCII as Rust text.
fn ascii(units: &[u16]) -> String {
    units.iter().map(|unit| char::from(*unit as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn numbers_print_as_in_javascript() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e21, "1e+21"),
            (123456789012345680000.0, "123456789012345680000"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9007199254740993.0, "9007199254740992"),
            (1e20, "100000000000000000000"),
            (-1.25e25, "-1.25e+25"),
            (123.456, "123.456"),
        ];
        for (number, text) in cases {
            assert_eq!(format(number), text);
        }
    }

    #[test]
    fn texts_are_read_as_in_javascript() {
        let cases = [
            ("", 0.0),
            ("  12 \n", 12.0),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("0x1F", 31.0),
            ("0b101", 5.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("\u{FEFF}7", 7.0),
            ("0x20000000000001", 9007199254740992.0),
            ("0x20000000000003", 9007199254740996.0),
        ];
        for (text, number) in cases {
            assert_eq!(parse(&units(text)), number, "{text}");
        }
        for text in [
            "1_000", "inf", "nan", "1e", "0x", "-0x1", "12px", ".", "+", "e5", "1 2",
        ] {
            assert!(parse(&units(text)).is_nan(), "{text}");
        }
    }

    #[test]
    fn prefixes_are_read_as_in_javascript() {
        assert_eq!(parse_float(&units("3.25abc")), 3.25);
        assert_eq!(parse_float(&units("1e+x")), 1.0);
        assert_eq!(parse_int(&units(" -42.9"), 0), -42.0);
        assert_eq!(parse_int(&units("0xff"), 0), 255.0);
        assert_eq!(parse_int(&units("zz"), 36), 1295.0);
        assert!(parse_int(&units("9"), 8).is_nan());
        assert!(parse_int(&units("1"), 1).is_nan());
    }
}
