//! A JSON value as a flat list of nodes, read from text in a loop: depth costs no stack. A value that is written in a
//! program may have parts that only the run knows.

use std::borrow::Cow;

/// How much of a found value is told.
const MAX_SHOWN: usize = 40;

/// A JSON value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tape<'t> {
    nodes: Vec<(Node<'t>, u32)>,
    /// Whether there is a `Rest` anywhere: never in a value that was read, so that nobody looks for one.
    has_rest: bool,
}

/// What stands at a place of the tape. The members of arrays and objects follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node<'t> {
    Null,
    Bool(bool),
    Number(Cow<'t, str>),
    String(Cow<'t, str>),
    Array,
    /// Keys (as `String`) and values in turn.
    Object,
    /// A value that only the run knows. As a property it may be undefined, which JSON leaves out.
    Unknown,
    /// Any number of members that only the run knows; in an object it is a key, with a value that is `Unknown`.
    Rest,
}

impl Node<'_> {
    /// What was found, in words.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => format!("boolean {value}"),
            Self::Number(text) => format!("number {}", shorten(text)),
            Self::String(text) => format!("string \"{}\"", shorten(text)),
            Self::Array => "an array".to_owned(),
            Self::Object => "an object".to_owned(),
            Self::Unknown | Self::Rest => "what only the run knows".to_owned(),
        }
    }
}

/// A key as a step of a path: `.qty`, or `["a b"]` where it is no plain name.
pub(crate) fn step(name: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$' | '…');
    let name = shorten(name);
    if !name.is_empty()
        && name.chars().all(plain)
        && !name.starts_with(|char: char| char.is_ascii_digit())
    {
        format!(".{name}")
    } else {
        format!("[\"{name}\"]")
    }
}

/// A text that may be long, cut for a message.
pub(crate) fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    CommaOrEnd,
}

impl<'t> Tape<'t> {
    /// Reads a text; `None` if it is no JSON.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        let mut tape = Self::default();
        let mut open: Vec<u32> = Vec::new();
        let mut next = Next::Value;
        let mut rest = text.trim_start_matches(BLANK);
        loop {
            let first = rest.chars().next();
            let in_object = open
                .last()
                .is_some_and(|at| tape.nodes[*at as usize].0 == Node::Object);
            match (next, first) {
                (Next::ValueOrEnd | Next::CommaOrEnd, Some(']')) if !in_object => {
                    tape.close(open.pop()?);
                    rest = &rest[1..];
                    next = Next::CommaOrEnd;
                }
                (Next::KeyOrEnd | Next::CommaOrEnd, Some('}')) if in_object => {
                    tape.close(open.pop()?);
                    rest = &rest[1..];
                    next = Next::CommaOrEnd;
                }
                (Next::CommaOrEnd, Some(',')) if !open.is_empty() => {
                    rest = &rest[1..];
                    next = if in_object { Next::Key } else { Next::Value };
                }
                (Next::Key | Next::KeyOrEnd, Some('"')) => {
                    let (key, length) = string(rest)?;
                    tape.push(Node::String(key));
                    rest = rest[length..].trim_start_matches(BLANK).strip_prefix(':')?;
                    next = Next::Value;
                }
                (Next::Value | Next::ValueOrEnd, Some(char)) => {
                    next = Next::CommaOrEnd;
                    let (node, length) = match char {
                        '{' => (Node::Object, 1),
                        '[' => (Node::Array, 1),
                        '"' => {
                            let (text, length) = string(rest)?;
                            (Node::String(text), length)
                        }
                        _ => scalar(rest)?,
                    };
                    rest = &rest[length..];
                    match node {
                        Node::Object => next = Next::KeyOrEnd,
                        Node::Array => next = Next::ValueOrEnd,
                        _ => {}
                    }
                    if next != Next::CommaOrEnd {
                        open.push(tape.nodes.len() as u32);
                    }
                    tape.push(node);
                }
                _ => return None,
            }
            rest = rest.trim_start_matches(BLANK);
            if open.is_empty() && next == Next::CommaOrEnd {
                return rest.is_empty().then_some(tape);
            }
        }
    }

    /// Appends a node, and gives its place.
    pub(crate) fn push(&mut self, node: Node<'t>) -> u32 {
        let at = self.nodes.len() as u32;
        self.has_rest |= node == Node::Rest;
        self.nodes.push((node, at + 1));
        at
    }

    /// Says that the members of an array or object are complete.
    pub(crate) fn close(&mut self, at: u32) {
        self.nodes[at as usize].1 = self.nodes.len() as u32;
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether an array or object has members that only the run knows.
    pub(crate) fn has_rest(&self, at: usize) -> bool {
        self.has_rest
            && self
                .members(at)
                .any(|member| self.nodes[member].0 == Node::Rest)
    }

    /// The node at a place; the whole text is at 0.
    pub(crate) fn node(&self, at: usize) -> &Node<'t> {
        &self.nodes[at].0
    }

    /// The places of the elements of an array, or of the keys and values of an object in turn.
    pub(crate) fn members(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.nodes[at].1 as usize;
        let mut member = at + 1;
        std::iter::from_fn(move || {
            let here = member;
            if here >= end {
                return None;
            }
            member = self.nodes[here].1 as usize;
            Some(here)
        })
    }

    /// The keys of an object with the places of their values.
    pub(crate) fn entries(&self, at: usize) -> impl Iterator<Item = (&str, usize)> + '_ {
        let mut members = self.members(at);
        std::iter::from_fn(move || {
            loop {
                let key = members.next()?;
                let value = members.next()?;
                if let Node::String(name) = self.node(key) {
                    return Some((name.as_ref(), value));
                }
            }
        })
    }

    /// The place of the value of a key. The last one counts, as everywhere in JSON.
    pub(crate) fn get(&self, at: usize, key: &str) -> Option<usize> {
        self.entries(at)
            .filter(|(name, _)| *name == key)
            .last()
            .map(|(_, value)| value)
    }
}

