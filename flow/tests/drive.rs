//! Runs programs for the tests of this binary: compiles them, and answers what they ask of the host.

use std::sync::Arc;

use rhythm_flow::host::Settlement;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Program, Source, Start, Vm, check};

/// A program that must compile.
pub(crate) fn compile(text: &str) -> Arc<Program> {
    let source = Source::new("test.flow", text);
    let checked = check(&source);
    let said: Vec<String> = checked
        .diagnostics
        .iter()
        .map(|one| one.render(&source))
        .collect();
    Arc::new(
        checked
            .program
            .unwrap_or_else(|| panic!("refused:\n{}", said.join("\n"))),
    )
}

/// A run of a program that has not begun, with `null` as its inputs.
pub(crate) fn start(program: &Arc<Program>, limits: Limits) -> Vm {
    let start = Start {
        inputs: "null".to_owned(),
        ..Start::default()
    };
    Vm::start(Arc::clone(program), start, limits)
}

/// Runs a program to its end: tasks give their inputs back, timers fire in order, signals never come.
pub(crate) fn finish(text: &str) -> (Outcome, MockHost) {
    let program = compile(text);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    let outcome = go_on(&mut vm, &mut host);
    (outcome, host)
}

/// Goes on with a run as long as a task or timer can be answered.
pub(crate) fn go_on(vm: &mut Vm, host: &mut MockHost) -> Outcome {
    loop {
        let outcome = vm.run(host);
        if outcome != Outcome::Suspended || !answer(vm, host) {
            return outcome;
        }
    }
}

/// Answers one task or timer, if there is one.
pub(crate) fn answer(vm: &mut Vm, host: &mut MockHost) -> bool {
    if !host.tasks.is_empty() {
        let (promise, call) = host.tasks.remove(0);
        vm.settle(promise, Settlement::Fulfilled(Some(call.inputs)));
    } else if let Some(timer) = host.next_timer() {
        vm.settle(timer, Settlement::Fulfilled(None));
    } else {
        return false;
    }
    true
}

/// The JSON that a run completed with.
pub(crate) fn result(text: &str) -> String {
    match finish(text).0 {
        Outcome::Completed(json) => json,
        other => panic!("{other:?}"),
    }
}

/// The name, message and code that a run failed with.
pub(crate) fn failure(outcome: Outcome) -> (String, String, Option<String>, String) {
    match outcome {
        Outcome::Failed(error) => (
            error.name,
            error.message,
            error.code,
            error.stack.unwrap_or_default(),
        ),
        other => panic!("{other:?}"),
    }
}
