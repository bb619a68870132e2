//! The checker: every message for every file, as people see it.

use rhythm_flow::check::check;
use rhythm_flow::diagnostic;
use rhythm_flow::parse::parse;

use crate::parse::read;

#[test]
fn checked_programs_give_these_messages() {
    insta::with_settings!({ snapshot_path => "snap/check", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("input/check/*.flow", |path| {
            let source = read(path);
            let (script, mut diagnostics) = parse(&source);
            diagnostics.extend(check(&script, &source));
            diagnostic::sort(&mut diagnostics);
            let messages: Vec<String> =
                diagnostics.iter().map(|one| one.render(&source)).collect();
            insta::assert_snapshot!("check", messages.join("\n\n"));
        });
    });
}
