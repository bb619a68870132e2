//! What the background does when some of it fails: little at once, the rest is not held up, and nobody spins.

use rhythm_tests::clock::{advance, retain, tick};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use serde_json::json;
use uuid::Uuid;

/// More than are done one by one in one transaction.
const BAD: usize = 20;

/// A stand-in for damaged pages, or for faults of ours: what this condition is true of cannot be written any more, and each
/// try is counted. Whatever of the table is put off is noted with its transaction.
async fn refuse(s: &Session, table: &str, condition: &str, event: &str) {
    s.run(&format!(
        "create sequence if not exists tries;
         create table if not exists put_off (at bigint generated always as identity, xact xid8);
         truncate put_off;
         create or replace function refuse() returns trigger language plpgsql security definer as
         $$ begin
           if tg_table_name <> 'live' and not (select l.task_id like 'bad%' from rhythm.live l where l.id = old.execution_id) then
             return coalesce(new, old);
           end if;
           perform nextval('public.tries');
           raise 'the bad row';
         end $$;
         create or replace function note() returns trigger language plpgsql security definer as
         $$ begin insert into public.put_off (xact) values (pg_current_xact_id()); return null; end $$;
         create trigger refuse before {event} on rhythm.{table} for each row when ({condition}) execute function refuse()"
    ))
    .await;
}

async fn note(s: &Session, table: &str, column: &str) {
    s.run(&format!(
        "create trigger note after update on rhythm.{table} for each row
         when (old.{column} is distinct from new.{column} and new.{column} > rhythm._now() + interval '5 seconds') execute function note()"
    ))
    .await;
}

async fn accept(s: &Session, refused: &str, noted: &str) {
    // Each by itself: the worker may hold one of the tables and want the other.
    s.run(&format!("drop trigger refuse on rhythm.{refused}"))
        .await;
    s.run(&format!("drop trigger note on rhythm.{noted}")).await;
}

/// All bad ones were put off, never more than sixteen in one transaction, and are not tried again at once.
async fn are_put_off(s: &Session, what: &str) {
    s.until(&format!(
        "select count(*) >= {BAD} /* {what} */ from put_off"
    ))
    .await;
    let most = "select max(n) from (select count(*) n from put_off group by xact) p";
    assert!(s.number(most).await <= 16, "{what}");
    let tried = s.number("select last_value from tries").await;
    tick(s).await;
    tick(s).await;
    assert_eq!(
        s.number("select last_value from tries").await,
        tried,
        "{what}: tried again at once"
    );
    s.run("alter sequence tries restart").await;
}

/// Starts bad ones around a good one, and gives the good one first.
async fn start(s: &Session, workflow: &str) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for n in 0..=BAD {
        let task_id = if n == BAD / 2 { "good" } else { "bad" };
        let start =
            format!("select rhythm.start('{workflow}', '{{}}', task_id => '{task_id} {n}')");
        ids.push(s.id(&start).await);
    }
    ids.swap(0, BAD / 2);
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_fail_sixteen_are_tried_in_a_transaction_and_nobody_else_waits() {
    let database = Database::create().await;
    let s = database.session().await;
    let ends = "old.task_id like 'bad%'";
    for (what, table, column, program) in [
        (
            "timers",
            "timers",
            "due_at",
            "await sleep('30s'); return 1;",
        ),
        (
            "signals",
            "signal_waits",
            "due_at",
            "try { await Signal.next('n', {timeout: '30s'}) } catch {} return 1;",
        ),
        (
            "marks",
            "runnable",
            "alone_at",
            "await Task.run('gate'); return 1;",
        ),
    ] {
        s.deploy("waits", program).await;
        let ids = start(&s, "waits").await;
        refuse(&s, "live", ends, "delete").await;
        note(&s, table, column).await;
        if what == "marks" {
            // In a transaction that sees no commits every step is left as a mark.
            let tasks = s.claim(BAD + 1).await;
            s.run("begin isolation level repeatable read").await;
            for task in &tasks {
                assert!(s.complete(task, "1").await);
            }
            s.run("commit").await;
        } else {
            advance(&s, "31 seconds").await;
        }
        s.becomes(ids[0], "completed").await;
        are_put_off(&s, what).await;
        accept(&s, "live", table).await;
        advance(&s, "11 seconds").await;
        for id in &ids {
            s.becomes(*id, "completed").await;
        }
        s.run("delete from rhythm.keys").await;
    }
    // Rows that are due themselves.
    s.run(&format!(
        "select rhythm.enqueue('a', task_id => 'bad ' || n, timeout => '30 seconds') from generate_series(1, {BAD}) n"
    ))
    .await;
    let good = s
        .id("select rhythm.enqueue('a', timeout => '30 seconds')")
        .await;
    refuse(&s, "live", ends, "delete").await;
    note(&s, "live", "due_at").await;
    advance(&s, "31 seconds").await;
    s.becomes(good, "timed_out").await;
    are_put_off(&s, "executions").await;
    accept(&s, "live", "live").await;
    advance(&s, "11 seconds").await;
    s.until("select not exists (select from rhythm.live)").await;
}

