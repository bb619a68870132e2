//! From text to words: runs the grammar, pairs the brackets. The one file that names `Rule`.

use std::num::NonZeroUsize;
use std::sync::Once;

use pest::Parser as _;
use pest_derive::Parser;

use super::regex::Masked;
use crate::source::Span;

#[derive(Parser)]
#[grammar = "flow.pest"]
struct Grammar;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or keyword.
    Name,
    /// A well-formed number.
    Number,
    /// A closed string.
    String,
    /// A regular expression, closed or not.
    Regex,
    /// An operator or bracket.
    Punctuation,
    /// A backtick that opens a template.
    TemplateOpen,
    /// A backtick that closes a template.
    TemplateClose,
    /// The text of a template up to its next hole or its end.
    TemplateText,
    /// A number that is not well-formed.
    BadNumber,
    /// A string without its closing quote.
    OpenString,
    /// A comment without its end.
    OpenComment,
    /// `<!--` or `-->`
    HtmlComment,
    /// A character that begins nothing.
    BadCharacter,
    /// The end of the file.
    End,
}

/// A word with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where it stands.
    pub(crate) span: Span,
    /// Whether a line ends between the word before and this one.
    pub(crate) after_line_break: bool,
    /// For a bracket: the index of its partner, if it has one.
    pub(crate) mate: Option<u32>,
    /// The index of the bracket around it, if there is one.
    pub(crate) parent: Option<u32>,
}

/// More rule calls than any accepted text can need: a net under the grammar's promise to be linear.
const CALL_LIMIT: usize = 256 * super::MAX_SOURCE;

/// Splits a text into words; the last one is `End`. `Err` is the offset at which the grammar gave up.
pub(super) fn tokens(masked: &Masked) -> Result<Vec<Token>, usize> {
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| pest::set_call_limit(NonZeroUsize::new(CALL_LIMIT)));
    let text = masked.text.as_str();
    let pairs = Grammar::parse(Rule::file, text).map_err(|error| match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    })?;
    let mut tokens: Vec<Token> = Vec::with_capacity(text.len() / 4);
    let mut end = 0;
    for pair in pairs {
        let span = pair.as_span();
        let gap = text.get(end..span.start()).unwrap_or_default();
        tokens.push(Token {
            kind: kind(pair.as_rule()),
            span: Span::new(span.start(), span.end()),
            after_line_break: tokens.is_empty() || has_line_break(gap),
            mate: None,
            parent: None,
        });
        end = span.end();
    }
    mark_regexes(&mut tokens, &masked.spans);
    mark_html_comments(&mut tokens, text);
    pair_brackets(&mut tokens, text);
    Ok(tokens)
}

/// Exhaustive, so that a new rule does not compile until it is known what it means.
fn kind(rule: Rule) -> Kind {
    match rule {
        Rule::name => Kind::Name,
        Rule::number => Kind::Number,
        Rule::string => Kind::String,
        Rule::regex => Kind::Regex,
        Rule::punctuation
        | Rule::open_brace
        | Rule::close_brace
        | Rule::hole_open
        | Rule::hole_close => Kind::Punctuation,
        Rule::template_open => Kind::TemplateOpen,
        Rule::template_close => Kind::TemplateClose,
        Rule::template_text => Kind::TemplateText,
        Rule::bad_number => Kind::BadNumber,
        Rule::open_string => Kind::OpenString,
        Rule::open_comment => Kind::OpenComment,
        Rule::html_comment => Kind::HtmlComment,
        Rule::bad_character => Kind::BadCharacter,
        Rule::EOI => Kind::End,
        // Silent rules make no pairs.
        Rule::file
        | Rule::plain
        | Rule::blank
        | Rule::line_break
        | Rule::comment
        | Rule::line_comment
        | Rule::block_comment
        | Rule::name_start
        | Rule::name_part
        | Rule::name_escape
        | Rule::decimal
        | Rule::hex
        | Rule::octal
        | Rule::binary
        | Rule::integer
        | Rule::digits
        | Rule::exponent
        | Rule::double
        | Rule::single
        | Rule::escape
        | Rule::odd
        | Rule::brace
        | Rule::template
        | Rule::hole
        | Rule::inner
        | Rule::group => Kind::BadCharacter,
    }
}

/// Whether a text has a character that ends a line in JavaScript.
pub(crate) fn has_line_break(text: &str) -> bool {
    text.contains(['\n', '\r', '\u{2028}', '\u{2029}'])
}

/// What was not masked is the character itself, which begins nothing.
fn mark_regexes(tokens: &mut [Token], spans: &[Span]) {
    for token in tokens {
        if token.kind == Kind::Regex
            && spans
                .binary_search_by_key(&token.span.start, |span| span.start)
                .is_err()
        {
            token.kind = Kind::BadCharacter;
        }
    }
}

/// `-->` at the start of a line is a comment in a script; `x --> 0` is not.
fn mark_html_comments(tokens: &mut [Token], text: &str) {
    for token in tokens {
        let start = token.span.start as usize;
        if token.after_line_break && text.get(start..start + 3) == Some("-->") {
            token.kind = Kind::HtmlComment;
        }
    }
}

/// Finds the partner and the parent of each bracket. A bracket of another kind between two partners
/// is left without one, so that one missing bracket spoils as little as possible.
fn pair_brackets(tokens: &mut [Token], text: &str) {
    let mut open: Vec<(u32, char)> = Vec::new();
    // How many of each kind are open, so that a bracket that closes nothing is not searched for.
    let mut waiting = [0_u32; 128];
    for index in 0..tokens.len() {
        let token = tokens[index];
        let word = text.get(token.span.start as usize..token.span.end as usize);
        let closes = match (token.kind, word) {
            (Kind::Punctuation, Some("(")) => Err(')'),
            (Kind::Punctuation, Some("[")) => Err(']'),
            (Kind::Punctuation, Some("{" | "${")) => Err('}'),
            (Kind::TemplateOpen, _) => Err('`'),
            (Kind::Punctuation, Some(")")) => Ok(')'),
            (Kind::Punctuation, Some("]")) => Ok(']'),
            (Kind::Punctuation, Some("}")) => Ok('}'),
            (Kind::TemplateClose, _) => Ok('`'),
            _ => {
                tokens[index].parent = open.last().map(|(at, _)| *at);
                continue;
            }
        };
        match closes {
            Err(close) => {
                tokens[index].parent = open.last().map(|(at, _)| *at);
                open.push((index as u32, close));
                waiting[close as usize] += 1;
            }
            Ok(close) => {
                while waiting[close as usize] > 0
                    && let Some((opener, wanted)) = open.pop()
                {
                    waiting[wanted as usize] -= 1;
                    if wanted == close {
                        tokens[opener as usize].mate = Some(index as u32);
                        tokens[index].mate = Some(opener);
                        break;
                    }
                }
                tokens[index].parent = open.last().map(|(at, _)| *at);
            }
        }
    }
}
