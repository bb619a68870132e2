//! A save as the beginning of another run: the same state under another name.

use rhythm_flow::host::Settlement;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Fork, Limits, Outcome, TransferError, Vm, fork};

use crate::drive::{compile, start};

const TEXT: &str = "\
const before = Context.executionId;
const tell = () => [before, Context.executionId, Context.taskId, Context.version, Context.startedAt.getTime()];
void Task.run('unseen');
const slow = sleep(5);
const a = await Task.run('a');
await slow;
return [a, ...tell(), Object.isFrozen(Context)];
";

#[test]
fn its_context_names_the_new_run_and_all_else_is_as_it_was() {
    let program = compile(TEXT);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let save = vm.save().expect("a save");
    let told = |save: &[u8]| {
        let mut vm = Vm::load(program.clone(), save, Limits::default()).expect("a load");
        for promise in [2, 3] {
            vm.settle(promise, Settlement::Fulfilled(Some(promise.to_string())));
        }
        match vm.run(&mut MockHost::default()) {
            Outcome::Completed(json) => json,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(&save), r#"[3,"","",null,0,0,true]"#);
    for (task_id, told_task_id) in [(None, "null"), (Some("it's \"k\""), r#""it's \"k\"""#)] {
        let Fork { save, pending } =
            fork(&program, &save, "the-other", task_id, Limits::default()).expect("a fork");
        assert_eq!(pending, [1, 2, 3], "also what nobody awaits");
        assert_eq!(
            told(&save),
            format!(r#"[3,"","the-other",{told_task_id},0,0,true]"#)
        );
    }
    let small = Limits {
        save_bytes: save.len(),
        ..Limits::default()
    };
    let long = "x".repeat(100);
    match fork(&program, &save, &long, None, small) {
        Err(TransferError::Refused(refusal)) => assert!(refusal.what.contains("rhythm.save_size")),
        other => panic!("{other:?}"),
    }
    let damaged = fork(
        &program,
        &save[..save.len() - 1],
        "x",
        None,
        Limits::default(),
    );
    assert!(matches!(damaged, Err(TransferError::Fault(_))));
}
