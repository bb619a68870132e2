//! Points in time and durations, as short as they can be read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// From `start` to `end`; nothing when clocks disagree.
pub(crate) fn between(start: SystemTime, end: SystemTime) -> String {
    duration(end.duration_since(start).unwrap_or_default())
}

/// `2026-11-24 03:53:12.123`, in UTC, which the heading says once.
pub(crate) fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = civil(since.as_secs() / 86400);
    format!("{year:04}-{month:02}-{day:02} {}", clock(at))
}

/// The time of day in UTC: `03:53:12.123`.
pub(crate) fn clock(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs() % 86400;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}

/// Year, month and day of a number of days since 1970. Years begin in March here, so that the
/// leap day is the last of its year; 400 years have 146097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn timestamps_know_leap_years() {
        assert_eq!(timestamp(at(0)), "1970-01-01 00:00:00.000");
        assert_eq!(timestamp(at(951_782_400)), "2000-02-29 00:00:00.000");
        assert_eq!(timestamp(at(951_868_800)), "2000-03-01 00:00:00.000");
        assert_eq!(timestamp(at(1_795_492_392)), "2026-11-24 03:53:12.000");
        assert_eq!(timestamp(at(4_107_542_399)), "2100-02-28 23:59:59.000");
        assert_eq!(timestamp(at(4_107_542_400)), "2100-03-01 00:00:00.000");
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        let shown: Vec<_> = [7, 999, 1000, 59_949, 65_000, 3_725_000, 90_000_000]
            .map(|millis| duration(Duration::from_millis(millis)))
            .into();
        assert_eq!(
            shown,
            ["7 ms", "999 ms", "1.0 s", "59.9 s", "1 m 05 s", "1 h 02 m", "1 d 1 h"]
        );
    }
}
