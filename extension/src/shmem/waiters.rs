//! Sessions that wait inside `claim` or `wait`, each with the topics that it waits for.
//!
//! No wake-up is lost: a waiter publishes its slot, then looks for work once more, then sleeps; who makes work commits,
//! then reads the slots. Both have a fence in between, so at least one of them sees the other.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::{my_database, my_latch, set_latch, shared};

/// Waiting sessions that can be woken; further ones poll.
pub(super) const SLOTS: usize = 1024;
/// Topics of one waiter; who waits for more is woken for any.
const TOPICS: usize = 8;

/// One waiting session.
#[repr(C)]
pub(super) struct Waiter {
    /// Address of the session's latch; 0 for a free slot, 1 for one that is being filled.
    latch: AtomicUsize,
    database: AtomicU32,
    /// Number of topics; more than `TOPICS` stands for all.
    count: AtomicU32,
    topics: [AtomicU64; TOPICS],
    /// Set by who wakes it, so that two pieces of work wake two waiters.
    woken: AtomicBool,
}

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
    /// Whether this backend was woken since it last began to sleep.
    static WAS_WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// The topic of a queue.
pub(crate) fn queue_topic(name: &str) -> u64 {
    hash(name.as_bytes(), 0x51)
}

/// The topic of an execution's end.
pub(crate) fn result_topic(id: &[u8; 16]) -> u64 {
    hash(id, 0x52)
}

/// FNV-1a; two queues with one hash only wake each other's waiters.
fn hash(bytes: &[u8], salt: u8) -> u64 {
    bytes
        .iter()
        .chain([&salt])
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
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
    slot.woken.store(false, Ordering::Relaxed);
    slot.latch.store(my_latch(), Ordering::SeqCst);
    fence(Ordering::SeqCst);
    MINE.set(Some(index));
    WAS_WOKEN.set(false);
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
    if WAS_WOKEN.replace(false) {
        for topic in slot
            .topics
            .iter()
            .take(slot.count.load(Ordering::Relaxed) as usize)
        {
            wake_from(
                index + 1,
                slot.database.load(Ordering::Relaxed),
                topic.load(Ordering::Relaxed),
                1,
            );
        }
    }
    let deadline = Instant::now() + Duration::from_millis(millis.max(0) as u64);
    loop {
        if slot.woken.swap(false, Ordering::SeqCst) {
            WAS_WOKEN.set(true);
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

/// Takes back what `begin` published. Also called when the transaction ends, however it ends. Touches only atomics.
pub(crate) fn end() {
    let (Some(shared), Some(index)) = (shared(), MINE.take()) else {
        return;
    };
    let slot = &shared.waiters[index];
    // Woken after it looked for the last time: another one must look instead. The flag is set by who wakes before it reads
    // the latch again, so that one of the two sees the other.
    let database = slot.database.load(Ordering::Relaxed);
    let topics: [u64; TOPICS] = std::array::from_fn(|at| slot.topics[at].load(Ordering::Relaxed));
    let count = slot.count.load(Ordering::Relaxed) as usize;
    let unheard = slot.woken.swap(true, Ordering::SeqCst);
    slot.latch.store(0, Ordering::SeqCst);
    if unheard {
        for topic in topics.iter().take(count) {
            wake_from(0, database, *topic, 1);
        }
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
    for slot in shared.waiters.iter().skip(first) {
        if left == 0 {
            return;
        }
        let latch = slot.latch.load(Ordering::SeqCst);
        if latch > 1
            && slot.database.load(Ordering::Relaxed) == database
            && slot.waits_for(topic)
            && !slot.woken.swap(true, Ordering::SeqCst)
        {
            set_latch(latch);
            left -= 1;
        }
    }
}
