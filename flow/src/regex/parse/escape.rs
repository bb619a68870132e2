//! What stands behind a backslash.

use std::rc::Rc;

use super::{NAMED, Parsed, Parser, Pending, join, unit};
use crate::regex::set::{LAST, Ranges};
use crate::regex::tree::Node;
use crate::regex::{Flags, case, property};

/// `\s`
const SPACES: &[(u32, u32)] = &[
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
];
const DIGITS: &[(u32, u32)] = &[(0x30, 0x39)];
const WORDS: &[(u32, u32)] = &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)];
/// With the flags `u` and `i` these two are letters of words too: they equal `s` and `k`.
const FOLDED_WORDS: &[(u32, u32)] = &[
    (0x30, 0x39),
    (0x41, 0x5A),
    (0x5F, 0x5F),
    (0x61, 0x7A),
    (0x17F, 0x17F),
    (0x212A, 0x212A),
];

/// The characters of words.
pub(in crate::regex) fn words(unicode: bool, ignore_case: bool) -> &'static [(u32, u32)] {
    if unicode && ignore_case {
        FOLDED_WORDS
    } else {
        WORDS
    }
}

impl Parser<'_> {
    /// An escape outside of a class.
    pub(super) fn atom_escape(&mut self) -> Parsed<Node> {
        let start = self.at;
        let Some(next) = self.ahead(1) else {
            return Err(self.error("\\ at end of pattern"));
        };
        let next = char::from_u32(next).unwrap_or('\u{FFFD}');
        match next {
            '1'..='9' => {
                if let Some(group) = self.group_number() {
                    let inside = self.inside.contains(&group);
                    return Ok(if inside {
                        Node::Empty
                    } else {
                        Node::Back(group)
                    });
                }
                if self.unicode {
                    return Err(self.error("Invalid escape"));
                }
                if next >= '8' {
                    self.at += 2;
                    return self.literal(unit(next));
                }
                self.at += 1;
                let point = self.octal();
                self.literal(point)
            }
            '0' => {
                self.at += 1;
                let digit = self.ahead(1).and_then(char::from_u32);
                if self.unicode && digit.is_some_and(|digit| digit.is_ascii_digit()) {
                    return Err(self.error("Invalid decimal escape"));
                }
                let point = self.octal();
                self.literal(point)
            }
            'k' if self.unicode || self.has_names() => {
                self.at += 2;
                if !self.eat('<') {
                    return Err(self.error("Invalid named reference"));
                }
                let name = self.group_name()?;
                let known = self.names.iter().find(|(known, _)| *known == name);
                if known.is_some_and(|(_, group)| self.inside.contains(group)) {
                    return Ok(Node::Empty);
                }
                self.pending.push(Pending { name, at: start });
                Ok(Node::Back(NAMED + self.pending.len() as u32 - 1))
            }
            _ => {
                if let Some(set) = self.set_escape("Invalid property name")? {
                    return Ok(Node::Set(set));
                }
                let point = self.character_escape(false)?;
                self.literal(point)
            }
        }
    }

    /// `\12`, if there are as many groups.
    fn group_number(&mut self) -> Option<u32> {
        let (start, mut value) = (self.at, 0u32);
        self.at += 1;
        while let Some(digit) = self.digit() {
            value = value.saturating_mul(10).saturating_add(digit);
            self.at += 1;
        }
        if value < self.opened || value < self.count_groups().0 {
            return Some(value);
        }
        self.at = start;
        None
    }

    /// Up to three octal digits, below 256.
    fn octal(&mut self) -> u32 {
        let mut value = 0;
        for _ in 0..3 {
            match self.digit().filter(|digit| *digit < 8) {
                Some(digit) if value * 8 + digit < 256 => value = value * 8 + digit,
                _ => break,
            }
            self.at += 1;
        }
        value
    }

    /// `\d` and the like, and `\p{…}` with the flag `u`.
    pub(super) fn set_escape(&mut self, unknown: &'static str) -> Parsed<Option<Rc<Ranges>>> {
        let Some(letter) = self.ahead(1).and_then(char::from_u32) else {
            return Ok(None);
        };
        let start = self.at;
        let ranges = match letter.to_ascii_lowercase() {
            'd' => Ranges::of(DIGITS),
            's' => Ranges::of(SPACES),
            'w' => Ranges::of(words(self.unicode, self.flags.has(Flags::IGNORE_CASE))),
            'p' if self.unicode => {
                self.at += 2;
                let behind = self.property_end();
                let key = behind.map(|behind| self.units[start..behind].to_vec());
                if let (Some(behind), Some(found)) =
                    (behind, key.as_ref().and_then(|key| self.known.get(key)))
                {
                    let found = Rc::clone(found);
                    self.at = behind;
                    self.spend(found.0.len())?;
                    return Ok(Some(found));
                }
                let Some(found) = behind.and_then(|behind| self.property(behind)) else {
                    return Err(self.error(unknown));
                };
                self.at = behind.unwrap_or(self.at);
                found
            }
            _ => return Ok(None),
        };
        if self.at == start {
            self.at += 2;
        }
        let key = self.units[start..self.at].to_vec();
        // Each place pays, since classes copy the ranges of a set.
        if let Some(known) = self.known.get(&key).map(Rc::clone) {
            self.spend(known.0.len())?;
            return Ok(Some(known));
        }
        let mut ranges = if letter.is_ascii_uppercase() {
            ranges.inverted()
        } else {
            ranges
        };
        self.spend(ranges.0.len())?;
        if self.flags.has(Flags::IGNORE_CASE) {
            self.spend(case::close(&mut ranges, self.unicode))?;
        }
        let ranges = Rc::new(ranges);
        self.known.insert(key, Rc::clone(&ranges));
        Ok(Some(ranges))
    }

    /// Behind the `}` of a property.
    fn property_end(&self) -> Option<usize> {
        if !self.at_char('{') {
            return None;
        }
        let rest = &self.units[self.at..];
        let end = rest.iter().position(|unit| *unit == u16::from(b'}'))?;
        Some(self.at + end + 1)
    }

    fn property(&self, behind: usize) -> Option<Ranges> {
        let inside = String::from_utf16(&self.units[self.at + 1..behind - 1]).ok()?;
        match inside.split_once('=') {
            Some((name, value)) => property::ranges(name, Some(value)),
            None => property::ranges(&inside, None),
        }
    }

    /// An escape that means one character.
    pub(super) fn character_escape(&mut self, in_class: bool) -> Parsed<u32> {
        self.at += 1;
        let Some(point) = self.current() else {
            return Err(self.error("\\ at end of pattern"));
        };
        let letter = char::from_u32(point).unwrap_or('\u{FFFD}');
        self.advance();
        Ok(match letter {
            'f' => 0x0C,
            'n' => 0x0A,
            'r' => 0x0D,
            't' => 0x09,
            'v' => 0x0B,
            'c' => return self.control(in_class),
            '0' if self.digit().is_none() => 0,
            '0'..='7' => {
                if self.unicode {
                    return Err(self.error(if in_class {
                        "Invalid class escape"
                    } else {
                        "Invalid decimal escape"
                    }));
                }
                self.at -= 1;
                self.octal()
            }
            'x' => match self.hex(2) {
                Some(value) => value,
                None if self.unicode => return Err(self.error("Invalid escape")),
                None => point,
            },
            'u' => match self.unicode_escape(self.unicode) {
                Some(value) => value,
                None if self.unicode => return Err(self.error("Invalid Unicode escape")),
                None => point,
            },
            _ => {
                let syntax = "^$\\.*+?()[]{}|/".contains(letter) || (in_class && letter == '-');
                if (self.unicode && !syntax) || (letter == 'k' && self.has_names()) {
                    return Err(self.error("Invalid escape"));
                }
                point
            }
        })
    }

    /// `\cX`; without a letter the backslash stands for itself.
    fn control(&mut self, in_class: bool) -> Parsed<u32> {
        let letter = self.ahead(0).and_then(char::from_u32);
        match letter {
            Some('a'..='z' | 'A'..='Z') => {}
            _ if self.unicode => return Err(self.error("Invalid Unicode escape")),
            Some('0'..='9' | '_') if in_class => {}
            _ => {
                self.at -= 1;
                return Ok(unit('\\'));
            }
        }
        self.at += 1;
        Ok(letter.map_or(0, u32::from) & 0x1F)
    }

    /// Exactly as many hexadecimal digits.
    fn hex(&mut self, digits: usize) -> Option<u32> {
        let mut value = 0;
        for by in 0..digits {
            let digit = self.ahead(by).and_then(char::from_u32)?.to_digit(16)?;
            value = value * 16 + digit;
        }
        self.at += digits;
        Some(value)
    }

    /// What follows `\u`.
    pub(super) fn unicode_escape(&mut self, unicode: bool) -> Option<u32> {
        let start = self.at;
        if unicode && self.eat('{') {
            let mut value = None;
            while let Some(digit) = self.ahead(0).and_then(char::from_u32)?.to_digit(16) {
                value = Some(value.unwrap_or(0) * 16 + digit);
                if value > Some(LAST) {
                    break;
                }
                self.at += 1;
            }
            let fits = value.filter(|value| *value <= LAST);
            if fits.is_none() || !self.eat('}') {
                self.at = start;
                return None;
            }
            return fits;
        }
        let value = self.hex(4)?;
        if unicode && (0xD800..0xDC00).contains(&value) && self.looking_at("\\u") {
            let behind = self.at;
            self.at += 2;
            match self.hex(4) {
                Some(second @ 0xDC00..=0xDFFF) => return Some(join(value as u16, second as u16)),
                _ => self.at = behind,
            }
        }
        Some(value)
    }
}
