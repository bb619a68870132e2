//! Checks a program before it runs: every number points to something, and every instruction always
//! sees the same depth of operands. So the loop needs no checks, and a damaged program never panics.

use super::lower::lower;
use super::{Capture, Const, Func, NO_WORDS, Program, Resolved};
use crate::error::Fault;
use crate::op::{Op, Operand};

/// More operands than this no source can ask for.
const MOST_OPERANDS: u32 = 1 << 20;
/// Slots are allocated at each call, so their number is bounded.
const MOST_LOCALS: u32 = 1 << 16;

/// Checks all functions, and notes what the loop needs to know of each instruction.
pub(super) fn verify(program: &mut Program) -> Result<(), Fault> {
    let main = program
        .functions
        .first()
        .ok_or(Fault::Damaged("program without functions"))?;
    if !main.is_async || main.params != 2 || !main.captures.is_empty() {
        return Err(Fault::Damaged("main function"));
    }
    let mut functions = std::mem::take(&mut program.functions);
    let captures: Vec<&[Capture]> = functions
        .iter()
        .map(|function| &*function.captures)
        .collect();
    let mut depths = Vec::with_capacity(functions.len());
    for function in &functions {
        check_function(program, function, &captures)?;
        depths.push(check_depths(function)?);
    }
    for (function, depths) in functions.iter_mut().zip(depths) {
        note(function, depths);
    }
    program.functions = functions;
    Ok(())
}

fn check_function(program: &Program, function: &Func, all: &[&[Capture]]) -> Result<(), Fault> {
    let length = function.code.len() as u32;
    if function.params + u32::from(function.rest) > function.locals || function.locals > MOST_LOCALS
    {
        return Err(Fault::Damaged("slots"));
    }
    let target = |to: u32| to < length;
    for handler in &function.handlers {
        if handler.start > handler.end || handler.end > length || !target(handler.target) {
            return Err(Fault::Damaged("handler"));
        }
    }
    let is_name = |index: u32| matches!(program.consts.get(index as usize), Some(Const::String(_)));
    for op in &function.code {
        let mut fits = true;
        op.operands(|kind, index| {
            fits &= match kind {
                Operand::Name => is_name(index),
                Operand::Words => index == NO_WORDS || is_name(index),
                Operand::Const => (index as usize) < program.consts.len(),
                Operand::Local => index < function.locals,
                Operand::Live => index <= function.locals,
                Operand::Capture => (index as usize) < function.captures.len(),
                Operand::Target => target(index),
                Operand::Function => (index as usize) < all.len() && index != 0,
                Operand::Global => (index as usize) < program.resolved.len(),
                Operand::Count => index < MOST_OPERANDS,
                Operand::Short | Operand::Int => true,
            };
        });
        fits &= match op {
            Op::NextOrJump(_, slot) | Op::LocalLtJump(_, slot) => {
                u32::from(*slot) < function.locals
            }
            Op::Await(_) => function.is_async,
            Op::CallGlobal(index, _) => {
                matches!(
                    program.resolved.get(*index as usize),
                    Some(Resolved::Native(_))
                )
            }
            Op::Closure(made) => all.get(*made as usize).is_some_and(|captures| {
                captures.iter().all(|capture| match capture {
                    Capture::Local(slot) => *slot < function.locals,
                    Capture::Outer(index) => (*index as usize) < function.captures.len(),
                })
            }),
            _ => true,
        };
        if !fits {
            return Err(Fault::Damaged("operand of an instruction"));
        }
    }
    Ok(())
}

/// The depth of an instruction that no path leads to.
const UNSEEN: u32 = u32::MAX;

/// Notes the awaits with the operands below the awaited one, and what the loop runs.
fn note(function: &mut Func, mut depths: Vec<u32>) {
    let awaits = function.code.iter().zip(&depths).enumerate();
    function.awaits = awaits
        .filter_map(|(pc, (op, depth))| {
            let reached = *depth != UNSEEN && matches!(op, Op::Await(_));
            reached.then(|| (pc as u32, depth - 1))
        })
        .collect();
    for depth in depths.iter_mut().filter(|depth| **depth != UNSEEN) {
        *depth += function.locals;
    }
    function.fast = lower(&function.code, &depths);
    function.tops = depths;
}

/// The depth of operands before each instruction. Walks all paths with a list of its own.
fn check_depths(function: &Func) -> Result<Vec<u32>, Fault> {
    let damaged = Fault::Damaged("depth of operands");
    let mut depths = vec![UNSEEN; function.code.len()];
    let mut work: Vec<(u32, u32)> = vec![(0, 0)];
    work.extend(function.handlers.iter().map(|handler| (handler.target, 1)));
    while let Some((mut pc, mut depth)) = work.pop() {
        loop {
            let Some(op) = function.code.get(pc as usize) else {
                return Err(damaged);
            };
            let seen = &mut depths[pc as usize];
            if *seen == depth {
                break;
            }
            if *seen != UNSEEN || depth > MOST_OPERANDS {
                return Err(damaged);
            }
            *seen = depth;
            let (pops, pushes) = op.effect();
            let Some(left) = depth.checked_sub(pops) else {
                return Err(damaged);
            };
            depth = left + pushes;
            if let Some((to, more)) = op.target() {
                let there = depth.checked_add_signed(more).ok_or(damaged.clone())?;
                work.push((to, there));
            }
            if op.ends() {
                break;
            }
            pc += 1;
        }
    }
    Ok(depths)
}
