//! Declarations of the type of `Inputs` that have no effect: a wrong name, a wrong tag, a wrong place.

use super::declare::{Reader, is_name};
use crate::ast::{ExprKind, Function, PatternKind, Script, Stmt, StmtKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;
use crate::source::{Source, Span};

/// What the parameters of a workflow are often called.
const NAMES: [&str; 7] = [
    "inputs", "input", "args", "params", "payload", "data", "event",
];

/// How the right declaration is written.
const RIGHT: &str = "Write `/** @param {{field: type}} Inputs */` at the head of the file.";

/// Finds them in all comments of a file.
pub(crate) fn ignored(script: &Script, source: &Source) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let first = script.body.first();
    let head = first.map_or(u32::MAX, |first| first.span.start);
    for gap in &script.comments {
        let is_head = gap.start < head;
        for tag in tags(source.text(), *gap) {
            found.extend(tag.problem(is_head, first.filter(|_| is_head)));
        }
    }
    found
}

/// A line such as `@param {type} name` of a comment.
struct Tag<'s> {
    /// What stands behind the `@`.
    word: &'s str,
    word_span: Span,
    /// Whether the comment is a `/** … */`.
    is_doc: bool,
    has_type: bool,
    name: &'s str,
    name_span: Span,
    /// What stands behind the name.
    rest: &'s str,
}

impl Tag<'_> {
    fn problem(&self, is_head: bool, first: Option<&Stmt>) -> Option<Diagnostic> {
        let tell = |span: Span, message: String, hint: &str| {
            Some(Diagnostic::new(Code::IgnoredInputType, span, message).with_hint(hint))
        };
        let is_param = self.word == "param";
        if self.name == "Inputs" && self.has_type {
            return if !is_head {
                let message = "this type of `Inputs` has no effect here".to_owned();
                let hint = "Move it to the head of the file, in front of the first statement.";
                tell(self.word_span, message, hint)
            } else if !self.is_doc {
                let message = "this type of `Inputs` has no effect: the comment is no JSDoc";
                tell(self.word_span, message.to_owned(), "Write `/** … */`.")
            } else if !is_param {
                let message = format!("`@{}` declares no inputs", self.word);
                tell(self.word_span, message, "Write `@param {…} Inputs`.")
            } else {
                None
            };
        }
        if !is_head || !self.is_doc || !is_param {
            return None;
        }
        if !self.has_type {
            let is_behind = self.name == "Inputs" && self.rest.trim_start().starts_with('{');
            let message = "the type has no effect behind the name".to_owned();
            return is_behind
                .then(|| tell(self.name_span, message, "Write `@param {…} Inputs`."))?;
        }
        if self.name.is_empty() {
            let message = "this type has no effect: it says not of what".to_owned();
            return tell(self.word_span, message, "Write `@param {…} Inputs`.");
        }
        let lower = self.name.to_lowercase();
        let is_meant = NAMES.contains(&lower.as_str()) || nearest(self.name, ["Inputs"]).is_some();
        // The comment may be about a function behind it.
        let is_of_function = first
            .and_then(function_of)
            .is_some_and(|function| !is_meant || has_parameter(function, self.name));
        if is_of_function || self.name == "Context" {
            return None;
        }
        let message = format!(
            "`{}` is no parameter of a workflow: this type has no effect",
            self.name
        );
        let hint = if lower == "inputs" {
            "Write `Inputs`, with a capital letter."
        } else if is_meant {
            "Did you mean `Inputs`?"
        } else {
            RIGHT
        };
        tell(self.name_span, message, hint)
    }
}

/// The function that a statement declares.
fn function_of(stmt: &Stmt) -> Option<&Function> {
    match &stmt.kind {
        StmtKind::Function(function) => Some(function),
        StmtKind::Declare(declare) => match &declare.parts.first()?.init.as_ref()?.kind {
            ExprKind::Function(function) => Some(function),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a function has a parameter of this name; patterns have none, and so may be called anything.
fn has_parameter(function: &Function, name: &str) -> bool {
    let mut targets = function.params.iter().map(|item| &item.target);
    targets.any(|target| match &target.kind {
        PatternKind::Name(own) => own.name == name,
        _ => true,
    })
}

/// The tags of all comments between two words.
fn tags(text: &str, gap: Span) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut at = gap.start as usize;
    let end = gap.end as usize;
    while at < end {
        let rest = &text[at..end];
        let (length, inner) = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            (length, at + 2..at + length)
        } else if rest.starts_with("/*") {
            let length = rest.find("*/").map_or(rest.len(), |close| close + 2);
            (length, at + 2..at + length.max(4) - 2)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let is_doc = rest.starts_with("/**");
        let comment = Comment {
            text,
            end: inner.end,
            is_doc,
        };
        let mut line_start = inner.start;
        for line in text[inner].split_inclusive('\n') {
            let content = line
                .trim_start()
                .trim_start_matches(['*', '/'])
                .trim_start();
            if content.starts_with('@') {
                found.extend(comment.tag(line_start + line.len() - content.len()));
            }
            line_start += line.len();
        }
        at += length;
    }
    found
}

struct Comment<'s> {
    text: &'s str,
    end: usize,
    is_doc: bool,
}

impl<'s> Comment<'s> {
    /// The tag whose `@` stands at `at`.
    fn tag(&self, at: usize) -> Option<Tag<'s>> {
        let word = word(&self.text[at + 1..self.end]);
        let word_span = Span::new(at, at + 1 + word.len());
        let mut behind = self.skip(at + 1 + word.len());
        let has_type = self.text[behind..self.end].starts_with('{');
        if has_type {
            let reader = Reader {
                text: self.text,
                at: behind,
                end: self.end,
                depth: 0,
            };
            behind = self.skip(reader.closing_brace(behind)? + 1);
        }
        let name = self::word(&self.text[behind..self.end]);
        Some(Tag {
            word,
            word_span,
            is_doc: self.is_doc,
            has_type,
            name,
            name_span: Span::new(behind, behind + name.len()),
            rest: &self.text[behind + name.len()..self.end],
        })
    }

    /// Over blanks, and over the bracket of an optional parameter.
    fn skip(&self, at: usize) -> usize {
        let rest = &self.text[at..self.end];
        at + rest.len() - rest.trim_start_matches([' ', '\t', '[']).len()
    }
}

/// The name at the start of a text.
fn word(text: &str) -> &str {
    let end = text.find(|char| !is_name(char)).unwrap_or(text.len());
    &text[..end]
}
