//! `Date`, in UTC: what depends on a time zone or a locale is not here, and so refused by name.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::coerce::Hint;
use crate::value::date::{self, Fields};
use crate::value::inherited::Kind;
use crate::value::{Body, Value};
use crate::vm::cx::{Call, Cx};
use crate::vm::words::works_on;

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Date", 7, without_new),
    plain("new Date", 7, new_date),
    plain("Date.UTC", 7, utc),
    plain("Date.now", 0, now),
    plain("Date.parse", 1, parse),
    plain("Date.prototype.getTime", 0, get_time),
    plain("Date.prototype.valueOf", 0, get_time),
    plain("Date.prototype.getUTCFullYear", 0, |cx, call| {
        get(cx, call, |fields| fields.year)
    }),
    plain("Date.prototype.getUTCMonth", 0, |cx, call| {
        get(cx, call, |fields| fields.month)
    }),
    plain("Date.prototype.getUTCDate", 0, |cx, call| {
        get(cx, call, |fields| fields.day)
    }),
    plain("Date.prototype.getUTCHours", 0, |cx, call| {
        get(cx, call, |fields| fields.hour)
    }),
    plain("Date.prototype.getUTCMinutes", 0, |cx, call| {
        get(cx, call, |fields| fields.minute)
    }),
    plain("Date.prototype.getUTCSeconds", 0, |cx, call| {
        get(cx, call, |fields| fields.second)
    }),
    plain("Date.prototype.getUTCMilliseconds", 0, |cx, call| {
        get(cx, call, |fields| fields.millisecond)
    }),
    plain("Date.prototype.getUTCDay", 0, get_day),
    plain("Date.prototype.setTime", 1, set_time),
    plain("Date.prototype.setUTCFullYear", 3, |cx, call| {
        set(cx, call, 0, 3)
    }),
    plain("Date.prototype.setUTCMonth", 2, |cx, call| {
        set(cx, call, 1, 2)
    }),
    plain("Date.prototype.setUTCDate", 1, |cx, call| {
        set(cx, call, 2, 1)
    }),
    plain("Date.prototype.setUTCHours", 4, |cx, call| {
        set(cx, call, 3, 4)
    }),
    plain("Date.prototype.setUTCMinutes", 3, |cx, call| {
        set(cx, call, 4, 3)
    }),
    plain("Date.prototype.setUTCSeconds", 2, |cx, call| {
        set(cx, call, 5, 2)
    }),
    plain("Date.prototype.setUTCMilliseconds", 1, |cx, call| {
        set(cx, call, 6, 1)
    }),
    plain("Date.prototype.getTimezoneOffset", 0, get_timezone_offset),
    plain("Date.prototype.toUTCString", 0, to_utc_string),
    plain("Date.prototype.toISOString", 0, to_iso_string),
    plain("Date.prototype.toJSON", 1, to_json),
    plain("Date.prototype.toString", 0, to_string),
];

fn without_new(cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    let now = cx.host.now_ms();
    cx.heap.str(&date::to_string(date::clip(now)))
}

/// `new Date()`, `new Date(ms)`, `new Date("2024-01-31")`, `new Date(date)`
fn new_date(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let ms = match call.count {
        0 => cx.host.now_ms(),
        1 => match cx.arg(call, 0) {
            Value::Object(at) if matches!(cx.heap.body(at), Body::Date(_)) => {
                time_of(cx, Value::Object(at))?
            }
            other => match cx.heap.to_primitive(other, Hint::Default)? {
                Value::String(text) => read(&cx.heap.rust_text(text))?,
                primitive => cx.heap.to_number(primitive)?,
            },
        },
        _ => {
            return Err(Throw::type_error(
                "new Date(year, month, …) means local time, which Flow does not have: use new Date(Date.UTC(year, month, …)).",
            ));
        }
    };
    Ok(Value::Object(cx.heap.alloc(Body::Date(date::clip(ms)))))
}

/// A text as a time value: NaN for what is no date.
fn read(text: &str) -> Result<f64, Throw> {
    match date::read(text) {
        date::Reading::Moment(ms) => Ok(ms),
        date::Reading::NoDay => Ok(f64::NAN),
        // With a zone it would be a date: then JavaScript takes it as local time.
        date::Reading::Foreign if date::parse(&format!("{text}Z")).is_some() => {
            Err(Throw::type_error(format!(
                "\"{text}\" means local time, which Flow does not have: add a zone, such as \"{text}Z\"."
            )))
        }
        date::Reading::Foreign => {
            let short: String = text.chars().take(40).collect();
            Err(Throw::type_error(format!(
                "Flow reads dates written as \"2024-01-31\" or \"2024-01-31T12:00:00Z\" alone, not \"{short}\"."
            )))
        }
    }
}

