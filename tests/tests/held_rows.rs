//! Two sessions and one row: what the second does while the transaction of the first is open.

use rhythm_tests::clock::{advance, retain};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::no_deadlocks;
use rhythm_tests::server::Setup;
use rhythm_tests::task::Claimed;

fn beat(task: &Claimed) -> String {
    format!(
        "select status from rhythm.heartbeat('{{{}}}', '{{{}}}')",
        task.id, task.token
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_tells_whether_progress_was_saved() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.run("select rhythm.enqueue('a') from generate_series(1, 3)")
        .await;
    let tasks = s.claim(3).await;
    let list = |of: &dyn Fn(&Claimed) -> String| tasks.iter().map(of).collect::<Vec<_>>().join(",");
    let beat = |progress: &str| {
        format!(
            "select string_agg(concat_ws(' ', status, saved::text), ', ') from rhythm.heartbeat('{{{}}}', '{{{}}}', progress => {progress})",
            list(&|task| task.id.to_string()),
            list(&|task| task.token.to_string())
        )
    };
    let progress = "array['1', null, '3']::jsonb[]";
    let stored =
        "select string_agg(coalesce(progress::text, '-'), ' ' order by seq) from rhythm.live";
    assert_eq!(s.text(&beat("null")).await, "ok, ok, ok");
    let held = &tasks[0];
    other
        .run(&format!(
            "begin; select rhythm.complete('{}', {}, '1')",
            held.id, held.token
        ))
        .await;
    assert_eq!(s.text(&beat(progress)).await, "ok false, ok, ok true");
    assert_eq!(s.text(stored).await, "- - 3");
    other.run("rollback").await;
    assert_eq!(s.text(&beat(progress)).await, "ok true, ok, ok true");
    assert_eq!(s.text(stored).await, "1 - 3");
    assert!(s.complete(held, "1").await);
    assert_eq!(s.text(&beat(progress)).await, "lost false, ok, ok true");
}

/// A session that waits for a lock, as long as it does.
async fn until_blocked(s: &Session) {
    s.until("select count(*) = 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_meets_the_failure_of_an_attempt_is_applied_after_it() {
    let database = Database::create().await;
    let (s, worker) = (database.session().await, database.session().await);
    for ending in [
        "fail('{id}', {token}, '{\"name\": \"E\", \"message\": \"m\"}', retry_in => '1 hour')",
        "snooze('{id}', {token}, '1 hour')",
    ] {
        s.run("select rhythm.enqueue('a')").await;
        let task = worker.claim_one().await;
        let ending = ending
            .replace("{id}", &task.id.to_string())
            .replace("{token}", &task.token.to_string());
        worker.run(&format!("begin; select rhythm.{ending}")).await;
        // To this session it still runs.
        let cancel = format!("select rhythm.cancel('{}')", task.id);
        assert_eq!(s.text(&cancel).await, "t");
        worker.run("commit").await;
        s.becomes(task.id, "cancelled").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_all_kinds_locks_its_rows_in_one_order() {
    let database = Database::create().await;
    let (s, worker) = (database.session().await, database.session().await);
    s.run(
        "select rhythm.enqueue('a', retry => '{\"initial\": \"1h\"}') from generate_series(1, 2)",
    )
    .await;
    let mut tasks = s.claim(2).await;
    tasks.sort_by_key(|task| task.id);
    s.run(&format!("begin; {}", beat(&tasks[0]))).await;
    // What completes is settled before what fails, and here has the larger id.
    let outcomes = format!(
        r#"[{{"id": "{}", "token": "{}", "error": {{"name": "E", "message": "m"}}}}, {{"id": "{}", "token": "{}", "result": 1}}]"#,
        tasks[0].id, tasks[0].token, tasks[1].id, tasks[1].token
    );
    let finishing = tokio::spawn(async move {
        worker
            .run(&format!("select * from rhythm.finish('w', '{outcomes}')"))
            .await;
    });
    let watch = database.session().await;
    until_blocked(&watch).await;
    assert_eq!(s.text(&beat(&tasks[1])).await, "ok");
    s.run("commit").await;
    finishing.await.expect("it does not panic");
    assert_eq!(s.state(tasks[0].id).await, "scheduled");
    assert_eq!(s.state(tasks[1].id).await, "completed");
    no_deadlocks(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_limit_waits_for_nobody() {
    let database = Database::create().await;
    let (s, holder) = (database.session().await, database.session().await);
    s.run("select rhythm.enqueue('a') from generate_series(1, 2)")
        .await;
    let held = s.claim_one().await;
    let free = s.claim_one().await;
    holder.run(&format!("begin; {}", beat(&held))).await;
    s.run(
        "set statement_timeout = '30s'; select rhythm.configure_queue('default', concurrency => 1)",
    )
    .await;
    holder.run("commit").await;
    s.run("select rhythm.enqueue('a')").await;
    assert!(s.complete(&held, "1").await);
    assert_eq!(s.claim(1).await.len(), 0, "one still runs, and counts");
    assert!(s.complete(&free, "1").await);
    assert_eq!(s.claim(1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_retried_beside_who_takes_their_keys() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    // The oldest has the last key.
    for key in ["k2", "k1"] {
        s.run(&format!("select rhythm.enqueue('a', task_id => '{key}')"))
            .await;
        let task = s.claim_one().await;
        assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
        advance(&s, "1 second").await;
    }
    other
        .run("begin; select rhythm.enqueue('a', task_id => 'k1')")
        .await;
    let retrying = tokio::spawn(async move { s.number("select rhythm.retry_many()").await });
    let watch = database.session().await;
    until_blocked(&watch).await;
    other
        .run("set statement_timeout = '30s'; select rhythm.enqueue('a', task_id => 'k2')")
        .await;
    other.run("rollback").await;
    assert_eq!(retrying.await.expect("it does not panic"), 2);
    no_deadlocks(&watch).await;
}

/// Who cleans up by hand deletes signals before events, retention events before signals: whoever waited for the other would wait for
/// ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_passes_over_leftovers_that_somebody_else_deletes() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.run(
        "insert into rhythm.events (execution_id, promise, ok, value) values (gen_random_uuid(), 1, true, '1');
         insert into rhythm.signals (execution_id, name, payload, at) values (gen_random_uuid(), 'late', '1', now())",
    )
    .await;
    other
        .run("begin; delete from rhythm.signals; delete from rhythm.events")
        .await;
    s.run("set lock_timeout = '5s'; select rhythm._sweep_rest()")
        .await;
    other.run("rollback").await;
    s.run("select rhythm._sweep_rest()").await;
    let left =
        "select (select count(*) from rhythm.events) + (select count(*) from rhythm.signals)";
    assert_eq!(s.number(left).await, 0);
}

/// A tick is one transaction: while it holds what was due, it must not wait for the archive, which somebody uses who waits for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_that_holds_rows_does_not_wait_for_the_archive() {
    let setup = Setup {
        preload: false,
        ..Setup::default()
    };
    let database = Database::alone(setup).await;
    let (s, other, watch) = (
        database.session().await,
        database.session().await,
        database.session().await,
    );
    let id = s.id("select rhythm.enqueue('a')").await;
    s.run(&format!(
        "begin; select from rhythm.live where id = '{id}' for update"
    ))
    .await;
    other
        .run("set deadlock_timeout = '2s'; begin; lock table rhythm.archive in row exclusive mode")
        .await;
    let waiting = tokio::spawn(async move {
        other
            .run(&format!(
                "update rhythm.live set priority = 1 where id = '{id}'; commit"
            ))
            .await;
    });
    until_blocked(&watch).await;
    // Were it to wait 50 ms each time, it would do so when the other looks for a deadlock.
    s.run(
        "do $$ begin for i in 1 .. 80 loop
           update rhythm.maintenance set next_at = rhythm._now() - interval '1 second', step = 'attach', tries = 0;
           perform rhythm.tick();
         end loop; end $$; commit",
    )
    .await;
    waiting.await.expect("it waits for the commit alone");
    no_deadlocks(&s).await;
    retain(&s).await;
    let weeks = "select count(*) from pg_inherits where inhparent = 'rhythm.archive'::regclass";
    assert_eq!(s.number(weeks).await, 10, "they are attached all the same");
}
