//! Saves of states that no program makes: what a save may say of how its bodies belong together.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::mock::{MockHost, Settlement};
use crate::regex::{Flags, compile};
use crate::value::promise::{Aggregate, Combinator, HostPromise, Promise, Reaction, Wrap};
use crate::value::regex::Regex;
use crate::value::{Body, Ref, Value};
use crate::{Limits, Outcome, Program, Source, Start, Vm, check};

fn suspended(text: &str) -> (Arc<Program>, Vm) {
    let program = check(&Source::new("test.flow", text)).program;
    let program = Arc::new(program.expect("a valid program"));
    let start = Start {
        inputs: "{}".to_owned(),
        ..Start::default()
    };
    let mut vm = Vm::start(Arc::clone(&program), start, Limits::default());
    assert_eq!(vm.run(&mut MockHost::default()), Outcome::Suspended);
    (program, vm)
}

/// Whether a save is loaded after its state was changed.
fn loads(text: &str, change: impl FnOnce(&mut Vm)) -> bool {
    let (program, mut vm) = suspended(text);
    let load = |vm: &Vm| {
        let save = vm.save().expect("a save");
        Vm::load(Arc::clone(&program), &save, Limits::default()).is_ok()
    };
    assert!(load(&vm), "it loads as it was");
    change(&mut vm);
    load(&vm)
}

fn all(vm: &Vm, wanted: fn(&Body) -> bool) -> Vec<Ref> {
    let found = vm.heap.iter().filter(|(_, body)| wanted(body));
    found.map(|(at, _)| at).collect()
}

fn promises(vm: &Vm) -> Vec<Ref> {
    all(vm, |body| matches!(body, Body::Promise(_)))
}

fn coroutines(vm: &Vm) -> Vec<Ref> {
    all(vm, |body| matches!(body, Body::Coroutine(_)))
}

fn promise(vm: &mut Vm, at: Ref) -> &mut Promise {
    match vm.heap.body_mut(at) {
        Body::Promise(promise) => promise,
        other => panic!("{other:?}"),
    }
}

/// The promise that the host settles.
fn timer(vm: &Vm) -> Ref {
    *vm.state.pending.values().next().expect("a timer")
}

const ONE: &str = "await sleep(1);";
const TWO: &str = "const one = async () => { await sleep(1) }; await Promise.all([one(), one()]);";

#[test]
fn a_suspended_function_waits_once() {
    assert!(!loads(ONE, |vm| {
        let at = timer(vm);
        let reactions = &mut promise(vm, at).reactions;
        reactions.push(reactions[0]);
    }));
    assert!(!loads(TWO, |vm| {
        let (one, timer) = (coroutines(vm)[0], timer(vm));
        promise(vm, timer).reactions = vec![Reaction::Await(one); 2];
    }));
}

#[test]
fn a_suspended_function_settles_a_promise_of_its_own() {
    assert!(!loads(TWO, |vm| {
        let found = coroutines(vm);
        let Body::Coroutine(first) = vm.heap.body(found[0]) else {
            panic!("a suspended function");
        };
        let result = first.promise;
        for at in found {
            if let Body::Coroutine(body) = vm.heap.body_mut(at) {
                body.promise = result;
            }
        }
    }));
    assert!(!loads(ONE, |vm| {
        let (found, timer) = (coroutines(vm), timer(vm));
        if let Body::Coroutine(body) = vm.heap.body_mut(found[0]) {
            body.promise = timer;
        }
    }));
}

#[test]
fn what_the_host_settles_is_what_waits_for_it() {
    let stranger = |id| {
        move |vm: &mut Vm| {
            let at = vm.state.main.expect("a promise");
            let wrap = Wrap::Plain;
            promise(vm, at).host = Some(HostPromise { id, wrap });
        }
    };
    assert!(!loads(ONE, stranger(1)));
    assert!(!loads(ONE, stranger(7)));
}

#[test]
fn numbers_have_others_behind_them() {
    assert!(!loads(ONE, |vm| vm.state.next_promise = u32::MAX));
    for most in [1 << 54, u64::MAX] {
        assert!(!loads(
            "const map = new Map([[1, 2]]); await sleep(1); map.size;",
            |vm| {
                let found = all(vm, |body| matches!(body, Body::Map(_)));
                if let Body::Map(table) = vm.heap.body_mut(found[0]) {
                    assert!(table.restore_next(most));
                }
            }
        ));
    }
}

#[test]
fn a_combinator_holds_what_a_program_can_see() {
    assert!(!loads(ONE, |vm| {
        let cell = vm.heap.alloc(Body::Variable(Value::Undefined));
        let derived = vm.state.main.expect("a promise");
        let aggregate = vm.heap.alloc(Body::Aggregate(Box::new(Aggregate {
            kind: Combinator::All,
            derived,
            values: vec![Value::Variable(cell)],
            left: 1,
            first: 0,
        })));
        let at = timer(vm);
        let element = Reaction::Element { aggregate, at: 0 };
        promise(vm, at).reactions.push(element);
    }));
}

#[test]
fn promises_that_wait_for_each_other_for_ever_are_a_run_that_ends() {
    let (program, mut vm) = suspended(TWO);
    let found = promises(&vm);
    let reaction = |derived| Reaction::Pass {
        value: Value::Undefined,
        rejected: false,
        derived,
    };
    for at in &found {
        let others = found.iter().map(|other| reaction(*other));
        promise(&mut vm, *at).reactions.extend(others);
    }
    let save = vm.save().expect("a save");
    let mut vm = Vm::load(program, &save, Limits::default()).expect("a load");
    vm.cancel("over");
    for id in vm.pending() {
        vm.settle(id, Settlement::Fulfilled(None));
    }
    assert_ne!(vm.run(&mut MockHost::default()), Outcome::Suspended);
}

#[test]
fn a_pattern_is_read_once_however_many_have_it() {
    let (program, mut vm) = suspended("const list = []; await sleep(1); return list.length;");
    let pattern: Vec<u16> = "ab|".repeat(20_000).encode_utf16().collect();
    let Value::String(source) = vm.heap.string(&pattern).expect("a string") else {
        panic!("a string");
    };
    let made = Rc::new(compile(&pattern, Flags::default()).expect("a pattern"));
    let regexes: Vec<Value> = (0..100_000)
        .map(|_| {
            let (program, last_index) = (Rc::clone(&made), Value::Number(0.0));
            Value::Object(vm.heap.alloc(Body::Regex(Box::new(Regex {
                source,
                flags: Flags::default(),
                last_index,
                program,
            }))))
        })
        .collect();
    let lists = all(&vm, |body| matches!(body, Body::Array(_)));
    let Body::Array(list) = vm.heap.body_mut(lists[0]) else {
        panic!("a list");
    };
    list.items = regexes;
    let save = vm.save().expect("a save");
    let started = Instant::now();
    let loaded = Vm::load(program, &save, Limits::default());
    assert!(loaded.is_ok());
    // Reading six thousand million units takes longer.
    assert!(started.elapsed() < Duration::from_secs(2));
}
