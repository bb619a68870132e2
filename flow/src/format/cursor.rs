//! The words and comments of the source as they go into the document.
//!
//! The printer walks over the tree, but what it prints are the words of the source, in their order. So no
//! word is lost or made up unnoticed, and comments stay between the words where they were written.

use std::cell::Cell;

use super::comments::{self, Comment};
use super::doc::{Doc, Line};
use crate::parse::token::{Kind, Token, has_line_break};
use crate::source::{Source, Span};

/// Walks over the tree, along the words.
pub(super) struct Printer<'s> {
    pub(super) source: &'s Source,
    pub(super) doc: Doc<'s>,
    tokens: Vec<Token>,
    at: usize,
    comments: Vec<Comment>,
    /// The first comment that is not printed.
    comment: usize,
    /// Where the last word or comment that was passed ends.
    end: u32,
    /// Where tree and words went apart, which is a fault of the formatter.
    pub(super) lost: Option<u32>,
    /// In the first part of a `for`, where `in` needs the parentheses around it.
    pub(super) keep_parens: bool,
    /// The current word has to stay on the line of the one before it, such as `=>`.
    tight: bool,
    /// What `ends_line` has found last.
    line_end: Cell<LineEnd>,
}

/// Whether nothing but comments stands behind the comments up to `last` on their line, in front of the word `at`.
#[derive(Clone, Copy, Default)]
struct LineEnd {
    at: usize,
    last: Option<usize>,
    is_end: bool,
}

impl<'s> Printer<'s> {
    pub(super) fn new(source: &'s Source, tokens: Vec<Token>) -> Self {
        Self {
            source,
            doc: Doc::default(),
            comments: comments::comments(source.text(), &tokens),
            tokens,
            at: 0,
            comment: 0,
            end: 0,
            lost: None,
            keep_parens: false,
            tight: false,
            line_end: Cell::default(),
        }
    }

    // ---- Looking ---------------------------------------------------------------------------------

    /// The current word; the last one is `End`.
    pub(super) fn token(&self) -> Token {
        self.tokens[self.at]
    }

    /// The word behind the current one.
    pub(super) fn next_token(&self) -> Token {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    pub(super) fn kind(&self) -> Kind {
        self.token().kind
    }

    pub(super) fn start(&self) -> u32 {
        self.token().span.start
    }

    pub(super) fn slice(&self, span: Span) -> &'s str {
        self.source.slice(span)
    }

