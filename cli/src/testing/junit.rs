//! Results in the form of JUnit, which every CI shows.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use rhythm_testing::suite::{Problem, Status};

use super::Ran;
use crate::error::{CliError, Result};

/// The whole report as XML.
pub(super) fn xml(all: &[Ran]) -> Result<String> {
    let mut report = Report::new("rhythm test");
    for ran in all {
        let mut suite = TestSuite::new(&*ran.file);
        match &ran.outcome {
            Ok(result) => {
                suite.set_time(result.time);
                if !result.log.is_empty() {
                    suite.set_system_out(result.log.join("\n"));
                }
                for test in &result.tests {
                    let mut case = TestCase::new(test.name(), status(test.status, &test.problems));
                    case.set_classname(&*ran.file);
                    case.set_time(test.time);
                    if !test.log.is_empty() {
                        case.set_system_out(test.log.join("\n"));
                    }
                    suite.add_test_case(case);
                }
                for problem in &result.problems {
                    suite.add_test_case(broken(&problem.text()));
                }
            }
            Err(errors) => {
                suite.add_test_case(broken(errors));
            }
        }
        report.add_test_suite(suite);
    }
    report
        .to_string()
        .map_err(|error| CliError::user(format!("cannot write the results as JUnit: {error}")))
}

fn status(status: Status, problems: &[Problem]) -> TestCaseStatus {
    match status {
        Status::Passed => TestCaseStatus::success(),
        Status::Skipped | Status::Todo => TestCaseStatus::skipped(),
        Status::Failed => {
            let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
            if let Some(first) = problems.first() {
                failed.set_type(&*first.name);
                failed.set_message(&*first.message);
            }
            let texts: Vec<String> = problems.iter().map(Problem::text).collect();
            failed.set_description(texts.join("\n\n"));
            failed
        }
    }
}

/// A file that is wrong outside of its tests.
fn broken(text: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(text.lines().next().unwrap_or_default());
    status.set_description(text);
    TestCase::new("the test file", status)
}