fn parse(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let value = cx.arg(call, 0);
    let text = cx.string(value)?;
    Ok(Value::Number(read(&cx.heap.rust_text(text))?))
}

fn now(cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    Ok(Value::Number(cx.host.now_ms()))
}

/// `Date.UTC(year, month?, day?, hours?, minutes?, seconds?, milliseconds?)`
fn utc(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let mut parts = [f64::NAN, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    for (at, part) in parts.iter_mut().enumerate().take(call.count as usize) {
        let value = cx.arg(call, at);
        *part = cx.heap.to_number(value)?;
    }
    if (0.0..100.0).contains(&parts[0].trunc()) {
        parts[0] = parts[0].trunc() + 1900.0;
    }
    Ok(Value::Number(date::clip(date::make(from_parts(parts)))))
}

fn from_parts([year, month, day, hour, minute, second, millisecond]: [f64; 7]) -> Fields {
    Fields {
        year,
        month,
        day,
        hour,
        minute,
        second,
        millisecond,
    }
}

/// The time value of a receiver.
fn time_of(cx: &Cx<'_>, value: Value) -> Result<f64, Throw> {
    match value {
        Value::Object(at) => match cx.heap.body(at) {
            Body::Date(ms) => Ok(*ms),
            _ => Err(Throw::type_error("this is not a Date object.")),
        },
        _ => Err(Throw::type_error("this is not a Date object.")),
    }
}

/// The time value of what a method was called on that V8 tells by its name.
fn time_of_this(cx: &mut Cx<'_>, call: Call) -> Result<f64, Throw> {
    time_of(cx, call.this).map_err(|_| cx.incompatible(call))
}

fn get_time(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    Ok(Value::Number(time_of(cx, call.this)?))
}

fn get(cx: &mut Cx<'_>, call: Call, part: fn(Fields) -> f64) -> Result<Value, Throw> {
    let ms = time_of(cx, call.this)?;
    Ok(Value::Number(if ms.is_nan() {
        ms
    } else {
        part(date::fields(ms))
    }))
}

fn get_day(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let ms = time_of(cx, call.this)?;
    Ok(Value::Number(if ms.is_nan() {
        ms
    } else {
        date::weekday(ms)
    }))
}

fn set_time(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    time_of_this(cx, call)?;
    let value = cx.arg(call, 0);
    let ms = date::clip(cx.heap.to_number(value)?);
    Ok(store(cx, call, ms))
}

/// Sets up to `count` fields, beginning with number `first` (year, month, … millisecond).
fn set(cx: &mut Cx<'_>, call: Call, first: usize, count: usize) -> Result<Value, Throw> {
    let ms = time_of_this(cx, call)?;
    // The year of an invalid date can be set: the rest is then that of 1970.
    let fields = date::fields(if ms.is_nan() && first == 0 { 0.0 } else { ms });
    let Fields {
        year,
        month,
        day,
        hour,
        minute,
        second,
        millisecond,
    } = fields;
    let mut parts = [year, month, day, hour, minute, second, millisecond];
    parts[first] = f64::NAN;
    for at in 0..count.min(call.count as usize) {
        let value = cx.arg(call, at);
        parts[first + at] = cx.heap.to_number(value)?;
    }
    let made = if ms.is_nan() && first > 0 {
        f64::NAN
    } else {
        date::clip(date::make(from_parts(parts)))
    };
    Ok(store(cx, call, made))
}

fn store(cx: &mut Cx<'_>, call: Call, ms: f64) -> Value {
    if let Value::Object(at) = call.this
        && let Body::Date(time) = cx.heap.body_mut(at)
    {
        *time = ms;
    }
    Value::Number(ms)
}

fn to_iso_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match date::to_iso(time_of_this(cx, call)?) {
        Some(text) => cx.heap.str(&text),
        None => Err(Throw::range_error("Invalid time value")),
    }
}

fn to_json(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match cx.kind(call.this) {
        Some(Kind::Date) => {}
        None => {
            return Err(Throw::type_error(
                "Cannot convert undefined or null to object",
            ));
        }
        // JavaScript's asks for a `toISOString`.
        Some(_) => return Err(works_on("toJSON", "dates")),
    }
    match date::to_iso(time_of(cx, call.this)?) {
        Some(text) => cx.heap.str(&text),
        None => Ok(Value::Null),
    }
}

fn to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = date::to_string(time_of_this(cx, call)?);
    cx.heap.str(&text)
}

/// `date.getTimezoneOffset()` → `0`: all times are in UTC.
fn get_timezone_offset(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let ms = time_of(cx, call.this)?;
    Ok(Value::Number(if ms.is_nan() { ms } else { 0.0 }))
}

/// `new Date(0).toUTCString()` → `"Thu, 01 Jan 1970 00:00:00 GMT"`
fn to_utc_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = date::to_utc_string(time_of_this(cx, call)?);
    cx.heap.str(&text)
}
