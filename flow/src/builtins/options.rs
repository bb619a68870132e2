//! The options objects of host calls: known keys, values of the right form, as JSON for the host.

use super::duration;
use crate::error::Throw;
use crate::host::Kind;
use crate::value::object::Key;
use crate::value::{Body, Ref, Value, json};
use crate::vm::cx::Cx;

/// What an option holds.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Integer,
    Duration,
    Moment,
    Retry,
    PositiveInteger,
    Backoff,
    Fraction,
    Delays,
    Errors,
    Result,
    ParentClose,
    Concurrency,
}

/// As many entries a list of delays or of errors may have; the server's limit.
const MOST_ENTRIES: usize = 100;

/// The forms of growing that have names.
pub(crate) const BACKOFFS: &[&str] = &["exponential", "linear", "constant"];

/// What can become of a result.
pub(crate) const RESULTS: &[&str] = &["keep", "discard"];

/// How many of a fan-out run at once, unless it says it, and the most that it may ask for: the server counts them whenever one ends.
const CONCURRENCY: u32 = 10;
pub(crate) const MOST_AT_ONCE: u32 = crate::host::FAN_OUT;

/// What the end of a parent can do to a child workflow.
pub(crate) const PARENT_CLOSES: &[&str] = &["cancel", "abandon"];

const TASK: &[(&str, Form)] = &[
    ("queue", Form::Text),
    ("priority", Form::Integer),
    ("delay", Form::Duration),
    ("runAt", Form::Moment),
    ("taskId", Form::Text),
    ("retry", Form::Retry),
    ("timeout", Form::Duration),
    ("startTimeout", Form::Duration),
    ("attemptTimeout", Form::Duration),
    ("heartbeatTimeout", Form::Duration),
    ("result", Form::Result),
];

const WORKFLOW: &[(&str, Form)] = &[
    ("queue", Form::Text),
    ("priority", Form::Integer),
    ("delay", Form::Duration),
    ("runAt", Form::Moment),
    ("taskId", Form::Text),
    ("retry", Form::Retry),
    ("timeout", Form::Duration),
    ("result", Form::Result),
    ("onParentClose", Form::ParentClose),
];

/// Without what is about one of them alone, and about when they start.
const FAN_OUT: &[(&str, Form)] = &[
    ("concurrency", Form::Concurrency),
    ("queue", Form::Text),
    ("priority", Form::Integer),
    ("retry", Form::Retry),
    ("timeout", Form::Duration),
    ("startTimeout", Form::Duration),
    ("attemptTimeout", Form::Duration),
    ("heartbeatTimeout", Form::Duration),
    ("result", Form::Result),
];

const FAN_OUT_OF_WORKFLOWS: &[(&str, Form)] = &[
    ("concurrency", Form::Concurrency),
    ("queue", Form::Text),
    ("priority", Form::Integer),
    ("retry", Form::Retry),
    ("timeout", Form::Duration),
    ("result", Form::Result),
    ("onParentClose", Form::ParentClose),
];

const RETRY: &[(&str, Form)] = &[
    ("maxAttempts", Form::PositiveInteger),
    ("initial", Form::Duration),
    ("backoff", Form::Backoff),
    ("max", Form::Duration),
    ("delays", Form::Delays),
    ("jitter", Form::Fraction),
    ("nonRetryable", Form::Errors),
];

/// Checks the options of a task or workflow, and gives them as JSON text.
pub(super) fn start(cx: &mut Cx<'_>, kind: Kind, options: Value) -> Result<String, Throw> {
    if options.is_undefined() {
        return Ok("{}".to_owned());
    }
    match kind {
        Kind::Task => check(cx, options, TASK, "the options of a task")?,
        Kind::Workflow => check(cx, options, WORKFLOW, "the options of a workflow")?,
    }
    Ok(json::to_host(cx.heap, options)?.unwrap_or_else(|| "{}".to_owned()))
}

/// Checks the options of a fan-out: gives how many may run at once, and the options of each as JSON text.
pub(super) fn fan_out(cx: &mut Cx<'_>, kind: Kind, options: Value) -> Result<(u32, String), Throw> {
    if options.is_undefined() {
        return Ok((CONCURRENCY, "{}".to_owned()));
    }
    let known = match kind {
        Kind::Task => FAN_OUT,
        Kind::Workflow => FAN_OUT_OF_WORKFLOWS,
    };
    check(cx, options, known, "the options of a fan-out")?;
    let at = object(cx, options, "The options of a fan-out")?;
    let concurrency = match get(cx, at, "concurrency")? {
        Value::Number(number) => number as u32,
        _ => CONCURRENCY,
    };
    let each = cx.heap.object();
    for key in cx.keys(options) {
        cx.work(1)?;
        let name = cx.key_text(key);
        if name != "concurrency" {
            let value = cx.get_own(at, key)?.unwrap_or_default();
            cx.set_name(each, &name, value);
        }
    }
    let each = json::to_host(cx.heap, Value::Object(each))?;
    Ok((concurrency, each.unwrap_or_else(|| "{}".to_owned())))
}

/// The plain object that options are.
pub(super) fn object(cx: &mut Cx<'_>, options: Value, what: &str) -> Result<Ref, Throw> {
    match options {
        Value::Object(at) if matches!(cx.heap.body(at), Body::Object(_)) => Ok(at),
        _ => {
            let given = cx.describe(options);
            Err(Throw::type_error(format!(
                "{what} must be an object, not {given}."
            )))
        }
    }
}

