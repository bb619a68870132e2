//! What must hold whatever happened.

use std::collections::BTreeMap;

use crate::clock::retain;
use crate::database::Session;
use crate::worker::Note;

/// When nothing runs any more, no row of work in progress is left behind; what has failed keeps its own for a retry.
/// What arrived while its execution was ending is swept by retention, which is run here.
pub async fn nothing_is_left(session: &Session) {
    for table in ["live"] {
        let left = session
            .rows(&format!("select * from rhythm.{table} limit 5"))
            .await;
        assert!(left.is_empty(), "rhythm.{table} still has {left:#?}");
    }
    // Until: a mark that was left for an execution which then ended is the background worker's to take away.
    session
        .until("select count(*) = 0 /* marks */ from rhythm.runnable")
        .await;
    retain(session).await;
    let tables = [
        "timers",
        "signal_waits",
        "signals",
        "events",
        "watchers",
        "deferred_starts",
        "fan_outs",
        "fan_out_items",
        "cancels",
    ];
    for table in tables {
        // Until: the background worker may have been at it in this very moment.
        session
            .until(&format!(
                "select count(*) = 0 /* rows left in {table} */ from rhythm.{table} t where not exists (
                   select from rhythm.executions e
                   where e.id = t.execution_id and e.state in ('failed', 'timed_out'))
                 -- What a worker has still to hear of waits an hour for it.
                 and to_jsonb(t) ->> 'worker' is null"
            ))
            .await;
    }
    for (what, of_nobody) in [
        (
            "history",
            "rhythm.history t where not exists (select from rhythm.archive a where a.id = t.execution_id)",
        ),
        (
            "saves",
            "rhythm.saves t where not exists (
               select from rhythm.archive a where a.id = t.id and a.state in ('failed', 'timed_out'))",
        ),
        ("mutexes", "rhythm.mutexes t"),
        (
            "mutex_claims",
            "rhythm.mutex_claims t where not t.parked or not exists (
               select from rhythm.archive a where a.id = t.execution_id and a.state in ('failed', 'timed_out'))",
        ),
        (
            "limit_marks",
            "rhythm.limit_marks t where not exists (select from rhythm.archive a where a.id = t.execution_id)",
        ),
        (
            "earlier_saves",
            "rhythm.earlier_saves t where not exists (select from rhythm.archive a where a.id = t.execution_id)",
        ),
        ("keys", "rhythm.keys t where t.until <= rhythm._now()"),
        (
            "keys",
            "rhythm.keys t where t.until is null and not exists (select from rhythm.archive a where a.id = t.id)",
        ),
    ] {
        session
            .until(&format!(
                "select count(*) = 0 /* {what} of nobody */ from {of_nobody}"
            ))
            .await;
    }
}

/// Puts a figure into the report of the run, where libtest would swallow what a passing test prints.
pub fn report(figure: &str) {
    use std::io::Write;
    // A report that cannot be written fails nothing.
    let _ = writeln!(std::io::stderr(), "    {figure}");
}

/// PostgreSQL counted no deadlock in this database.
pub async fn no_deadlocks(session: &Session) {
    session.run("select pg_stat_force_next_flush()").await;
    let counted = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(session.number(counted).await, 0, "deadlocks");
}

/// Two leases of one execution never overlap: a lease is taken away when its time is over, and not before. (Who completes
/// ends the row with it; so this is for work that neither fails nor is given back.)
///
/// Needs `watch_leases` beforehand.
pub async fn one_holder_at_a_time(session: &Session) {
    let overlaps = session
        .rows(
            "select id, at, worker, lease_until, next_at, next_worker from (
               select *, lead(at) over w as next_at, lead(worker) over w as next_worker,
                 lead(token) over w as next_token
               from lease_audit window w as (partition by id order by seq)) a
             where token is not null and next_at is not null and next_token is distinct from token
               and next_at < lease_until",
        )
        .await;
    assert!(overlaps.is_empty(), "leases overlap: {overlaps:#?}");
    let lost = "select count(*) from lease_audit where token is null";
    report(&format!(
        "leases that lapsed, and went to somebody else: {}",
        session.number(lost).await
    ));
}

/// Records every change of a lease, in a table of the test.
pub async fn watch_leases(session: &Session) {
    session
        .run(
            "create table lease_audit (seq bigint generated always as identity, id uuid, token bigint,
               worker text, lease_until timestamptz, at timestamptz);
             create function audit_lease() returns trigger language plpgsql security definer
               set search_path = public, pg_temp as $$
             begin
               insert into lease_audit (id, token, worker, lease_until, at)
               values (new.id, new.token, new.worker, new.lease_until, clock_timestamp());
               return null;
             end $$;
             create trigger audit_lease after update on rhythm.live for each row
               when (old.token is distinct from new.token or old.lease_until is distinct from new.lease_until)
               execute function audit_lease()",
        )
        .await;
}

/// Every key had its effect at least once, and the times at which handlers of the same key ran do not overlap.
///
/// A handler whose worker was killed has no end; its time is up to the kill, which `killed` knows by worker.
pub fn effects_at_least_once(
    notes: &[Note],
    keys: impl Iterator<Item = String>,
    killed: &BTreeMap<String, f64>,
) {
    let mut by_key: BTreeMap<&str, Vec<&Note>> = BTreeMap::new();
    for note in notes {
        by_key.entry(&note.key).or_default().push(note);
    }
    for key in keys {
        let notes = by_key.get(key.as_str()).map_or(&[][..], Vec::as_slice);
        assert!(
            notes.iter().any(|note| note.what == "end"),
            "no effect of {key}: {notes:#?}"
        );
        let mut times: Vec<(f64, f64)> = notes
            .iter()
            .filter(|note| note.what == "begin")
            .map(|begin| {
                let same = |n: &&&Note| n.worker == begin.worker && n.attempt == begin.attempt;
                let end = notes.iter().filter(same).find(|note| note.what == "end");
                let end = end
                    .map(|note| note.at)
                    .or_else(|| killed.get(&begin.worker).copied());
                (begin.at, end.unwrap_or(begin.at))
            })
            .collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        for pair in times.windows(2) {
            assert!(
                pair[0].1 <= pair[1].0,
                "two workers at once for {key}: {notes:#?}"
            );
        }
    }
}

/// The value below which 99 of 100 lie.
#[must_use]
pub fn p99(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100).saturating_sub(1)]
}
