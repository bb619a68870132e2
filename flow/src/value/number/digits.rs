//! Digits of numbers: `toFixed`, `toExponential`, `toPrecision`, `toString(radix)`.

/// Doubles have at most this many significant decimal digits.
const MOST_DIGITS: usize = 770;

/// The shortest digits of a positive number, and the decimal exponent of the first.
pub(super) fn shortest(number: f64) -> (String, i32) {
    let (digits, exponent) = split(&format!("{number:e}"));
    // In the middle between two candidates Rust takes the upper one, V8 the even one.
    if digits.len() >= 15
        && let Some((last @ (b'1' | b'3' | b'5' | b'7' | b'9'), front)) =
            digits.as_bytes().split_last()
    {
        let lower = format!("{}{}", String::from_utf8_lossy(front), char::from(last - 1));
        let (near, start) = split(&format!("{:.*e}", digits.len() + 25, number));
        if start == exponent
            && near
                .strip_prefix(lower.as_str())
                .and_then(|tail| tail.strip_prefix('5'))
                .is_some_and(|rest| rest.bytes().all(|byte| byte == b'0'))
            // Below a power of two the numbers are closer, and it may be another's.
            && reads_as(&lower, exponent, number)
        {
            return (lower, exponent);
        }
    }
    (digits, exponent)
}

/// Whether digits, the first of which has this decimal exponent, are read as a number.
fn reads_as(digits: &str, exponent: i32, number: f64) -> bool {
    let scale = exponent - (digits.len() as i32 - 1);
    format!("{digits}e{scale}").parse() == Ok(number)
}

/// `1.25e-7` as digits and exponent.
fn split(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// `count` significant digits of a positive number, halves rounded up, and the exponent of the first.
fn significant(number: f64, count: usize) -> (String, i32) {
    let (digits, exponent) = split(&format!("{:.*e}", count - 1, number));
    // Rust rounds halves to even. Only a tail of exactly 5 is one; few digits tell most of the others.
    let (near, start) = split(&format!("{:.*e}", count + 20, number));
    if start == exponent || digits.starts_with('1') {
        let is_half = |tail: &str| {
            tail.strip_prefix('5')
                .is_some_and(|rest| rest.bytes().all(|b| b == b'0'))
        };
        if is_half(&near[count..]) {
            let (all, start) = split(&format!("{number:.MOST_DIGITS$e}"));
            if is_half(&all[count..]) {
                return increment(&all[..count], start);
            }
        }
    }
    (digits, exponent)
}

/// Digits plus one at the last place; the exponent grows when all were nines.
fn increment(digits: &str, exponent: i32) -> (String, i32) {
    let kept = digits.trim_end_matches('9');
    let zeros = "0".repeat(digits.len() - kept.len());
    match kept.as_bytes().split_last() {
        None => (format!("1{}", &zeros[1..]), exponent + 1),
        Some((last, rest)) => {
            let rest = String::from_utf8_lossy(rest);
            (format!("{rest}{}{zeros}", char::from(last + 1)), exponent)
        }
    }
}

/// `number.toFixed(places)` of a number below 1e21, with at most 100 places.
#[must_use]
pub fn to_fixed(number: f64, places: usize) -> String {
    let (bits, size) = (number.abs(), number.abs());
    // With k binary places the decimal form ends with a 5 at place k: a half exactly if k = places + 1.
    let halves = binary_places(bits) == places as i32 + 1;
    let mut text = format!("{size:.places$}");
    if halves {
        let exact = format!("{size:.*}", places + 1);
        let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, "0"));
        let digits = format!("{whole}{}", &fraction[..places]);
        let (digits, carry) = increment(&digits, 0);
        let digits = if carry == 1 {
            format!("{digits}0")
        } else {
            digits
        };
        let point = digits.len() - places;
        text = match places {
            0 => digits,
            _ => format!("{}.{}", &digits[..point], &digits[point..]),
        };
    }
    // A negative number that is rounded to zero keeps its sign; −0 itself has none.
    if number < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}

/// How many binary places behind the point a positive number has.
fn binary_places(number: f64) -> i32 {
    if number == 0.0 {
        return 0;
    }
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7FF) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, scale) = if exponent == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, exponent - 1075)
    };
    -(scale + mantissa.trailing_zeros() as i32)
}

/// `number.toExponential(places)` of a finite number; all digits if it is none.
#[must_use]
pub fn to_exponential(number: f64, places: Option<usize>) -> String {
    let size = number.abs();
    let (digits, exponent) = match places {
        Some(places) if size == 0.0 => ("0".repeat(places + 1), 0),
        Some(places) => significant(size, places + 1),
        None => shortest(size),
    };
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}e{exponent:+}", pointed(&digits, 1))
}

