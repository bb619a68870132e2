//! Classes: `[a-z]`, `[^\d_]`.

use std::rc::Rc;

use super::{Parsed, Parser, unit};
use crate::regex::set::Ranges;
use crate::regex::tree::Node;
use crate::regex::{Flags, case};

/// A part of a class.
enum Atom {
    Char(u32),
    Set(Rc<Ranges>),
}

impl Parser<'_> {
    pub(super) fn class(&mut self) -> Parsed<Node> {
        let start = self.at;
        self.at += 1;
        let negative = self.eat('^');
        let mut ranges = Ranges::default();
        while !self.at_char(']') {
            let first = self.class_atom(start)?;
            if !self.at_char('-') {
                add(&mut ranges, first);
                continue;
            }
            self.at += 1;
            if self.at_char(']') {
                add(&mut ranges, first);
                add(&mut ranges, Atom::Char(unit('-')));
                break;
            }
            let last = self.class_atom(start)?;
            match (first, last) {
                (Atom::Char(first), Atom::Char(last)) if first > last => {
                    return Err(self.error("Range out of order in character class"));
                }
                (Atom::Char(first), Atom::Char(last)) => ranges.add(first, last),
                _ if self.unicode => return Err(self.error("Invalid character class")),
                (first, last) => {
                    add(&mut ranges, first);
                    add(&mut ranges, Atom::Char(unit('-')));
                    add(&mut ranges, last);
                }
            }
        }
        self.at += 1;
        ranges.tidy();
        self.spend(ranges.0.len())?;
        if self.flags.has(Flags::IGNORE_CASE) {
            self.spend(case::close(&mut ranges, self.unicode))?;
        }
        Ok(match (negative, &ranges.0[..]) {
            (true, _) => Node::Set(Rc::new(ranges.inverted())),
            (false, [(one, last)]) if one == last => Node::Char(*one),
            (false, _) => Node::Set(Rc::new(ranges)),
        })
    }

    fn class_atom(&mut self, start: usize) -> Parsed<Atom> {
        let Some(point) = self.current() else {
            self.at = start;
            return Err(self.error("Unterminated character class"));
        };
        if point != unit('\\') {
            self.advance();
            return Ok(Atom::Char(point));
        }
        if self.ahead(1) == Some(unit('b')) {
            self.at += 2;
            return Ok(Atom::Char(0x08));
        }
        if let Some(set) = self.set_escape("Invalid property name in character class")? {
            return Ok(Atom::Set(set));
        }
        self.character_escape(true).map(Atom::Char)
    }
}

fn add(ranges: &mut Ranges, atom: Atom) {
    match atom {
        Atom::Char(point) => ranges.add(point, point),
        Atom::Set(set) => ranges.extend(&set),
    }
}
