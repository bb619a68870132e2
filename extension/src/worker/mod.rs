//! The background workers: a launcher for the server, and one worker for each database that has the extension.
//!
//! They call SQL like everybody (`db::duty`), and know neither the language nor the engine. A worker sleeps until the next
//! thing is due, and runs no transaction before.

use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::prelude::*;

mod database;
mod launcher;
mod scout;

/// Looks are repeated after this time even when nothing is due: clocks step, and data is restored.
const RESCAN: Duration = Duration::from_secs(60);

/// Sleeps until the latch is set, at most for `pause`. False when the process has to end.
///
/// Looks at the signal first: what runs between two sleeps (a lock, another worker's start) waits on the same latch, and
/// has perhaps reset it.
fn sleep(pause: Duration) -> bool {
    !BackgroundWorker::sigterm_received() && BackgroundWorker::wait_latch(Some(pause))
}

/// Lets SIGTERM end the process wherever it can be interrupted, as in any backend: a step may be long, and wait for a lock.
fn end_at_sigterm() {
    unsafe extern "C-unwind" {
        // pgrx wraps it, which a signal handler cannot bear.
        fn die(signal: std::ffi::c_int);
    }
    // SAFETY: the server's own handler, which sets flags. PostgreSQL 18 has another name for the function.
    unsafe {
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(pg_sys::SIGTERM as i32, Some(die));
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(pg_sys::SIGTERM as i32, Some(die));
    }
}

/// Registers the launcher when the library is preloaded.
pub(crate) fn init() {
    // SAFETY: plain flags, read in the postmaster.
    let (preloading, upgrading) = unsafe {
        (
            pg_sys::process_shared_preload_libraries_in_progress,
            pg_sys::IsBinaryUpgrade,
        )
    };
    if !preloading || upgrading {
        return;
    }
    BackgroundWorkerBuilder::new("rhythm launcher")
        .set_type("rhythm launcher")
        .set_library("rhythm")
        .set_function("rhythm_launcher_main")
        .enable_shmem_access(None)
        .enable_spi_access()
        // Not on a standby; on promotion the postmaster starts it.
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(Duration::from_secs(5)))
        .load();
}
