//! The parser: trees of what is accepted, messages for what is not.

use std::fs;
use std::path::Path;

use rhythm_flow::diagnostic;
use rhythm_flow::parse::parse;
use rhythm_flow::source::Source;

use crate::tree;

pub(crate) fn read(path: &Path) -> Source {
    let name = path
        .file_name()
        .expect("a glob gives files")
        .to_string_lossy()
        .into_owned();
    Source::new(
        name,
        fs::read_to_string(path).expect("a glob gives readable files"),
    )
}

#[test]
fn accepted_programs_give_these_trees() {
    insta::with_settings!({ snapshot_path => "snap/parse", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("input/parse/*.flow", |path| {
            let source = read(path);
            let (script, diagnostics) = parse(&source);
            let messages: String =
                diagnostics.iter().map(|one| one.render(&source) + "\n").collect();
            assert_eq!(messages, "", "{}", path.display());
            insta::assert_snapshot!("tree", tree::script(&script));
        });
    });
}

#[test]
fn broken_programs_give_these_messages() {
    insta::with_settings!({ snapshot_path => "snap/syntax", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("input/syntax/*.flow", |path| {
            let source = read(path);
            let (_, mut diagnostics) = parse(&source);
            diagnostic::sort(&mut diagnostics);
            assert!(!diagnostics.is_empty(), "{} is accepted", path.display());
            let messages: Vec<String> =
                diagnostics.iter().map(|one| one.render(&source)).collect();
            insta::assert_snapshot!("syntax", messages.join("\n\n"));
        });
    });
}
