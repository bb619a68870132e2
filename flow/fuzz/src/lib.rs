//! What the fuzz targets share: a mutator that works on words rather than bytes, and a driver that answers whatever a
//! run waits for.
//!
//! Knows only the public face of `rhythm-flow`, so it can find what a user could.

use std::ops::Range;

use rhythm_flow::host::Settlement;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Vm};

/// Words that a random change puts in: what the grammar, the checker and the builtins look for.
const WORDS: &[&str] = &[
    "let ",
    "const ",
    "function ",
    "async ",
    "await ",
    "return ",
    "if (",
    "else ",
    "for (",
    " of ",
    " in ",
    "while (",
    "do ",
    "switch (",
    "case ",
    "default:",
    "break",
    "continue",
    "throw ",
    "try {",
    "} catch (",
    "} finally {",
    "new Error(",
    "typeof ",
    "void ",
    "delete ",
    "null",
    "undefined",
    "a",
    "b",
    "f",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "`",
    "${",
    "\"s\"",
    ";",
    ",",
    ".",
    "...",
    "?.",
    "?",
    ":",
    "=>",
    "=",
    "==",
    "===",
    "+=",
    "??=",
    "??",
    "||",
    "&&",
    "**",
    "++",
    "--",
    "-",
    "+",
    "!",
    "~",
    "<",
    ">>>",
    "%",
    "/",
    "//",
    "/*",
    "*/",
    "\n",
    " ",
    "0",
    "1",
    "-1",
    "1e309",
    "0.1",
    "4294967295",
    "9007199254740992",
    "\"\\uD800\"",
    "\"é\"",
    "/a*/gu",
    ".map(",
    ".sort(",
    ".reduce(",
    ".splice(",
    ".concat(",
    ".fill(",
    ".length",
    ".repeat(",
    ".padStart(",
    ".slice(",
    ".split(",
    ".replace(",
    ".at(",
    ".flat(",
    ".then(",
    ".catch(",
    ".finally(",
    ".toFixed(",
    ".toString(",
    "Array.from(",
    "Object.assign(",
    "Object.entries(",
    "Object.freeze(",
    "JSON.parse(",
    "JSON.stringify(",
    "Math.max(",
    "Number(",
    "String(",
    "new Map(",
    "new Set(",
    "new Date(",
    "Promise.all(",
    "Promise.race(",
    "Promise.any(",
    "Promise.allSettled(",
    "structuredClone(",
    "Task.run(",
    "Task.try(",
    "sleep(",
    "Signal.next(",
    "Mutex.acquire(",
    "Sql.query(",
    "Context.set(",
    "console.log(",
    "Inputs",
    "Context",
    "this",
    "class ",
    "yield ",
    "var ",
];

/// Words of regular expressions, with texts that they fit.
const PATTERN_WORDS: &[&str] = &[
    "g",
    "i",
    "m",
    "s",
    "u",
    "y",
    "d",
    "\n",
    "\r",
    "a",
    "b",
    "A",
    "1",
    "_",
    "-",
    " ",
    "k",
    "\u{212a}",
    "s",
    "\u{17f}",
    "ß",
    "é",
    "😀",
    "\u{e03d}",
    "\u{e600}",
    "\u{2028}",
    "(",
    ")",
    "(?:",
    "(?=",
    "(?!",
    "(?<=",
    "(?<!",
    "(?<a>",
    "(?<b>",
    "()",
    "(?:)",
    "[",
    "]",
    "[^",
    "[]",
    "[^]",
    "[a-b]",
    "[^a]",
    "[\\d-x]",
    "|",
    "*",
    "+",
    "?",
    "*?",
    "+?",
    "??",
    "{2}",
    "{0}",
    "{1,}",
    "{0,2}?",
    "{2,3}",
    "{3,1}",
    "{1000000000}",
    "{99999999999}",
    "{",
    "}",
    "^",
    "$",
    ".",
    "\\",
    "\\b",
    "\\B",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\1",
    "\\2",
    "\\10",
    "\\0",
    "\\07",
    "\\k<a>",
    "\\k",
    "\\p{L}",
    "\\P{Lu}",
    "\\p{Script=Greek}",
    "\\u0061",
    "\\u{61}",
    "\\ud83d",
    "\\x41",
    "\\ca",
    "\\/",
    "/",
];

