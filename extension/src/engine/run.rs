//! One run in memory: from its state, as far as it goes with what has happened. Writes nothing.

use std::sync::Arc;
use std::time::Instant;

use rhythm_flow::host::{HostError, Settlement};
use rhythm_flow::{ContextInfo, ExecutionError, Outcome, Program, Start, Vm};

use super::clock::Clock;
use super::host::{self, Deployers, StepHost};
use super::near::Limit;
use super::{Stepped, program};
use crate::db::DbResult;
use crate::db::step::{Event, Loaded};
use crate::{guc, process};

/// A run whose state is in memory.
pub(super) struct Run {
    id: pgrx::Uuid,
    vm: Vm,
    host: StepHost,
    is_cancelling: bool,
    cancels: Vec<i64>,
    is_pending: bool,
    /// Whether lines of the log that were written stay when the step fails after that: nothing undoes them.
    keeps_written_logs: bool,
}

/// Why a run does not go on. Effects are JSON text, if there are any.
pub(super) enum Paused {
    /// It waits.
    Waiting {
        save: Vec<u8>,
        effects: Option<String>,
    },
    /// It has returned.
    Completed {
        result: String,
        effects: Option<String>,
    },
    /// It has ended as it was told to.
    Cancelled {
        error: String,
        effects: Option<String>,
    },
    /// It has failed, or was given up: it leaves nothing to be written.
    Ended(Stepped),
}

impl Run {
    /// The run as its last step left it, or one that begins; how it ended, if there is none.
    pub(super) fn begin(
        id: pgrx::Uuid,
        loaded: Loaded,
        clock: Clock,
        deployers: Deployers,
    ) -> DbResult<Result<Self, Stepped>> {
        let program = match program(loaded.schema, loaded.definition)? {
            Ok(program) => program,
            Err(message) => return Ok(Err(broken(&message))),
        };
        let keeps_written_logs = !program.uses_sql();
        let mut host = StepHost::new(id, loaded.definition, clock, guc::step_timeout(), deployers);
        host.effects
            .near
            .note(Limit::Given, loaded.inputs.len() as u64);
        Ok(
            match process::catch_panic(|| prepare(id, program, &loaded)) {
                Ok(Ok(vm)) => Ok(Self {
                    id,
                    vm,
                    host,
                    is_cancelling: loaded.is_cancelling,
                    cancels: loaded.cancels,
                    is_pending: loaded.is_pending,
                    keeps_written_logs,
                }),
                Ok(Err(message)) | Err(message) => Err(broken(&message)),
            },
        )
    }

    pub(super) fn id(&self) -> pgrx::Uuid {
        self.id
    }

    /// Whether its program was told to cancel, now or in an earlier step.
    pub(super) fn is_cancelling(&self) -> bool {
        self.is_cancelling
    }

    /// The requests to cancel that its program is told in this step.
    pub(super) fn cancels(&self) -> &[i64] {
        &self.cancels
    }

    /// Whether it is not written yet that it waits.
    pub(super) fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// Its effects so far are written.
    pub(super) fn is_written(&mut self) {
        self.is_pending = false;
        if self.keeps_written_logs {
            self.host.effects.forget_written_logs();
        }
    }

    /// Settles what has happened by `clock`, and runs until every coroutine waits.
    pub(super) fn go_on(&mut self, events: Vec<Event>, clock: Clock) -> Paused {
        self.host.clock = clock;
        for event in events {
            let bytes = event.value.as_ref().map_or(0, String::len);
            self.host.effects.near.note(Limit::Given, bytes as u64);
            if let Ok(promise) = u32::try_from(event.promise) {
                self.vm.settle(promise, settlement(event));
            }
        }
        let began = Instant::now();
        let ran = process::catch_panic(|| {
            let outcome = self.vm.run(&mut self.host);
            let save =
                matches!(outcome, Outcome::Suspended).then(|| self.vm.save().map_err(Box::new));
            (outcome, save)
        });
        let (outcome, save) = match ran {
            Ok(ran) => ran,
            Err(message) => return self.failed(&internal_error(&message)),
        };
        self.host.note_used(self.vm.used(), began.elapsed());
        if let Some(Ok(save)) = &save {
            self.host.effects.near.note(Limit::Save, save.len() as u64);
        }
        match outcome {
            Outcome::Completed(result) => match self.host.effects.check("The result", &result) {
                Ok(()) => Paused::Completed {
                    result,
                    effects: self.host.effects.take(),
                },
                Err(error) => self.failed(&of_host(error)),
            },
            // A cancelled run cannot be retried, so nothing would be gained by undoing its `finally`.
            Outcome::Failed(error) if self.is_cancelling && error.name == "CancelledError" => {
                Paused::Cancelled {
                    error: error.to_json(),
                    effects: self.host.effects.take(),
                }
            }
            Outcome::Failed(error) => self.failed(&error),
            Outcome::Abandoned => Paused::Ended(Stepped::Abandoned),
            Outcome::Suspended => match save {
                Some(Ok(save)) => Paused::Waiting {
                    save,
                    effects: self.host.effects.take(),
                },
                Some(Err(error)) => self.failed(&error),
                None => self.failed(&internal_error("a suspended run gave no save")),
            },
        }
    }

    fn failed(&self, error: &ExecutionError) -> Paused {
        Paused::Ended(Stepped::Failed {
            error: error.to_json(),
            logs: self.host.effects.all_logs(),
            is_final: error.is_final,
        })
    }
}

fn prepare(id: pgrx::Uuid, program: Arc<Program>, loaded: &Loaded) -> Result<Vm, String> {
    let mut vm = match &loaded.save {
        Some(save) => Vm::load(program, save, guc::limits()).map_err(|fault| fault.to_string())?,
        None => {
            let context = ContextInfo {
                execution_id: id.to_string(),
                workflow: loaded.workflow.clone(),
                version: loaded.version,
                task_id: loaded.task_id.clone(),
                started_at_ms: loaded.started_at_ms,
                trace_id: loaded.trace_id.clone(),
            };
            let start = Start {
                inputs: loaded.inputs.clone(),
                context,
            };
            let mut vm = Vm::start(program, start, guc::limits());
            if let Some(first) = loaded.first_promise {
                vm.number_from(first.unsigned_abs());
            }
            vm
        }
    };
    if let Some(reason) = &loaded.cancel_reason {
        vm.cancel(reason);
    }
    Ok(vm)
}

fn settlement(event: Event) -> Settlement {
    match event.error {
        _ if event.ok => Settlement::Fulfilled(event.value),
        Some(error) => Settlement::Rejected(host::thrown(error)),
        None => Settlement::Rejected(HostError {
            name: "Error".into(),
            message: "it failed without saying why".into(),
            ..HostError::default()
        }),
    }
}

/// The state cannot be read: the run fails, and nothing else does.
fn broken(message: &str) -> Stepped {
    Stepped::Failed {
        error: internal_error(message).to_json(),
        logs: "[]".into(),
        is_final: true,
    }
}

fn internal_error(message: &str) -> ExecutionError {
    ExecutionError {
        name: "InternalError".into(),
        message: format!(
            "Rhythm could not run this step ({message}). This is a bug of Rhythm or damaged data."
        ),
        ..ExecutionError::default()
    }
}

fn of_host(error: HostError) -> ExecutionError {
    ExecutionError {
        name: error.name,
        message: error.message,
        code: error.code,
        ..ExecutionError::default()
    }
}
