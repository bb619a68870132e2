//! Measures Flow for `bench/flow/run`: CPU time, on one line of JSON each.
//!
//!   time run FILE     one run of a program, without what compiling it costs
//!   time steps FILE   starts, steps, saves and loads of a workflow
//!   time check FILE…  checks and compiles files
#![allow(clippy::print_stdout)]

mod time {
    pub(crate) mod check;
    pub(crate) mod steps;
}

use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Program, Source, Start, Vm, check};

/// The CPU time of this process so far: unlike the wall clock it does not see who else is busy.
pub(crate) fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .expect("every Linux has this clock")
        .into()
}

/// Compiles a file.
pub(crate) fn compile(name: &str, text: &str) -> Result<Program, String> {
    let source = Source::new(name, text);
    let checked = check(&source);
    let said: Vec<String> = checked
        .diagnostics
        .iter()
        .map(|one| one.render(&source))
        .collect();
    checked.program.ok_or_else(|| said.join("\n"))
}

/// Runs a program that waits for nothing.
fn run(file: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let program = Arc::new(compile(file, &text)?);
    let limits = Limits {
        fuel: u64::MAX,
        ..Limits::default()
    };
    let start = Start {
        inputs: "null".to_owned(),
        ..Start::default()
    };
    let mut vm = Vm::start(program, start, limits);
    let before = cpu();
    let outcome = vm.run(&mut MockHost::default());
    let took = (cpu() - before).as_nanos();
    match outcome {
        Outcome::Completed(result) => Ok(format!("{{\"ns\":{took},\"result\":{result}}}")),
        other => Err(format!("{other:?}")),
    }
}

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let line = match args[1..] {
        ["run", file] => run(file)?,
        ["steps", file] => time::steps::measure(file)?,
        ["check", ref files @ ..] => time::check::measure(files)?,
        _ => return Err("time run FILE | time steps FILE | time check FILE…".to_owned()),
    };
    println!("{line}");
    Ok(())
}
