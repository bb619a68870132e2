//! What a suspended run looks like to people: its frames, where each waits, and their variables.
//!
//! It reads a save as any load does, and changes nothing. Knows no JSON and no database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cx::Cx;
use super::run::Vm;
use crate::builtins::inspect;
use crate::error::Fault;
use crate::host::PromiseId;
use crate::limits::Limits;
use crate::mock::MockHost;
use crate::program::Program;
use crate::value::promise::{Coroutine, Reaction};
use crate::value::{Body, Heap, Ref, Value};

/// How much is told of a run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Variables of all frames together; a frame without any counts as one.
    pub variables: usize,
    /// Bytes of one value.
    pub bytes: usize,
}

/// Promises of a frame that are told.
const PROMISES: usize = 100;

/// Bytes of all values together.
const VALUES: usize = 32 << 20;

/// Steps from promises to the frames that wait for them, of all promises together: what a damaged save could ask for has no end.
const STEPS: usize = 1_000_000;

/// A suspended function.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspended {
    /// Its name, as in the stack of an error.
    pub function: String,
    /// Where it waits.
    pub line: u32,
    /// Where it waits.
    pub column: u32,
    /// The promises of the host that it waits for itself, the first hundred; none if it waits for other functions alone.
    pub promises: Vec<PromiseId>,
    /// How many those are.
    pub promise_count: usize,
    /// Its variables that have a value, then those of functions around it that it uses.
    pub variables: Vec<Variable>,
}

/// A variable of a suspended function.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name; `slot 3` or `capture 0` in programs of compilers that kept no names.
    pub name: String,
    /// Its value as `console.log` shows it, but strings have quotes.
    pub value: String,
    /// Whether there was more of it.
    pub is_cut: bool,
}

/// The frames of a saved run: first that of the workflow itself, then the others in the order of what they wait for.
///
/// # Errors
/// As `Vm::load`.
pub fn suspended(
    program: &Arc<Program>,
    save: &[u8],
    limits: Limits,
    bounds: Bounds,
) -> Result<Vec<Suspended>, Fault> {
    let mut vm = Vm::load(Arc::clone(program), save, limits)?;
    let waits = waits(&vm);
    let mut found: Vec<(bool, Ref)> = Vec::new();
    for (at, body) in vm.heap.iter() {
        if let Body::Coroutine(coroutine) = body {
            found.push((Some(coroutine.promise) != vm.state.main, at));
        }
    }
    // Stable: behind the workflow the others stay in the order of the save, which is that of their promises.
    found.sort_by_key(|(is_other, _)| *is_other);
    let (mut left, mut room) = (bounds.variables, VALUES);
    let mut frames = Vec::new();
    for (_, at) in found {
        if left == 0 {
            break;
        }
        let Body::Coroutine(coroutine) = vm.heap.body(at) else {
            continue;
        };
        let (function, pc) = (coroutine.function, coroutine.pc.saturating_sub(1));
        let Some(code) = program.functions.get(function as usize) else {
            continue;
        };
        let (line, column) = code.position(pc);
        let (promise_count, promises) = waits.get(&at).cloned().unwrap_or_default();
        let mut variables = values(program, &vm.heap, coroutine, pc);
        variables.truncate(left);
        left -= variables.len().max(1);
        frames.push(Suspended {
            function: clean(match (function, &*code.name) {
                (0, _) => "workflow",
                (_, "") => "<anonymous>",
                (_, name) => name,
            }),
            line,
            column,
            promises,
            promise_count,
            variables: variables
                .into_iter()
                .map(|(name, value)| {
                    let shown = show(&mut vm, program, name, value, bounds.bytes.min(room));
                    room = room.saturating_sub(shown.value.len());
                    shown
                })
                .collect(),
        });
    }
    Ok(frames)
}

/// Text that any database can hold.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Which frames wait for promises of the host, directly or through combinators and chains: how many, and the first of them.
fn waits(vm: &Vm) -> BTreeMap<Ref, (usize, Vec<PromiseId>)> {
    let mut waits: BTreeMap<Ref, (usize, Vec<PromiseId>)> = BTreeMap::new();
    let mut steps = STEPS;
    for (id, promise) in &vm.state.pending {
        let mut seen = BTreeSet::new();
        let mut work = vec![*promise];
        while let Some(at) = work.pop() {
            let (true, Body::Promise(promise)) = (seen.insert(at), vm.heap.body(at)) else {
                continue;
            };
            for reaction in &promise.reactions {
                if steps == 0 {
                    return waits;
                }
                steps -= 1;
                match *reaction {
                    Reaction::Await(coroutine) => {
                        if seen.insert(coroutine) {
                            let (count, ids) = waits.entry(coroutine).or_default();
                            *count += 1;
                            if ids.len() < PROMISES {
                                ids.push(*id);
                            }
                        }
                    }
                    Reaction::Then { derived, .. }
                    | Reaction::Finally { derived, .. }
                    | Reaction::Pass { derived, .. }
                    | Reaction::Forward(derived) => work.push(derived),
                    Reaction::Element { aggregate, .. } => {
                        if let Body::Aggregate(aggregate) = vm.heap.body(aggregate) {
                            work.push(aggregate.derived);
                        }
                    }
                }
            }
        }
    }
    waits
}

/// The variables of a frame that have a value.
fn values(program: &Program, heap: &Heap, frame: &Coroutine, pc: u32) -> Vec<(String, Value)> {
    let Some(function) = program.functions.get(frame.function as usize) else {
        return Vec::new();
    };
    let text = |index: u32| program.names.get(index as usize).cloned();
    let mut found: Vec<(String, Value)> = Vec::new();
    if program.names.is_empty() {
        let slots = frame.slots.iter().enumerate();
        found.extend(slots.map(|(slot, value)| (format!("slot {slot}"), *value)));
    } else {
        for name in &function.names {
            if (name.start..name.end).contains(&pc)
                && let (Some(value), Some(text)) =
                    (frame.slots.get(name.slot as usize), text(name.index))
            {
                found.push((text, *value));
            }
        }
    }
    if let Some(Body::Closure(closure)) = frame.closure.map(|at| heap.body(at)) {
        for (number, at) in closure.captures.iter().enumerate() {
            let name = function.capture_names.get(number).copied().and_then(text);
            let name = name.unwrap_or_else(|| format!("capture {number}"));
            found.push((name, Value::Variable(*at)));
        }
    }
    found.retain_mut(|(_, value)| {
        if let Value::Variable(at) = *value {
            *value = match heap.body(at) {
                Body::Variable(value) => *value,
                _ => Value::Empty,
            };
        }
        // One that is declared further below.
        !value.is_empty()
    });
    found
}

fn show(vm: &mut Vm, program: &Program, name: String, value: Value, most: usize) -> Variable {
    vm.heap.meter.refuel();
    let mut cx = Cx {
        heap: &mut vm.heap,
        // It is asked for interrupts alone, and has none.
        host: &mut MockHost::default(),
        stack: &mut vm.stack,
        frames: &mut vm.frames,
        program,
        state: &mut vm.state,
    };
    let shown = inspect::inspect(&mut cx, value, String::new(), most);
    let (mut value, mut is_cut) = match shown {
        Ok(text) => (clean(&text), false),
        // One that takes more than a step may.
        Err(_) => (String::new(), true),
    };
    if value.len() > most {
        value.truncate(value.floor_char_boundary(most));
        is_cut = true;
    }
    if is_cut {
        value.push('…');
    }
    Variable {
        name: clean(&name),
        value,
        is_cut,
    }
}
