//! The machine that runs a program.
//!
//! Frames and values are explicit: nothing a program does recurses on the Rust stack. The loop runs
//! the function on top of the frames (`registers`); builtins that call functions are frames too (`call`).

mod call;
pub mod cx;
mod execute;
mod frame;
mod give_up;
mod grouping;
mod iterate;
pub mod operate;
mod outcome;
mod promise;
mod property;
mod regex;
mod registers;
mod run;
mod stack;
pub(crate) mod state;
pub mod suspended;
mod unwind;
pub(crate) mod words;

pub use run::{ContextInfo, ExecutionError, Outcome, Start, Vm};

use crate::error::{Fatal, Throw};
use cx::Cx;
use frame::FrameKind;

impl Cx<'_> {
    /// Runs until no frame is left.
    fn run_frames(&mut self) -> Result<(), Box<Fatal>> {
        while let Some(frame) = self.top() {
            let done = match frame.kind {
                FrameKind::Code { .. } => self.run_code(),
                FrameKind::Native { builtin, count } => self
                    .between()
                    .and_then(|()| self.step_native(frame, builtin, count)),
                FrameKind::Reaction(_) | FrameKind::Finally { .. } => {
                    let value = std::mem::take(&mut self.state.input);
                    self.leave(value);
                    Ok(())
                }
            };
            if let Err(throw) = done {
                self.unwind(throw)?;
            }
        }
        Ok(())
    }

    /// Between two steps of a builtin.
    fn between(&mut self) -> Result<(), Throw> {
        self.heap.meter.countdown -= 1;
        if self.heap.meter.countdown < 0 {
            self.pause()
        } else {
            Ok(())
        }
    }

    /// Between two instructions: interrupts, garbage, fuel.
    #[cold]
    fn pause(&mut self) -> Result<(), Throw> {
        self.host.tick().map_err(Throw::interrupt)?;
        if self.heap.meter.collection_due() {
            self.collect()?;
        }
        self.heap.meter.refill()
    }

    /// Frees what nobody can reach.
    fn collect(&mut self) -> Result<(), Throw> {
        self.stack.shrink();
        let (stack, frames, state) = (&*self.stack, &*self.frames, &*self.state);
        self.heap.collect(stack.bytes(), |tracer| {
            stack.iter().for_each(|value| tracer.value(*value));
            state.trace(tracer);
            for frame in frames {
                match frame.kind {
                    FrameKind::Code { closure, task, .. } => {
                        closure.iter().for_each(|at| tracer.mark(*at));
                        if let Some(task) = task {
                            tracer.mark(task.promise);
                            task.coroutine.iter().for_each(|at| tracer.mark(*at));
                        }
                    }
                    FrameKind::Native { .. } => {}
                    FrameKind::Reaction(derived) => tracer.mark(derived),
                    FrameKind::Finally { derived, value, .. } => {
                        tracer.mark(derived);
                        tracer.value(value);
                    }
                }
            }
        })
    }
}
