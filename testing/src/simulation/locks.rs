//! Mutexes: who holds one, and who waits for it in which order. A test has one run, so its own branches alone contend for them.

use std::collections::{BTreeMap, VecDeque};

use rhythm_flow::host::{HostError, LockWait, PromiseId, Settlement};
use serde_json::json;

use super::Simulation;
use super::agenda::Due;

/// A promise that is settled.
type Settled = (PromiseId, Settlement);

/// The claims of each name; the first one holds it.
#[derive(Debug, Default)]
pub(super) struct Locks(BTreeMap<String, VecDeque<PromiseId>>);

impl Locks {
    /// Notes a claim; what is settled, if the name is free.
    fn claim(&mut self, promise: PromiseId, name: &str) -> Option<Settled> {
        let claims = self.0.entry(name.to_owned()).or_default();
        claims.push_back(promise);
        (claims.len() == 1).then(|| granted(promise, name))
    }

    /// Gives a name back; what is settled by that. What waits is not held.
    fn release(&mut self, promise: PromiseId) -> Option<Settled> {
        if self.awaits(promise) {
            return None;
        }
        self.take_back(promise)
    }

    /// Takes a claim back; what is settled by that.
    pub(super) fn take_back(&mut self, promise: PromiseId) -> Option<Settled> {
        let mut all = self.0.iter_mut();
        let (name, claims) = all.find(|(_, claims)| claims.contains(&promise))?;
        let held = claims.front() == Some(&promise);
        claims.retain(|one| *one != promise);
        let next = claims.front().filter(|_| held)?;
        Some(granted(*next, name))
    }

    /// Whether a claim waits for its name.
    pub(super) fn awaits(&self, promise: PromiseId) -> bool {
        self.awaited_by(promise).is_some()
    }

    fn awaited_by(&self, promise: PromiseId) -> Option<&str> {
        let waits = |claims: &VecDeque<PromiseId>| claims.iter().skip(1).any(|one| *one == promise);
        let mut all = self.0.iter();
        let (name, _) = all.find(|(_, claims)| waits(claims))?;
        Some(name)
    }

    /// The time of a claim is up; how it is settled, if it waits.
    pub(super) fn time_out(&mut self, promise: PromiseId) -> Option<Settled> {
        let name = self.awaited_by(promise)?;
        let error = HostError {
            name: "TimeoutError".into(),
            message: format!("the mutex '{name}' was not free in time"),
            ..HostError::default()
        };
        self.take_back(promise);
        Some((promise, Settlement::Rejected(error)))
    }
}

/// What a promise is fulfilled with.
fn granted(promise: PromiseId, name: &str) -> Settled {
    let lock = json!({"name": name, "id": promise}).to_string();
    (promise, Settlement::Fulfilled(Some(lock)))
}

impl Simulation {
    /// What a step has given back, and what it claims: who gives one back and claims it again is behind those that wait.
    pub(super) fn apply_locks(
        &mut self,
        releases: &[PromiseId],
        claims: Vec<(PromiseId, LockWait)>,
    ) {
        for promise in releases {
            self.inbox.extend(self.locks.release(*promise));
        }
        for (promise, wait) in claims {
            if let Some(due_ms) = wait.due_ms {
                self.agenda.note(due_ms, Due::LockTimeout(promise));
            }
            self.inbox.extend(self.locks.claim(promise, &wait.name));
        }
    }
}
