//! Regular expressions: flags, pattern and text, a line each. Compiling and matching end within what they may use,
//! groups lie in the text, and everything that a program can do with them survives a save.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use rhythm_flow::mock::MockHost;
use rhythm_flow::regex::{Budget, Flags, Scratch, compile};
use rhythm_flow::source::Source;
use rhythm_flow::{Outcome, Program, Start, Vm, check};
use rhythm_flow_fuzz::{answer, mutate_patterns, tight};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_patterns(data, size, max_size, seed)
});

/// Does with a regular expression what can be done. What it throws by itself is a finding.
const PROGRAM: &str = r#"
const { pattern, flags, text } = Inputs
const made = new RegExp(pattern, flags)
const again = new RegExp(made.source, made.flags)
if (again.source !== made.source || String(again) !== String(made)) throw new Error('FOUND: another source')
const show = (found) => JSON.stringify([found, found?.index, found?.groups, found?.indices])
made.test(text)
const from = made.lastIndex
const first = made.exec(text)
made.lastIndex = 1
made.exec(text)
made.lastIndex = 0
const parts = [text.split(made), text.split(made, 2), text.search(made), text.replace(made, '[$&$1$2$<a>$`$\'$$]')]
const global = new RegExp(made, made.flags.replace('g', '') + 'g')
if (text.replaceAll(global, (...all) => all[0]) !== text) throw new Error('FOUND: another text')
const all = text.match(global)
let count = 0
for (const one of text.matchAll(global)) {
  if (count < 3) await sleep(1)
  if (one[0] !== all?.[count]) throw new Error('FOUND: another match')
  count++
}
if (count !== (all?.length ?? 0)) throw new Error('FOUND: another count')
return [from, show(first), parts, count].length
"#;

static COMPILED: LazyLock<Arc<Program>> = LazyLock::new(|| {
    let source = Source::new("fuzz.flow", PROGRAM);
    Arc::new(check(&source).program.expect("a valid program"))
});

/// Pays for so many steps and bytes.
struct Purse {
    steps: usize,
    bytes: usize,
}

impl Budget for Purse {
    type Error = ();

    fn spend(&mut self, steps: usize) -> Result<(), ()> {
        self.steps = self.steps.checked_sub(steps).ok_or(())?;
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), ()> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(())?;
        Ok(())
    }
}

/// The units of a text; U+E000 to U+E7FF stand for halves of surrogate pairs.
fn units(text: &str) -> Vec<u16> {
    text.encode_utf16()
        .map(|unit| match unit {
            0xE000..0xE800 => unit - 0x800,
            _ => unit,
        })
        .collect()
}

fn by_itself(pattern: &[u16], flags: Flags, text: &[u16]) {
    let program = match compile(pattern, flags) {
        Ok(program) => program,
        Err(error) => {
            assert!(error.at <= pattern.len() && !error.message.is_empty());
            return;
        }
    };
    // What it takes is paid for by what it cost.
    assert!(program.bytes() <= 4096 + 64 * program.cost());
    let mut purse = Purse {
        steps: 200_000,
        bytes: 4 << 20,
    };
    let mut scratch = Scratch::default();
    for sticky in [false, true] {
        let mut from = 0;
        while from <= text.len() {
            match program.exec(text, from, sticky, &mut scratch, &mut purse) {
                Ok(true) => {}
                Ok(false) => break,
                Err(()) => return,
            }
            for group in 0..program.groups() {
                if let Some((start, end)) = scratch.group(group) {
                    assert!(start <= end && end <= text.len());
                }
            }
            let (start, end) = scratch.group(0).expect("the whole match");
            // A code point that is begun in its middle begins earlier.
            assert!(start + 1 >= from);
            from = end.max(from) + usize::from(start == end);
        }
    }
}

/// A JSON string; lone surrogates cannot come from a host.
fn quote(units: &[u16]) -> String {
    let mut out = String::from("\"");
    for one in char::decode_utf16(units.iter().copied()) {
        match one.unwrap_or('\u{FFFD}') {
            c @ ('"' | '\\') => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn in_a_program(pattern: &[u16], flags: Flags, text: &[u16]) {
    let start = Start {
        inputs: format!(
            "{{\"pattern\":{},\"flags\":\"{}\",\"text\":{}}}",
            quote(pattern),
            flags.text(),
            quote(text)
        ),
        ..Start::default()
    };
    let mut host = MockHost::default();
    let mut vm = Vm::start(Arc::clone(&COMPILED), start, tight());
    loop {
        match vm.run(&mut host) {
            Outcome::Suspended => {}
            Outcome::Failed(error) => {
                assert!(!error.message.starts_with("FOUND"), "{error:?}");
                assert_ne!(error.name, "InternalError", "{error:?}");
                return;
            }
            _ => return,
        }
        if let Ok(save) = vm.save() {
            vm = Vm::load(Arc::clone(&COMPILED), &save, tight()).expect("a save can be loaded");
            assert_eq!(vm.save().as_ref(), Ok(&save));
        }
        answer(&mut vm, &mut host);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(given) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = given.splitn(3, '\n');
    let mut line = || units(lines.next().unwrap_or_default());
    let (letters, pattern, text) = (line(), line(), line());
    let Some(flags) = Flags::of(&letters) else {
        return;
    };
    by_itself(&pattern, flags, &text);
    in_a_program(&pattern, flags, &text);
});
