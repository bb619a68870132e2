//! Points in time as text: ISO 8601 in UTC, as JSON wants them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serializer;

/// A point in time in UTC, taken apart for showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// The year.
    pub year: u64,
    /// The month, from 1.
    pub month: u64,
    /// The day of the month, from 1.
    pub day: u64,
    /// Seconds since midnight.
    pub second_of_day: u64,
    /// Microseconds within the second.
    pub micros: u32,
}

impl From<SystemTime> for Utc {
    /// What is before 1970 is shown as the beginning of 1970.
    fn from(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Years begin in March here, so that the leap day is the last of its year; 400 years have
        // 146097 days.
        let days = since.as_secs() / 86400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            second_of_day: since.as_secs() % 86400,
            micros: since.subsec_micros(),
        }
    }
}

/// Reads `2026-11-24`, `2026-11-24T03:53Z`, `2026-11-24T03:53:12Z`, in UTC; nothing else.
#[must_use]
pub fn parse(text: &str) -> Option<SystemTime> {
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (date, clock.strip_suffix('Z')?),
        None => (text, "00:00"),
    };
    let numbers = |text: &str, between: char| -> Option<Vec<u64>> {
        let parts = text.split(between);
        parts
            .map(|part| {
                let digits = part.bytes().all(|b| b.is_ascii_digit());
                digits.then(|| part.parse().ok()).flatten()
            })
            .collect()
    };
    let &[year, month, day] = numbers(date, '-')?.as_slice() else {
        return None;
    };
    let (hour, minute, second) = match *numbers(clock, ':')?.as_slice() {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let since_march = year - u64::from(month <= 2);
    let days = since_march * 365 + since_march / 4 - since_march / 100
        + since_march / 400
        + (153 * ((month + 9) % 12) + 2) / 5
        + day
        - 1
        - 719_468;
    let seconds = days * 86400 + hour * 3600 + minute * 60 + second;
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    // The 31st of June is the 1st of July.
    (Utc::from(at).day == day).then_some(at)
}

/// `2026-11-24T03:53:12.123456Z`.
#[must_use]
pub fn iso(at: SystemTime) -> String {
    let utc = Utc::from(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        utc.year,
        utc.month,
        utc.day,
        utc.second_of_day / 3600,
        utc.second_of_day / 60 % 60,
        utc.second_of_day % 60,
        utc.micros
    )
}

/// For serde: as `iso`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso(*at))
}

/// The same for a time that may be missing.
pub(crate) mod option {
    use std::time::SystemTime;

    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(
        at: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.serialize_str(&super::iso(*at)),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_and_nothing_else() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-24T03:53:12Z",
            "2028-02-29T23:59:59Z",
        ] {
            let at = parse(text).expect("it is a time");
            assert_eq!(iso(at), text.replace('Z', ".000000Z"));
        }
        assert_eq!(parse("2026-11-24"), parse("2026-11-24 00:00Z"));
        for wrong in [
            "",
            "soon",
            "2026-02-29",
            "2026-13-01",
            "2026-11-24T03:53",
            "2026-11-24T24:00Z",
            "-1-1-1",
            "2026-11-24T03:53:12+01:00",
            "99999999999999999999-01-01",
            "2026-11-24T+3:53Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn leap_years_are_known() {
        let shown = |seconds| iso(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(shown(951_868_800), "2000-03-01T00:00:00.000000Z");
        assert_eq!(shown(1_795_492_392), "2026-11-24T03:53:12.000000Z");
        assert_eq!(shown(4_107_542_399), "2100-02-28T23:59:59.000000Z");
        assert_eq!(shown(4_107_542_400), "2100-03-01T00:00:00.000000Z");
    }
}
