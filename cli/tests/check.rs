//! `rhythm check`, which needs no server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

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
    assert!(
        !shown.contains('\u{1b}'),
        "no colours outside of a terminal"
    );
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
    assert_eq!(found[0]["endColumn"], 15);
    assert_eq!(found[0]["name"], "unknown-name");
}

#[test]
fn a_file_that_is_not_there_is_said_by_name() {
    insta::assert_snapshot!(told(&rhythm(&["check", "nowhere.flow"])));
}

/// A folder of its own with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("it is ours");
        std::fs::write(path, text).expect("it is ours");
    }
    folder
}

/// Runs `rhythm check` in a folder.
fn check_in(folder: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_rhythm"))
        .arg("check")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the program that cargo has just built runs")
}

#[test]
fn a_folder_is_checked_with_all_that_is_in_it() {
    let files = [
        ("order.flow", "return await Task.run('charge', Inputs)"),
        (
            "more/refund.flow",
            "if (Inputs.total = 1) return 2\nreturn 1",
        ),
        ("more/deep/broken.flow", "const a = ;\nreturn b b"),
        ("more/order.test.flow", "test('an order', () => {});\n"),
        ("notes.txt", "is no workflow"),
        (".hidden/skipped.flow", "is none of ours"),
        ("node_modules/x/skipped.flow", "is none of ours"),
    ];
    let folder = folder("tree", &files);
    insta::assert_snapshot!(told(&check_in(&folder, &[])));
    let fine = check_in(&folder, &["order.flow"]);
    assert_eq!(told(&fine), "exit code 0\n--- stdout\n1 file: fine\n");
}

#[test]
fn workflows_and_tasks_of_other_files_are_known() {
    let files = [
        (
            "a.flow",
            "await Task.run('charge')\nawait Task.run('b')\nawait Task.run('refund')",
        ),
        (
            "b.flow",
            "await Task.run('charge')\nawait Task.run('chrage')",
        ),
    ];
    let folder = folder("together", &files);
    insta::assert_snapshot!(told(&check_in(&folder, &["."])));
    // The workflow beside a single file is known as well.
    let single = told(&check_in(&folder, &["a.flow"]));
    assert!(single.contains("`b` is a workflow"), "{single}");
    let listed = check_in(&folder, &[".", "--task", "charge,refund", "--task", "b"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("no worker serves a task `chrage`"),
        "{listed}"
    );
    assert!(listed.ends_with("2 files: 1 warning\n"), "{listed}");
}

#[test]
fn warnings_fail_only_when_denied() {
    let folder = folder("warned", &[("a.flow", "const unused = 1")]);
    assert_eq!(check_in(&folder, &["a.flow"]).status.code(), Some(0));
    let denied = check_in(&folder, &["a.flow", "--deny-warnings"]);
    assert_eq!(denied.status.code(), Some(1));
}

#[test]
fn a_folder_without_workflows_is_an_error() {
    let folder = folder("empty", &[("notes.txt", "")]);
    insta::assert_snapshot!(told(&check_in(&folder, &["."])));
}

#[test]
fn a_program_is_read_from_a_pipe() {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_rhythm"))
        .args(["check", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"return nowhere\n").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.starts_with("<stdin>:1:8: error[E0101]"), "{shown}");
}

#[test]
fn github_gets_annotations() {
    let text = "const a = 100 % Inputs.b\nreturn a, b\n";
    let folder = folder("github", &[("a,b.flow", text)]);
    let output = check_in(&folder, &["--format", "github", "a,b.flow"]);
    insta::assert_snapshot!(told(&output));
}

#[test]
fn sarif_has_rules_and_places() {
    let text = "const sum = 1\nreturn \u{1f600}, totl\n";
    let folder = folder("sarif", &[("my order.flow", text)]);
    let output = check_in(&folder, &["--format=sarif", "my order.flow"]);
    let log: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"]
        .as_array()
        .expect("it is a list");
    let results = run["results"].as_array().expect("it is a list");
    assert!(!results.is_empty());
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("it is a number") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap_or_default()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20order.flow");
        let number = |name: &str| place["region"][name].as_u64().expect("it is a number");
        assert!(number("startLine") >= 1 && number("startColumn") >= 1);
        let start = (number("startLine"), number("startColumn"));
        assert!(start <= (number("endLine"), number("endColumn")));
    }
}

/// An object of SARIF 2.1.0, as its schema has it: what has to be there, and what may be, as far as we write it. It allows
/// nothing else. What is behind the colon says what the value is.
const SARIF: &[(&str, &str, &str)] = &[
    ("log", "version:2.1.0 runs:*run", "$schema:uri"),
    (
        "run",
        "tool:tool",
        "results:*result columnKind:utf16CodeUnits",
    ),
    ("tool", "driver:component", ""),
    ("component", "name:text", "semanticVersion:text rules:*rule"),
    (
        "rule",
        "id:text",
        "name:text shortDescription:words help:words defaultConfiguration:configuration",
    ),
    ("words", "text:text", "markdown:text"),
    ("configuration", "", "level:level"),
    (
        "result",
        "message:message",
        "ruleId:text ruleIndex:index level:level locations:*location",
    ),
    ("message", "text:text", ""),
    ("location", "", "physicalLocation:place"),
    ("place", "artifactLocation:artifact", "region:region"),
    ("artifact", "", "uri:uri"),
    (
        "region",
        "",
        "startLine:line startColumn:line endLine:line endColumn:line",
    ),
];

