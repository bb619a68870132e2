//! A compiled pattern.

use super::first::First;
use super::set::Set;

/// An instruction of the machine. `back`: reads the character in front instead of the one behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inst {
    /// The whole pattern fits.
    Match,
    /// One unit or code point.
    Char { point: u32, back: bool },
    /// One of a set.
    Set { set: u32, back: bool },
    /// A repeated set, by its number.
    Run(u32),
    /// The start of the text.
    TextStart,
    /// The end of the text.
    TextEnd,
    /// The start of a line.
    LineStart,
    /// The end of a line.
    LineEnd,
    /// Between a word and something else, or not.
    Boundary { negative: bool },
    /// Goes on at the next instruction, or else at `other`.
    Try { other: u32 },
    /// Goes on elsewhere.
    Jump { to: u32 },
    /// Notes the position in a register.
    Mark { register: u32 },
    /// Notes the position in a register, and the height of the stack in the next one.
    Turn { register: u32 },
    /// Empties registers.
    Clear { from: u32, to: u32 },
    /// Begins to count.
    Zero { register: u32 },
    /// The head of a counted loop, by its number.
    Loop(u32),
    /// One more turn of a counted loop, by its number.
    Next(u32),
    /// Fails if the position is still the one of a register.
    Moved { register: u32 },
    /// What a group matched, again.
    Back { group: u32, back: bool },
    /// Begins to look around; two registers. `end` is where a negative one goes on.
    Look {
        register: u32,
        negative: bool,
        end: u32,
    },
    /// What was looked for is there.
    Seen { register: u32 },
    /// What must not be there is there.
    Unwanted { register: u32 },
}

/// A set that is repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) set: u32,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) greedy: bool,
    pub(super) back: bool,
}

/// A loop that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Counts the turns.
    pub(super) counter: u32,
    /// Where the turn began, if the body may be empty; the register behind it holds the height of the stack then.
    pub(super) mark: Option<u32>,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) greedy: bool,
    /// The head.
    pub(super) head: u32,
    /// Behind the loop.
    pub(super) exit: u32,
}

/// A pattern that can be run.
#[derive(Debug)]
pub struct Program {
    pub(super) code: Vec<Inst>,
    pub(super) sets: Vec<Set>,
    pub(super) runs: Vec<Run>,
    pub(super) loops: Vec<Counted>,
    /// The registers: two for each group, then those of loops and looks.
    pub(super) registers: u32,
    pub(super) groups: u32,
    pub(super) names: Vec<(Box<[u16]>, u32)>,
    pub(super) unicode: bool,
    pub(super) ignore_case: bool,
    /// What a match can begin with, if it cannot be empty.
    pub(super) first: Option<First>,
    pub(super) cost: usize,
}

impl Program {
    /// How many groups it has; the whole match is one.
    #[must_use]
    pub fn groups(&self) -> u32 {
        self.groups
    }

    /// The names of groups, in the order of the pattern.
    #[must_use]
    pub fn names(&self) -> &[(Box<[u16]>, u32)] {
        &self.names
    }

    /// What compiling it cost, in steps.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// What it takes in memory, roughly; or, if that is more, what it costs to make it again whenever a save is loaded:
    /// so the limit of the heap bounds that too.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let sets: usize = self.sets.iter().map(|set| 48 + set.size() * 8).sum();
        let names: usize = self.names.iter().map(|(name, _)| 24 + name.len() * 2).sum();
        let parts = self.code.len() * 16 + self.runs.len() * 16 + self.loops.len() * 32;
        (128 + parts + sets + names).max(self.cost)
    }
}
