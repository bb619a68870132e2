//! Dates: arithmetic on milliseconds since 1970, always in UTC, in the proleptic Gregorian calendar.
//!
//! Flow knows no time zone, so what depends on one is not here. The algorithm for civil dates is Howard Hinnant's
//! (`chrono-Compatible Low-Level Date Algorithms`), that for days is V8's.

/// A day in milliseconds.
pub const DAY: f64 = 86_400_000.0;
/// The largest time value, as ECMAScript says.
const LARGEST: f64 = 8.64e15;

/// A date taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fields {
    /// The year, also negative.
    pub year: f64,
    /// 0 for January.
    pub month: f64,
    /// From 1.
    pub day: f64,
    /// 0 to 23
    pub hour: f64,
    /// 0 to 59
    pub minute: f64,
    /// 0 to 59
    pub second: f64,
    /// 0 to 999
    pub millisecond: f64,
}

/// `TimeClip`: NaN for what is no time value.
#[must_use]
pub fn clip(ms: f64) -> f64 {
    if ms.is_finite() && ms.abs() <= LARGEST {
        ms.trunc() + 0.0
    } else {
        f64::NAN
    }
}

/// The day of the week, 0 for Sunday.
#[must_use]
pub fn weekday(ms: f64) -> f64 {
    // Adding 0 makes the 0 of a negative multiple positive.
    ((ms / DAY).floor() + 4.0).rem_euclid(7.0) + 0.0
}

/// Takes a valid time value apart.
#[must_use]
pub fn fields(ms: f64) -> Fields {
    let days = (ms / DAY).floor();
    let in_day = ms - days * DAY;
    let (year, month, day) = civil(days as i64);
    Fields {
        year: year as f64,
        month: f64::from(month - 1),
        day: f64::from(day),
        hour: (in_day / 3_600_000.0).floor(),
        minute: (in_day / 60_000.0).floor() % 60.0,
        second: (in_day / 1000.0).floor() % 60.0,
        millisecond: in_day % 1000.0,
    }
}

/// Puts fields together, which may be out of their ranges: `MakeDate`. NaN if one is not finite.
#[must_use]
pub fn make(fields: Fields) -> f64 {
    let Fields {
        year,
        month,
        day,
        hour,
        minute,
        second,
        millisecond,
    } = fields;
    if ![year, month, day, hour, minute, second, millisecond]
        .iter()
        .all(|part| part.is_finite())
    {
        return f64::NAN;
    }
    // As V8: these two have bounds of their own, whatever they come to together.
    if year.abs() > 1e6 || month.abs() > 1e7 {
        return f64::NAN;
    }
    let month = month.trunc();
    let year = year.trunc() + (month / 12.0).floor();
    let first = first_day(year as i64, month.rem_euclid(12.0) as usize);
    let time = hour.trunc() * 3_600_000.0
        + minute.trunc() * 60_000.0
        + second.trunc() * 1000.0
        + millisecond.trunc();
    (first as f64 + day.trunc() - 1.0) * DAY + time
}

/// The day on which a month begins, from 0 for January.
fn first_day(year: i64, month: usize) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    days_before(year) - days_before(1970) + BEFORE[month] + i64::from(leap && month > 1)
}

/// The days before a year, from some day on. Division rounds towards zero: so V8 is off by a day for years that no date
/// has, and what a program adds in days shows that.
fn days_before(year: i64) -> i64 {
    let year = year + 399_999;
    365 * year + year / 4 - year / 100 + year / 400
}

fn civil(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

/// `date.toISOString()`; none for an invalid date.
#[must_use]
pub fn to_iso(ms: f64) -> Option<String> {
    if ms.is_nan() {
        return None;
    }
    let Fields {
        year,
        month,
        day,
        hour,
        minute,
        second,
        millisecond,
    } = fields(ms);
    let year = match year as i64 {
        usual @ 0..=9999 => format!("{usual:04}"),
        negative @ ..0 => format!("-{:06}", -negative),
        far => format!("+{far:06}"),
    };
    Some(format!(
        "{year}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z",
        month + 1.0
    ))
}

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `date.toUTCString()`
#[must_use]
pub fn to_utc_string(ms: f64) -> String {
    let Some([weekday, month, day, year, time]) = words(ms) else {
        return "Invalid Date".to_owned();
    };
    format!("{weekday}, {day} {month} {year} {time} GMT")
}

/// `String(date)`: as in JavaScript where the zone is UTC.
#[must_use]
pub fn to_string(ms: f64) -> String {
    let Some([weekday, month, day, year, time]) = words(ms) else {
        return "Invalid Date".to_owned();
    };
    format!("{weekday} {month} {day} {year} {time} GMT+0000 (Coordinated Universal Time)")
}

/// Weekday, month, day, year and time as dates in English have them; none of an invalid date.
fn words(ms: f64) -> Option<[String; 5]> {
    if ms.is_nan() {
        return None;
    }
    let Fields {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = fields(ms);
    let sign = if year < 0.0 { "-" } else { "" };
    Some([
        DAYS[weekday(ms) as usize % 7].to_owned(),
        MONTHS[month as usize % 12].to_owned(),
        format!("{day:02}"),
        format!("{sign}{:04}", year.abs()),
        format!("{hour:02}:{minute:02}:{second:02}"),
    ])
}

/// The milliseconds since 1970 of a text in ISO 8601 as ECMAScript reads it; none for anything else.
///
/// A date without a time is in UTC, as in JavaScript. A time without a zone would be local time there, which Flow does
/// not have: it is refused. A day that its month lacks is one of the next month, as in V8.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    match read(text) {
        Reading::Moment(ms) => Some(ms),
        Reading::NoDay | Reading::Foreign => None,
    }
}

