//! What a step wants from the world, gathered as the JSON text that `_apply_effects` takes.
//!
//! Nothing is written while the program runs: a step that fails has no effects.

use std::collections::{BTreeMap, HashMap};

use rhythm_flow::host::{HostError, LockWait, PromiseId, SignalWait, TaskCall};

use super::json::{self, key, quote};
use super::near::{Limit, Near};

/// Bytes of all that one step may hand over at once; one value of `jsonb` has to hold it.
pub(super) const SIZE: usize = 160 << 20;
/// Lines of the log that one step may write. More is of no use to anybody, and would fill the disk.
pub(super) const LOG_LINES: usize = 1000;
/// Bytes of all these lines: those of many steps are held together.
pub(super) const LOG_BYTES: usize = 2 << 20;
/// Bytes of one line of the log.
pub(super) const LOG_LINE: usize = 16 << 10;

/// One promise in so many makes a run be looked at for what it need not keep any more. A prime: in loops of any length each of
/// their promises comes to a multiple of it.
const LONG: PromiseId = 997;

/// Promises of which so many at once are to have their tasks.
struct FanOut {
    first: PromiseId,
    last: PromiseId,
    concurrency: u32,
}

impl FanOut {
    /// The first one that has to wait for its turn.
    fn next(&self) -> PromiseId {
        self.first + self.concurrency
    }

    fn holds(&self, promise: PromiseId) -> bool {
        (self.next()..=self.last).contains(&promise)
    }
}

/// Effects of one step.
#[derive(Default)]
pub(super) struct Effects {
    tasks: Vec<(PromiseId, TaskCall)>,
    groups: HashMap<PromiseId, u32>,
    fan_outs: Vec<FanOut>,
    ended_fan_outs: Vec<PromiseId>,
    timers: Vec<(PromiseId, f64)>,
    signals: Vec<(PromiseId, SignalWait)>,
    locks: Vec<(PromiseId, LockWait)>,
    releases: Vec<PromiseId>,
    replies: Vec<(String, String)>,
    /// What is given up together, for one reason.
    cancels: Vec<(Vec<PromiseId>, String)>,
    attributes: BTreeMap<String, String>,
    logs: Vec<String>,
    /// Lines that `take` has handed over, for a step that fails after that.
    written_logs: Vec<String>,
    log_bytes: usize,
    is_log_full: bool,
    size: usize,
    /// What the step has come near to.
    pub(super) near: Near,
}

impl Effects {
    pub(super) fn task(&mut self, promise: PromiseId, call: TaskCall) -> Result<(), HostError> {
        self.check(
            &format!("The inputs of a {}", call.kind.word()),
            &call.inputs,
        )?;
        self.count(call.inputs.len() + call.options.len() + call.name.len())?;
        self.tasks.push((promise, call));
        Ok(())
    }

    pub(super) fn timer(&mut self, promise: PromiseId, due_ms: f64) {
        self.timers.push((promise, due_ms));
    }

    pub(super) fn signal(&mut self, promise: PromiseId, wait: SignalWait) {
        self.signals.push((promise, wait));
    }

    pub(super) fn acquire(&mut self, promise: PromiseId, wait: LockWait) {
        self.locks.push((promise, wait));
    }

    pub(super) fn release(&mut self, promise: PromiseId) {
        self.releases.push(promise);
    }

    pub(super) fn reply(&mut self, request: &str, value: &str) -> Result<(), HostError> {
        self.check("A reply", value)?;
        self.count(value.len() + request.len())?;
        self.replies.push((request.to_owned(), value.to_owned()));
        Ok(())
    }

    pub(super) fn cancel(&mut self, promise: PromiseId, reason: &str) {
        match self.cancels.last_mut() {
            Some((promises, same)) if same == reason => promises.push(promise),
            _ => self.cancels.push((vec![promise], reason.to_owned())),
        }
    }

    pub(super) fn group(&mut self, group: u32, promises: &[PromiseId]) {
        self.groups
            .extend(promises.iter().map(|promise| (*promise, group)));
    }

