//! The instructions as the loop runs them: on registers instead of on a stack, several stored ones at once.
//!
//! The depth of operands is known at each instruction, so an operand has a place: a register behind the slots
//! of the function. What is made here stands beside the stored code, at the same index: it does what the `len`
//! stored instructions from there on do, or nothing at all, and then these run one by one. So jumps into the
//! middle, handlers, saves and positions in the source know nothing of it. It is never stored.

use crate::op::Op;

/// How many slots and operands a function may have to be run on registers.
pub(crate) const REGISTERS: usize = 256;

/// A register: a slot of the function, or an operand.
pub(crate) type Reg = u8;

macro_rules! fast {
    (
        arithmetic { $($with:ident $with_int:ident;)+ }
        tests { $($test:ident $unless:ident $unless_int:ident;)+ }
        others { $($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),* })+ }
    ) => {
        /// What the loop does.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum Fast {
            $(
                #[doc = "On two registers."]
                $with { len: u8, a: Reg, b: Reg, to: Reg },
                #[doc = "On a register and an integer."]
                $with_int { len: u8, a: Reg, to: Reg, b: i32 },
            )+
            $(
                #[doc = "A comparison of two registers."]
                $test { len: u8, a: Reg, b: Reg, to: Reg },
                #[doc = "Goes on elsewhere unless the comparison holds."]
                $unless { len: u8, a: Reg, b: Reg, to: u32 },
                #[doc = "The same with an integer."]
                $unless_int { len: u8, a: Reg, b: i32, to: u32 },
            )+
            $($(#[$doc])* $name { $($field: $kind),* },)+
        }

        fn arithmetic(op: Op, len: u8, a: Reg, b: Operand, to: Reg) -> Option<Fast> {
            Some(match (op, b) {
                $(
                    (Op::$with, Operand::Reg(b)) => Fast::$with { len, a, b, to },
                    (Op::$with, Operand::Int(b)) => Fast::$with_int { len, a, to, b },
                )+
                $((Op::$test, Operand::Reg(b)) => Fast::$test { len, a, b, to },)+
                _ => return None,
            })
        }

        fn unless(op: Op, len: u8, a: Reg, b: Operand, to: u32) -> Option<Fast> {
            Some(match (op, b) {
                $(
                    (Op::$test, Operand::Reg(b)) => Fast::$unless { len, a, b, to },
                    (Op::$test, Operand::Int(b)) => Fast::$unless_int { len, a, b, to },
                )+
                _ => return None,
            })
        }
    };
}

fast! {
    arithmetic {
        Add AddInt;
        Sub SubInt;
        Mul MulInt;
        Div DivInt;
        Rem RemInt;
        BitAnd BitAndInt;
        BitOr BitOrInt;
        BitXor BitXorInt;
        Shl ShlInt;
        Shr ShrInt;
        UShr UShrInt;
    }
    tests {
        Lt UnlessLt UnlessLtInt;
        Le UnlessLe UnlessLeInt;
        Gt UnlessGt UnlessGtInt;
        Ge UnlessGe UnlessGeInt;
        StrictEq UnlessEq UnlessEqInt;
        StrictNe UnlessNe UnlessNeInt;
    }
    others {
        /// The stored instruction.
        Plain {}
        /// Drops operands: nothing to do.
        Skip {}
        Move { len: u8, from: Reg, to: Reg }
        Int { len: u8, to: Reg, value: i32 }
        Const { len: u8, to: Reg, index: u32 }
        Undefined { len: u8, to: Reg }
        Null { len: u8, to: Reg }
        Bool { len: u8, to: Reg, value: bool }
        /// Copies the two registers below `to` there.
        Dup2 { to: Reg }
        /// Moves the last register of three before the two others.
        Rot3 { from: Reg }
        /// Moves the last register of four before the three others.
        Rot4 { from: Reg }
        CheckInit { from: Reg }
        /// The captured variable in a slot; `checked` if it may be uninitialised.
        LoadVar { len: u8, slot: Reg, to: Reg, checked: bool }
        StoreVar { len: u8, slot: Reg, from: Reg }
        /// A variable of an outer function.
        LoadCapture { len: u8, to: Reg, checked: bool, index: u32 }
        StoreCapture { len: u8, from: Reg, index: u32 }
        Inc { len: u8, from: Reg, to: Reg }
        Dec { len: u8, from: Reg, to: Reg }
        Not { len: u8, from: Reg, to: Reg }
        Jump { to: u32 }
        JumpIfFalse { len: u8, from: Reg, to: u32 }
        JumpIfTrue { len: u8, from: Reg, to: u32 }
        JumpIfNullish { from: Reg, to: u32 }
        JumpIfValue { from: Reg, to: u32 }
        JumpIfDefined { from: Reg, to: u32 }
        GetProp { len: u8, from: Reg, to: Reg, name: u32 }
        SetProp { len: u8, object: Reg, from: Reg, to: Reg, name: u32 }
        DefineProp { len: u8, object: Reg, from: Reg, name: u32 }
        GetIndex { len: u8, from: Reg, index: Reg, to: Reg }
        SetIndex { len: u8, array: Reg, index: Reg, from: Reg, to: Reg }
        ArrayPush { len: u8, array: Reg, from: Reg }
        Next { len: u8, slot: Reg, to: Reg, end: u32 }
        Call { callee: Reg, count: u8 }
        CallMethod { receiver: Reg, count: u8, name: u32 }
        Return { len: u8, from: Reg }
    }
}

