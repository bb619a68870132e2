//! The formatter: how it lays out programs. What it promises about any program is tested beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rhythm_flow::codes::Code;
use rhythm_flow::format::{Refusal, format};
use rhythm_flow::parse::MAX_SOURCE;
use rhythm_flow::source::Source;

use crate::parse::read;

#[test]
fn programs_are_laid_out_so() {
    insta::with_settings!({ snapshot_path => "snap/format", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("input/format/*.flow", |path| {
            insta::assert_snapshot!("format", format(&read(path)).expect("it has no syntax error"));
        });
    });
}

#[test]
fn the_examples_are_formatted() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut count = 0;
    let mut folders = vec![examples];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "flow") {
                assert_formatted(&path);
                count += 1;
            }
        }
    }
    assert!(count >= 2, "{count} examples");
}

fn assert_formatted(path: &Path) {
    let source = read(path);
    let text = format(&source).expect("an example has no syntax error");
    assert_eq!(text, source.text(), "run `rhythm fmt {}`", path.display());
}

#[test]
fn a_program_with_syntax_errors_is_refused() {
    let refusal = format(&Source::new("a.flow", "let a = ;\nlet = 1"));
    let Err(Refusal::Syntax(diagnostics)) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(diagnostics.len(), 2);
}

#[test]
fn a_program_that_grows_over_a_limit_is_refused_by_its_name() {
    // Formatted each statement has a line and an indentation of its own.
    let text = format!("{{{}}}", "{{{{a;a;a;a;a;a;a;a}}}}".repeat(MAX_SOURCE / 24));
    let refusal = format(&Source::new("a.flow", format!("let a = 1\n{text}")));
    let Err(Refusal::Limit(limit)) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(limit.code, Code::TooLarge);
}

#[test]
fn lines_end_as_on_unix() {
    let source = Source::new(
        "a.flow",
        "\u{FEFF}let a = `1\r\n2`\r\n// b\rlet c = '\\\r\n'\r\n",
    );
    let text = format(&source).expect("it has no syntax error");
    assert_eq!(text, "let a = `1\n2`;\n// b\nlet c = \"\\\n\";\n");
}

#[test]
fn a_file_without_words_stays_without() {
    for (text, expected) in [
        ("", ""),
        (" \n\n", ""),
        ("\n // a \n\n\n/* b */", "// a\n\n/* b */\n"),
        (";;", ""),
    ] {
        assert_eq!(
            format(&Source::new("a.flow", text)).expect("it is fine"),
            expected
        );
    }
}

/// What is nested as deep and chained as long as the parser allows needs no deep stack.
#[test]
fn deep_and_long_programs_are_formatted_on_a_small_stack() {
    let programs = [
        format!("f({}1{})", "[".repeat(98), "]".repeat(98)),
        format!("a = {}1{}", "f(() => {".repeat(48), "})".repeat(48)),
        format!("a{}", ".b(1)".repeat(240)),
        format!("a = 1{}", " + 1".repeat(490)),
        format!("{}a{}", "if (a) {".repeat(90), "}".repeat(90)),
        format!("if (a) b{}", "\nelse if (a) b".repeat(90)),
        format!("a = {}1", "a ? 1 : ".repeat(90)),
        format!("a = {}1", "(x) => ".repeat(90)),
    ];
    let run = move || {
        for program in programs {
            let once = format(&Source::new("a.flow", program.as_str())).expect("it is allowed");
            let twice = format(&Source::new("a.flow", once.as_str())).expect("it stays allowed");
            assert_eq!(once, twice);
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(run);
    thread
        .expect("a thread starts")
        .join()
        .expect("the stack is enough");
}

/// Generous, since other tests run at the same time: it is about the order of magnitude.
#[test]
fn twenty_thousand_lines_take_no_time() {
    let lines = "const a = await Task.run('a', { b: 1 })\nif (a) b(c)\n";
    let text = lines.repeat(10_000);
    let start = Instant::now();
    let formatted = format(&Source::new("a.flow", text)).expect("it is fine");
    assert_eq!(formatted.lines().count(), 20_000);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
