//! Test files and simulations from outside.

mod examples;
mod kit;
mod recipes;

use std::collections::BTreeMap;
use std::sync::Arc;

use rhythm_testing::Workflow;
use rhythm_testing::suite::{FileResult, Library, Options, TestFile};

/// Workflows by name.
struct Texts(BTreeMap<String, String>);

impl Library for Texts {
    fn workflow(&mut self, name: &str) -> Result<Arc<Workflow>, String> {
        let text = self.0.get(name).ok_or(format!("no workflow {name}"))?;
        let file = format!("{name}.flow");
        Workflow::compile(name, file, text, true)
            .map(Arc::new)
            .map_err(|refused| refused.to_string())
    }
}

/// Runs a test file with the workflows that it needs.
fn run(test: &str, workflows: &[(&str, &str)]) -> FileResult {
    run_with(test, workflows, true)
}

fn run_with(test: &str, workflows: &[(&str, &str)], durable: bool) -> FileResult {
    let file = TestFile::compile("a.test.flow", test).unwrap_or_else(|refused| panic!("{refused}"));
    let own = workflows.iter();
    let mut library = Texts(
        own.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
    );
    let options = Options {
        filter: None,
        durable,
    };
    file.run(&mut library, &options)
}

/// What came of the tests: a line for each, with what was wrong below.
fn told(result: &FileResult) -> String {
    let mut out = String::new();
    for test in &result.tests {
        out.push_str(&format!(
            "{:?} {} (line {})\n",
            test.status,
            test.name(),
            test.line
        ));
        for problem in &test.problems {
            out.push_str(&problem.text());
            out.push_str("\n\n");
        }
    }
    for problem in &result.problems {
        out.push_str(&format!("in the file: {}\n", problem.text()));
    }
    out
}
