//! How much to claim: free slots, and who has them in reserve.
//!
//! A slot is taken from the moment at which a claim may bring a task for it until the server knows how that task ended,
//! so a worker never holds more tasks than it has slots. Knows no connection.

use std::time::Duration;

use tokio::time::Instant;

/// The slots of a worker.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    /// Reserved by the session that waits for work.
    waiting: usize,
    /// Reserved by the flush that is in flight.
    flushing: usize,
}

impl Slots {
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            waiting: 0,
            flushing: 0,
        }
    }

    /// Returns how many may be claimed beside what runs and what has ended without the server's knowing.
    pub(super) fn free(&self, running: usize, unacknowledged: usize) -> usize {
        self.total
            .saturating_sub(running + unacknowledged + self.waiting + self.flushing)
    }

    pub(super) fn reserve_for_wait(&mut self, slots: usize) {
        self.waiting = slots;
    }

    pub(super) fn reserve_for_flush(&mut self, slots: usize) {
        self.flushing = slots;
    }

    /// The waiting session has answered.
    pub(super) fn wait_ended(&mut self) {
        self.waiting = 0;
    }

    /// The flush has answered.
    pub(super) fn flush_ended(&mut self) {
        self.flushing = 0;
    }
}

/// A claim that comes back empty at once, without having waited, says that the server cannot let it wait just now.
/// The pace keeps such a worker from asking in a tight loop.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pause: Duration,
    not_before: Option<Instant>,
}

const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Pace {
    /// A claim that was sent at `asked` brought nothing.
    pub(super) fn came_empty(&mut self, asked: Instant, now: Instant) {
        if now - asked >= SHORTEST_WAIT {
            return self.went_well();
        }
        self.pause = (self.pause * 2).clamp(SHORTEST_WAIT, LONGEST_PAUSE);
        self.not_before = Some(now + self.pause);
    }

    /// A claim waited, or brought something.
    pub(super) fn went_well(&mut self) {
        *self = Self::default();
    }

    /// Returns until when not to claim, if that is later than `now`.
    pub(super) fn not_before(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_unacknowledged_slots_are_not_free() {
        let mut slots = Slots::new(10);
        slots.reserve_for_wait(4);
        assert_eq!(slots.free(3, 1), 2);
        slots.reserve_for_flush(2);
        assert_eq!(slots.free(3, 1), 0);
        slots.wait_ended();
        slots.flush_ended();
        assert_eq!(slots.free(3, 1), 6);
        assert_eq!(slots.free(12, 1), 0);
    }

    #[test]
    fn empty_answers_without_a_wait_slow_the_claims_down() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..10 {
            pace.came_empty(start, start);
        }
        assert_eq!(pace.not_before(start), Some(start + LONGEST_PAUSE));
        pace.came_empty(start, start + Duration::from_secs(5));
        assert_eq!(pace.not_before(start), None);
    }
}
