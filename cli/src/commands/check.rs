//! `rhythm check`: needs no server.

use std::path::PathBuf;

use clap::Args;
use rhythm_flow::{Diagnostic, Source};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};

/// Check workflows without a server
///
/// Prints every error and warning of each file, and fails when there is an error.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Files to check
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &CheckArgs, context: &Context) -> Result<()> {
    let mut reports = Vec::new();
    for path in &args.files {
        let (_, source) = input::flow_file(path)?;
        reports.push(Report::of(&source));
    }
    let values: Vec<_> = reports
        .iter()
        .flat_map(|report| report.diagnostics.clone())
        .collect();
    context.output.either(&values, || {
        reports
            .iter()
            .map(Report::text)
            .collect::<Vec<_>>()
            .join("\n\n")
    });
    let errors: usize = reports.iter().map(|report| report.errors).sum();
    match errors {
        0 => Ok(()),
        1 => Err(CliError::user("1 error")),
        _ => Err(CliError::user(format!("{errors} errors"))),
    }
}

/// What the checker says of one file.
pub(crate) struct Report {
    name: String,
    pub(crate) errors: usize,
    /// Each diagnostic as its source line with a caret.
    pub(crate) rendered: Vec<String>,
    diagnostics: Vec<Value>,
}

impl Report {
    /// Checks a source with the compiler that the server uses.
    pub(crate) fn of(source: &Source) -> Self {
        let checked = rhythm_flow::check(source);
        Self {
            name: source.name().to_owned(),
            errors: checked.diagnostics.iter().filter(|d| d.is_error()).count(),
            rendered: checked
                .diagnostics
                .iter()
                .map(|d| d.render(source))
                .collect(),
            diagnostics: checked
                .diagnostics
                .iter()
                .map(|d| facts(d, source))
                .collect(),
        }
    }

    fn text(&self) -> String {
        if self.rendered.is_empty() {
            format!("{}: fine", self.name)
        } else {
            self.rendered.join("\n\n")
        }
    }
}

/// A diagnostic for programs.
pub(crate) fn facts(diagnostic: &Diagnostic, source: &Source) -> Value {
    let at = source.position(diagnostic.span.start);
    json!({
        "file": source.name(),
        "line": at.line,
        "column": at.column,
        "severity": diagnostic.severity.word(),
        "code": diagnostic.code.number(),
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    })
}
