//! A run that goes on in another version of its program: only where what it has done is the same in both.

use std::sync::Arc;

use rhythm_flow::host::{PromiseId, Settlement, TaskCall};
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Program, Refusal, TransferError, Vm, transfer};

use crate::drive::{compile, start};

/// A run that waits, and what it has asked for.
struct Waiting {
    program: Arc<Program>,
    save: Vec<u8>,
    host: MockHost,
}

/// Runs a program until it waits, after `answered` of its tasks have given their names.
fn waits(text: &str, answered: usize) -> Waiting {
    let program = compile(text);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended, "{text}");
    for _ in 0..answered {
        let (promise, call) = host.tasks.remove(0);
        vm.settle(promise, named(&call));
        assert_eq!(vm.run(&mut host), Outcome::Suspended, "{text}");
    }
    Waiting {
        save: vm.save().expect("a save"),
        program,
        host,
    }
}

fn named(call: &TaskCall) -> Settlement {
    Settlement::Fulfilled(Some(format!("\"{}\"", call.name)))
}

fn moved(waiting: &Waiting, new: &str) -> Result<(Arc<Program>, Vec<u8>), Refusal> {
    let new = compile(new);
    match transfer(&waiting.program, &new, 7, &waiting.save, Limits::default()) {
        Ok(save) => Ok((new, save)),
        Err(TransferError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("{other:?}"),
    }
}

/// Moves a run and gives what it returns, its tasks giving their names.
fn ends(old: &str, answered: usize, new: &str) -> String {
    let mut waiting = waits(old, answered);
    let (program, save) =
        moved(&waiting, new).unwrap_or_else(|refusal| panic!("{refusal}\n{old}\n{new}"));
    let mut vm = Vm::load(program, &save, Limits::default()).expect("a load");
    let host = &mut waiting.host;
    loop {
        let mut due: Vec<(PromiseId, Settlement)> = Vec::new();
        due.extend(
            host.tasks
                .drain(..)
                .map(|(promise, call)| (promise, named(&call))),
        );
        if due.is_empty() {
            let timer = host.next_timer().expect("something to answer");
            due.push((timer, Settlement::Fulfilled(None)));
        }
        for (promise, settlement) in due {
            vm.settle(promise, settlement);
        }
        match vm.run(host) {
            Outcome::Suspended => {}
            Outcome::Completed(json) => return json,
            other => panic!("{other:?}\n{new}"),
        }
    }
}

/// Where the two are said to differ.
fn refused(old: &str, answered: usize, new: &str) -> (String, String, String) {
    let Err(refusal) = moved(&waits(old, answered), new) else {
        panic!("moved:\n{old}\n{new}");
    };
    (
        refusal.old.unwrap_or_default(),
        refusal.new.unwrap_or_default(),
        refusal.what,
    )
}

const OLD: &str = "\
const a = await Task.run('a');
const b = await Task.run('b');
return [a, b];
";

#[test]
fn what_comes_behind_the_await_may_be_anything() {
    for new in [
        "const a = await Task.run('a');\nreturn [a, 'new'];\n",
        "const a = await Task.run('a');\nconst c = await Task.run('c');\nconst d = [c, 'new'];\nreturn [a, ...d].slice(0, 1).concat('new');\n",
        "const a = await Task.run('a');\nfor (const x of [1, 2]) { const y = await Task.run('y'); if (x > 5) return y; }\nreturn [a, 'new'];\n",
        "const a = await Task.run('a');\nconst twice = (x) => [x, 'new'];\nreturn twice(a);\n",
        "const a = await Task.run('a');\ntry { throw new Error('new') } catch (e) { return [a, e.message]; }\n",
    ] {
        assert_eq!(ends(OLD, 0, new), r#"["a","new"]"#, "{new}");
    }
    // Behind the second await the first must be the same.
    let new = "const a = await Task.run('a');\nconst b = await Task.run('b');\nreturn { a, b };\n";
    assert_eq!(ends(OLD, 1, new), r#"{"a":"a","b":"b"}"#);
}

#[test]
fn what_comes_before_must_be_the_same_and_the_line_is_told() {
    let new = "const a = await Task.run('x');\nconst b = await Task.run('b');\nreturn [a, b];\n";
    let (old_place, new_place, _) = refused(OLD, 0, new);
    assert!(old_place.starts_with("test.flow:1:"), "{old_place}");
    assert!(new_place.starts_with("test.flow:1:"), "{new_place}");

    let old = "let n = 1;\nn = n + 1;\nawait sleep(1);\nreturn n;\n";
    let new = "let n = 1;\n// A comment moves it down.\n\nn = n + 2;\nawait sleep(1);\nreturn n;\n";
    let (old_place, new_place, _) = refused(old, 0, new);
    assert!(old_place.starts_with("test.flow:2:"), "{old_place}");
    assert!(new_place.starts_with("test.flow:4:"), "{new_place}");

    for new in [
        "let n = 1;\nif (n > 1) n = n + 1;\nawait sleep(1);\nreturn n;\n",
        "let n = 1;\nn = 1 + n;\nawait sleep(1);\nreturn n;\n",
        "let n = 1, m = 2;\nn = n + 1;\nawait sleep(1);\nreturn n;\n",
        "let n = 1.5;\nn = n + 1;\nawait sleep(1);\nreturn n;\n",
        "return 5;\n",
        "",
    ] {
        refused(old, 0, new);
    }
}

#[test]
fn names_comments_and_layout_are_nothing() {
    let new = "/* all in one line */ const first = await Task.run( 'a' ); const second = await Task.run('b'); return { first, second };";
    assert_eq!(ends(OLD, 1, new), r#"{"first":"a","second":"b"}"#);
    // Two variables that have changed their names with each other mean something else.
    let old = "const a = 1;\nconst b = 2;\nconst c = a;\nawait sleep(1);\nreturn [a, b, c];\n";
    assert_eq!(
        ends(
            old,
            0,
            "const b = 1;\nconst a = 2;\nconst c = b;\nawait sleep(1);\nreturn [a, b, c];\n"
        ),
        "[2,1,1]"
    );
    refused(
        old,
        0,
        "const b = 1;\nconst a = 2;\nconst c = a;\nawait sleep(1);\nreturn [a, b, c];\n",
    );
}

#[test]
fn a_loop_goes_on_with_the_new_code() {
    let old = "\
const seen = [];
for (const name of ['a', 'b', 'c']) {
  const got = await Task.run(name);
  seen.push(got);
}
return seen;
";
    let new = "\
const seen = [];
for (const name of ['a', 'b', 'c']) {
  const got = await Task.run(name);
  const loud = got + '!';
  seen.push(loud);
}
const more = seen.length;
return [...seen, more];
";
    assert_eq!(ends(old, 1, new), r#"["a","b!","c!",3]"#);
    refused(old, 1, &new.replace("['a', 'b', 'c']", "['a', 'b', 'd']"));
}

#[test]
fn a_variable_that_has_no_value_yet_is_not_read() {
    let old = "let n = 1;\nawait sleep(1);\nn = 2;\nreturn n;\n";
    // A loop leads back to the await: what the new code keeps for the next turn was never set.
    let looped_old = "\
let turns = 0;
do {
  await sleep(1);
  turns += 1;
} while (turns < 2);
return turns;
";
    let looped_new = "\
let turns = 0;
do {
  await sleep(1);
  let extra;
  turns += 1;
  extra = turns;
} while (turns < 3);
return turns;
";
    assert_eq!(ends(looped_old, 0, looped_new), "3");
    assert_eq!(
        ends(
            old,
            0,
            "let n = 1;\nawait sleep(1);\nlet m = n + 4;\nreturn m;\n"
        ),
        "5"
    );
    // One that is declared before the await is set before it: the code is another.
    refused(old, 0, "let n = 1, m;\nawait sleep(1);\nreturn m;\n");
}

#[test]
fn functions_that_were_only_declared_may_change_and_those_that_ran_may_not() {
    let old = "\
function early(x) { return x + 1; }
function late(x) { return x + 10; }
const a = early(1);
await sleep(1);
return [a, early(1), late(1)];
";
    assert_eq!(ends(old, 0, &old.replace("x + 10", "x + 100")), "[2,2,101]");
    let (old_place, new_place, _) = refused(old, 0, &old.replace("x + 1;", "x + 2;"));
    assert!(old_place.starts_with("test.flow:1:"), "{old_place}");
    assert!(new_place.starts_with("test.flow:1:"), "{new_place}");

    // What an executed function calls has been executed too.
    let old = "\
function inner(x) { return x + 1; }
const outer = (x) => inner(x);
const a = outer(1);
await sleep(1);
return a;
";
    refused(old, 0, &old.replace("x + 1;", "x + 2;"));
    // A function that is handed on may have been called.
    let old = "const a = [1, 2].map((x) => x + 1);\nawait sleep(1);\nreturn a;\n";
    refused(old, 0, &old.replace("x + 1", "x + 2"));
}

#[test]
fn an_added_function_is_there_only_where_it_is_made_behind_the_await() {
    let with_late =
        "const a = await Task.run('a');\nconst late = () => 'late';\nreturn [a, late()];\n";
    assert_eq!(ends(OLD, 0, with_late), r#"["a","late"]"#);
    // A hoisted one is made when its block begins, which is over.
    let hoisted =
        "const a = await Task.run('a');\nreturn [a, late()];\nfunction late() { return 'late'; }\n";
    let (_, new_place, what) = refused(OLD, 0, hoisted);
    assert!(new_place.starts_with("test.flow:3:"), "{new_place}");
    assert!(what.contains("late"), "{what}");
}

#[test]
fn closures_keep_their_variables() {
    let old = "\
let count = 0;
let unused = 5;
const up = () => { count += 1; return count; };
const both = () => [count, unused];
await sleep(1);
up();
return both();
";
    let new = "\
let count = 0;
let unused = 5;
const up = () => { count += 10; return count; };
const both = () => [unused, count];
await sleep(1);
up();
up();
return both();
";
    assert_eq!(ends(old, 0, new), "[5,20]");
    // `up` never saw `unused`.
    let (old_place, new_place, what) =
        refused(old, 0, &old.replace("count += 1;", "count += unused;"));
    assert!(old_place.starts_with("test.flow:3:"), "{old_place}");
    assert!(new_place.starts_with("test.flow:3:"), "{new_place}");
    assert!(what.contains("variable"), "{what}");
}

#[test]
fn every_suspended_function_is_looked_at() {
    let old = "\
async function one(name) {
  const got = await Task.run(name);
  const more = await Task.run(name + '2');
  return [got, more];
}
return await Promise.all(['a', 'b'].map((name) => one(name)));
";
    // Both wait at the first await.
    let late = old.replace("[got, more]", "[more, got]");
    assert_eq!(ends(old, 0, &late), r#"[["a2","a"],["b2","b"]]"#);
    let middle = old.replace("name + '2'", "name + '3'");
    assert_eq!(ends(old, 0, &middle), r#"[["a","a3"],["b","b3"]]"#);
    // One has gone on to the second: what it has asked for was another.
    let (old_place, new_place, _) = refused(old, 1, &middle);
    assert!(old_place.starts_with("test.flow:3:"), "{old_place}");
    assert!(new_place.starts_with("test.flow:3:"), "{new_place}");
    assert_eq!(ends(old, 1, &late), r#"[["a2","a"],["b2","b"]]"#);
}

#[test]
fn slots_of_inner_blocks_move_up() {
    let old = "\
for (const x of [1, 2]) { const w = x; { const v = w; console.log(v); } }
for (const y of ['a', 'b']) {
  if (y) {
    const q = await Task.run(y);
    console.log(q);
  }
}
return 'old';
";
    let new = "\
for (const x of [1, 2]) { const w = x; { const v = w; console.log(v); } }
for (const y of ['a', 'b']) {
  if (y) {
    const q = await Task.run(y);
    console.log(q);
  }
  const z = 1, z2 = 2;
  console.log(z, z2);
}
const end = 'new';
return end;
";
    assert_eq!(ends(old, 0, new), r#""new""#);
    assert_eq!(ends(new, 0, old), r#""old""#, "and down again");
}

#[test]
fn operands_and_handlers_go_along() {
    let old = "\
try {
  return [1, await Task.run('a'), 'old'];
} finally {
  console.log('done');
}
";
    let new = old.replace("'old'", "'new'").replace("'done'", "'over'");
    assert_eq!(ends(old, 0, &new), r#"[1,"a","new"]"#);
    let caught = "\
let n = 0;
try { n = 1; JSON.parse('{'); } catch { n = 2; }
await sleep(1);
return n;
";
    refused(caught, 0, &caught.replace("n = 2", "n = 3"));
    assert_eq!(
        ends(caught, 0, &caught.replace("return n", "return [n]")),
        "[2]"
    );
}

#[test]
fn the_context_tells_the_new_version() {
    let old = "await sleep(1);\nreturn Context.version;\n";
    assert_eq!(
        ends(old, 0, "await sleep(1);\nreturn [Context.version];\n"),
        "[7]"
    );
}
