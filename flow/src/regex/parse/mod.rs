//! From a pattern to its tree: the grammar of the specification with its Annex B, and V8's words for errors.
//!
//! Descends over groups; how deep they may be nested is bounded.

mod class;
mod escape;
mod name;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::set::Ranges;
use super::tree::{INFINITE, Node, Tree};
use super::{Flags, PatternError, case};

/// How deep groups may be nested.
const MAX_NESTING: u32 = 200;
/// The largest pattern, in units.
const MAX_UNITS: usize = 1 << 16;
/// How many ranges all sets of a pattern may have together.
const MAX_COST: usize = 1 << 20;
/// How many groups V8 allows.
const MAX_GROUPS: u32 = 1 << 15;

/// V8's words for what is nested or listed too often.
const TOO_LARGE: &str = "Regular expression too large";

type Parsed<T> = Result<T, PatternError>;

/// A reference by name, which may stand in front of its group.
struct Pending {
    name: Box<[u16]>,
    at: usize,
}

struct Parser<'p> {
    units: &'p [u16],
    at: usize,
    flags: Flags,
    unicode: bool,
    /// Groups that were opened so far, the whole match included.
    opened: u32,
    /// Groups of the whole pattern; counted when first asked for.
    counted: Option<(u32, bool)>,
    names: Vec<(Box<[u16]>, u32)>,
    /// The names of groups that were closed.
    closed: HashSet<Box<[u16]>>,
    /// Groups around this place: `\1` inside of its own group fits everywhere.
    inside: Vec<u32>,
    /// The references by name; `Node::Back` holds a number of this list plus `NAMED` until the end.
    pending: Vec<Pending>,
    depth: u32,
    cost: usize,
    /// Sets that do not depend on the place where they stand.
    known: HashMap<Vec<u16>, Rc<Ranges>>,
}

/// References by name are numbered from here until all names are known.
const NAMED: u32 = 1 << 24;

pub(super) fn parse(pattern: &[u16], flags: Flags) -> Parsed<Tree> {
    let mut parser = Parser {
        units: pattern,
        at: 0,
        flags,
        unicode: flags.has(Flags::UNICODE),
        opened: 1,
        counted: None,
        names: Vec::new(),
        closed: HashSet::new(),
        inside: Vec::new(),
        pending: Vec::new(),
        depth: 0,
        cost: pattern.len(),
        known: HashMap::new(),
    };
    if pattern.len() > MAX_UNITS {
        return Err(parser.error(TOO_LARGE));
    }
    let mut root = parser.disjunction()?;
    if parser.current().is_some() {
        return Err(parser.error("Unmatched ')'"));
    }
    parser.resolve(&mut root)?;
    Ok(Tree {
        root,
        groups: parser.opened,
        names: parser.names,
        cost: parser.cost,
    })
}

const fn unit(character: char) -> u32 {
    character as u32
}

