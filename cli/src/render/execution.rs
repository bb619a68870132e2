//! One execution in full, and how its failure is told.

use rhythm_client::State;
use serde_json::Value;
use uuid::Uuid;

use crate::error::CliError;
use crate::output::Output;

/// Longer values are shortened: whoever needs all of one asks for JSON.
const LONG: usize = 2000;

/// The facts of an execution as aligned lines `name  value`; those without a value are left out.
pub(crate) fn facts(facts: &[(&str, Option<String>)], output: Output) -> String {
    let width = facts
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    facts
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .map(|(name, value)| {
            let label = output.faint(&format!("{name:width$}"));
            // Further lines of a value stand below its first one.
            let gap = format!("\n{}", " ".repeat(width + 2));
            format!("{label}  {}", value.replace('\n', &gap))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// A value as JSON on one line, shortened when it is long.
pub(crate) fn compact(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{} … ({} bytes, all with --json)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// An error object as `Name: message`, and its stack below.
pub(crate) fn error_text(text: &str) -> String {
    // Deeper than serde_json goes is no error object of ours.
    let Ok(error) = serde_json::from_str::<Value>(text) else {
        return compact(text);
    };
    let part = |key: &str| error.get(key).and_then(Value::as_str);
    let mut shown = match (part("name"), part("message")) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        _ => return compact(text),
    };
    if let Some(code) = part("code") {
        shown.push_str(&format!(" [{code}]"));
    }
    if let Some(stack) = part("stack") {
        // Some stacks repeat the message on their first line.
        let frames: Vec<_> = stack
            .lines()
            .filter(|line| line.starts_with(char::is_whitespace))
            .collect();
        for frame in frames {
            shown.push('\n');
            shown.push_str(frame);
        }
    }
    if let Some(cause) = error.get("cause").filter(|cause| cause.is_object()) {
        let part = |key: &str| cause.get(key).and_then(Value::as_str).unwrap_or_default();
        shown.push_str(&format!(
            "\ncaused by {}: {}",
            part("name"),
            part("message")
        ));
    }
    shown
}

/// The error of a command that waited for an execution which did not complete.
pub(crate) fn failure(id: Uuid, state: State, error: Option<&str>) -> CliError {
    let mut failure = CliError::user(format!("{id} {}", state.as_str().replace('_', " ")));
    if let Some(error) = error {
        failure = failure.detail(error_text(error));
    }
    failure.hint(format!("See `rhythm show -v {id}`."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn facts_are_aligned_and_empty_ones_left_out() {
        let shown = facts(
            &[
                ("state", Some("failed".into())),
                ("task_id", None),
                ("error", Some("TypeError: x\n  at main (a.flow:1:1)".into())),
            ],
            Output::plain(),
        );
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn an_error_shows_its_stack_and_cause() {
        let error = json!({
            "name": "TaskError",
            "message": "the bank did not answer",
            "code": "E42",
            "stack": "TaskError: the bank did not answer\n    at charge (order.flow:3:1)",
            "cause": {"name": "ConnectionError", "message": "reset"},
        });
        insta::assert_snapshot!(error_text(&error.to_string()));
        insta::assert_snapshot!(failure(Uuid::nil(), State::TimedOut, None));
    }
}
