//! The databases that have a background worker: how to wake it, and when it means to wake by itself.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};

use pgrx::prelude::*;

use super::{my_database, my_latch, set_latch, shared};

/// Databases that can have a worker.
pub(super) const SLOTS: usize = 128;
/// What `next_due` is while nothing is due.
pub(crate) const NEVER: i64 = i64::MAX;

/// A process that can be woken.
#[repr(C)]
pub(super) struct Sleeper {
    latch: AtomicUsize,
}

impl Sleeper {
    pub(super) fn wake(&self) {
        set_latch(self.latch.load(Ordering::SeqCst));
    }
}

/// One database with a worker.
#[repr(C)]
pub(super) struct Database {
    /// The database; 0 for a free slot.
    oid: AtomicU32,
    worker: Sleeper,
    /// Microseconds since 2000 on Rhythm's clock at which the worker will look by itself.
    next_due: AtomicI64,
    /// Somebody could not lock a root: the next commit of this database wakes the worker.
    contended: AtomicBool,
    /// There was something for the worker since its round began. The latch alone does not say that: what a round waits for
    /// (a lock, for one) uses the same latch.
    asked: AtomicBool,
    /// The worker has to leave, since the database is about to be dropped or copied.
    leave: AtomicBool,
}

fn find(oid: u32) -> Option<&'static Database> {
    shared()?
        .databases
        .iter()
        .find(|slot| slot.oid.load(Ordering::SeqCst) == oid)
}

thread_local! {
    /// Where this backend's database was last: each commit asks, so it should not search.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

/// The slot of this backend's database, if a worker serves it.
fn mine() -> Option<&'static Database> {
    let slots = &shared()?.databases;
    let oid = my_database();
    let is_mine = |slot: &Database| oid != 0 && slot.oid.load(Ordering::SeqCst) == oid;
    if let Some(slot) = slots.get(MINE.get()).filter(|slot| is_mine(slot)) {
        return Some(slot);
    }
    let index = slots.iter().position(is_mine)?;
    MINE.set(index);
    slots.get(index)
}

/// Publishes this process as the worker of its database. False when all slots are taken, or another worker has one.
pub(crate) fn attach() -> bool {
    let Some(shared) = shared() else { return false };
    let oid = my_database();
    if find(oid).is_some() {
        return false;
    }
    let free = shared.databases.iter().find(|slot| {
        slot.oid
            .compare_exchange(0, oid, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    });
    let Some(slot) = free else { return false };
    slot.next_due.store(NEVER, Ordering::SeqCst);
    slot.contended.store(false, Ordering::SeqCst);
    slot.leave.store(false, Ordering::SeqCst);
    slot.worker.latch.store(my_latch(), Ordering::SeqCst);
    // SAFETY: once in the life of a worker's process; the callback needs nothing but shared memory.
    unsafe { pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::from(0_usize)) };
    true
}

/// Runs when the worker's process ends, however it ends. Touches only atomics.
unsafe extern "C-unwind" fn at_exit(_code: std::ffi::c_int, _arg: pg_sys::Datum) {
    detach();
}

/// Takes back what `attach` published.
fn detach() {
    if let Some(slot) = mine() {
        slot.worker.latch.store(0, Ordering::SeqCst);
        slot.oid.store(0, Ordering::SeqCst);
    }
}

/// Whether a worker serves the database of this backend.
pub(crate) fn has_worker() -> bool {
    mine().is_some_and(|slot| slot.worker.latch.load(Ordering::SeqCst) != 0)
}

/// Whether a worker serves this database.
pub(crate) fn is_served(oid: u32) -> bool {
    find(oid).is_some()
}

/// Whether the worker of this database was asked to leave.
pub(crate) fn must_leave() -> bool {
    mine().is_some_and(|slot| slot.leave.load(Ordering::SeqCst))
}

/// Asks the worker of a database to leave.
pub(crate) fn ask_to_leave(oid: u32) {
    if let Some(slot) = find(oid) {
        slot.leave.store(true, Ordering::SeqCst);
        slot.worker.wake();
    }
}

