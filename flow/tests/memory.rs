//! The limit of the heap is honest: a program that fills it makes the process grow by about as much.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout)]

use std::process::Command;

use rhythm_flow::Limits;
use rhythm_flow::mock::MockHost;

use crate::drive::{compile, failure, start};

const LIMIT: usize = 64 << 20;

/// The variable that tells a child process which program to run.
const CHILD: &str = "FLOW_MEMORY_PROGRAM";

/// Programs that keep more and more of one kind of value.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "short strings",
        "for (let i = 0; ; i++) kept.push(`text ${i}`);",
    ),
    (
        "long strings",
        "for (let i = 0; ; i++) kept.push('long '.repeat(1000) + i);",
    ),
    (
        "ropes",
        "let s = 'a long enough text, which is not copied'; for (;;) { s = s + i(s); kept.push(s); } function i() { return 'another part'; }",
    ),
    ("numbers", "for (let i = 0; ; i++) kept.push(i);"),
    ("arrays", "for (let i = 0; ; i++) kept.push([i]);"),
    (
        "longer arrays",
        "for (let i = 0; ; i++) kept.push([i, i, i, i, i, i, i, i, i, i]);",
    ),
    ("objects", "for (let i = 0; ; i++) kept.push({i});"),
    (
        "larger objects",
        "for (let i = 0; ; i++) kept.push({a: i, b: i, c: i, d: i, e: i, f: i, g: i, h: i, i, j: i});",
    ),
    (
        "objects with index keys",
        "for (let i = 0; ; i++) kept.push({1: i, 2: i});",
    ),
    (
        "a dictionary",
        "const o = {}; for (let i = 0; ; i++) o[`key ${i}`] = i;",
    ),
    (
        "small maps",
        "for (let i = 0; ; i++) kept.push(new Map([[i, i]]));",
    ),
    (
        "a large map",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, i);",
    ),
    (
        "a large set",
        "const s = new Set(); for (let i = 0; ; i++) s.add(`member ${i}`);",
    ),
    ("closures", "for (let i = 0; ; i++) kept.push(() => i);"),
    (
        "promises",
        "for (let i = 0; ; i++) kept.push(Promise.resolve(i));",
    ),
    (
        "reactions",
        "const p = sleep('1d'); for (let i = 0; ; i++) p.then(() => i);",
    ),
    (
        "waiting functions",
        "const f = async (i) => { await sleep('1d'); return i; }; for (let i = 0; ; i++) kept.push(f(i));",
    ),
    ("dates", "for (let i = 0; ; i++) kept.push(new Date(i));"),
    (
        "errors",
        "for (let i = 0; ; i++) kept.push(new Error(`number ${i}`));",
    ),
    ("iterators", "for (;;) kept.push(kept.values());"),
    (
        "JSON",
        "const text = JSON.stringify({a: [1, 2, {b: 'three'}], c: null}); for (;;) kept.push(JSON.parse(text));",
    ),
];

/// The most memory that this process has had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kilobytes.expect("Linux says it so") << 10
}

/// Fills the heap, and prints by how much the process grew.
fn fill(text: &str) {
    let program = compile(&format!("const kept = []; {text}"));
    let limits = Limits {
        heap_bytes: LIMIT,
        ..Limits::default()
    };
    let mut vm = start(&program, limits);
    let before = peak();
    let outcome = vm.run(&mut MockHost::default());
    let grown = peak() - before;
    assert_eq!(failure(outcome).2.as_deref(), Some("rhythm.step_heap"));
    println!("grown: {grown}");
}

#[test]
fn the_limit_is_what_the_process_grows_by() {
    if let Ok(text) = std::env::var(CHILD) {
        return fill(&text);
    }
    let mut wrong = Vec::new();
    for (name, text) in PROGRAMS {
        // A process of its own: the peak is that of a process, and other tests run in this one.
        let done = Command::new(std::env::current_exe().unwrap())
            .args([
                "memory::the_limit_is_what_the_process_grows_by",
                "--exact",
                "--nocapture",
            ])
            .env(CHILD, text)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let Some((_, grown)) = said.split_once("grown: ") else {
            panic!("{name}: {said}{}", String::from_utf8_lossy(&done.stderr));
        };
        let grown: usize = grown.lines().next().unwrap().parse().unwrap();
        let percent = grown * 100 / LIMIT;
        println!("{name}: {percent} % of the limit");
        if !(50..=200).contains(&percent) {
            wrong.push(format!("{name}: {percent} %"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