impl Parser<'_> {
    fn error(&self, message: &'static str) -> PatternError {
        PatternError {
            message,
            at: self.at.min(self.units.len()),
            cost: self.cost.min(MAX_COST),
        }
    }

    // ---- Looking and moving ----------------------------------------------------------------------

    /// The character at some unit: a code point with the flag `u`.
    fn point_at(&self, at: usize, unicode: bool) -> Option<u32> {
        let first = *self.units.get(at)?;
        if unicode
            && (0xD800..0xDC00).contains(&first)
            && let Some(second) = self.units.get(at + 1)
            && (0xDC00..0xE000).contains(second)
        {
            return Some(join(first, *second));
        }
        Some(u32::from(first))
    }

    fn current(&self) -> Option<u32> {
        self.point_at(self.at, self.unicode)
    }

    /// The unit some places ahead.
    fn ahead(&self, by: usize) -> Option<u32> {
        self.units.get(self.at + by).map(|unit| u32::from(*unit))
    }

    fn at_char(&self, character: char) -> bool {
        self.ahead(0) == Some(unit(character))
    }

    fn looking_at(&self, text: &str) -> bool {
        let mut units = self.units[self.at..].iter();
        text.bytes()
            .all(|byte| units.next().copied() == Some(u16::from(byte)))
    }

    fn advance(&mut self) {
        self.at += match self.current() {
            Some(point) if point > 0xFFFF => 2,
            Some(_) => 1,
            None => 0,
        };
    }

    fn eat(&mut self, character: char) -> bool {
        let found = self.at_char(character);
        self.at += usize::from(found);
        found
    }

    fn digit(&self) -> Option<u32> {
        self.ahead(0)
            .and_then(char::from_u32)
            .and_then(|character| character.to_digit(10))
    }

    // ---- Groups ----------------------------------------------------------------------------------

    /// All groups of the pattern, and whether one has a name: asked for in front of them.
    fn count_groups(&mut self) -> (u32, bool) {
        if let Some(counted) = self.counted {
            return counted;
        }
        let (mut groups, mut named) = (1, false);
        let (mut at, mut in_class) = (0, false);
        let is = |at: usize, character: char| {
            self.units.get(at).map(|unit| u32::from(*unit)) == Some(unit(character))
        };
        while at < self.units.len() {
            if is(at, '\\') {
                at += 1;
            } else if is(at, '[') {
                in_class = true;
            } else if is(at, ']') {
                in_class = false;
            } else if is(at, '(') && !in_class {
                if !is(at + 1, '?') {
                    groups += 1;
                } else if is(at + 2, '<') && !is(at + 3, '=') && !is(at + 3, '!') {
                    groups += 1;
                    named = true;
                }
            }
            at += 1;
        }
        self.counted = Some((groups, named));
        (groups, named)
    }

    fn has_names(&mut self) -> bool {
        !self.names.is_empty() || self.count_groups().1
    }

    /// Replaces references by name by numbers.
    fn resolve(&self, root: &mut Node) -> Parsed<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        match root {
            Node::Back(number) if *number >= NAMED => {
                let Some(pending) = self.pending.get((*number - NAMED) as usize) else {
                    return Ok(());
                };
                let found = self.names.iter().find(|(name, _)| *name == pending.name);
                let Some((_, group)) = found else {
                    return Err(PatternError {
                        message: "Invalid named capture referenced",
                        at: pending.at,
                        cost: self.cost,
                    });
                };
                *number = *group;
                Ok(())
            }
            Node::Sequence(parts) | Node::Either(parts) => {
                parts.iter_mut().try_for_each(|part| self.resolve(part))
            }
            Node::Group(_, body) | Node::Look { body, .. } | Node::Repeat { body, .. } => {
                self.resolve(body)
            }
            _ => Ok(()),
        }
    }

    // ---- Patterns --------------------------------------------------------------------------------

    /// `a|b|c`
    fn disjunction(&mut self) -> Parsed<Node> {
        if self.depth >= MAX_NESTING {
            return Err(self.error(TOO_LARGE));
        }
        self.depth += 1;
        let mut choices = vec![self.alternative()?];
        while self.eat('|') {
            choices.push(self.alternative()?);
        }
        self.depth -= 1;
        Ok(match choices.len() {
            1 => choices.swap_remove(0),
            _ => Node::Either(choices),
        })
    }

    fn alternative(&mut self) -> Parsed<Node> {
        let mut parts = Vec::new();
        while let Some(point) = self.current() {
            if point == unit('|') || point == unit(')') {
                break;
            }
            let groups = self.opened;
            let start = self.at;
            let Some(atom) = self.atom(point, &mut parts)? else {
                continue;
            };
            self.quantified(atom, groups, start, &mut parts)?;
        }
        Ok(match parts.len() {
            0 => Node::Empty,
            1 => parts.swap_remove(0),
            _ => Node::Sequence(parts),
        })
    }

    /// What may be repeated; none for an assertion that may not, which was added.
    fn atom(&mut self, point: u32, parts: &mut Vec<Node>) -> Parsed<Option<Node>> {
        let simple = |parser: &mut Self, parts: &mut Vec<Node>, node, width| {
            parser.at += width;
            parts.push(node);
            Ok(None)
        };
        let Some(character) = char::from_u32(point).filter(char::is_ascii) else {
            self.advance();
            return self.literal(point).map(Some);
        };
        match character {
            '*' | '+' | '?' => Err(self.error("Nothing to repeat")),
            '^' => simple(self, parts, Node::Start, 1),
            '$' => simple(self, parts, Node::End, 1),
            '(' => self.group().map(Some),
            '.' => {
                self.at += 1;
                Ok(Some(self.dot()))
            }
            '[' => self.class().map(Some),
            '\\' => match self.ahead(1).and_then(char::from_u32) {
                Some('b') => simple(self, parts, Node::Boundary { negative: false }, 2),
                Some('B') => simple(self, parts, Node::Boundary { negative: true }, 2),
                _ => self.atom_escape().map(Some),
            },
            '{' if self.interval().is_some() => Err(self.error("Nothing to repeat")),
            '{' | '}' | ']' if self.unicode => Err(self.error("Lone quantifier brackets")),
            _ => {
                self.advance();
                self.literal(point).map(Some)
            }
        }
    }

    /// One character, or with the flag `i` all that equal it.
    fn literal(&mut self, point: u32) -> Parsed<Node> {
        if !self.flags.has(Flags::IGNORE_CASE) {
            return Ok(Node::Char(point));
        }
        let mut ranges = Ranges::of(&[(point, point)]);
        self.spend(case::close(&mut ranges, self.unicode))?;
        Ok(match ranges.0[..] {
            [(one, last)] if one == last => Node::Char(one),
            _ => Node::Set(Rc::new(ranges)),
        })
    }

    fn dot(&mut self) -> Node {
        let ranges = if self.flags.has(Flags::DOT_ALL) {
            Ranges::of(&[(0, super::set::LAST)])
        } else {
            Ranges::of(&[(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)]).inverted()
        };
        let known = self.known.entry(vec![u16::from(b'.')]);
        Node::Set(Rc::clone(known.or_insert_with(|| Rc::new(ranges))))
    }

    fn spend(&mut self, cost: usize) -> Parsed<()> {
        self.cost += cost;
        if self.cost > MAX_COST {
            return Err(self.error(TOO_LARGE));
        }
        Ok(())
    }

    /// `(…)` of any kind.
    fn group(&mut self) -> Parsed<Node> {
        let start = self.at;
        self.at += 1;
        let mut look = None;
        let mut number = None;
        let mut named = None;
        if self.at_char('?') {
            if self.looking_at("?:") {
                self.at += 2;
            } else if self.looking_at("?=") || self.looking_at("?!") {
                look = Some((true, self.ahead(1) == Some(unit('!'))));
                self.at += 2;
            } else if self.looking_at("?<=") || self.looking_at("?<!") {
                look = Some((false, self.ahead(2) == Some(unit('!'))));
                self.at += 3;
            } else if self.looking_at("?<") {
                self.at += 2;
                number = Some(self.open_group()?);
                let name = self.group_name()?;
                named = Some(name.clone());
                self.names.push((name, self.opened - 1));
            } else {
                return Err(self.error("Invalid group"));
            }
        } else {
            number = Some(self.open_group()?);
        }
        if let Some(number) = number {
            self.inside.push(number);
        }
        let body = Box::new(self.disjunction()?);
        if !self.eat(')') {
            self.at = start;
            return Err(self.error("Unterminated group"));
        }
        if number.is_some() {
            self.inside.pop();
        }
        if named.is_some_and(|name| !self.closed.insert(name)) {
            self.at = start;
            return Err(self.error("Duplicate capture group name"));
        }
        Ok(match (number, look) {
            (Some(number), _) => Node::Group(number, body),
            (None, Some((ahead, negative))) => Node::Look {
                ahead,
                negative,
                body,
            },
            (None, None) => *body,
        })
    }

    fn open_group(&mut self) -> Parsed<u32> {
        if self.opened >= MAX_GROUPS {
            return Err(self.error("Too many captures"));
        }
        self.opened += 1;
        Ok(self.opened - 1)
    }

    // ---- Quantifiers -----------------------------------------------------------------------------

    /// Adds an atom with the quantifier that follows it. `groups`: how many there were in front of it.
    fn quantified(
        &mut self,
        atom: Node,
        groups: u32,
        start: usize,
        parts: &mut Vec<Node>,
    ) -> Parsed<()> {
        let (min, max, width) = match self.ahead(0).and_then(char::from_u32) {
            Some('*') => (0, INFINITE, 1),
            Some('+') => (1, INFINITE, 1),
            Some('?') => (0, 1, 1),
            Some('{') => match self.interval() {
                Some((min, max, _)) if max < min => {
                    return Err(self.error("numbers out of order in {} quantifier"));
                }
                Some(interval) => interval,
                None if self.unicode => return Err(self.error("Incomplete quantifier")),
                None => {
                    parts.push(atom);
                    return Ok(());
                }
            },
            _ => {
                parts.push(atom);
                return Ok(());
            }
        };
        self.at += width;
        let greedy = !self.eat('?');
        // A look is an atom only for the sake of old patterns. A group around it makes it one.
        let is_group = self.units.get(start..start + 3) == Some(&[40, 63, 58]);
        if let Node::Look { ahead, .. } = atom
            && !is_group
            && (self.unicode || !ahead)
        {
            return Err(self.error("Invalid quantifier"));
        }
        parts.push(Node::Repeat {
            body: Box::new(atom),
            min,
            max,
            greedy,
            groups: (groups, self.opened),
        });
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}` at this place: the numbers, and how many units it takes.
    fn interval(&self) -> Option<(u32, u32, usize)> {
        let mut at = self.at + 1;
        let min = self.number(&mut at)?;
        let is = |at: usize, character: char| {
            self.units.get(at).map(|unit| u32::from(*unit)) == Some(unit(character))
        };
        let max = if is(at, ',') {
            at += 1;
            if is(at, '}') {
                INFINITE
            } else {
                self.number(&mut at)?
            }
        } else {
            min
        };
        is(at, '}').then_some((min, max, at + 1 - self.at))
    }

    /// A number; a large one is as good as infinite.
    fn number(&self, at: &mut usize) -> Option<u32> {
        let mut number = None;
        while let Some(digit) = self
            .units
            .get(*at)
            .and_then(|unit| char::from_u32(u32::from(*unit)))
            .and_then(|character| character.to_digit(10))
        {
            let before = u64::from(number.unwrap_or(0));
            number = Some((before * 10 + u64::from(digit)).min(u64::from(INFINITE)) as u32);
            *at += 1;
        }
        number
    }
}

/// A code point of two surrogates.
fn join(first: u16, second: u16) -> u32 {
    0x1_0000 + ((u32::from(first) & 0x3FF) << 10) + (u32::from(second) & 0x3FF)
}
