//! The test files of the examples, and the blocks of the guide.

use std::path::{Path, PathBuf};

use crate::{run, told};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_tests_of_the_orders_pass() {
    let workflow = read("examples/orders/order.flow");
    let result = run(
        &read("examples/orders/order.test.flow"),
        &[("order", &workflow)],
    );
    assert!(!result.has_failed(), "{}", told(&result));
    assert!(result.tests.len() >= 5);
    let coverage = result.coverage.values().next().expect("it was run");
    assert_eq!(coverage.missed(), []);
}

/// The blocks marked `js test` are test files; those marked `js` are workflows, named by `NAME.flow` in the
/// line of text before them.
#[test]
fn every_test_of_the_guide_passes() {
    for (page, count) in [("docs/flow/testing.md", 4), ("docs/flow/sagas.md", 2)] {
        tests_of_page(page, count);
    }
}

fn tests_of_page(path: &str, at_least: usize) {
    let page = read(path);
    let order = read("examples/orders/order.flow");
    let mut workflows = vec![("order".to_owned(), order)];
    let mut tests = Vec::new();
    let mut parts = page.split("```");
    while let (Some(text), Some(block)) = (parts.next(), parts.next()) {
        if let Some(test) = block.strip_prefix("js test\n") {
            tests.push(test);
        } else if let Some(workflow) = block.strip_prefix("js\n") {
            let named = text.trim_end().rsplit('`').nth(1).unwrap_or_default();
            // By its path, or by its name.
            for name in [named, named.trim_end_matches(".flow")] {
                workflows.push((name.to_owned(), workflow.to_owned()));
            }
        }
    }
    let workflows: Vec<(&str, &str)> = workflows
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert!(tests.len() >= at_least, "{path}: {} blocks", tests.len());
    for test in tests {
        let result = run(test, &workflows);
        assert!(!result.has_failed(), "{path}: {}", told(&result));
        assert!(!result.tests.is_empty());
    }
}

/// The names that the guide lists are those that test files have.
#[test]
fn the_guide_names_everything() {
    let page = read("docs/flow/testing.md");
    for name in rhythm_testing::suite::GLOBALS {
        assert!(page.contains(&format!("`{name}")), "{name}");
    }
}
