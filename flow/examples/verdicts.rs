//! Says of each program on stdin (U+0001 stands between them) whether Flow accepts it: a line with `1`, or
//! `0` and the codes of its errors. `tests/conformance/strict.mjs` compares that with Node.
#![allow(clippy::print_stdout)]

use std::io::Read as _;

use rhythm_flow::{Source, check};

fn main() -> std::io::Result<()> {
    let mut programs = String::new();
    std::io::stdin().read_to_string(&mut programs)?;
    for text in programs.split('\u{1}') {
        let checked = check(&Source::new("generated.flow", text));
        let errors = checked.diagnostics.iter().filter(|one| one.is_error());
        let codes: Vec<&str> = errors.map(|one| one.code.number()).collect();
        println!("{} {}", u8::from(codes.is_empty()), codes.join(","));
    }
    Ok(())
}