/// Changes a program word by word: leaves out, repeats, swaps, puts in, or moves whole pieces in brackets.
pub fn mutate_words(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    mutate(WORDS, data, size, max_size, seed)
}

/// The same with what regular expressions are made of.
pub fn mutate_patterns(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    mutate(PATTERN_WORDS, data, size, max_size, seed)
}

fn mutate(new: &[&str], data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let Ok(text) = std::str::from_utf8(&data[..size]) else {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    };
    let mut random = Random(u64::from(seed) | 1 << 40);
    if random.below(4) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let mut words: Vec<&str> = words(text).into_iter().map(|range| &text[range]).collect();
    for _ in 0..=random.below(3) {
        let at = random.below(words.len() + 1);
        match random.below(6) {
            0 if at < words.len() => {
                words.remove(at);
            }
            1 if at < words.len() => words.insert(at, words[at]),
            2 if words.len() > 1 => {
                let other = random.below(words.len());
                let at = at.min(words.len() - 1);
                words.swap(at, other);
            }
            3 if at < words.len() => {
                let end = closing(&words, at);
                let piece: Vec<&str> = words[at..end].to_vec();
                let target = random.below(words.len() + 1);
                words.splice(target..target, piece);
            }
            4 if at < words.len() => {
                let end = closing(&words, at);
                words.drain(at..end);
            }
            _ => words.insert(at, new[random.below(new.len())]),
        }
    }
    let mut mutated = words.concat();
    while mutated.len() > max_size {
        mutated.pop();
    }
    data[..mutated.len()].copy_from_slice(mutated.as_bytes());
    mutated.len()
}

/// The words of a text: names and numbers whole, everything else by character.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut in_name = false;
    for (at, c) in text.char_indices() {
        let is_name = c.is_alphanumeric() || c == '_' || c == '$';
        match found.last_mut() {
            Some(last) if is_name && in_name => last.end += c.len_utf8(),
            _ => found.push(at..at + c.len_utf8()),
        }
        in_name = is_name;
    }
    found
}

/// The end of the piece that begins at a word: behind the partner, for an opening bracket.
fn closing(words: &[&str], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, word) in words[at..].iter().enumerate() {
        match *word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    words.len()
}

/// SplitMix64, so that a seed of libFuzzer's gives the same change again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as usize % end.max(1)
    }
}

/// Limits under which one run takes milliseconds and few megabytes.
#[must_use]
pub fn tight() -> Limits {
    Limits {
        fuel: 200_000,
        heap_bytes: 8 << 20,
        depth: 500,
        string_units: 1 << 20,
        save_bytes: 4 << 20,
    }
}

/// Goes on with a run for some steps: tasks give their inputs back, timers fire, signals bring `1`.
pub fn go_on(vm: &mut Vm, host: &mut MockHost, steps: usize, mut between: impl FnMut(&mut Vm)) {
    for _ in 0..steps {
        if vm.run(host) != Outcome::Suspended {
            return;
        }
        between(vm);
        answer(vm, host);
    }
}

/// Settles one of the promises that a run waits for.
pub fn answer(vm: &mut Vm, host: &mut MockHost) {
    if let Some((promise, call)) = host.tasks.pop() {
        vm.settle(promise, Settlement::Fulfilled(Some(call.inputs)));
    } else if let Some(timer) = host.next_timer() {
        vm.settle(timer, Settlement::Fulfilled(None));
    } else if let Some((promise, ..)) = host.signals.pop() {
        vm.settle(promise, Settlement::Fulfilled(Some("1".to_owned())));
    } else if let Some(promise) = vm.pending().first() {
        vm.settle(*promise, Settlement::Fulfilled(Some("[1]".to_owned())));
    }
}
