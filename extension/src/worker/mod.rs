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
