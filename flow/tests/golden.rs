//! Snapshots are for ever: programs and saves in every format that was ever written, and what they still come to.
//!
//! `golden/FORMAT/NAME.program` is a stored definition, `NAME.N.save` its run after N steps, `NAME.result` how it ends. These
//! files are never changed. Whoever changes a format adds a folder: `RHYTHM_ACCEPT=1 cargo test golden` writes it, and
//! `KEPT` names it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhythm_flow::host::Settlement;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Program, Vm};

use crate::drive::{compile, start};

/// Programs that hold every kind of value, promise and suspended function across their awaits.
const PROGRAMS: [(&str, &str); 5] = [
    ("everything", include_str!("golden/everything.flow")),
    ("frames", include_str!("golden/frames.flow")),
    ("patterns", include_str!("golden/patterns.flow")),
    (
        "saga",
        include_str!("../../tests/conformance/host/saga.flow"),
    ),
    (
        "worker_pool",
        include_str!("../../tests/conformance/host/worker_pool.flow"),
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Runs to the end: whatever is awaited comes to 1. `between` sees the run at each of its waits.
fn finish(mut vm: Vm, mut between: impl FnMut(usize, &Vm)) -> String {
    let mut host = MockHost::default();
    let mut steps = 0;
    loop {
        for promise in vm.pending() {
            vm.settle(promise, Settlement::Fulfilled(Some("1".to_owned())));
        }
        match vm.run(&mut host) {
            Outcome::Suspended => {
                steps += 1;
                between(steps, &vm);
            }
            Outcome::Completed(json) => return json,
            other => panic!("{other:?}"),
        }
    }
}

/// The versions that are written now: they stand behind `FLOW` and `FLOWSAVE`.
fn current_format() -> String {
    let program = compile("await sleep(1);");
    let stored = program.encode();
    let mut vm = start(&program, Limits::default());
    vm.run(&mut MockHost::default());
    format!("program{}-save{}", stored[4], vm.save().expect("a save")[8])
}

#[test]
fn the_current_format_is_kept() {
    let folder = folder().join(current_format());
    let kept = |name: &str| folder.join(format!("{name}.program")).exists();
    if PROGRAMS.iter().all(|(name, _)| kept(name)) {
        return;
    }
    assert!(
        std::env::var_os("RHYTHM_ACCEPT").is_some(),
        "no golden files of this format: RHYTHM_ACCEPT=1 cargo test golden, and commit {}",
        folder.display()
    );
    fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in PROGRAMS.into_iter().filter(|(name, _)| !kept(name)) {
        let program = compile(text);
        let write = |ending: &str, bytes: &[u8]| {
            fs::write(folder.join(format!("{name}.{ending}")), bytes).expect("a golden file");
        };
        write("program", &program.encode());
        let result = finish(start(&program, Limits::default()), |steps, vm| {
            write(&format!("{steps}.save"), &vm.save().expect("a save"));
        });
        write("result", result.as_bytes());
    }
}

/// What is kept: how often each run was saved. A format is added, and never loses a file.
const KEPT: &[(&str, &[(&str, usize)])] = &[
    (
        "program1-save1",
        &[("everything", 4), ("saga", 4), ("worker_pool", 3)],
    ),
    (
        "program1-save2",
        &[
            ("everything", 4),
            ("frames", 4),
            ("patterns", 2),
            ("saga", 4),
            ("worker_pool", 3),
        ],
    ),
];

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the golden files");
    let entries = entries.map(|entry| entry.expect("an entry").file_name());
    let names = entries.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| !name.ends_with(".flow")).collect()
}

#[test]
fn no_golden_file_is_lost_or_left_out() {
    let formats = KEPT.iter().map(|(format, _)| (*format).to_owned());
    assert_eq!(names(&folder()), formats.collect());
    for (format, programs) in KEPT {
        let mut expected = BTreeSet::new();
        for (name, saves) in *programs {
            expected.extend((1..=*saves).map(|step| format!("{name}.{step}.save")));
            expected.extend([format!("{name}.program"), format!("{name}.result")]);
        }
        assert_eq!(names(&folder().join(format)), expected, "{format}");
    }
}

#[test]
fn every_format_still_runs_to_its_end() {
    for (format, programs) in KEPT {
        let format = folder().join(format);
        for (name, saves) in *programs {
            let file = |ending: String| format.join(format!("{name}.{ending}"));
            let stored = fs::read(file("program".into())).expect("a golden program");
            let program = Arc::new(Program::decode(&stored).expect("a readable program"));
            let expected = fs::read_to_string(file("result".into())).expect("a golden result");
            for step in 1..=*saves {
                let path = file(format!("{step}.save"));
                let save = fs::read(&path).expect("a golden save");
                let vm = Vm::load(Arc::clone(&program), &save, Limits::default())
                    .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
                assert_eq!(finish(vm, |_, _| {}), expected, "{}", path.display());
            }
        }
    }
}