/// The worker begins a round: whatever becomes due from now on wakes it.
pub(crate) fn begin_round() {
    if let Some(slot) = mine() {
        slot.next_due.store(NEVER, Ordering::SeqCst);
        slot.contended.store(false, Ordering::SeqCst);
        slot.asked.store(false, Ordering::SeqCst);
    }
}

/// Whether something came up since the worker began its round.
pub(crate) fn is_asked() -> bool {
    mine().is_some_and(|slot| slot.asked.load(Ordering::SeqCst))
}

/// The worker will look by itself at `due`.
pub(crate) fn sleeps_until(due: i64) {
    if let Some(slot) = mine() {
        slot.next_due.fetch_min(due, Ordering::SeqCst);
    }
}

/// Says that a root was taken, so that its holder's commit wakes the worker.
pub(crate) fn set_contended() {
    if let Some(slot) = mine() {
        slot.contended.store(true, Ordering::SeqCst);
    }
}

/// Wakes the worker of this database if there is something for it. Touches only atomics.
pub(super) fn wake(due: i64, steps: bool) {
    let Some(slot) = mine() else { return };
    let earlier = due != NEVER && slot.next_due.fetch_min(due, Ordering::SeqCst) > due;
    let contended =
        slot.contended.load(Ordering::SeqCst) && slot.contended.swap(false, Ordering::SeqCst);
    if earlier || contended || steps {
        slot.asked.store(true, Ordering::SeqCst);
        slot.worker.wake();
    }
}

/// What the launcher and its scout tell each other.
#[repr(C)]
pub(super) struct Lookout {
    launcher: Sleeper,
    /// Somebody asked the launcher to look.
    asked: AtomicBool,
    /// Number of databases that the scout found, plus one; 0 while it has not reported.
    count: AtomicU32,
    found: [AtomicU32; SLOTS],
}

/// Whether somebody has asked the launcher to look.
pub(crate) fn launcher_is_asked() -> bool {
    shared().is_some_and(|shared| shared.lookout.asked.load(Ordering::SeqCst))
}

/// The same, and the launcher does so now.
pub(crate) fn launcher_was_asked() -> bool {
    shared().is_some_and(|shared| shared.lookout.asked.swap(false, Ordering::SeqCst))
}

/// The launcher sends a scout.
pub(crate) fn begin_look() {
    if let Some(shared) = shared() {
        shared.lookout.count.store(0, Ordering::SeqCst);
    }
}

/// The scout tells what it found. More databases than there are slots cannot have workers.
pub(crate) fn tell_found(oids: &[u32]) {
    let Some(shared) = shared() else { return };
    for (place, oid) in shared.lookout.found.iter().zip(oids) {
        place.store(*oid, Ordering::SeqCst);
    }
    let count = u32::try_from(oids.len().min(SLOTS)).unwrap_or(0);
    shared.lookout.count.store(count + 1, Ordering::SeqCst);
}

/// What the scout found; none if it could not say.
pub(crate) fn found() -> Option<Vec<u32>> {
    let lookout = &shared()?.lookout;
    let count = lookout.count.load(Ordering::SeqCst).checked_sub(1)?;
    Some(
        lookout
            .found
            .iter()
            .take(count as usize)
            .map(|oid| oid.load(Ordering::SeqCst))
            .collect(),
    )
}

/// Publishes this process as the launcher, or takes that back.
pub(crate) fn set_launcher(is_running: bool) {
    if let Some(shared) = shared() {
        let latch = if is_running { my_latch() } else { 0 };
        shared.lookout.launcher.latch.store(latch, Ordering::SeqCst);
    }
}

/// Lets the launcher look for databases. Touches only atomics.
pub(crate) fn wake_launcher() {
    if let Some(shared) = shared() {
        shared.lookout.asked.store(true, Ordering::SeqCst);
        shared.lookout.launcher.wake();
    }
}
