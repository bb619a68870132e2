//! Saves that were tampered with: loading refuses them, or gives a run that ends within its limits.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rhythm_flow::mock::MockHost;
use rhythm_flow::source::Source;
use rhythm_flow::{Program, Start, Vm, check};
use rhythm_flow_fuzz::{go_on, tight};

/// Programs whose saves hold, together, every kind of value and of promise.
const PROGRAMS: &[&str] = &[
    include_str!("../../../tests/conformance/host/long_journey.flow"),
    include_str!("../../../tests/conformance/host/state_across_awaits.flow"),
    include_str!("../../../tests/conformance/host/iterators_across_awaits.flow"),
    include_str!("../../../tests/conformance/host/worker_pool.flow"),
    include_str!("../../../tests/conformance/host/saga.flow"),
    REGEXES,
    include_str!("../../tests/golden/everything.flow"),
];

/// What those have not: regular expressions, results and iterators of matches, match arrays with groups, a race.
const REGEXES: &str = r"
const made = [/(?<a>b+)|c/dgi, /(?<a>b+)|c/dgi, new RegExp('[\\p{L}--]{2,3}', 'u'), /x/y]
const found = made[0].exec('abbc')
const all = 'abcbbc'.matchAll(made[0])
made[1].lastIndex = 2
const kept = new Map([[found, made], [all, found.groups]])
const first = all.next()
const race = Promise.race([sleep(1), sleep(2).then(() => found)])
await race
for (const one of all) await sleep(1)
return [kept.size, first.value.index, made.map(String), 'abb'.replace(made[2], '$&$&')]
";

static SAVES: LazyLock<Vec<(Arc<Program>, Vec<u8>)>> = LazyLock::new(|| {
    let mut saves = Vec::new();
    for text in PROGRAMS {
        let program = Arc::new(
            check(&Source::new("fuzz.flow", *text))
                .program
                .expect("a valid program"),
        );
        let start = Start {
            inputs: "{}".to_owned(),
            ..Start::default()
        };
        let mut vm = Vm::start(Arc::clone(&program), start, tight());
        go_on(&mut vm, &mut MockHost::default(), 8, |vm| {
            saves.push((Arc::clone(&program), vm.save().expect("within the limit")));
        });
    }
    saves
});

/// One change of a save.
#[derive(Arbitrary, Debug)]
enum Edit {
    Set {
        at: u16,
        byte: u8,
    },
    Flip {
        at: u16,
        bit: u8,
    },
    Insert {
        at: u16,
        byte: u8,
    },
    Remove {
        at: u16,
    },
    Copy {
        from: u16,
        to: u16,
        length: u8,
    },
    Cut {
        at: u16,
    },
    /// A number of any size, which no byte is.
    Number {
        at: u16,
        number: u64,
    },
    /// One byte as it is elsewhere: another reference, kind or size that is right somewhere.
    Take {
        from: u16,
        at: u16,
    },
}

#[derive(Arbitrary, Debug)]
struct Tampering {
    save: u8,
    cancel: bool,
    edits: Vec<Edit>,
}

fuzz_target!(|tampering: Tampering| {
    let (program, save) = &SAVES[usize::from(tampering.save) % SAVES.len()];
    let mut save = save.clone();
    for edit in &tampering.edits {
        if save.is_empty() {
            break;
        }
        let place = |at: u16| usize::from(at) % save.len();
        match *edit {
            Edit::Set { at, byte } => {
                let at = place(at);
                save[at] = byte
            }
            Edit::Flip { at, bit } => {
                let at = place(at);
                save[at] ^= 1 << (bit % 8)
            }
            Edit::Insert { at, byte } => {
                let at = place(at);
                save.insert(at, byte)
            }
            Edit::Remove { at } => {
                let at = place(at);
                save.remove(at);
            }
            Edit::Copy { from, to, length } => {
                let (from, to) = (place(from), place(to));
                let end = (from + usize::from(length)).min(save.len());
                let piece = save[from..end].to_vec();
                save.splice(to..to, piece);
            }
            Edit::Number { at, mut number } => {
                let mut bytes = Vec::new();
                while number >= 0x80 {
                    bytes.push(number as u8 | 0x80);
                    number >>= 7;
                }
                bytes.push(number as u8);
                let at = place(at);
                save.splice(at..=at, bytes);
            }
            Edit::Take { from, at } => {
                let (from, at) = (place(from), place(at));
                save[at] = save[from]
            }
            Edit::Cut { at } => {
                let at = place(at);
                save.truncate(at)
            }
        }
    }
    let Ok(mut vm) = Vm::load(Arc::clone(program), &save, tight()) else {
        return;
    };
    if tampering.cancel {
        vm.cancel("tampered");
    }
    go_on(&mut vm, &mut MockHost::default(), 6, |vm| {
        let _ = vm.save();
    });
});
