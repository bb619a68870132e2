//! Runs the programs that come on stdin, one after the other, and says how each ended: straight through, and with a
//! save and a load at each wait. `tests/differential` compares that with Node.
//!
//! A request is a line with the number of bytes, and so many bytes of text; an answer the same. The answer's first line
//! is the end (`refused`, `result`, `throws` or `limit`, and what), the others are the log, a line each. If the run with
//! saves ended otherwise, its answer follows after U+0001, `saved`, U+0001 (texts of programs hold U+0001 alone).
#![allow(clippy::print_stdout)]

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use rhythm_flow::host::{HostError, PromiseId, Settlement, TaskCall};
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Diagnostic, Limits, Outcome, Program, Source, Start, Vm, check};

/// 2024-01-01, as in the Node runner.
const START_MS: f64 = 1_704_067_200_000.0;

/// Generated programs are small: what needs more is told as a limit, and not compared.
fn limits() -> Limits {
    Limits {
        fuel: 3_000_000,
        heap_bytes: 16 << 20,
        depth: 400,
        ..Limits::default()
    }
}

fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut line = String::new();
    let mut bytes = Vec::new();
    while input.read_line(&mut line)? > 0 {
        let length = line.trim().parse().map_err(io::Error::other)?;
        bytes.resize(length, 0);
        input.read_exact(&mut bytes)?;
        let answer = answer(&String::from_utf8_lossy(&bytes));
        write!(output, "{}\n{answer}", answer.len())?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

fn answer(text: &str) -> String {
    let source = Source::new("generated.flow", text);
    let checked = check(&source);
    let Some(program) = checked.program.map(Arc::new) else {
        let first = checked.diagnostics.iter().find(|one| one.is_error());
        return format!("refused {}", first.map_or("", message));
    };
    let (straight, waited) = run(&program, false);
    if waited {
        let (saved, _) = run(&program, true);
        if straight != saved {
            return format!("{straight}\u{1}saved\u{1}{saved}");
        }
    }
    straight
}

fn message(diagnostic: &Diagnostic) -> &str {
    &diagnostic.message
}

/// Runs a program to its end, and says whether it ever waited; `saving`: through a save and a load at each wait, of
/// the program too.
fn run(program: &Arc<Program>, saving: bool) -> (String, bool) {
    let mut host = MockHost {
        now_ms: START_MS,
        ..MockHost::default()
    };
    let start = Start {
        inputs: "{}".to_owned(),
        ..Start::default()
    };
    let mut program = Arc::clone(program);
    let mut vm = Vm::start(Arc::clone(&program), start, limits());
    let mut waited = false;
    let end = loop {
        match vm.run(&mut host) {
            Outcome::Completed(result) => break format!("result {result}"),
            Outcome::Failed(error) if error.name == "LimitError" => break "limit".to_owned(),
            // The end is one line.
            Outcome::Failed(error) => {
                let told = format!("throws {}: {}", error.name, error.message);
                break told.replace('\n', "\\n");
            }
            Outcome::Abandoned => break "abandoned".to_owned(),
            Outcome::Suspended => waited = true,
        }
        if saving {
            match reload(&vm, &program) {
                Ok((same, loaded)) => (program, vm) = (same, loaded),
                Err(why) => break format!("unsaved {why}"),
            }
        }
        if !settle(&mut vm, &mut host) {
            break "stuck".to_owned();
        }
    };
    // What is told about functions that were dropped is Flow's own.
    let told = host
        .logs
        .iter()
        .filter(|(level, _)| *level == "log")
        .map(|(_, line)| line.as_str());
    let lines: Vec<&str> = std::iter::once(end.as_str()).chain(told).collect();
    (lines.join("\n"), waited)
}

fn reload(vm: &Vm, program: &Program) -> Result<(Arc<Program>, Vm), String> {
    let save = vm.save().map_err(|why| why.message)?;
    let program = Program::decode(&program.encode()).map_err(|why| why.to_string())?;
    let program = Arc::new(program);
    let loaded = Vm::load(Arc::clone(&program), &save, limits()).map_err(|why| why.to_string())?;
    Ok((program, loaded))
}

/// Settles the next promise as the Node runner does: tasks in their order, then the timer that is due first.
fn settle(vm: &mut Vm, host: &mut MockHost) -> bool {
    if !host.tasks.is_empty() {
        let (promise, call): (PromiseId, TaskCall) = host.tasks.remove(0);
        vm.settle(promise, task(call));
    } else if let Some(timer) = host.next_timer() {
        vm.settle(timer, Settlement::Fulfilled(None));
    } else {
        return false;
    }
    true
}

/// The task `fail` fails; all others give their inputs back.
fn task(call: TaskCall) -> Settlement {
    if call.name != "fail" {
        return Settlement::Fulfilled(Some(call.inputs));
    }
    Settlement::Rejected(HostError {
        name: "TaskError".to_owned(),
        message: "the task failed".to_owned(),
        ..HostError::default()
    })
}
