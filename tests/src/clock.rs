//! Moves the clock of Rhythm, so that no test sleeps.

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
            begun.elapsed() < Duration::from_secs(60),
            "retention is not through after a minute"
        );
        tick(session).await;
    }
}

/// Does what a background worker would do now, until nothing is left to do.
pub async fn tick(session: &Session) {
    session.run("select rhythm.tick()").await;
}
