//! How long to leave a server alone that does not answer.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
/// Short enough that work goes on soon after a restart; a try costs the server little.
const LONGEST: Duration = Duration::from_secs(2);

/// Growing pauses with jitter, so that many workers do not come back at the same moment.
pub(crate) struct Backoff {
    failures: u32,
    /// Gives numbers from 0 to below 1.
    jitter: Box<dyn FnMut() -> f64 + Send>,
}

impl Backoff {
    pub(crate) fn new(jitter: impl FnMut() -> f64 + Send + 'static) -> Self {
        Self {
            failures: 0,
            jitter: Box::new(jitter),
        }
    }

    /// Draws the jitter from the standard library's hash keys, which differ from process to process.
    pub(crate) fn random() -> Self {
        let keys = RandomState::new();
        let mut drawn = 0_u64;
        Self::new(move || {
            drawn += 1;
            // 53 bits are what a double holds exactly.
            (keys.hash_one(drawn) >> 11) as f64 / (1_u64 << 53) as f64
        })
    }

    /// Returns how long to wait after one more failure: half to all of a duration that doubles each time.
    pub(crate) fn failed(&mut self) -> Duration {
        let full = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + (self.jitter)() / 2.0)
    }

    /// The server answered.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_start_over() {
        let mut backoff = Backoff::new(|| 1.0);
        let pauses: Vec<_> = (0..6).map(|_| backoff.failed().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000]);
        backoff.succeeded();
        assert_eq!(backoff.failed().as_millis(), 100);
    }

    #[test]
    fn jitter_takes_off_up_to_half() {
        let mut backoff = Backoff::new(|| 0.0);
        assert_eq!(backoff.failed().as_millis(), 50);
        let mut random = Backoff::random();
        let first = random.failed().as_millis();
        assert!((50..=100).contains(&first), "{first}");
    }
}
