//! A pattern as a tree. Its height is bounded by the parser, so passes over it may recurse.

use std::rc::Rc;

use super::set::Ranges;

/// A part of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Fits everywhere.
    Empty,
    /// One unit or code point.
    Char(u32),
    /// One of these.
    Set(Rc<Ranges>),
    /// One behind the other.
    Sequence(Vec<Self>),
    /// The first that fits.
    Either(Vec<Self>),
    /// `(…)`
    Group(u32, Box<Self>),
    /// `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)`
    Look {
        ahead: bool,
        negative: bool,
        body: Box<Self>,
    },
    /// `\1`, `\k<name>`
    Back(u32),
    /// `^`
    Start,
    /// `$`
    End,
    /// `\b`, or `\B`
    Boundary { negative: bool },
    /// `x*`, `x+?`, `x{2,3}`
    Repeat {
        body: Box<Self>,
        min: u32,
        max: u32,
        greedy: bool,
        /// The groups inside of it: from … to, without the latter.
        groups: (u32, u32),
    },
}

/// As many as it likes.
pub(super) const INFINITE: u32 = 0x7FFF_FFFF;

impl Node {
    /// Whether it never uses up a character, whatever the text. What was captured in front of it may be anything.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Char(_) | Self::Set(_) | Self::Back(_) => false,
            Self::Empty | Self::Look { .. } | Self::Start | Self::End | Self::Boundary { .. } => {
                true
            }
            Self::Sequence(parts) | Self::Either(parts) => parts.iter().all(Self::is_empty),
            Self::Group(_, body) => body.is_empty(),
            Self::Repeat { body, max, .. } => *max == 0 || body.is_empty(),
        }
    }

    /// Whether it may fit without using up a character.
    pub(super) fn may_be_empty(&self) -> bool {
        match self {
            Self::Char(_) | Self::Set(_) => false,
            Self::Empty
            | Self::Look { .. }
            | Self::Back(_)
            | Self::Start
            | Self::End
            | Self::Boundary { .. } => true,
            Self::Sequence(parts) => parts.iter().all(Self::may_be_empty),
            Self::Either(parts) => parts.iter().any(Self::may_be_empty),
            Self::Group(_, body) => body.may_be_empty(),
            Self::Repeat { body, min, .. } => *min == 0 || body.may_be_empty(),
        }
    }
}

/// A pattern with its groups.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Node,
    /// How many groups there are, the whole match included.
    pub(super) groups: u32,
    /// The names of groups, in their order.
    pub(super) names: Vec<(Box<[u16]>, u32)>,
    /// What making it cost, in characters and ranges.
    pub(super) cost: usize,
}
