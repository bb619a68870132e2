//! The launcher: starts a worker for each database that has the extension.
//!
//! It connects to no database, since one that is connected to can be neither dropped nor copied. Without a database only
//! a few catalogs can be read, `pg_database` among them; the one that tells who has the extension is read by a scout
//! (`scout.rs`), which lives for some milliseconds.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, DynamicBackgroundWorker,
    SignalWakeFlags,
};
use pgrx::prelude::*;

use super::{RESCAN, sleep};
use crate::shmem::databases;

/// How long a worker may stay while another database waits for a slot.
const TURN: Duration = Duration::from_secs(5);
/// Before a database gets a new worker after its last one left: it may be about to be dropped or copied.
const HOLD: Duration = Duration::from_secs(1);
/// Before another look whether a worker that was asked to leave has gone.
const LEAVING: Duration = Duration::from_millis(100);
/// A worker that has lived for less than this would probably only end again: its database waits for a turn.
const SHORT_LIFE: Duration = Duration::from_secs(2);

/// A lasting shortage is not logged at every turn.
const WARN_AGAIN: Duration = Duration::from_secs(600);

/// A worker that was started.
struct Running {
    worker: DynamicBackgroundWorker,
    since: Instant,
}

/// When a database's last worker left, and until when it gets no other.
#[derive(Clone, Copy)]
struct Left {
    at: Instant,
    hold: Instant,
}

/// Entry point of the launcher.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn rhythm_launcher_main(_arg: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(None, None);
    databases::set_launcher(true);
    let mut running: HashMap<u32, Running> = HashMap::new();
    let mut left: HashMap<u32, Left> = HashMap::new();
    let mut found = Vec::new();
    let mut next_look = Instant::now();
    let mut warned: Option<Instant> = None;
    // Somebody has asked for a look since the last one.
    let mut is_news = true;
    loop {
        let now = Instant::now();
        running.retain(|oid, one| {
            let lives = !has_stopped(&one.worker);
            if !lives {
                let hold = if one.since.elapsed() < SHORT_LIFE {
                    TURN
                } else {
                    HOLD
                };
                left.insert(
                    *oid,
                    Left {
                        at: now,
                        hold: now + hold,
                    },
                );
                // Perhaps the extension is gone, or the database.
                next_look = next_look.min(now + HOLD);
            }
            lives
        });
        if databases::launcher_was_asked() {
            // A command on a database is over, or there is a new installation.
            left.values_mut().for_each(|one| one.hold = now);
            next_look = now;
            is_news = true;
        }
        let mut is_short = false;
        if next_look <= now {
            match look() {
                Some(seen) => {
                    found = seen;
                    is_news = false;
                    next_look = now + RESCAN;
                    left.retain(|oid, _| found.contains(oid));
                }
                None => {
                    // A mere rescan can wait: no worker that is needed leaves for it.
                    is_short = is_news;
                    next_look = now + TURN;
                }
            }
        }

        let mut missing: Vec<u32> = found
            .iter()
            .copied()
            .filter(|oid| !running.contains_key(oid))
            .collect();
        // Who has waited longest is next.
        missing.sort_by_key(|oid| left.get(oid).map(|one| one.at));
        let mut wake_at = next_look;
        for oid in missing {
            match left.get(&oid) {
                Some(one) if one.hold > now => {
                    wake_at = wake_at.min(one.hold);
                    continue;
                }
                _ => {}
            }
            if databases::is_served(oid) {
                // By a worker that a launcher before this one has started.
                databases::ask_to_leave(oid);
                wake_at = wake_at.min(now + LEAVING);
                continue;
            }
            let Some(worker) = start("rhythm worker", "rhythm_worker_main", oid) else {
                is_short = true;
                break;
            };
            running.insert(oid, Running { worker, since: now });
        }
        if is_short {
            if warned.is_none_or(|at| at.elapsed() > WARN_AGAIN) {
                warned = Some(now);
                warn_of_shortage();
            }
            let longest = running.iter().min_by_key(|(_, one)| one.since);
            if let Some((oid, one)) = longest
                && one.since.elapsed() >= TURN
            {
                databases::ask_to_leave(*oid);
            }
            wake_at = wake_at.min(now + TURN);
        }
        // Never quite without a pause, so that a storm of events does not become a storm of scouts.
        let pause = if databases::launcher_is_asked() {
            Duration::ZERO
        } else {
            wake_at.saturating_duration_since(Instant::now())
        };
        if !sleep(pause.max(Duration::from_millis(10))) {
            break;
        }
    }
    databases::set_launcher(false);
    // Not 0, by which a worker tells the postmaster that it is not to be started again: unless the server stops, it is.
    // SAFETY: the end of this process, outside of any transaction.
    unsafe { pg_sys::proc_exit(1) };
}

/// The databases that have the extension; none if no slot is free to look, or no database to look from.
fn look() -> Option<Vec<u32>> {
    let base = BackgroundWorker::transaction(database_to_look_from)?;
    databases::begin_look();
    let scout = start("rhythm scout", "rhythm_scout_main", base)?;
    // Fails only when the server shuts down, which the loop notices.
    let _ = scout.wait_for_shutdown();
    databases::found()
}

fn warn_of_shortage() {
    ereport!(
        WARNING,
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "no background worker slot is free for a database with Rhythm",
        "Databases take turns, and timers fire late. Raise max_worker_processes."
    );
}

fn has_stopped(worker: &DynamicBackgroundWorker) -> bool {
    matches!(
        worker.pid(),
        Err(BackgroundWorkerStatus::Stopped | BackgroundWorkerStatus::PostmasterDied)
    )
}

fn start(kind: &str, function: &str, database: u32) -> Option<DynamicBackgroundWorker> {
    BackgroundWorkerBuilder::new(kind)
        .set_type(kind)
        .set_library("rhythm")
        .set_function(function)
        .set_argument(Some(pg_sys::Datum::from(database)))
        .enable_shmem_access(None)
        .enable_spi_access()
        // The launcher starts it again: only it knows whether the database is still there.
        .set_restart_time(None)
        // SAFETY: `MyProcPid` is a plain number. The launcher's latch is set when the worker starts or stops.
        .set_notify_pid(unsafe { pg_sys::MyProcPid })
        .load_dynamic()
        .ok()
}

/// A database from which the scout can read shared catalogs: `postgres`, else any, a template only as the last resort.
fn database_to_look_from() -> Option<u32> {
    let mut best: Option<(u8, u32)> = None;
    // SAFETY: the usual way to read pg_database without being connected to one, as autovacuum's launcher does: each tuple
    // is read before the next one is fetched, scan and relation are closed in the end.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let database = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            // A limit of -2 marks a database whose DROP was interrupted.
            if !database.datallowconn || database.datconnlimit == -2 {
                continue;
            }
            let name = std::ffi::CStr::from_ptr(database.datname.data.as_ptr());
            let rank = match (name == c"postgres", database.datistemplate) {
                (true, _) => 0,
                (false, false) => 1,
                (false, true) => 2,
            };
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, database.oid.to_u32()));
            }
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(relation, lock);
    }
    best.map(|(_, oid)| oid)
}
