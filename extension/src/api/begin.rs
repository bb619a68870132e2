//! What every new execution needs: the time, an id, and whether anything is to be looked up for it.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::db::DbResult;
use crate::{guc, kept, process};

thread_local! {
    /// The state of the generator of this backend's ids; none before the first.
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// `_now()`: microseconds since 2000, which is a `timestamptz`.
#[pg_extern(sql = false)]
fn now() -> DbResult<i64> {
    kept::now()
}

/// `_new_id()`: a UUIDv7 as `sql/schema/00_setup.sql` describes it.
#[pg_extern(sql = false)]
fn new_id() -> pgrx::Uuid {
    let microseconds = u64::try_from(kept::server_clock() + kept::EPOCH_MICROSECONDS).unwrap_or(0);
    let (milliseconds, rest) = (microseconds / 1000, microseconds % 1000);
    // 48 bits of milliseconds, the version, and 12 bits of the fraction.
    let high = milliseconds << 16 | 0x7000 | (rest * 512 / 125);
    let low = 1 << 63 | (random() >> 18) << 16 | u64::from(guc::node());
    pgrx::Uuid::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

/// `_is_plain(name, queue)`
#[pg_extern(sql = false)]
fn is_plain(name: &str, queue: &str) -> DbResult<bool> {
    if name.is_empty() || name.len() > 255 || queue.is_empty() || queue.len() > 255 {
        return Ok(false);
    }
    kept::is_plain(name, queue)
}

/// `_announce_change(table)`: who keeps something of this table forgets it, when this transaction commits.
#[pg_extern(sql = false)]
fn announce_change(table: pg_sys::Oid) {
    // SAFETY: raises for a table that is gone, and does nothing else than to note the message.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) };
}

/// 64 random bits: SplitMix64 (Steele, Lea and Flood, 2014), begun by the server's source. Asking that one each time would
/// cost more than all the rest of a row.
fn random() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    STATE.with(|state| {
        let before = state
            .get()
            .unwrap_or_else(|| u64::from_ne_bytes(process::random_bytes()));
        let now = before.wrapping_add(STEP);
        state.set(Some(now));
        let mixed = (now ^ now >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    })
}
