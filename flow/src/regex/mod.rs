//! Regular expressions with JavaScript's syntax and meaning: from pattern to program, and a machine that
//! backtracks with a stack of its own. Works on UTF-16 units, with the flag `u` on code points.
//!
//! Knows no values, no heap and no VM: what matching costs is told to a `Budget`, which may end it.
//!
//! - `parse` → `tree`: patterns, with V8's words for what is wrong with them
//! - `set`, `unicode`, `property`, `case`: sets of characters, what Unicode calls them, what is the same without case
//! - `compile` → `program`: instructions; `first`: where a match may begin
//! - `run`: the machine

mod case;
mod compile;
mod first;
mod parse;
mod program;
mod property;
mod run;
mod set;
mod tree;
mod unicode;

pub use program::Program;
pub use run::{Budget, Scratch};

/// The flags of a regular expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// The letters, in the order in which `flags` lists them. Their places are part of saves.
    const LETTERS: &'static [u8] = b"dgimsuy";
    /// `d`: results have `indices`.
    pub const INDICES: Self = Self(1);
    /// `g`: goes on behind the last match.
    pub const GLOBAL: Self = Self(1 << 1);
    /// `i`: upper and lower case are the same.
    pub const IGNORE_CASE: Self = Self(1 << 2);
    /// `m`: `^` and `$` fit at line breaks.
    pub const MULTILINE: Self = Self(1 << 3);
    /// `s`: a dot fits line breaks.
    pub const DOT_ALL: Self = Self(1 << 4);
    /// `u`: characters are code points.
    pub const UNICODE: Self = Self(1 << 5);
    /// `y`: fits only where the last match ended.
    pub const STICKY: Self = Self(1 << 6);

    /// Whether it has a flag.
    #[must_use]
    pub fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// These flags and another one.
    #[must_use]
    pub fn with(self, flag: Self) -> Self {
        Self(self.0 | flag.0)
    }

    /// The flags of letters; none if one is unknown or stands there twice.
    #[must_use]
    pub fn of(letters: &[u16]) -> Option<Self> {
        let mut flags = Self::default();
        for letter in letters {
            let place = Self::LETTERS
                .iter()
                .position(|known| u16::from(*known) == *letter)?;
            let flag = Self(1 << place);
            if flags.has(flag) {
                return None;
            }
            flags = flags.with(flag);
        }
        Some(flags)
    }

    /// The letters, in the order of `flags`.
    #[must_use]
    pub fn text(self) -> String {
        let letters = Self::LETTERS.iter().enumerate();
        letters
            .filter(|(place, _)| self.has(Self(1 << *place)))
            .map(|(_, letter)| char::from(*letter))
            .collect()
    }

    /// The number that saves have.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The flags of a number in a save.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        (number < 1 << Self::LETTERS.len()).then_some(Self(number))
    }
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// V8's words, such as `Unterminated group`.
    pub message: &'static str,
    /// The unit of the pattern at which it was found.
    pub at: usize,
    /// What it cost to find it, in steps.
    pub cost: usize,
}

/// Makes a program of a pattern.
///
/// # Errors
/// When the pattern is not one of JavaScript, or is too large.
pub fn compile(pattern: &[u16], flags: Flags) -> Result<Program, PatternError> {
    let tree = parse::parse(pattern, flags)?;
    Ok(compile::compile(tree, flags))
}

#[cfg(test)]
mod tests;
