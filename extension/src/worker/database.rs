//! The worker of one database: runs what is due, then sleeps until the next thing is.
//!
//! It is woken earlier by a commit that makes something due earlier, that left a step to it, or that released a root
//! which somebody could not get (`shmem::databases`). An error in a round is logged, and the round tried again later.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use super::RESCAN;
use crate::db::duty::{self, Round};
use crate::shmem::databases;

/// How much one transaction does at most, so that its locks are short.
const BATCH: i32 = 500;
/// Waits after an error, doubled up to the rescan.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Entry point of a database's worker; the argument is the database's oid.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn rhythm_worker_main(arg: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
    super::end_at_sigterm();
    let oid = pg_sys::Oid::from(arg.value() as u32);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(oid), None);
    use_settings_of_its_own();
    if !databases::attach() {
        log!("rhythm: another worker serves this database, or too many databases have one");
        return;
    }
    let mut after_error = FIRST_PAUSE;
    loop {
        databases::begin_round();
        report_running();
        let (pause, is_fine) = match round() {
            Ok(Some(round)) => {
                after_error = FIRST_PAUSE;
                databases::sleeps_until(round.next_due);
                // Asked while it was at work, perhaps after its last look.
                if round.again || databases::is_asked() {
                    (Duration::ZERO, true)
                } else {
                    (round.sleep.min(RESCAN), true)
                }
            }
            // The extension was dropped.
            Ok(None) => break,
            Err(()) => {
                after_error = (after_error * 2).min(RESCAN);
                (after_error, false)
            }
        };
        report_idle(!pause.is_zero());
        if !rest(pause, is_fine) {
            break;
        }
        if BackgroundWorker::sighup_received() {
            // SAFETY: the usual reaction to SIGHUP in a worker's loop, outside of a transaction.
            unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
        }
    }
}

/// What a server or a database sets for its sessions must not keep the worker from its duties: workflows step in READ
/// COMMITTED only, and a step may take its time.
fn use_settings_of_its_own() {
    for (name, value) in [
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        (c"transaction_timeout", c"0"),
    ] {
        // SAFETY: C strings; outside of a transaction, as autovacuum does it.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}

/// Sleeps for `pause`, or until there is something to do; after an error for all of `pause`, since every commit of a busy
/// database would repeat the error. False when the worker has to end.
fn rest(pause: Duration, is_wakeable: bool) -> bool {
    let end = Instant::now() + pause;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if databases::must_leave() || !super::sleep(left) || databases::must_leave() {
            return false;
        }
        if is_wakeable || Instant::now() >= end {
            return true;
        }
    }
}

/// One transaction of duties. `Err` when it failed, which was logged; `Ok(None)` when there is no extension.
fn round() -> Result<Option<Round>, ()> {
    PgTryBuilder::new(AssertUnwindSafe(|| {
        BackgroundWorker::transaction(AssertUnwindSafe(|| {
            duty::is_installed().then(|| duty::run(BATCH)).transpose()
        }))
        .map_err(|error| log!("rhythm: {error}"))
    }))
    .catch_others(|error| {
        // SAFETY: outside of any transaction's frame: rolls back whatever was begun.
        unsafe { pg_sys::AbortOutOfAnyTransaction() };
        log!(
            "rhythm: a background round failed and will be tried again: {}",
            words(&error)
        );
        Err(())
    })
    .execute()
}

fn report_running() {
    // SAFETY: a C string, copied into this process's entry of pg_stat_activity.
    unsafe {
        pg_sys::pgstat_report_activity(
            pg_sys::BackendState::STATE_RUNNING,
            c"rhythm._run_duties".as_ptr(),
        );
    }
}

/// Shows the worker as idle, and hands its statistics to the server, which autovacuum goes by.
fn report_idle(will_sleep: bool) {
    // SAFETY: outside of a transaction, as both want it.
    unsafe {
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
        pg_sys::pgstat_report_stat(will_sleep);
    }
}

fn words(error: &CaughtError) -> &str {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report.message(),
        CaughtError::RustPanic { ereport, .. } => ereport.message(),
    }
}
