//! What SQL announces: noted in the transaction, told to others when it commits.

use pgrx::prelude::*;

use crate::shmem::{databases, notes, waiters};

/// `_wake_queue(queue, n)`: n executions of this queue became claimable; below zero: so many of those this transaction took itself.
#[pg_extern(sql = false)]
fn wake_queue(queue: &str, n: i32) {
    let topic = waiters::queue_topic(queue);
    if n < 0 {
        notes::taken_back(topic, n.unsigned_abs());
    } else {
        notes::topic(topic, n.unsigned_abs());
    }
}

/// `_wake_result(id)`: this execution has ended.
#[pg_extern(sql = false)]
fn wake_result(id: pgrx::Uuid) {
    notes::result(waiters::result_topic(id.as_bytes()));
}

/// `_wake_due(at)`: something new is due then.
#[pg_extern(sql = false)]
fn wake_due(at: TimestampWithTimeZone) {
    notes::due(i64::from(at));
}

/// `_wake_steps(contended)`: something is left to the database's worker; `contended`: until somebody else commits.
#[pg_extern(sql = false)]
fn wake_steps(contended: bool) {
    if contended {
        databases::set_contended();
    }
    notes::steps();
}

/// `_wake_launcher()`: this database has got the extension.
#[pg_extern(sql = false)]
fn wake_launcher() {
    notes::launcher();
}

/// `_has_worker()`: whether a background worker serves this database.
#[pg_extern(sql = false)]
fn has_worker() -> bool {
    databases::has_worker()
}

/// `_database()`: the oid of this database.
#[pg_extern(sql = false)]
fn database() -> pg_sys::Oid {
    // SAFETY: Postgres sets it once, before any SQL runs in this backend.
    unsafe { pg_sys::MyDatabaseId }
}
