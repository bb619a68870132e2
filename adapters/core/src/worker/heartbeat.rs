//! Heartbeats: which of the running tasks need their lease extended, and when.
//!
//! A task that ends within a third of its lease costs none. Knows no connection.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::run::Key;

/// When each running task's lease wants to be extended.
#[derive(Debug)]
pub(super) struct Beats {
    period: Duration,
    by_time: BTreeSet<(Instant, Key)>,
    by_key: HashMap<Key, Beat>,
    /// When all were last hurried.
    hurried: Option<Instant>,
}

/// How often all may be hurried: a server that cannot let a claim wait, for whatever reason, must not be flooded.
const BETWEEN_HURRIES: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Beat {
    at: Option<Instant>,
    /// Extended at each third of the lease, not only when the handler asks for it.
    automatic: bool,
}

impl Beats {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            period: lease / 3,
            by_time: BTreeSet::new(),
            by_key: HashMap::new(),
            hurried: None,
        }
    }

    /// A task runs whose lease began at `since`.
    pub(super) fn add(&mut self, key: Key, since: Instant, automatic: bool) {
        self.by_key.insert(
            key,
            Beat {
                at: None,
                automatic,
            },
        );
        if automatic {
            self.schedule(key, since + self.period);
        }
    }

    /// Extends the lease at the next occasion, if the task still runs.
    pub(super) fn hurry(&mut self, key: Key, now: Instant) {
        self.schedule(key, now);
    }

    /// The same, within a time, if no beat is due before.
    pub(super) fn within(&mut self, key: Key, delay: Duration, now: Instant) {
        let next = self.by_key.get(&key).and_then(|beat| beat.at);
        if next.is_none_or(|at| at > now + delay) {
            self.schedule(key, now + delay);
        }
    }

    /// Asks the server about all, since it seems to know something about one. Not about tasks with a heartbeat timeout: who
    /// beats for them says that their handlers are alive.
    pub(super) fn hurry_all(&mut self, now: Instant) {
        let at = self
            .hurried
            .map_or(now, |last| now.max(last + BETWEEN_HURRIES));
        let all = self.by_key.iter().filter(|(_, beat)| beat.automatic);
        let keys: Vec<Key> = all.map(|(key, _)| *key).collect();
        if !keys.is_empty() {
            self.hurried = Some(at);
        }
        for key in keys {
            self.within(key, at - now, now);
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(Beat { at: Some(at), .. }) = self.by_key.remove(&key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// Returns when the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes those that are due, and those that soon would be, so that one round trip serves them. They are taken to be
    /// extended by it.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Key> {
        if self.next().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let soon = now + self.period / 4;
        let due: Vec<Key> = self
            .by_time
            .iter()
            .take_while(|(at, _)| *at <= soon)
            .map(|(_, key)| *key)
            .collect();
        for key in &due {
            match self.by_key.get_mut(key) {
                Some(beat) if !beat.automatic => {
                    if let Some(at) = beat.at.take() {
                        self.by_time.remove(&(at, *key));
                    }
                }
                _ => self.schedule(*key, now + self.period),
            }
        }
        due
    }

    fn schedule(&mut self, key: Key, at: Instant) {
        if let Some(beat) = self.by_key.get_mut(&key) {
            if let Some(before) = beat.at.replace(at) {
                self.by_time.remove(&(before, key));
            }
            self.by_time.insert((at, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn key(n: u128) -> Key {
        (Uuid::from_u128(n), 1)
    }

    #[test]
    fn a_short_task_needs_none() {
        let start = Instant::now();
        let mut beats = Beats::new(LEASE);
        beats.add(key(1), start, true);
        assert!(beats.take_due(start + Duration::from_secs(19)).is_empty());
        beats.remove(key(1));
        assert_eq!(beats.next(), None);
    }

    #[test]
    fn those_due_soon_go_along() {
        let start = Instant::now();
        let mut beats = Beats::new(LEASE);
        beats.add(key(1), start, true);
        beats.add(key(2), start + Duration::from_secs(4), true);
        beats.add(key(3), start + Duration::from_secs(15), true);
        assert_eq!(
            beats.take_due(start + Duration::from_secs(20)),
            [key(1), key(2)]
        );
        assert_eq!(beats.next(), Some(start + Duration::from_secs(35)));
    }

    #[test]
    fn a_handler_may_ask_for_one_at_once_but_not_after_its_end() {
        let start = Instant::now();
        let mut beats = Beats::new(LEASE);
        beats.add(key(1), start, true);
        beats.hurry(key(1), start);
        beats.hurry(key(2), start);
        assert_eq!(beats.take_due(start), [key(1)]);
    }

    #[test]
    fn all_are_hurried_once_a_second_but_those_that_beat_for_themselves() {
        let start = Instant::now();
        let mut beats = Beats::new(LEASE);
        beats.add(key(1), start, true);
        beats.add(key(2), start, false);
        beats.hurry_all(start);
        assert_eq!(beats.take_due(start), [key(1)]);
        beats.hurry_all(start);
        assert_eq!(beats.next(), Some(start + Duration::from_secs(1)));
        beats.hurry_all(start);
        let later = start + Duration::from_secs(9);
        assert_eq!(beats.take_due(later), [key(1)]);
        beats.hurry_all(later);
        assert_eq!(beats.next(), Some(later));
    }

    #[test]
    fn a_beat_within_a_time_does_not_put_off_an_earlier_one() {
        let start = Instant::now();
        let mut beats = Beats::new(LEASE);
        beats.add(key(1), start, true);
        beats.within(key(1), Duration::from_secs(1), start);
        beats.within(key(1), Duration::from_secs(2), start);
        assert_eq!(beats.next(), Some(start + Duration::from_secs(1)));
    }

    #[test]
    fn a_task_with_a_heartbeat_timeout_beats_only_when_it_asks() {
        let start = Instant::now();
        let mut beats = Beats::new(LEASE);
        beats.add(key(1), start, false);
        assert_eq!(beats.next(), None);
        beats.hurry(key(1), start);
        assert_eq!(beats.take_due(start), [key(1)]);
        assert_eq!(beats.next(), None);
    }
}
