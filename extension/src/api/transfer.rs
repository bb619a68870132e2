//! A run's state for another version of its workflow (`sql/schema/84_move.sql`).

use pgrx::prelude::*;
use rhythm_flow::{TransferError, transfer};

use crate::db::{self, DbResult};
use crate::{engine, guc, process};

/// `_move_save(from, to, version, save)`: the save for the other definition, or what keeps it from being one, and where both differ.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn move_save(
    from: i64,
    to: i64,
    version: i32,
    save: &[u8],
) -> DbResult<
    TableIterator<
        'static,
        (
            name!(save, Option<Vec<u8>>),
            name!(what, Option<String>),
            name!(old_place, Option<String>),
            name!(new_place, Option<String>),
        ),
    >,
> {
    let schema = db::step::schema()?;
    let programs = (engine::program(schema, from)?, engine::program(schema, to)?);
    let row = match programs {
        (Ok(old), Ok(new)) => {
            let moved = process::catch_panic(|| transfer(&old, &new, version, save, guc::limits()));
            match moved {
                Ok(Ok(save)) => (Some(save), None, None, None),
                Ok(Err(TransferError::Refused(refusal))) => {
                    (None, Some(refusal.what), refusal.old, refusal.new)
                }
                Ok(Err(TransferError::Fault(fault))) => (
                    None,
                    Some(format!("its state cannot be read: {fault}")),
                    None,
                    None,
                ),
                Err(message) => (None, Some(message), None, None),
            }
        }
        (Err(message), _) | (_, Err(message)) => (None, Some(message), None, None),
    };
    Ok(TableIterator::once(row))
}
