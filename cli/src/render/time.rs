//! Points in time and durations, as short as they can be read.

use std::time::{Duration, SystemTime};

use rhythm_client::time::Utc;

/// A duration with the unit that fits: `12 ms`, `3.2 s`, `4 m 05 s`, `2 h 10 m`, `3 d 4 h`.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{}.{} s", seconds, millis % 1000 / 100),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// The same of so many seconds.
pub(crate) fn span(seconds: Option<f64>) -> Option<String> {
    let span = Duration::try_from_secs_f64(seconds?).ok()?;
    Some(duration(span))
}

/// From `start` to `end`; nothing when clocks disagree.
pub(crate) fn between(start: SystemTime, end: SystemTime) -> String {
    duration(end.duration_since(start).unwrap_or_default())
}

/// `2026-11-24 03:53:12.123`, in UTC, which the heading says once.
pub(crate) fn timestamp(at: SystemTime) -> String {
    let utc = Utc::from(at);
    format!(
        "{:04}-{:02}-{:02} {}",
        utc.year,
        utc.month,
        utc.day,
        clock(at)
    )
}

/// The time of day in UTC: `03:53:12.123`.
pub(crate) fn clock(at: SystemTime) -> String {
    let Utc {
        second_of_day: second,
        micros,
        ..
    } = Utc::from(at);
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        second / 3600,
        second / 60 % 60,
        second % 60,
        micros / 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_in_utc_with_milliseconds() {
        let at = std::time::UNIX_EPOCH + Duration::from_millis(1_795_492_392_045);
        assert_eq!(timestamp(at), "2026-11-24 03:53:12.045");
        assert_eq!(clock(at), "03:53:12.045");
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        let shown: Vec<_> = [7, 999, 1000, 59_949, 65_000, 3_725_000, 90_000_000]
            .map(|millis| duration(Duration::from_millis(millis)))
            .into();
        assert_eq!(
            shown,
            [
                "7 ms", "999 ms", "1.0 s", "59.9 s", "1 m 05 s", "1 h 02 m", "1 d 1 h"
            ]
        );
    }
}