/// Where a value is not what SARIF wants there.
fn not_sarif(value: &serde_json::Value, kind: &str, place: &str) -> Vec<String> {
    use serde_json::Value;
    let wrong = || vec![format!("{place} is not {kind}: {value}")];
    if let Some(kind) = kind.strip_prefix('*') {
        let Some(items) = value.as_array() else {
            return wrong();
        };
        let each = items.iter().enumerate();
        return each
            .flat_map(|(at, item)| not_sarif(item, kind, &format!("{place}[{at}]")))
            .collect();
    }
    let Some((_, required, optional)) = SARIF.iter().find(|(name, ..)| *name == kind) else {
        let fits = match (kind, value) {
            ("text", Value::String(text)) => !text.is_empty(),
            ("uri", Value::String(text)) => !text.contains([' ', '\\']),
            ("level", Value::String(text)) => {
                ["none", "note", "warning", "error"].contains(&text.as_str())
            }
            ("line", Value::Number(number)) => number.as_u64().is_some_and(|number| number >= 1),
            ("index", Value::Number(number)) => number.is_u64(),
            (constant, Value::String(text)) => text == constant,
            _ => false,
        };
        return if fits { Vec::new() } else { wrong() };
    };
    let Some(object) = value.as_object() else {
        return wrong();
    };
    let fields = |list: &'static str| {
        list.split_whitespace()
            .filter_map(|one| one.split_once(':'))
    };
    let missing = fields(required)
        .filter(|(name, _)| !object.contains_key(*name))
        .map(|(name, _)| format!("{place} lacks {name}"));
    let found = object.iter().flat_map(|(name, value)| {
        let place = format!("{place}.{name}");
        let mut known = fields(required).chain(fields(optional));
        match known.find(|(known, _)| known == name) {
            Some((_, kind)) => not_sarif(value, kind, &place),
            None => vec![format!("{place} is not allowed")],
        }
    });
    missing.chain(found).collect()
}

#[test]
fn sarif_has_what_its_schema_wants_and_nothing_else() {
    let text = "const sum = 1\nlet b = [Inputs.a,\n  totl]\nreturn b\n";
    let folder = folder("sarif_schema", &[("a.flow", text), ("b.flow", "return )")]);
    for files in [&["a.flow", "b.flow"][..], &["a.flow"]] {
        let output = check_in(&folder, &[&["--format=sarif"], files].concat());
        let log = serde_json::from_slice(&output.stdout).expect("it is JSON");
        assert_eq!(not_sarif(&log, "log", "log"), Vec::<String>::new());
    }
    let bad =
        serde_json::json!({"version": "2.1", "runs": [{"results": [{"level": "bad"}], "x": 1}]});
    assert_eq!(not_sarif(&bad, "log", "log").len(), 5);
}

/// Lets a program run to its end, and gives the CPU time that it took: tests share the machine.
fn cpu_time(mut command: Command) -> (std::process::Output, Duration) {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program that cargo has just built runs");
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    // It has ended, and can still be asked.
    waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("it is our child");
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it is still there");
    let (_, behind_name) = stat.rsplit_once(')').expect("its name is in parentheses");
    let fields = behind_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields
        .map(|field| field.parse::<u64>().expect("it is a count"))
        .sum();
    let output = child.wait_with_output().expect("it has ended");
    // Linux counts in hundredths of a second wherever it is asked from outside of the kernel.
    (output, Duration::from_millis(ticks * 10))
}

#[test]
fn hundreds_of_files_take_a_blink() {
    let text = std::fs::read_to_string(example("orders/order.flow")).expect("it is there");
    let files: Vec<(String, String)> = (0..500)
        .map(|file| {
            let mut text = text.replace("Task.run(\"", &format!("Task.run(\"file_{file}_"));
            let own = |name| format!("await Task.run(\"of_{file}_{name}\", {{}});\n");
            let own: String = (0..8).map(own).collect();
            text = text.replace("Context.set(\"state\", \"charged\");\n", &own);
            (format!("flow_{file}.flow"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let folder = folder("many", &files);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rhythm"));
    command
        .args(["check", "."])
        .current_dir(&folder)
        .env_clear();
    let (output, took) = cpu_time(command);
    assert_eq!(told(&output), "exit code 0\n--- stdout\n500 files: fine\n");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn what_is_excluded_is_passed_over_unless_it_is_named() {
    let wrong = "return nowhere";
    let files = [
        (".rhythmignore", "/inputs/\n*_old.flow\n!kept_old.flow\n"),
        (".ignore", "others/\n"),
        ("fine.flow", "return 1"),
        ("kept_old.flow", "return 1"),
        ("wrong_old.flow", wrong),
        ("inputs/deep/wrong.flow", wrong),
        ("others/wrong.flow", wrong),
        ("drafts/wrong.flow", wrong),
        ("more/inputs/draft.flow", wrong),
    ];
    let folder = folder("excluded", &files);
    let excluded = [".", "--exclude", "/drafts/", "--exclude", "draft.flow"];
    assert_eq!(
        told(&check_in(&folder, &excluded)),
        "exit code 0\n--- stdout\n2 files: fine\n"
    );
    let count = |arguments: &[&str]| {
        let output = check_in(&folder, arguments);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(count(&["."]).starts_with("error: 2 errors in 4 files"));
    assert!(count(&["inputs"]).starts_with("error: 1 error in 1 file"));
    assert!(count(&["wrong_old.flow"]).starts_with("error: 1 error in 1 file"));
    let bad = check_in(&folder, &["--exclude", "a{"]);
    assert_eq!(bad.status.code(), Some(2), "{}", told(&bad));
}

/// What is wrong there on purpose is in .rhythmignore.
#[test]
fn this_repository_is_fine() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = check_in(&root, &["--deny-warnings"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}
