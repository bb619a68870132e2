//! `rhythm test`, which needs no server.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{rhythm, told};

/// A folder of its own for one test, with these files in it.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    for (file, text) in files {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        std::fs::write(path, text).expect("the folder is there");
    }
    folder
}

/// Runs `rhythm test` in a folder.
fn test_in(folder: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_rhythm"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("NO_COLOR", "1")
        .output()
        .expect("the program that cargo has just built runs")
}

/// What was told, without what differs from run to run.
fn told_timeless(output: &std::process::Output) -> String {
    let mut words = Vec::new();
    for line in told(output).lines() {
        let line = match line.rsplit_once(' ') {
            Some((head, "ms")) => match head.rsplit_once(' ') {
                Some((head, _)) => format!("{head} TIME"),
                None => line.to_owned(),
            },
            _ => line.to_owned(),
        };
        words.push(line);
    }
    words.join("\n")
}

const GREET: &str = "const name = Inputs.name ?? 'you'
if (name === '') {
  throw new RangeError('a name must have letters')
}
return await Task.run('greet', { name })
";

const GREET_TEST: &str = "test('greets', async () => {
  const run = await runWorkflow('greet', { name: 'Ada' }, { tasks: { greet: ({ name }) => `Hello, ${name}` } })
  expect(run.result).toBe('Hello, Ada')
})

describe('without a name', () => {
  test('greets whoever it is', async () => {
    const run = await runWorkflow('greet', {}, { tasks: { greet: ({ name }) => name } })
    expect(run.result).toEqual({ greeting: 'you' })
  })
  test('has letters', { todo: true })
})
";

fn greet(name: &str) -> PathBuf {
    folder(
        name,
        &[
            ("flows/greet.flow", GREET),
            ("flows/never.flow", "return 1\n"),
            ("flows/greet.test.flow", GREET_TEST),
            ("node_modules/other/a.test.flow", "nonsense("),
        ],
    )
}

#[test]
fn what_failed_is_told_with_its_line_and_the_lines_that_ran() {
    let output = test_in(&greet("test-words"), &["test", "--coverage"]);
    insta::assert_snapshot!(told_timeless(&output));
}

