//! The outbox: outcomes of tasks until the server has acknowledged them.
//!
//! What gathers while a flush is in flight goes with the next one. Nothing is forgotten because of a broken connection:
//! sending an outcome twice is harmless, since the first one used up the token. Knows no time and no connection.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use super::run::{Key, TaskFailure};

/// A batch is cut here, well below what one jsonb value can hold.
const BATCH_BYTES: usize = 16 << 20;
const BATCH_OUTCOMES: usize = 1000;

/// How an outcome says that its task goes back without counting as an attempt. A server that does not know `release`
/// sees a failure that is tried again at once.
const RELEASE: &str = "\"release\":true,\"retryable\":true,\"retry_in\":\"0 seconds\",\
    \"error\":{\"name\":\"WorkerLeft\",\"message\":\"the worker left before the task was done\"}";

/// What happened to a task that this worker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ended with this JSON text.
    Completed(String),
    /// The attempt failed.
    Failed(TaskFailure),
    /// It is put off, and the attempt does not count.
    Snoozed(Duration),
    /// It was not finished, and goes back as if never claimed.
    Released,
}

/// One entry of the outbox.
#[derive(Clone, Debug)]
struct Outcome {
    key: Key,
    json: String,
    /// Sent in a batch of so many at most, without others, since a larger one with it was refused.
    part: Option<usize>,
    /// Its result was refused already, and this is the failure that says so.
    replaced: bool,
}

/// Outcomes on their way to the server.
#[derive(Debug)]
pub(super) struct Batch(Vec<Outcome>);

impl Batch {
    /// Returns the JSON array that `finish` takes.
    pub(super) fn to_json(&self) -> String {
        let mut json = String::from("[");
        for (at, outcome) in self.0.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(&outcome.json);
        }
        json.push(']');
        json
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is sent to find out who spoils batches; nothing is claimed with it.
    pub(super) fn is_part(&self) -> bool {
        self.0.first().is_some_and(|outcome| outcome.part.is_some())
    }
}

/// The outcomes that the server has not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    gathered: VecDeque<Outcome>,
    in_flight: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, key: Key, fate: &Fate) {
        self.gathered.push_back(Outcome {
            key,
            json: to_json(key, fate),
            part: None,
            replaced: false,
        });
    }

    /// Returns how many leases are still held for what has ended.
    pub(super) fn len(&self) -> usize {
        self.gathered.len() + self.in_flight
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes what should be sent next, unless a batch is in flight or there is nothing.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        if self.in_flight > 0 {
            return None;
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        let part = self.gathered.front().and_then(|first| first.part);
        let most = part.unwrap_or(BATCH_OUTCOMES);
        while let Some(next) = self.gathered.front() {
            let fits = bytes + next.json.len() <= BATCH_BYTES && batch.len() < most;
            if !batch.is_empty() && (next.part != part || !fits) {
                break;
            }
            bytes += next.json.len();
            batch.extend(self.gathered.pop_front());
        }
        self.in_flight = batch.len();
        (!batch.is_empty()).then_some(Batch(batch))
    }

    /// The server has committed the batch.
    pub(super) fn acknowledge(&mut self, _: Batch) {
        self.in_flight = 0;
    }

    /// It is not known whether the server has committed the batch: it goes first next time.
    pub(super) fn put_back(&mut self, batch: Batch) {
        self.in_flight = 0;
        for outcome in batch.0.into_iter().rev() {
            self.gathered.push_front(outcome);
        }
    }

    /// The server failed over the batch: each outcome is tried on its own, after all others. (Not half by half: there is a pause
    /// after each such failure.)
    pub(super) fn set_aside(&mut self, batch: Batch) {
        self.in_flight = 0;
        let alone = batch.0.into_iter().map(|outcome| Outcome {
            part: Some(1),
            ..outcome
        });
        self.gathered.extend(alone);
    }

    /// The server refused the batch for what is in it, such as a string that jsonb cannot hold. Of a batch of several each half
    /// is tried; an outcome that is refused alone becomes a failure that says why. Returns what had to be dropped because
    /// even that was refused; its lease will run out.
    pub(super) fn refuse(&mut self, batch: Batch, reason: &str) -> Option<Key> {
        self.in_flight = 0;
        let half = batch.0.len().div_ceil(2);
        let several = batch.0.len() > 1;
        let mut dropped = None;
        for mut outcome in batch.0.into_iter().rev() {
            if !several && outcome.replaced {
                dropped = Some(outcome.key);
                continue;
            }
            if !several {
                let message = format!("the server refused what the task returned: {reason}");
                let failure = TaskFailure::permanent("ResultError", message);
                outcome.json = to_json(outcome.key, &Fate::Failed(failure));
                outcome.replaced = true;
            }
            outcome.part = Some(half);
            self.gathered.push_front(outcome);
        }
        dropped
    }
}

