//! Sessions that wait inside `claim` or `wait`, each with the topics that it waits for.
//!
//! No wake-up is lost: a waiter publishes its slot, then looks for work once more, then sleeps; who makes work commits,
//! then reads the slots. Both have a fence in between, so at least one of them sees the other.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::{my_database, my_latch, set_latch, shared};

/// Waiting sessions that can be woken; further ones poll.
pub(super) const SLOTS: usize = 1024;
/// Topics of one waiter, of which a claim needs one for itself; who waits for more is woken for any.
const TOPICS: usize = 9;

/// One waiting session.
#[repr(C)]
pub(super) struct Waiter {
    /// Address of the session's latch; 0 for a free slot, 1 for one that is being filled.
    latch: AtomicUsize,
    database: AtomicU32,
    /// Number of topics; more than `TOPICS` stands for all.
    count: AtomicU32,
    topics: [AtomicU64; TOPICS],
    /// The topic for which it was woken; 0: it was not. Set by who wakes it, so that two pieces of work wake two waiters.
    woken: AtomicU64,
}

/// `woken` of a slot that nobody can wake, since its session is leaving.
const LEAVING: u64 = 1;

impl Waiter {
    fn waits_for(&self, topic: u64) -> bool {
        let count = self.count.load(Ordering::Relaxed) as usize;
        count > TOPICS
            || self.topics[..count]
                .iter()
                .any(|one| one.load(Ordering::Relaxed) == topic)
    }
}

thread_local! {
    /// The slot of this backend, while it waits.
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    /// For what this backend was woken since it last began to sleep; 0: it was not.
    static WOKEN: Cell<u64> = const { Cell::new(0) };
}

/// The topic of a queue.
pub(crate) fn queue_topic(name: &str) -> u64 {
    hash(name.as_bytes(), 0x51)
}

/// The topic of an execution's end.
pub(crate) fn result_topic(id: &[u8; 16]) -> u64 {
    hash(id, 0x52)
}

/// FNV-1a; two queues with one hash only wake each other's waiters. Never a value that `woken` has a meaning for.
fn hash(bytes: &[u8], salt: u8) -> u64 {
    let hash = bytes
        .iter()
        .chain([&salt])
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    hash.max(LEAVING + 1)
}

/// Publishes that this session waits. False when it cannot be woken and has to poll.
pub(crate) fn begin(topics: &[u64]) -> bool {
    end();
    let Some(shared) = shared() else { return false };
    let free = shared.waiters.iter().position(|slot| {
        slot.latch.load(Ordering::Relaxed) == 0
            && slot
                .latch
                .compare_exchange(0, 1, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
    });
    let Some(index) = free else { return false };
    let slot = &shared.waiters[index];
    slot.database.store(my_database(), Ordering::Relaxed);
    slot.count.store(topics.len() as u32, Ordering::Relaxed);
    for (place, topic) in slot.topics.iter().zip(topics) {
        place.store(*topic, Ordering::Relaxed);
    }
    slot.woken.store(0, Ordering::Relaxed);
    shared.used.fetch_max(index + 1, Ordering::SeqCst);
    slot.latch.store(my_latch(), Ordering::SeqCst);
    fence(Ordering::SeqCst);
    MINE.set(Some(index));
    WOKEN.set(0);
    true
}

/// Sleeps until woken or for `millis`. True when it was woken.
///
/// A session that waits again after it was woken found nothing that it may do (another name, say): it hands the
/// wake-up on to the next one that waits for the same. `woken` is unset before the caller looks for work, so that what
/// arrives while it looks wakes it again.
pub(crate) fn sleep(millis: i64, wait_event: u32) -> bool {
    let (Some(shared), Some(index)) = (shared(), MINE.get()) else {
        return false;
    };
    let slot = &shared.waiters[index];
    let topic = WOKEN.replace(0);
    if topic != 0 {
        wake_from(index + 1, slot.database.load(Ordering::Relaxed), topic, 1);
    }
    let deadline = Instant::now() + Duration::from_millis(millis.max(0) as u64);
    loop {
        let topic = slot.woken.swap(0, Ordering::SeqCst);
        if topic != 0 {
            WOKEN.set(topic);
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        // Rounded up: a wait of 0.4 ms must not spin.
        let millis = left.as_millis() as i64 + 1;
        let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
        // SAFETY: `MyLatch` belongs to this process. The latch is reset before the flag is looked at.
        unsafe {
            pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, millis, wait_event);
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        pgrx::check_for_interrupts!();
    }
}

/// Takes back what `begin` published, because of an error perhaps. Touches only atomics.
pub(crate) fn end() {
    end_after(None, false);
}

/// The same after the session has looked for the last time: it took work of the topic `took` last, and `is_done` says that
/// there is nothing left that it could take. If it was woken for something else, somebody else must look for that.
pub(crate) fn end_after(took: Option<u64>, is_done: bool) {
    let heard = WOKEN.replace(0);
    let (Some(shared), Some(index)) = (shared(), MINE.take()) else {
        return;
    };
    let slot = &shared.waiters[index];
    // Woken after it looked for the last time: another one must look instead.
    let database = slot.database.load(Ordering::Relaxed);
    let unheard = slot.woken.swap(LEAVING, Ordering::SeqCst);
    slot.latch.store(0, Ordering::SeqCst);
    if unheard != 0 {
        wake_from(0, database, unheard, 1);
    }
    if heard != 0 && !is_done && took != Some(heard) {
        wake_from(index + 1, database, heard, 1);
    }
}

/// Wakes up to `count` sessions of this database that wait for `topic`. Touches only atomics.
pub(super) fn wake(topic: u64, count: u32) {
    wake_from(0, my_database(), topic, count);
}

fn wake_from(first: usize, database: u32, topic: u64, count: u32) {
    let Some(shared) = shared() else { return };
    fence(Ordering::SeqCst);
    let mut left = count;
    let used = shared.used.load(Ordering::SeqCst).min(SLOTS);
    for slot in shared.waiters.iter().take(used).skip(first) {
        if left == 0 {
            return;
        }
        if slot.latch.load(Ordering::SeqCst) > 1
            && slot.database.load(Ordering::Relaxed) == database
            && slot.waits_for(topic)
            && slot
                .woken
                .compare_exchange(0, topic, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
        {
            // Read again: the slot may have changed hands since. Whoever is just filling it looks at `woken` before it sleeps.
            let latch = slot.latch.load(Ordering::SeqCst);
            if latch > 1 {
                set_latch(latch);
            }
            left -= 1;
        }
    }
}
