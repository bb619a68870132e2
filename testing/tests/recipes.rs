//! The recipes: their tests reach every line of their workflows, and the pages show the very files.
//!
//! A page shows a file where a line is nothing but a link to it: the block behind that line is the file's text.
//! `make accept` writes it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{run, told};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is in a folder, in order.
fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("listed").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("text")
}

fn recipes() -> Vec<PathBuf> {
    let found = list(&root().join("examples/recipes"));
    assert!(!found.is_empty(), "there are recipes");
    found
}

#[test]
fn the_tests_of_the_recipes_pass_and_leave_no_line_out() {
    for recipe in recipes() {
        let files: Vec<(String, String)> = list(&recipe)
            .iter()
            .filter(|path| name(path).ends_with(".flow"))
            .map(|path| {
                let text = fs::read_to_string(path).expect("it is text");
                (name(path).to_owned(), text)
            })
            .collect();
        let workflows: Vec<(&str, &str)> = files
            .iter()
            .filter(|(file, _)| !file.ends_with(".test.flow"))
            .map(|(file, text)| (file.trim_end_matches(".flow"), text.as_str()))
            .collect();
        let mut tests = files
            .iter()
            .filter(|(file, _)| file.ends_with(".test.flow"));
        let (file, test) = tests.next().expect("each recipe has tests");
        assert_eq!(
            tests.next(),
            None,
            "one file of tests, since lines are counted in it"
        );
        let result = run(test, &workflows);
        assert!(!result.has_failed(), "{file}: {}", told(&result));
        assert!(result.tests.len() >= 3, "{file}");
        assert_eq!(result.coverage.len(), workflows.len(), "{file}");
        for (workflow, coverage) in &result.coverage {
            assert_eq!(coverage.missed(), [], "lines of {workflow}");
        }
    }
}

#[test]
fn pages_show_the_files_as_they_are() {
    let accept = std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always");
    let mut shown = Vec::new();
    for folder in ["docs/flow", "docs/recipes"] {
        for page in list(&root().join(folder)) {
            let text = fs::read_to_string(&page).expect("a page is text");
            let made = with_files(&page, &text, &mut shown);
            if accept && made != text {
                fs::write(&page, &made).expect("the page can be written");
            } else {
                // Not assert_eq: nobody wants to see two pages.
                assert!(text == made, "`make accept` writes {}", page.display());
            }
        }
    }
    for recipe in recipes() {
        let page = root().join(format!("docs/recipes/{}.md", name(&recipe)));
        for file in list(&recipe) {
            let is_source = [".flow", ".py", ".sql"]
                .iter()
                .any(|ending| name(&file).ends_with(ending));
            let path = file.canonicalize().expect("it is there");
            let is_shown = shown.iter().any(|(on, what)| *on == page && *what == path);
            assert!(
                !is_source || is_shown,
                "{} lacks {}",
                page.display(),
                file.display()
            );
        }
    }
}

/// A page with the text of each file behind the line that is a link to it. Notes which page shows which file.
fn with_files(page: &Path, text: &str, shown: &mut Vec<(PathBuf, PathBuf)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(target) = linked(line) else { continue };
        let path = page.with_file_name(target);
        let file = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let fence = lines.by_ref().find(|line| !line.is_empty());
        let fence = fence.filter(|line| line.starts_with("```"));
        let fence =
            fence.unwrap_or_else(|| panic!("no block behind `{line}` in {}", page.display()));
        let end = lines.find(|line| *line == "```");
        assert!(end.is_some(), "a block of {} has no end", page.display());
        out.push_str(&format!("\n{fence}\n{file}```\n"));
        shown.push((
            page.to_owned(),
            path.canonicalize().expect("it was just read"),
        ));
    }
    out
}

/// The target of a line such as ``[`trip.flow`](../../examples/recipes/saga/trip.flow):``.
fn linked(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("[`")?.strip_suffix("):")?;
    let (_, target) = rest.split_once("`](")?;
    target.contains("/examples/").then_some(target)
}

/// One server is enough to try all of them.
#[test]
fn recipes_do_not_get_into_each_others_way() {
    let mut names = Vec::new();
    for recipe in recipes() {
        for file in list(&recipe) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            match file.extension().and_then(|ending| ending.to_str()) {
                Some("flow") => names.push(name(&file).to_owned()),
                Some("sql") => {
                    let tables = text.split("create table if not exists ").skip(1);
                    names
                        .extend(tables.filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned())));
                }
                _ => {}
            }
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(
        names.len(),
        all,
        "a workflow or a table is there twice: {names:?}"
    );
}

#[test]
fn every_recipe_has_a_page_that_is_found() {
    let list = fs::read_to_string(root().join("docs/recipes/README.md")).expect("it is there");
    for recipe in recipes() {
        let page = format!("{}.md", name(&recipe));
        assert!(
            list.contains(&format!("]({page})")),
            "README.md lacks {page}"
        );
        assert!(root().join("docs/recipes").join(&page).exists(), "{page}");
    }
}
