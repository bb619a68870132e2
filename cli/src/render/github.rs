//! Annotations of GitHub Actions: workflow commands, one a line.

use rhythm_flow::project::File;
use rhythm_flow::{Diagnostic, Source};

/// One line for each diagnostic.
pub(crate) fn annotations(files: &[File]) -> Vec<String> {
    let of_file = |file: &File| {
        let of = |one: &Diagnostic| annotation(one, &file.source);
        file.checked.diagnostics.iter().map(of).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

fn annotation(one: &Diagnostic, source: &Source) -> String {
    let (start, end) = (
        source.position(one.span.start),
        source.position(one.span.end),
    );
    let message = match &one.hint {
        Some(hint) => format!("{}\n{hint}", one.message),
        None => one.message.clone(),
    };
    format!(
        "::{} file={},line={},col={},endLine={},endColumn={},title={}::{}",
        one.severity.word(),
        property(source.name()),
        start.line,
        start.column,
        end.line,
        end.column,
        property(&format!("{} {}", one.code.number(), one.code.name())),
        data(&message)
    )
}

/// Text behind the last `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
