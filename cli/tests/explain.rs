//! `rhythm explain`.

use crate::{rhythm, told};

#[test]
fn a_code_is_explained_with_a_wrong_and_a_right_program() {
    insta::assert_snapshot!(told(&rhythm(&["explain", "E0101"])));
}

#[test]
fn a_code_is_found_by_its_name_and_as_messages_show_it() {
    let expected = rhythm(&["explain", "W0302"]).stdout;
    for other in ["forgotten-await", "w0302", "[W0302]"] {
        assert_eq!(rhythm(&["explain", other]).stdout, expected, "{other}");
    }
}

#[test]
fn without_a_code_all_are_listed() {
    let output = rhythm(&["explain"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    for code in ["E0001", "E0501", "W0101", "unknown-workflow"] {
        assert!(shown.contains(code), "{code}");
    }
}

#[test]
fn an_unknown_code_gives_a_candidate() {
    let mut shown = String::new();
    for code in [
        "E0191",
        "0101",
        "unused-nam",
        "nothing",
        "e9999",
        "W0299",
        "E0",
        "missing-await",
        "unused variable",
        "",
        "é",
    ] {
        let output = rhythm(&["explain", code]);
        assert_eq!(output.status.code(), Some(1));
        shown.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn json_holds_the_page() {
    let output = rhythm(&["--json", "explain", "E0050"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(value["name"], "not-in-flow");
    assert!(
        value["page"]
            .as_str()
            .is_some_and(|page| page.contains("```js"))
    );
}
