//! Leaving in good order: from serving over draining to gone.
//!
//! Draining claims nothing and lets what runs end. When its time is up, what is left is given back without counting as
//! an attempt, and the worker leaves as soon as the server knows.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long the last outcomes may take to reach the server.
const FAREWELL: Duration = Duration::from_secs(3);

/// What somebody outside wants of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    Serve,
    Drain,
    Quit,
}

/// Stops a worker from outside; may be cloned and called from any thread.
#[derive(Clone, Debug)]
pub struct WorkerHandle(pub(super) watch::Sender<Wish>);

impl WorkerHandle {
    /// Lets what runs end, up to the grace period, then leaves.
    pub fn drain(&self) {
        self.wish(Wish::Drain);
    }

    /// Gives back what runs and leaves.
    pub fn quit(&self) {
        self.wish(Wish::Quit);
    }

    fn wish(&self, wish: Wish) {
        self.0.send_if_modified(|current| {
            let higher = wish > *current;
            *current = wish.max(*current);
            higher
        });
    }
}

/// Where the worker is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    /// Claims nothing; what runs may end until then.
    Draining {
        until: Instant,
    },
    /// What ran was given back; the outbox may empty itself until then.
    Leaving {
        until: Instant,
    },
}

impl Phase {
    /// Returns the phase that follows, if it is time for it.
    pub(super) fn next(self, wish: Wish, grace: Duration, now: Instant) -> Option<Self> {
        match (self, wish) {
            (Self::Serving, Wish::Drain) => Some(Self::Draining { until: now + grace }),
            (Self::Serving | Self::Draining { .. }, Wish::Quit) => Some(Self::Leaving {
                until: now + FAREWELL,
            }),
            (Self::Draining { until }, _) if now >= until => Some(Self::Leaving {
                until: now + FAREWELL,
            }),
            _ => None,
        }
    }

    pub(super) fn is_serving(self) -> bool {
        self == Self::Serving
    }

    /// Returns when it ends by itself.
    pub(super) fn until(self) -> Option<Instant> {
        match self {
            Self::Serving => None,
            Self::Draining { until } | Self::Leaving { until } => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    #[test]
    fn a_drain_has_its_grace_and_then_leaves() {
        let now = Instant::now();
        let draining = Phase::Serving.next(Wish::Drain, GRACE, now).unwrap();
        assert_eq!(draining, Phase::Draining { until: now + GRACE });
        assert_eq!(draining.next(Wish::Drain, GRACE, now + GRACE / 2), None);
        let leaving = draining.next(Wish::Drain, GRACE, now + GRACE).unwrap();
        assert_eq!(
            leaving,
            Phase::Leaving {
                until: now + GRACE + FAREWELL
            }
        );
        assert_eq!(leaving.next(Wish::Quit, GRACE, now + GRACE * 2), None);
    }

    #[test]
    fn a_second_wish_quits_and_is_never_taken_back() {
        let (sender, wishes) = watch::channel(Wish::Serve);
        let handle = WorkerHandle(sender);
        handle.drain();
        handle.quit();
        handle.drain();
        assert_eq!(*wishes.borrow(), Wish::Quit);
    }
}
