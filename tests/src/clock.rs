//! Moves the clock of Rhythm, so that no test sleeps.

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

/// Does what a background worker would do now, until nothing is left to do.
pub async fn tick(session: &Session) {
    session.run("select rhythm.tick()").await;
}
