//! Promises that the program gives up (`Task.cancel`): they reject at once, and what is behind them need not go on.

use super::cx::Cx;
use crate::error::Throw;
use crate::host::{HostError, PromiseId, Settlement};
use crate::value::promise::{Combinator, PromiseState};
use crate::value::{Body, Ref, Value};

impl Cx<'_> {
    /// Settles a promise of the host with a `CancelledError`, since the program has given it up. False: it is settled.
    pub(crate) fn give_up(&mut self, at: Ref, reason: &str) -> Result<bool, Throw> {
        let Some((host, PromiseState::Pending)) = self
            .promise(at)
            .and_then(|promise| Some((promise.host?, promise.state)))
        else {
            return Ok(false);
        };
        if let Err(error) = self.host.cancel(host.id, reason) {
            return Err(self.thrown_by_host(&error));
        }
        // Whoever gives it up need not look at it.
        if let Some(promise) = self.promise(at) {
            promise.handled = true;
        }
        let cancelled = Settlement::Rejected(HostError {
            name: "CancelledError".into(),
            message: reason.to_owned(),
            ..HostError::default()
        });
        self.settle_host(at, cancelled)?;
        Ok(true)
    }

    /// The fan-out that is behind a promise which is not settled.
    ///
    /// # Errors
    /// When the fuel is used up: nothing leads from the promise to it, so that it is looked for.
    pub(crate) fn fan_out_of(&mut self, promise: Ref) -> Result<Option<Ref>, Throw> {
        let (mut seen, mut found) = (0, None);
        for (at, body) in self.heap.iter() {
            seen += 1;
            if let Body::Aggregate(body) = body
                && (body.kind, body.derived) == (Combinator::FanOut, promise)
            {
                found = Some(at);
                break;
            }
        }
        self.work(seen)?;
        Ok(found)
    }

    /// Rejects a fan-out with a `CancelledError`, since the program has given it up: what of it runs need not go on, and what is held
    /// need not begin. False: it is decided.
    pub(crate) fn give_up_fan_out(&mut self, aggregate: Ref, reason: &str) -> Result<bool, Throw> {
        let Body::Aggregate(body) = self.heap.body(aggregate) else {
            return Err(Throw::fault("combinator"));
        };
        let derived = body.derived;
        let numbers = body.first..body.first.saturating_add(body.values.len() as PromiseId);
        let left: Vec<PromiseId> = self.state.pending.range(numbers).map(|(n, _)| *n).collect();
        if left.is_empty() {
            // All of them are settled: so it is about to be.
            return Ok(false);
        }
        let error = self.host_error(&HostError {
            name: "CancelledError".into(),
            message: reason.to_owned(),
            ..HostError::default()
        })?;
        // First, since the host may refuse the reason: then it goes on.
        for number in left {
            self.work(1)?;
            if let Err(error) = self.host.cancel(number, reason) {
                return Err(self.thrown_by_host(&error));
            }
        }
        self.end_fan_out(aggregate);
        if let Some(promise) = self.promise(derived) {
            promise.handled = true;
        }
        self.reject(derived, Value::Object(error));
        Ok(true)
    }
}
