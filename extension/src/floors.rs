//! From where this backend looks for pending tasks (`sql/schema/49_floor.sql`), and when it looks at all again. Knows no SQL.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// Floors that one backend keeps; the oldest gives way.
const MOST: usize = 64;
/// How long a floor holds for each entry that a look at all walks over: such looks take a twentieth of the time, or less.
const FOR_AN_ENTRY: Duration = Duration::from_micros(10);
const LEAST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Priority, number, and the number from which on higher priorities may have something.
pub(crate) type Floor = [i64; 3];

struct Kept {
    whose: u64,
    floor: Floor,
    holds: Duration,
    until: Instant,
}

thread_local! {
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
    /// Whether the running transaction has found a floor.
    static IS_FRESH: Cell<bool> = const { Cell::new(false) };
}

/// Whose a floor is: an index, a queue, and what its worker may be given.
pub(crate) fn whose(
    index: u32,
    queue: &str,
    tasks: Option<Vec<Option<String>>>,
    paused: Option<Vec<Option<String>>>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    (index, queue, tasks, paused).hash(&mut hasher);
    hasher.finish()
}

/// Whether there is any.
pub(crate) fn is_empty() -> bool {
    KEPT.with_borrow(Vec::is_empty)
}

/// The floor, or `Some(None)` when it is time to look at all, which the caller will do.
pub(crate) fn get(whose: u64) -> Option<Option<Floor>> {
    KEPT.with_borrow_mut(|kept| {
        let one = kept.iter_mut().find(|one| one.whose == whose)?;
        let now = Instant::now();
        if now < one.until {
            return Some(Some(one.floor));
        }
        one.until = now + one.holds;
        Some(None)
    })
}

/// How long it is until the next look at all.
pub(crate) fn ends_in(whose: u64) -> Option<Duration> {
    KEPT.with_borrow(|kept| {
        let one = kept.iter().find(|one| one.whose == whose)?;
        Some(one.until.saturating_duration_since(Instant::now()))
    })
}

/// Keeps a floor; `walked`: the entries that a look at all has met, if it was one.
pub(crate) fn keep(whose: u64, floor: Floor, walked: Option<i64>) {
    IS_FRESH.set(true);
    KEPT.with_borrow_mut(|kept| {
        let old = kept
            .iter()
            .position(|one| one.whose == whose)
            .map(|at| kept.remove(at));
        let holds = match (walked, &old) {
            (None, Some(old)) => old.holds,
            (walked, _) => {
                let entries = u32::try_from(walked.unwrap_or_default()).unwrap_or(u32::MAX);
                FOR_AN_ENTRY.saturating_mul(entries).clamp(LEAST, LONGEST)
            }
        };
        let until = match (walked, old) {
            (None, Some(old)) => old.until,
            _ => Instant::now() + holds,
        };
        if kept.len() == MOST {
            kept.remove(0);
        }
        kept.push(Kept {
            whose,
            floor,
            holds,
            until,
        });
    });
}

/// Forgets a floor.
pub(crate) fn forget(whose: u64) {
    KEPT.with_borrow_mut(|kept| kept.retain(|one| one.whose != whose));
}

/// The transaction has committed: what it has taken stays taken.
pub(crate) fn confirm() {
    let _ = IS_FRESH.try_with(|fresh| fresh.set(false));
}

/// Forgets all if one was found by this transaction, which has failed: what it had taken by then is pending again. Runs in a callback,
/// and so must not panic.
pub(crate) fn forget_fresh() {
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
