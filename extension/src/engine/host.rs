//! The host of a step: gathers effects, runs SQL as the deployer, watches the time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rhythm_flow::Used;
use rhythm_flow::host::{
    self, ATTRIBUTES, CallError, Host, HostError, Interrupt, LockWait, PromiseId, SignalWait,
    TaskCall,
};

use super::clock::Clock;
use super::effects::Effects;
use super::near::Limit;
use super::{json, rows};
use crate::db::Failure;
use crate::db::deployer::{self, Deployer};
use crate::db::sql_query::{self, Answer};
use crate::db::step as store;
use crate::{process, timer};

/// Bytes that a name of a task or signal may have: it is part of an index entry.
const NAME: usize = 255;
/// Bytes of a signal's key, as of a `task_id`.
const KEY: usize = 1024;
/// Bytes of a reason to cancel.
const REASON: usize = 10_000;

/// The host of one step.
pub(super) struct StepHost {
    definition: i64,
    /// What time it is; read anew whenever the run goes on.
    pub(super) clock: Clock,
    started: Instant,
    timeout: Option<Duration>,
    pub(super) effects: Effects,
    id: pgrx::Uuid,
    /// Bytes of what the run has published, by name, once it publishes.
    published: Option<HashMap<String, usize>>,
    deployers: Deployers,
}

/// The deployers of the definitions that step together, asked for once.
pub(super) type Deployers = Rc<RefCell<HashMap<i64, Deployer>>>;

impl StepHost {
    pub(super) fn new(
        id: pgrx::Uuid,
        definition: i64,
        clock: Clock,
        timeout: Option<Duration>,
        deployers: Deployers,
    ) -> Self {
        Self {
            id,
            deployers,
            published: None,
            definition,
            clock,
            started: Instant::now(),
            timeout,
            effects: Effects::default(),
        }
    }

    fn time_is_up(&self) -> Interrupt {
        let millis = self.timeout.unwrap_or_default().as_millis();
        Interrupt::Limit {
            setting: "rhythm.step_timeout",
            message: format!("The step ran longer than {millis} ms without waiting for anything."),
        }
    }

    /// How long the step may go on; an interrupt if its time is up.
    fn time_left(&self) -> Result<Option<Duration>, Interrupt> {
        match self
            .timeout
            .map(|timeout| timeout.checked_sub(self.started.elapsed()))
        {
            None => Ok(None),
            Some(Some(left)) if !left.is_zero() => Ok(Some(left)),
            Some(_) => Err(self.time_is_up()),
        }
    }

    /// Notes how near the step has come to the limits that others watch.
    pub(super) fn note_used(&mut self, used: Used, took: Duration) {
        let millis = took.as_millis();
        let near = &mut self.effects.near;
        near.note(Limit::Timeout, u64::try_from(millis).unwrap_or(u64::MAX));
        near.note(Limit::Fuel, used.fuel);
        near.note(Limit::Heap, used.heap_bytes as u64);
    }

    fn deployer(&self) -> Result<Deployer, CallError> {
        if let Some(deployer) = self.deployers.borrow().get(&self.definition) {
            return Ok(deployer.clone());
        }
        match deployer::of_definition(self.definition) {
            Ok(Some(deployer)) => {
                let mut deployers = self.deployers.borrow_mut();
                Ok(deployers.entry(self.definition).or_insert(deployer).clone())
            }
            Ok(None) => Err(CallError::Throw(sql_error(
                "42704",
                "the role that deployed this workflow does not exist any more; deploy the workflow again, and start it anew",
            ))),
            Err(error) => Err(CallError::Throw(sql_error("XX000", &error.to_string()))),
        }
    }

    /// Gives JSON text: rows, or only their number.
    fn sql(&mut self, count_only: bool, text: &str, params: &str) -> Result<String, CallError> {
        let call = if count_only { "Sql.exec" } else { "Sql.query" };
        json::check(&format!("The parameters of {call}"), params).map_err(CallError::Throw)?;
        if text.contains('\0') {
            return Err(CallError::Throw(sql_error(
                "22021",
                &format!("the text of {call} holds U+0000"),
            )));
        }
        let left = self.time_left().map_err(CallError::Interrupt)?;
        let deployer = self.deployer()?;
        match timer::run(left, || sql_query::run(&deployer, text, params, count_only)) {
            Ok(Answer::Rows {
                rows,
                string_columns,
            }) => {
                self.effects.near.note(Limit::Rows, rows.len() as u64);
                Ok(rows::with_safe_numbers(&rows, &string_columns))
            }
            Ok(Answer::Failed(error)) => Err(CallError::Throw(thrown(error))),
            Ok(Answer::TimedOut) => Err(CallError::Interrupt(self.time_is_up())),
            Err(error) => Err(CallError::Throw(sql_error("XX000", &error.to_string()))),
        }
    }
}

