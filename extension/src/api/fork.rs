//! A kept state as the beginning of another run (`sql/schema/86_fork.sql`).

use pgrx::prelude::*;
use rhythm_flow::{TransferError, fork};

use crate::db::{self, DbResult};
use crate::{engine, guc, process};

/// `_fork_save(definition, save, id, task_id)`: the save for the run with this id, and the promises that are to be settled for it; or
/// why there is none.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn fork_save(
    definition: i64,
    save: &[u8],
    id: &str,
    task_id: Option<&str>,
) -> DbResult<
    TableIterator<
        'static,
        (
            name!(save, Option<Vec<u8>>),
            name!(promises, Option<Vec<i32>>),
            name!(fault, Option<String>),
        ),
    >,
> {
    let program = engine::program(db::step::schema()?, definition)?;
    let forked = program.and_then(|program| {
        process::catch_panic(|| fork(&program, save, id, task_id, guc::limits()))
    });
    let row = match forked {
        Ok(Ok(fork)) => {
            let promises = fork.pending.iter().map(|id| id.cast_signed()).collect();
            (Some(fork.save), Some(promises), None)
        }
        Ok(Err(TransferError::Refused(refusal))) => (None, None, Some(refusal.what)),
        Ok(Err(TransferError::Fault(fault))) => (None, None, Some(fault.to_string())),
        Err(message) => (None, None, Some(message)),
    };
    Ok(TableIterator::once(row))
}
