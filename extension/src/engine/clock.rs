//! The clock of a step: Rhythm's clock as SQL gave it at the start, moved on by the process's own.

use std::time::Instant;

/// What time it is, without a call of SQL each time that a program asks.
pub(super) struct Clock {
    start_ms: f64,
    started: Instant,
}

impl Clock {
    /// A clock that showed `start_ms` (since 1970) at `started`.
    pub(super) fn at(start_ms: f64, started: Instant) -> Self {
        Self { start_ms, started }
    }

    /// Whole milliseconds since 1970, as `Date.now()` gives them.
    pub(super) fn now_ms(&self) -> f64 {
        self.exact_ms().floor()
    }

    /// Milliseconds since 1970, as exact as other times that are stored beside it.
    pub(super) fn exact_ms(&self) -> f64 {
        self.start_ms + self.started.elapsed().as_secs_f64() * 1000.0
    }
}
