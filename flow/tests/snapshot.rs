//! Saves: everything survives them, they hold only what is reachable, and damage never panics.

use rhythm_flow::error::Fault;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Vm};

use crate::drive::{answer, compile, start};

/// Everything that a save can hold, in one program.
const ALL: &str = r#"
const shared = {n: 1, "2": "two", "1": "one", nested: [1.5, -0, NaN, Infinity, null, undefined, , "é😀\uD800"]};
shared.self = shared;
const map = new Map([["a", 1], [NaN, 2], [shared, 3]]); map.delete("a"); map.set("b", shared);
const set = new Set([1, "1", shared]);
const date = new Date(5);
const error = new TypeError("bad", {cause: shared}); error.code = "E1";
const frozen = Object.freeze([1, Object.seal({a: 1})]);
let counter = 0;
const next = () => ++counter;
const iterator = map.entries(); iterator.next();
const text = `ab${"c"}d`;
let rope = ""; for (let i = 0; i < 100; i++) rope += "xyz";
const math = Math, max = Math.max, keys = Object.keys;
const done = Promise.resolve(7), failed = Promise.reject(new Error("later")); failed.catch(() => {});
const chain = sleep(3).then((x) => { next(); return [x, counter]; }).finally(() => next());
const all = Promise.all([sleep(1), done, sleep(2).then(() => "two")]);
const settled = Promise.allSettled([failed, sleep(1)]);
const any = Promise.any([sleep(2), failed]);
const race = Promise.race([sleep(2), sleep(1).then(() => "first")]);
const tried = Task.try("echo", {a: 1});
const later = async (n) => { try { for (const [k] of map) { await sleep(n); counter += k === "b" ? 10 : 1; } } finally { await sleep(n); counter += 100; } return n; };
const running = [later(1), later(2)];
next();
await sleep(0.5);
const again = [...iterator];
return [
  shared.self === shared, shared.self.nested.length, 6 in shared.nested, 5 in shared.nested, Object.is(shared.nested[1], -0), shared.nested[7].length, Object.keys(shared),
  map.get(NaN), map.get("b") === shared, map.size, set.has(shared), [...set].length, date.getTime(),
  error instanceof TypeError, error.message, error.code, error.cause === shared, Object.keys(error),
  Object.isFrozen(frozen), Object.isSealed(frozen[1]), next(), again.length, text, rope.length,
  math.max(1, 2), max(3, 4), keys({q: 1}), math === Math,
  await done, await chain, await all, (await settled).map((s) => s.status), await any, await race, await tried,
  await Promise.all(running), counter,
];
"#;

/// What Node gives.
const EXPECTED: &str = r#"[true,8,false,true,true,4,["1","2","n","nested","self"],2,true,3,true,3,5,true,"bad","E1",true,["code"],true,true,2,2,"abcd",300,2,4,["q"],true,7,[null,6],[null,7,"two"],["rejected","fulfilled"],null,"first",{"success":true,"value":{"a":1}},[1,2],228]"#;

fn run(saves: bool) -> String {
    let program = compile(ALL);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    loop {
        match vm.run(&mut host) {
            Outcome::Suspended => {}
            Outcome::Completed(json) => return json,
            other => panic!("{other:?}"),
        }
        if saves {
            let save = vm.save().expect("a save");
            vm = Vm::load(program.clone(), &save, Limits::default()).expect("a load");
            assert_eq!(
                vm.save().expect("a save"),
                save,
                "a loaded run saves as it was"
            );
        }
        assert!(answer(&mut vm, &mut host), "nothing to answer");
    }
}

#[test]
fn everything_survives() {
    assert_eq!(run(false), EXPECTED);
    assert_eq!(run(true), EXPECTED);
}

fn suspended(text: &str) -> Vec<u8> {
    let mut vm = start(&compile(text), Limits::default());
    assert_eq!(vm.run(&mut MockHost::default()), Outcome::Suspended);
    vm.save().expect("a save")
}

#[test]
fn a_save_is_small_and_holds_only_what_is_reachable() {
    let small = suspended("await sleep(1);");
    assert!(small.len() < 400, "{} bytes", small.len());
    // Neither garbage nor the variables of blocks that are over are kept.
    let large = suspended(
        "{ const big = []; for (let i = 0; i < 10000; i++) big.push(i); console.log(big.length); } await sleep(1);",
    );
    assert!(large.len() < 400, "{} bytes", large.len());
}

#[test]
fn a_save_belongs_to_its_program() {
    let save = suspended("await sleep(1); return 1;");
    let other = compile("await sleep(1); return 2;");
    let fault = Vm::load(other.clone(), &save, Limits::default())
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}");
    assert!(matches!(
        Vm::load(other, b"x", Limits::default()),
        Err(Fault::NotOurs("save"))
    ));
}

#[test]
fn a_newer_save_is_refused_by_name() {
    let text = "await sleep(1);";
    let mut save = suspended(text);
    save[8] = 99;
    let fault = Vm::load(compile(text), &save, Limits::default())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        fault,
        Fault::TooNew {
            what: "save",
            version: 99
        }
    );
}

#[test]
fn damage_is_a_fault_or_a_run_but_never_a_panic() {
    let program = compile(ALL);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let save = vm.save().expect("a save");
    let limits = Limits {
        fuel: 50_000,
        heap_bytes: 8 << 20,
        ..Limits::default()
    };
    let mut loaded = 0;
    let mut try_load = |bytes: &[u8]| {
        if let Ok(mut vm) = Vm::load(program.clone(), bytes, limits.clone()) {
            loaded += 1;
            for promise in vm.pending() {
                vm.settle(
                    promise,
                    rhythm_flow::host::Settlement::Fulfilled(Some("1".into())),
                );
            }
            let _ = vm.run(&mut MockHost::default());
            let _ = vm.save();
        }
    };
    for at in 0..save.len() {
        try_load(&save[..at]);
        for flip in [1, 2, 0x80, 0xFF] {
            let mut damaged = save.clone();
            damaged[at] ^= flip;
            try_load(&damaged);
        }
    }
    assert!(loaded > 0, "some damage only changes a value");
}
