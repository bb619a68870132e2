//! Whether a part of a function does the same in two programs, and which slots then hold the same.
//!
//! The code from the beginning of a function up to an instruction, in the order of the text, must be the same but for numbers: of
//! slots, constants, captured variables and functions. While it is walked through in both programs at once, along all paths, it is
//! noted which slot of the new one holds what which slot of the old one holds. What comes behind that instruction may differ in any way, also where it
//! leads back: what was declared before still has its slots then, as the compiler gives a slot away only when its block ends.
//! Names, and the words of errors, may differ too. Knows nothing of saves (`snapshot::transfer`).

use std::collections::HashMap;

use super::{Const, Func, Handler, Program};
use crate::op::{Op, Operand};

/// So many steps of the comparison are never needed by what people write; a save must not keep a server busy.
const MOST_WORK: usize = 100_000_000;

/// What nothing was put into yet.
const UNDEFINED: u32 = 0;

/// Which slots of two frames hold the same: those with the same number, of which 0 is `undefined`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pairs {
    old: Vec<u32>,
    new: Vec<u32>,
    next: u32,
}

impl Pairs {
    /// Of two frames that begin: the arguments are the same, and all else is `undefined`.
    fn of_arguments(old: &Func, new: &Func) -> Self {
        let mut pairs = Self {
            old: vec![UNDEFINED; old.locals as usize],
            new: vec![UNDEFINED; new.locals as usize],
            next: 1,
        };
        for slot in 0..old.params + u32::from(old.rest) {
            pairs.set(slot, slot);
        }
        pairs
    }

    /// Whether they hold the same.
    pub(crate) fn holds(&self, old: u32, new: u32) -> bool {
        let value = self.new.get(new as usize);
        value.is_some() && self.old.get(old as usize) == value
    }

    /// Whether a slot of the new frame holds `undefined`.
    pub(crate) fn is_undefined(&self, new: u32) -> bool {
        self.new.get(new as usize) == Some(&UNDEFINED)
    }

    /// Of the first slots of the old frame, one that holds what this one of the new frame holds.
    pub(crate) fn old_of(&self, new: u32, live: u32) -> Option<u32> {
        let value = self.new.get(new as usize)?;
        let slots = self.old.iter().take(live as usize);
        let at = slots.into_iter().position(|slot| slot == value)?;
        u32::try_from(at).ok()
    }

    fn set(&mut self, old: u32, new: u32) {
        self.old[old as usize] = self.next;
        self.new[new as usize] = self.next;
        self.next += 1;
    }

    /// A frame that goes on behind an await has `undefined` in the slots that were dead.
    fn cut(&mut self, old_live: u32, new_live: u32) {
        self.old
            .iter_mut()
            .skip(old_live as usize)
            .for_each(|slot| *slot = UNDEFINED);
        self.new
            .iter_mut()
            .skip(new_live as usize)
            .for_each(|slot| *slot = UNDEFINED);
    }

    /// Keeps what holds in both; whether that is less.
    fn join(&mut self, other: &Self) -> bool {
        let mut numbers: HashMap<(u32, u32), u32> =
            HashMap::from([((UNDEFINED, UNDEFINED), UNDEFINED)]);
        let mut met = |slots: &[u32], others: &[u32]| -> Vec<u32> {
            let both = slots.iter().zip(others);
            both.map(|(slot, other)| {
                let next = numbers.len() as u32;
                *numbers.entry((*slot, *other)).or_insert(next)
            })
            .collect()
        };
        let (old, new) = (met(&self.old, &other.old), met(&self.new, &other.new));
        let mut before = self.clone();
        before.tidy();
        *self = Self {
            old,
            new,
            next: numbers.len() as u32,
        };
        self.tidy();
        (&self.old, &self.new) != (&before.old, &before.new)
    }

    /// Numbers in the order of the slots, so that equal ones can be told.
    fn tidy(&mut self) {
        let mut numbers: HashMap<u32, u32> = HashMap::from([(UNDEFINED, UNDEFINED)]);
        for slot in self.old.iter_mut().chain(&mut self.new) {
            let next = numbers.len() as u32;
            *slot = *numbers.entry(*slot).or_insert(next);
        }
        self.next = numbers.len() as u32;
    }
}

/// Where two functions part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    /// An instruction of both.
    pub(crate) pc: u32,
    /// What is said of it.
    pub(crate) what: &'static str,
}

/// What is said where the instructions are others.
pub(crate) const CODE: &str = "the code is not the same";
const JUMP: &str = "the code behind it begins elsewhere";
const SLOT: &str = "it means another variable";
const ARGUMENTS: &str = "the function has other parameters";
const CAPTURED: &str = "a variable is used by an inner function in one version and not in the other, and is kept in another way";
const EARLY: &str = "a variable may be used before its declaration in one version and not in the other, and is kept in another way";
const INNER: &str = "a function is declared in one version and not in the other";
const CATCH: &str = "errors are caught elsewhere";
const LARGE: &str = "the function is too large to be compared";

