//! Fan-outs (`Task.map`): what has no turn yet waits here, and is started when one that runs has ended.
//!
//! Knows no clock and no tasks: whoever drives it says when one has ended, and starts what it gives.

use std::collections::VecDeque;
use std::ops::Range;

use rhythm_flow::host::{PromiseId, TaskCall};

/// Promises of which so many at once have a task.
#[derive(Debug)]
pub(super) struct FanOut {
    promises: Range<PromiseId>,
    free: u32,
    held: VecDeque<(PromiseId, TaskCall)>,
}

impl FanOut {
    pub(super) fn new(first: PromiseId, count: u32, concurrency: u32) -> Self {
        Self {
            promises: first..first.saturating_add(count),
            free: concurrency,
            held: VecDeque::new(),
        }
    }

    /// The next one, if it has its turn.
    fn next(&mut self) -> Option<(PromiseId, TaskCall)> {
        if self.free == 0 {
            return None;
        }
        let next = self.held.pop_front()?;
        self.free -= 1;
        Some(next)
    }
}

/// Those of a run.
#[derive(Debug, Default)]
pub(super) struct FanOuts(Vec<FanOut>);

impl FanOuts {
    pub(super) fn begin(&mut self, begun: Vec<FanOut>) {
        self.0.extend(begun);
    }

    fn of(&mut self, promise: PromiseId) -> Option<&mut FanOut> {
        self.0
            .iter_mut()
            .find(|one| one.promises.contains(&promise))
    }

    /// Keeps what belongs to one of them, and gives back what does not.
    pub(super) fn hold(&mut self, promise: PromiseId, call: TaskCall) -> Option<TaskCall> {
        match self.of(promise) {
            Some(fan_out) => {
                fan_out.held.push_back((promise, call));
                None
            }
            None => Some(call),
        }
    }

    /// What is behind a promise has ended.
    pub(super) fn ended(&mut self, promise: PromiseId) {
        if let Some(fan_out) = self.of(promise) {
            fan_out.free += 1;
        }
    }

    /// The next one that has its turn.
    pub(super) fn next(&mut self) -> Option<(PromiseId, TaskCall)> {
        self.0.iter_mut().find_map(FanOut::next)
    }

    /// Nobody waits for what these hold, by their first promises.
    pub(super) fn end(&mut self, firsts: &[PromiseId]) {
        self.0.retain(|one| !firsts.contains(&one.promises.start));
    }

    /// The run has ended.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
