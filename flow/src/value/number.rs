//! Numbers as JavaScript prints and reads them.

/// `String(number)`
#[must_use]
pub fn format(number: f64) -> String {
    format!("{number}")
}

/// `Number(text)`: NaN for what is no number.
#[must_use]
pub fn parse(units: &[u16]) -> f64 {
    String::from_utf16_lossy(units).trim().parse().unwrap_or(f64::NAN)
}
