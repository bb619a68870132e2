//! The scout: connects to some database for a moment, reads in the shared catalogs which databases have the extension,
//! tells the launcher through shared memory, and ends.

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::prelude::*;

use crate::db;
use crate::shmem::databases;

/// Entry point of the scout; the argument is the oid of the database to look from.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn rhythm_scout_main(arg: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi_by_oid(
        Some(pg_sys::Oid::from(arg.value() as u32)),
        None,
    );
    match BackgroundWorker::transaction(db::databases::with_rhythm) {
        Ok(found) => databases::tell_found(&found),
        Err(error) => log!("rhythm: cannot read which databases have Rhythm: {error}"),
    }
}
