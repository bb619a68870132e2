//! What is shown of a waiting run: where each frame waits, and what its variables are.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rhythm_flow::host::Settlement;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Bounds, Limits, Outcome, Program, Suspended, Vm, suspended};

use crate::drive::{compile, start};

const BOUNDS: Bounds = Bounds {
    variables: 1000,
    bytes: 200,
};

/// The save after so many steps, in each of which everything that is awaited comes to 1; with its program stored and read again.
fn saved(text: &str, steps: usize) -> (Arc<Program>, Vec<u8>) {
    let program = compile(text);
    let mut vm = start(&program, Limits::default());
    for _ in 0..steps {
        for promise in vm.pending() {
            vm.settle(promise, Settlement::Fulfilled(Some("1".to_owned())));
        }
        assert_eq!(vm.run(&mut MockHost::default()), Outcome::Suspended);
    }
    let stored = Program::decode(&program.encode()).expect("a program");
    (Arc::new(stored), vm.save().expect("a save"))
}

fn frames_within(text: &str, steps: usize, bounds: Bounds) -> Vec<Suspended> {
    let (program, save) = saved(text, steps);
    suspended(&program, &save, Limits::default(), bounds).expect("frames")
}

/// Frames as lines: `function line:column [promises]`, then `  name = value`. What every workflow has is left out.
fn shown(text: &str, steps: usize) -> String {
    let mut lines = Vec::new();
    for frame in frames_within(text, steps, BOUNDS) {
        let (function, line, column) = (&frame.function, frame.line, frame.column);
        lines.push(format!("{function} {line}:{column} {:?}", frame.promises));
        assert_eq!(frame.promises.len(), frame.promise_count);
        for one in &frame.variables {
            if !["Inputs", "Context"].contains(&one.name.as_str()) {
                lines.push(format!("  {} = {}", one.name, one.value));
            }
        }
    }
    lines.join("\n")
}

#[test]
fn each_frame_says_where_it_waits_and_what_it_has() {
    let text = "const order = { id: 7, items: ['a', 'b'] };
let total = 0;
async function charge(item, { times } = { times: 2 }) {
  const price = total + 10;
  const ok = await Task.run('charge', { item });
  return ok && price;
}
const add = async (item) => {
  total += await charge(item);
};
await Promise.all(order.items.map(add));
await sleep(5);
return total;";
    assert_eq!(
        shown(text, 1),
        "workflow 11:1 []
  order = { id: 7, items: [ 'a', 'b' ] }
  total = 0
  charge = [AsyncFunction: charge]
  add = [AsyncFunction: add]
charge 5:14 [1]
  item = 'a'
  times = 2
  price = 10
  total = 0
charge 5:14 [2]
  item = 'b'
  times = 2
  price = 10
  total = 0
add 9:12 []
  item = 'a'
  total = 0
  charge = [AsyncFunction: charge]
add 9:12 []
  item = 'b'
  total = 0
  charge = [AsyncFunction: charge]"
    );
    // Both have added to what was there when they began to wait, as in JavaScript.
    assert_eq!(
        shown(text, 2),
        "workflow 12:1 [3]
  order = { id: 7, items: [ 'a', 'b' ] }
  total = 10
  charge = [AsyncFunction: charge]
  add = [AsyncFunction: add]"
    );
}

#[test]
fn a_variable_is_shown_from_its_declaration_to_the_end_of_its_block() {
    let text = "for (const step of [1, 2]) {
  await sleep(step);
  const after = step * 10;
  { const inner = 'inner'; await sleep(1); }
  { const other = 'other'; let unset; await sleep(1); }
}
let late = 5;
await sleep(1);
return [late];";
    let expected = [
        "workflow 2:3 [1]\n  step = 1",
        "workflow 4:28 [2]\n  step = 1\n  after = 10\n  inner = 'inner'",
        "workflow 5:39 [3]\n  step = 1\n  after = 10\n  other = 'other'\n  unset = undefined",
        // The slots of the last turn still have what it left.
        "workflow 2:3 [4]\n  step = 2",
        "workflow 4:28 [5]\n  step = 2\n  after = 20\n  inner = 'inner'",
    ];
    for (at, expected) in expected.into_iter().enumerate() {
        assert_eq!(shown(text, at + 1), expected);
    }
    assert_eq!(shown(text, 7), "workflow 8:1 [7]\n  late = 5");
}