/// Returns one outcome as `finish` takes it. The token is a string: 64 bits do not fit into every JSON number.
fn to_json((id, token): Key, fate: &Fate) -> String {
    let mut json = format!("{{\"id\":\"{id}\",\"token\":\"{token}\",");
    // Writing to a String cannot fail.
    let _ = match fate {
        Fate::Completed(result) => write!(json, "\"result\":{result}"),
        Fate::Released => json.write_str(RELEASE),
        Fate::Snoozed(delay) => write!(json, "\"retry_in\":\"{} seconds\"", delay.as_secs_f64()),
        Fate::Failed(failure) => {
            let _ = write!(
                json,
                "\"error\":{},\"retryable\":{}",
                failure.to_json(),
                failure.retryable
            );
            match failure.retry_in {
                Some(delay) => write!(json, ",\"retry_in\":\"{} seconds\"", delay.as_secs_f64()),
                None => Ok(()),
            }
        }
    };
    json.push('}');
    json
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(n: u128) -> Key {
        (Uuid::from_u128(n), 7)
    }

    fn outbox(n: u128) -> Outbox {
        let mut outbox = Outbox::default();
        for i in 0..n {
            outbox.push(key(i), &Fate::Completed(i.to_string()));
        }
        outbox
    }

    #[test]
    fn what_gathers_during_a_flush_goes_with_the_next() {
        let mut outbox = outbox(1);
        let first = outbox.next_batch().unwrap();
        outbox.push(key(2), &Fate::Completed("2".into()));
        outbox.push(key(3), &Fate::Completed("3".into()));
        assert!(outbox.next_batch().is_none());
        assert_eq!(outbox.len(), 3);
        outbox.acknowledge(first);
        assert_eq!(outbox.next_batch().unwrap().0.len(), 2);
    }

    #[test]
    fn an_unanswered_batch_is_sent_again_first() {
        let mut outbox = outbox(2);
        let batch = outbox.next_batch().unwrap();
        outbox.push(key(9), &Fate::Released);
        outbox.put_back(batch);
        let again = outbox.next_batch().unwrap();
        let ids: Vec<_> = again.0.iter().map(|o| o.key).collect();
        assert_eq!(ids, [key(0), key(1), key(9)]);
    }

    #[test]
    fn a_bad_outcome_is_found_and_becomes_a_failure_while_the_others_settle() {
        let mut outbox = outbox(3);
        let batch = outbox.next_batch().unwrap();
        assert!(outbox.refuse(batch, "bad").is_none());
        let half = outbox.next_batch().unwrap();
        assert!(half.is_part());
        assert_eq!(half.0.len(), 2);
        assert!(outbox.refuse(half, "bad").is_none());
        let alone = outbox.next_batch().unwrap();
        assert_eq!(alone.0.len(), 1);
        assert!(outbox.refuse(alone, "no \\u0000").is_none());
        let replaced = outbox.next_batch().unwrap();
        assert!(replaced.to_json().contains("ResultError"));
        outbox.acknowledge(replaced);
        for _ in 0..2 {
            let batch = outbox.next_batch().unwrap();
            assert_eq!(batch.0.len(), 1);
            outbox.acknowledge(batch);
        }
        assert!(outbox.is_empty());
    }

    #[test]
    fn one_bad_outcome_spoils_few_batches_of_many() {
        for bad in [0, 500, 999] {
            let mut outbox = outbox(BATCH_OUTCOMES as u128);
            outbox.push(key(2000), &Fate::Completed("2000".into()));
            let (mut refused, mut taken, mut settled) = (0, 0, 0);
            while let Some(batch) = outbox.next_batch() {
                if batch.0.iter().any(|o| o.key == key(bad) && !o.replaced) {
                    assert!(outbox.refuse(batch, "bad").is_none());
                    refused += 1;
                } else {
                    settled += batch.len();
                    outbox.acknowledge(batch);
                    taken += 1;
                }
            }
            assert_eq!(settled, BATCH_OUTCOMES + 1);
            assert!(refused <= 11 && taken <= 14, "{refused} and {taken}");
        }
    }

    #[test]
    fn what_is_refused_even_as_a_failure_is_dropped() {
        let mut outbox = outbox(1);
        let batch = outbox.next_batch().unwrap();
        assert!(outbox.refuse(batch, "bad").is_none());
        let batch = outbox.next_batch().unwrap();
        assert_eq!(outbox.refuse(batch, "bad"), Some(key(0)));
        assert!(outbox.is_empty());
    }

    #[test]
    fn large_batches_are_cut() {
        let mut outbox = Outbox::default();
        for i in 0..3 {
            outbox.push(
                key(i),
                &Fate::Completed(format!("\"{}\"", "x".repeat(9 << 20))),
            );
        }
        assert_eq!(outbox.next_batch().unwrap().0.len(), 1);
    }

    #[test]
    fn outcomes_read_as_the_sql_function_documents_them() {
        let mut failure = TaskFailure::new("E", "m");
        failure.retry_in = Some(Duration::from_millis(1500));
        let mut outbox = Outbox::default();
        outbox.push(key(1), &Fate::Completed("{\"a\":1}".into()));
        outbox.push(key(2), &Fate::Failed(failure));
        outbox.push(key(3), &Fate::Released);
        outbox.push(key(4), &Fate::Snoozed(Duration::from_secs(600)));
        let json = outbox.next_batch().unwrap().to_json();
        insta::assert_snapshot!(json.replace("},{", "},\n{"), @r#"
        [{"id":"00000000-0000-0000-0000-000000000001","token":"7","result":{"a":1}},
        {"id":"00000000-0000-0000-0000-000000000002","token":"7","error":{"name":"E","message":"m"},"retryable":true,"retry_in":"1.5 seconds"},
        {"id":"00000000-0000-0000-0000-000000000003","token":"7","release":true,"retryable":true,"retry_in":"0 seconds","error":{"name":"WorkerLeft","message":"the worker left before the task was done"}},
        {"id":"00000000-0000-0000-0000-000000000004","token":"7","retry_in":"600 seconds"}]
        "#);
    }
}
