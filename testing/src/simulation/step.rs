//! The host of one step: gathers what the program wants, answers its SQL with what is known.
//!
//! Nothing that a step wants happens before the step has ended well, as on the server. A query without
//! an answer gives the step up; it runs again from its save once the answer is there.

use std::collections::BTreeMap;

use rhythm_flow::host::{
    ATTRIBUTES, CallError, Host, HostError, Interrupt, LockWait, PromiseId, SignalWait, TaskCall,
};

use serde_json::Value;

use super::Query;
use super::fan_out::FanOut;

/// What a step asked for.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) tasks: Vec<(PromiseId, TaskCall)>,
    pub(super) fan_outs: Vec<FanOut>,
    /// By their first promises.
    pub(super) ended_fan_outs: Vec<PromiseId>,
    pub(super) timers: Vec<(PromiseId, f64)>,
    pub(super) waits: Vec<(PromiseId, SignalWait)>,
    pub(super) locks: Vec<(PromiseId, LockWait)>,
    pub(super) releases: Vec<PromiseId>,
    pub(super) replies: Vec<(String, String)>,
    pub(super) cancels: Vec<(PromiseId, String)>,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) log: Vec<(&'static str, String)>,
    pub(super) statements: Vec<u32>,
}

/// The host of one step.
pub(super) struct StepHost<'a> {
    pub(super) now_ms: f64,
    pub(super) seed: u64,
    pub(super) effects: Effects,
    /// The answers to the first queries of this step.
    pub(super) answers: &'a [Result<String, HostError>],
    pub(super) asked: usize,
    /// The query that has no answer yet.
    pub(super) question: Option<Query>,
    /// All that the run has published, with this step.
    attributes: BTreeMap<String, String>,
}

impl<'a> StepHost<'a> {
    pub(super) fn new(
        now_ms: f64,
        seed: u64,
        answers: &'a [Result<String, HostError>],
        attributes: &BTreeMap<String, String>,
    ) -> Self {
        Self {
            attributes: attributes.clone(),
            now_ms,
            seed,
            effects: Effects::default(),
            answers,
            asked: 0,
            question: None,
        }
    }
}

/// SplitMix64: any sequence will do, as long as it is always the same one.
pub(super) fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A number in [0, 1).
pub(crate) fn fraction(seed: &mut u64) -> f64 {
    (draw(seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A UUID of version 4.
pub(crate) fn uuid(seed: &mut u64) -> String {
    let (a, b) = (draw(seed), draw(seed));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xFFFF,
        a & 0xFFF,
        b >> 52,
        b & 0xFFFF_FFFF_FFFF
    )
}

impl Host for StepHost<'_> {
    fn now_ms(&mut self) -> f64 {
        self.now_ms
    }

    fn random(&mut self) -> f64 {
        fraction(&mut self.seed)
    }

    fn uuid(&mut self) -> String {
        uuid(&mut self.seed)
    }

    fn start_task(&mut self, promise: PromiseId, call: TaskCall) -> Result<(), HostError> {
        self.effects.tasks.push((promise, call));
        Ok(())
    }

    fn start_timer(&mut self, promise: PromiseId, due_ms: f64) -> Result<(), HostError> {
        self.effects.timers.push((promise, due_ms));
        Ok(())
    }

    fn next_signal(&mut self, promise: PromiseId, wait: SignalWait) -> Result<(), HostError> {
        self.effects.waits.push((promise, wait));
        Ok(())
    }

    fn acquire(&mut self, promise: PromiseId, wait: LockWait) -> Result<(), HostError> {
        self.effects.locks.push((promise, wait));
        Ok(())
    }

    fn release(&mut self, promise: PromiseId) {
        self.effects.releases.push(promise);
    }

    fn reply(&mut self, request: &str, value: &str) -> Result<(), HostError> {
        let reply = (request.to_owned(), value.to_owned());
        self.effects.replies.push(reply);
        Ok(())
    }

    fn cancel(&mut self, promise: PromiseId, reason: &str) -> Result<(), HostError> {
        self.effects.cancels.push((promise, reason.to_owned()));
        Ok(())
    }

    fn await_all(&mut self, _group: u32, _promises: &[PromiseId]) {}

    fn fan_out(&mut self, first: PromiseId, count: u32, concurrency: u32) {
        let begun = FanOut::new(first, count, concurrency);
        self.effects.fan_outs.push(begun);
    }

    fn end_fan_out(&mut self, first: PromiseId) {
        self.effects.ended_fan_outs.push(first);
    }

    fn sql_query(&mut self, text: &str, params: &str) -> Result<String, CallError> {
        let number = self.asked;
        self.asked += 1;
        match self.answers.get(number) {
            Some(answer) => answer.clone().map_err(CallError::Throw),
            None => {
                self.question = Some(Query {
                    text: text.to_owned(),
                    params: params.to_owned(),
                });
                Err(CallError::Interrupt(Interrupt::Abandon))
            }
        }
    }

    fn sql_exec(&mut self, text: &str, params: &str) -> Result<u64, CallError> {
        let answer = self.sql_query(text, params)?;
        // A test may give the rows or their number.
        let count = match serde_json::from_str(&answer) {
            Ok(Value::Array(rows)) => Some(rows.len() as u64),
            Ok(Value::Number(count)) => count.as_u64(),
            _ => None,
        };
        count.ok_or_else(|| {
            CallError::Throw(HostError {
                name: "TypeError".into(),
                message: format!(
                    "What the test gives for Sql.exec must be a number of rows, not {}.",
                    answer.chars().take(100).collect::<String>()
                ),
                ..HostError::default()
            })
        })
    }

    fn set_attribute(&mut self, key: &str, value: &str) -> Result<(), HostError> {
        // As the server counts them: texts of JSON, names included.
        let others = self.attributes.iter().filter(|(name, _)| *name != key);
        let bytes: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        let bytes = bytes + key.len() + value.len();
        if bytes > ATTRIBUTES {
            return Err(rhythm_flow::host::too_many_attributes(bytes));
        }
        self.attributes.insert(key.to_owned(), value.to_owned());
        let attribute = (key.to_owned(), value.to_owned());
        self.effects.attributes.push(attribute);
        Ok(())
    }

    fn log(&mut self, level: &'static str, message: &str) {
        self.effects.log.push((level, message.to_owned()));
    }

    fn cover(&mut self, statement: u32) {
        self.effects.statements.push(statement);
    }

    fn tick(&mut self) -> Result<(), Interrupt> {
        // Fuel ends an endless step.
        Ok(())
    }
}