    pub(super) fn fan_out(&mut self, first: PromiseId, count: u32, concurrency: u32) {
        let last = first + count - 1;
        self.groups
            .extend((first..=last).map(|promise| (promise, first)));
        if count > concurrency {
            self.fan_outs.push(FanOut {
                first,
                last,
                concurrency,
            });
        }
    }

    pub(super) fn end_fan_out(&mut self, first: PromiseId) {
        self.ended_fan_outs.push(first);
    }

    pub(super) fn attribute(&mut self, name: &str, value: &str) -> Result<(), HostError> {
        json::check("The value of Context.set", value)?;
        self.count(value.len() + name.len())?;
        self.attributes.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    pub(super) fn log(&mut self, level: &str, message: &str, at_ms: f64) {
        let lines = self.logs.len() + self.written_logs.len();
        let message = cut(message, LOG_LINE);
        self.log_bytes += message.len();
        let message = match lines {
            _ if self.is_log_full => return,
            _ if lines + 1 == LOG_LINES || self.log_bytes > LOG_BYTES => {
                self.is_log_full = true;
                "the step writes more lines than are kept"
            }
            _ => message,
        };
        let mut line = format!("{{\"level\":\"{level}\",\"at_ms\":{at_ms},\"message\":");
        quote(&mut line, message);
        line.push('}');
        self.logs.push(line);
    }

    /// Hands over what was gathered since the last time; none if there is nothing.
    pub(super) fn take(&mut self) -> Option<String> {
        let taken = std::mem::take(self);
        self.written_logs = taken.written_logs;
        self.log_bytes = taken.log_bytes;
        self.is_log_full = taken.is_log_full;
        if taken.tasks.is_empty()
            && taken.timers.is_empty()
            && taken.signals.is_empty()
            && taken.locks.is_empty()
            && taken.releases.is_empty()
            && taken.replies.is_empty()
            && taken.cancels.is_empty()
            && taken.ended_fan_outs.is_empty()
            && taken.attributes.is_empty()
            && taken.logs.is_empty()
            && taken.near.is_empty()
        {
            return None;
        }
        let mut out = String::with_capacity(taken.size + 64 * taken.tasks.len() + 256);
        out.push('{');
        // Fan-outs are in the order of their promises.
        let is_held = |promise: &PromiseId| {
            let at = taken.fan_outs.partition_point(|one| one.last < *promise);
            taken
                .fan_outs
                .get(at)
                .is_some_and(|one| one.holds(*promise))
        };
        let (held, begun): (Vec<_>, Vec<_>) = taken
            .tasks
            .iter()
            .partition(|(promise, _)| is_held(promise));
        let write = |out: &mut String, (promise, call): &&(PromiseId, TaskCall)| {
            let kind = call.kind.word();
            out.push_str(&format!(
                "{{\"promise\":{promise},\"kind\":\"{kind}\",\"name\":"
            ));
            quote(out, &call.name);
            out.push_str(&format!(
                ",\"inputs\":{},\"options\":{}",
                call.inputs, call.options
            ));
            if let Some(group) = taken.groups.get(promise) {
                out.push_str(&format!(",\"group\":{group}"));
            }
            out.push('}');
        };
        list(&mut out, "tasks", &begun, write);
        list(&mut out, "held", &held, write);
        list(&mut out, "fan_outs", &taken.fan_outs, |out, one| {
            out.push_str(&format!(
                "{{\"group\":{},\"next\":{},\"last\":{},\"concurrency\":{}}}",
                one.first,
                one.next(),
                one.last,
                one.concurrency
            ));
        });
        list(
            &mut out,
            "ended_fan_outs",
            &taken.ended_fan_outs,
            |out, first| out.push_str(&first.to_string()),
        );
        list(
            &mut out,
            "timers",
            &taken.timers,
            |out, (promise, due_ms)| {
                out.push_str(&format!("{{\"promise\":{promise},\"due_ms\":{due_ms}}}"));
            },
        );
        list(
            &mut out,
            "signals",
            &taken.signals,
            |out, (promise, wait)| {
                out.push_str(&format!(
                    "{{\"promise\":{promise},\"request\":{},\"name\":",
                    wait.is_request
                ));
                quote(out, &wait.name);
                if let Some(text) = &wait.key {
                    key(out, "key");
                    quote(out, text);
                }
                if let Some(due_ms) = wait.due_ms {
                    out.push_str(&format!(",\"due_ms\":{due_ms}"));
                }
                out.push('}');
            },
        );
        list(&mut out, "locks", &taken.locks, |out, (promise, wait)| {
            out.push_str(&format!("{{\"promise\":{promise},\"name\":"));
            quote(out, &wait.name);
            if let Some(due_ms) = wait.due_ms {
                out.push_str(&format!(",\"due_ms\":{due_ms}"));
            }
            out.push('}');
        });
        list(&mut out, "releases", &taken.releases, |out, promise| {
            out.push_str(&promise.to_string());
        });
        list(&mut out, "replies", &taken.replies, |out, (id, value)| {
            out.push_str("{\"id\":");
            quote(out, id);
            out.push_str(&format!(",\"value\":{value}}}"));
        });
        list(
            &mut out,
            "cancels",
            &taken.cancels,
            |out, (promises, reason)| {
                let ids: Vec<String> = promises.iter().map(PromiseId::to_string).collect();
                out.push_str(&format!("{{\"promises\":[{}],\"reason\":", ids.join(",")));
                quote(out, reason);
                out.push('}');
            },
        );
        if !taken.attributes.is_empty() {
            key(&mut out, "attributes");
            out.push('{');
            for (name, value) in &taken.attributes {
                key(&mut out, name);
                out.push_str(value);
            }
            out.push('}');
        }
        list(&mut out, "logs", &taken.logs, |out, line| {
            out.push_str(line);
        });
        let tasks = taken.tasks.iter().map(|(promise, _)| *promise);
        let timers = taken.timers.iter().map(|(promise, _)| *promise);
        let signals = taken.signals.iter().map(|(promise, _)| *promise);
        if tasks
            .chain(timers)
            .chain(signals)
            .any(|promise| promise % LONG == 0)
        {
            key(&mut out, "long");
            out.push_str("true");
        }
        if !taken.near.is_empty() {
            key(&mut out, "near");
            out.push_str(&taken.near.to_json());
        }
        out.push('}');
        self.written_logs.extend(taken.logs);
        Some(out)
    }

    /// What was handed over stays, whatever becomes of the step: the caller has no subtransaction to undo.
    pub(super) fn forget_written_logs(&mut self) {
        self.written_logs.clear();
    }

    /// The log of the whole step as a JSON array: what was handed over is undone when the step fails.
    pub(super) fn all_logs(&self) -> String {
        let lines: Vec<&str> = self
            .written_logs
            .iter()
            .chain(&self.logs)
            .map(String::as_str)
            .collect();
        format!("[{}]", lines.join(","))
    }

    /// Refuses a value that cannot be stored.
    pub(super) fn check(&mut self, what: &str, value: &str) -> Result<(), HostError> {
        self.near.note(Limit::Handed, value.len() as u64);
        json::check(what, value)
    }

    fn count(&mut self, bytes: usize) -> Result<(), HostError> {
        self.size += bytes;
        self.near.note(Limit::Effects, self.size as u64);
        if self.size > SIZE {
            return Err(HostError {
                name: "RangeError".into(),
                message: format!(
                    "one step cannot start tasks and publish values of more than {SIZE} bytes together; await some of them first"
                ),
                ..HostError::default()
            });
        }
        Ok(())
    }
}

/// Appends `"name": [...]`, if there is anything.
fn list<T>(out: &mut String, name: &str, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    if items.is_empty() {
        return;
    }
    key(out, name);
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// The first `most` bytes of a text, cut between letters.
fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
