//! Errors on their way up: handlers, the promises of async functions, and stack traces.

use std::fmt::Write as _;

use super::cx::Cx;
use super::frame::{Frame, FrameKind};
use crate::builtins::registry;
use crate::error::{ErrorClass, Fatal, Throw};
use crate::host::HostError;
use crate::value::promise::{PromiseState, Reaction};
use crate::value::{Body, Ref, Value};

/// How many frames a stack trace shows.
const TRACE_FRAMES: usize = 20;

impl Cx<'_> {
    /// Gives an error to the next handler; only what ends the step comes back.
    pub(super) fn unwind(&mut self, throw: Throw) -> Result<(), Box<Fatal>> {
        let error = match throw {
            Throw::Fatal(fatal) => return Err(fatal),
            Throw::Value(value) => value,
            Throw::Error(raised) => match self.new_error(raised.class, Some(&raised.message)) {
                Ok(error) => Value::Object(error),
                Err(Throw::Fatal(fatal)) => return Err(fatal),
                Err(_) => Value::Undefined,
            },
        };
        while let Some(frame) = self.frames.last_mut() {
            if let FrameKind::Code { function, .. } = frame.kind {
                let function = &self.program.functions[function as usize];
                let at = frame.pc.wrapping_sub(1);
                let covers =
                    |handler: &&crate::program::Handler| handler.start <= at && at < handler.end;
                if let Some(handler) = function.handlers.iter().find(covers) {
                    frame.pc = handler.target;
                    self.stack.truncate((frame.base + function.locals) as usize);
                    self.stack.push(error);
                    return Ok(());
                }
            }
            let frame = *frame;
            self.frames.pop();
            self.stack.truncate(frame.floor as usize);
            match frame.kind {
                FrameKind::Code {
                    task: Some(task), ..
                } => {
                    self.reject(task.promise, error);
                    if task.coroutine.is_none() {
                        self.deliver(Value::Object(task.promise));
                    }
                    return Ok(());
                }
                FrameKind::Reaction(derived) | FrameKind::Finally { derived, .. } => {
                    self.reject(derived, error);
                    return Ok(());
                }
                FrameKind::Code { .. } | FrameKind::Native { .. } => {}
            }
        }
        Ok(())
    }

    /// Makes an error with the stack of this place.
    ///
    /// # Errors
    /// When its text is over the limit.
    pub fn new_error(&mut self, class: ErrorClass, message: Option<&str>) -> Result<Ref, Throw> {
        let error = self.heap.error(class, message)?;
        self.add_stack(error)?;
        Ok(error)
    }

    /// Gives an error its stack: what `String(error)` says, then a line for each frame.
    ///
    /// # Errors
    /// When its text is over the limit.
    pub fn add_stack(&mut self, error: Ref) -> Result<(), Throw> {
        let mut text = match self.heap.to_string(Value::Object(error)) {
            Ok(head) => self.heap.rust_text(head),
            Err(fatal @ Throw::Fatal(_)) => return Err(fatal),
            Err(_) => String::new(),
        };
        self.trace(&mut text);
        let text = self.heap.str(&text)?;
        self.heap.error_hide(error, "stack", text);
        Ok(())
    }

    /// Gives an error of the host a stack: the functions that wait for its promise.
    pub(super) fn add_waiting_stack(&mut self, error: Ref, promise: Ref) -> Result<(), Throw> {
        let head = self.heap.to_string(Value::Object(error))?;
        let mut text = self.heap.rust_text(head);
        self.trace_waiting(&mut text, Some(promise), TRACE_FRAMES);
        let text = self.heap.str(&text)?;
        self.heap.error_hide(error, "stack", text);
        Ok(())
    }

    /// An error of the host as it is thrown at a host call.
    pub(crate) fn thrown_by_host(&mut self, error: &HostError) -> Throw {
        let made = self.host_error(error).and_then(|error| {
            self.add_stack(error)?;
            Ok(error)
        });
        match made {
            Ok(error) => Throw::Value(Value::Object(error)),
            Err(throw) => throw,
        }
    }

    fn trace(&mut self, out: &mut String) {
        let mut shown = 0;
        let mut waiting = None;
        for frame in self.frames.iter().rev() {
            if shown == TRACE_FRAMES {
                return;
            }
            match frame.kind {
                FrameKind::Code { function, task, .. } => {
                    self.trace_line(out, "", function, frame.pc);
                    shown += 1;
                    if let Some(task) = task.filter(|task| task.coroutine.is_some()) {
                        waiting = Some(task.promise);
                    }
                }
                FrameKind::Native { builtin, .. } => {
                    if let Some(builtin) = registry().all.get(usize::from(builtin)) {
                        let _ = write!(out, "\n    at {} (builtin)", builtin.path);
                        shown += 1;
                    }
                }
                FrameKind::Reaction(derived) | FrameKind::Finally { derived, .. } => {
                    waiting = Some(derived);
                }
            }
        }
        self.trace_waiting(out, waiting, TRACE_FRAMES - shown);
    }

    /// The async functions that wait for the one that runs.
    fn trace_waiting(&self, out: &mut String, mut waiting: Option<Ref>, mut left: usize) {
        while let Some(promise) = waiting.take() {
            if left == 0 {
                return;
            }
            left -= 1;
            let Body::Promise(body) = self.heap.body(promise) else {
                return;
            };
            if !matches!(body.state, PromiseState::Pending) {
                return;
            }
            // With more than one, nobody knows which of them is "the" caller.
            let [reaction] = &body.reactions[..] else {
                return;
            };
            waiting = match *reaction {
                Reaction::Await(coroutine) => {
                    let Body::Coroutine(coroutine) = self.heap.body(coroutine) else {
                        return;
                    };
                    self.trace_line(out, "async ", coroutine.function, coroutine.pc);
                    Some(coroutine.promise)
                }
                Reaction::Forward(derived)
                | Reaction::Then { derived, .. }
                | Reaction::Finally { derived, .. }
                | Reaction::Pass { derived, .. } => Some(derived),
                Reaction::Element { aggregate, .. } => match self.heap.body(aggregate) {
                    Body::Aggregate(aggregate) => Some(aggregate.derived),
                    _ => None,
                },
            };
        }
    }

    fn trace_line(&self, out: &mut String, prefix: &str, number: u32, pc: u32) {
        let function = &self.program.functions[number as usize];
        let (line, column) = function.position(pc.saturating_sub(1));
        let file = &self.program.file;
        let name = match (number, &*function.name) {
            (0, _) => "workflow",
            (_, "") => "<anonymous>",
            (_, name) => name,
        };
        let _ = write!(out, "\n    at {prefix}{name} ({file}:{line}:{column})");
    }

    /// The frame on top.
    pub(super) fn top(&self) -> Option<Frame> {
        self.frames.last().copied()
    }
}
