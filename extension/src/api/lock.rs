//! Locks of the transaction that only the functions of the schema can take.
//!
//! Advisory locks are open to every role that may connect, and who holds one could stop a queue. These have the tag of an object in
//! a class of objects that no command of Postgres knows (the oid of a table of the schema), so only these functions take them, which
//! nobody but the owner of the schema may call. It knows nothing of what they guard.

use std::cell::Cell;

use pgrx::prelude::*;

/// `_try_lock(class, key, shared)`: whether the lock is held now, until the end of the transaction. Never waits.
#[pg_extern(sql = false)]
fn try_lock(class: pg_sys::Oid, key: i64, shared: bool) -> bool {
    let mode = if shared {
        pg_sys::ShareLock
    } else {
        pg_sys::ExclusiveLock
    };
    acquire(class, key, mode, true) != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

thread_local! {
    /// The transaction that has last taken locks by `try_lock_few`, and how many.
    static FEW: Cell<(u64, i32)> = const { Cell::new((0, 0)) };
}

/// `_try_lock_few(class, key, most)`: as `_try_lock`, but false as well when this transaction has taken `most` of them.
#[pg_extern(sql = false)]
fn try_lock_few(class: pg_sys::Oid, key: i64, most: i32) -> bool {
    // SAFETY: SQL runs in a transaction. Who asks writes in it, so the number is needed anyway.
    let transaction = unsafe { pg_sys::GetTopFullTransactionId() }.value;
    let taken = match FEW.get() {
        (of, taken) if of == transaction => taken,
        _ => 0,
    };
    if taken >= most {
        return false;
    }
    // What a subtransaction that is undone has taken counts on: it may be fewer, never more.
    let result = acquire(class, key, pg_sys::ExclusiveLock, true);
    if result == pg_sys::LockAcquireResult::LOCKACQUIRE_OK {
        FEW.set((transaction, taken + 1));
    }
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// `_lock(class, key)`: waits for the lock; an interrupt, a `lock_timeout` or a deadlock ends it as any other.
#[pg_extern(sql = false)]
fn lock(class: pg_sys::Oid, key: i64) {
    acquire(class, key, pg_sys::ExclusiveLock, false);
}

fn acquire(
    class: pg_sys::Oid,
    key: i64,
    mode: u32,
    no_wait: bool,
) -> pg_sys::LockAcquireResult::Type {
    // 48 bits of the key fit into a tag; keys are hashes, and two of them that meet only wait for each other.
    let tag = pg_sys::LOCKTAG {
        // SAFETY: Postgres sets it once, before any SQL runs in this backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: class.to_u32(),
        locktag_field3: key as u32,
        locktag_field4: (key >> 32) as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: a whole tag; the lock belongs to the transaction (not to the session), which releases it however it ends.
    unsafe { pg_sys::LockAcquire(&raw const tag, mode as i32, false, no_wait) }
}
