//! Which function of a program is which of another one, and whether a run may go on in the other.
//!
//! A function is known by where it is made: the closure that the same instruction of the same function makes is the same one. What a
//! run may have executed must be the same in both (`lockstep`): suspended functions as far as they have come in the order of the text, and whatever
//! they may have called on the way from beginning to end. What they have only declared and never touched may be another. Knows no
//! saves (`snapshot::transfer`).

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::lockstep::{self, Pairs, Parting, Twins};
use super::{Capture, Func, Program};
use crate::op::Op;

/// Why a run of a program cannot go on in another one, and where they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is different.
    pub what: String,
    /// `file:line:column` in the program that it runs.
    pub old: Option<String>,
    /// `file:line:column` in the other.
    pub new: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, " ({old}, there {new})"),
            (Some(one), None) | (None, Some(one)) => write!(f, " ({one})"),
            (None, None) => Ok(()),
        }
    }
}

/// What a function of the old program is in the new one.
#[derive(Clone, Debug)]
pub(crate) struct Twin {
    /// Its number there.
    pub(crate) number: u32,
    /// For each variable that it captures there, which one of those that it captures here.
    pub(crate) captures: Vec<Option<u32>>,
}

/// Two programs, of which a run is to leave one for the other.
pub(crate) struct Kinship<'a> {
    old: &'a Program,
    new: &'a Program,
    /// Of the functions of the old one: the instruction that makes a closure of it.
    makers: Vec<Option<(u32, u32)>>,
    known: HashMap<u32, Result<Twin, Refusal>>,
}

impl<'a> Kinship<'a> {
    pub(crate) fn new(old: &'a Program, new: &'a Program) -> Self {
        let mut makers = vec![None; old.functions.len()];
        let mut twice = Vec::new();
        for (number, function) in (0u32..).zip(&old.functions) {
            for (pc, op) in (0u32..).zip(&function.code) {
                if let Op::Closure(made) = op
                    && let Some(maker) = makers.get_mut(*made as usize)
                    && maker.replace((number, pc)).is_some()
                {
                    twice.push(*made);
                }
            }
        }
        for made in twice {
            makers[made as usize] = None;
        }
        let main = Twin {
            number: 0,
            captures: Vec::new(),
        };
        Self {
            old,
            new,
            makers,
            known: HashMap::from([(0, Ok(main))]),
        }
    }

    /// What a function is in the new program.
    pub(crate) fn twin(&mut self, function: u32) -> Result<Twin, Refusal> {
        let mut path = vec![function];
        while let Some(last) = path.last().copied() {
            if let Some(known) = self.known.get(&last) {
                if path.len() == 1 {
                    return known.clone();
                }
                path.pop();
                continue;
            }
            // A function is numbered before those that it makes.
            let maker = self.makers.get(last as usize).copied().flatten();
            let Some((maker, pc)) = maker.filter(|(maker, _)| *maker < last) else {
                let refusal = self.nowhere(last, "it is not known where the function is made");
                self.known.insert(last, Err(refusal));
                continue;
            };
            match self.known.get(&maker).cloned() {
                None => path.push(maker),
                Some(of_maker) => {
                    let twin = of_maker.and_then(|of_maker| self.made(last, maker, pc, &of_maker));
                    self.known.insert(last, twin);
                }
            }
        }
        Err(self.nowhere(function, "it is not known where the function is made"))
    }

    /// What the closure is that an instruction makes.
    fn made(&self, function: u32, maker: u32, pc: u32, of_maker: &Twin) -> Result<Twin, Refusal> {
        let pairs = self.until(maker, of_maker, pc)?;
        let there = &self.new.functions[of_maker.number as usize];
        let Some(Op::Closure(number)) = there.code.get(pc as usize).copied() else {
            return Err(self.nowhere(function, lockstep::CODE));
        };
        let captured = &self.old.functions[function as usize].captures;
        let captures = self.new.functions[number as usize].captures.iter();
        let captures = captures.map(|there| {
            let at = captured.iter().position(|here| match (here, there) {
                (Capture::Local(here), Capture::Local(there)) => pairs.holds(*here, *there),
                (Capture::Outer(here), Capture::Outer(there)) => {
                    let outer = of_maker.captures.get(*there as usize).copied().flatten();
                    outer == Some(*here)
                }
                _ => false,
            })?;
            u32::try_from(at).ok()
        });
        Ok(Twin {
            number,
            captures: captures.collect(),
        })
    }

    /// Whether a function is the same up to an instruction; which slots hold the same in front of it.
    pub(crate) fn until(&self, function: u32, twin: &Twin, last: u32) -> Result<Pairs, Refusal> {
        let twins = self.twins(function, twin);
        twins
            .until(last)
            .map_err(|parting| self.refusal(function, twin, &parting))
    }

    fn twins<'b>(&'b self, function: u32, twin: &'b Twin) -> Twins<'b> {
        Twins {
            programs: (self.old, self.new),
            old: &self.old.functions[function as usize],
            new: &self.new.functions[twin.number as usize],
            captures: &twin.captures,
        }
    }

