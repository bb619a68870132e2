//! The machine: tries, and goes back to the last choice when it fails. Choices, and the registers to restore with them,
//! are on a stack of its own, so the Rust stack stays as it is whatever the pattern and the text.
//!
//! Each instruction, each character and each step back costs one. What a program costs is told to the budget every few
//! thousand steps, and what the stack takes before it grows.

use super::case;
use super::program::{Inst, Program, Run};
use super::set::Set;

/// Pays for the machine.
pub trait Budget {
    /// Why it may go no further.
    type Error;

    /// Pays for some steps.
    ///
    /// # Errors
    /// When there are too many of them.
    fn spend(&mut self, steps: usize) -> Result<(), Self::Error>;

    /// Pays for memory.
    ///
    /// # Errors
    /// When it is too much.
    fn grow(&mut self, bytes: usize) -> Result<(), Self::Error>;
}

/// A register that holds nothing.
const NONE: u32 = u32::MAX;
/// Steps between two looks at the budget.
const CHUNK: usize = 4096;
/// The room for choices that nobody pays for.
const FREE: usize = 1 << 10;
/// The room for choices that is kept for the next match.
const KEPT: usize = 1 << 16;

/// Something to do when the machine fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// Goes on at `pc`.
    Choice { pc: u32, at: u32 },
    /// Restores a register, and fails again.
    Restore { register: u32, old: u32 },
    /// Gives a character of a repeated set back, down to `low`.
    Less { pc: u32, low: u32, at: u32 },
    /// Takes one more character of a repeated set.
    More { pc: u32, at: u32, left: u32 },
}

/// What the machine works with, to be used again for the next text.
#[derive(Debug, Default)]
pub struct Scratch {
    registers: Vec<u32>,
    pub(super) stack: Vec<Entry>,
    /// Entries that were paid for.
    paid: usize,
}

impl Scratch {
    /// Gives the room for choices back if it is large. It stays paid for: the next match may take as much.
    pub fn trim(&mut self) {
        if self.stack.capacity() > KEPT {
            self.stack = Vec::new();
        }
    }

    /// Where a group of the last match begins and ends; none if it took no part.
    #[must_use]
    pub fn group(&self, group: u32) -> Option<(usize, usize)> {
        let at = group as usize * 2;
        match self.registers.get(at..at + 2) {
            Some([start, end]) if *start != NONE && *end != NONE => {
                Some((*start as usize, *end as usize))
            }
            _ => None,
        }
    }
}

impl Program {
    /// Looks for a match from a unit on; with `sticky` at that one alone. The groups are in `scratch` then.
    ///
    /// # Errors
    /// When the budget is used up.
    pub fn exec<B: Budget>(
        &self,
        text: &[u16],
        from: usize,
        sticky: bool,
        scratch: &mut Scratch,
        budget: &mut B,
    ) -> Result<bool, B::Error> {
        let mut from = from;
        // A code point that is begun in its middle begins earlier.
        if self.unicode && from > 0 && is_pair(text, from - 1) {
            from -= 1;
        }
        let mut steps = 0;
        while from <= text.len() {
            if !sticky && let Some(first) = self.first {
                let rest = text[from..].iter();
                let gap = rest.take_while(|unit| !first.has(**unit)).count();
                steps += gap / 8;
                from += gap;
                if from >= text.len() {
                    break;
                }
            }
            steps += self.registers as usize / 16;
            scratch.registers.clear();
            scratch.registers.resize(self.registers as usize, NONE);
            scratch.stack.clear();
            let mut machine = Machine {
                program: self,
                text,
                at: from,
                registers: &mut scratch.registers,
                stack: &mut scratch.stack,
                paid: &mut scratch.paid,
                steps,
                budget,
            };
            let end = machine.run()?;
            steps = machine.steps;
            if let Some(end) = end {
                budget.spend(steps)?;
                scratch.registers[0] = from as u32;
                scratch.registers[1] = end as u32;
                return Ok(true);
            }
            if sticky {
                break;
            }
            // Also into the middle of a code point, where V8 finds what uses up nothing.
            from += 1;
        }
        budget.spend(steps)?;
        Ok(false)
    }
}

/// Whether two surrogates that belong together begin here.
fn is_pair(text: &[u16], at: usize) -> bool {
    matches!(
        text.get(at..at + 2),
        Some([0xD800..=0xDBFF, 0xDC00..=0xDFFF])
    )
}

