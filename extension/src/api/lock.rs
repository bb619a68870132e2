//! Locks of the transaction that only the functions of the schema can take.
//!
//! Advisory locks are open to every role that may connect, and who holds one could stop a queue. These have the tag of an object in
//! a class of objects that no command of Postgres knows (the oid of a table of the schema), so only these functions take them, which
//! nobody but the owner of the schema may call. It knows nothing of what they guard.

use pgrx::prelude::*;

/// `_try_lock(class, key, shared)`: whether the lock is held now, until the end of the transaction. Never waits.
#[pg_extern(sql = false)]
fn try_lock(class: pg_sys::Oid, key: i64, shared: bool) -> bool {
    let mode = if shared {
        pg_sys::ShareLock
    } else {
        pg_sys::ExclusiveLock
    };
    acquire(class, key, mode, true)
}

/// `_lock(class, key)`: waits for the lock; an interrupt, a `lock_timeout` or a deadlock ends it as any other.
#[pg_extern(sql = false)]
fn lock(class: pg_sys::Oid, key: i64) {
    acquire(class, key, pg_sys::ExclusiveLock, false);
}

fn acquire(class: pg_sys::Oid, key: i64, mode: u32, no_wait: bool) -> bool {
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
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, mode as i32, false, no_wait) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
