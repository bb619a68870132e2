//! Floors of claims that all sessions of a server share (`crate::floors` says what they are). A session that comes new need not walk
//! over what others have walked over.
//!
//! Each floor has one place, by its hash; another one that has the same place drives it out. A place is locked while it is read or
//! written, which is never waited for: who meets it locked does without.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use super::{my_database, shared};
use crate::floors::{Entry, Floor};

pub(super) const PLACES: usize = 256;

/// Where one floor lies; of nobody's while `whose` is 0.
#[repr(C)]
pub(super) struct Place {
    is_locked: AtomicBool,
    database: AtomicU32,
    whose: AtomicU64,
    floor: [AtomicI64; 3],
    holds: AtomicI64,
    until: AtomicI64,
    /// Counts the looks at all: what was found by a look from an older floor does not replace what a look at all has found.
    looks: AtomicU64,
}

/// A place that this process has locked.
struct Locked<'a>(&'a Place);

impl<'a> Locked<'a> {
    fn try_lock(whose: u64) -> Option<Self> {
        let place: &'a Place = &shared()?.floors[(whose % PLACES as u64) as usize];
        place
            .is_locked
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Self(place))
    }

    fn is_of(&self, whose: u64) -> bool {
        self.0.whose.load(Ordering::Relaxed) == whose
            && self.0.database.load(Ordering::Relaxed) == my_database()
    }

    fn read(&self, whose: u64) -> Option<Entry> {
        self.is_of(whose).then(|| Entry {
            whose,
            floor: self
                .0
                .floor
                .each_ref()
                .map(|part| part.load(Ordering::Relaxed)),
            holds: self.0.holds.load(Ordering::Relaxed),
            until: self.0.until.load(Ordering::Relaxed),
            looks: self.0.looks.load(Ordering::Relaxed),
        })
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.is_locked.store(false, Ordering::Release);
    }
}

/// Whether any was ever shared, so that most need not look.
pub(crate) fn are_used() -> bool {
    shared().is_some_and(|shared| shared.has_floors.load(Ordering::Relaxed))
}

/// The floor that is shared. If its time is up at `now`, it is time to look at all: only the one who asks first is told so.
pub(crate) fn get(whose: u64, now: i64) -> Option<Option<Floor>> {
    let place = Locked::try_lock(whose)?;
    let entry = place.read(whose)?;
    if entry.holds_at(now) {
        return Some(Some(entry.floor));
    }
    place.0.until.store(now + entry.holds, Ordering::Relaxed);
    Some(None)
}

/// What is shared.
pub(crate) fn peek(whose: u64) -> Option<Entry> {
    Locked::try_lock(whose)?.read(whose)
}

/// Shares a floor, after the transaction that has found it has committed. Touches only atomics.
pub(crate) fn share(entry: &Entry) {
    let Some(place) = Locked::try_lock(entry.whose) else {
        return;
    };
    if place
        .read(entry.whose)
        .is_some_and(|old| old.looks > entry.looks)
    {
        return;
    }
    place.0.database.store(my_database(), Ordering::Relaxed);
    place.0.whose.store(entry.whose, Ordering::Relaxed);
    for (part, value) in place.0.floor.iter().zip(entry.floor) {
        part.store(value, Ordering::Relaxed);
    }
    place.0.holds.store(entry.holds, Ordering::Relaxed);
    place.0.until.store(entry.until, Ordering::Relaxed);
    place.0.looks.store(entry.looks, Ordering::Relaxed);
    if let Some(shared) = shared() {
        shared.has_floors.store(true, Ordering::Relaxed);
    }
}

/// It is time to look at all.
pub(crate) fn expire(whose: u64) {
    if let Some(place) = Locked::try_lock(whose)
        && place.is_of(whose)
    {
        place.0.until.store(0, Ordering::Relaxed);
    }
}

/// Forgets what is shared.
pub(crate) fn forget(whose: u64) {
    if let Some(place) = Locked::try_lock(whose)
        && place.is_of(whose)
    {
        place.0.whose.store(0, Ordering::Relaxed);
    }
}
