//! What a wrong command line, and a server that isn't there, are answered with.

use crate::{rhythm, told};

#[test]
fn an_unknown_verb_gives_a_suggestion_and_exit_code_2() {
    insta::assert_snapshot!(told(&rhythm(&["deplo"])));
}

#[test]
fn wrong_json_is_wrong_usage() {
    insta::assert_snapshot!(told(&rhythm(&["start", "greet", "{name: Ada}"])));
}

#[test]
fn a_wrong_id_is_wrong_usage() {
    let output = rhythm(&["show", "7"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_server_that_is_not_there_is_exit_code_3() {
    // Port 1 is privileged and unused.
    let output = rhythm(&["list", "--url", "postgresql://nobody@127.0.0.1:1/nowhere"]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let output = rhythm(&[
        "--json",
        "list",
        "--url",
        "postgresql://nobody@127.0.0.1:1/nowhere",
    ]);
    assert_eq!(output.status.code(), Some(3));
    let error: serde_json::Value =
        serde_json::from_slice(&output.stderr).expect("an error is one JSON object");
    assert_eq!(error["error"]["kind"], "server");
}

#[test]
fn an_unreachable_server_is_named() {
    let output = rhythm(&["list", "--url", "host=127.0.0.1 port=1 user=nobody"]);
    let said = told(&output);
    assert!(said.contains("cannot connect to 127.0.0.1:1: "), "{said}");
}

/// A full disk must not pass for an empty answer; a reader who has seen enough is no error.
#[test]
fn an_answer_that_cannot_be_written_is_exit_code_1() {
    for (command, code, says) in [
        ("completions bash > /dev/full", 1, "cannot write the answer"),
        ("completions bash | true", 0, ""),
    ] {
        let script = format!("set -o pipefail; \"$0\" {command}");
        let output = std::process::Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_rhythm")])
            .output()
            .expect("bash runs");
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(says) && (code == 1 || said.is_empty()),
            "{said}"
        );
    }
}

#[test]
fn dev_refuses_a_folder_that_it_did_not_make() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let output = rhythm(&["dev", "--data-dir", folder]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(told(&output).replace(folder, "FOLDER"));
}

#[test]
fn dev_wants_a_folder_of_flows_that_is_there() {
    let output = rhythm(&["dev", "--data-dir", "unused", "--flows", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(told(&output));
}
