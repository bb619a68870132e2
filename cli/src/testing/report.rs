//! Results in words: a line for each file as it is done, what failed, and the sum.

use std::fmt::Write as _;
use std::time::Duration;

use rhythm_testing::suite::{Problem, Status, TestResult};

use super::Ran;
use crate::output::Output;

/// How many tests ended how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    pub(super) todo: usize,
}

impl Counts {
    pub(super) fn of(all: &[Ran]) -> Self {
        let mut counts = Self::default();
        for test in all
            .iter()
            .filter_map(|ran| ran.outcome.as_ref().ok())
            .flat_map(|file| &file.tests)
        {
            match test.status {
                Status::Passed => counts.passed += 1,
                Status::Failed => counts.failed += 1,
                Status::Skipped => counts.skipped += 1,
                Status::Todo => counts.todo += 1,
            }
        }
        counts
    }

    fn words(&self, output: Output) -> String {
        let parts = [
            (
                self.failed,
                "failed",
                Output::bad as fn(Output, &str) -> String,
            ),
            (self.passed, "passed", Output::good),
            (self.skipped, "skipped", Output::faint),
            (self.todo, "todo", Output::faint),
        ];
        let told: Vec<String> = parts
            .into_iter()
            .filter(|(count, word, _)| *count > 0 || *word == "passed")
            .map(|(count, word, paint)| paint(output, &format!("{count} {word}")))
            .collect();
        told.join(", ")
    }
}

/// A file with its tests. Those that were not asked for are not told.
pub(super) fn file(ran: &Ran, asked: Option<&str>, output: Output) -> String {
    let mark = if ran.has_failed() {
        output.bad("✗")
    } else {
        output.good("✓")
    };
    let mut out = format!("{mark} {}", output.strong(&ran.file));
    let Ok(result) = &ran.outcome else {
        out.push_str(" cannot be run");
        return out;
    };
    out.push_str(&output.faint(&format!(" {}", millis(result.time))));
    for test in &result.tests {
        if asked.is_some_and(|part| !test.name().contains(part)) {
            continue;
        }
        let _ = write!(out, "\n  {}", one_line(test, output));
    }
    out
}

fn one_line(test: &TestResult, output: Output) -> String {
    let name = test.name();
    match test.status {
        Status::Passed => format!("{} {name}", output.good("✓")),
        Status::Failed => format!("{} {}", output.bad("✗"), output.bad(&name)),
        Status::Skipped => output.faint(&format!("· {name} (skipped)")),
        Status::Todo => output.faint(&format!("· {name} (todo)")),
    }
}

/// What failed, with all that is known of it; empty if nothing did.
pub(super) fn failures(all: &[Ran], output: Output) -> String {
    let mut parts = Vec::new();
    for ran in all {
        let result = match &ran.outcome {
            Ok(result) => result,
            Err(errors) => {
                parts.push(format!("{}\n{errors}", head("", &ran.file, output)));
                continue;
            }
        };
        for test in &result.tests {
            for told in &test.problems {
                let mut part = head(&test.name(), &ran.file, output);
                if test.only_durable {
                    part.push_str(
                        "\nIt passes as long as the state is not saved and loaded between the steps.",
                    );
                }
                parts.push(format!("{part}\n{}", problem(told, output)));
            }
            if test.status == Status::Failed {
                parts.extend(written(&test.name(), &ran.file, &test.log, output));
            }
        }
        if result.has_failed() {
            parts.extend(written("", &ran.file, &result.log, output));
        }
        for told in &result.problems {
            parts.push(format!(
                "{}\n{}",
                head("", &ran.file, output),
                problem(told, output)
            ));
        }
    }
    parts
        .iter()
        .map(|part| format!("\n{part}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a test wrote with `console`, if it wrote anything.
fn written(name: &str, file: &str, log: &[String], output: Output) -> Option<String> {
    let lines: Vec<String> = log
        .iter()
        .flat_map(|entry| entry.lines())
        .map(|line| format!("\n  {line}"))
        .collect();
    let place = place(name, file);
    (!log.is_empty()).then(|| {
        format!(
            "{}{}",
            output.faint(&format!("log of {place}")),
            lines.concat()
        )
    })
}

fn place(name: &str, file: &str) -> String {
    if name.is_empty() {
        file.to_owned()
    } else {
        format!("{file} > {name}")
    }
}

fn head(name: &str, file: &str, output: Output) -> String {
    let whole = place(name, file);
    format!("{} {}", output.bad("FAILED"), output.strong(&whole))
}

fn problem(problem: &Problem, output: Output) -> String {
    let mut out = format!("{}: {}", problem.name, problem.message);
    if let (Some(first), Some(line)) = (problem.frames.first(), &problem.source_line) {
        let number = first.line.to_string();
        let caret = " ".repeat((first.column as usize).saturating_sub(1));
        let gap = " ".repeat(number.len());
        let _ = write!(
            out,
            "\n\n  {}\n  {} {line}\n  {} {caret}{}",
            output.faint(&format!("{}:{}:{}", first.file, first.line, first.column)),
            output.faint(&format!("{number} |")),
            output.faint(&format!("{gap} |")),
            output.bad("^"),
        );
    }
    if let Some(diff) = &problem.diff {
        let _ = write!(
            out,
            "\n\n  {}\n  {}\n",
            output.good("- expected"),
            output.bad("+ received")
        );
        for (sign, line) in diff.lines() {
            let line = format!("{sign} {line}");
            let line = match sign {
                '-' => output.good(&line),
                '+' => output.bad(&line),
                _ => output.faint(&line),
            };
            let _ = write!(out, "\n  {line}");
        }
    }
    if problem.frames.len() > 1 {
        out.push('\n');
        for frame in &problem.frames {
            let _ = write!(out, "\n  {}", output.faint(&format!("at {frame}")));
        }
    }
    for cause in &problem.causes {
        let _ = write!(out, "\n\n  caused by {}", cause.replace('\n', "\n  "));
    }
    out
}

/// The sum of it all.
pub(super) fn summary(all: &[Ran], time: Duration, output: Output) -> String {
    let counts = Counts::of(all);
    let failed = all.iter().filter(|ran| ran.has_failed()).count();
    let files = Counts {
        failed,
        passed: all.len() - failed,
        ..Counts::default()
    };
    format!(
        "\nTests  {}\nFiles  {}\nTime   {}",
        counts.words(output),
        files.words(output),
        millis(time)
    )
}

fn millis(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..10_000 => format!("{ms} ms"),
        ms => format!("{:.1} s", ms as f64 / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rhythm_testing::suite::{FileResult, Problem, Status, TestResult};

    use super::{Ran, failures};
    use crate::output::Output;

    #[test]
    fn what_fails_only_with_saving_is_told_as_such() {
        let test = |name: &str, only_durable| TestResult {
            path: vec![name.to_owned()],
            line: 1,
            status: Status::Failed,
            problems: vec![Problem {
                name: "Error".to_owned(),
                message: "expected 1".to_owned(),
                ..Problem::default()
            }],
            log: Vec::new(),
            only_durable,
            time: Duration::ZERO,
        };
        let result = FileResult {
            tests: vec![test("saves", true), test("fails", false)],
            ..FileResult::default()
        };
        let ran = Ran {
            file: "a.test.flow".to_owned(),
            outcome: Ok(result),
        };
        let expected = "
FAILED a.test.flow > saves
It passes as long as the state is not saved and loaded between the steps.
Error: expected 1

FAILED a.test.flow > fails
Error: expected 1";
        assert_eq!(failures(&[ran], Output::plain()), expected);
    }
}
