//! The launcher: finds the databases that have the extension, and starts a worker for each that has none.
//!
//! It connects to no database (one that is connected to cannot be dropped): the shared catalog `pg_shdepend` tells in
//! which databases the role `rhythm_owner` owns something, which follows CREATE and DROP EXTENSION and copies of templates.

use std::collections::HashMap;

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, DynamicBackgroundWorker, SignalWakeFlags,
};
use pgrx::prelude::*;

use super::RESCAN;
use crate::shmem::databases;

/// Catalog facts that pgrx's bindings do not have; they are the same in all supported versions.
const PG_SHDEPEND: u32 = 1214;
const PG_SHDEPEND_REFERENCE_INDEX: u32 = 1233;
const ATTRIBUTE_REFCLASSID: i16 = 5;
const ATTRIBUTE_REFOBJID: i16 = 6;

/// Entry point of the launcher.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn rhythm_launcher_main(_arg: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(None, None);
    databases::set_launcher(true);
    let mut started: HashMap<u32, DynamicBackgroundWorker> = HashMap::new();
    let mut warned = false;
    loop {
        let found = BackgroundWorker::transaction(databases_with_rhythm);
        started.retain(|oid, worker| found.contains(oid) && !has_stopped(worker));
        for oid in found {
            if started.contains_key(&oid) {
                continue;
            }
            match start(oid) {
                Some(worker) => {
                    started.insert(oid, worker);
                    warned = false;
                }
                // Slots may become free; the next look tries again.
                None if !warned => {
                    warned = true;
                    ereport!(
                        WARNING,
                        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                        "no background worker slot is free for a database with Rhythm",
                        "Raise max_worker_processes: timers and lost leases of that database wait for a worker."
                    );
                }
                None => {}
            }
        }
        if !BackgroundWorker::wait_latch(Some(RESCAN)) {
            break;
        }
    }
    databases::set_launcher(false);
}

fn has_stopped(worker: &DynamicBackgroundWorker) -> bool {
    matches!(
        worker.pid(),
        Err(BackgroundWorkerStatus::Stopped | BackgroundWorkerStatus::PostmasterDied)
    )
}

fn start(oid: u32) -> Option<DynamicBackgroundWorker> {
    BackgroundWorkerBuilder::new("rhythm worker")
        .set_type("rhythm worker")
        .set_library("rhythm")
        .set_function("rhythm_worker_main")
        .set_argument(Some(pg_sys::Datum::from(oid)))
        .enable_shmem_access(None)
        .enable_spi_access()
        // The launcher starts it again: only it knows whether the database is still there.
        .set_restart_time(None)
        // SAFETY: `MyProcPid` is a plain number. The launcher's latch is set when the worker starts or stops.
        .set_notify_pid(unsafe { pg_sys::MyProcPid })
        .load_dynamic()
        .ok()
}

/// The databases in which `rhythm_owner` owns something.
fn databases_with_rhythm() -> Vec<u32> {
    let mut found = Vec::new();
    // SAFETY: the usual way to scan a catalog: relation and scan are closed before they go out of scope, and each tuple is
    // read before the next one is fetched. `dbid` is the first column of pg_shdepend, and never null.
    unsafe {
        let owner = pg_sys::get_role_oid(c"rhythm_owner".as_ptr(), true);
        if owner == pg_sys::InvalidOid {
            return found;
        }
        let mut keys: [pg_sys::ScanKeyData; 2] = Default::default();
        let equal = pg_sys::BTEqualStrategyNumber as u16;
        let oid_eq = pg_sys::Oid::from(pg_sys::F_OIDEQ);
        pg_sys::ScanKeyInit(&mut keys[0], ATTRIBUTE_REFCLASSID, equal, oid_eq, pg_sys::AuthIdRelationId.into());
        pg_sys::ScanKeyInit(&mut keys[1], ATTRIBUTE_REFOBJID, equal, oid_eq, owner.into());
        let relation = pg_sys::table_open(PG_SHDEPEND.into(), pg_sys::AccessShareLock as i32);
        let scan = pg_sys::systable_beginscan(
            relation,
            PG_SHDEPEND_REFERENCE_INDEX.into(),
            true,
            std::ptr::null_mut(),
            2,
            keys.as_mut_ptr(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let database = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::Oid>().read_unaligned().to_u32();
            if database != 0 && !found.contains(&database) {
                found.push(database);
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
    found
}
