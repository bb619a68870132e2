//! What the checker found: for people with colours, for programs as JSON.

use rhythm_flow::project::File;
use rhythm_flow::{Diagnostic, Source};
use serde_json::{Value, json};

use crate::output::Output;

/// The form of `Diagnostic::render`, with colours on a terminal.
pub(crate) fn human(output: Output, one: &Diagnostic, source: &Source) -> String {
    let at = source.position(one.span.start);
    let word = one.severity.word();
    let mut text = format!(
        "{} {} {}",
        output.faint(&format!("{}:{}:{}:", source.name(), at.line, at.column)),
        output.severity(word, &format!("{word}[{}]:", one.code.number())),
        output.strong(&one.message)
    );
    if let Some((line, caret)) = one.excerpt(source) {
        text.push_str(&format!("\n  {line}\n  {}", output.severity(word, &caret)));
    }
    if let Some(hint) = &one.hint {
        text.push_str(&format!("\n  {} {hint}", output.accent("hint:")));
    }
    text
}

/// All diagnostics of all files.
pub(crate) fn facts_of_all(files: &[File]) -> Vec<Value> {
    let of_file = |file: &File| {
        let of = |one: &Diagnostic| facts(one, &file.source);
        file.checked.diagnostics.iter().map(of).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

/// A diagnostic for programs.
pub(crate) fn facts(one: &Diagnostic, source: &Source) -> Value {
    let (start, end) = (
        source.position(one.span.start),
        source.position(one.span.end),
    );
    json!({
        "file": source.name(),
        "line": start.line,
        "column": start.column,
        "endLine": end.line,
        "endColumn": end.column,
        "severity": one.severity.word(),
        "code": one.code.number(),
        "name": one.code.name(),
        "message": one.message,
        "hint": one.hint,
    })
}
