//! What is terminated beside whoever else is at it: its worker, open transactions, limits, ended parents.

use std::sync::Arc;

use rhythm_tests::clock::{advance, retain};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use rhythm_tests::race::race;
use rhythm_tests::task::Claimed;

use crate::cancel::{cut_short, until_parked};

async fn terminate(s: &Session, id: uuid::Uuid) -> String {
    s.text(&format!("select rhythm.terminate('{id}')")).await
}

/// What a heartbeat says of these tasks, one after the other.
async fn beat(s: &Session, tasks: &[&Claimed]) -> String {
    let ids: Vec<_> = tasks.iter().map(|task| task.id.to_string()).collect();
    let tokens: Vec<_> = tasks.iter().map(|task| task.token.to_string()).collect();
    s.text(&format!(
        "select string_agg(status, ' ') from rhythm.heartbeat('{{{}}}', '{{{}}}', '10 minutes')",
        ids.join(","),
        tokens.join(",")
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_children_have_left_running_is_terminated_too_but_not_cancelled() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("low", "const t = Task.run('deep', {}); return 1;")
        .await;
    s.deploy(
        "mid",
        "const t = Task.run('left', {}); const w = Workflow.run('waits', {}); await Workflow.run('low', {}); return 1;",
    )
    .await;
    s.deploy("waits", "await Task.run('awaited', {});").await;
    s.deploy(
        "top",
        "await Workflow.run('mid', {}); await Signal.next('never');",
    )
    .await;
    let alive = "select string_agg(name, ' ' order by name) from rhythm.live";
    let id = s.start("top", "{}").await;
    let all = "awaited deep left top waits";
    s.until(&format!("select ({alive}) = '{all}'")).await;
    s.run(&format!("select rhythm.cancel('{id}')")).await;
    s.becomes(id, "cancelled").await;
    s.until("select not exists (select from rhythm.runnable)")
        .await;
    assert_eq!(
        s.text(alive).await,
        "awaited deep left waits",
        "as documented"
    );
    s.run("select rhythm.terminate(id) from rhythm.live").await;
    s.until("select not exists (select from rhythm.live)").await;
    let id = s.start("top", "{}").await;
    s.until(&format!("select ({alive}) = '{all}'")).await;
    // One of them runs.
    let task = s.claim_one().await;
    assert_eq!(terminate(&s, id).await, "t");
    s.until("select not exists (select from rhythm.live)").await;
    assert_eq!(beat(&s, &[&task]).await, "lost");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_ends_while_its_parent_is_terminated_leaves_nothing_running() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "mid",
        "const t = Task.run('left', {}, {queue: 'left'}); await Task.run('last', {}); return 1;",
    )
    .await;
    s.deploy(
        "top",
        "await Workflow.run('mid', {}); await Signal.next('never');",
    )
    .await;
    let id = s.start("top", "{}").await;
    let last = s.claim_one().await;
    s.run("begin").await;
    assert_eq!(terminate(&s, id).await, "t");
    // It knows nothing of that yet, and ends by itself.
    assert!(other.complete(&last, "1").await);
    s.run("commit").await;
    s.until("select not exists (select from rhythm.live)").await;
    assert_eq!(
        s.text(
            "select string_agg(name || ' ' || state, ', ' order by name) from rhythm.executions"
        )
        .await,
        "last completed, left cancelled, mid completed, top cancelled"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_waits_for_no_open_transaction() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.run("select rhythm.enqueue('a') from generate_series(1, 2)")
        .await;
    let tasks = s.claim_with("'w', max => 2, lease => '60s'").await;
    let both = [&tasks[0], &tasks[1]];
    let long = "select string_agg((lease_until > rhythm._now() + interval '5 minutes')::text, ' ' order by id) from rhythm.live";
    s.run("set lock_timeout = '5s'; set statement_timeout = '20s'")
        .await;
    let first_is_smaller = tasks[0].id < tasks[1].id;
    let complete = format!(
        "rhythm.complete('{}', {}, '1')",
        tasks[0].id, tasks[0].token
    );
    for ending in [complete, format!("rhythm.terminate('{}')", tasks[0].id)] {
        other.run(&format!("begin; select {ending}")).await;
        assert_eq!(beat(&s, &both).await, "ok ok", "{ending}");
        assert_eq!(
            s.text(long).await,
            if first_is_smaller {
                "false true"
            } else {
                "true false"
            },
            "{ending}"
        );
        // Nothing can take it away meanwhile, however long that is.
        advance(&s, "2 minutes").await;
        assert_eq!(beat(&s, &both).await, "ok ok", "{ending}");
        assert_eq!(
            s.text("select count(*) from rhythm.live where state = 'running'")
                .await,
            "2"
        );
        s.run("update rhythm.test_clock set shift = shift - interval '2 minutes'")
            .await;
        other.run("rollback").await;
        assert_eq!(beat(&s, &both).await, "ok ok", "{ending}");
        assert_eq!(s.text(long).await, "true true", "{ending}");
        s.run("update rhythm.live set lease_until = rhythm._now() + interval '1 minute', due_at = rhythm._now() + interval '1 minute'")
            .await;
    }
    other
        .run(&format!(
            "begin; select rhythm.terminate('{}')",
            tasks[0].id
        ))
        .await;
    assert_eq!(beat(&s, &both).await, "ok ok");
    other.run("commit").await;
    assert_eq!(beat(&s, &both).await, "lost ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_waits_for_work_hears_at_once_of_what_was_terminated() {
    let database = Database::create().await;
    let (s, mut waits) = (database.session().await, database.session().await);
    s.deploy("runs", "await Task.run('long', {});").await;
    let run = s.start("runs", "{}").await;
    let below = s.claim_one().await;
    s.run("select rhythm.enqueue('long')").await;
    let alone = s.claim_one().await;
    for (target, task) in [(run, &below), (alone.id, &alone)] {
        let waiting = tokio::spawn(async move {
            cut_short(&waits).await;
            waits
        });
        until_parked(&s).await;
        assert_eq!(terminate(&s, target).await, "t");
        waits = waiting.await.expect("the wait ends early");
        assert_eq!(beat(&s, &[task]).await, "lost");
        // Once: nothing is kept of it.
        assert_eq!(s.number("select count(*) from rhythm.cancels").await, 0);
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_leaves_what_a_worker_has_still_to_hear_of_but_not_for_ever() {
    let database = Database::create().await;
    let s = database.session().await;
    let unheard = "select count(*) from rhythm.cancels";
    for later in ["0", "2 hours"] {
        s.run("select rhythm.enqueue('long')").await;
        let task = s.claim_one().await;
        assert_eq!(terminate(&s, task.id).await, "t");
        advance(&s, later).await;
        retain(&s).await;
        if later == "0" {
            assert_eq!(s.number(unheard).await, 1);
            cut_short(&s).await;
        }
        assert_eq!(s.number(unheard).await, 0, "{later}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_task_gives_its_slot_to_one_that_waits() {
    let database = Database::create().await;
    let (s, mut waits) = (database.session().await, database.session().await);
    for (setting, inputs) in [
        ("concurrency => 1", "{}"),
        (
            "reset => '{concurrency}', concurrency_key => 'tenant'",
            r#"{"tenant": 1}"#,
        ),
    ] {
        s.run(&format!(
            "select rhythm.configure_queue('q', {setting});
             select rhythm.enqueue('a', '{inputs}', 'q') from generate_series(1, 2)"
        ))
        .await;
        let task = s.claim_with("'w', '{q}'").await.remove(0);
        let waiting = tokio::spawn(async move {
            let got = waits.claim_with("'other', '{q}', wait => '5s'").await;
            (waits, got)
        });
        until_parked(&s).await;
        assert_eq!(terminate(&s, task.id).await, "t");
        let (session, mut got) = waiting.await.expect("it does not panic");
        waits = session;
        let next = got
            .pop()
            .unwrap_or_else(|| panic!("{setting}: nobody woke it"));
        assert!(s.complete(&next, "1").await);
        assert_eq!(s.text("select count(*) from rhythm.live").await, "0");
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_its_next_attempt_or_steps_by_sql_is_terminated_and_retention_0_leaves_nothing()
 {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table ledger (n int); grant all on ledger to public")
        .await;
    s.deploy(
        "books",
        "await Sql.query('insert into ledger values ($1)', [1]);
         try { await Task.run('work', {}, {retry: {initial: '1h'}}); }
         finally { await Sql.query('insert into ledger values ($1)', [2]); }",
    )
    .await;
    for retention in ["7 days", "0"] {
        s.run(&format!(
            "truncate ledger; select rhythm.configure_queue('default', retention => '{retention}')"
        ))
        .await;
        let id = s.start("books", "{}").await;
        let task = s.claim_one().await;
        assert_eq!(s.fail(&task, "").await, "scheduled");
        let alone = s
            .id("select rhythm.enqueue('alone', retry => '{\"initial\": \"1h\"}')")
            .await;
        let mut claimed = s.claim_with("'w', tasks => '{alone}'").await;
        assert_eq!(s.fail(&claimed.remove(0), "").await, "scheduled");
        s.run("select rhythm.enqueue('runs')").await;
        let runs = s.claim_with("'w', tasks => '{runs}'").await.remove(0);
        for target in [id, alone, runs.id] {
            assert_eq!(terminate(&s, target).await, "t", "{retention}");
        }
        s.until("select not exists (select from rhythm.live)").await;
        assert_eq!(
            s.text("select string_agg(n::text, ' ') from ledger").await,
            "1",
            "no finally"
        );
        let kept = if retention == "0" { "0" } else { "4" };
        assert_eq!(
            s.text("select count(*) from rhythm.executions where state = 'cancelled'")
                .await,
            kept,
            "{retention}"
        );
        if retention == "0" {
            assert_eq!(
                s.fails(&format!("select rhythm.terminate('{id}')"))
                    .await
                    .code,
                "RH301"
            );
            assert_eq!(s.text("select count(*) from rhythm.history").await, "0");
        } else {
            assert_eq!(terminate(&s, id).await, "f");
            s.run("delete from rhythm.archive; delete from rhythm.history")
                .await;
        }
        advance(&s, "2 hours").await;
        nothing_is_left(&s).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminate_against_whoever_ends_it_otherwise() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "one",
        "try { return await Task.run('a', {}, {retry: {maxAttempts: 1}}); } catch { return 2; }",
    )
    .await;
    let sessions = [
        Arc::new(database.session().await),
        Arc::new(database.session().await),
    ];
    for round in 0..300 {
        let id = s.start("one", "{}").await;
        let task = s.claim_one().await;
        let target = if round % 2 == 0 { id } else { task.id };
        let calls = [
            format!("select rhythm.terminate('{target}')"),
            match round % 3 {
                0 => format!("select rhythm.complete('{}', {}, '1')", task.id, task.token),
                1 => format!(
                    "select rhythm.fail('{}', {}, '{{\"name\": \"E\", \"message\": \"m\"}}')",
                    task.id, task.token
                ),
                _ => format!("select rhythm.cancel('{target}')"),
            },
        ];
        race(2, |i, start| {
            let (session, call) = (Arc::clone(&sessions[i]), calls[i].clone());
            async move {
                start.wait().await;
                session.text(&call).await
            }
        })
        .await;
        // After a cancel that was first it runs on, and its worker has been told.
        s.complete(&task, "1").await;
        s.until(&format!(
            "select count(*) = 2 /* {round} */ from rhythm.executions where root_id = '{id}' and finished_at is not null"
        ))
        .await;
        let state = s.state(id).await;
        assert!(
            state == "completed" || (round % 2 == 0 && state == "cancelled"),
            "round {round}: {state}"
        );
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}
