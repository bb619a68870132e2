//! Cron: the times that an expression means on the clock of a time zone.
//!
//! The crate `croner` reads expressions and walks calendars; the zones are the server's own, so that a schedule and
//! `at time zone` can never disagree, and new rules come with the server's. It knows nothing of schedules.
//!
//! When clocks change, the rules are those of Vixie's cron. An expression that names its hours and minutes is *fixed*: a
//! time that is skipped comes when the gap is over, a time that is repeated comes once, the first time. One with a `*` in
//! its hour or minute is an *interval*: what is skipped never was, what is repeated comes each time.

use std::cmp::Ordering;
use std::ffi::CString;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday};
use pgrx::pg_sys;

/// How far ahead to look: the 29th of February may be a Monday 40 years from now, but what does not come in a hundred
/// years never does.
const HORIZON_IN_YEARS: i32 = 100;

/// The longest expression that anybody wrote by hand is far below.
const LONGEST: usize = 255;

const DAY: i64 = 86_400;

/// What is wrong with what a user wrote.
pub(crate) enum Wrong {
    /// The expression, and how.
    Expression(String),
    /// There is no such time zone.
    Zone,
}

/// Times in seconds since 1970 that come after `after`, in order: `count`, or fewer if there are no more.
pub(crate) fn times(
    expression: &str,
    zone: &str,
    after: i64,
    count: usize,
) -> Result<Vec<i64>, Wrong> {
    let zone = Zone::find(zone).ok_or(Wrong::Zone)?;
    let cron = parse(expression)?;
    let is_fixed = is_fixed(expression);
    let mut found = Vec::new();
    let mut last = after;
    while found.len() < count {
        let next = if is_fixed {
            next_fixed(&cron, zone, last)
        } else {
            next_match(&cron, Moment::new(last, Clock::Zone(zone)))
                .map(|found| found.map(|moment| moment.at))
        };
        match next.map_err(|error| Wrong::Expression(error.to_string()))? {
            Some(at) => {
                found.push(at);
                last = at;
            }
            None => break,
        }
    }
    Ok(found)
}

fn parse(expression: &str) -> Result<Cron, Wrong> {
    if expression.len() > LONGEST {
        return Err(Wrong::Expression(format!(
            "it has {} bytes, and {LONGEST} are the most",
            expression.len()
        )));
    }
    // What is foreign to every field is refused here, so that the parser need not be trusted with it.
    if let Some(odd) = expression
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || " \t*/,-?#+@".contains(*c)))
    {
        return Err(Wrong::Expression(format!("it has a {odd:?} in it")));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Optional)
        .build();
    parser
        .parse(expression)
        .map_err(|error| Wrong::Expression(error.to_string()))
}

/// Whether the expression names its hours and minutes.
fn is_fixed(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
    let clock = match fields.as_slice() {
        [nickname] => return !nickname.eq_ignore_ascii_case("@hourly"),
        [minute, hour, _, _, _] => [minute, hour],
        [_, minute, hour, ..] => [minute, hour],
        _ => return true,
    };
    !clock.iter().any(|field| field.contains(['*', '?']))
}

/// The next time of a fixed expression. The search goes over the face of the clock, where no time is skipped or repeated;
/// what it finds is then looked up in the zone.
fn next_fixed(cron: &Cron, zone: Zone, after: i64) -> Result<Option<i64>, CronError> {
    let mut face = after + zone.offset(after).ok_or(CronError::InvalidTime)?;
    loop {
        let Some(found) = next_match(cron, Moment::new(face, Clock::Face))? else {
            return Ok(None);
        };
        face = found.at;
        let at = match zone.resolve(face).ok_or(CronError::InvalidTime)? {
            Resolution::Single(at) | Resolution::Ambiguous(at, _) => at,
            Resolution::Gap => zone.end_of_gap(face).ok_or(CronError::InvalidTime)?,
        };
        // In the second pass of a repeated hour, what the face shows has been.
        if at > after {
            return Ok(Some(at));
        }
    }
}