#[test]
fn variables_of_every_kind_of_head_and_those_that_closures_share() {
    let text = "let count = 0;
const bump = () => { count += 1; };
for (let i = 0; i < 1; i++) { bump(); await sleep(1); }
try { throw new Error('no'); } catch ({ message }) { await sleep(1); } finally { await sleep(1); }
switch (count) { case 1: const picked = [count]; await sleep(1); }
for (const key in { a: 1 }) { await sleep(1); }
const wait = async (first, ...rest) => { bump(); await sleep(1); return [first, rest]; };
const [, second = 2] = await wait('x', 'y', 'z');
await sleep(1);
return second;";
    let base = "\n  count = 1\n  bump = [Function: bump]";
    let wait = "\n  wait = [AsyncFunction: wait]";
    let expected = [
        format!("workflow 3:39 [1]{base}\n  i = 0"),
        format!("workflow 4:54 [2]{base}\n  message = 'no'"),
        format!("workflow 4:82 [3]{base}"),
        format!("workflow 5:50 [4]{base}\n  picked = [ 1 ]"),
        format!("workflow 6:31 [5]{base}\n  key = 'a'"),
    ];
    for (at, expected) in expected.into_iter().enumerate() {
        assert_eq!(shown(text, at + 1), expected);
    }
    let base = base.replace('1', "2");
    assert_eq!(
        shown(text, 6),
        format!(
            "workflow 8:24 []{base}{wait}\nwait 7:50 [6]\n  first = 'x'\n  rest = [ 'y', 'z' ]\n  bump = [Function: bump]"
        )
    );
    assert_eq!(
        shown(text, 7),
        format!("workflow 9:1 [7]{base}{wait}\n  second = [ 'y', 'z' ]")
    );
}

#[test]
fn what_json_cannot_hold_is_shown_too() {
    let text = "const values = [undefined, null, NaN, -0, 1e21, () => 1, Math.max, JSON, /a+/g, new Date(0), new Date(NaN)];
const table = new Map([['k', new Set([1])]]);
const self = { name: 'loop' };
self.self = self;
const half = '\\ud800', zero = 'a\\0b', failed = new TypeError('bad');
failed.stack = 'bad\\0';
const later = sleep(9);
await sleep(1);
return [values, table, self, half, zero, failed, await later];";
    assert_eq!(
        shown(text, 1),
        r"workflow 8:1 [2]
  values = [ undefined, null, NaN, -0, 1e+21, [Function (anonymous)], [Function: max], Object [JSON] {}, /a+/g, 1970-01-01T00:00:00.000Z, Invalid Date ]
  table = Map(1) { 'k' => Set(1) { 1 } }
  self = <ref *1> { name: 'loop', self: [Circular *1] }
  half = '\ud800'
  zero = 'a\x00b'
  failed = [bad�]
  later = Promise { <pending> }"
    );
}

#[test]
fn long_values_and_many_variables_are_cut_and_say_so() {
    let text = "const text = 'é'.repeat(100000), list = Array.from({ length: 100000 }, (_, i) => i), short = 1;
const waits = async (i) => { const own = [i]; await sleep(1); return own; };
await Promise.all([1, 2, 3].map(waits));";
    let bounds = Bounds {
        variables: 8,
        bytes: 20,
    };
    let frames = frames_within(text, 1, bounds);
    let variables: Vec<(&str, &str, bool)> = frames
        .iter()
        .flat_map(|frame| &frame.variables)
        .map(|one| (one.name.as_str(), one.value.as_str(), one.is_cut))
        .skip(2)
        .collect();
    assert_eq!(
        variables,
        [
            ("text", "'ééééééééé…", true),
            ("list", "[ 0, 1, 2, 3, 4, 5, …", true),
            ("short", "1", false),
            ("waits", "[AsyncFunction: wait…", true),
            ("i", "1", false),
            ("own", "[ 1 ]", false),
        ]
    );
    // A frame without variables is one, too.
    let frames = frames_within(
        "await Promise.all([1, 2, 3].map(async () => { await sleep(1); }));",
        1,
        Bounds {
            variables: 4,
            ..BOUNDS
        },
    );
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[1].function, "<anonymous>");
}

