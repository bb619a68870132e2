//! Dates, always in UTC.

/// `String(date)`
#[must_use]
pub fn to_string(ms: f64) -> String {
    format!("{ms}")
}
