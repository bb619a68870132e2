//! Floors of claims that all sessions of a server share (`crate::floors` says what they are). A session that comes new need not walk
//! over what others have walked over.
//!
//! A floor lies in one of the few places that its hash names; where all are taken, it drives out one. A place is locked while it is read
//! or written, for some ten instructions: who does not get it soon does without.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::shared;
use crate::floors::Entry;

pub(super) const PLACES: usize = 256;
/// The places that one floor may have.
const WAYS: usize = 4;
const SPINS: u32 = 1000;

/// Where one floor lies; of nobody's while `whose` is 0.
#[repr(C)]
pub(super) struct Place {
    is_locked: AtomicBool,
    whose: AtomicU64,
    floor: [AtomicI64; 3],
    holds: AtomicI64,
    until: AtomicI64,
    looked_at: AtomicI64,
}

/// A place that this process has locked.
struct Locked<'a>(&'a Place);

impl<'a> Locked<'a> {
    fn lock(place: &'a Place) -> Option<Self> {
        for _ in 0..SPINS {
            let got = place.is_locked.compare_exchange_weak(
                false,
                true,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            if got.is_ok() {
                return Some(Self(place));
            }
            spin_loop();
        }
        None
    }

    fn read(&self) -> Entry {
        Entry {
            whose: self.0.whose.load(Ordering::Relaxed),
            floor: self
                .0
                .floor
                .each_ref()
                .map(|part| part.load(Ordering::Relaxed)),
            holds: self.0.holds.load(Ordering::Relaxed),
            until: self.0.until.load(Ordering::Relaxed),
            looked_at: self.0.looked_at.load(Ordering::Relaxed),
        }
    }

    fn write(&self, entry: &Entry) {
        self.0.whose.store(entry.whose, Ordering::Relaxed);
        for (part, value) in self.0.floor.iter().zip(entry.floor) {
            part.store(value, Ordering::Relaxed);
        }
        self.0.holds.store(entry.holds, Ordering::Relaxed);
        self.0.until.store(entry.until, Ordering::Relaxed);
        self.0.looked_at.store(entry.looked_at, Ordering::Relaxed);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.is_locked.store(false, Ordering::Release);
    }
}

/// The places that a floor may have.
fn places(whose: u64) -> impl Iterator<Item = &'static Place> {
    let first = (whose % PLACES as u64) as usize;
    shared()
        .into_iter()
        .flat_map(move |shared| (0..WAYS).map(move |way| &shared.floors[(first + way) % PLACES]))
}

/// The place that a floor has.
fn find(whose: u64) -> Option<Locked<'static>> {
    places(whose)
        .filter(|place| place.whose.load(Ordering::Relaxed) == whose)
        .filter_map(Locked::lock)
        .find(|place| place.read().whose == whose)
}

/// Whether any was ever shared, so that most need not look.
pub(crate) fn are_used() -> bool {
    shared().is_some_and(|shared| shared.has_floors.load(Ordering::Relaxed))
}

/// What is shared.
pub(crate) fn peek(whose: u64) -> Option<Entry> {
    find(whose).map(|place| place.read())
}

/// Whether this session is the one to look at all, now that the time of a floor is up; the others go on with it meanwhile.
pub(crate) fn begin_look(whose: u64, now: i64) -> bool {
    let Some(place) = find(whose) else {
        return true;
    };
    let entry = place.read();
    if entry.holds_at(now) {
        return false;
    }
    place.0.until.store(now + entry.holds, Ordering::Relaxed);
    true
}

/// Shares a floor, after the transaction that has found it has committed; false: its place was busy. Touches only atomics.
pub(crate) fn share(entry: &Entry) -> bool {
    let Some(shared) = shared() else { return false };
    let place = find(entry.whose).or_else(|| {
        // Of those that it may drive out the one that was looked at all for longest ago.
        let oldest =
            places(entry.whose).min_by_key(|place| place.looked_at.load(Ordering::Relaxed));
        Locked::lock(oldest?)
    });
    let Some(place) = place else { return false };
    let old = place.read();
    if old.whose != entry.whose || old.looked_at <= entry.looked_at {
        place.write(entry);
    }
    shared.has_floors.store(true, Ordering::Relaxed);
    true
}

/// It is time to look at all.
pub(crate) fn expire(whose: u64) {
    if let Some(place) = find(whose) {
        place.0.until.store(0, Ordering::Relaxed);
    }
}

/// A look at all has found that no floor is needed any more. Its place remembers when, so that none that was found before comes back.
pub(crate) fn forget(whose: u64, looked_at: i64) {
    if let Some(place) = find(whose) {
        place.0.holds.store(0, Ordering::Relaxed);
        place.0.looked_at.store(looked_at, Ordering::Relaxed);
    }
}