impl Host for StepHost {
    fn now_ms(&mut self) -> f64 {
        self.clock.now_ms()
    }

    fn random(&mut self) -> f64 {
        // 53 random bits: as fine as a double between 0 and 1 can be.
        (u64::from_le_bytes(process::random_bytes()) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn uuid(&mut self) -> String {
        let mut bytes: [u8; 16] = process::random_bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        pgrx::Uuid::from_bytes(bytes).to_string()
    }

    fn start_task(&mut self, promise: PromiseId, call: TaskCall) -> Result<(), HostError> {
        check_name(&format!("a {}'s name", call.kind.word()), &call.name, NAME)?;
        self.effects.task(promise, call)
    }

    fn start_timer(&mut self, promise: PromiseId, due_ms: f64) -> Result<(), HostError> {
        self.effects.timer(promise, due_ms);
        Ok(())
    }

    fn next_signal(&mut self, promise: PromiseId, wait: SignalWait) -> Result<(), HostError> {
        check_name("a signal's name", &wait.name, NAME)?;
        if let Some(key) = &wait.key {
            check_name("a signal's key", key, KEY)?;
        }
        self.effects.signal(promise, wait);
        Ok(())
    }

    fn acquire(&mut self, promise: PromiseId, wait: LockWait) -> Result<(), HostError> {
        check_name("a mutex's name", &wait.name, NAME)?;
        self.effects.acquire(promise, wait);
        Ok(())
    }

    fn release(&mut self, promise: PromiseId) {
        self.effects.release(promise);
    }

    fn reply(&mut self, request: &str, value: &str) -> Result<(), HostError> {
        self.effects.reply(request, value)
    }

    fn cancel(&mut self, promise: PromiseId, reason: &str) -> Result<(), HostError> {
        check_name("the reason of Task.cancel", reason, REASON)?;
        self.effects.cancel(promise, reason);
        Ok(())
    }

    fn await_all(&mut self, group: u32, promises: &[PromiseId]) {
        self.effects.group(group, promises);
    }

    fn fan_out(&mut self, first: PromiseId, count: u32, concurrency: u32) {
        self.effects.fan_out(first, count, concurrency);
    }

    fn end_fan_out(&mut self, first: PromiseId) {
        self.effects.end_fan_out(first);
    }

    fn sql_query(&mut self, text: &str, params: &str) -> Result<String, CallError> {
        self.sql(false, text, params)
    }

    fn sql_exec(&mut self, text: &str, params: &str) -> Result<u64, CallError> {
        let count = self.sql(true, text, params)?;
        count
            .parse()
            .map_err(|_| CallError::Throw(sql_error("XX000", "the number of rows is not known")))
    }

    fn set_attribute(&mut self, key: &str, value: &str) -> Result<(), HostError> {
        check_name("the key of Context.set", key, NAME)?;
        let sizes = match &mut self.published {
            Some(sizes) => sizes,
            // Only who publishes something asks what there is.
            None => match store::attribute_sizes(self.id) {
                Ok(sizes) => self.published.insert(sizes),
                Err(error) => return Err(sql_error("XX000", &error.to_string())),
            },
        };
        let mine = key.len() + value.len();
        let others = sizes.iter().filter(|(name, _)| *name != key);
        let bytes = others.map(|(_, bytes)| bytes).sum::<usize>() + mine;
        self.effects.near.note(Limit::Attributes, bytes as u64);
        if bytes > ATTRIBUTES {
            return Err(host::too_many_attributes(bytes));
        }
        sizes.insert(key.to_owned(), mine);
        self.effects.attribute(key, value)
    }

    fn log(&mut self, level: &'static str, message: &str) {
        let at_ms = self.clock.exact_ms();
        self.effects.log(level, message, at_ms);
    }

    fn tick(&mut self) -> Result<(), Interrupt> {
        process::check_interrupts();
        self.time_left().map(drop)
    }
}

/// An error of SQL as the language sees it.
pub(super) fn thrown(failure: Failure) -> HostError {
    let Failure {
        name,
        message,
        code,
        data,
        cause,
    } = failure;
    HostError {
        name,
        message,
        code,
        data,
        cause,
    }
}

fn sql_error(code: &str, message: &str) -> HostError {
    HostError {
        name: "SqlError".into(),
        message: message.into(),
        code: Some(code.into()),
        ..HostError::default()
    }
}

fn check_name(what: &str, name: &str, most: usize) -> Result<(), HostError> {
    let why = if name.is_empty() || name.len() > most {
        format!("{what} must have 1 to {most} bytes, not {}", name.len())
    } else if name.contains('\0') {
        format!("{what} must not hold U+0000")
    } else {
        return Ok(());
    };
    Err(HostError {
        name: "RangeError".into(),
        message: why,
        ..HostError::default()
    })
}
