//! Regular expressions as values, and the results of their matches: arrays with a few names beside their elements.

use std::collections::HashMap;
use std::rc::Rc;

use super::heap::Array;
use super::object::Props;
use super::{Body, Heap, Ref, Value};
use crate::regex::{self, Flags, PatternError, Program, Scratch};

/// A regular expression.
#[derive(Debug)]
pub struct Regex {
    /// The pattern, as `source` shows it.
    pub source: Ref,
    /// The flags.
    pub flags: Flags,
    /// Where the next match is looked for; whatever the program put there.
    pub last_index: Value,
    /// The compiled pattern.
    pub program: Rc<Program>,
}

/// Programs of patterns that were used lately: a literal in a loop is compiled once.
#[derive(Debug, Default)]
pub(crate) struct Regexes {
    programs: HashMap<(Rc<[u16]>, Flags), Rc<Program>>,
    /// Whether all are kept, whatever they take.
    all: bool,
    /// What the machine works with.
    pub(crate) scratch: Scratch,
}

/// How many programs are kept, and how large one may be with its pattern: what is kept is not counted as heap.
const KEPT: usize = 64;
const SMALL: usize = 32 << 10;

impl Regexes {
    /// One that forgets nothing: what shares a program still does after a save was loaded.
    pub(crate) fn that_keep_all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// The program of a pattern, and whether it had to be made.
    ///
    /// # Errors
    /// When the pattern is wrong.
    pub(crate) fn program(
        &mut self,
        pattern: &Rc<[u16]>,
        flags: Flags,
    ) -> Result<(Rc<Program>, bool), PatternError> {
        let key = (Rc::clone(pattern), flags);
        if let Some(known) = self.programs.get(&key) {
            return Ok((Rc::clone(known), false));
        }
        let made = Rc::new(regex::compile(pattern, flags)?);
        if self.all || made.bytes() + pattern.len() * 2 <= SMALL {
            if !self.all && self.programs.len() >= KEPT {
                self.programs.clear();
            }
            self.programs.insert(key, Rc::clone(&made));
        }
        Ok((made, true))
    }
}

impl Heap {
    /// Makes the result of a match.
    pub fn match_array(&mut self, items: Vec<Value>, names: Props) -> Value {
        let array = Array {
            items,
            names: Some(Box::new(names)),
        };
        Value::Object(self.alloc(Body::Array(array)))
    }

    /// A regular expression, if a value is one.
    #[must_use]
    pub fn regex(&self, value: Value) -> Option<&Regex> {
        match value {
            Value::Object(at) => match self.body(at) {
                Body::Regex(regex) => Some(regex),
                _ => None,
            },
            _ => None,
        }
    }

    /// Sets where the next match is looked for.
    pub fn set_last_index(&mut self, value: Value, last_index: Value) {
        if let Value::Object(at) = value
            && let Body::Regex(regex) = self.body_mut(at)
        {
            regex.last_index = last_index;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::Regexes;
    use crate::regex::Flags;

    #[test]
    fn long_patterns_are_kept_only_while_a_save_is_loaded() {
        let pattern = |times| -> Rc<[u16]> { "(?:)".repeat(times).encode_utf16().collect() };
        let made = |regexes: &mut Regexes, times| {
            let found = regexes.program(&pattern(times), Flags::default());
            found.expect("a pattern").1
        };
        let mut some = Regexes::default();
        assert!(made(&mut some, 1000) && !made(&mut some, 1000));
        assert!(made(&mut some, 16000) && made(&mut some, 16000));
        let mut all = Regexes::that_keep_all();
        assert!(made(&mut all, 16000) && !made(&mut all, 16000));
    }
}
