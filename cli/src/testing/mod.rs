//! Runs test files and reports what came of them. The tests themselves are run by `rhythm-testing`.
//!
//! # Layout
//! - `files`: which test files and workflows there are.
//! - `library`: workflows for tests, by name or path.
//! - `report`: results in words; `facts`: as JSON; `junit`: as JUnit; `coverage`: which lines ran.
//! - `changes`: waits for files to change.

mod changes;
mod coverage;
mod facts;
mod files;
mod junit;
mod library;
mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use rhythm_testing::suite::{FileResult, Options, TestFile};

use crate::commands::input::Exclude;
use crate::error::{AtPath, CliError, Result};
use crate::output::{Output, note};
use library::Files;

/// What `rhythm test` was asked for.
pub(crate) struct Settings {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) exclude: Exclude,
    pub(crate) name: Option<String>,
    pub(crate) durable: bool,
    pub(crate) coverage: bool,
    pub(crate) coverage_lcov: Option<PathBuf>,
    pub(crate) junit: Option<PathBuf>,
}

/// A test file with what came of it, or with why it could not be run.
struct Ran {
    file: String,
    outcome: std::result::Result<FileResult, String>,
}

impl Ran {
    fn has_failed(&self) -> bool {
        self.outcome.as_ref().map_or(true, FileResult::has_failed)
    }
}

/// Runs the tests once.
pub(crate) fn run(settings: &Settings, output: Output) -> Result<()> {
    let start = Instant::now();
    let found = files::find(&settings.paths, &settings.exclude)?;
    if found.tests.is_empty() {
        let places: Vec<String> = settings
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(
            CliError::user(format!("no test files in {}", places.join(", "))).hint(
                "A test file is named after its workflow: order.test.flow beside order.flow.",
            ),
        );
    }
    let wants_coverage = settings.coverage || settings.coverage_lcov.is_some();
    let mut library = Files::new(&found, wants_coverage);
    let mut all = Vec::new();
    for path in &found.tests {
        let ran = run_file(path, settings, &mut library)?;
        if !output.is_json() {
            output.line(report::file(&ran, settings.name.as_deref(), output));
        }
        all.push(ran);
    }
    let covered = wants_coverage.then(|| coverage::collect(&all, &mut library));
    if let Some(path) = &settings.junit {
        std::fs::write(path, junit::xml(&all)?).at("write", path)?;
    }
    if let (Some(path), Some(covered)) = (&settings.coverage_lcov, &covered) {
        std::fs::write(path, coverage::lcov(covered)).at("write", path)?;
    }
    if output.is_json() {
        output.json(&facts::of(&all, covered.as_deref()));
    } else {
        let failures = report::failures(&all, output);
        if !failures.is_empty() {
            output.line(failures);
        }
        if let (true, Some(covered)) = (settings.coverage, &covered) {
            output.line(coverage::table(covered, output));
        }
        output.line(report::summary(&all, start.elapsed(), output));
    }
    verdict(&all, settings)
}

fn run_file(path: &Path, settings: &Settings, library: &mut Files) -> Result<Ran> {
    let text = std::fs::read_to_string(path).at("read", path)?;
    let file = path.display().to_string();
    library.stand_beside(path);
    let options = Options {
        filter: settings.name.clone(),
        durable: settings.durable,
    };
    let outcome = match TestFile::compile(&file, text) {
        Ok(test) => {
            test.warnings().iter().for_each(note);
            Ok(test.run(library, &options))
        }
        Err(refused) => Err(refused.to_string()),
    };
    Ok(Ran { file, outcome })
}

fn verdict(all: &[Ran], settings: &Settings) -> Result<()> {
    let counts = report::Counts::of(all);
    if counts.failed > 0 || all.iter().any(Ran::has_failed) {
        return Err(CliError::user(match counts.failed {
            0 => "a test file could not be run".to_owned(),
            1 => "1 test failed".to_owned(),
            failed => format!("{failed} tests failed"),
        }));
    }
    if let (0, Some(name)) = (counts.passed, &settings.name) {
        return Err(CliError::user(format!("no test has `{name}` in its name"))
            .hint("Full names are written `group > test`, and letters have to be the same."));
    }
    Ok(())
}

/// Runs the tests now and after each change, until somebody stops it.
pub(crate) fn watch(settings: &Settings, output: Output) -> Result<()> {
    let mut changes = changes::watch(&settings.paths)?;
    loop {
        if let Err(error) = run(settings, output) {
            output.error(&error);
        }
        note("· waiting for changes");
        changes.wait()?;
        note("· a file has changed");
    }
}
