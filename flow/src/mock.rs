//! A host for tests and for `rhythm test`: a virtual clock, and lists of what the program asked for.
//!
//! It decides nothing: whoever drives the run looks at the lists and settles the promises.

use std::collections::BTreeMap;

pub use crate::host::Settlement;
use crate::host::{
    CallError, Host, HostError, Interrupt, LockWait, PromiseId, SignalWait, TaskCall,
};

/// A host that remembers.
#[derive(Debug, Default)]
pub struct MockHost {
    /// The virtual clock, in milliseconds since 1970.
    pub now_ms: f64,
    /// Tasks and child workflows that were started and not taken yet.
    pub tasks: Vec<(PromiseId, TaskCall)>,
    /// Timers that were started and not taken yet, with their due time.
    pub timers: Vec<(PromiseId, f64)>,
    /// Waits for signals that were not taken yet.
    pub signals: Vec<(PromiseId, SignalWait)>,
    /// Answers to requests: id and JSON text.
    pub replies: Vec<(String, String)>,
    /// Waits for mutexes that were not taken yet.
    pub locks: Vec<(PromiseId, LockWait)>,
    /// What was released.
    pub released: Vec<PromiseId>,
    /// Promises that were given up.
    pub cancelled: Vec<PromiseId>,
    /// What `Context.set` published, as JSON text.
    pub attributes: BTreeMap<String, String>,
    /// The log: level and line.
    pub logs: Vec<(&'static str, String)>,
    /// The groups of `await_all`.
    pub groups: Vec<Vec<PromiseId>>,
    /// The fan-outs: first promise, how many, how many at once.
    pub fan_outs: Vec<(PromiseId, u32, u32)>,
    /// Those that were decided early, by their first promises.
    pub ended_fan_outs: Vec<PromiseId>,
    /// What `Sql.query` was asked.
    pub queries: Vec<(String, String)>,
    /// Answers of `Sql.query` as JSON text, first come first served.
    pub rows: Vec<Result<String, CallError>>,
    /// How often the VM asked for interrupts.
    pub ticks: u64,
    /// What `tick` says once, if anything.
    pub interrupt: Option<Interrupt>,
    /// The seed of `Math.random` and of ids.
    pub seed: u64,
}

impl MockHost {
    /// Takes the timer that is due first, and moves the clock there.
    pub fn next_timer(&mut self) -> Option<PromiseId> {
        let first = (0..self.timers.len()).min_by(|a, b| {
            let key = |at: &usize| (self.timers[*at].1, self.timers[*at].0);
            key(a)
                .partial_cmp(&key(b))
                .unwrap_or(std::cmp::Ordering::Equal)
        })?;
        let (promise, due) = self.timers.remove(first);
        self.now_ms = self.now_ms.max(due);
        Some(promise)
    }

    fn number(&mut self) -> u64 {
        // SplitMix64: any sequence will do, as long as it is always the same one.
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Host for MockHost {
    fn now_ms(&mut self) -> f64 {
        self.now_ms
    }

    fn random(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.number(), self.number());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xFFFF,
            a & 0xFFF,
            b >> 52,
            b & 0xFFFF_FFFF_FFFF
        )
    }

    fn start_task(&mut self, promise: PromiseId, call: TaskCall) -> Result<(), HostError> {
        self.tasks.push((promise, call));
        Ok(())
    }

    fn start_timer(&mut self, promise: PromiseId, due_ms: f64) -> Result<(), HostError> {
        self.timers.push((promise, due_ms));
        Ok(())
    }

    fn next_signal(&mut self, promise: PromiseId, wait: SignalWait) -> Result<(), HostError> {
        self.signals.push((promise, wait));
        Ok(())
    }

    fn acquire(&mut self, promise: PromiseId, wait: LockWait) -> Result<(), HostError> {
        self.locks.push((promise, wait));
        Ok(())
    }

    fn release(&mut self, promise: PromiseId) {
        self.released.push(promise);
    }

    fn reply(&mut self, request: &str, value: &str) -> Result<(), HostError> {
        self.replies.push((request.to_owned(), value.to_owned()));
        Ok(())
    }

    fn cancel(&mut self, promise: PromiseId, _reason: &str) -> Result<(), HostError> {
        self.tasks.retain(|(id, _)| *id != promise);
        self.timers.retain(|(id, _)| *id != promise);
        self.signals.retain(|(id, _)| *id != promise);
        self.locks.retain(|(id, _)| *id != promise);
        self.cancelled.push(promise);
        Ok(())
    }

    fn await_all(&mut self, _group: u32, promises: &[PromiseId]) {
        self.groups.push(promises.to_vec());
    }

    fn fan_out(&mut self, first: PromiseId, count: u32, concurrency: u32) {
        self.fan_outs.push((first, count, concurrency));
    }

    fn end_fan_out(&mut self, first: PromiseId) {
        self.ended_fan_outs.push(first);
    }

    fn sql_query(&mut self, text: &str, params: &str) -> Result<String, CallError> {
        self.queries.push((text.to_owned(), params.to_owned()));
        if self.rows.is_empty() {
            Ok("[]".to_owned())
        } else {
            self.rows.remove(0)
        }
    }

    fn sql_exec(&mut self, text: &str, params: &str) -> Result<u64, CallError> {
        let answer = self.sql_query(text, params)?;
        // What is no number stands for no rows.
        Ok(answer.parse().unwrap_or(0))
    }

    fn set_attribute(&mut self, key: &str, value: &str) -> Result<(), HostError> {
        self.attributes.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn log(&mut self, level: &'static str, message: &str) {
        self.logs.push((level, message.to_owned()));
    }

    fn tick(&mut self) -> Result<(), Interrupt> {
        self.ticks += 1;
        self.interrupt.take().map_or(Ok(()), Err)
    }
}