    /// Whether all that may have been executed is the same, by functions that are suspended: how far each has come.
    pub(crate) fn executed(&mut self, suspended: &HashMap<u32, u32>) -> Result<(), Refusal> {
        let mut order: Vec<(u32, Option<u32>)> = Executed::of(self.old, suspended, &self.makers);
        // The outer ones first: what is said is then of the first line that differs.
        order.sort_unstable();
        for (function, last) in order {
            let twin = self.twin(function)?;
            match last {
                Some(last) => {
                    self.until(function, &twin, last)?;
                }
                None => {
                    let twins = self.twins(function, &twin);
                    twins
                        .entirely()
                        .map_err(|parting| self.refusal(function, &twin, &parting))?;
                }
            }
        }
        Ok(())
    }

    fn nowhere(&self, function: u32, what: &str) -> Refusal {
        let func = self.old.functions.get(function as usize);
        Refusal {
            what: what.to_owned(),
            old: func.map(|func| place(self.old, func, 0)),
            new: None,
        }
    }

    /// What is said of two functions that part.
    fn refusal(&self, function: u32, twin: &Twin, parting: &Parting) -> Refusal {
        let mut what = parting.what.to_owned();
        // A function that is declared in one of them stands elsewhere than where it is made.
        let mut of = |program: &Program, func: &Func| {
            let made = match func.code.get(parting.pc as usize) {
                Some(Op::Closure(made)) => program.functions.get(*made as usize),
                _ => None,
            };
            match made {
                Some(made) => {
                    if !made.name.is_empty() && !what.contains('"') {
                        what = format!("{what}: \"{}\"", made.name);
                    }
                    place(program, made, 0)
                }
                None => place(program, func, parting.pc),
            }
        };
        let new = of(self.new, &self.new.functions[twin.number as usize]);
        let old = of(self.old, &self.old.functions[function as usize]);
        Refusal {
            what,
            old: Some(old),
            new: Some(new),
        }
    }
}

/// `file:line:column` of an instruction; behind the last one, of that.
pub(crate) fn place(program: &Program, func: &Func, pc: u32) -> String {
    let (line, column) = func.position(pc);
    format!("{}:{line}:{column}", program.file)
}

/// A variable, by the function in whose slot it is.
type Variable = (u32, u32);

/// What may have been executed.
struct Executed<'a> {
    program: &'a Program,
    makers: &'a [Option<(u32, u32)>],
    suspended: &'a HashMap<u32, u32>,
    found: HashMap<u32, Option<u32>>,
    todo: Vec<u32>,
    /// Variables whose values may have been looked at.
    read: HashSet<Variable>,
    /// Closures that were put into a variable as soon as they were made.
    kept: HashMap<Variable, Vec<u32>>,
}

impl<'a> Executed<'a> {
    /// Functions, and up to where; none: all of it.
    fn of(
        program: &'a Program,
        suspended: &'a HashMap<u32, u32>,
        makers: &'a [Option<(u32, u32)>],
    ) -> Vec<(u32, Option<u32>)> {
        let mut this = Self {
            program,
            makers,
            suspended,
            found: HashMap::new(),
            todo: Vec::new(),
            read: HashSet::new(),
            kept: HashMap::new(),
        };
        this.runs(0);
        suspended.keys().for_each(|function| this.runs(*function));
        while let Some(function) = this.todo.pop() {
            this.function(function);
        }
        this.found.into_iter().collect()
    }

    fn runs(&mut self, function: u32) {
        let last = self.suspended.get(&function).copied();
        if self.found.insert(function, last).is_none() {
            self.todo.push(function);
        }
    }

    fn function(&mut self, number: u32) {
        let Some(function) = self.program.functions.get(number as usize) else {
            return;
        };
        for index in 0..function.captures.len() as u32 {
            if let Some(variable) = self.captured(number, index) {
                self.reads(variable);
            }
        }
        let end = match self.suspended.get(&number) {
            Some(last) => function.code.len().min(*last as usize + 1),
            None => function.code.len(),
        };
        for (pc, op) in function.code[..end].iter().enumerate() {
            match op {
                Op::Closure(made) => match function.code.get(pc + 1) {
                    Some(Op::StoreLocal(slot) | Op::StoreVar(slot)) => {
                        let variable = (number, *slot);
                        self.kept.entry(variable).or_default().push(*made);
                        if self.read.contains(&variable) {
                            self.runs(*made);
                        }
                    }
                    _ => self.runs(*made),
                },
                // Writing into a variable says nothing of what was in it.
                Op::StoreVar(_) => {}
                op => {
                    if let Some(slot) = lockstep::read(*op) {
                        self.reads((number, slot));
                    }
                }
            }
        }
    }

    fn reads(&mut self, variable: Variable) {
        if self.read.insert(variable) {
            for made in self.kept.get(&variable).cloned().unwrap_or_default() {
                self.runs(made);
            }
        }
    }

    /// The variable that a function captures.
    fn captured(&self, mut function: u32, mut index: u32) -> Option<Variable> {
        loop {
            let func = self.program.functions.get(function as usize)?;
            let capture = func.captures.get(index as usize)?;
            let (maker, _) = self.makers.get(function as usize).copied().flatten()?;
            if maker >= function {
                return None;
            }
            match capture {
                Capture::Local(slot) => return Some((maker, *slot)),
                Capture::Outer(outer) => (function, index) = (maker, *outer),
            }
        }
    }
}
