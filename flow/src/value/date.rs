//! Dates, always in UTC.

/// The milliseconds since 1970 of a date's text; none if it is no date.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// `String(date)`
#[must_use]
pub fn to_string(ms: f64) -> String {
    format!("{ms}")
}
