//! The comments of a file. The grammar drops them; here they are found again between the words.

use crate::parse::token::Token;
use crate::source::Span;

/// A comment with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment {
    /// Its text, without the end of the line.
    pub(super) span: Span,
    /// Whether it goes up to the end of its line.
    pub(super) to_line_end: bool,
}

/// All comments in the order of the text.
pub(super) fn comments(text: &str, tokens: &[Token]) -> Vec<Comment> {
    let mut found = Vec::new();
    let mut end = 0;
    for token in tokens {
        let start = token.span.start as usize;
        // What stands between two words is blank or a comment, and most is one blank.
        if start > end + 1 {
            between(text, end, start, &mut found);
        }
        end = token.span.end as usize;
    }
    found
}

fn between(text: &str, mut at: usize, end: usize, found: &mut Vec<Comment>) {
    while let Some(gap) = text.get(at..end)
        && let Some(slash) = gap.find('/')
    {
        let start = at + slash;
        let comment = &gap[slash..];
        let to_line_end = comment.starts_with("//");
        let length = if to_line_end {
            comment.find(['\n', '\u{2028}', '\u{2029}'])
        } else {
            comment.find("*/").map(|at| at + 2)
        };
        at = start + length.unwrap_or(comment.len());
        found.push(Comment {
            span: Span::new(start, at),
            to_line_end,
        });
    }
}

/// The lines of a block comment whose lines all begin with `*`, as JSDoc is written: these may be
/// indented anew. None for any other, which stays as it is.
pub(super) fn starred(text: &str) -> Option<impl Iterator<Item = &str>> {
    let mut lines = text.split('\n');
    lines.next();
    let rest = lines.clone();
    let starred = lines.all(|line| line.trim_start().starts_with('*'));
    (starred && text.contains('\n')).then(|| rest.map(str::trim))
}