    pub(super) fn current(&self) -> &'s str {
        self.slice(self.token().span)
    }

    /// Whether the current word is this one, and no text of a template that looks like it.
    pub(super) fn is(&self, text: &str) -> bool {
        self.current() == text && matches!(self.kind(), Kind::Punctuation | Kind::Name)
    }

    /// Whether comments wait in front of the current word.
    pub(super) fn has_comments(&self) -> bool {
        self.waiting().is_some()
    }

    /// The next comment, if it stands in front of the current word.
    fn waiting(&self) -> Option<Comment> {
        let comment = self.comments.get(self.comment).copied();
        comment.filter(|comment| comment.span.start < self.start())
    }

    /// Whether a comment stands between two places of the source.
    pub(super) fn comment_between(&self, start: u32, end: u32) -> bool {
        let first = self
            .comments
            .partition_point(|comment| comment.span.start < start);
        self.comments
            .get(first)
            .is_some_and(|comment| comment.span.start < end)
    }

    /// Where the word in front of the one at `start` begins.
    pub(super) fn word_before(&self, start: u32) -> u32 {
        let index = self
            .tokens
            .partition_point(|token| token.span.start < start);
        self.tokens[index.saturating_sub(1)].span.start
    }

    /// Whether a comment stands at either side in the parentheses that open here.
    pub(super) fn comments_in_parens(&self) -> bool {
        let mate = self.token().mate.map_or(self.at, |mate| mate as usize);
        let before = self.tokens[mate.saturating_sub(1)];
        self.comment_between(self.token().span.end, self.next_token().span.start)
            || self.comment_between(before.span.end, self.tokens[mate].span.start)
    }

    /// Whether a comment stands between the brackets that open here and the one part in them.
    pub(super) fn comments_around(&self, part: Span) -> bool {
        self.comment_between(self.start(), part.start)
            || self
                .mate_start()
                .is_some_and(|close| self.comment_between(part.end, close))
    }

    /// Whether a comment stands anywhere in the brackets that open here.
    pub(super) fn comments_in_brackets(&self) -> bool {
        let mate = self.token().mate.map_or(self.at, |mate| mate as usize);
        self.comment_between(self.token().span.end, self.tokens[mate].span.start)
    }

    /// Where the partner of the bracket that opens here stands.
    pub(super) fn mate_start(&self) -> Option<u32> {
        let mate = self.token().mate?;
        Some(self.tokens[mate as usize].span.start)
    }

    /// Whether the bracket that opens here is closed by the next word, with no comment between.
    pub(super) fn is_empty_bracket(&self) -> bool {
        self.token().mate == Some(self.at as u32 + 1) && !self.comments_in_brackets()
    }

    /// Whether a line ends between the current word and the next one or a comment in front of it.
    pub(super) fn breaks_behind(&self) -> bool {
        let end = self.token().span.end;
        let next = self.next_token().span.start;
        let first = self
            .comments
            .partition_point(|comment| comment.span.start < end);
        let next = self
            .comments
            .get(first)
            .map_or(next, |comment| comment.span.start.min(next));
        self.breaks_between(end, next)
    }

    fn breaks_between(&self, start: u32, end: u32) -> bool {
        has_line_break(self.slice(Span { start, end }))
    }

    /// Whether the source has an empty line in front of what comes next.
    pub(super) fn empty_line_before(&self) -> bool {
        let next = self.next_start();
        let gap = self.slice(Span {
            start: self.end.min(next),
            end: next,
        });
        gap.matches(['\n', '\u{2028}', '\u{2029}']).nth(1).is_some()
    }

    // ---- Words -----------------------------------------------------------------------------------

    /// Prints the current word with its comments.
    pub(super) fn take(&mut self) {
        let text = self.current();
        self.take_as(text);
    }

    /// Prints the current word in another form.
    pub(super) fn take_as(&mut self, text: impl Into<std::borrow::Cow<'s, str>>) {
        self.leading();
        self.doc.text(text);
        self.pass();
    }

    /// Prints the current word, which must be this one.
    pub(super) fn expect(&mut self, text: &str) {
        if self.is(text) {
            self.take();
        } else {
            self.lose();
        }
    }

    /// Passes over the current word, which must be this one, without printing it.
    pub(super) fn skip(&mut self, text: &str) {
        if self.is(text) {
            self.pass();
        } else {
            self.lose();
        }
    }

    /// Prints `,` or `;`. Comments that do not stand between it and the word before on one line are
    /// left for the word behind it.
    pub(super) fn separator(&mut self, text: &'static str) {
        if !self.is(text) {
            self.lose();
            return;
        }
        self.inline_comments();
        self.doc.append(text);
        self.pass();
    }

    /// Prints the comments that stand on one line with the words around them.
    pub(super) fn inline_comments(&mut self) {
        while let Some(comment) = self.waiting() {
            if !self.is_inline(comment) || self.doc.suffix_waits() {
                break;
            }
            self.doc.gap();
            self.print_comment(comment);
        }
    }

    /// Prints a part of the source as it is.
    pub(super) fn verbatim(&mut self, span: Span) {
        self.leading();
        self.doc.text(self.slice(span));
        while self.start() < span.end && self.kind() != Kind::End {
            self.at += 1;
        }
        while self
            .waiting()
            .is_some_and(|comment| comment.span.end <= span.end)
        {
            self.comment += 1;
        }
        self.end = span.end;
        self.trailing();
    }

    /// Tree and words went apart.
    pub(super) fn lose(&mut self) {
        let start = self.start();
        self.lost.get_or_insert(start);
    }

    /// The current word has to stay on the line of the one before it.
    pub(super) fn tight(&mut self) {
        self.tight = true;
    }

    fn pass(&mut self) {
        self.tight = false;
        self.end = self.end.max(self.token().span.end);
        if self.kind() != Kind::End {
            self.at += 1;
        }
        self.trailing();
    }

    // ---- Comments --------------------------------------------------------------------------------

    /// Prints the comments behind the last word that end its line.
    fn trailing(&mut self) {
        while let Some(comment) = self.waiting() {
            // One in front of a separator was left for the next word.
            let behind = comment.span.start >= self.end;
            let apart = self.starts_line(comment)
                || self.doc.suffix_waits()
                || has_line_break(self.slice(comment.span));
            if !behind || apart || !self.ends_line() {
                return;
            }
            if comment.to_line_end {
                let text = self.slice(comment.span).trim_end();
                self.doc.suffix(text);
                self.passed(comment);
            } else {
                self.doc.gap();
                self.print_comment(comment);
            }
        }
    }

    /// Prints the comments in front of the current word.
    pub(super) fn leading(&mut self) {
        if self.tight && self.doc.suffix_waits() {
            // There is no way to print another comment but on a new line.
            return;
        }
        while let Some(comment) = self.waiting() {
            let alone = self.ends_line() || has_line_break(self.slice(comment.span));
            let apart = alone && self.starts_line(comment);
            if comment.to_line_end || apart || self.doc.suffix_waits() {
                self.doc.line(Line::Hard);
            } else {
                self.doc.gap();
            }
            self.print_comment(comment);
            if comment.to_line_end || self.breaks_between(comment.span.end, self.next_start()) {
                let blank = self.empty_line_before();
                self.doc.line(if blank { Line::Blank } else { Line::Hard });
            }
        }
    }

    /// Prints the comments in front of the comma of a hole: on its line, as far as they stood on one.
    pub(super) fn before_hole(&mut self) {
        while let Some(comment) = self.waiting() {
            if comment.to_line_end || self.starts_line(comment) || self.doc.suffix_waits() {
                break;
            }
            self.doc.gap();
            self.print_comment(comment);
        }
        self.leading();
    }

    /// Prints the comments in front of a closing bracket, where its content would stand; `first` if
    /// nothing else stands in it.
    pub(super) fn before_closer(&mut self, mut first: bool) {
        let mut inline = !first;
        while let Some(comment) = self.waiting() {
            if inline && self.is_inline(comment) && !self.doc.suffix_waits() {
                self.doc.gap();
            } else {
                inline = false;
                let blank = !first && self.empty_line_before();
                self.doc.line(if blank { Line::Blank } else { Line::Hard });
            }
            first = false;
            self.print_comment(comment);
            if comment.to_line_end {
                self.doc.line(Line::Hard);
            }
        }
    }

    /// Whether a comment stands on one line with the words around it.
    fn is_inline(&self, comment: Comment) -> bool {
        !comment.to_line_end
            && !self.starts_line(comment)
            && !self.ends_line()
            && !has_line_break(self.slice(comment.span))
    }

    fn starts_line(&self, comment: Comment) -> bool {
        self.begins_line(comment.span.start)
    }

    /// Whether nothing but blanks stands in front of a place on its line.
    pub(super) fn begins_line(&self, start: u32) -> bool {
        let before = self.slice(Span {
            start: 0,
            end: start,
        });
        let before = before.trim_end_matches(|char: char| char.is_whitespace() && !is_break(char));
        before.is_empty() || before.ends_with(is_break)
    }

    /// Whether nothing but comments stands behind the next comment on its line.
    fn ends_line(&self) -> bool {
        let known = self.line_end.get();
        if known.at == self.at && known.last.is_some_and(|last| self.comment <= last) {
            return known.is_end;
        }
        let mut index = self.comment;
        let is_end = loop {
            let Some(comment) = self.comments.get(index) else {
                break false;
            };
            let next = self.comments.get(index + 1).map(|next| next.span.start);
            let next = next.filter(|next| *next < self.start());
            let end = comment.span.end;
            if comment.to_line_end || self.breaks_between(end, next.unwrap_or(self.start())) {
                break true;
            }
            if next.is_none() {
                break self.kind() == Kind::End;
            }
            index += 1;
        };
        // There may be thousands of them in a line.
        self.line_end.set(LineEnd {
            at: self.at,
            last: Some(index),
            is_end,
        });
        is_end
    }

    /// Where the next comment or word starts.
    fn next_start(&self) -> u32 {
        self.waiting()
            .map_or(self.start(), |comment| comment.span.start)
    }

    fn print_comment(&mut self, comment: Comment) {
        let text = self.slice(comment.span);
        if comment.to_line_end {
            self.doc.comment(text.trim_end());
        } else if let Some(lines) = comments::starred(text) {
            let first = text.split('\n').next().unwrap_or_default();
            self.doc.comment(first.trim_end());
            for line in lines {
                self.doc.line(Line::Hard);
                self.doc.text(format!(" {line}"));
            }
        } else {
            self.doc.comment(text);
        }
        self.passed(comment);
    }

    fn passed(&mut self, comment: Comment) {
        self.comment += 1;
        self.end = self.end.max(comment.span.end);
    }

    /// Whether the last comment in front of the current word asks to leave the statement alone.
    pub(super) fn is_ignored(&self) -> bool {
        let behind = self
            .comments
            .partition_point(|comment| comment.span.start < self.start());
        behind > self.comment
            && self.comments[self.comment..behind]
                .last()
                .is_some_and(|comment| {
                    matches!(
                        self.slice(comment.span).trim_end(),
                        "// fmt-ignore" | "/* fmt-ignore */"
                    )
                })
    }
}

fn is_break(char: char) -> bool {
    matches!(char, '\n' | '\u{2028}' | '\u{2029}')
}