// The loop reads one of these for each step.
const _: () = assert!(size_of::<Fast>() <= 12);

#[derive(Clone, Copy)]
enum Operand {
    Reg(Reg),
    Int(i32),
}

impl Operand {
    fn register(self) -> Option<Reg> {
        match self {
            Self::Reg(reg) => Some(reg),
            Self::Int(_) => None,
        }
    }
}

/// Lowers a function. `tops` says how many slots and operands there are before each instruction.
pub(super) fn lower(code: &[Op], tops: &[u32]) -> Vec<Fast> {
    let lowering = Lowering { code, tops };
    (0..code.len())
        .map(|pc| lowering.at(pc).unwrap_or(Fast::Plain {}))
        .collect()
}

struct Lowering<'a> {
    code: &'a [Op],
    tops: &'a [u32],
}

fn reg(index: u32) -> Option<Reg> {
    Reg::try_from(index).ok()
}

impl Lowering<'_> {
    fn op(&self, pc: usize) -> Option<Op> {
        self.code.get(pc).copied()
    }

    /// The register `down` below the top at an instruction; none for code that is never reached.
    fn operand(&self, pc: usize, down: u32) -> Option<Reg> {
        reg(self.tops.get(pc)?.checked_sub(down)?)
    }

    /// An instruction that only says where an operand is.
    fn source(&self, pc: usize) -> Option<Operand> {
        Some(match self.op(pc)? {
            Op::LoadLocal(slot) => Operand::Reg(reg(slot)?),
            Op::Dup => Operand::Reg(self.operand(pc, 1)?),
            Op::Int(value) => Operand::Int(value),
            _ => return None,
        })
    }

    fn source_register(&self, pc: usize) -> Option<Reg> {
        self.source(pc)?.register()
    }

    /// Where a result goes that would be in `to`, and the length with what puts it there.
    fn result(&self, pc: usize, len: u8, to: Reg) -> (u8, Reg) {
        match self.op(pc + usize::from(len)) {
            Some(Op::StoreLocal(slot)) => match reg(slot) {
                Some(slot) => (len + 1, slot),
                None => (len, to),
            },
            Some(Op::Pop) => (len + 1, to),
            _ => (len, to),
        }
    }

    /// The length with the `Pop` behind, if there is one.
    fn popped(&self, pc: usize, len: u8) -> u8 {
        match self.op(pc + usize::from(len)) {
            Some(Op::Pop) => len + 1,
            _ => len,
        }
    }

    fn at(&self, pc: usize) -> Option<Fast> {
        // All registers of the instructions looked at here are below this one.
        let next = self.operand(pc, 0).filter(|top| *top < Reg::MAX - 4)?;
        self.two_sources(pc, next)
            .or_else(|| self.one_source(pc, next))
            .or_else(|| self.no_source(pc, next))
            .or_else(|| self.load(pc, next))
    }

    /// `a op b` with what follows: a jump, a store, or nothing.
    fn binary(&self, pc: usize, len: u8, a: Reg, b: Operand, to: Reg) -> Option<Fast> {
        let op = self.op(pc + usize::from(len) - 1)?;
        if op == Op::GetIndex {
            let index = b.register()?;
            let (len, to) = self.result(pc, len, to);
            return Some(Fast::GetIndex {
                len,
                from: a,
                index,
                to,
            });
        }
        if let Some(Op::JumpIfFalse(target)) = self.op(pc + usize::from(len))
            && let Some(jump) = unless(op, len + 1, a, b, target)
        {
            return Some(jump);
        }
        let (len, to) = self.result(pc, len, to);
        arithmetic(op, len, a, b, to)
    }

    fn two_sources(&self, pc: usize, next: Reg) -> Option<Fast> {
        let a = self.source_register(pc)?;
        let b = match self.op(pc + 1)? {
            Op::Dup => Operand::Reg(a),
            _ => self.source(pc + 1)?,
        };
        self.binary(pc, 3, a, b, next)
    }

    fn one_source(&self, pc: usize, next: Reg) -> Option<Fast> {
        let source = self.source(pc)?;
        let below = |down: Reg| next.checked_sub(down);
        if let Some(a) = below(1)
            && let Some(found) = self.binary(pc, 2, a, source, a)
        {
            return Some(found);
        }
        let from = source.register()?;
        Some(match self.op(pc + 1)? {
            Op::SetProp(name) => {
                let object = below(1)?;
                let (len, to) = self.result(pc, 2, object);
                Fast::SetProp {
                    len,
                    object,
                    from,
                    to,
                    name,
                }
            }
            Op::DefineProp(name) => {
                let object = below(1)?;
                Fast::DefineProp {
                    len: 2,
                    object,
                    from,
                    name,
                }
            }
            Op::SetIndex => {
                let (array, index) = (below(2)?, below(1)?);
                let (len, to) = self.result(pc, 2, array);
                Fast::SetIndex {
                    len,
                    array,
                    index,
                    from,
                    to,
                }
            }
            Op::ArrayPush => Fast::ArrayPush {
                len: 2,
                array: below(1)?,
                from,
            },
            _ => return self.unary(pc, 2, from, next),
        })
    }

    /// What takes one operand, `from`.
    fn unary(&self, pc: usize, len: u8, from: Reg, to: Reg) -> Option<Fast> {
        let op = self.op(pc + usize::from(len) - 1)?;
        let (long, put) = self.result(pc, len, to);
        Some(match op {
            Op::GetProp(name) => Fast::GetProp {
                len: long,
                from,
                to: put,
                name,
            },
            Op::Inc => Fast::Inc {
                len: long,
                from,
                to: put,
            },
            Op::Dec => Fast::Dec {
                len: long,
                from,
                to: put,
            },
            Op::Not => Fast::Not {
                len: long,
                from,
                to: put,
            },
            Op::StoreLocal(slot) => Fast::Move {
                len,
                from,
                to: reg(slot)?,
            },
            Op::StoreVar(slot) => Fast::StoreVar {
                len,
                slot: reg(slot)?,
                from,
            },
            Op::StoreCapture(index) => Fast::StoreCapture { len, from, index },
            Op::JumpIfFalse(to) => Fast::JumpIfFalse { len, from, to },
            Op::JumpIfTrue(to) => Fast::JumpIfTrue { len, from, to },
            Op::Return => Fast::Return { len, from },
            _ => return None,
        })
    }

    fn no_source(&self, pc: usize, next: Reg) -> Option<Fast> {
        let below = |down: Reg| next.checked_sub(down);
        if let (Some(a), Some(b)) = (below(2), below(1))
            && let Some(found) = self.binary(pc, 1, a, Operand::Reg(b), a)
        {
            return Some(found);
        }
        if let Some(top) = below(1)
            && let Some(found) = self.unary(pc, 1, top, top)
        {
            return Some(found);
        }
        Some(match self.op(pc)? {
            Op::Pop => Fast::Skip {},
            Op::CheckInit(_) => Fast::CheckInit { from: below(1)? },
            Op::Rot3 => Fast::Rot3 { from: below(3)? },
            Op::Rot4 => Fast::Rot4 { from: below(4)? },
            Op::Jump(to) => Fast::Jump { to },
            Op::JumpIfFalseOrPop(to) => Fast::JumpIfFalse {
                len: 1,
                from: below(1)?,
                to,
            },
            Op::JumpIfTrueOrPop(to) => Fast::JumpIfTrue {
                len: 1,
                from: below(1)?,
                to,
            },
            Op::JumpIfValueOrPop(to) => Fast::JumpIfValue {
                from: below(1)?,
                to,
            },
            Op::JumpIfNullish(to) => Fast::JumpIfNullish {
                from: below(1)?,
                to,
            },
            Op::JumpIfDefined(to) => Fast::JumpIfDefined {
                from: below(1)?,
                to,
            },
            Op::IncLocal(slot) => {
                let slot = reg(slot)?;
                Fast::Inc {
                    len: 1,
                    from: slot,
                    to: slot,
                }
            }
            Op::SetProp(name) => {
                let object = below(2)?;
                let (len, to) = self.result(pc, 1, object);
                Fast::SetProp {
                    len,
                    object,
                    from: below(1)?,
                    to,
                    name,
                }
            }
            Op::DefineProp(name) => {
                let (object, from) = (below(2)?, below(1)?);
                Fast::DefineProp {
                    len: 1,
                    object,
                    from,
                    name,
                }
            }
            Op::SetIndex => {
                let array = below(3)?;
                let (len, to) = self.result(pc, 1, array);
                Fast::SetIndex {
                    len,
                    array,
                    index: below(2)?,
                    from: below(1)?,
                    to,
                }
            }
            Op::ArrayPush => Fast::ArrayPush {
                len: 1,
                array: below(2)?,
                from: below(1)?,
            },
            Op::NextOrJump(end, slot) => {
                let (len, to) = self.result(pc, 1, next);
                Fast::Next {
                    len,
                    slot: reg(u32::from(slot))?,
                    to,
                    end,
                }
            }
            Op::Call(_, count) => {
                let count = u8::try_from(count).ok()?;
                Fast::Call {
                    callee: next.checked_sub(count)?.checked_sub(1)?,
                    count,
                }
            }
            Op::CallMethod(name, count) => {
                let count = u8::try_from(count).ok()?;
                let receiver = next.checked_sub(count)?.checked_sub(1)?;
                Fast::CallMethod {
                    receiver,
                    count,
                    name,
                }
            }
            _ => return None,
        })
    }

    /// What only gives an operand.
    fn load(&self, pc: usize, next: Reg) -> Option<Fast> {
        let (len, to) = self.result(pc, 1, next);
        let checked = matches!(self.op(pc + 1), Some(Op::CheckInit(_)));
        Some(match self.op(pc)? {
            Op::LoadLocal(slot) => Fast::Move {
                len: self.popped(pc, 1),
                from: reg(slot)?,
                to: next,
            },
            Op::Dup => Fast::Move {
                len,
                from: next.checked_sub(1)?,
                to,
            },
            Op::Dup2 => Fast::Dup2 { to: next },
            Op::Int(value) => Fast::Int { len, to, value },
            Op::Const(index) => Fast::Const { len, to, index },
            Op::Undefined => Fast::Undefined { len, to },
            Op::Null => Fast::Null { len, to },
            Op::True => Fast::Bool {
                len,
                to,
                value: true,
            },
            Op::False => Fast::Bool {
                len,
                to,
                value: false,
            },
            Op::LoadVar(slot) if checked => Fast::LoadVar {
                len: 2,
                slot: reg(slot)?,
                to: next,
                checked,
            },
            Op::LoadCapture(index) if checked => Fast::LoadCapture {
                len: 2,
                to: next,
                checked,
                index,
            },
            Op::LoadVar(slot) => Fast::LoadVar {
                len,
                slot: reg(slot)?,
                to,
                checked,
            },
            Op::LoadCapture(index) => Fast::LoadCapture {
                len,
                to,
                checked,
                index,
            },
            _ => return None,
        })
    }
}
