//! Runs regular expressions: each line of stdin holds a pattern, flags, a text and where to begin, separated by tabs;
//! pattern and text are UTF-16 units in hexadecimal. Answers with a line: `!` and what is wrong with the pattern, `-` if
//! nothing fits, or the places of all groups. `tests/conformance/regex.mjs` compares that with Node.
#![allow(clippy::print_stdout)]

use std::io::{Read as _, Write as _};

use rhythm_flow::regex::{Budget, Flags, Scratch, compile};

/// More steps than any honest case takes.
struct Steps(usize);

impl Budget for Steps {
    type Error = ();

    fn spend(&mut self, steps: usize) -> Result<(), ()> {
        self.0 = self.0.checked_sub(steps).ok_or(())?;
        Ok(())
    }

    fn grow(&mut self, _bytes: usize) -> Result<(), ()> {
        Ok(())
    }
}

fn units(hex: &str) -> Vec<u16> {
    let digits = hex.as_bytes().chunks(4);
    digits
        .filter_map(|four| u16::from_str_radix(std::str::from_utf8(four).ok()?, 16).ok())
        .collect()
}

fn answer(line: &str, scratch: &mut Scratch) -> String {
    let mut parts = line.split('\t');
    let mut part = || parts.next().unwrap_or_default();
    let pattern = units(part());
    let flags: Vec<u16> = part().encode_utf16().collect();
    let text = units(part());
    let from = part().parse().unwrap_or(0);
    let Some(flags) = Flags::of(&flags) else {
        return "! flags".to_owned();
    };
    let program = match compile(&pattern, flags) {
        Ok(program) => program,
        Err(error) => return format!("! {}", error.message),
    };
    let sticky = flags.has(Flags::STICKY);
    match program.exec(&text, from, sticky, scratch, &mut Steps(20_000_000)) {
        Ok(false) => "-".to_owned(),
        Ok(true) => {
            let groups = (0..program.groups()).map(|group| match scratch.group(group) {
                Some((start, end)) => format!("{start},{end}"),
                None => "x".to_owned(),
            });
            groups.collect::<Vec<_>>().join(" ")
        }
        Err(()) => "limit".to_owned(),
    }
}

fn main() -> std::io::Result<()> {
    let mut lines = String::new();
    std::io::stdin().read_to_string(&mut lines)?;
    let mut scratch = Scratch::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines.lines() {
        writeln!(out, "{}", answer(line, &mut scratch))?;
    }
    out.flush()
}
