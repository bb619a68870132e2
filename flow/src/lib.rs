//! Flow, the language of Rhythm's workflows: a strict subset of JavaScript whose runs can be saved
//! at every `await`. Pure Rust: no Postgres, no clock, no I/O.
//!
//! # Layout
//! - `source`, `diagnostic`, `codes`: text, positions, and what is said about them
//! - `parse` → `ast` → `check`: from text to a tree, with every error of a file at once
//! - `format`: a file laid out anew, with its comments
//! - `diagram`: what a workflow may do (`check::outline`), as text
//! - `project`: what can be said of several files together; `nearest`, `slips`: names that were probably meant
//! - `input_type`: the declared type of `Inputs`
//! - `schema`: JSON Schema, for the inputs of tasks; `tape`: a JSON value as a flat list
//! - `compile` → `op`, `program`: from the tree to bytecode that is stored
//! - `value`: values and their heap
//! - `vm`: the machine; `limits`: what a step may use
//! - `builtins`: everything that a program can name without declaring it
//! - `snapshot`: a suspended run as bytes, also for another version of its program
//! - `harness`: a source as a part of a program around it
//! - `host`: the one seam to the world; `mock`: a host for tests
#![forbid(unsafe_code)]

pub(crate) mod absent;
pub mod ast;
pub mod builtins;
pub mod check;
pub mod codes;
mod compile;
pub mod diagnostic;
pub mod diagram;
pub mod error;
pub mod format;
pub mod harness;
pub mod host;
pub mod input_type;
pub(crate) mod instead;
pub mod limits;
pub mod mock;
pub mod nearest;
pub mod op;
pub mod parse;
pub mod program;
pub mod project;
pub mod reference;
pub mod regex;
pub mod schema;
mod slips;
mod snapshot;
pub mod source;
mod stricter;
mod tape;
pub mod value;
pub mod vm;

pub use diagnostic::Diagnostic;
pub use error::Fault;
pub use limits::{Limits, Used};
pub use program::{Program, Refusal};
pub use snapshot::{Fork, TransferError, fork, transfer};
pub use source::Source;
pub use vm::suspended::{Bounds, Suspended, Variable, suspended};
pub use vm::{ContextInfo, ExecutionError, Outcome, Start, Vm};

/// What is known of a source after all checks.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Errors and warnings in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The compiled program; none if there was an error.
    pub program: Option<Program>,
    /// The tasks and workflows that it names.
    pub calls: Vec<check::Named>,
}

/// Parses, checks and compiles a source. Never fails: what is wrong stands in the diagnostics.
#[must_use]
pub fn check(source: &Source) -> Checked {
    check_covered(source, false).0
}

/// As `check`; where `cover` is true, the program tells its host of each statement that it comes to
/// (`Host::cover`). Gives the lines of these statements, by their numbers.
#[must_use]
pub fn check_covered(source: &Source, cover: bool) -> (Checked, Vec<u32>) {
    let (script, mut diagnostics) = parse::parse(source);
    let (found, calls) = check::check_with_calls(&script, source);
    diagnostics.extend(found);
    let (mut checked, lines) = compiled(&script, source, diagnostics, cover);
    checked.calls = calls;
    (checked, lines)
}

/// A checked script with its program, unless there is an error.
fn compiled(
    script: &ast::Script,
    source: &Source,
    mut diagnostics: Vec<Diagnostic>,
    cover: bool,
) -> (Checked, Vec<u32>) {
    let mut program = None;
    let mut lines = Vec::new();
    if !diagnostics.iter().any(Diagnostic::is_error) {
        match compile::compile(script, source, cover) {
            Ok((compiled, covered)) => (program, lines) = (Some(compiled), covered),
            Err(compile::Unfit::TooLarge(span)) => diagnostics.push(Diagnostic::new(
                codes::Code::TooBig,
                span,
                "the function has too many variables",
            )),
            Err(compile::Unfit::Fault(fault)) => diagnostics.push(
                Diagnostic::new(
                    codes::Code::CompilerFault,
                    source::Span::default(),
                    format!("the compiler made code that its own check refuses: {fault}"),
                )
                .with_hint(
                    "this is a fault of Rhythm, not of the file: please report it with the file",
                ),
            ),
        }
    }
    diagnostic::sort(&mut diagnostics);
    let checked = Checked {
        diagnostics,
        program,
        calls: Vec::new(),
    };
    (checked, lines)
}
