//! `rhythm fmt`, which needs no server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::{rhythm, told};

const UGLY: &str = "// kept\nreturn   {a:1}\n";
const FINE: &str = "// kept\nreturn { a: 1 };\n";

/// An empty folder of its own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("cargo made the folder around it");
    folder
}

fn write(path: &PathBuf, text: &str) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).expect("it is there")
}

fn fmt(folder: &PathBuf, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rhythm"))
        .arg("fmt")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the program that cargo has just built runs")
}

#[test]
fn files_of_folders_are_written_and_named() {
    let folder = folder("fmt_folders");
    let (deep, fine) = (folder.join("a/b/deep.flow"), folder.join("fine.flow"));
    let others = [".hidden/x.flow", "node_modules/x.flow", "a/x.js"].map(|name| folder.join(name));
    write(&deep, UGLY);
    write(&fine, FINE);
    for other in &others {
        write(other, UGLY);
    }
    let output = fmt(&folder, &[]);
    assert_eq!(told(&output), "exit code 0\n--- stdout\na/b/deep.flow\n");
    assert_eq!(read(&deep), FINE);
    for other in &others {
        assert_eq!(read(other), UGLY);
    }
    let again = fmt(&folder, &["a", "fine.flow"]);
    assert_eq!(told(&again), "exit code 0\n");
    let left: Vec<_> = fs::read_dir(folder.join("a/b"))
        .expect("it is there")
        .collect();
    assert_eq!(left.len(), 1, "nothing is left beside the file");
}

#[test]
fn permissions_and_links_stay() {
    let folder = folder("fmt_permissions");
    let (file, link) = (folder.join("a.flow"), folder.join("link.flow"));
    write(&file, UGLY);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("it is ours");
    std::os::unix::fs::symlink(&file, &link).expect("links are allowed");
    assert_eq!(fmt(&folder, &["link.flow"]).status.code(), Some(0));
    assert_eq!(read(&file), FINE);
    assert!(link.is_symlink());
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn check_writes_nothing_and_fails() {
    let folder = folder("fmt_check");
    let file = folder.join("a.flow");
    write(&file, UGLY);
    insta::assert_snapshot!(told(&fmt(&folder, &["--check"])));
    assert_eq!(read(&file), UGLY);
    write(&file, FINE);
    assert_eq!(told(&fmt(&folder, &["--check"])), "exit code 0\n");
}

#[test]
fn diff_shows_what_would_change() {
    let folder = folder("fmt_diff");
    let file = folder.join("a.flow");
    write(&file, UGLY);
    insta::assert_snapshot!(told(&fmt(&folder, &["--diff"])));
    assert_eq!(read(&file), UGLY);
}

#[test]
fn a_file_with_syntax_errors_is_left_and_the_others_are_not() {
    let folder = folder("fmt_syntax");
    let (wrong, right) = (folder.join("a.flow"), folder.join("b.flow"));
    write(&wrong, "let   a = ;\n");
    write(&right, UGLY);
    insta::assert_snapshot!(told(&fmt(&folder, &[])));
    assert_eq!(read(&wrong), "let   a = ;\n");
    assert_eq!(read(&right), FINE);
}

#[test]
fn a_file_that_grows_over_a_limit_says_which() {
    let folder = folder("fmt_grows");
    let path = folder.join("a.flow");
    let text = format!("let a = 1\n{}\n", "{{{{a;a;a;a}}}}".repeat(60_000));
    write(&path, &text);
    insta::assert_snapshot!(told(&fmt(&folder, &[])));
    assert_eq!(read(&path), text);
}

#[test]
fn stdin_goes_to_stdout() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rhythm"))
        .args(["fmt", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program that cargo has just built runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(UGLY.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), FINE);
    assert_eq!(rhythm(&["fmt", "-", "a.flow"]).status.code(), Some(2));
}

#[test]
fn json_tells_of_every_file() {
    let folder = folder("fmt_json");
    write(&folder.join("a.flow"), "let a = ;\n");
    write(&folder.join("b.flow"), UGLY);
    let output = fmt(&folder, &["--json", "--check", "--diff"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(found[0]["file"], "a.flow");
    assert_eq!(found[0]["diagnostics"][0]["line"], 1);
    assert_eq!(found[1]["changed"], true);
    assert!(
        found[1]["diff"]
            .as_str()
            .is_some_and(|diff| diff.contains("+return { a: 1 };"))
    );
}

#[test]
fn a_path_that_is_not_there_is_said_by_name() {
    let output = rhythm(&["fmt", "nowhere.flow"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("nowhere.flow"), "{}", told(&output));
}
