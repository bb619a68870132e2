//! From text to tree. Never fails: gives what it could read beside all that is wrong with it.
//!
//! Two stages. `token` runs the pest grammar, which splits the text into words and knows nothing of
//! statements. The rest descends over the words. Since brackets are paired before, one look at the
//! word behind the partner tells an arrow's parameters or a pattern from an expression, so no reading
//! is ever tried and given up, and the time is linear.
//!
//! A statement that is broken is reported, skipped up to where the next one seems to begin, and left
//! in the tree as `Broken`. What JavaScript has and Flow has not is in `refuse`. Rules that need to
//! know what a name means (duplicates, labels, `await` in its function) belong to `check`.

mod expr;
mod function;
mod guess;
mod literal;
mod loops;
mod nesting;
mod object;
mod pattern;
mod postfix;
mod recover;
pub(crate) mod refuse;
mod regex;
mod stmt;
pub(crate) mod token;

use crate::ast::{Ident, Script};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::input_type;
use crate::source::{Source, Span};
use token::{Kind, Token};

/// The largest file, in bytes.
pub const MAX_SOURCE: usize = 1 << 20;

/// How deep brackets, blocks, functions and prefix operators may be nested.
pub const MAX_NESTING: usize = 100;

/// How many operators, members and calls may follow each other in one expression, which makes the tree
/// as deep. Elements of lists do not add up.
const MAX_CHAIN: u32 = 500;

/// How often a file is read again since a slash was not what it was taken for.
const MAX_CORRECTIONS: usize = 20;

/// How many diagnostics of a file are reported.
pub(crate) const MAX_DIAGNOSTICS: usize = 100;

/// Reads a whole file.
#[must_use]
pub fn parse(source: &Source) -> (Script, Vec<Diagnostic>) {
    let (script, diagnostics, _) = parse_words(source);
    (script, diagnostics)
}

/// Reads a whole file; gives the words besides, none if it was not split into words.
pub(crate) fn parse_words(source: &Source) -> (Script, Vec<Diagnostic>, Vec<Token>) {
    let text = source.text();
    let nothing = |diagnostic| {
        (
            Script {
                body: Vec::new(),
                input_type: None,
                comments: Vec::new(),
            },
            vec![diagnostic],
            Vec::new(),
        )
    };
    if text.len() > MAX_SOURCE {
        let message = format!(
            "the file has {} bytes; at most {MAX_SOURCE} are allowed",
            text.len()
        );
        return nothing(
            Diagnostic::new(Code::TooLarge, Span::new(0, 0), message)
                .with_hint("Move data out of the program, into its inputs or a table."),
        );
    }
    let mut corrections = regex::Corrections::new();
    loop {
        let masked = regex::mask(text, &corrections);
        if let Some(at) = nesting::too_deep(&masked.text, MAX_NESTING) {
            return nothing(too_deep(Span::new(at, at + 1)));
        }
        let tokens = match token::tokens(&masked) {
            Ok(tokens) => tokens,
            Err(at) => {
                let message = "the text cannot be split into words here";
                return nothing(Diagnostic::new(
                    Code::Unexpected,
                    Span::new(at, at),
                    message,
                ));
            }
        };
        let head = tokens.first().map_or(0, |token| token.span.start as usize);
        let (input_type, mut diagnostics) = input_type::declared(source, Span::new(0, head));
        let comments = comments(text, &tokens);
        let mut parser = Parser::new(source, tokens);
        let body = parser.script();
        // Corrected once, a slash stays what it is: what is left then is an error of the text.
        if let Some((at, begins)) = parser.misread
            && corrections.len() < MAX_CORRECTIONS
            && corrections.insert(at, begins).is_none()
        {
            continue;
        }
        diagnostics.append(&mut parser.diagnostics);
        let script = Script {
            body,
            input_type,
            comments,
        };
        return (script, diagnostics, parser.tokens);
    }
}

/// What stands between two words and has a comment with tags.
fn comments(text: &str, tokens: &[Token]) -> Vec<Span> {
    let mut found = Vec::new();
    let mut end = 0;
    for token in tokens {
        let gap = Span {
            start: end,
            end: token.span.start.max(end),
        };
        end = token.span.end;
        let between = &text[gap.start as usize..gap.end as usize];
        if between.len() > 2 && between.contains('@') {
            found.push(gap);
        }
    }
    found
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::TooDeep,
        span,
        format!("nested more than {MAX_NESTING} levels deep"),
    )
    .with_hint("Give a part of it a name of its own, or make it a function.")
}