#[test]
fn a_frame_names_the_first_of_many_promises_and_counts_all() {
    let text = "const one = Task.run('a'), two = Task.run('b').then((x) => x);
Task.run('unwatched');
await Promise.race([one, two, Promise.all(Array.from({ length: 500 }, () => Task.run('c')))]);";
    let frames = frames_within(text, 1, BOUNDS);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].promise_count, 502);
    assert_eq!(frames[0].promises.len(), 100);
    assert_eq!(frames[0].promises[..4], [1, 2, 4, 5]);
}

#[test]
fn programs_that_kept_no_names_tell_their_slots() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/program1-save2");
    let read = |name: &str| fs::read(folder.join(name)).expect("a golden file");
    let stored = read("worker_pool.program");
    let program = Program::decode(&stored).expect("an old program");
    assert_eq!(program.encode(), stored);
    let save = read("worker_pool.1.save");
    let frames = suspended(&Arc::new(program), &save, Limits::default(), BOUNDS).expect("frames");
    assert!(frames.iter().all(|frame| frame.line > 0));
    let names: Vec<&str> = frames
        .iter()
        .flat_map(|frame| &frame.variables)
        .map(|one| one.name.as_str())
        .collect();
    assert!(names.contains(&"slot 0"), "{names:?}");
    assert!(names.contains(&"capture 0"), "{names:?}");
}

#[test]
fn names_stay_readable() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/program1-save2");
    let read = |name: &str| fs::read(folder.join(name)).expect("a golden file");
    let program = Arc::new(Program::decode(&read("frames.program")).expect("a program"));
    let save = read("frames.3.save");
    let frames = suspended(&program, &save, Limits::default(), BOUNDS).expect("frames");
    let shown: Vec<String> = frames
        .iter()
        .flat_map(|frame| &frame.variables)
        .map(|one| format!("{} = {}", one.name, one.value))
        .skip(2)
        .collect();
    assert_eq!(
        shown,
        [
            "total = 1",
            "add = [AsyncFunction: add]",
            "amount = 2",
            "amount = 2",
            "total = 1"
        ]
    );
}

#[test]
fn a_damaged_save_is_a_fault() {
    let (program, save) = saved(
        "const a = [1, 'two', new Map()]; const f = async () => { await sleep(1); return a; }; await f();",
        1,
    );
    let look = |program: &Arc<Program>, save: &[u8]| {
        suspended(program, save, Limits::default(), BOUNDS).map(|_| ())
    };
    assert_eq!(look(&program, &save), Ok(()));
    for at in 0..save.len() {
        assert!(look(&program, &save[..at]).is_err(), "cut at {at}");
        let mut other = save.clone();
        other[at] ^= 0x15;
        assert!(look(&program, &other).is_err(), "changed at {at}");
    }
    let other = compile("await sleep(2);");
    assert!(look(&other, &save).is_err());
    assert!(Vm::load(program, &save, Limits::default()).is_ok());
}

#[test]
fn names_are_the_same_at_each_compilation() {
    let variables: Vec<String> = (0..50).map(|i| format!("const v{i} = {i};")).collect();
    let text = format!("{} await sleep(1);", variables.concat());
    let first = compile(&text).encode();
    for _ in 0..5 {
        assert_eq!(compile(&text).encode(), first);
    }
}
