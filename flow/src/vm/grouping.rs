//! Which host promises the host may settle together: 10 000 tasks in a `Promise.all` need one step.

use std::collections::BTreeMap;

use super::state::State;
use crate::host::{Host, PromiseId};
use crate::value::promise::{Combinator, Reaction};
use crate::value::{Body, Heap, Ref};

/// Each group costs a walk over the heap, so only the first few are looked for.
const MOST_GROUPS: usize = 4;

/// Tells the host of promises of this step that only a `Promise.all` or `allSettled` waits for, and
/// that nothing else which may run earlier can reach.
pub(super) fn announce(heap: &Heap, state: &State, host: &mut dyn Host) {
    let mut groups: BTreeMap<Ref, Vec<(PromiseId, Ref)>> = BTreeMap::new();
    for (id, at) in state.pending.range(state.first_of_step..) {
        let Body::Promise(promise) = heap.body(*at) else {
            continue;
        };
        if let [Reaction::Element { aggregate, .. }] = promise.reactions[..]
            && let Body::Aggregate(body) = heap.body(aggregate)
            && matches!(body.kind, Combinator::All | Combinator::AllSettled)
        {
            groups.entry(aggregate).or_default().push((*id, *at));
        }
    }
    groups.retain(|_, members| members.len() > 1);
    for (aggregate, members) in groups.into_iter().take(MOST_GROUPS) {
        // What others wake may look at a member on its own: then it must not be held back.
        let others = heap.reach(|tracer| {
            let others = state.pending.iter().filter(|(id, _)| {
                members
                    .binary_search_by_key(*id, |(member, _)| *member)
                    .is_err()
            });
            others.for_each(|(_, at)| tracer.mark(*at));
        });
        let reached = |at: Ref| others.get(at.0 as usize).copied().unwrap_or(true);
        if reached(aggregate) || members.iter().any(|(_, at)| reached(*at)) {
            continue;
        }
        let ids: Vec<PromiseId> = members.iter().map(|(id, _)| *id).collect();
        // Promise numbers are unique in a run, so the first one names the group.
        host.await_all(ids[0], &ids);
    }
}
