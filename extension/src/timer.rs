//! A timer for the SQL of a step.
//!
//! `statement_timeout` would end the whole transaction, with all that other workflows did in it. This timer cancels the
//! running statement too, but says that it was the one, so that `_sql_query` ends the query and not the transaction.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgrx::prelude::*;

/// The functions of the server's `utils/timeout.h`, which pgrx's bindings lack.
mod server {
    use std::ffi::c_int;

    /// Asks `RegisterTimeout` for a free number. TRANSACTION_TIMEOUT came before it in PostgreSQL 17.
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    pub(super) const USER_TIMEOUT: c_int = 12;
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    pub(super) const USER_TIMEOUT: c_int = 13;

    unsafe extern "C-unwind" {
        pub(super) fn RegisterTimeout(id: c_int, handler: unsafe extern "C-unwind" fn()) -> c_int;
        pub(super) fn enable_timeout_after(id: c_int, delay_ms: c_int);
        pub(super) fn disable_timeout(id: c_int, keep_indicator: bool);
    }
}

/// Whether the timer has rung, and its cancel is on its way.
static RANG: AtomicBool = AtomicBool::new(false);

/// Runs SQL for at most `limit`. When the time is up the statement is cancelled, and `has_rung` says why.
pub(crate) fn run<R>(limit: Option<Duration>, work: impl FnOnce() -> R) -> R {
    let Some(limit) = limit else { return work() };
    let millis = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1);
    let timer = registered();
    RANG.store(false, Ordering::SeqCst);
    let _set = Set(timer);
    // SAFETY: the timer was registered in this process.
    unsafe { server::enable_timeout_after(timer, millis) };
    work()
}

/// A timer that is set. It is stopped also when the work ends in an error: only the end of the whole transaction would do
/// that too, and the error may end no more than a subtransaction.
struct Set(i32);

impl Drop for Set {
    fn drop(&mut self) {
        // SAFETY: the timer was registered in this process.
        unsafe { server::disable_timeout(self.0, false) };
        if RANG.swap(false, Ordering::SeqCst) {
            // It rang too late for the statement that it meant: nothing else may be hit by it.
            // SAFETY: a plain flag of this process, which the signal handler no longer writes.
            unsafe { pg_sys::QueryCancelPending = 0 };
        }
    }
}

/// Whether the cancel that was just caught came from this timer; asked once.
pub(crate) fn has_rung() -> bool {
    RANG.swap(false, Ordering::SeqCst)
}

fn registered() -> i32 {
    static TIMER: OnceLock<i32> = OnceLock::new();
    // SAFETY: once in each process.
    *TIMER.get_or_init(|| unsafe { server::RegisterTimeout(server::USER_TIMEOUT, ring) })
}

/// Runs in a signal handler: sets flags only.
unsafe extern "C-unwind" fn ring() {
    RANG.store(true, Ordering::SeqCst);
    // SAFETY: flags and the latch of this process, made for signal handlers.
    unsafe {
        pg_sys::QueryCancelPending = 1;
        pg_sys::InterruptPending = 1;
        pg_sys::SetLatch(pg_sys::MyLatch);
    }
}
