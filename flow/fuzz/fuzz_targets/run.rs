//! Programs: a run ends or waits within its limits, with and without a save and load between steps.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use rhythm_flow::mock::MockHost;
use rhythm_flow::source::Source;
use rhythm_flow::{Start, Vm, check};
use rhythm_flow_fuzz::{go_on, tight};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    rhythm_flow_fuzz::mutate_words(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(program) = check(&Source::new("fuzz.flow", text)).program else {
        return;
    };
    let program = Arc::new(program);
    let start = Start {
        inputs: r#"{"a": [1, "b", null]}"#.to_owned(),
        ..Start::default()
    };
    let mut host = MockHost::default();
    let mut vm = Vm::start(Arc::clone(&program), start, tight());
    go_on(&mut vm, &mut host, 20, |vm| {
        if let Ok(save) = vm.save() {
            *vm = Vm::load(Arc::clone(&program), &save, tight()).expect("a save can be loaded");
        }
    });
});
