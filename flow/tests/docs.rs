//! The documentation is true: its tables are those of the code, its programs are programs.

use std::fs;
use std::path::PathBuf;

use rhythm_flow::check::check;
use rhythm_flow::codes::Code;
use rhythm_flow::diagnostic::Diagnostic;
use rhythm_flow::parse::parse;
use rhythm_flow::reference;
use rhythm_flow::source::Source;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/flow")
}

#[test]
fn the_page_of_diagnostics_is_up_to_date() {
    let path = folder().join("diagnostics.md");
    let page = reference::diagnostics();
    if std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always") {
        fs::write(&path, &page).expect("the documentation can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, page, "`make accept` writes docs/flow/diagnostics.md");
}

#[test]
fn codes_are_unique() {
    let mut numbers: Vec<&str> = Code::ALL.iter().map(|code| code.number()).collect();
    let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    for list in [&mut numbers, &mut names] {
        list.sort_unstable();
        list.dedup();
        assert_eq!(list.len(), Code::ALL.len());
    }
}

/// Blocks marked `js` are programs; those marked `js refused` have an error.
#[test]
fn every_program_of_the_guide_is_one() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let page = fs::read_to_string(&path).expect("a page is text");
        for (line, refused, text) in blocks(&page) {
            let source = Source::new(path.display().to_string(), text);
            let (script, mut diagnostics) = parse(&source);
            diagnostics.extend(check(&script, &source));
            let errors: Vec<String> = diagnostics
                .iter()
                .filter(|one| Diagnostic::is_error(one))
                .map(|one| one.render(&source))
                .collect();
            let place = format!("the block in line {line} of {}", path.display());
            assert_eq!(
                !errors.is_empty(),
                refused,
                "{place}: {}",
                errors.join("\n")
            );
            count += 1;
        }
    }
    assert!(count >= 8, "{count} programs");
}

/// The blocks of a page with their first line.
fn blocks(page: &str) -> Vec<(usize, bool, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, bool, String)> = None;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.trim()) {
            (None, "```js") => open = Some((index + 2, false, String::new())),
            (None, "```js refused") => open = Some((index + 2, true, String::new())),
            (Some(_), "```") => found.extend(open.take()),
            (Some((_, _, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
    }
    found
}