/// `number.toPrecision(count)` of a finite number.
#[must_use]
pub fn to_precision(number: f64, count: usize) -> String {
    let size = number.abs();
    let sign = if number < 0.0 { "-" } else { "" };
    let (digits, exponent) = if size == 0.0 {
        ("0".repeat(count), 0)
    } else {
        significant(size, count)
    };
    if exponent < -6 || exponent >= count as i32 {
        return format!("{sign}{}e{exponent:+}", pointed(&digits, 1));
    }
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    format!("{sign}{}", pointed(&digits, exponent as usize + 1))
}

/// Digits with a point behind some of them, unless nothing follows.
fn pointed(digits: &str, at: usize) -> String {
    if at >= digits.len() {
        return digits.to_owned();
    }
    let (whole, fraction) = digits.split_at(at);
    format!("{whole}.{fraction}")
}

/// `number.toString(radix)` of a finite number, digit by digit as V8 makes them.
#[must_use]
pub fn to_radix(number: f64, radix: u32) -> String {
    let value = number.abs();
    let base = f64::from(radix);
    let mut integer = value.floor();
    let mut fraction = value - integer;
    let next = f64::from_bits(value.to_bits() + 1);
    // Digits beyond half the distance to the next number would be noise.
    let mut delta = (0.5 * (next - value)).max(f64::from_bits(1));
    let mut places: Vec<u32> = Vec::new();
    if fraction >= delta {
        loop {
            fraction *= base;
            delta *= base;
            let digit = fraction as u32;
            places.push(digit);
            fraction -= f64::from(digit);
            if (fraction > 0.5 || (fraction == 0.5 && digit & 1 == 1)) && fraction + delta > 1.0 {
                integer += carry(&mut places, radix);
                break;
            }
            if fraction < delta {
                break;
            }
        }
    }
    let mut digits: Vec<char> = Vec::new();
    let letter = |digit: u32| char::from_digit(digit, radix).unwrap_or('0');
    // V8 writes zeros for digits that are not known.
    while ((integer / base).to_bits() >> 52 & 0x7FF) as i32 - 0x3FF - 52 > 0 {
        integer /= base;
        digits.push('0');
    }
    loop {
        let digit = integer % base;
        digits.push(letter(digit as u32));
        integer = (integer - digit) / base;
        if integer <= 0.0 {
            break;
        }
    }
    if number < 0.0 {
        digits.push('-');
    }
    digits.reverse();
    if !places.is_empty() {
        digits.push('.');
        digits.extend(places.into_iter().map(letter));
    }
    digits.into_iter().collect()
}

/// Adds one at the last place; 1 if that reaches the whole part.
fn carry(places: &mut Vec<u32>, radix: u32) -> f64 {
    while let Some(last) = places.pop() {
        if last + 1 < radix {
            places.push(last + 1);
            return 0.0;
        }
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero_by_their_exact_value() {
        assert_eq!(to_fixed(2.5, 0), "3");
        assert_eq!(to_fixed(0.5, 0), "1");
        assert_eq!(to_fixed(-2.5, 0), "-3");
        assert_eq!(to_fixed(1.005, 2), "1.00");
        assert_eq!(to_fixed(1.45, 1), "1.4");
        assert_eq!(to_fixed(8.345, 2), "8.35");
        assert_eq!(to_fixed(0.125, 2), "0.13");
        assert_eq!(to_fixed(99.5, 0), "100");
        assert_eq!(to_fixed(9.5, 0), "10");
        assert_eq!(to_fixed(0.95, 1), "0.9");
        assert_eq!(to_fixed(999.75, 1), "999.8");
        assert_eq!(to_fixed(999.96875, 4), "999.9688");
        assert_eq!(to_fixed(-0.0000001, 2), "-0.00");
        assert_eq!(to_fixed(-0.0, 2), "0.00");
    }

    #[test]
    fn precision_chooses_its_form() {
        assert_eq!(to_precision(123.456, 4), "123.5");
        assert_eq!(to_precision(0.000123, 2), "0.00012");
        assert_eq!(to_precision(1e21, 3), "1.00e+21");
        assert_eq!(to_precision(35.0, 1), "4e+1");
        assert_eq!(to_precision(0.0, 3), "0.00");
        assert_eq!(to_precision(2.5, 1), "3");
        assert_eq!(to_precision(9.5, 1), "1e+1");
        assert_eq!(to_exponential(12345.0, Some(2)), "1.23e+4");
        assert_eq!(to_exponential(0.0, None), "0e+0");
        assert_eq!(to_exponential(1.25, Some(1)), "1.3e+0");
    }

    #[test]
    fn other_bases() {
        assert_eq!(to_radix(255.0, 16), "ff");
        assert_eq!(to_radix(-255.5, 2), "-11111111.1");
        assert_eq!(to_radix(0.1, 3), "0.0022002200220022002200220022002201");
        assert_eq!(to_radix(1e21, 36), "5v1j4f4ds7c000");
        assert_eq!(to_radix(9_007_199_254_740_992.0, 7), "5350140446150306054");
        assert_eq!(to_radix(1e21, 7), "5135235413265003022600000");
        assert_eq!(to_radix(0.5, 2), "0.1");
    }
}
