//! One step of a workflow: load, settle what has happened, run, write the effects, save.
//!
//! The caller (`_step_one` in SQL) holds the lock of the tree, and a subtransaction if the definition uses SQL. Failures come
//! back as data: a step never raises an error of its own, since it would end the transaction of all that run in it.
//! Knows no SQL (that is `db`) and no arguments of Postgres (that is `api`).

use std::cell::Cell;
use std::sync::Arc;

use rhythm_flow::host::{HostError, Settlement};
use rhythm_flow::{ContextInfo, ExecutionError, Outcome, Program, Start, Vm};

use crate::db::DbResult;
use crate::db::step::{self as store, Event, Loaded};
use crate::{guc, process};

mod clock;
mod effects;
mod host;
pub(crate) mod json;
mod programs;
mod rows;

pub(crate) use programs::program;

use clock::Clock;
use host::StepHost;

/// How a step ended.
pub(crate) enum Stepped {
    /// It waits; state and effects are written.
    Suspended,
    /// It has returned, and its result is written.
    Completed,
    /// It has ended as it was told to; what it cleaned up on the way is written.
    Cancelled,
    /// It failed; nothing of it is written.
    Failed {
        /// The error as a JSON object.
        error: String,
        /// The log of the step as a JSON array, which the caller keeps.
        logs: String,
    },
    /// It has to run again, alone; nothing of it is written.
    Abandoned,
}

thread_local! {
    /// Steps that run in this backend: more than one if the SQL of one starts another.
    static RUNNING: Cell<u32> = const { Cell::new(0) };
}

/// A step that runs, however it ends.
struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

/// Whether a step runs in this backend, so that it is its SQL that asks.
pub(crate) fn is_running() -> bool {
    RUNNING.get() > 0
}

/// Steps an execution until nothing that it awaits is there.
pub(crate) fn step(id: pgrx::Uuid) -> DbResult<Stepped> {
    let Some(loaded) = store::load(id)? else {
        // It ended meanwhile: there is nothing to do.
        return Ok(Stepped::Suspended);
    };
    let clock = Clock::at(loaded.now_ms);
    let program = match program(loaded.schema, loaded.definition)? {
        Ok(program) => program,
        Err(message) => return Ok(broken(&message)),
    };
    let keeps_written_logs = !program.uses_sql();
    let mut host = StepHost::new(id, loaded.definition, clock, guc::step_timeout());
    let _running = Running::begin();
    let mut vm = match process::catch_panic(|| prepare(id, program, &loaded)) {
        Ok(Ok(vm)) => vm,
        Ok(Err(message)) | Err(message) => return Ok(broken(&message)),
    };
    loop {
        let mut taken = Vec::new();
        for event in store::events(id)? {
            taken.push(event.seq);
            if let Ok(promise) = u32::try_from(event.promise) {
                vm.settle(promise, settlement(event));
            }
        }
        let ran = process::catch_panic(|| {
            let outcome = vm.run(&mut host);
            let save = matches!(outcome, Outcome::Suspended).then(|| vm.save().map_err(Box::new));
            (outcome, save)
        });
        let (outcome, save) = match ran {
            Ok(ran) => ran,
            Err(message) => return Ok(failed(&internal_error(&message), &host)),
        };
        match outcome {
            Outcome::Completed(result) => {
                if let Err(error) = json::check("The result", &result) {
                    return Ok(failed(&of_host(error), &host));
                }
                if let Some(effects) = host.effects.take() {
                    store::apply_effects(id, &effects)?;
                }
                store::complete(id, &result)?;
                return Ok(if loaded.is_cancelling {
                    Stepped::Cancelled
                } else {
                    Stepped::Completed
                });
            }
            // A cancelled run cannot be retried, so nothing would be gained by undoing its `finally`.
            Outcome::Failed(error) if loaded.is_cancelling && error.name == "CancelledError" => {
                if let Some(effects) = host.effects.take() {
                    store::apply_effects(id, &effects)?;
                }
                store::cancelled(id, &error.to_json())?;
                return Ok(Stepped::Cancelled);
            }
            Outcome::Failed(error) => return Ok(failed(&error, &host)),
            Outcome::Abandoned => return Ok(Stepped::Abandoned),
            Outcome::Suspended => {
                let save = match save {
                    Some(Ok(save)) => save,
                    Some(Err(error)) => return Ok(failed(&error, &host)),
                    None => {
                        return Ok(failed(
                            &internal_error("a suspended run gave no save"),
                            &host,
                        ));
                    }
                };
                let has_news = match host.effects.take() {
                    Some(effects) => store::apply_effects(id, &effects)?,
                    None => false,
                };
                store::store_save(id, &save, &taken, &loaded.cancels)?;
                if !has_news {
                    return Ok(Stepped::Suspended);
                }
                if keeps_written_logs {
                    host.effects.forget_written_logs();
                }
            }
        }
    }
}

/// The run as its last step left it, or one that begins.
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
            Vm::start(
                program,
                Start {
                    inputs: loaded.inputs.clone(),
                    context,
                },
                guc::limits(),
            )
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

fn failed(error: &ExecutionError, host: &StepHost) -> Stepped {
    Stepped::Failed {
        error: error.to_json(),
        logs: host.effects.all_logs(),
    }
}

/// The state cannot be read: the run fails, and nothing else does.
fn broken(message: &str) -> Stepped {
    Stepped::Failed {
        error: internal_error(message).to_json(),
        logs: "[]".into(),
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
