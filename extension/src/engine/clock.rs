//! The clock of a step: Rhythm's clock when the step had its events, moved on by the process's own.

use std::time::Instant;

use crate::db::DbResult;
use crate::kept;

/// What time it is, without a call of the server each time that a program asks.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    start_ms: f64,
    started: Instant,
}

impl Clock {
    /// A clock that is right now. A step reads it when it has its events: what has happened is not in the future.
    pub(super) fn read() -> DbResult<Self> {
        let started = Instant::now();
        let microseconds = kept::now()? + kept::EPOCH_MICROSECONDS;
        Ok(Self {
            start_ms: microseconds as f64 / 1000.0,
            started,
        })
    }

    /// This one, or another that shows more: in one step time does not go back, though the server's clock be set.
    pub(super) fn or_later(self, other: Self) -> Self {
        if other.exact_ms() > self.exact_ms() {
            other
        } else {
            self
        }
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
