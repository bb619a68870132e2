//! Test files: Flow programs in which `test`, `expect` and `runWorkflow` are declared.
//!
//! A test file is compiled within a harness that is itself written in Flow (`kit/`). So the functions that
//! play tasks are plain closures of the file, hooks and matchers are plain functions, and the language needs to know
//! nothing of tests: the harness talks to the host here by `Task.run` with names that begin with `$`
//! (`protocol`). The file and the runs that it looks at share one clock, which jumps to whatever is due next.

mod host;
mod problem;
mod protocol;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhythm_flow::harness::{self, Harness};
use rhythm_flow::{Checked, Program, Source};

use crate::coverage::FileCoverage;
use crate::{Refused, Workflow};
use host::Pass;
pub use problem::{Diff, Frame, Problem};
pub use words::{MATCHERS, RUN_OPTIONS};

/// The harness. Declarations first, what runs last.
const KIT: Harness = Harness {
    text: concat!(
        include_str!("../kit/suite.js"),
        include_str!("../kit/modes.js"),
        include_str!("../kit/value.js"),
        include_str!("../kit/expect.js"),
        include_str!("../kit/run.js"),
    ),
    provided: words::PROVIDED,
    absent: words::ABSENT,
};

/// What a test file may name besides what every program may.
pub const GLOBALS: &[&str] = &[
    "afterAll",
    "afterEach",
    "beforeAll",
    "beforeEach",
    "describe",
    "expect",
    "failing",
    "inOrder",
    "it",
    "never",
    "runWorkflow",
    "slow",
    "test",
];

/// Where workflows come from.
pub trait Library {
    /// The workflow of this name, or of this path beside the test file.
    ///
    /// # Errors
    /// The words for the author of the test when there is none, or when it has errors.
    fn workflow(&mut self, name: &str) -> Result<Arc<Workflow>, String>;
}

/// How a file is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only tests whose full name holds this text.
    pub filter: Option<String>,
    /// Runs every test a second time, with the workflow's state saved and loaded between all steps.
    pub durable: bool,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All that it expected was so.
    Passed,
    /// Something was not.
    Failed,
    /// It was not to be run.
    Skipped,
    /// It is to be written.
    Todo,
}

/// A test and what came of it.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// The names of its groups, and its own.
    pub path: Vec<String>,
    /// Where it stands.
    pub line: u32,
    /// How it ended.
    pub status: Status,
    /// What was wrong.
    pub problems: Vec<Problem>,
    /// What the test file wrote with `console` while it ran, in the pass that is told of.
    pub log: Vec<String>,
    /// It passed without saving and loading, and failed with it.
    pub only_durable: bool,
    /// How long it took.
    pub time: Duration,
}

impl TestResult {
    /// Its full name: `order > ships`.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.join(" > ")
    }
}

/// A file and what came of its tests.
#[derive(Clone, Debug, Default)]
pub struct FileResult {
    /// The tests, in their order.
    pub tests: Vec<TestResult>,
    /// What was wrong with the file itself.
    pub problems: Vec<Problem>,
    /// What it wrote outside of its tests.
    pub log: Vec<String>,
    /// What ran of which workflow, by its file, if workflows are compiled for that.
    pub coverage: BTreeMap<String, FileCoverage>,
    /// How often the state of a run was loaded from what was saved of it: never, unless the tests are run durably.
    pub loads: usize,
    /// How long it took.
    pub time: Duration,
}

impl FileResult {
    /// Whether anything failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.problems.is_empty() || self.tests.iter().any(|one| one.status == Status::Failed)
    }
}

/// A compiled test file.
pub struct TestFile {
    source: Source,
    program: Arc<Program>,
    /// Warnings, rendered.
    warnings: Vec<String>,
}

impl fmt::Debug for TestFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestFile")
            .field(&self.source.name())
            .finish()
    }
}

/// Whether a file name is that of a test file.
#[must_use]
pub fn is_test_file(name: &str) -> bool {
    name.ends_with(".test.flow")
}

/// Checks and compiles a test file.
#[must_use]
pub fn check(source: &Source) -> Checked {
    harness::check_within(source, &KIT)
}

