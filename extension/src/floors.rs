//! From where sessions look for pending tasks (`sql/schema/49_floor.sql`), and when they look at all again. What a transaction finds is
//! its own until it commits, and then shared with the other sessions (`shmem::floors`), or kept for this one where there is no
//! shared memory. Knows no SQL.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys;

use crate::shmem::{self, floors as shared};

/// Floors that one backend keeps; the oldest gives way.
const MOST: usize = 64;
/// How long a floor holds for each entry that a look at all walks over, in microseconds: such looks take a twentieth of the time, or less.
const FOR_AN_ENTRY: i64 = 10;
const LEAST: i64 = 1_000_000;
const LONGEST: i64 = 60_000_000;

/// Priority, number, and the number from which on higher priorities may have something.
pub(crate) type Floor = [i64; 3];

/// A floor, whose it is, and for how long it holds.
pub(crate) struct Entry {
    pub(crate) whose: u64,
    pub(crate) floor: Floor,
    /// Microseconds.
    pub(crate) holds: i64,
    /// On the server's clock, as Postgres counts it.
    pub(crate) until: i64,
    /// When it was looked at all for it, on the same clock: what is found later on from an older floor does not replace a newer one.
    pub(crate) looked_at: i64,
}

impl Entry {
    /// Whether it need not be looked at all. A clock that was set back must not make it last.
    pub(crate) fn holds_at(&self, now: i64) -> bool {
        self.is_valid() && (1..=LONGEST).contains(&(self.until - now))
    }

    /// Whether it is one: a look at all may have found that none is needed any more.
    pub(crate) fn is_valid(&self) -> bool {
        self.holds > 0
    }
}

thread_local! {
    static KEPT: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// Whether the running transaction has found a floor.
    static IS_FRESH: Cell<bool> = const { Cell::new(false) };
    /// The shared floors for which the running transaction looks at all; 0: none.
    static LOOKS: Cell<[u64; 8]> = const { Cell::new([0; 8]) };
    /// When a floor was last asked for.
    static ASKED_AT: Cell<i64> = const { Cell::new(0) };
}

fn now() -> i64 {
    // SAFETY: it reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Whose a floor is: an index, a queue, and what its worker may be given.
pub(crate) fn whose(
    index: u32,
    queue: &str,
    tasks: Option<Vec<Option<String>>>,
    paused: Option<Vec<Option<String>>>,
) -> u64 {
    // The same in each backend: it has no random key.
    let mut hasher = DefaultHasher::new();
    // A copy of a database has the same oids.
    (shmem::my_database(), index, queue, tasks, paused).hash(&mut hasher);
    hasher.finish().max(1)
}

/// Whether there is any.
pub(crate) fn is_empty() -> bool {
    KEPT.with_borrow(Vec::is_empty) && !shared::are_used()
}

/// The floor, or `Some(None)` when it is time to look at all, which the caller will do.
pub(crate) fn get(whose: u64) -> Option<Option<Floor>> {
    let now = now();
    ASKED_AT.set(now);
    let own = KEPT.with_borrow_mut(|kept| {
        let one = kept.iter_mut().find(|one| one.whose == whose)?;
        if one.holds_at(now) {
            return Some(Some(one.floor));
        }
        one.until = now + one.holds;
        Some(None)
    });
    own.or_else(|| {
        let entry = shared::peek(whose).filter(Entry::is_valid)?;
        if entry.holds_at(now) {
            return Some(Some(entry.floor));
        }
        // SAFETY: reads a setting of the running transaction.
        if unsafe { pg_sys::XactIsoLevel } >= pg_sys::XACT_REPEATABLE_READ as i32 {
            // What it sees says nothing of now: it looks at all for itself alone.
            return None;
        }
        if !shared::begin_look(whose, now) {
            return Some(Some(entry.floor));
        }
        let mut looks = LOOKS.get();
        if let Some(free) = looks.iter_mut().find(|look| **look == 0) {
            *free = whose;
        }
        LOOKS.set(looks);
        Some(None)
    })
}

/// How long it is until the next look at all, in microseconds.
pub(crate) fn ends_in(whose: u64) -> Option<i64> {
    let own = KEPT.with_borrow(|kept| {
        let one = kept.iter().find(|one| one.whose == whose)?;
        Some(one.until)
    });
    let shared = || {
        let one = shared::peek(whose).filter(Entry::is_valid)?;
        Some(one.until)
    };
    let until = own.or_else(shared)?;
    Some((until - now()).clamp(0, LONGEST))
}

/// Keeps a floor; `walked`: the entries that a look at all has met, if it was one.
pub(crate) fn keep(whose: u64, floor: Floor, walked: Option<i64>) {
    IS_FRESH.set(true);
    KEPT.with_borrow_mut(|kept| {
        let old = kept
            .iter()
            .position(|one| one.whose == whose)
            .map(|at| kept.remove(at))
            .or_else(|| shared::peek(whose));
        let (holds, until, looked_at) = match (walked, old) {
            // Found from one that somebody has found needless meanwhile.
            (None, Some(old)) if !old.is_valid() => return,
            (None, Some(old)) => (old.holds, old.until, old.looked_at),
            (walked, _) => {
                let holds = FOR_AN_ENTRY.saturating_mul(walked.unwrap_or_default());
                let holds = holds.clamp(LEAST, LONGEST);
                (holds, now() + holds, ASKED_AT.get())
            }
        };
        if kept.len() == MOST {
            kept.remove(0);
        }
        kept.push(Entry {
            whose,
            floor,
            holds,
            until,
            looked_at,
        });
    });
}

/// Forgets a floor.
pub(crate) fn forget(whose: u64) {
    KEPT.with_borrow_mut(|kept| kept.retain(|one| one.whose != whose));
    shared::forget(whose, ASKED_AT.get());
}

/// The transaction has committed: what it has taken stays taken. Runs in a callback, and so must not panic.
pub(crate) fn confirm() {
    let _ = LOOKS.try_with(|looks| looks.set([0; 8]));
    let is_fresh = IS_FRESH.try_with(|fresh| fresh.replace(false));
    if !is_fresh.unwrap_or(false) || !shmem::is_available() {
        return;
    }
    let _ = KEPT.try_with(|kept| {
        if let Ok(mut kept) = kept.try_borrow_mut() {
            // One whose place is busy stays with this session.
            kept.retain(|one| !shared::share(one));
        }
    });
}

/// Forgets all if one was found by this transaction, which has failed: what it had taken by then is pending again. A look at all that it
/// was about to do is for another one. Runs in a callback, and so must not panic.
pub(crate) fn forget_fresh() {
    let looks = LOOKS
        .try_with(|looks| looks.replace([0; 8]))
        .unwrap_or([0; 8]);
    for whose in looks.into_iter().filter(|whose| *whose != 0) {
        shared::expire(whose);
    }
    if !IS_FRESH
        .try_with(|fresh| fresh.replace(false))
        .unwrap_or(false)
    {
        return;
    }
    let _ = KEPT.try_with(|kept| {
        if let Ok(mut kept) = kept.try_borrow_mut() {
            kept.clear();
        }
    });
}