/// A construct could not be read; the reason has been reported.
struct Broken;

/// What a parsing method gives.
type Parsed<T> = Result<T, Broken>;

/// Position in the words of a file, and what was found wrong.
struct Parser<'s> {
    source: &'s Source,
    tokens: Vec<Token>,
    at: usize,
    diagnostics: Vec<Diagnostic>,
    /// Levels of recursion that are open.
    depth: usize,
    /// Upper bound of the height of the expression that is being read.
    chain: u32,
    /// Whether `in` is an operator here; it is not in the head of a `for`.
    allow_in: bool,
    /// The first slash that was taken for something else, and whether a regular expression begins with it.
    misread: Option<(u32, bool)>,
    /// Set when reading on makes no sense; nothing more is reported.
    stopped: bool,
}

impl<'s> Parser<'s> {
    fn new(source: &'s Source, tokens: Vec<Token>) -> Self {
        Self {
            source,
            tokens,
            at: 0,
            diagnostics: Vec::new(),
            depth: 0,
            chain: 0,
            allow_in: true,
            misread: None,
            stopped: false,
        }
    }

    // ---- Looking ---------------------------------------------------------------------------------

    fn token(&self, index: usize) -> Token {
        // The last word is `End`, and nothing moves beyond it.
        self.tokens[index.min(self.tokens.len() - 1)]
    }

    fn current(&self) -> Token {
        self.token(self.at)
    }

    fn span(&self) -> Span {
        self.current().span
    }

    /// Where the word before this one ends.
    fn last_end(&self) -> u32 {
        self.at
            .checked_sub(1)
            .map_or(0, |last| self.token(last).span.end)
    }