/// Two functions of two programs that are one and the same in what they are for.
pub(crate) struct Twins<'a> {
    /// The programs, for constants and names.
    pub(crate) programs: (&'a Program, &'a Program),
    /// The functions.
    pub(crate) old: &'a Func,
    /// The functions.
    pub(crate) new: &'a Func,
    /// For each captured variable of the new one, which one of the old one it is.
    pub(crate) captures: &'a [Option<u32>],
}

impl Twins<'_> {
    /// Whether all up to an instruction is the same, that included (but for the number of slots that are alive at an `Await`); gives what holds in front of it.
    pub(crate) fn until(&self, last: u32) -> Result<Pairs, Parting> {
        let part = |pc, what| Err(Parting { pc, what });
        if (self.old.params, self.old.rest) != (self.new.params, self.new.rest) {
            return part(0, ARGUMENTS);
        }
        for pc in 0..=last {
            match (self.op(self.old, pc), self.op(self.new, pc)) {
                (Some(old), Some(new)) if self.alike(old, new) => {}
                (old, new) => return part(pc, said(old, new)),
            }
        }
        if handlers(self.old, last) != handlers(self.new, last) {
            let first = |func| handlers(func, last).first().map(|handler| handler.start);
            let pc = first(self.old).into_iter().chain(first(self.new)).min();
            return part(pc.unwrap_or(0), CATCH);
        }
        self.walk(last)
    }

    /// Whether the functions are the same from beginning to end.
    pub(crate) fn entirely(&self) -> Result<(), Parting> {
        let (old, new) = (self.old.code.len() as u32, self.new.code.len() as u32);
        if self.old.is_async != self.new.is_async {
            return Err(Parting { pc: 0, what: CODE });
        }
        // The last one always returns, so it is where the walk ends.
        let compared = self.until(old.min(new).saturating_sub(1));
        match compared {
            Err(parting) if parting.what != UNREACHED => Err(parting),
            _ if old != new => Err(Parting {
                pc: old.min(new),
                what: CODE,
            }),
            _ => Ok(()),
        }
    }

    fn op(&self, func: &Func, pc: u32) -> Option<Op> {
        func.code.get(pc as usize).copied()
    }

    /// Whether two instructions are the same but for numbers of slots, captured variables, functions and places.
    fn alike(&self, old: Op, new: Op) -> bool {
        if std::mem::discriminant(&old) != std::mem::discriminant(&new) {
            return false;
        }
        let is_slot = matches!(old, Op::NextOrJump(..) | Op::LocalLtJump(..));
        let named = !matches!(old, Op::CheckInit(_));
        let (old_program, new_program) = self.programs;
        let list = |op: Op| {
            let mut operands = Vec::with_capacity(2);
            op.operands(|kind, value| operands.push((kind, value)));
            operands
        };
        let both = list(old).into_iter().zip(list(new));
        both.into_iter().all(|((kind, old), (_, new))| match kind {
            Operand::Name | Operand::Const => {
                let constant = |program: &Program, index: u32| {
                    program.consts.get(index as usize).map(|found| match found {
                        Const::String(units) => Ok(units.clone()),
                        Const::Number(number) => Err(number.to_bits()),
                    })
                };
                !named || constant(old_program, old) == constant(new_program, new)
            }
            Operand::Global => {
                old_program.globals.get(old as usize) == new_program.globals.get(new as usize)
            }
            Operand::Count | Operand::Int => old == new,
            Operand::Short => is_slot || old == new,
            Operand::Words
            | Operand::Local
            | Operand::Live
            | Operand::Capture
            | Operand::Target
            | Operand::Function => true,
        })
    }

    /// Walks all paths up to an instruction.
    fn walk(&self, last: u32) -> Result<Pairs, Parting> {
        let mut walk = Walk {
            last,
            states: HashMap::new(),
            todo: Vec::new(),
            work: 0,
        };
        walk.come(0, &Pairs::of_arguments(self.old, self.new))?;
        let caught = handlers(self.old, last);
        while let Some(start) = walk.todo.pop() {
            let Some(mut pairs) = walk.states.get(&start).cloned() else {
                continue;
            };
            let mut pc = start;
            loop {
                for handler in &caught {
                    if (handler.start..handler.end).contains(&pc) {
                        walk.come(handler.target, &pairs)?;
                    }
                }
                let (Some(old), Some(new)) = (self.op(self.old, pc), self.op(self.new, pc)) else {
                    break;
                };
                if pc == last {
                    self.step(pc, old, new, &mut pairs.clone())?;
                    if pc != start {
                        walk.come(pc, &pairs)?;
                    }
                    break;
                }
                self.step(pc, old, new, &mut pairs)?;
                if matches!(old, Op::Await(_)) {
                    // What is awaited may be rejected: fewer slots are alive then.
                    for handler in &caught {
                        if (handler.start..handler.end).contains(&pc) {
                            walk.come(handler.target, &pairs)?;
                        }
                    }
                }
                if let (Some((old, _)), Some((new, _))) = (old.target(), new.target()) {
                    match (old <= last, new <= last) {
                        (false, false) => {}
                        _ if old == new => walk.come(old, &pairs)?,
                        _ => return Err(Parting { pc, what: JUMP }),
                    }
                }
                if old.ends() {
                    break;
                }
                pc += 1;
                // Where ways meet, the state of all of them counts.
                if walk.states.contains_key(&pc) {
                    walk.come(pc, &pairs)?;
                    break;
                }
                walk.spend(1)?;
            }
        }
        walk.states.remove(&last).ok_or(Parting {
            pc: last,
            what: UNREACHED,
        })
    }

    /// One instruction of both.
    fn step(&self, pc: u32, old: Op, new: Op, pairs: &mut Pairs) -> Result<(), Parting> {
        let part = |what| Err(Parting { pc, what });
        if let (Some(old), Some(new)) = (read(old), read(new))
            && !pairs.holds(old, new)
        {
            return part(SLOT);
        }
        if let (Some(old), Some(new)) = (captured(old), captured(new))
            && self.captures.get(new as usize).copied().flatten() != Some(old)
        {
            return part(SLOT);
        }
        if let (Some(old), Some(new)) = (written(old), written(new)) {
            pairs.set(old, new);
        }
        if let (Op::Await(old), Op::Await(new)) = (old, new) {
            pairs.cut(old, new);
        }
        Ok(())
    }
}

