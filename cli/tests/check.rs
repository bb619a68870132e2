//! `rhythm check`, which needs no server.

use std::path::PathBuf;

use crate::{rhythm, told};

fn example(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join("examples").join(path).display().to_string()
}

/// A file in a folder of its own, which cargo made for this test binary.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("cargo made the folder");
    path
}

#[test]
fn the_examples_are_fine() {
    for path in ["orders/order.flow", "package-audit/audit.flow"] {
        let output = rhythm(&["check", &example(path)]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    }
}

#[test]
fn every_error_of_a_file_is_shown_with_its_line() {
    let path = file("wrong.flow", "const total = 1;\ntotal = 2;\nreturn totl;\n");
    let output = rhythm(&["check", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let shown = told(&output).replace(&path.display().to_string(), "wrong.flow");
    insta::assert_snapshot!(shown);
}

#[test]
fn json_has_a_line_and_a_code_for_each_diagnostic() {
    let path = file("wrong_json.flow", "return nowhere;\n");
    let output = rhythm(&["--json", "check", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(found[0]["line"], 1);
    assert_eq!(found[0]["column"], 8);
    assert_eq!(found[0]["severity"], "error");
}

#[test]
fn a_file_that_is_not_there_is_said_by_name() {
    insta::assert_snapshot!(told(&rhythm(&["check", "nowhere.flow"])));
}
