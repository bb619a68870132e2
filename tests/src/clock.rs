//! Moves the clock of Rhythm, so that no test sleeps; and measures what is left of real time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::database::Session;

/// Moves the clock of this database ahead by an interval such as `1 hour`, and does what has become due.
pub async fn advance(session: &Session, by: &str) {
    session
        .run(&format!(
            "update rhythm.test_clock set shift = shift + interval '{by}'"
        ))
        .await;
    tick(session).await;
}

/// Runs retention now, until it is through: as often as its bounded steps take.
pub async fn retain(session: &Session) {
    session
        .run("update rhythm.maintenance set next_at = rhythm._now() - interval '1 second'")
        .await;
    let begun = Instant::now();
    let is_through = "select next_at > rhythm._now() from rhythm.maintenance";
    while session.text(is_through).await != "t" {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "retention is not through after three minutes"
        );
        tick(session).await;
    }
}

/// Does what a background worker would do now, until nothing is left to do.
pub async fn tick(session: &Session) {
    session.run("select rhythm.tick()").await;
}

/// Measures a time that must stay short, without what the machine stood still meanwhile: a test with a bound that cannot
/// grow should not fail because nothing at all went on.
#[derive(Debug)]
pub struct Stopwatch {
    begun: Instant,
    stood: Duration,
}

impl Stopwatch {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        Self {
            stood: stood_still(),
            begun: Instant::now(),
        }
    }

    /// The time since it was started, as far as this process could have used it.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let stood = stood_still().saturating_sub(self.stood);
        self.begun.elapsed().saturating_sub(stood)
    }
}

/// What a thread that does nothing but wake up has noticed.
struct Pulse {
    last: Instant,
    stood: Duration,
}

impl Pulse {
    const EVERY: Duration = Duration::from_millis(50);
    /// As much is a busy machine, not one that stands still.
    const LATE: Duration = Duration::from_millis(100);

    fn beat(&mut self) -> Duration {
        let late = self.last.elapsed().saturating_sub(Self::EVERY);
        if late > Self::LATE {
            self.stood += late;
        }
        self.last = Instant::now();
        self.stood
    }
}

/// For how long this process has stood still since this was first asked.
fn stood_still() -> Duration {
    static PULSE: Mutex<Option<Pulse>> = Mutex::new(None);
    let mut pulse = PULSE.lock().expect("nobody panics here");
    let pulse = pulse.get_or_insert_with(|| {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Pulse::EVERY);
                if let Some(pulse) = PULSE.lock().expect("nobody panics here").as_mut() {
                    pulse.beat();
                }
            }
        });
        Pulse {
            last: Instant::now(),
            stood: Duration::ZERO,
        }
    });
    pulse.beat()
}
