//! What each backend keeps of small tables that every call needs: how far the clock of tests is ahead, and which tasks have
//! neither a registration nor a queue that says anything of them.
//!
//! A trigger on these tables (`sql/native/40_kept.sql`) announces a change as Postgres announces one of a catalog: to all
//! backends when it commits, and at once to the one that made it. Knows no SQL.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use pgrx::prelude::*;

use crate::db::{DbResult, kept as store};

/// Tasks that one backend keeps. When there are more, it begins anew: that costs a query each, once.
const MOST: usize = 1024;

/// REPEATABLE READ, from which level on a transaction keeps its snapshot.
const READ_ONCE: i32 = pg_sys::XACT_REPEATABLE_READ as i32;

struct Kept {
    /// The tables' oids; none when they are not known, and any table may be meant.
    tables: Cell<Option<[u32; 3]>>,
    /// Counts the changes: what was read before one is not kept after it.
    changes: Cell<u64>,
    shift: Cell<Option<i64>>,
    /// By name and queue, with U+0000 between them.
    plain: RefCell<BTreeMap<String, bool>>,
}

thread_local! {
    static KEPT: Kept = const {
        Kept {
            tables: Cell::new(None),
            changes: Cell::new(0),
            shift: Cell::new(None),
            plain: RefCell::new(BTreeMap::new()),
        }
    };
}

/// Hears changes, from the postmaster's children on.
pub(crate) fn init() {
    // SAFETY: called once, when the library is loaded; the callback neither allocates from Postgres nor raises.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(hear), pg_sys::Datum::from(0_usize)) };
}

unsafe extern "C-unwind" fn hear(_: pg_sys::Datum, table: pg_sys::Oid) {
    // Not while the process ends, when there is nothing left that could be kept.
    let _ = KEPT.try_with(|kept| {
        // Invalid: all tables.
        let meant = table == pg_sys::InvalidOid
            || kept
                .tables
                .get()
                .is_none_or(|tables| tables.contains(&table.to_u32()));
        if meant {
            kept.changes.set(kept.changes.get().wrapping_add(1));
            // The tables may be others now: of an extension that was dropped and made again.
            kept.tables.set(None);
            kept.shift.set(None);
            // Nothing else runs while it is borrowed. If it did, the entry that it makes would not be kept.
            if let Ok(mut plain) = kept.plain.try_borrow_mut() {
                plain.clear();
            }
        }
    });
}

/// Takes in what other backends have changed, as Postgres does whenever it locks a table.
fn listen() {
    // SAFETY: called from SQL, in a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
}

/// Whether nothing has changed since the count was `before`, and what was read then is the newest: a transaction that keeps
/// one snapshot reads what was.
fn may_keep(kept: &Kept, before: u64) -> bool {
    // SAFETY: reads a setting of the running transaction.
    let snapshots_move = unsafe { pg_sys::XactIsoLevel } < READ_ONCE;
    snapshots_move && kept.changes.get() == before
}

/// Microseconds from 1970 to 2000, from which Postgres counts.
pub(crate) const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// What time it is for Rhythm, in microseconds since 2000.
pub(crate) fn now() -> DbResult<i64> {
    Ok(server_clock() + shift()?)
}

/// The server's clock, in microseconds since 2000.
pub(crate) fn server_clock() -> i64 {
    // SAFETY: reads the time.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// How many microseconds Rhythm's clock is ahead.
fn shift() -> DbResult<i64> {
    listen();
    KEPT.with(|kept| {
        if let Some(shift) = kept.shift.get() {
            return Ok(shift);
        }
        let before = kept.changes.get();
        let (shift, tables) = store::shift()?;
        if may_keep(kept, before) {
            kept.tables.set(Some(tables));
            kept.shift.set(Some(shift));
        }
        Ok(shift)
    })
}

/// Whether nothing is registered or configured that a task of this name in this queue would get.
pub(crate) fn is_plain(name: &str, queue: &str) -> DbResult<bool> {
    listen();
    let key = [name, queue].join("\0");
    KEPT.with(|kept| {
        if let Some(plain) = kept.plain.borrow().get(&key) {
            return Ok(*plain);
        }
        let before = kept.changes.get();
        let plain = store::is_plain(name, queue)?;
        if kept.tables.get().is_some() && may_keep(kept, before) {
            let mut entries = kept.plain.borrow_mut();
            if entries.len() >= MOST {
                entries.clear();
            }
            entries.insert(key, plain);
        }
        Ok(plain)
    })
}
