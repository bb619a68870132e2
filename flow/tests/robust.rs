//! No text makes the parser panic, recurse without limit or take long.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rhythm_flow::check::check;
use rhythm_flow::codes::Code;
use rhythm_flow::diagnostic::Diagnostic;
use rhythm_flow::parse::{MAX_NESTING, parse};
use rhythm_flow::source::Source;

/// Far above what any of these texts takes, far below what exponential time takes.
const LONG: Duration = Duration::from_secs(20);

fn diagnose(text: &str) -> Vec<Diagnostic> {
    let started = Instant::now();
    let source = Source::new("test.flow", text);
    let (script, mut diagnostics) = parse(&source);
    diagnostics.extend(check(&script, &source));
    for one in &diagnostics {
        assert!(
            one.span.start <= one.span.end && one.span.end as usize <= text.len(),
            "{one:?}"
        );
        assert!(!one.render(&source).is_empty());
    }
    let start: String = text.chars().take(80).collect();
    assert!(
        started.elapsed() < LONG,
        "{:?} for {start}",
        started.elapsed()
    );
    diagnostics
}

#[test]
fn deep_and_wide_types_of_inputs_are_refused_or_read_at_once() {
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        format!("/** @param {{{open}string{close}}} Inputs */ return Inputs")
    };
    let texts = [
        deep("", "[]"),
        deep("readonly ", ""),
        deep("(", ")"),
        deep("{a: ", "}"),
        deep("Array<", ">"),
        deep("(", "[])"),
        deep("?", ""),
        deep("", "[]|string[]"),
    ];
    for text in texts {
        let diagnostics = diagnose(&text);
        let start: String = text.chars().take(40).collect();
        let refused = diagnostics.iter().any(|one| one.code == Code::BadInputType);
        assert!(
            refused || text.contains("|string"),
            "{start}: {diagnostics:?}"
        );
    }
    let fields: Vec<String> = (0..60_000).map(|at| format!("f{at}: string")).collect();
    let wide = format!(
        "/** @param {{{{{}}}}} Inputs */ return Inputs",
        fields.join(", ")
    );
    assert_eq!(diagnose(&wide), []);
}

#[test]
fn deep_nesting_is_refused_by_name() {
    let deep = |open: &str, middle: &str, close: &str, count: usize| {
        format!("{}{middle}{}", open.repeat(count), close.repeat(count))
    };
    let texts = [
        deep("(", "1", ")", 2_000),
        deep("[", "1", "]", 10_000),
        deep("{", "", "}", 10_000),
        deep("(a, (", "1", "))", 5_000),
        deep("`${", "1", "}`", 3_000),
        deep("`${{a: ", "1", "}}`", 3_000),
        deep("f(", "", ")", 10_000),
        deep("x => (", "1", ")", 10_000),
        deep("[", "a", "]", 5_000) + " = b",
        deep("({a: ", "a", "})", 5_000) + " => 1",
        deep("if (a) {", "", "}", 10_000),
        deep("function f() {", "", "}", 10_000),
        "x => ".repeat(10_000) + "1",
        "!".repeat(100_000) + "1",
        "- ".repeat(50_000) + "1",
        "await ".repeat(50_000) + "1",
        "a = ".repeat(50_000) + "1",
        "a ? b : ".repeat(20_000) + "1",
        "a ** ".repeat(20_000) + "1",
        "1 + ".repeat(100_000) + "1",
        "a && ".repeat(100_000) + "1",
        format!("a{}", ".b".repeat(100_000)),
        format!("a{}", "()".repeat(100_000)),
        format!("a{}", "?.[0]".repeat(50_000)),
        "if (a) b; else ".repeat(10_000) + "c",
        "a: ".repeat(10_000) + "b",
        "for (;;) ".repeat(10_000) + "b",
        "do ".repeat(10_000) + "b",
    ];
    for text in texts {
        let diagnostics = diagnose(&text);
        let start: String = text.chars().take(40).collect();
        assert!(
            diagnostics.iter().any(|one| one.code == Code::TooDeep),
            "{start}: {diagnostics:?}"
        );
    }
}

#[test]
fn what_the_limits_allow_fits_into_a_small_stack() {
    let texts = [
        format!(
            "return {}1{}",
            "(".repeat(MAX_NESTING),
            ")".repeat(MAX_NESTING)
        ),
        format!(
            "return {}{}",
            "[".repeat(MAX_NESTING),
            "]".repeat(MAX_NESTING)
        ),
        format!(
            "return {}1{}",
            "{a: ".repeat(MAX_NESTING),
            "}".repeat(MAX_NESTING)
        ),
        format!(
            "return {}1{}",
            "`${".repeat(MAX_NESTING / 2),
            "}`".repeat(MAX_NESTING / 2)
        ),
        format!("return {}1{}", "() => {return ".repeat(90), "}".repeat(90)),
        format!(
            "{}{}",
            "if (Inputs) {".repeat(MAX_NESTING),
            "}".repeat(MAX_NESTING)
        ),
        format!("return {}1", "1 + ".repeat(499)),
        format!("return Inputs{}", ".b".repeat(499)),
        format!("{}return 1", "if (Inputs) return 2; else ".repeat(190)),
        format!("return {}1", "!".repeat(190)),
        format!("return {}1{}", "(a => (".repeat(50), "))".repeat(50)),
        format!(
            "return {}1{}",
            "[async ({b = 1}) => {return b + ".repeat(48),
            "}]".repeat(48)
        ),
    ];
    for text in texts {
        // Through the compiler as well.
        let checked = rhythm_flow::check(&Source::new("test.flow", text.as_str()));
        let errors: Vec<_> = checked
            .diagnostics
            .into_iter()
            .filter(Diagnostic::is_error)
            .collect();
        assert_eq!(errors, [], "{}", text.chars().take(40).collect::<String>());
    }
}