const UNREACHED: &str = "nothing leads there";

/// What is known where ways meet.
struct Walk {
    last: u32,
    states: HashMap<u32, Pairs>,
    todo: Vec<u32>,
    work: usize,
}

impl Walk {
    /// A way leads there with this state.
    fn come(&mut self, pc: u32, pairs: &Pairs) -> Result<(), Parting> {
        self.spend(pairs.old.len() + pairs.new.len() + 1)?;
        if let Some(known) = self.states.get_mut(&pc) {
            if known.join(pairs) {
                self.todo.push(pc);
            }
        } else {
            self.states.insert(pc, pairs.clone());
            self.todo.push(pc);
        }
        Ok(())
    }

    fn spend(&mut self, work: usize) -> Result<(), Parting> {
        self.work += work;
        if self.work > MOST_WORK {
            return Err(Parting {
                pc: self.last,
                what: LARGE,
            });
        }
        Ok(())
    }
}

/// The handlers that lead to code up to an instruction.
fn handlers(func: &Func, last: u32) -> Vec<Handler> {
    let all = func.handlers.iter();
    all.filter(|handler| handler.target <= last)
        .copied()
        .collect()
}

fn said(old: Option<Op>, new: Option<Op>) -> &'static str {
    let either = |is: fn(&Op) -> bool| {
        let here = |op: &Option<Op>| op.as_ref().is_some_and(is);
        here(&old) != here(&new)
    };
    if either(|op| matches!(op, Op::Closure(_))) {
        INNER
    } else if either(|op| {
        matches!(
            op,
            Op::NewVar(_) | Op::BoxVar(_) | Op::CopyVar(_) | Op::LoadVar(_) | Op::StoreVar(_)
        )
    }) {
        CAPTURED
    } else if either(|op| matches!(op, Op::ClearLocal(_) | Op::CheckInit(_))) {
        EARLY
    } else {
        CODE
    }
}

/// The slot that an instruction reads; one whose variable it changes is read.
pub(crate) fn read(op: Op) -> Option<u32> {
    match op {
        Op::LoadLocal(slot) | Op::LoadVar(slot) | Op::StoreVar(slot) => Some(slot),
        Op::BoxVar(slot) | Op::CopyVar(slot) | Op::IncLocal(slot) => Some(slot),
        Op::NextOrUndefined(slot) | Op::RestOfIterator(slot) => Some(slot),
        Op::NextOrJump(_, slot) | Op::LocalLtJump(_, slot) => Some(u32::from(slot)),
        _ => None,
    }
}

/// The slot that an instruction writes.
pub(crate) fn written(op: Op) -> Option<u32> {
    match op {
        Op::StoreLocal(slot) | Op::ClearLocal(slot) | Op::NewVar(slot) => Some(slot),
        Op::BoxVar(slot) | Op::CopyVar(slot) | Op::IncLocal(slot) => Some(slot),
        _ => None,
    }
}

/// The variable of an outer function that an instruction reads or writes.
fn captured(op: Op) -> Option<u32> {
    match op {
        Op::LoadCapture(index) | Op::StoreCapture(index) => Some(index),
        _ => None,
    }
}