fn check(
    cx: &mut Cx<'_>,
    options: Value,
    known: &[(&'static str, Form)],
    what: &str,
) -> Result<(), Throw> {
    let at = object(cx, options, what)?;
    for key in cx.keys(options) {
        cx.work(1)?;
        let name = cx.key_text(key);
        let value = cx.get_own(at, key)?.unwrap_or_default();
        if value.is_undefined() {
            continue;
        }
        let Some((_, form)) = known.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            return Err(Throw::type_error(format!(
                "'{name}' is not among {what}: there are {names}."
            )));
        };
        check_one(cx, &name, value, *form)?;
    }
    Ok(())
}

fn check_one(cx: &mut Cx<'_>, name: &str, value: Value, form: Form) -> Result<(), Throw> {
    let number = if let Value::Number(number) = value {
        Some(number)
    } else {
        None
    };
    let whole = number.filter(|number| number.fract() == 0.0 && number.abs() <= 2_147_483_647.0);
    let expected = match form {
        Form::Text if matches!(value, Value::String(_)) => return Ok(()),
        Form::Text => "a string",
        Form::Integer if whole.is_some() => return Ok(()),
        Form::Integer => "a whole number",
        Form::PositiveInteger if whole.is_some_and(|number| number >= 1.0) => return Ok(()),
        Form::PositiveInteger => "a whole number of at least 1",
        Form::Concurrency
            if whole.is_some_and(|number| (1.0..=f64::from(MOST_AT_ONCE)).contains(&number)) =>
        {
            return Ok(());
        }
        Form::Concurrency => "a whole number from 1 to 1000",
        Form::Backoff if number.is_some_and(|number| (1.0..=1000.0).contains(&number)) => {
            return Ok(());
        }
        Form::Backoff if is_one_of(cx, value, BACKOFFS) => return Ok(()),
        Form::Backoff => "\"exponential\", \"linear\", \"constant\" or a number from 1 to 1000",
        Form::Result if is_one_of(cx, value, RESULTS) => return Ok(()),
        Form::Result => "\"keep\" or \"discard\"",
        Form::ParentClose if is_one_of(cx, value, PARENT_CLOSES) => return Ok(()),
        Form::ParentClose => "\"cancel\" or \"abandon\"",
        Form::Fraction if matches!(value, Value::Bool(_)) => return Ok(()),
        Form::Fraction if number.is_some_and(|number| (0.0..=1.0).contains(&number)) => {
            return Ok(());
        }
        Form::Fraction => "a number from 0 to 1, or true or false",
        Form::Duration => {
            return duration::milliseconds(cx, value, &format!("Option '{name}'")).map(|_| ());
        }
        Form::Moment => return moment(cx, value, &format!("Option '{name}'")).map(|_| ()),
        Form::Retry => return check(cx, value, RETRY, "the keys of 'retry'"),
        Form::Delays => {
            if let Some(delays) = list(cx, value)
                && !delays.is_empty()
            {
                for delay in delays {
                    cx.work(1)?;
                    duration::milliseconds(cx, delay, &format!("An entry of '{name}'"))?;
                }
                return Ok(());
            }
            "a list of 1 to 100 durations"
        }
        Form::Errors => {
            if list(cx, value)
                .is_some_and(|names| names.iter().all(|name| matches!(name, Value::String(_))))
            {
                return Ok(());
            }
            "a list of at most 100 names or codes of errors"
        }
    };
    let given = cx.describe(value);
    Err(Throw::type_error(format!(
        "Option '{name}' must be {expected}, not {given}."
    )))
}

/// The entries of an array that is not too long; nothing: it is none.
fn list(cx: &Cx<'_>, value: Value) -> Option<Vec<Value>> {
    let Value::Object(at) = value else {
        return None;
    };
    match cx.heap.body(at) {
        Body::Array(array) if array.items.len() <= MOST_ENTRIES => Some(array.items.to_vec()),
        _ => None,
    }
}

fn is_one_of(cx: &mut Cx<'_>, value: Value, words: &[&str]) -> bool {
    match value {
        Value::String(text) => words.contains(&&*cx.heap.rust_text(text)),
        _ => false,
    }
}

/// A point in time in milliseconds since 1970: a date, its number, or its ISO text.
pub(super) fn moment(cx: &mut Cx<'_>, value: Value, what: &str) -> Result<f64, Throw> {
    let ms = match value {
        Value::Number(ms) => Some(ms),
        Value::Object(at) => match cx.heap.body(at) {
            Body::Date(ms) => Some(*ms),
            _ => None,
        },
        Value::String(text) => {
            let text = cx.heap.rust_text(text);
            crate::value::date::parse(&text)
        }
        _ => None,
    };
    match ms.filter(|ms| ms.abs() <= 8.64e15) {
        Some(ms) => Ok(ms),
        None => {
            let given = cx.describe(value);
            Err(Throw::type_error(format!(
                "{what} is {given}, which is no point in time: give a Date, milliseconds since 1970, \
                 or text such as \"2026-01-31T12:00:00Z\"."
            )))
        }
    }
}

/// The value of one option; `undefined` if it is not there.
pub(super) fn get(cx: &mut Cx<'_>, at: Ref, name: &str) -> Result<Value, Throw> {
    let key = Key::Name(cx.heap.intern_str(name));
    Ok(cx.get_own(at, key)?.unwrap_or_default())
}

/// Refuses keys that are not known.
pub(super) fn only(
    cx: &mut Cx<'_>,
    options: Value,
    known: &[&str],
    what: &str,
) -> Result<(), Throw> {
    for key in cx.keys(options) {
        let name = cx.key_text(key);
        if !known.contains(&&*name) {
            let names = known.join(", ");
            return Err(Throw::type_error(format!(
                "'{name}' is not among {what}: there is {names}."
            )));
        }
    }
    Ok(())
}
