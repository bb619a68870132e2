//! What the formatter promises, on every program of the repository and on disturbed copies of them: the tree
//! stays, every comment stays once and in order, and a second time changes nothing.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::comments::comments;
use super::{Refusal, format};
use crate::diagnostic::Diagnostic;
use crate::parse;
use crate::parse::token::{Kind, Token, has_line_break};
use crate::source::{Source, Span};

/// Every program of the repository that has no syntax error, with its place.
fn corpus() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in [
        "tests/conformance",
        "examples",
        "bench",
        "docs",
        "flow/tests/input",
    ] {
        collect(&root.join(folder), &mut found);
    }
    found.retain(|(_, text)| tree(text).is_some());
    assert!(found.len() > 280, "{} programs", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("listed").path()).collect();
    paths.sort();
    for path in paths {
        let place = path.display().to_string();
        if path.is_dir() {
            collect(&path, found);
        } else if place.ends_with(".flow") {
            found.push((place, std::fs::read_to_string(&path).expect("it is text")));
        } else if place.ends_with(".md") {
            let page = std::fs::read_to_string(&path).expect("a page is text");
            let blocks = page.split("```js\n").skip(1);
            found.extend(
                blocks.filter_map(|rest| Some((place.clone(), rest.split_once("```")?.0.into()))),
            );
        }
    }
}