/// Each of these has ended while it was terminated, and left a task running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_ended_run_has_left_and_cannot_be_ended_is_put_off_alone() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "leaves",
        "const t = Task.run('left', {}, {taskId: Context.taskId}); await Task.run('last', {}, {queue: 'last'}); return 1;",
    )
    .await;
    s.deploy(
        "top",
        "await Workflow.run('leaves', {}, {taskId: Context.taskId}); await Signal.next('never');",
    )
    .await;
    let ids = start(&s, "top").await;
    let last = "select count(*) = 21 from rhythm.live where name = 'last'";
    s.until(last).await;
    let tasks = s
        .claim_with("'w', '{last}', max => 50, lease => '1 day'")
        .await;
    refuse(
        &s,
        "live",
        "old.kind = 'task' and old.task_id like 'bad%'",
        "delete",
    )
    .await;
    note(&s, "runnable", "alone_at").await;
    s.run("begin").await;
    for id in &ids {
        assert_eq!(
            s.text(&format!("select rhythm.terminate('{id}')")).await,
            "t"
        );
    }
    for task in &tasks {
        assert!(other.complete(task, "1").await);
    }
    s.run("commit").await;
    s.until("select not exists (select from rhythm.live where task_id like 'good%')")
        .await;
    are_put_off(&s, "ended").await;
    // What retention finds meanwhile is not of nobody.
    retain(&s).await;
    accept(&s, "live", "runnable").await;
    advance(&s, "11 seconds").await;
    s.until("select not exists (select from rhythm.live)").await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_spoils_few_batches() {
    // Nobody else does what is due.
    let database = Database::alone(Setup {
        preload: false,
        ..Setup::default()
    })
    .await;
    let s = database.session().await;
    for place in [0, 250, 499] {
        s.run(&format!(
            "select rhythm.enqueue('a', task_id => case when n = {place} then 'bad' else 'good ' || n end,
               timeout => interval '30 seconds' + n * interval '1 millisecond')
             from generate_series(0, 499) n"
        ))
        .await;
        refuse(&s, "live", "old.task_id like 'bad%'", "delete").await;
        s.run("update rhythm.test_clock set shift = shift + interval '31 seconds'")
            .await;
        let mut rounds = 0;
        while s
            .text("select count(*) > 0 from rhythm.live where due_at <= rhythm._now()")
            .await
            == "t"
        {
            tick(&s).await;
            rounds += 1;
        }
        assert_eq!(s.number("select count(*) from rhythm.live").await, 1);
        let tries = s.number("select last_value from tries").await;
        assert!(
            rounds <= 3 && tries <= 10,
            "{place}: {tries} tries in {rounds} rounds"
        );
        s.run("drop trigger refuse on rhythm.live; alter sequence tries restart")
            .await;
        advance(&s, "11 seconds").await;
        s.until("select not exists (select from rhythm.live)").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_that_were_put_off_and_fail_are_put_off_again() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "keyed",
        "return await Task.run('a', {}, {taskId: Context.taskId});",
    )
    .await;
    other
        .run(&format!(
            "begin; select rhythm.enqueue('a', task_id => k || ' ' || n) from generate_series(0, {BAD}) n, unnest('{{good,bad}}'::text[]) k"
        ))
        .await;
    let ids = start(&s, "keyed").await;
    refuse(&s, "deferred_starts", "true", "delete").await;
    note(&s, "deferred_starts", "not_before").await;
    other.run("rollback").await;
    s.until("select count(*) = 1 from rhythm.live where kind = 'task'")
        .await;
    are_put_off(&s, "starts").await;
    accept(&s, "deferred_starts", "deferred_starts").await;
    advance(&s, "11 seconds").await;
    s.until(&format!(
        "select count(*) = {BAD} + 1 from rhythm.live where kind = 'task'"
    ))
    .await;
    for _ in 0..=BAD {
        s.work("5").await;
    }
    for id in ids {
        assert_eq!(s.completed(id).await, json!(5));
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_that_cannot_be_confirmed_are_put_off() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "shares",
        "return await Task.run('shared', {}, {taskId: 'k'});",
    )
    .await;
    s.run("select rhythm.enqueue('shared', task_id => 'k')")
        .await;
    refuse(&s, "watchers", "new.confirmed", "update").await;
    note(&s, "watchers", "not_before").await;
    let ids = start(&s, "shares").await;
    s.until("select count(*) = 1 from rhythm.watchers where confirmed")
        .await;
    are_put_off(&s, "watchers").await;
    accept(&s, "watchers", "watchers").await;
    advance(&s, "11 seconds").await;
    s.until("select bool_and(confirmed) from rhythm.watchers")
        .await;
    s.work("5").await;
    for id in ids {
        assert_eq!(s.completed(id).await, json!(5));
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_that_cannot_be_passed_on_are_told_and_hold_up_no_mark() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("gate", "await Task.run('gate'); return 1;").await;
    s.deploy("over", "return 1;").await;
    let over = s.start("over", "{}").await;
    // Left by a run that has ended, and for a workflow that is not there any more.
    s.run(&format!(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'the bad row'; end $$;
         create trigger refuse before delete on rhythm.signals for each row execute function refuse();
         insert into rhythm.signals (execution_id, name, payload, start, at)
         values ('{over}', 'n', '1', '{{\"workflow\": \"gone\", \"task_id\": \"k\", \"inputs\": {{}}}}', rhythm._now());
         insert into rhythm.runnable (root_id, execution_id) values ('{over}', '{over}')"
    ))
    .await;
    let id = s.start("gate", "{}").await;
    let task = s.claim_one().await;
    s.run("begin isolation level repeatable read").await;
    assert!(s.complete(&task, "1").await);
    s.run("commit").await;
    s.becomes(id, "completed").await;
    s.notices();
    tick(&s).await;
    let notices = s.notices();
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("'left signals'") && notice.contains("the bad row")),
        "{notices:?}"
    );
    s.run("drop trigger refuse on rhythm.signals").await;
    tick(&s).await;
    s.until("select not exists (select from rhythm.signals)")
        .await;
    nothing_is_left(&s).await;
}