struct Machine<'a, B> {
    program: &'a Program,
    text: &'a [u16],
    at: usize,
    registers: &'a mut Vec<u32>,
    stack: &'a mut Vec<Entry>,
    paid: &'a mut usize,
    /// Steps that nobody paid for yet.
    steps: usize,
    budget: &'a mut B,
}

impl<B: Budget> Machine<'_, B> {
    /// Runs from the current position; gives the end of the match.
    fn run(&mut self) -> Result<Option<usize>, B::Error> {
        let mut pc = 0usize;
        loop {
            self.steps += 1;
            if self.steps >= CHUNK {
                self.budget.spend(std::mem::take(&mut self.steps))?;
            }
            if matches!(self.program.code[pc], Inst::Match) {
                return Ok(Some(self.at));
            }
            match self.step(pc)? {
                Some(next) => pc = next,
                None => match self.fail()? {
                    Some(next) => pc = next,
                    None => return Ok(None),
                },
            }
        }
    }

    /// One instruction; the next one, or none if it fails.
    #[inline]
    fn step(&mut self, pc: usize) -> Result<Option<usize>, B::Error> {
        let fits = match self.program.code[pc] {
            Inst::Match => true,
            Inst::Char { point, back } => self.take(back, |read| read == point),
            Inst::Set { set, back } => {
                let set = &self.program.sets[set as usize];
                self.take(back, |read| set.has(read))
            }
            Inst::Run(number) => return self.repeat(pc, number),
            Inst::TextStart => self.at == 0,
            Inst::TextEnd => self.at == self.text.len(),
            Inst::LineStart => self.at == 0 || is_line_break(self.text[self.at - 1]),
            Inst::LineEnd => self.text.get(self.at).copied().is_none_or(is_line_break),
            Inst::Boundary { negative } => {
                let before = self.at > 0 && self.is_word(self.at - 1);
                let behind = self.is_word(self.at);
                (before != behind) != negative
            }
            Inst::Try { other } => {
                let at = self.at as u32;
                self.push(Entry::Choice { pc: other, at })?;
                true
            }
            Inst::Jump { to } => return Ok(Some(to as usize)),
            Inst::Mark { register } => {
                self.set(register, self.at as u32)?;
                true
            }
            Inst::Turn { register } => {
                let height = self.stack.len() as u32;
                self.set(register, self.at as u32)?;
                self.set(register + 1, height)?;
                true
            }
            Inst::Clear { from, to } => {
                self.steps += (to - from) as usize / 4;
                for register in from..to {
                    if self.registers[register as usize] != NONE {
                        self.set(register, NONE)?;
                    }
                }
                true
            }
            Inst::Zero { register } => {
                self.set(register, 0)?;
                true
            }
            Inst::Loop(number) => return self.head(pc, number),
            Inst::Next(number) => return self.next(number),
            Inst::Moved { register } => self.registers[register as usize] != self.at as u32,
            // With the flag `u` V8 lets none end in the middle of a code point.
            Inst::Back { group, back } => {
                self.same(group, back)
                    && !(self.program.unicode && self.at > 0 && is_pair(self.text, self.at - 1))
            }
            Inst::Look {
                register,
                negative,
                end,
            } => {
                self.registers[register as usize] = self.stack.len() as u32;
                self.registers[register as usize + 1] = self.at as u32;
                if negative {
                    let at = self.at as u32;
                    self.push(Entry::Choice { pc: end, at })?;
                }
                true
            }
            Inst::Seen { register } => {
                self.at = self.registers[register as usize + 1] as usize;
                self.forget_choices(self.registers[register as usize] as usize);
                true
            }
            Inst::Unwanted { register } => {
                let floor = self.registers[register as usize] as usize;
                while self.stack.len() > floor {
                    self.steps += 1;
                    if let Some(Entry::Restore { register, old }) = self.stack.pop() {
                        self.registers[register as usize] = old;
                    }
                }
                false
            }
        };
        Ok(fits.then_some(pc + 1))
    }

    /// The instruction of the last choice, with its position and registers.
    fn fail(&mut self) -> Result<Option<usize>, B::Error> {
        while let Some(entry) = self.stack.pop() {
            self.steps += 1;
            match entry {
                Entry::Choice { pc, at } => {
                    self.at = at as usize;
                    return Ok(Some(pc as usize));
                }
                Entry::Restore { register, old } => self.registers[register as usize] = old,
                Entry::Less { pc, low, at } => {
                    self.at = at as usize;
                    let back = self.run_of(pc).back;
                    self.skip(!back);
                    if self.at != low as usize {
                        let at = self.at as u32;
                        self.push(Entry::Less { pc, low, at })?;
                    }
                    return Ok(Some(pc as usize + 1));
                }
                Entry::More { pc, at, left } => {
                    self.at = at as usize;
                    let run = self.run_of(pc);
                    let set = &self.program.sets[run.set as usize];
                    if self.take(run.back, |read| set.has(read)) {
                        if left > 1 {
                            let (at, left) = (self.at as u32, left - 1);
                            self.push(Entry::More { pc, at, left })?;
                        }
                        return Ok(Some(pc as usize + 1));
                    }
                }
            }
        }
        Ok(None)
    }

    fn run_of(&self, pc: u32) -> Run {
        match self.program.code[pc as usize] {
            Inst::Run(number) => self.program.runs[number as usize],
            // Only runs make entries of their kind.
            _ => self.program.runs[0],
        }
    }

    // ---- Registers and choices -------------------------------------------------------------------

    fn push(&mut self, entry: Entry) -> Result<(), B::Error> {
        if self.stack.len() == self.stack.capacity() {
            let more = self.stack.len().max(64);
            let whole = self.stack.len() + more;
            if whole > FREE.max(*self.paid) {
                let bytes = (whole - *self.paid) * size_of::<Entry>();
                self.budget.grow(bytes)?;
                *self.paid = whole;
            }
            self.stack.reserve_exact(more);
        }
        self.stack.push(entry);
        Ok(())
    }

    /// Sets a register, and remembers what it held.
    fn set(&mut self, register: u32, value: u32) -> Result<(), B::Error> {
        let old = std::mem::replace(&mut self.registers[register as usize], value);
        // Without a choice there is nothing to go back to.
        if self.stack.is_empty() {
            return Ok(());
        }
        self.push(Entry::Restore { register, old })
    }

    /// Takes the choices above a height away; registers are still restored.
    fn forget_choices(&mut self, floor: usize) {
        let mut kept = floor;
        for at in floor..self.stack.len() {
            if let restore @ Entry::Restore { .. } = self.stack[at] {
                self.stack[kept] = restore;
                kept += 1;
            }
        }
        self.steps += self.stack.len() - floor;
        self.stack.truncate(kept);
    }

    // ---- Reading ---------------------------------------------------------------------------------

    /// The character behind or in front of the position, and where it ends. In the middle of a code point there is none.
    #[inline]
    fn read(&self, at: usize, back: bool) -> Option<(u32, usize)> {
        if self.program.unicode && at > 0 && is_pair(self.text, at - 1) {
            return None;
        }
        if back {
            let unit = *self.text.get(at.checked_sub(1)?)?;
            if self.program.unicode && at > 1 && is_pair(self.text, at - 2) {
                return Some((join(self.text[at - 2], unit), at - 2));
            }
            return Some((u32::from(unit), at - 1));
        }
        let unit = *self.text.get(at)?;
        if self.program.unicode && is_pair(self.text, at) {
            return Some((join(unit, self.text[at + 1]), at + 2));
        }
        Some((u32::from(unit), at + 1))
    }

    /// Uses up one character, if it fits.
    #[inline]
    fn take(&mut self, back: bool, fits: impl Fn(u32) -> bool) -> bool {
        match self.read(self.at, back) {
            Some((point, behind)) if fits(point) => {
                self.at = behind;
                true
            }
            _ => false,
        }
    }

    /// Moves over one character.
    fn skip(&mut self, back: bool) {
        if let Some((_, behind)) = self.read(self.at, back) {
            self.at = behind;
        }
    }

    fn is_word(&self, at: usize) -> bool {
        match self.text.get(at) {
            Some(unit) if *unit < 0x80 => {
                let byte = *unit as u8;
                byte.is_ascii_alphanumeric() || byte == b'_'
            }
            Some(0x17F | 0x212A) => self.program.unicode && self.program.ignore_case,
            _ => false,
        }
    }

    /// What a group matched, again; a group that took no part fits everywhere.
    fn same(&mut self, group: u32, back: bool) -> bool {
        let at = group as usize * 2;
        let (start, end) = (self.registers[at], self.registers[at + 1]);
        if start == NONE || end == NONE {
            return true;
        }
        let (mut from, mut to) = (start as usize, end as usize);
        self.steps += to.saturating_sub(from) / 4;
        let (unicode, ignore_case) = (self.program.unicode, self.program.ignore_case);
        let mut at = self.at;
        while from < to {
            let wanted = self.read(if back { to } else { from }, back);
            let found = self.read(at, back);
            let (Some((wanted, next)), Some((found, behind))) = (wanted, found) else {
                return false;
            };
            let same = wanted == found || (ignore_case && case::same(wanted, found, unicode));
            if !same {
                return false;
            }
            if back {
                to = next;
            } else {
                from = next;
            }
            at = behind;
        }
        self.at = at;
        true
    }

    // ---- Loops -----------------------------------------------------------------------------------

    /// A repeated set takes all it can or all it must, and leaves one entry for everything else.
    fn repeat(&mut self, pc: usize, number: u32) -> Result<Option<usize>, B::Error> {
        let run = self.program.runs[number as usize];
        let set: &Set = &self.program.sets[run.set as usize];
        let wanted = if run.greedy { run.max } else { run.min };
        let (mut count, mut low) = (0, self.at);
        while count < wanted {
            if count == run.min {
                low = self.at;
            }
            if !self.take(run.back, |read| set.has(read)) {
                break;
            }
            count += 1;
        }
        self.steps += count as usize / 4;
        if count < run.min {
            return Ok(None);
        }
        let at = self.at as u32;
        let pc = pc as u32;
        if run.greedy {
            if count > run.min {
                let low = low as u32;
                self.push(Entry::Less { pc, low, at })?;
            }
        } else if run.max > run.min {
            let left = run.max - run.min;
            self.push(Entry::More { pc, at, left })?;
        }
        Ok(Some(pc as usize + 1))
    }

    /// The end of a turn of a counted loop.
    fn next(&mut self, number: u32) -> Result<Option<usize>, B::Error> {
        let counted = self.program.loops[number as usize];
        let count = self.registers[counted.counter as usize];
        let mut count = count.saturating_add(1);
        if let Some(mark) = counted.mark {
            // That the turn has come to its end stays known when the machine goes back into it.
            let height = std::mem::replace(&mut self.registers[mark as usize + 1], NONE);
            if self.registers[mark as usize] == self.at as u32 {
                if count > counted.min {
                    return Ok(None);
                }
                let is_first_end = height != NONE;
                if is_first_end && count < counted.min && !self.has_choice_above(height as usize) {
                    // All other ways failed within the turn, and this one led back: all turns that must be done are like it.
                    count = counted.min;
                }
            }
        }
        self.set(counted.counter, count)?;
        Ok(Some(counted.head as usize))
    }

    fn has_choice_above(&mut self, height: usize) -> bool {
        let above = self.stack.get(height..).unwrap_or_default();
        let restored = above.iter().rev();
        let restored = restored.take_while(|entry| matches!(entry, Entry::Restore { .. }));
        let restored = restored.count();
        self.steps += restored / 4;
        restored < above.len()
    }

    /// Decides whether a counted loop does another turn.
    fn head(&mut self, pc: usize, number: u32) -> Result<Option<usize>, B::Error> {
        let counted = self.program.loops[number as usize];
        let count = self.registers[counted.counter as usize];
        let (body, exit) = (pc + 1, counted.exit as usize);
        if count >= counted.max {
            return Ok(Some(exit));
        }
        let at = self.at as u32;
        let optional = count >= counted.min;
        if optional && !counted.greedy {
            self.push(Entry::Choice {
                pc: body as u32,
                at,
            })?;
            return Ok(Some(exit));
        }
        if optional {
            self.push(Entry::Choice {
                pc: exit as u32,
                at,
            })?;
        }
        Ok(Some(body))
    }
}

fn is_line_break(unit: u16) -> bool {
    matches!(unit, 0x0A | 0x0D | 0x2028 | 0x2029)
}

fn join(first: u16, second: u16) -> u32 {
    0x1_0000 + ((u32::from(first) & 0x3FF) << 10) + (u32::from(second) & 0x3FF)
}