/// The tree without places, parentheses and empty statements; none if there are syntax errors.
fn tree(text: &str) -> Option<String> {
    let (script, diagnostics, _) = parse::parse_words(&Source::new("a.flow", text));
    if diagnostics.iter().any(Diagnostic::is_error) {
        return None;
    }
    let debug = format!("{:?} {:?}", script.input_type.is_some(), script.body);
    let mut out = String::with_capacity(debug.len() / 2);
    // For each bracket that is open whether it is one of `Expr { kind: Paren(…) }`.
    let mut open: Vec<bool> = Vec::new();
    let mut rest = debug.as_str();
    while let Some(first) = rest.chars().next() {
        if let Some(span) = ["span: Span { ", "op_span: Span { "]
            .iter()
            .find_map(|head| rest.strip_prefix(head))
        {
            rest = span.split_once('}').expect("a span ends").1;
            rest = rest.strip_prefix(", ").unwrap_or(rest);
        } else if let Some(inner) = rest.strip_prefix("Expr { kind: Paren(") {
            open.push(true);
            rest = inner;
        } else if let Some(behind) = rest.strip_prefix("Stmt { kind: Empty, ") {
            rest = behind.split_once("} }").expect("a statement ends").1;
            rest = rest.strip_prefix(", ").unwrap_or(rest);
        } else if first == '(' {
            open.push(false);
            out.push('(');
            rest = &rest[1..];
        } else if first == ')' {
            rest = &rest[1..];
            if open.pop() == Some(true) {
                rest = rest.split_once("} }").expect("an expression ends").1;
            } else {
                out.push(')');
            }
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Some(out.replace(", ]", "]").replace(", }", "}"))
}

fn words(text: &str) -> Vec<Token> {
    parse::parse_words(&Source::new("a.flow", text)).2
}

/// The comments, each line without what stands around it.
fn comment_texts(text: &str) -> Vec<String> {
    comments(text, &words(text))
        .iter()
        .map(|comment| {
            let text = &text[comment.span.start as usize..comment.span.end as usize];
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            lines.join("\n")
        })
        .collect()
}

fn formatted(text: &str) -> Result<String, String> {
    format(&Source::new("a.flow", text)).map_err(|refusal| match refusal {
        Refusal::Syntax(found) => format!("syntax: {}", found[0].message),
        Refusal::Limit(limit) => format!("limit: {}", limit.message),
        Refusal::Fault(line) => format!("the formatter lost its place in line {line}"),
    })
}

/// What is wrong with how a text is formatted.
fn wrong(text: &str) -> Option<String> {
    let once = match formatted(text) {
        Ok(once) => once,
        Err(message) => return Some(message),
    };
    if tree(&once) != tree(text) {
        return Some(format!("the tree changed:\n{once}"));
    }
    let (before, after) = (comment_texts(text), comment_texts(&once));
    if before != after {
        return Some(format!("the comments changed to {after:?}:\n{once}"));
    }
    match formatted(&once) {
        Ok(twice) if twice == once => None,
        Ok(twice) => {
            let same = |(one, two): &(&str, &str)| one == two;
            let before = once.lines().zip(twice.lines()).take_while(same).count();
            let from = |text: &str| -> Vec<String> {
                let lines = text.lines().skip(before.saturating_sub(1));
                lines.take(8).map(str::to_owned).collect()
            };
            let (once, twice) = (from(&once).join("\n"), from(&twice).join("\n"));
            Some(format!("not stable:\n{once}\n--- then\n{twice}"))
        }
        Err(message) => Some(message),
    }
}

#[test]
fn every_program_keeps_its_meaning_and_its_comments() {
    let broken: Vec<String> = corpus()
        .iter()
        .filter_map(|(place, text)| Some(format!("=== {place}\n{text}\n--- {}", wrong(text)?)))
        .collect();
    let shown: Vec<&str> = broken.iter().take(5).map(String::as_str).collect();
    assert!(broken.is_empty(), "{}: {}", broken.len(), shown.join("\n"));
}

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A program with something else between some of its words.
struct Disturbed<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// What stands in front of each word, where it is not what was there.
    gaps: Vec<Option<String>>,
}

impl<'t> Disturbed<'t> {
    fn new(text: &'t str, rate: u64, random: &mut Random) -> Self {
        let tokens = words(text);
        let mut gaps = vec![None; tokens.len()];
        let mut comment = 0;
        for index in 1..tokens.len() {
            let (before, after) = (tokens[index - 1], tokens[index]);
            let in_template = matches!(before.kind, Kind::TemplateOpen | Kind::TemplateText)
                || matches!(after.kind, Kind::TemplateText | Kind::TemplateClose);
            if in_template || random.below(100) >= rate {
                continue;
            }
            let slice = |span: Span| &text[span.start as usize..span.end as usize];
            let gap = slice(Span {
                start: before.span.end,
                end: after.span.start,
            });
            let had_break = has_line_break(gap);
            let may_break = !matches!(
                slice(before.span),
                "return" | "throw" | "break" | "continue" | "async"
            ) && !matches!(slice(after.span), "=>" | "++" | "--");
            let must_break = had_break
                && !matches!(slice(before.span), ";" | "," | "(" | "[")
                && after.kind != Kind::End;
            comment += 1;
            let calm = [" ", " /* c# */ ", "/* c# */", "  /* c# *//* d# */"];
            let breaking = [
                "\n",
                "\n\n\n",
                " // c#\n",
                "\n// c#\n",
                "\n\n  // c#\n\n  // d#\n\n",
                " // c#\n // d#\n",
                " /* c# */\n",
                "\n/* c# */ ",
                "\n/* c# */\n",
                "/* c#\n d# */",
                "\n  /**\n   * c#\n   */\n",
                " // c#\n /* d# */",
                " /* c# */ // d#\n",
            ];
            let breaks = must_break || may_break && random.below(2) == 0;
            let list: &[&str] = if breaks { &breaking } else { &calm };
            let chosen = list[random.below(list.len() as u64) as usize];
            gaps[index] = Some(chosen.replace('#', &comment.to_string()));
        }
        Self { text, tokens, gaps }
    }

    fn program(&self) -> String {
        let mut out = String::new();
        let mut end = 0;
        for (token, gap) in self.tokens.iter().zip(&self.gaps) {
            let (start, stop) = (token.span.start as usize, token.span.end as usize);
            out.push_str(gap.as_deref().unwrap_or(&self.text[end..start]));
            out.push_str(&self.text[start..stop]);
            end = stop;
        }
        out
    }

    /// Takes back whatever is not needed for the formatter to be wrong.
    fn shrink(&mut self) {
        for index in 0..self.gaps.len() {
            if let Some(gap) = self.gaps[index].take()
                && wrong(&self.program()).is_none()
            {
                self.gaps[index] = Some(gap);
            }
        }
    }
}

#[test]
fn every_disturbed_program_keeps_its_meaning_and_its_comments() {
    let rounds = std::env::var("FORMAT_ROUNDS").map_or(6, |text| text.parse().expect("a number"));
    let mut seen = HashSet::new();
    let (mut failures, mut count) = (String::new(), 0);
    let mut tried = 0;
    for (index, (place, text)) in corpus().iter().enumerate() {
        for round in 0..rounds {
            let seed = 0x9E37_79B9_7F4A_7C15 ^ (index as u64 + 1) << 20 ^ (round + 1);
            let mut random = Random(seed);
            let rate = [2, 5, 15, 50][round as usize % 4];
            let mut disturbed = Disturbed::new(text, rate, &mut random);
            let program = disturbed.program();
            if tree(&program) != tree(text) {
                // A line that broke where JavaScript does not allow it.
                continue;
            }
            tried += 1;
            if wrong(&program).is_some() {
                count += 1;
                if count <= 6 && seen.insert(place) {
                    disturbed.shrink();
                    let small = disturbed.program();
                    let message = wrong(&small).unwrap_or_default();
                    let _ = write!(failures, "=== {place}\n{small}\n--- {message}\n");
                }
            }
        }
    }
    assert!(count == 0, "{count} of {tried}:\n{failures}");
    assert!(tried > 1000, "only {tried} programs");
}