fn next_match(cron: &Cron, from: Moment) -> Result<Option<Moment>, CronError> {
    match cron.find_next_occurrence(&from, false) {
        Ok(found) => Ok(Some(found)),
        // Beyond the horizon, or beyond what the calendar can say.
        Err(
            CronError::TimeSearchLimitExceeded | CronError::InvalidDate | CronError::InvalidTime,
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A time zone of the server, which keeps it for the life of the process.
#[derive(Clone, Copy)]
struct Zone(*const pg_sys::pg_tz);

impl Zone {
    fn find(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: a C string. The answer is null, or lives in a table that the server never empties.
        let zone = unsafe { pg_sys::pg_tzset(name.as_ptr()) };
        (!zone.is_null()).then_some(Self(zone))
    }

    /// By how much its clock is ahead of UTC at a moment.
    fn offset(self, at: i64) -> Option<i64> {
        // SAFETY: the zone lives; the answer is a static of the server, or null when the year is too large, and is read
        // at once.
        unsafe { pg_sys::pg_localtime(&raw const at, self.0).as_ref() }.map(|tm| tm.tm_gmtoff)
    }

    /// The moments at which its clock shows a time, given in seconds as if the clock were UTC's.
    ///
    /// No zone changes its clock twice within two days; so the offset is one of the two that hold a day before and after.
    fn resolve(self, face: i64) -> Option<Resolution<i64>> {
        let (before, after) = (self.offset(face - DAY)?, self.offset(face + DAY)?);
        let shows = |offset: i64| Some(self.offset(face - offset)? == offset);
        let (old, new) = (shows(before)?, shows(after)?);
        Some(match (old, new) {
            (true, true) if before != after => {
                let (a, b) = (face - before, face - after);
                Resolution::Ambiguous(a.min(b), a.max(b))
            }
            (true, _) => Resolution::Single(face - before),
            (_, true) => Resolution::Single(face - after),
            _ => Resolution::Gap,
        })
    }

    /// The moment at which a clock that skips a time goes on: the first with the offset of the day after.
    fn end_of_gap(self, face: i64) -> Option<i64> {
        let new = self.offset(face + DAY)?;
        let (mut old_side, mut new_side) = (face - 2 * DAY, face + 2 * DAY);
        while new_side - old_side > 1 {
            let middle = old_side + (new_side - old_side) / 2;
            if self.offset(middle)? == new {
                new_side = middle;
            } else {
                old_side = middle;
            }
        }
        Some(new_side)
    }
}

/// What a search goes over.
#[derive(Clone, Copy)]
enum Clock {
    /// The face of a clock that no rule ever changes: UTC's, read as that of any zone.
    Face,
    /// The clock of a zone.
    Zone(Zone),
}

/// A moment on a clock, as croner searches over it.
#[derive(Clone, Copy)]
struct Moment {
    at: i64,
    clock: Clock,
    /// The last year in which to search.
    horizon: i32,
}

impl Moment {
    fn new(at: i64, clock: Clock) -> Self {
        let mut moment = Self {
            at,
            clock,
            horizon: 0,
        };
        moment.horizon = moment.to_civil().year().saturating_add(HORIZON_IN_YEARS);
        moment
    }

    /// What the clock shows, in seconds as if it were UTC's.
    fn face(self) -> i64 {
        match self.clock {
            Clock::Face => self.at,
            Clock::Zone(zone) => self.at + zone.offset(self.at).unwrap_or(0),
        }
    }
}

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        let face = self.face();
        let (year, month, day) = date_of(face.div_euclid(DAY));
        let second = u32::try_from(face.rem_euclid(DAY)).unwrap_or(0);
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(year, month, day),
            CivilTime::from_parts_unchecked(second / 3600, second / 60 % 60, second % 60),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        // The first of January 1970 was a Thursday.
        let days = (self.face().div_euclid(DAY) + 4).rem_euclid(7);
        Weekday::from_days_from_sunday(u32::try_from(days).unwrap_or(0))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        if civil.year() > self.horizon {
            return Err(CronError::TimeSearchLimitExceeded);
        }
        let clock = i64::from(civil.hour() * 3600 + civil.minute() * 60 + civil.second());
        let face = days_until(civil.year(), civil.month(), civil.day()) * DAY + clock;
        let moment = |at| Self { at, ..*self };
        let Clock::Zone(zone) = self.clock else {
            return Ok(Resolution::Single(moment(face)));
        };
        Ok(match zone.resolve(face).ok_or(CronError::InvalidDate)? {
            Resolution::Single(at) => Resolution::Single(moment(at)),
            Resolution::Ambiguous(a, b) => Resolution::Ambiguous(moment(a), moment(b)),
            Resolution::Gap => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        let at = self.at.checked_add(seconds)?;
        Some(Self { at, ..*self })
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

/// The days from the first of January 1970 to a date of the Gregorian calendar. Years are counted from March, so that the
/// leap day is the last.
fn days_until(year: i32, month: u32, day: u32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let month = i64::from((month + 9) % 12);
    let of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

/// The date that many days after the first of January 1970.
fn date_of(days: i64) -> (i32, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (
        i32::try_from(year).unwrap_or(i32::MAX),
        u32::try_from(month).unwrap_or(1),
        u32::try_from(day).unwrap_or(1),
    )
}