    fn text_of(&self, index: usize) -> &'s str {
        self.source.slice(self.token(index).span)
    }

    fn punctuation_at(&self, index: usize, text: &str) -> bool {
        self.token(index).kind == Kind::Punctuation && self.text_of(index) == text
    }

    fn word_at(&self, index: usize, text: &str) -> bool {
        // An escaped keyword is no keyword; its text differs.
        self.token(index).kind == Kind::Name && self.text_of(index) == text
    }

    /// Whether the current word is this operator or bracket.
    fn at(&self, text: &str) -> bool {
        self.punctuation_at(self.at, text)
    }

    /// Whether the current word is this keyword.
    fn at_word(&self, text: &str) -> bool {
        self.word_at(self.at, text)
    }

    fn at_end(&self) -> bool {
        self.current().kind == Kind::End
    }

    /// The index behind the partner of the bracket at `index`.
    fn behind_mate(&self, index: usize) -> Option<usize> {
        self.token(index).mate.map(|mate| mate as usize + 1)
    }

    fn span_from(&self, start: u32) -> Span {
        Span {
            start,
            end: self.last_end().max(start),
        }
    }

    // ---- Moving ----------------------------------------------------------------------------------

    fn advance(&mut self) {
        if !self.at_end() {
            self.at += 1;
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.at(text);
        if found {
            self.advance();
        }
        found
    }

    fn eat_word(&mut self, text: &str) -> bool {
        let found = self.at_word(text);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, text: &str) -> Parsed<()> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{text}`")))
        }
    }

    /// Opens a bracket; gives its index for `close`.
    fn open(&mut self, text: &str) -> Parsed<usize> {
        let opener = self.at;
        self.expect(text).map(|()| opener)
    }

    /// Expects the partner of the bracket at `opener`.
    fn close(&mut self, opener: usize, text: &str, or: &str) -> Parsed<()> {
        if self.eat(text) {
            return Ok(());
        }
        if self.at_end() || self.token(opener).mate.is_none() && !self.is_lexical_error() {
            let what = self.text_of(opener);
            let message = format!("`{what}` is never closed");
            let span = self.token(opener).span;
            return Err(self.error(Code::Unterminated, span, message, None));
        }
        Err(self.unexpected(&format!("{or}`{text}`")))
    }

    /// The end of a statement, as JavaScript's automatic semicolons define it.
    fn end_statement(&mut self) -> Parsed<()> {
        if self.eat(";") || self.at("}") || self.at_end() || self.current().after_line_break {
            return Ok(());
        }
        Err(self.unexpected("`;` or a new line"))
    }

    /// Runs a part in which `in` is an operator or not.
    fn with_in<T>(&mut self, allow: bool, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let before = std::mem::replace(&mut self.allow_in, allow);
        let result = part(self);
        self.allow_in = before;
        result
    }

    /// Runs a part that recurses, one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        // The measured brackets may all be around operators, functions or `else if`s.
        if self.depth >= MAX_NESTING * 2 {
            return Err(self.stop(too_deep(self.span())));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    /// One more operator, member or call in this expression.
    fn link(&mut self) -> Parsed<()> {
        self.chain += 1;
        if self.chain <= MAX_CHAIN {
            return Ok(());
        }
        let message = format!("more than {MAX_CHAIN} operators and calls in one expression");
        Err(self.stop(
            Diagnostic::new(Code::TooDeep, self.span(), message)
                .with_hint("Put the parts into an array, and `join` or `reduce` it."),
        ))
    }

    /// Runs a part that stands beside others in a list, so that their heights do not add up.
    fn element<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let before = std::mem::take(&mut self.chain);
        let result = part(self);
        // Only what is higher than all before makes the whole higher.
        self.chain = self.chain.max(before);
        result
    }

    // ---- Names -----------------------------------------------------------------------------------

    /// The name at the current word, whatever it is, as a property's name.
    fn property_name(&mut self) -> Parsed<Ident> {
        let token = self.current();
        if token.kind != Kind::Name {
            return Err(self.unexpected("a property name"));
        }
        let name = self.decode_name(token.span);
        self.advance();
        Ok(Ident {
            name,
            span: token.span,
        })
    }

    /// A name that is declared or assigned here.
    fn binding_name(&mut self, what: &str) -> Parsed<Ident> {
        let token = self.current();
        if token.kind != Kind::Name {
            return Err(self.unexpected(what));
        }
        let name = self.decode_name(token.span);
        self.advance();
        self.refuse_reserved(&name, token.span);
        if matches!(name.as_str(), "eval" | "arguments") {
            let message = format!("`{name}` cannot be the name of anything in strict JavaScript");
            self.report(
                Code::ReservedWord,
                token.span,
                message,
                Some("Choose another name."),
            );
        }
        Ok(Ident {
            name,
            span: token.span,
        })
    }

    /// Reports a reserved word that is used as a name.
    fn refuse_reserved(&mut self, name: &str, span: Span) {
        if refuse::is_reserved(name) {
            let message = format!("`{name}` is a reserved word of JavaScript");
            self.report(
                Code::ReservedWord,
                span,
                message,
                Some("Choose another name."),
            );
        }
    }

    // ---- Reporting -------------------------------------------------------------------------------

    fn report(&mut self, code: Code, span: Span, message: impl Into<String>, hint: Option<&str>) {
        if self.stopped {
            return;
        }
        let mut diagnostic = Diagnostic::new(code, span, message);
        diagnostic.hint = hint.map(str::to_owned);
        self.diagnostics.push(diagnostic);
        if self.diagnostics.len() >= MAX_DIAGNOSTICS {
            self.stop(Diagnostic::new(
                Code::TooMany,
                span,
                format!("more than {MAX_DIAGNOSTICS} errors; the rest is not reported"),
            ));
        }
    }

    fn error(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        hint: Option<&str>,
    ) -> Broken {
        self.report(code, span, message, hint);
        Broken
    }

    /// Reports, and reads no further.
    fn stop(&mut self, diagnostic: Diagnostic) -> Broken {
        if !self.stopped {
            self.diagnostics.push(diagnostic);
            self.stopped = true;
            self.at = self.tokens.len() - 1;
        }
        Broken
    }

    /// Reports the current word as one that does not fit here.
    fn unexpected(&mut self, wanted: &str) -> Broken {
        let token = self.current();
        if let Some(broken) = self.lexical_error() {
            return broken;
        }
        if let Some(what) = self.typescript() {
            return self.refuse(what, token.span);
        }
        let found = match token.kind {
            Kind::End => "the end of the file".to_owned(),
            Kind::String => "a string".to_owned(),
            Kind::Regex => "a regular expression".to_owned(),
            Kind::TemplateOpen | Kind::TemplateText | Kind::TemplateClose => {
                "a template".to_owned()
            }
            _ => format!("`{}`", self.text_of(self.at)),
        };
        let hint = self.guess(wanted);
        self.error(
            Code::Unexpected,
            token.span,
            format!("expected {wanted}, found {found}"),
            hint,
        )
    }
}
