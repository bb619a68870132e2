//! What the running transaction will announce when it commits, and the callback that announces it.
//!
//! The callback runs after the commit, where an error or a panic takes the server down: it only walks what was
//! noted before and touches atomics.

use std::cell::RefCell;

use pgrx::prelude::*;

use super::{databases, waiters};
use crate::floors;

/// Notes of one transaction. An aborted subtransaction leaves its notes: a needless wake-up is harmless.
struct Notes {
    topics: Vec<Topic>,
    /// Topics of which all waiters are to be woken: ends of executions, each its own.
    results: Vec<u64>,
    /// The earliest time at which something new is due.
    due: i64,
    /// Whether something is left to the database's worker.
    steps: bool,
    /// Whether the launcher has to look for databases.
    launcher: bool,
    /// Whether anything was noted.
    any: bool,
}

/// New work of one topic.
struct Topic {
    topic: u64,
    /// How many pieces became claimable: as many waiters are to be woken.
    made: u32,
    /// How many of those the transaction has taken itself.
    taken: u32,
}

impl Notes {
    const fn empty() -> Self {
        Self {
            topics: Vec::new(),
            results: Vec::new(),
            due: databases::NEVER,
            steps: false,
            launcher: false,
            any: false,
        }
    }

    fn clear(&mut self) {
        self.topics.clear();
        self.results.clear();
        *self = Self {
            topics: std::mem::take(&mut self.topics),
            results: std::mem::take(&mut self.results),
            ..Self::empty()
        };
    }
}

thread_local! {
    static NOTES: RefCell<Notes> = const { RefCell::new(Notes::empty()) };
}

fn note(change: impl FnOnce(&mut Notes)) {
    NOTES.with_borrow_mut(|notes| {
        notes.any = true;
        change(notes);
    });
}

/// `count` new pieces of work of a topic.
pub(crate) fn topic(topic: u64, count: u32) {
    note(
        |notes| match notes.topics.iter_mut().find(|one| one.topic == topic) {
            Some(one) => one.made = one.made.saturating_add(count),
            None => notes.topics.push(Topic {
                topic,
                made: count,
                taken: 0,
            }),
        },
    );
}

/// The transaction has taken `count` of the pieces of work that it has made, of which nobody needs to hear.
pub(crate) fn taken_back(topic: u64, count: u32) {
    note(|notes| {
        if let Some(one) = notes.topics.iter_mut().find(|one| one.topic == topic) {
            one.taken = one.taken.saturating_add(count);
        }
    });
}

/// A subtransaction is undone, which may have taken what was made before it.
fn forget_taken() {
    let _ = NOTES.try_with(|notes| {
        if let Ok(mut notes) = notes.try_borrow_mut() {
            notes.topics.iter_mut().for_each(|one| one.taken = 0);
        }
    });
}

/// An execution has ended: all who wait for it.
pub(crate) fn result(topic: u64) {
    note(|notes| notes.results.push(topic));
}

/// Something is due at `at` (microseconds since 2000 on Rhythm's clock).
pub(crate) fn due(at: i64) {
    note(|notes| notes.due = notes.due.min(at));
}

/// Something is left to the database's worker.
pub(crate) fn steps() {
    note(|notes| notes.steps = true);
}

/// A database may have got the extension.
pub(crate) fn launcher() {
    note(|notes| notes.launcher = true);
}

/// Announces the notes at commit, drops them at abort, and refuses PREPARE, since the commit of a prepared transaction
/// happens in another session and would announce nothing.
pub(super) unsafe extern "C-unwind" fn at_end_of_transaction(
    event: pg_sys::XactEvent::Type,
    _arg: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::*;
    match event {
        XACT_EVENT_COMMIT => {
            waiters::end();
            floors::confirm();
            announce();
        }
        XACT_EVENT_ABORT => {
            waiters::end();
            forget();
            floors::forget_fresh();
            // A root that was held is free again, and somebody may have met it taken.
            databases::wake(databases::NEVER, false);
        }
        XACT_EVENT_PRE_PREPARE => refuse_prepare(),
        _ => {}
    }
}

fn announce() {
    // `try_`: a callback must not panic. Nobody holds the borrow across a commit.
    let _ = NOTES.try_with(|notes| {
        let Ok(mut notes) = notes.try_borrow_mut() else {
            return;
        };
        // Also without notes: the transaction may have held a root that somebody met taken.
        databases::wake(notes.due, notes.steps);
        if !notes.any {
            return;
        }
        for one in &notes.topics {
            waiters::wake(one.topic, one.made.saturating_sub(one.taken));
        }
        for topic in &notes.results {
            waiters::wake(*topic, u32::MAX);
        }
        if notes.launcher {
            databases::wake_launcher();
        }
        notes.clear();
    });
}

fn forget() {
    let _ = NOTES.try_with(|notes| {
        if let Ok(mut notes) = notes.try_borrow_mut() {
            notes.clear();
        }
    });
}

/// A call that waited in a subtransaction ends with it when that fails.
pub(super) unsafe extern "C-unwind" fn at_end_of_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    _mine: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _arg: *mut std::ffi::c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        waiters::end();
        floors::forget_fresh();
        forget_taken();
    }
}

/// Whether the transaction has locked a row of `rhythm.live`, a root's perhaps, or changed one.
fn has_locked() -> bool {
    // SAFETY: lookups by name in a transaction that is still in progress.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"rhythm".as_ptr(), true);
        if schema == pg_sys::InvalidOid {
            return false;
        }
        let live = pg_sys::get_relname_relid(c"live".as_ptr(), schema);
        live != pg_sys::InvalidOid
            && pg_sys::CheckRelationOidLockedByMe(live, pg_sys::RowShareLock as i32, true)
    }
}

#[pg_guard]
extern "C-unwind" fn refuse_prepare() {
    if NOTES.with_borrow(|notes| notes.any) || has_locked() {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "cannot PREPARE a transaction that has used Rhythm",
            "Commit it in one phase: waiting workers are woken by the session that commits."
        );
    }
}
