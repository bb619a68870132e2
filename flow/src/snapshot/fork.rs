//! A save as the beginning of another run.

use super::{TransferError, context, load, save};
use crate::limits::Limits;
use crate::program::{Program, Refusal};
use crate::value::{Heap, Value};

/// A save that another run may go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The save, whose `Context` names the other run.
    pub save: Vec<u8>,
    /// The numbers of the promises that the host has still to settle, in their order.
    pub pending: Vec<u32>,
}

/// Makes a save one of another run: `Context.executionId` and `Context.taskId` are those of it from then on. What the program has
/// copied out of `Context` before stays as it was.
///
/// # Errors
/// When the save cannot be read, or would be larger than a save may be.
pub fn fork(
    program: &Program,
    saved: &[u8],
    execution_id: &str,
    task_id: Option<&str>,
    limits: Limits,
) -> Result<Fork, TransferError> {
    let most = limits.save_bytes;
    let (mut heap, state) = load(program, saved, limits)?;
    let id = text(&mut heap, execution_id)?;
    context::tell(&mut heap, "executionId", id);
    let id = match task_id {
        Some(task_id) => text(&mut heap, task_id)?,
        None => Value::Null,
    };
    context::tell(&mut heap, "taskId", id);
    Ok(Fork {
        save: save(program, &heap, &state, most).ok_or_else(too_large)?,
        pending: state.pending.keys().copied().collect(),
    })
}

fn text(heap: &mut Heap, text: &str) -> Result<Value, TransferError> {
    heap.str(text).map_err(|_| too_large().into())
}

/// Why a save cannot be written.
pub(super) fn too_large() -> Refusal {
    Refusal {
        what: "the state would be larger than rhythm.save_size allows".to_owned(),
        old: None,
        new: None,
    }
}
