//! The command line from outside: its whole reference, usage errors, and the verbs that need no
//! server. What needs one is in the end-to-end tests.

mod check;
mod explain;
mod fmt;
mod reference;
mod test;
mod usage;

use std::process::{Command, Output};

/// Runs `rhythm` without any of the caller's settings.
fn rhythm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rhythm"))
        .args(arguments)
        .env_clear()
        .env("NO_COLOR", "1")
        .output()
        .expect("the program that cargo has just built runs")
}

/// What it printed and how it ended, as one text.
fn told(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut text = format!("exit code {}\n", output.status.code().unwrap_or(-1));
    for (name, content) in [("stdout", stdout), ("stderr", stderr)] {
        if !content.is_empty() {
            text.push_str(&format!("--- {name}\n{content}"));
        }
    }
    text
}
