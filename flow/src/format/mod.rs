//! The formatter: lays a file out anew, and keeps its comments. Pure: it gives a text, and knows no files.
//!
//! `doc` lays out text in a width. `cursor` brings words and comments of the source into it, in their order;
//! `stmt`, `expr`, `chain`, `binary`, `list`, `function` and `pattern` say where lines may break; `parens` which
//! parentheses stay. The style is described in `docs/flow/formatting.md`.

mod binary;
mod chain;
mod comments;
mod cursor;
mod doc;
mod expr;
mod function;
mod list;
mod parens;
mod pattern;
mod stmt;
mod strings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::diagnostic::{self, Diagnostic};
use crate::parse;
use crate::source::Source;
use cursor::Printer;

/// Why a text was not formatted.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// It has syntax errors: all that the parser says of it.
    Syntax(Vec<Diagnostic>),
    /// Laid out it would be over a limit of the language, which this tells.
    Limit(Box<Diagnostic>),
    /// A fault of the formatter, at this line.
    Fault(u32),
}

/// How often a text is laid out at most until nothing changes any more.
const ROUNDS: usize = 4;

/// Formats a file.
///
/// # Errors
/// A text with syntax errors is not formatted.
pub fn format(source: &Source) -> Result<String, Refusal> {
    let mut text = lay_out(source)?;
    // A second time changes nothing, save for comments at places where nobody writes any: these may move
    // once more. It also proves that the file can still be read, before it replaces the one that can.
    for _ in 1..ROUNDS {
        let source = Source::new(source.name(), text);
        let again = lay_out(&source).map_err(|refusal| match refusal {
            Refusal::Syntax(mut found) => match found.iter().position(|one| one.code.is_limit()) {
                Some(limit) => Refusal::Limit(Box::new(found.swap_remove(limit))),
                None => {
                    let first = found.first().map_or(0, |one| one.span.start);
                    Refusal::Fault(source.line_of(first))
                }
            },
            other => other,
        })?;
        if again == source.text() {
            return Ok(again);
        }
        text = again;
    }
    Ok(text)
}

fn lay_out(source: &Source) -> Result<String, Refusal> {
    let (script, mut diagnostics, tokens) = parse::parse_words(source);
    if diagnostics.iter().any(Diagnostic::is_error) {
        diagnostic::sort(&mut diagnostics);
        return Err(Refusal::Syntax(diagnostics));
    }
    if let Cow::Owned(text) = unix_lines(source.text()) {
        return lay_out(&Source::new(source.name(), text));
    }
    let mut printer = Printer::new(source, tokens);
    printer.script(&script);
    match printer.lost {
        None => Ok(printer.doc.print()),
        Some(at) => Err(Refusal::Fault(source.line_of(at))),
    }
}

/// The text with `\n` as the end of each line. To JavaScript the others mean the same, also in a template.
fn unix_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}
