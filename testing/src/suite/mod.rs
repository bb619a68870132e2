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
