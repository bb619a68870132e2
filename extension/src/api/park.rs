//! Waiting sessions: `claim` and `wait` publish what they wait for, look once more, then sleep here.

use std::sync::OnceLock;

use pgrx::prelude::*;

use crate::shmem::waiters;

/// `_park_begin(queues)`: false when nobody could wake this session, so that it has to poll.
#[pg_extern(sql = false)]
fn park_begin(queues: Vec<String>) -> bool {
    let topics: Vec<u64> = queues
        .iter()
        .map(|queue| waiters::queue_topic(queue))
        .collect();
    waiters::begin(&topics)
}

/// `_park_results_begin(ids)`: the same for the ends of executions and the answers to requests.
#[pg_extern(sql = false)]
fn park_results_begin(ids: Vec<pgrx::Uuid>) -> bool {
    let topics: Vec<u64> = ids
        .iter()
        .map(|id| waiters::result_topic(id.as_bytes()))
        .collect();
    waiters::begin(&topics)
}

/// `_park_wait(milliseconds)`: sleeps until woken (true) or for that long (false).
#[pg_extern(sql = false)]
fn park_wait(milliseconds: i32) -> bool {
    waiters::sleep(i64::from(milliseconds), wait_event())
}

/// `_park_end(took, is_done)`: after the last look. `took`: the queue from which the session took work last, if it did;
/// `is_done`: it has taken all that it could.
#[pg_extern(sql = false)]
fn park_end(took: Option<&str>, is_done: Option<bool>) {
    waiters::end_after(took.map(waiters::queue_topic), is_done.unwrap_or(false));
}

/// `_check_client()`: ends the session if its client has gone while it waited, which Postgres would notice when it sends the answer:
/// after the work was taken. What woke the session then wakes another one.
#[pg_extern(sql = false)]
fn check_client() {
    unsafe extern "C-unwind" {
        fn pq_check_connection() -> bool;
    }
    // SAFETY: it asks the operating system about the socket, which a process without a client has not got; the flags are those
    // that Postgres sets itself where it notices.
    unsafe {
        if !pg_sys::MyProcPort.is_null() && !pq_check_connection() {
            pg_sys::ClientConnectionLost = 1;
            pg_sys::InterruptPending = 1;
        }
    }
    pgrx::check_for_interrupts!();
}

/// What `pg_stat_activity` shows as the wait event of a waiting session.
fn wait_event() -> u32 {
    static EVENT: OnceLock<u32> = OnceLock::new();
    *EVENT.get_or_init(|| {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        // SAFETY: a C string; Postgres keeps a copy, and gives all backends the same number for one name.
        unsafe {
            pg_sys::WaitEventExtensionNew(c"RhythmWait".as_ptr())
        }
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        pg_sys::PG_WAIT_EXTENSION
    })
}
