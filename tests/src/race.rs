//! Many sessions at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;

/// Runs `contender` as many times, all starting at the same moment, and gives what they gave in the order of their
/// numbers. A contender that hangs fails the test instead of the run.
pub async fn race<T, F>(
    contenders: usize,
    mut contender: impl FnMut(usize, Arc<Barrier>) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(contenders));
    let running: Vec<_> = (0..contenders)
        .map(|i| tokio::spawn(contender(i, Arc::clone(&start))))
        .collect();
    let mut gave = Vec::new();
    for task in running {
        let ended = tokio::time::timeout(Duration::from_secs(120), task).await;
        gave.push(
            ended
                .expect("nobody waits for two minutes")
                .expect("no contender panics"),
        );
    }
    gave
}

/// A small generator of numbers for choices that a test prints and can repeat.
#[derive(Clone, Debug)]
pub struct Dice(u64);

/// From `RHYTHM_TEST_SEED`, or a new one; printed, so that a failure can be run again.
#[must_use]
pub fn seed(test: &str) -> u64 {
    let seed = number("RHYTHM_TEST_SEED").unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |t| u64::from(t.subsec_nanos()) | 1)
    });
    eprintln!("{test}: RHYTHM_TEST_SEED={seed}");
    seed
}

/// A number that a variable of the environment gives.
#[must_use]
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

impl Dice {
    /// From `seed`.
    #[must_use]
    pub fn roll(test: &str) -> Self {
        Self(seed(test))
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        // Xorshift64*: good enough to choose whom to kill.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}