impl TestFile {
    /// Compiles a test file.
    ///
    /// # Errors
    /// When it has errors.
    pub fn compile(file: impl Into<String>, text: impl Into<String>) -> Result<Self, Refused> {
        let source = Source::new(file, text);
        let checked = check(&source);
        match checked.program {
            Some(program) => Ok(Self {
                program: Arc::new(program),
                warnings: checked
                    .diagnostics
                    .iter()
                    .map(|one| one.render(&source))
                    .collect(),
                source,
            }),
            None => Err(Refused::new(&source, &checked.diagnostics)),
        }
    }

    /// What the checker warns of, each as its line with a caret.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Runs its tests.
    pub fn run(&self, library: &mut dyn Library, options: &Options) -> FileResult {
        let start = Instant::now();
        let mut result = Pass::new(self, library, options, false).run();
        if options.durable {
            let again = Pass::new(self, library, options, true).run();
            result.add_durable(again);
        }
        result.time = start.elapsed();
        result
    }
}

impl FileResult {
    /// Adds what the run with saving and loading found beyond this one.
    fn add_durable(&mut self, again: Self) {
        self.loads += again.loads;
        for (test, other) in self.tests.iter_mut().zip(again.tests) {
            test.time += other.time;
            if other.status == Status::Failed && test.status != Status::Failed {
                test.status = Status::Failed;
                test.problems = other.problems;
                test.log = other.log;
                test.only_durable = true;
            }
        }
        if self.problems.is_empty() {
            self.problems = again.problems;
            self.log = again.log;
        }
        for (file, coverage) in again.coverage {
            match self.coverage.get_mut(&file) {
                Some(own) => own.merge(&coverage),
                None => {
                    self.coverage.insert(file, coverage);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FileResult, Problem, Status, TestResult};

    /// A pass over tests that ended so; each problem and each line says of which pass it is.
    fn pass(name: &str, ends: &[Status], broken: bool) -> FileResult {
        let test = |(number, status): (usize, &Status)| TestResult {
            path: vec![format!("test {number}")],
            line: 1,
            status: *status,
            problems: if *status == Status::Failed {
                vec![Problem::of("Error", format!("{name} {number}"))]
            } else {
                Vec::new()
            },
            log: vec![name.to_owned()],
            only_durable: false,
            time: Duration::from_secs(1),
        };
        FileResult {
            tests: ends.iter().enumerate().map(test).collect(),
            problems: if broken {
                vec![Problem::of("Error", format!("{name} file"))]
            } else {
                Vec::new()
            },
            log: vec![name.to_owned()],
            loads: 3,
            ..FileResult::default()
        }
    }

    #[test]
    fn what_fails_only_with_saving_and_loading_is_told_as_such() {
        use Status::{Failed, Passed, Skipped};
        let mut result = pass("first", &[Passed, Failed, Passed, Failed, Skipped], false);
        result.add_durable(pass(
            "second",
            &[Failed, Failed, Passed, Passed, Skipped],
            true,
        ));
        let told: Vec<_> = result
            .tests
            .iter()
            .map(|test| {
                let problem = test.problems.first().map(|one| one.message.as_str());
                (
                    test.status,
                    problem,
                    test.log[0].as_str(),
                    test.only_durable,
                )
            })
            .collect();
        let expected = [
            (Failed, Some("second 0"), "second", true),
            (Failed, Some("first 1"), "first", false),
            (Passed, None, "first", false),
            (Failed, Some("first 3"), "first", false),
            (Skipped, None, "first", false),
        ];
        assert_eq!(told, expected);
        let times = result.tests.iter().map(|test| test.time);
        assert_eq!(times.sum::<Duration>(), Duration::from_secs(10));
        assert_eq!(result.problems[0].message, "second file");
        assert_eq!((result.log[0].as_str(), result.loads), ("second", 6));
    }

    #[test]
    fn what_is_wrong_with_the_file_itself_is_told_once() {
        let mut result = pass("first", &[], true);
        result.add_durable(pass("second", &[], true));
        let problems: Vec<_> = result.problems.iter().map(|one| &one.message).collect();
        assert_eq!(problems, ["first file"]);
        assert_eq!(result.log, ["first"]);
    }
}
