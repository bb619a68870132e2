//! Spans of time as programs write them: seconds as a number, or words such as `"1h30m"`.

use crate::error::Throw;
use crate::value::Value;
use crate::vm::cx::Cx;

/// A hundred years: longer waits are mistakes, and dates stay in range.
const MOST_MS: f64 = 100.0 * 366.0 * 86_400_000.0;

/// The milliseconds that a value means.
///
/// # Errors
/// A `TypeError` or `RangeError` that shows the forms.
pub(super) fn milliseconds(cx: &mut Cx<'_>, value: Value, what: &str) -> Result<f64, Throw> {
    let ms = match value {
        Value::Number(seconds) => seconds * 1000.0,
        Value::String(text) => {
            let text = cx.heap.rust_text(text);
            match parse(&text) {
                Some(ms) => ms,
                None => {
                    return Err(Throw::type_error(format!(
                        "{what} is \"{text}\", which is no duration: write seconds as a number, or \
                         \"250ms\", \"90s\", \"15m\", \"24h\", \"7d\", \"1h30m\"."
                    )));
                }
            }
        }
        other => {
            let given = cx.describe(other);
            return Err(Throw::type_error(format!(
                "{what} is {given}, which is no duration: write seconds as a number, or \"15m\"."
            )));
        }
    };
    if !(0.0..=MOST_MS).contains(&ms) {
        return Err(Throw::range_error(format!(
            "{what} must be between zero and a hundred years."
        )));
    }
    Ok(ms)
}

/// The milliseconds of numbers with units, one after the other: `"250ms"`, `"1h30m"`. The checker
/// reads literals with it.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "ms" => 1.0,
                "s" => 1_000.0,
                "m" => 60_000.0,
                "h" => 3_600_000.0,
                "d" => 86_400_000.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(parse("250ms"), Some(250.0));
        assert_eq!(parse("1h30m"), Some(5_400_000.0));
        assert_eq!(parse("1.5s"), Some(1500.0));
        assert_eq!(parse("7d"), Some(604_800_000.0));
        for wrong in ["", "5", "5 s", "s", "1w", "-1s", "1.2.3s", "1hh"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
