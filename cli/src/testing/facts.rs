//! Results for programs: one JSON object.

use rhythm_testing::coverage::FileCoverage;
use rhythm_testing::suite::{Problem, Status, TestResult};
use serde_json::{Value, json};

use super::Ran;
use super::report::Counts;

/// All of it.
pub(super) fn of(all: &[Ran], covered: Option<&[FileCoverage]>) -> Value {
    let counts = Counts::of(all);
    let files: Vec<Value> = all.iter().map(file).collect();
    let mut whole = json!({
        "ok": !all.iter().any(Ran::has_failed),
        "passed": counts.passed,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "todo": counts.todo,
        "files": files,
    });
    if let Some(covered) = covered {
        whole["coverage"] = covered.iter().map(coverage).collect();
    }
    whole
}

fn file(ran: &Ran) -> Value {
    match &ran.outcome {
        Ok(result) => json!({
            "file": ran.file,
            "time_ms": result.time.as_secs_f64() * 1000.0,
            "tests": result.tests.iter().map(test).collect::<Vec<_>>(),
            "problems": result.problems.iter().map(problem).collect::<Vec<_>>(),
            "log": result.log,
            "loads": result.loads,
        }),
        Err(errors) => json!({"file": ran.file, "tests": [], "refused": errors}),
    }
}

/// The word for a status.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::Todo => "todo",
    }
}

fn test(test: &TestResult) -> Value {
    json!({
        "name": test.name(),
        "path": test.path,
        "line": test.line,
        "status": word(test.status),
        "only_durable": test.only_durable,
        "time_ms": test.time.as_secs_f64() * 1000.0,
        "problems": test.problems.iter().map(problem).collect::<Vec<_>>(),
        "log": test.log,
    })
}

fn problem(problem: &Problem) -> Value {
    let frames: Vec<Value> = problem
        .frames
        .iter()
        .map(|frame| {
            json!({
                "function": frame.function,
                "file": frame.file,
                "line": frame.line,
                "column": frame.column,
            })
        })
        .collect();
    json!({
        "name": problem.name,
        "message": problem.message,
        "stack": frames,
        "expected": problem.diff.as_ref().map(|diff| &diff.expected),
        "received": problem.diff.as_ref().map(|diff| &diff.actual),
        "causes": problem.causes,
    })
}

fn coverage(file: &FileCoverage) -> Value {
    let (ran, all) = file.counts();
    let missed: Vec<u32> = file
        .lines
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(line, _)| *line)
        .collect();
    json!({"file": file.file, "lines": all, "ran": ran, "missed": missed})
}
