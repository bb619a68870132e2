//! The error that a run ends with, as others see it.

use super::cx::Cx;
use crate::error::Fault;
use crate::value::object::Key;
use crate::value::{Body, Ref, Value, json};

/// How many causes are shown.
const MOST_CAUSES: usize = 10;

/// Why a run failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecutionError {
    /// The class.
    pub name: String,
    /// The words.
    pub message: String,
    /// A stable code: the setting of a limit, a SQLSTATE.
    pub code: Option<String>,
    /// The frames with file, line and column.
    pub stack: Option<String>,
    /// The cause, as the JSON text of such an error or of any value.
    pub cause: Option<String>,
    /// More facts as JSON text.
    pub data: Option<String>,
    /// No other attempt would mend it: `error.retryable` is `false`.
    pub is_final: bool,
}

impl ExecutionError {
    /// A limit that was reached.
    pub(super) fn limit(setting: &str, message: String) -> Self {
        let (name, code) = ("LimitError".to_owned(), Some(setting.to_owned()));
        Self {
            name,
            message,
            code,
            ..Self::default()
        }
    }

    /// Something that should not be.
    pub(super) fn fault(fault: &Fault) -> Self {
        let (name, message) = ("InternalError".to_owned(), fault.to_string());
        Self {
            name,
            message,
            ..Self::default()
        }
    }

    /// The run waits for a promise that nobody can settle.
    pub(super) fn never_settles() -> Self {
        Self {
            name: "Error".into(),
            message: "The workflow waits for a promise that nothing can settle any more.".into(),
            code: Some("never_settles".into()),
            ..Self::default()
        }
    }

    /// The error that a thrown value means.
    pub(super) fn of(cx: &mut Cx<'_>, value: Value) -> Self {
        // From the outside in; put together from the inside out, so that nothing recurses.
        let mut chain = vec![Self::one(cx, value)];
        let mut seen = value;
        while chain.len() < MOST_CAUSES {
            let Some(cause) = own(cx, seen, "cause") else {
                break;
            };
            if matches!(cause, Value::Object(at) if matches!(cx.heap.body(at), Body::Error(_))) {
                chain.push(Self::one(cx, cause));
                seen = cause;
                continue;
            }
            if let Some(last) = chain.last_mut() {
                last.cause = json::to_host(cx.heap, cause).ok().flatten();
            }
            break;
        }
        let mut outer = chain.pop().unwrap_or_default();
        while let Some(mut above) = chain.pop() {
            above.cause = Some(outer.to_json());
            outer = above;
        }
        outer
    }

    fn one(cx: &mut Cx<'_>, value: Value) -> Self {
        let error = match value {
            Value::Object(at) if matches!(cx.heap.body(at), Body::Error(_)) => at,
            _ => {
                let data = json::to_host(cx.heap, value).ok().flatten();
                // `throw {code: 1, message: "m"}` means an error, as people of other languages write it.
                let told = |cx: &mut Cx<'_>, key: &str| match value {
                    Value::Object(at) => text_of(cx, at, key),
                    _ => None,
                };
                let message = told(cx, "message")
                    .or_else(|| text(cx, value))
                    .unwrap_or_else(|| cx.describe(value));
                return Self {
                    name: told(cx, "name").unwrap_or_else(|| "Error".into()),
                    message,
                    code: told(cx, "code"),
                    data,
                    is_final: matches!(own(cx, value, "retryable"), Some(Value::Bool(false))),
                    ..Self::default()
                };
            }
        };
        let class = match cx.heap.body(error) {
            Body::Error(body) => body.class.name(),
            _ => "Error",
        };
        let name = text_of(cx, error, "name").unwrap_or_else(|| class.into());
        let data = own(cx, value, "data");
        Self {
            name,
            message: text_of(cx, error, "message").unwrap_or_default(),
            code: text_of(cx, error, "code"),
            stack: text_of(cx, error, "stack"),
            cause: None,
            data: data.and_then(|data| json::to_host(cx.heap, data).ok().flatten()),
            is_final: matches!(own(cx, value, "retryable"), Some(Value::Bool(false))),
        }
    }

    /// The error as a JSON object; whether it is final stands beside it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"name\":");
        quote(&mut out, &self.name);
        out.push_str(",\"message\":");
        quote(&mut out, &self.message);
        for (key, value) in [("code", &self.code), ("stack", &self.stack)] {
            if let Some(value) = value {
                out.push_str(",\"");
                out.push_str(key);
                out.push_str("\":");
                quote(&mut out, value);
            }
        }
        for (key, value) in [("cause", &self.cause), ("data", &self.data)] {
            if let Some(value) = value {
                out.push_str(",\"");
                out.push_str(key);
                out.push_str("\":");
                out.push_str(value);
            }
        }
        out.push('}');
        out
    }
}

fn own(cx: &mut Cx<'_>, value: Value, name: &str) -> Option<Value> {
    let Value::Object(at) = value else {
        return None;
    };
    let key = Key::Name(cx.heap.intern_str(name));
    match cx.heap.body(at) {
        Body::Error(_) | Body::Object(_) => cx.get_own(at, key).ok().flatten(),
        _ => None,
    }
}

fn text(cx: &mut Cx<'_>, value: Value) -> Option<String> {
    let text = cx.heap.to_string(value).ok()?;
    Some(cx.heap.rust_text(text))
}

fn text_of(cx: &mut Cx<'_>, error: Ref, name: &str) -> Option<String> {
    let value = own(cx, Value::Object(error), name)?;
    if value.is_nullish() {
        None
    } else {
        text(cx, value)
    }
}

/// Appends a JSON string. U+0000 cannot be stored by jsonb, so it is shown as U+FFFD.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push('\u{FFFD}'),
            c if c < ' ' => {
                let _ = std::fmt::Write::write_fmt(out, format_args!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
