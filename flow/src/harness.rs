//! A source as a part of a program around it, the *harness*: its statements become the body of the
//! harness's function `$file`, so it sees what the harness declares. Test files are such sources.
//!
//! Both are one text for the compiler, the source first: its lines and columns stay what they are, and
//! whatever stands behind its last line is the harness's. Knows nothing of tests.

use crate::ast::{FunctionBody, StmtKind};
use crate::diagnostic::Diagnostic;
use crate::source::Source;
use crate::{Checked, check, parse};

/// The async function of a harness that gets the statements of the source.
pub const PLACE: &str = "$file";

/// Checks and compiles a source within a harness. Diagnostics are about the source alone; the tasks and
/// workflows that it names are not told, since what they mean is the harness's business.
#[must_use]
pub fn check_within(source: &Source, harness: &str) -> Checked {
    // Read alone first: what an open bracket swallows must not be the harness.
    let (_, broken) = parse::parse(source);
    if broken.iter().any(Diagnostic::is_error) {
        return Checked {
            diagnostics: broken,
            program: None,
            calls: Vec::new(),
        };
    }
    let end = source.text().len();
    // The line break ends a comment, the semicolon a statement.
    let joint = Source::new(source.name(), format!("{}\n;{harness}", source.text()));
    let (mut script, mut found) = parse::parse(&joint);
    let first = script
        .body
        .partition_point(|stmt| (stmt.span.start as usize) < end);
    let around = script.body.split_off(first);
    let mut own = std::mem::replace(&mut script.body, around);
    for stmt in &mut script.body {
        if let StmtKind::Function(function) = &mut stmt.kind
            && function
                .name
                .as_ref()
                .is_some_and(|name| name.name == PLACE)
            && let FunctionBody::Block(body) = &mut function.body
        {
            body.append(&mut own);
        }
    }
    script.input_type = None;
    script.comments.clear();
    found.extend(check::check(&script, &joint));
    // Names that a source does not use are of no interest to its author.
    found.retain(|one| one.is_error() || (one.span.start as usize) < end);
    crate::compiled(&script, &joint, found, false).0
}

#[cfg(test)]
mod tests {
    use super::check_within;
    use crate::diagnostic::Diagnostic;
    use crate::source::Source;

    const HARNESS: &str = "const seen = []\nfunction note(x) { seen.push(x) }\n\
                           async function $file() {}\nawait $file()\nreturn seen";

    fn said(text: &str) -> Vec<String> {
        let source = Source::new("a.flow", text);
        let checked = check_within(&source, HARNESS);
        let found = checked.diagnostics.iter();
        assert_eq!(
            checked.program.is_some(),
            !found.clone().any(Diagnostic::is_error)
        );
        found.map(|one| one.render(&source)).collect()
    }

    #[test]
    fn a_source_sees_what_the_harness_declares() {
        assert_eq!(said("note(1) // the end"), Vec::<String>::new());
        assert_eq!(
            said("const seen = 5; note(seen); return"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn diagnostics_are_those_of_the_source() {
        let unknown = said("note(1)\nnode(2)").join("");
        assert!(unknown.starts_with("a.flow:2:1: error"), "{unknown}");
        assert!(unknown.contains("Did you mean `note`?"), "{unknown}");
        let open = said("if (true) { note(1)").join("");
        assert!(open.starts_with("a.flow:1:"), "{open}");
    }
}
