//! The formats of texts that are checked; any other `format` is for people alone.
//!
//! A date-time may lack its zone and have a blank for the `T`: callers write times as their language and their database
//! do, and handlers read these.

/// No text of these formats is longer, so that nobody reads more of one.
const MAX_LENGTH: usize = 100;

/// A known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Date,
    Time,
    Uuid,
    Ipv4,
    Ipv6,
}

impl Format {
    pub(super) fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "date-time" => Self::DateTime,
            "date" => Self::Date,
            "time" => Self::Time,
            "uuid" => Self::Uuid,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            _ => return None,
        })
    }

    /// What is expected, with an example.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::DateTime => "a date and time such as 2026-01-31T12:30:00Z",
            Self::Date => "a date such as 2026-01-31",
            Self::Time => "a time such as 12:30:00",
            Self::Uuid => "a UUID",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
        }
    }

    pub(super) fn fits(self, text: &str) -> bool {
        if text.len() > MAX_LENGTH {
            return false;
        }
        match self {
            Self::DateTime => match text.get(..10).zip(text.get(11..)) {
                Some((day, rest)) => {
                    matches!(text.as_bytes()[10], b'T' | b't' | b' ') && date(day) && time(rest)
                }
                None => false,
            },
            Self::Date => date(text),
            Self::Time => time(text),
            Self::Uuid => uuid(text),
            Self::Ipv4 => text.parse::<std::net::Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<std::net::Ipv6Addr>().is_ok(),
        }
    }
}

/// The number of a text of so many digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn time(text: &str) -> bool {
    let clock = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => {
            let zone = &text[at..];
            if !zone.eq_ignore_ascii_case("z") && !offset(&zone[1..]) {
                return false;
            }
            &text[..at]
        }
        None => text,
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return false;
    };
    // A leap second is the 61st.
    digits(hour, 2).is_some_and(|hour| hour < 24)
        && digits(minute, 2).is_some_and(|minute| minute < 60)
        && digits(second, 2).is_some_and(|second| second < 61)
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// `02:00`, and as PostgreSQL prints it, `02`.
fn offset(text: &str) -> bool {
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "00"));
    digits(hours, 2).is_some_and(|hours| hours < 24)
        && digits(minutes, 2).is_some_and(|minutes| minutes < 60)
}

fn uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
