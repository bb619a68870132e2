//! Saves: everything survives them, they hold only what is reachable, and damage never panics.

use rhythm_flow::error::Fault;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Vm};

use crate::drive::{answer, compile, start};

/// Everything that a save can hold, in one program.
const ALL: &str = include_str!("golden/everything.flow");

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
fn the_source_of_a_regular_expression_can_always_be_loaded() {
    // Slashes and line breaks are longer in the source, which is what a save holds.
    let text = "const made = []; for (const [part, times] of [['/', 40000], ['/', 30000], ['\\n', 32768], ['', 1]]) \
                { try { made.push(new RegExp(part.repeat(times))); } catch (e) { made.push(e.name); } } \
                await sleep(1); return made.map((r) => r.source?.length ?? r);";
    let program = compile(text);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let save = vm.save().expect("a save");
    let mut vm = Vm::load(program, &save, Limits::default()).expect("a load");
    assert!(answer(&mut vm, &mut host), "nothing to answer");
    let expected = r#"["SyntaxError",60000,65536,4]"#;
    assert_eq!(vm.run(&mut host), Outcome::Completed(expected.to_owned()));
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
fn damage_is_a_fault() {
    let program = compile(ALL);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let save = vm.save().expect("a save");
    for at in 0..save.len() {
        assert!(
            Vm::load(program.clone(), &save[..at], Limits::default()).is_err(),
            "cut at {at}"
        );
        for flip in [1, 2, 0x80, 0xFF] {
            let mut damaged = save.clone();
            damaged[at] ^= flip;
            // A flipped version asks for a format without a checksum, or for a newer one.
            let loaded = Vm::load(program.clone(), &damaged, Limits::default());
            assert!(loaded.is_err(), "byte {at}, flipped by {flip}");
        }
    }
}

#[test]
fn tampering_behind_the_checksum_is_a_fault_or_a_run_but_never_a_panic() {
    let program = compile(ALL);
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let save = vm.save().expect("a save");
    let body = save.len() - 4;
    let limits = Limits {
        fuel: 50_000,
        heap_bytes: 8 << 20,
        ..Limits::default()
    };
    let mut loaded = 0;
    let mut try_load = |bytes: &[u8]| {
        let mut signed = bytes.to_vec();
        signed.extend(crc32fast::hash(bytes).to_le_bytes());
        if let Ok(mut vm) = Vm::load(program.clone(), &signed, limits.clone()) {
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
    for at in 0..body {
        try_load(&save[..at]);
        for flip in [1, 2, 0x80, 0xFF] {
            let mut damaged = save[..body].to_vec();
            damaged[at] ^= flip;
            try_load(&damaged);
        }
    }
    assert!(loaded > 0, "some damage only changes a value");
}

#[test]
fn a_number_that_claims_more_than_there_is_takes_no_memory() {
    let program = compile("await sleep(1);");
    let save = suspended("await sleep(1);");
    // Behind header and program come the numbers of strings and of bodies, and here nothing but zeros.
    let mut claimed = save[..17].to_vec();
    claimed.push(0);
    claimed.extend([0xFF, 0xFF, 0xFF, 0x3F]);
    claimed.resize(claimed.len() + (1 << 27), 0);
    let checksum = crc32fast::hash(&claimed);
    claimed.extend(checksum.to_le_bytes());
    let loaded = Vm::load(program, &claimed, Limits::default()).map(|_| ());
    assert_eq!(loaded.unwrap_err(), Fault::Damaged("save body"));
}

#[test]
fn a_save_of_ropes_is_refused_before_it_is_written() {
    // Each rope shares its long part in the heap; written out they would take 400 GB.
    let program = compile(
        "const s = 'x'.repeat(4e6); const a = []; for (let i = 0; i < 100000; i++) a.push(s + i); await sleep(1); return a;",
    );
    let mut vm = start(&program, Limits::default());
    assert_eq!(vm.run(&mut MockHost::default()), Outcome::Suspended);
    let refused = vm.save().unwrap_err();
    assert!(refused.message.contains("bytes"), "{refused:?}");
}
