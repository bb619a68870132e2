//! The documentation is true: its tables are those of the code, its programs are programs.

use std::fs;
use std::path::PathBuf;

use rhythm_flow::codes::Code;
use rhythm_flow::diagnostic::Diagnostic;
use rhythm_flow::format::format;
use rhythm_flow::parse::MAX_SOURCE;
use rhythm_flow::project::Project;
use rhythm_flow::reference;
use rhythm_flow::schema::Schema;
use rhythm_flow::source::Source;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/flow")
}

#[test]
fn the_pages_made_of_tables_are_up_to_date() {
    for (name, page) in [
        ("diagnostics.md", reference::diagnostics()),
        ("library.md", reference::library()),
    ] {
        let path = folder().join(name);
        if std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always") {
            fs::write(&path, &page).expect("the documentation can be written");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, page, "`make accept` writes docs/flow/{name}");
    }
}

#[test]
fn the_list_of_what_is_stricter_is_up_to_date() {
    const BEGIN: &str = "`make accept` writes it. -->\n";
    const END: &str = "<!-- The end of what is made. -->";
    let path = folder().join("README.md");
    let page = fs::read_to_string(&path).expect("the guide is there");
    let (before, rest) = page.split_once(BEGIN).expect("where the list begins");
    let (list, behind) = rest.split_once(END).expect("where the list ends");
    let made = format!("\n{}\n", reference::stricter());
    if std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always") {
        let page = format!("{before}{BEGIN}{made}{END}{behind}");
        fs::write(&path, page).expect("the documentation can be written");
    } else {
        assert_eq!(list, made, "`make accept` writes docs/flow/README.md");
    }
}

/// Messages that speak of Flow refuse what JavaScript does; each of them is on the list.
#[test]
fn every_refusal_while_running_is_on_the_list() {
    let told: Vec<&str> = reference::refusing_messages().collect();
    let mut folders: Vec<PathBuf> = ["builtins", "vm", "value"]
        .iter()
        .map(|name| {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("src")
                .join(name)
        })
        .collect();
    let mut seen = vec![false; told.len()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("it is text");
            for line in text.lines().map(str::trim) {
                let of_list = told.iter().position(|words| line.contains(words));
                if let Some(place) = of_list {
                    seen[place] = true;
                }
                let speaks =
                    line.contains('"') && (line.contains("Flow ") || line.contains("Flow'"));
                let is_told = of_list.is_some() || !speaks || line.starts_with("//");
                assert!(is_told, "{}: {line}", path.display());
            }
        }
    }
    let gone: Vec<&str> = told
        .iter()
        .zip(&seen)
        .filter(|(_, seen)| !**seen)
        .map(|(words, _)| *words)
        .collect();
    assert!(
        gone.is_empty(),
        "no message reads like this any more: {gone:?}"
    );
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

/// Everything that is said of a program, also in comparison with itself.
fn told(text: &str) -> (Source, Vec<Diagnostic>) {
    let mut project = Project::default();
    // Those that the guide starts as children.
    for name in ["keep_record", "pack_part"] {
        project.knows_workflow(name.to_owned());
    }
    project.add(
        Some("example".to_owned()),
        Source::new("example.flow", text),
    );
    // The one of the page of W0403.
    let invoice = r#"{"type": "object", "properties": {"amount": {"type": "number"}, "currency": {"type": "string"}},
        "required": ["amount"]}"#;
    let invoice = Schema::read(invoice).expect("a schema");
    project.declare_schema("invoice".to_owned(), invoice);
    let file = project.finish().swap_remove(0);
    (file.source, file.checked.diagnostics)
}

fn rendered(source: &Source, diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> = diagnostics.iter().map(|one| one.render(source)).collect();
    lines.join("\n")
}

/// Programs for codes that no program of a few lines gives.
fn generated(code: Code) -> Option<String> {
    Some(match code {
        Code::TooDeep => format!("return {}1{}", "(".repeat(200), ")".repeat(200)),
        Code::TooLarge => " ".repeat(MAX_SOURCE + 1),
        Code::TooMany => "return ;)\n".repeat(200),
        Code::TooBig => {
            let names: Vec<String> = (0..61_000).map(|n| format!("_{n}")).collect();
            format!("let {}", names.join(", "))
        }
        _ => return None,
    })
}

