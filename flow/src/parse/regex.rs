//! Regular expressions among the words: where they are, and what their patterns mean.
//!
//! Only the parser knows whether a slash divides or begins a pattern, but a pattern may hold quotes and brackets, so it has
//! to be known before the text is split. This file guesses by the word in front of the slash, which is right but for a
//! brace or bracket whose meaning the guess does not know. The parser tells where it was wrong, and the text is read anew.

use std::collections::BTreeMap;

use super::Parser;
use super::refuse::Refused;
use super::token::Kind;
use crate::ast::ExprKind;
use crate::codes::Code;
use crate::regex::{self, Flags};
use crate::source::Span;

/// What stands in a text in place of each byte of a pattern, so that the grammar reads it as one word.
const MASK: char = '\u{1}';

/// What the parser found at a slash: whether a pattern begins there.
pub(super) type Corrections = BTreeMap<u32, bool>;

/// What is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `(`; `head`: of an `if`, `while` or `for`, behind which a statement begins.
    Round {
        head: bool,
    },
    Square,
    /// `{` of an object, or of statements.
    Brace {
        object: bool,
    },
    /// A template whose text is being read, or `${` of it.
    Template,
    Hole,
}

/// The word in front.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The end of a value: a slash divides.
    Value,
    /// `if`, `while`, `for`.
    Head,
    /// A dot: what follows is a name.
    Dot,
    /// A colon.
    Colon,
    /// Something behind which a brace begins statements: `;`, `{`, `)`, `=>`, `else`.
    Statements,
    /// An operator, or a word that is one.
    Operator,
}

/// A text with its patterns masked, and their places.
pub(super) struct Masked {
    pub(super) text: String,
    pub(super) spans: Vec<Span>,
}

/// Masks the patterns of a text.
pub(super) fn mask(text: &str, corrections: &Corrections) -> Masked {
    let spans = Finder {
        bytes: text.as_bytes(),
        at: 0,
        open: Vec::new(),
        before: Before::Statements,
        questions: 0,
        found: Vec::new(),
    }
    .run(corrections);
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for span in &spans {
        masked.push_str(text.get(end..span.start as usize).unwrap_or_default());
        masked.extend(std::iter::repeat_n(MASK, (span.end - span.start) as usize));
        end = span.end as usize;
    }
    masked.push_str(text.get(end..).unwrap_or_default());
    Masked {
        text: masked,
        spans,
    }
}

struct Finder<'t> {
    bytes: &'t [u8],
    at: usize,
    open: Vec<Open>,
    before: Before,
    /// Question marks that wait for their colon.
    questions: u32,
    found: Vec<Span>,
}