/// What a text means as a date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Milliseconds since 1970.
    Moment(f64),
    /// Written as a date, or without any digit, but no day and time that there is: `Invalid Date` in JavaScript.
    NoDay,
    /// Written in another form, which JavaScript's engines may read in ways of their own.
    Foreign,
}

/// Reads a text as `parse` does, and says what is wrong with it.
#[must_use]
pub fn read(text: &str) -> Reading {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Reading::NoDay;
    }
    match iso(text) {
        Some(ms) if ms.is_nan() => Reading::NoDay,
        Some(ms) => Reading::Moment(ms),
        None => Reading::Foreign,
    }
}

/// The time value of what is written in ISO 8601: NaN if there is no such day or time.
fn iso(text: &str) -> Option<f64> {
    let mut rest = Rest(text);
    let year = rest.year()?;
    let month = if rest.take('-') { rest.number(2)? } else { 1.0 };
    let day = if text.len() > 7 && rest.take('-') {
        rest.number(2)?
    } else {
        1.0
    };
    let mut fields = Fields {
        year,
        month: month - 1.0,
        day,
        hour: 0.0,
        minute: 0.0,
        second: 0.0,
        millisecond: 0.0,
    };
    let mut offset = 0.0;
    if rest.take('T') || rest.take('t') {
        fields.hour = rest.number(2)?;
        if !rest.take(':') {
            return None;
        }
        fields.minute = rest.number(2)?;
        if rest.take(':') {
            fields.second = rest.number(2)?;
            if rest.take('.') {
                fields.millisecond = rest.fraction()?;
            }
        }
        offset = rest.zone()?;
    } else if year.is_nan() && text.len() > 7 {
        // A day of the year -0 alone is one of 2001 to V8.
        return None;
    }
    let midnight = fields.hour == 24.0 && fields.minute + fields.second + fields.millisecond == 0.0;
    let fits = (1.0..=12.0).contains(&month)
        && (1.0..=31.0).contains(&day)
        && (fields.hour < 24.0 || midnight)
        && fields.minute < 60.0
        && fields.second < 60.0
        && offset.is_finite();
    let ms = if fits {
        clip(make(fields) - offset)
    } else {
        f64::NAN
    };
    rest.0.is_empty().then_some(ms)
}

/// What is left of a text that is being read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, letter: char) -> bool {
        match self.0.strip_prefix(letter) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn number(&mut self, digits: usize) -> Option<f64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        number.parse().ok()
    }

    fn year(&mut self) -> Option<f64> {
        if self.take('+') {
            return self.number(6);
        }
        if self.take('-') {
            let year = self.number(6)?;
            // The year -0 is not one.
            return Some(if year == 0.0 { f64::NAN } else { -year });
        }
        self.number(4)
    }

    /// Digits of a second, of which the first three count.
    fn fraction(&mut self) -> Option<f64> {
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.0.get(..length).filter(|digits| !digits.is_empty())?;
        let millis: String = digits.chars().chain("00".chars()).take(3).collect();
        self.0 = &self.0[length..];
        millis.parse().ok()
    }

    /// The offset from UTC in milliseconds.
    fn zone(&mut self) -> Option<f64> {
        if self.take('Z') || self.take('z') {
            return Some(0.0);
        }
        let sign = if self.take('+') {
            1.0
        } else if self.take('-') {
            -1.0
        } else {
            return None;
        };
        let hours = self.number(2)?;
        if !self.take(':') {
            return None;
        }
        let minutes = self.number(2)?;
        Some(if hours < 24.0 && minutes < 60.0 {
            sign * (hours * 3_600_000.0 + minutes * 60_000.0)
        } else {
            f64::NAN
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_many_centuries_survives_taking_apart_and_putting_together() {
        for day in -1_000_000..1_000_000 {
            let ms = f64::from(day) * DAY + 12_345_678.0;
            assert_eq!(make(fields(ms)), ms);
        }
    }

    #[test]
    fn text_and_number_agree() {
        for ms in [
            0.0,
            -1.0,
            951_782_400_000.0,
            LARGEST,
            -LARGEST,
            1_700_000_000_123.0,
        ] {
            assert_eq!(to_iso(ms).and_then(|text| parse(&text)), Some(ms));
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "x",
            "2024-13-01",
            "2024-02-32",
            "2024-01-01T25:00Z",
            "2024-01-01T10:00",
            "-000000-01-01",
            "2024-1-1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
