//! Programs: what the checker accepts compiles, and the stored form reads back as the same program.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use rhythm_flow::source::Source;
use rhythm_flow::{Program, check};

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
    let stored = program.encode();
    let read = Program::decode(&stored).expect("what was written can be read");
    assert_eq!(read.encode(), stored);
    // Damage is refused or harmless, never a panic.
    for at in (0..stored.len()).step_by(stored.len() / 8 + 1) {
        let mut damaged = stored.clone();
        damaged[at] ^= bytes.get(at % bytes.len().max(1)).unwrap_or(&0) | 1;
        let _ = Program::decode(&damaged);
    }
});