impl Finder<'_> {
    fn run(mut self, corrections: &Corrections) -> Vec<Span> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            if self.open.last() == Some(&Open::Template) {
                self.template(byte);
                continue;
            }
            let next = self.bytes.get(self.at + 1).copied();
            match (byte, next) {
                (b'/', Some(b'/')) => self.at = line_end(self.bytes, self.at),
                (b'/', Some(b'*')) => self.comment(),
                (b'/', _) => self.slash(corrections),
                (b'"' | b'\'', _) => self.string(byte),
                (b'`', _) => {
                    self.open.push(Open::Template);
                    self.at += 1;
                }
                (b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'\\' | 0x80.., _) => {
                    self.word();
                }
                (b' ' | b'\t' | b'\n' | b'\r', _) => self.at += 1,
                (b'+', Some(b'+')) | (b'-', Some(b'-')) => self.at += 2,
                _ => self.punctuation(byte, next),
            }
        }
        self.found
    }

    fn template(&mut self, byte: u8) {
        self.at += 1;
        match byte {
            b'\\' => self.at += 1,
            b'`' => {
                self.open.pop();
                self.before = Before::Value;
            }
            b'$' if self.bytes.get(self.at) == Some(&b'{') => {
                self.at += 1;
                self.open.push(Open::Hole);
                self.before = Before::Operator;
            }
            _ => {}
        }
    }

    fn comment(&mut self) {
        self.at += 2;
        while self.at < self.bytes.len() && !self.bytes[self.at..].starts_with(b"*/") {
            self.at += 1;
        }
        self.at += 2;
    }

    fn string(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' if self.bytes[self.at..].starts_with(b"\\\r\n") => self.at += 3,
                b'\\' => self.at += 2,
                b'\n' | b'\r' => break,
                _ => {
                    self.at += 1;
                    if *byte == quote {
                        break;
                    }
                }
            }
        }
        self.before = Before::Value;
    }

    fn word(&mut self) {
        let start = self.at;
        let part = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'\\' | 0x80..)
        };
        while self.bytes.get(self.at).is_some_and(part) {
            self.at += 1;
        }
        let in_head = self.open.last() == Some(&Open::Round { head: true });
        self.before = match &self.bytes[start..self.at] {
            _ if self.before == Before::Dot => Before::Value,
            b"if" | b"while" | b"for" => Before::Head,
            b"else" | b"do" | b"try" | b"finally" => Before::Statements,
            b"return" | b"typeof" | b"instanceof" | b"in" | b"delete" | b"void" | b"throw"
            | b"case" | b"await" | b"new" | b"yield" => Before::Operator,
            b"of" if in_head => Before::Operator,
            _ => Before::Value,
        };
    }

    fn punctuation(&mut self, byte: u8, next: Option<u8>) {
        self.at += 1;
        let head = self.before == Before::Head;
        self.before = match byte {
            b'(' => {
                self.open.push(Open::Round { head });
                Before::Operator
            }
            b'[' => {
                self.open.push(Open::Square);
                Before::Operator
            }
            b'{' => {
                let object = match self.before {
                    Before::Operator => true,
                    Before::Colon => self.questions > 0 || self.in_expression(),
                    _ => false,
                };
                self.open.push(Open::Brace { object });
                if object {
                    Before::Operator
                } else {
                    Before::Statements
                }
            }
            b')' | b']' | b'}' => self.close(byte),
            b';' => {
                self.questions = 0;
                Before::Statements
            }
            b'=' if next == Some(b'>') => {
                self.at += 1;
                Before::Statements
            }
            b'?' if next == Some(b'.') => {
                self.at += 1;
                Before::Dot
            }
            b'?' if next == Some(b'?') => {
                self.at += 1;
                Before::Operator
            }
            b'?' => {
                self.questions += 1;
                Before::Operator
            }
            b':' if self.questions > 0 => {
                self.questions -= 1;
                Before::Operator
            }
            b':' => Before::Colon,
            b'.' if next == Some(b'.') => {
                self.at += 2;
                Before::Operator
            }
            b'.' => Before::Dot,
            _ => Before::Operator,
        };
    }

    /// Whether what is open belongs to an expression.
    fn in_expression(&self) -> bool {
        !matches!(self.open.last(), None | Some(Open::Brace { object: false }))
    }

    fn close(&mut self, byte: u8) -> Before {
        let wanted = |open: &Open| match open {
            Open::Round { .. } => byte == b')',
            Open::Square => byte == b']',
            Open::Brace { .. } | Open::Hole => byte == b'}',
            Open::Template => false,
        };
        // Brackets that do not fit are left open; those inside of a brace end with it.
        let closes = self.open.last().is_some_and(wanted);
        if !closes && byte == b'}' {
            while matches!(self.open.last(), Some(Open::Round { .. } | Open::Square)) {
                self.open.pop();
            }
        }
        if !self.open.last().is_some_and(wanted) {
            return Before::Value;
        }
        match self.open.pop() {
            Some(Open::Round { head: true } | Open::Brace { object: false }) => Before::Statements,
            _ => Before::Value,
        }
    }

    fn slash(&mut self, corrections: &Corrections) {
        let start = self.at as u32;
        let begins = corrections
            .get(&start)
            .copied()
            .unwrap_or(self.before != Before::Value);
        if !begins {
            self.at += 1;
            self.before = Before::Operator;
            return;
        }
        let (_, end) = end_of(self.bytes, self.at);
        self.at = end;
        self.found.push(Span::new(start as usize, end));
        self.before = Before::Value;
    }
}

/// The last byte in front of the line break.
fn line_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && !ends_line(bytes, at) {
        at += 1;
    }
    at
}

fn ends_line(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b'\n' | b'\r'))
        || matches!(bytes.get(at..at + 3), Some([0xE2, 0x80, 0xA8 | 0xA9]))
}

/// Where the pattern that begins with the slash at `start` has its other one, if it has, and where its flags end.
fn end_of(bytes: &[u8], start: usize) -> (Option<usize>, usize) {
    let (mut at, mut in_class) = (start + 1, false);
    while at < bytes.len() && !ends_line(bytes, at) {
        match bytes[at] {
            b'\\' if at + 1 < bytes.len() && !ends_line(bytes, at + 1) => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'/' if !in_class => {
                let flag = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
                let flags = bytes[at + 1..].iter().take_while(|byte| flag(byte)).count();
                return (Some(at), at + 1 + flags);
            }
            _ => {}
        }
        at += 1;
    }
    (None, at)
}