#[test]
fn broken_texts_are_refused_soon() {
    let texts = [
        "(".repeat(100),
        "([{`${".repeat(20),
        "`${)".repeat(100),
        "}])".repeat(50_000),
        "(}".repeat(100_000),
        "[)".repeat(100_000),
        "for (}".repeat(20_000),
        "(a, ".repeat(100),
        "(a => (".repeat(50),
        "if (".repeat(100),
        "let [".repeat(100),
        "'".repeat(100_001),
        "`".repeat(10_001),
        "/*".repeat(10_000),
        "/a/ ".repeat(10_000),
        "@".repeat(100_000),
        "x\n".repeat(30_000) + ")",
        "\\u{".repeat(10_000),
        "0b".repeat(10_000),
        "for (let ".repeat(10_000),
        "switch (a) { case ".repeat(50),
        "function f(".repeat(100),
        "async (".repeat(100),
        "a?.".repeat(10_000),
        "\u{feff}\u{2028}<!--".to_owned(),
        "case ".repeat(10_000),
        (0..30_000).map(|n| format!("name{n};")).collect(),
        (0..30_000).map(|n| format!("Math.name{n};")).collect(),
        (0..20_000).map(|n| format!("n{n};")).collect::<String>()
            + &(0..20_000)
                .map(|n| format!("let n{n};"))
                .collect::<String>()
            + "n",
        (0..20_000).map(|n| format!("new Name{n};")).collect(),
        "else ".repeat(10_000),
    ];
    for text in texts {
        let diagnostics = diagnose(&text);
        let start: String = text.chars().take(40).collect();
        assert!(
            diagnostics.iter().any(Diagnostic::is_error),
            "accepted: {start}"
        );
    }
}

#[test]
fn a_long_file_is_checked_in_no_time() {
    let mut text = String::from("const list = []\n");
    for index in 0..1_000 {
        text.push_str(&format!(
            "list.push(await Task.run('step', {{ n: {index}, label: `no ${{list.length}}` }}, {{ timeout: '5s' }}))\n"
        ));
    }
    text.push_str("return list\n");
    let started = Instant::now();
    assert_eq!(diagnose(&text), []);
    // A few milliseconds in a release build; tests share the machine, and are not optimised.
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_large_file_is_refused() {
    let text = " ".repeat(rhythm_flow::parse::MAX_SOURCE + 1);
    assert_eq!(diagnose(&text)[0].code, Code::TooLarge);
}

/// Words of which the texts are made that nearly are programs.
const WORDS: &[&str] = &[
    "let ",
    "const ",
    "function ",
    "async ",
    "await ",
    "return ",
    "if ",
    "else ",
    "for ",
    "of ",
    "in ",
    "while ",
    "do ",
    "switch ",
    "case ",
    "default",
    "break ",
    "continue ",
    "throw ",
    "try ",
    "catch ",
    "finally ",
    "new ",
    "typeof ",
    "delete ",
    "class ",
    "var ",
    "this",
    "yield ",
    "get ",
    "import ",
    "null",
    "a",
    "b",
    "Task.run",
    "Inputs",
    "x1",
    "\\u0061",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "`",
    "${",
    "'",
    "\"",
    ";",
    ",",
    ".",
    "...",
    "?.",
    "?",
    ":",
    "=>",
    "=",
    "==",
    "===",
    "+=",
    "??=",
    "**",
    "++",
    "--",
    "-",
    "+",
    "!",
    "/",
    "*",
    "//",
    "/*",
    "*/",
    "<!--",
    "-->",
    "#",
    "@",
    "\\",
    "1",
    "0",
    "017",
    "1n",
    "0x",
    ".5",
    "1_0",
    "'s'",
    "\"t\"",
    "`u`",
    "\n",
    "\r\n",
    "\u{2028}",
    " ",
    "é",
    "😀",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read(text in "\\PC*") {
        diagnose(&text);
    }

    #[test]
    fn any_words_are_read(words in prop::collection::vec(prop::sample::select(WORDS), 0..120)) {
        diagnose(&words.concat());
    }

    #[test]
    fn any_type_is_read(words in prop::collection::vec(prop::sample::select(
        &["{", "}", "[", "]", "(", ")", "|", "?", ":", ",", "a", "string", "Array<", ">", "Record<",
          "'x'", "\"", "1", "\n * ", " ", "null", "@param ", "é"][..]), 0..40)) {
        diagnose(&format!("/** @param {{{}}} Inputs */\nreturn 1", words.concat()));
    }

    #[test]
    fn a_program_with_a_part_cut_out_is_read(from in 0_usize..900, length in 0_usize..200) {
        let text = include_str!("input/check/fine.flow");
        let chars: Vec<char> = text.chars().collect();
        let from = from.min(chars.len());
        let to = (from + length).min(chars.len());
        let cut: String = chars[..from].iter().chain(&chars[to..]).collect();
        diagnose(&cut);
    }
}