#[test]
fn every_code_has_a_program_that_gives_it_and_one_that_does_not() {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let page = format!("{}.md", code.number());
        let blocks = blocks(code.page());
        for block in &blocks {
            let (source, found) = told(&block.text);
            let is_right = block.kind == Kind::Right;
            let exact = found.iter().all(|one| one.code == *code && !is_right);
            if !exact || found.is_empty() != is_right {
                let shown = rendered(&source, &found);
                wrong.push(format!("{page}, line {}: {shown}", block.line));
            }
        }
        if let Some(text) = generated(*code) {
            let (_, found) = told(&text);
            if !found.iter().any(|one| one.code == *code) {
                wrong.push(format!("{page}: the generated program does not give it"));
            }
        } else if !matches!(code, Code::UnknownWorkflow | Code::CompilerFault) {
            // One takes two files; no file that gives the other is known, or it would be mended.
            let refused = blocks.iter().filter(|block| block.kind != Kind::Right);
            if refused.count() != 1 || blocks.len() < 2 {
                wrong.push(format!("{page} shows one wrong program, and right ones"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Blocks marked `js` are programs; those marked `js refused` have an error, `js warned` a warning.
#[test]
fn every_program_of_the_guide_is_one() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let page = fs::read_to_string(&path).expect("a page is text");
        for block in blocks(&page) {
            let (source, found) = told(&block.text);
            let place = format!("the block in line {} of {}", block.line, path.display());
            let has_error = found.iter().any(Diagnostic::is_error);
            let shown = rendered(&source, &found);
            assert_eq!(has_error, block.kind == Kind::Refused, "{place}: {shown}");
            assert_eq!(
                found.is_empty(),
                block.kind == Kind::Right,
                "{place}: {shown}"
            );
            count += 1;
        }
    }
    assert!(count >= 100, "{count} programs");
}

/// Programs are laid out as `rhythm fmt` does it, wrong ones too where they are as wrong then; `make accept` does so.
#[test]
fn every_program_is_formatted() {
    let explained = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/explain");
    let accept = std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always");
    let (mut count, mut wrong) = (0, Vec::new());
    for folder in [folder(), explained] {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            // The page of diagnostics is made of the others.
            if path.extension().is_none_or(|ending| ending != "md")
                || path.ends_with("diagnostics.md")
            {
                continue;
            }
            let page = fs::read_to_string(&path).expect("a page is text");
            let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
            // From below, so that the lines above keep their numbers.
            for block in blocks(&page).iter().rev() {
                let Some(text) = laid_out(block) else {
                    continue;
                };
                if text != block.text {
                    let place = format!("line {} of {}", block.line, path.display());
                    wrong.push(place);
                    let first = block.line - 1;
                    let old = first..first + block.text.lines().count();
                    lines.splice(old, text.lines().map(str::to_owned));
                }
                count += 1;
            }
            if accept && !wrong.is_empty() {
                let page = lines.join("\n") + "\n";
                fs::write(&path, page).expect("the documentation can be written");
            }
        }
    }
    assert!(count >= 100, "{count} programs");
    assert!(accept || wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A program as it should stand on its page; none if that cannot be said.
fn laid_out(block: &Block) -> Option<String> {
    // One that is wrong for a line break keeps it.
    if block.kind != Kind::Right && block.text.contains("return\n") {
        return None;
    }
    let codes = |text: &str| -> Vec<Code> { told(text).1.iter().map(|one| one.code).collect() };
    match format(&Source::new("example.flow", block.text.as_str())) {
        Ok(text) => (codes(&text) == codes(&block.text)).then_some(text),
        Err(refusal) if block.kind == Kind::Right => panic!("{refusal:?}: {}", block.text),
        Err(_) => None,
    }
}

#[test]
fn the_examples_have_nothing_to_tell() {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            // Tests of workflows have names of their own; `rhythm test` runs them.
            if !name.ends_with(".flow") || name.ends_with(".test.flow") {
                continue;
            }
            let (source, found) = told(&fs::read_to_string(entry.path()).expect("it is text"));
            assert!(found.is_empty(), "{}", rendered(&source, &found));
            count += 1;
        }
    }
    assert!(count >= 3, "{count} examples");
}

/// What a block of a page is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Right,
    Warned,
    Refused,
}

/// A program of a page.
#[derive(Debug)]
struct Block {
    line: usize,
    kind: Kind,
    text: String,
}

/// The programs of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        let kind = match line.trim() {
            "```js" => Some(Kind::Right),
            "```js warned" => Some(Kind::Warned),
            "```js refused" => Some(Kind::Refused),
            _ => None,
        };
        match (&mut open, kind) {
            (None, Some(kind)) => {
                open = Some(Block {
                    line: index + 2,
                    kind,
                    text: String::new(),
                });
            }
            (Some(_), _) if line.trim() == "```" => found.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            _ => {}
        }
    }
    found
}
