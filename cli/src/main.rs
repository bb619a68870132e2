//! `rhythm`, the command for people and scripts: it runs a development server, deploys and checks
//! workflows, starts them, and shows what became of them.
//!
//! # Layout
//! - `cli`: the verbs; `commands/`: one verb a file, its arguments beside its code.
//! - `connection`: from `--url` and environment to a client.
//! - `output`: the only file that prints; `render/`: what a value looks like to people.
//! - `error`: kinds of errors and the exit codes 0 ok, 1 user, 2 usage, 3 server.
//! - `dev/`: the embedded server; `testing/`: test files and their reports.

mod cli;
mod commands;
mod connection;
mod dev;
mod error;
mod output;
mod render;
mod testing;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