#[test]
fn a_name_picks_tests() {
    let folder = greet("test-names");
    let output = test_in(&folder, &["test", "-t", "greets", "-t", "Hello"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let output = test_in(&folder, &["test", "-t", "without"]);
    assert_eq!(output.status.code(), Some(1));
    let output = test_in(
        &folder,
        &[
            "test",
            "flows/greet.test.flow",
            "--name=greets",
            "--no-durable",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(
        told(&test_in(&folder, &["test", "-t", "nobody"]))
            .lines()
            .rev()
            .take(2)
            .collect::<String>()
    );
}

#[test]
fn json_and_files_for_other_programs() {
    let folder = greet("test-machines");
    let arguments = [
        "--json",
        "test",
        "--junit",
        "junit.xml",
        "--coverage-lcov",
        "lcov.info",
    ];
    let output = test_in(&folder, &arguments);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(found["passed"], 1);
    assert_eq!(found["failed"], 1);
    assert_eq!(found["todo"], 1);
    let test = &found["files"][0]["tests"][1];
    assert_eq!(test["name"], "without a name > greets whoever it is");
    assert_eq!(test["line"], 7);
    assert_eq!(test["problems"][0]["stack"][0]["line"], 9);
    assert_eq!(found["coverage"][0]["missed"], serde_json::json!([3]));
    let junit = std::fs::read_to_string(folder.join("junit.xml")).expect("it was written");
    assert!(
        junit.contains("tests=\"3\" skipped=\"1\" failures=\"1\""),
        "{junit}"
    );
    assert!(
        junit.contains("<testcase name=\"greets\" classname=\"flows/greet.test.flow\""),
        "{junit}"
    );
    let lcov = std::fs::read_to_string(folder.join("lcov.info")).expect("it was written");
    assert!(
        lcov.contains("SF:flows/greet.flow\nDA:1,4\nDA:2,4\nDA:3,0\nDA:5,4\nLF:4\nLH:3\n"),
        "{lcov}"
    );
    assert!(lcov.contains("SF:flows/never.flow\nDA:1,0\n"), "{lcov}");
}

#[test]
fn tests_run_a_second_time_from_saved_states_unless_that_is_not_wanted() {
    let folder = greet("test-durable");
    let loads = |arguments: &[&str]| {
        let output = test_in(&folder, &[&["--json", "test"], arguments].concat());
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        found["files"][0]["loads"].as_u64().expect("it is a number")
    };
    // Two tests, in each of which a task comes back once.
    assert_eq!(loads(&[]), 2);
    assert_eq!(loads(&["--durable"]), 2);
    assert_eq!(loads(&["--no-durable"]), 0);
    assert_eq!(loads(&["--durable", "--no-durable"]), 0);
    assert_eq!(loads(&["--no-durable", "--durable"]), 2);
}

#[test]
fn files_that_are_wrong_are_told() {
    let folder = folder(
        "test-wrong",
        &[("a.test.flow", "test('a', () => { exepct(1) })\n")],
    );
    insta::assert_snapshot!(told_timeless(&test_in(&folder, &["test"])));
    std::fs::write(folder.join("a.test.flow"), "await runWorkflow('a')\n").expect("it is there");
    std::fs::write(folder.join("a.flow"), "retrun 5\n").expect("it is there");
    insta::assert_snapshot!(told_timeless(&test_in(&folder, &["test"])));
}

#[test]
fn a_folder_without_tests_is_an_error() {
    let folder = folder("test-none", &[("a.flow", "return 1\n")]);
    insta::assert_snapshot!(told(&test_in(&folder, &["test"])));
}

#[test]
fn the_tests_of_the_examples_pass() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let output = rhythm(&["test", &examples.display().to_string()]);
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn check_knows_the_words_of_test_files() {
    let folder = greet("test-check");
    let output = test_in(&folder, &["check", "flows/greet.test.flow"]);
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn watching_runs_them_again_when_a_file_changes() {
    let folder = greet("test-watch");
    let mut child = Command::new(env!("CARGO_BIN_EXE_rhythm"))
        .args(["test", "--watch"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program that cargo has just built runs");
    let mut notes = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut wait_for = |words: &str| {
        let found = notes.find(|line| line.as_ref().is_ok_and(|line| line.contains(words)));
        assert!(found.is_some(), "it ended before it said: {words}");
    };
    wait_for("1 test failed");
    wait_for("waiting for changes");
    let mended = GREET_TEST.replace("{ greeting: 'you' }", "'you'");
    // In one go, so that nothing is run on half a file.
    std::fs::write(folder.join("greet.tmp"), mended).expect("the folder is ours");
    std::fs::rename(
        folder.join("greet.tmp"),
        folder.join("flows/greet.test.flow"),
    )
    .expect("it is there");
    wait_for("a file has changed");
    wait_for("waiting for changes");
    child.kill().expect("it runs");
    let output = child.wait_with_output().expect("it was killed");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout.matches("Tests  ").count(), 2, "{stdout}");
    assert!(stdout.contains("Tests  2 passed, 1 todo"), "{stdout}");
}

#[test]
fn a_test_that_failed_shows_what_it_wrote() {
    let text = "console.log('once')
test('fine', () => { console.log('of no interest') })
test('wrong', async () => {
  console.log('got', { total: 1 })
  console.warn('two\\nlines')
  expect(1).toBe(2)
})
";
    let folder = folder("test-log", &[("a.test.flow", text)]);
    let output = test_in(&folder, &["test"]);
    insta::assert_snapshot!(told_timeless(&output));
    let output = test_in(&folder, &["--json", "test", "--junit", "junit.xml"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(found["files"][0]["log"][0], "once");
    assert_eq!(found["files"][0]["tests"][0]["log"][0], "of no interest");
    let junit = std::fs::read_to_string(folder.join("junit.xml")).expect("it was written");
    assert!(junit.contains("<system-out>of no interest"), "{junit}");
}
