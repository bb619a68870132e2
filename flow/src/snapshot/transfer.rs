//! A save of one program as a save of another, where it can be proven that the run could have come to it there.
//!
//! What the run may have executed is the same in both programs (`program::twins`), and each suspended function finds in its slots
//! what the code behind its await reads. Frames get the slots of the new code, closures their new numbers and variables.

use std::collections::HashMap;

use super::fork::too_large;
use super::{context, load, save};
use crate::error::Fault;
use crate::limits::Limits;
use crate::op::Op;
use crate::program::lockstep;
use crate::program::twins::{Kinship, Refusal, Twin, place};
use crate::program::{Capture, Func, Program};
use crate::value::heap::Closure;
use crate::value::{Body, Heap, Ref, Value};

/// So many instructions are looked at for one frame at most.
const MOST_WORK: usize = 100_000_000;

/// Why there is no save of the other program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferError {
    /// The programs differ where they must not.
    Refused(Refusal),
    /// The save cannot be read.
    Fault(Fault),
}

impl From<Refusal> for TransferError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for TransferError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Makes a save of `old` one of `new`, whose version `Context.version` is from then on.
///
/// # Errors
/// When it cannot be proven that the run could have come to this state in the new program as well, or when the save cannot be read.
pub fn transfer(
    old: &Program,
    new: &Program,
    version: i32,
    saved: &[u8],
    limits: Limits,
) -> Result<Vec<u8>, TransferError> {
    let most = limits.save_bytes;
    let (mut heap, state) = load(old, saved, limits.clone())?;
    let mut suspended: HashMap<u32, u32> = HashMap::new();
    let (mut frames, mut closures) = (Vec::new(), Vec::new());
    for (at, body) in heap.iter() {
        match body {
            Body::Coroutine(frame) => {
                // `load` has seen that it stands behind an await.
                let last = frame.pc.saturating_sub(1);
                let furthest = suspended.entry(frame.function).or_insert(last);
                *furthest = last.max(*furthest);
                frames.push((at, frame.function, last));
            }
            Body::Closure(closure) => closures.push((at, closure.function)),
            _ => {}
        }
    }
    let mut kinship = Kinship::new(old, new);
    kinship.executed(&suspended)?;
    for (at, function, last) in frames {
        let twin = kinship.twin(function)?;
        frame(&mut heap, &kinship, (old, new), at, function, &twin, last)?;
    }
    for (at, function) in closures {
        let twin = kinship.twin(function)?;
        closure(&mut heap, (old, new), at, function, &twin)?;
    }
    let version = Value::Number(f64::from(version));
    context::tell(&mut heap, "version", version);
    let saved = save(new, &heap, &state, most).ok_or_else(too_large)?;
    // What cannot be read again would be found out too late.
    load(new, &saved, limits)?;
    Ok(saved)
}

/// Gives a suspended function the slots that it has in the new program.
fn frame(
    heap: &mut Heap,
    kinship: &Kinship<'_>,
    (old, new): (&Program, &Program),
    at: Ref,
    function: u32,
    twin: &Twin,
    last: u32,
) -> Result<(), Refusal> {
    let pairs = kinship.until(function, twin, last)?;
    let (old_func, new_func) = (
        &old.functions[function as usize],
        &new.functions[twin.number as usize],
    );
    let lives = |func: &Func| match func.code.get(last as usize) {
        Some(Op::Await(live)) => Some(*live),
        _ => None,
    };
    let (Some(old_live), Some(new_live)) = (lives(old_func), lives(new_func)) else {
        return Err(at_place(old, new, old_func, new_func, last, lockstep::CODE));
    };
    let Body::Coroutine(body) = heap.body_mut(at) else {
        return Ok(());
    };
    let mut slots = Vec::with_capacity(new_live as usize);
    let mut work = 0;
    for slot in 0..new_live {
        match pairs.old_of(slot, old_live) {
            _ if pairs.is_undefined(slot) => slots.push(Value::Undefined),
            Some(old) => slots.push(body.slots.get(old as usize).copied().unwrap_or_default()),
            None => {
                if let Some(pc) = first_read(new_func, new, last + 1, slot, &mut work) {
                    return Err(Refusal {
                        what: "a variable is used that has no value yet in a run which waits there"
                            .to_owned(),
                        old: Some(place(old, old_func, last)),
                        new: Some(place(new, new_func, pc)),
                    });
                }
                slots.push(Value::Undefined);
            }
        }
    }
    slots.extend(body.slots.iter().skip(old_live as usize));
    body.slots = slots;
    body.function = twin.number;
    Ok(())
}

/// Gives a closure its number and variables in the new program.
fn closure(
    heap: &mut Heap,
    (old, new): (&Program, &Program),
    at: Ref,
    function: u32,
    twin: &Twin,
) -> Result<(), Refusal> {
    let Body::Closure(body) = heap.body_mut(at) else {
        return Ok(());
    };
    let captures = twin.captures.iter().map(|capture| {
        let index = (*capture)?;
        body.captures.get(index as usize).copied()
    });
    let Some(captures) = captures.collect::<Option<_>>() else {
        let (old_func, new_func) = (
            &old.functions[function as usize],
            &new.functions[twin.number as usize],
        );
        let what = "the function uses a variable around it that it did not use before";
        return Err(at_place(old, new, old_func, new_func, 0, what));
    };
    *body = Closure {
        function: twin.number,
        captures,
    };
    Ok(())
}

fn at_place(
    old: &Program,
    new: &Program,
    old_func: &Func,
    new_func: &Func,
    pc: u32,
    what: &str,
) -> Refusal {
    Refusal {
        what: what.to_owned(),
        old: Some(place(old, old_func, pc)),
        new: Some(place(new, new_func, pc)),
    }
}

/// The first instruction from `start` on, along any path, that reads a slot which nothing has written before.
fn first_read(
    func: &Func,
    program: &Program,
    start: u32,
    slot: u32,
    work: &mut usize,
) -> Option<u32> {
    let mut seen = vec![false; func.code.len()];
    // The await may be rejected.
    let mut todo = vec![start, start.saturating_sub(1)];
    let mut found: Option<u32> = None;
    let mut is_first = true;
    while let Some(pc) = todo.pop() {
        // The await itself reads nothing any more; only its handlers count.
        let only_caught = is_first && pc + 1 == start;
        is_first = false;
        if !only_caught && std::mem::replace(seen.get_mut(pc as usize)?, true) {
            continue;
        }
        *work += 1 + func.handlers.len();
        if *work > MOST_WORK {
            return Some(pc);
        }
        let caught = func.handlers.iter();
        let caught = caught.filter(|handler| (handler.start..handler.end).contains(&pc));
        todo.extend(caught.map(|handler| handler.target));
        if only_caught {
            continue;
        }
        let op = func.code[pc as usize];
        let makes = |made: u32| {
            let made = program.functions.get(made as usize);
            made.is_some_and(|made| made.captures.contains(&Capture::Local(slot)))
        };
        let is_read =
            lockstep::read(op) == Some(slot) || matches!(op, Op::Closure(made) if makes(made));
        if is_read {
            found = Some(found.map_or(pc, |known| known.min(pc)));
            continue;
        }
        let is_over =
            lockstep::written(op) == Some(slot) || matches!(op, Op::Await(live) if slot >= live);
        if is_over {
            continue;
        }
        todo.extend(op.target().map(|(to, _)| to));
        if !op.ends() {
            todo.push(pc + 1);
        }
    }
    found
}