impl Parser<'_> {
    /// A regular expression at the current word.
    pub(super) fn regex(&mut self) -> ExprKind {
        let span = self.span();
        self.advance();
        let source = self.source;
        let text = source.slice(span);
        let (Some(close), _) = end_of(text.as_bytes(), 0) else {
            let message = "the regular expression is never closed";
            let hint = "It ends on its line; write \\n for a line break, \\/ for a slash.";
            self.report(Code::Unterminated, span, message, Some(hint));
            return ExprKind::Broken;
        };
        let start = span.start as usize;
        let (body, letters) = (&text[1..close], &text[close + 1..]);
        let pattern: Vec<u16> = body.encode_utf16().collect();
        let flags: Vec<u16> = letters.encode_utf16().collect();
        let behind = Span::new(start + close + 1, span.end as usize);
        if letters.contains('v') {
            self.refuse(Refused::RegexSets, behind);
            return ExprKind::Broken;
        }
        let Some(flags) = Flags::of(&flags) else {
            let message = format!("`{letters}` are no flags of a regular expression");
            let hint = "The flags are d, g, i, m, s, u and y, each at most once.";
            self.report(Code::BadRegex, behind, message, Some(hint));
            return ExprKind::Broken;
        };
        if let Err(error) = regex::compile(&pattern, flags) {
            let (at, width) = place(body, error.at);
            let at = start + 1 + at;
            let span = Span::new(at, at + width);
            let message = format!("the regular expression is wrong here: {}", error.message);
            self.report(Code::BadRegex, span, message, hint(error.message));
            return ExprKind::Broken;
        }
        ExprKind::Regex { pattern, flags }
    }

    /// Notes that the guess about a slash was wrong: the file is read again, so what is said meanwhile does not matter.
    pub(super) fn misread(&mut self, at: u32, begins: bool) {
        self.misread.get_or_insert((at, begins));
    }

    /// Whether a pattern stands where an operator is expected: then its slash divides.
    pub(super) fn check_division(&mut self) {
        let token = self.current();
        if token.kind == Kind::Regex {
            self.misread(token.span.start, false);
        }
    }
}

/// The byte and the width of the character at a unit of a text; at its end the last one.
fn place(text: &str, unit: usize) -> (usize, usize) {
    let mut units = 0;
    let mut last = (0, 0);
    for (at, character) in text.char_indices() {
        last = (at, character.len_utf8());
        units += character.len_utf16();
        if units > unit {
            break;
        }
    }
    last
}

/// What to do about what is wrong with a pattern.
fn hint(message: &str) -> Option<&'static str> {
    Some(match message {
        "Unterminated group" => "Close it with `)`, or write `\\(` for the character.",
        "Unmatched ')'" => "Write `\\)` for the character.",
        "Nothing to repeat" => "Write `\\*`, `\\+`, `\\?` or `\\{` for the character.",
        "Lone quantifier brackets" | "Incomplete quantifier" => {
            "With the flag u a bracket needs a backslash: `\\{`, `\\}`, `\\]`."
        }
        "Unterminated character class" => "Close it with `]`, or write `\\[` for the character.",
        "Range out of order in character class" => {
            "A range goes up, as in `[a-z]`; write `\\-` for the character."
        }
        "Invalid group" => {
            "Flow has `(?:…)`, `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)` and `(?<name>…)`."
        }
        "Invalid escape" | "Invalid class escape" | "Invalid decimal escape" => {
            "With the flag u only characters of the syntax can be escaped."
        }
        "Invalid Unicode escape" => "Write `\\u0041`, or `\\u{41}` with the flag u.",
        "Invalid property name" | "Invalid property name in character class" => {
            "Write for example `\\p{L}`, `\\p{Lu}`, `\\p{Script=Greek}` or `\\p{Alphabetic}`."
        }
        "Invalid named capture referenced" | "Invalid named reference" => {
            "`\\k<name>` means a group `(?<name>…)`."
        }
        "Duplicate capture group name" => "Give each group a name of its own.",
        "Regular expression too large" => "Nest fewer groups, or take the pattern apart.",
        _ => return None,
    })
}
