//! What is wrong with a test, as a reporter shows it: words, place, source line, difference, stack.

use std::fmt::Write as _;

use rhythm_flow::Source;
use rhythm_flow::harness::PLACE;
use similar::{ChangeTag, TextDiff};

use super::protocol::Thrown;
use crate::simulation::{Report, State};

/// A line of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function, with `async ` where it waited.
    pub function: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// What was expected, and what was there instead, as texts of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// What was expected.
    pub expected: String,
    /// What was there.
    pub actual: String,
}

impl Diff {
    /// The lines of both: ` ` in both, `-` expected, `+` there. Long common parts are left out.
    #[must_use]
    pub fn lines(&self) -> Vec<(char, String)> {
        const AROUND: usize = 3;
        let diff = TextDiff::from_lines(&self.expected, &self.actual);
        let mut lines = Vec::new();
        for (index, group) in diff.grouped_ops(AROUND).iter().enumerate() {
            if index > 0 {
                lines.push(('~', "…".to_owned()));
            }
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let sign = match change.tag() {
                    ChangeTag::Equal => ' ',
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                };
                lines.push((sign, change.value().trim_end_matches('\n').to_owned()));
            }
        }
        lines
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The class of the error.
    pub name: String,
    /// The words.
    pub message: String,
    /// The stack within the test file; the first line is the place.
    pub frames: Vec<Frame>,
    /// The text of the line of that place.
    pub source_line: Option<String>,
    /// The difference, where there is one to show.
    pub diff: Option<Diff>,
    /// Errors behind it, such as that of a workflow: words and stack.
    pub causes: Vec<String>,
}

impl Problem {
    /// A problem without a place.
    pub(super) fn of(name: &str, message: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            message: message.into(),
            ..Self::default()
        }
    }

    pub(super) fn new(thrown: &Thrown, source: &Source) -> Self {
        let frames = frames(thrown.stack.as_deref().unwrap_or_default(), source);
        let source_line = frames
            .first()
            .map(|first| source.line(first.line).to_owned());
        let diff = match (&thrown.expected, &thrown.actual) {
            (Some(expected), Some(actual)) if is_worth_showing(expected, actual) => Some(Diff {
                expected: expected.clone(),
                actual: actual.clone(),
            }),
            _ => None,
        };
        let mut causes: Vec<String> = thrown.about.iter().cloned().collect();
        let mut cause = thrown.cause.as_deref();
        while let Some(inner) = cause {
            let mut text = format!("{}: {}", inner.name, inner.message);
            for frame in self::frames(inner.stack.as_deref().unwrap_or_default(), source) {
                let _ = write!(text, "\n    at {frame}");
            }
            causes.push(text);
            cause = inner.cause.as_deref();
        }
        Self {
            name: thrown.name.clone(),
            message: thrown.message.clone(),
            frames,
            source_line,
            diff,
            causes,
        }
    }

    /// Adds the error of a run that failed, unless it is told already.
    pub(super) fn add_failed_run(&mut self, workflow: &str, report: &Report) {
        let error: serde_json::Value = serde_json::from_str(report.error.get()).unwrap_or_default();
        let stack = error["stack"].as_str().unwrap_or_default();
        let is_told = self.causes.iter().any(|cause| cause.contains(stack));
        if report.state == State::Failed && !stack.is_empty() && !is_told {
            self.causes
                .push(format!("{stack}\n    in the run of {workflow}"));
        }
    }

    /// Where it is: `order.test.flow:7:5`.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let first = self.frames.first()?;
        Some(format!("{}:{}:{}", first.file, first.line, first.column))
    }

    /// All of it as plain text, as JUnit and other machines get it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{}: {}", self.name, self.message);
        if let Some(diff) = &self.diff {
            out.push_str("\n\n- expected\n+ received\n");
            for (sign, line) in diff.lines() {
                let _ = write!(out, "\n{sign} {line}");
            }
            out.push('\n');
        }
        for frame in &self.frames {
            let _ = write!(out, "\n    at {frame}");
        }
        for cause in &self.causes {
            let _ = write!(out, "\n\ncaused by {cause}");
        }
        out
    }
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            function,
            file,
            line,
            column,
        } = self;
        write!(f, "{function} ({file}:{line}:{column})")
    }
}

/// Values of one short line each are in the message already.
fn is_worth_showing(expected: &str, actual: &str) -> bool {
    expected != actual
        && (expected.contains('\n') || actual.contains('\n') || expected.len() + actual.len() > 80)
}

/// The frames of a stack that are the source's own: those of the harness stand behind its last line.
fn frames(stack: &str, source: &Source) -> Vec<Frame> {
    let last = source.line_of(source.text().len() as u32);
    let read = |line: &str| {
        let (function, place) = line.trim().strip_prefix("at ")?.rsplit_once(" (")?;
        let mut parts = place.strip_suffix(')')?.rsplitn(3, ':');
        let column = parts.next()?.parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        let file = parts.next()?.to_owned();
        let function = function.replace(PLACE, "the test file");
        (line <= last).then_some(Frame {
            function,
            file,
            line,
            column,
        })
    };
    stack.lines().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::{Diff, frames};
    use rhythm_flow::Source;

    #[test]
    fn frames_of_the_harness_are_not_shown() {
        let source = Source::new("a.test.flow", "one\ntwo\n");
        let stack = "Error: no\n    at $fail (a.test.flow:90:3)\n    at <anonymous> (a.test.flow:2:1)\n    at async $file (a.test.flow:1:1)";
        let shown: Vec<String> = frames(stack, &source)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "<anonymous> (a.test.flow:2:1)",
                "async the test file (a.test.flow:1:1)"
            ]
        );
    }

    #[test]
    fn what_differs_is_signed() {
        let diff = Diff {
            expected: "{\n  a: 1,\n}".into(),
            actual: "{\n  a: 2,\n}".into(),
        };
        let lines: Vec<String> = diff
            .lines()
            .iter()
            .map(|(s, l)| format!("{s}{l}"))
            .collect();
        assert_eq!(lines, [" {", "-  a: 1,", "+  a: 2,", " }"]);
    }
}