const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

fn scalar(text: &str) -> Option<(Node<'_>, usize)> {
    for (word, node) in [
        ("null", Node::Null),
        ("true", Node::Bool(true)),
        ("false", Node::Bool(false)),
    ] {
        if text.starts_with(word) {
            return Some((node, word.len()));
        }
    }
    let number = |char: char| matches!(char, '-' | '+' | '.' | 'e' | 'E' | '0'..='9');
    let length = text.find(|char| !number(char)).unwrap_or(text.len());
    let digits = &text[..length];
    let plain = digits.strip_prefix('-').unwrap_or(digits);
    let valid =
        plain.starts_with(|char: char| char.is_ascii_digit()) && digits.parse::<f64>().is_ok();
    valid.then_some((Node::Number(Cow::Borrowed(digits)), length))
}

/// A string with its quotes, and how long it is in the text.
fn string(text: &str) -> Option<(Cow<'_, str>, usize)> {
    let body = &text[1..];
    let plain = body.find(['"', '\\'])?;
    if body[plain..].starts_with('"') {
        return Some((Cow::Borrowed(&body[..plain]), plain + 2));
    }
    let mut units: Vec<u16> = body[..plain].encode_utf16().collect();
    let mut chars = body.char_indices().skip_while(|(at, _)| *at < plain);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((Cow::Owned(String::from_utf16_lossy(&units)), at + 2)),
            '\\' => {
                let (_, escaped) = chars.next()?;
                let unit = match escaped {
                    'n' => 0x0A,
                    't' => 0x09,
                    'r' => 0x0D,
                    'b' => 0x08,
                    'f' => 0x0C,
                    '"' | '\\' | '/' => escaped as u16,
                    'u' => {
                        let digits = body.get(at + 2..at + 6)?;
                        for _ in 0..4 {
                            chars.next();
                        }
                        u16::from_str_radix(digits, 16).ok()?
                    }
                    _ => return None,
                };
                units.push(unit);
            }
            char => units.extend_from_slice(char.encode_utf16(&mut [0; 2])),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Node, Tape};

    #[test]
    fn reads_all_forms() {
        let text = r#" {"a": [1, -2.5e3, "x\u00e9\n", true, null, {}], "b": [] , "a": 7} "#;
        let tape = Tape::read(text).expect("it is JSON");
        assert_eq!(
            tape.node(tape.get(0, "a").expect("a key")),
            &Node::Number("7".into())
        );
        let (_, list) = tape.entries(0).next().expect("a key");
        let nodes: Vec<_> = tape.members(list).map(|at| tape.node(at).clone()).collect();
        assert_eq!(nodes[2], Node::String("xé\n".into()));
        assert_eq!(nodes.len(), 6);
    }

    #[test]
    fn refuses_what_is_no_json() {
        for text in [
            "", "{", "[1,]", "{\"a\"}", "{a: 1}", "1 2", "]", "[1}", "\"abc", "+1", "{,}",
        ] {
            assert!(Tape::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let text = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(Tape::read(&text).is_some());
    }
}
