//! What must hold between the bodies of a save, once all of them were read. Knows no bytes.

use std::collections::HashSet;

use crate::op::Op;
use crate::program::Program;
use crate::value::promise::{HostPromise, Reaction};
use crate::value::{Body, Heap, Ref};
use crate::vm::state::State;

/// Whether a suspended function waits once at most and settles a promise of its own, which only it settles; and
/// whether all promises of the host are among those that it may settle.
pub(super) fn promises(heap: &Heap, bodies: &[Ref], state: &State) -> bool {
    let (mut waiting, mut results) = (HashSet::new(), HashSet::new());
    bodies.iter().all(|at| match heap.body(*at) {
        Body::Coroutine(coroutine) => {
            let promise = heap.body(coroutine.promise);
            results.insert(coroutine.promise)
                && matches!(promise, Body::Promise(promise) if promise.host.is_none())
        }
        Body::Promise(promise) => {
            let known = |host: HostPromise| state.pending.get(&host.id) == Some(at);
            promise.host.is_none_or(known)
                && promise.reactions.iter().all(|reaction| match reaction {
                    Reaction::Await(coroutine) => waiting.insert(*coroutine),
                    _ => true,
                })
        }
        _ => true,
    })
}

/// Whether each suspended function stands at an await of its
/// program with as many values as the code there expects.
pub(super) fn coroutines(program: &Program, heap: &Heap, bodies: &[Ref]) -> bool {
    bodies.iter().all(|at| match heap.body(*at) {
        Body::Coroutine(coroutine) => {
            let number = match coroutine.closure.map(|at| heap.body(at)) {
                None => 0,
                Some(Body::Closure(closure)) => closure.function,
                Some(_) => return false,
            };
            let Some(function) = program.functions.get(coroutine.function as usize) else {
                return false;
            };
            let Some(pc) = coroutine.pc.checked_sub(1) else {
                return false;
            };
            let Ok(found) = function.awaits.binary_search_by_key(&pc, |(at, _)| *at) else {
                return false;
            };
            let Some(Op::Await(live)) = function.code.get(pc as usize) else {
                return false;
            };
            number == coroutine.function
                && function.is_async
                && coroutine.slots.len() == (*live + function.awaits[found].1) as usize
        }
        _ => true,
    })
}
