//! Reads the type from the JSDoc comments at the head of a file.

use super::Type;
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// Finds every `@param {…} Inputs` in the comments of `head`.
pub(super) fn declared(source: &Source, head: Span) -> (Option<Type>, Vec<Diagnostic>) {
    let text = source.text();
    let (mut found, mut diagnostics) = (None, Vec::new());
    let mut at = head.start as usize;
    while let Some(comment) = next_comment(text, at, head.end as usize) {
        let (start, end) = comment;
        at = end;
        for tag in tags(text, start, end) {
            let mut reader = Reader {
                text,
                at: tag,
                end,
                depth: 0,
            };
            match reader.param() {
                Ok(None) => {}
                Ok(Some(_)) if found.is_some() => {
                    let message = "`Inputs` is declared a second time";
                    let span = Span::new(tag, tag + "@param".len());
                    diagnostics.push(
                        Diagnostic::new(Code::DuplicateInputType, span, message)
                            .with_hint("Keep one of the two declarations."),
                    );
                }
                Ok(of) => found = of,
                Err(Bad { at, message, hint }) => {
                    let end = text[at..]
                        .chars()
                        .next()
                        .map_or(at, |char| at + char.len_utf8());
                    let mut diagnostic =
                        Diagnostic::new(Code::BadInputType, Span::new(at, end), message);
                    diagnostic.hint = hint.map(str::to_owned);
                    diagnostics.push(diagnostic);
                }
            }
        }
    }
    (found, diagnostics)
}

/// The next `/** … */` from `at` on: the range inside of it.
fn next_comment(text: &str, mut at: usize, end: usize) -> Option<(usize, usize)> {
    while at < end {
        let rest = &text[at..end];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(body) = rest.strip_prefix("/*") {
            let length = body.find("*/")?;
            if rest.starts_with("/**") && length > 0 {
                return Some((at + 3, at + 2 + length));
            }
            at += length + 4;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// Where `@param` stands at the beginning of a line of a comment.
fn tags(text: &str, start: usize, end: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut line_start = start;
    for line in text[start..end].split_inclusive('\n') {
        let content = line.trim_start().trim_start_matches('*').trim_start();
        let is_param = content
            .strip_prefix("@param")
            .is_some_and(|rest| rest.starts_with([' ', '\t', '{']));
        if is_param {
            found.push(line_start + line.len() - content.len());
        }
        line_start += line.len();
    }
    found
}

/// What is wrong with a declaration.
pub(super) struct Bad {
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

/// Reads types from a comment.
pub(super) struct Reader<'s> {
    pub(super) text: &'s str,
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) depth: usize,
}

impl Reader<'_> {
    /// `@param {type} Inputs`; nothing for the parameters of other names.
    fn param(&mut self) -> Result<Option<Type>, Bad> {
        self.at += "@param".len();
        self.skip();
        let open = self.at;
        if !self.eat("{") {
            return Ok(None);
        }
        // Which parameter it is stands behind the type, and the types of others are not ours.
        let Some(close) = self.closing_brace(open) else {
            return if self.text[open..self.end].contains("Inputs") {
                Err(Bad {
                    at: open,
                    message: "this `{` is never closed".into(),
                    hint: None,
                })
            } else {
                Ok(None)
            };
        };
        let name = self.text[close + 1..self.end].trim_start();
        let name = name.trim_start_matches('[');
        let name = name
            .split(|char: char| !is_name(char) && char != '.')
            .next()
            .unwrap_or_default();
        if let Some(field) = name.strip_prefix("Inputs.") {
            let message = format!("the field `{field}` is declared on its own");
            let hint = "Write one `@param {{field: type, …}} Inputs` with all fields.";
            return Err(Bad {
                at: open,
                message,
                hint: Some(hint),
            });
        }
        if name != "Inputs" {
            return Ok(None);
        }
        let of = self.union()?;
        self.skip();
        if self.at != close {
            return Err(self.unexpected("`|`, `[]` or the end of the type"));
        }
        Ok(Some(of))
    }

    /// Where the bracket at `open` is closed.
    pub(super) fn closing_brace(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        let mut quote = None;
        for (offset, char) in self.text[open..self.end].char_indices() {
            match (quote, char) {
                (Some(mark), _) if mark == char => quote = None,
                (Some(_), '\n') => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(char),
                (None, '{') => depth += 1,
                (None, '}') => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(open + offset);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

pub(super) fn is_name(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '$')
}
