//! A cancellation of what runs ends its worker's wait for work: once for each request, and no other worker's.

use std::time::{Duration, Instant};

use rhythm_tests::clock::Stopwatch;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::task::Claimed;
use serde_json::json;

/// How long a claim of worker `tester` waits; it gets nothing.
async fn wait_of(session: &Session, wait: &str) -> Duration {
    let begun = Instant::now();
    let got = session
        .claim_with(&format!("'tester', wait => '{wait}'"))
        .await;
    assert!(got.is_empty(), "{got:?}");
    begun.elapsed()
}

/// The same for a claim that would wait for five seconds, and has to end early.
pub(crate) async fn cut_short(session: &Session) {
    let watch = Stopwatch::start();
    wait_of(session, "5s").await;
    let waited = watch.elapsed();
    assert!(waited < Duration::from_secs(4), "{waited:?}");
}

async fn status(session: &Session, task: &Claimed) -> String {
    let beat = format!(
        "select status from rhythm.heartbeat('{{{}}}', '{{{}}}')",
        task.id, task.token
    );
    session.text(&beat).await
}

async fn running(session: &Session) -> Claimed {
    session.run("select rhythm.enqueue('long')").await;
    session.claim_one().await
}

/// Waits until a session waits inside a claim.
pub(crate) async fn until_parked(session: &Session) {
    session
        .until("select exists (select from pg_stat_activity where datname = current_database() and query like '%rhythm.claim(%' and wait_event_type in ('Extension', 'Timeout') and pid <> pg_backend_pid())")
        .await;
}

const SHORT: Duration = Duration::from_millis(380);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_ends_the_wait_of_its_worker_and_of_no_other() {
    let database = Database::create().await;
    let (s, waits) = (database.session().await, database.session().await);
    let task = running(&s).await;
    let other = database.session().await;
    let elsewhere = tokio::spawn(async move {
        let begun = Instant::now();
        let got = other.claim_with("'another', wait => '5s'").await;
        (got.len(), begun.elapsed())
    });
    until_parked(&s).await;
    let waiting = tokio::spawn(async move {
        cut_short(&waits).await;
        waits
    });
    s.until("select count(*) = 2 from pg_stat_activity where datname = current_database() and query like '%rhythm.claim(%' and wait_event_type = 'Extension'").await;
    let watch = Stopwatch::start();
    s.run(&format!("select rhythm.cancel('{}')", task.id)).await;
    let waits = waiting.await.expect("it does not panic");
    assert!(watch.elapsed() < Duration::from_secs(3), "at once");
    assert_eq!(status(&s, &task).await, "cancel");
    // It has heard of it: a handler that does not care must not make its worker spin.
    assert!(wait_of(&waits, "400ms").await > SHORT);
    // Another request is another one.
    s.run(&format!("select rhythm.cancel('{}')", task.id)).await;
    cut_short(&waits).await;
    assert!(wait_of(&waits, "400ms").await > SHORT);
    let (got, waited) = elsewhere.await.expect("it does not panic");
    assert_eq!(got, 0);
    assert!(waited > Duration::from_millis(4900), "{waited:?}");
    assert_eq!(s.fail(&task, "").await, "cancelled");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_came_while_the_worker_did_not_wait_ends_its_next_wait() {
    let database = Database::create().await;
    let s = database.session().await;
    let task = running(&s).await;
    s.run(&format!("select rhythm.cancel('{}')", task.id)).await;
    cut_short(&s).await;
    assert!(wait_of(&s, "400ms").await > SHORT);
    assert_eq!(status(&s, &task).await, "cancel");
}

/// A wait that is nearly over tells its worker nothing by its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_comes_late_in_a_wait_ends_the_next_one_as_well() {
    let database = Database::create().await;
    let (s, waits) = (database.session().await, database.session().await);
    let task = running(&s).await;
    let waiting = tokio::spawn(async move {
        wait_of(&waits, "5s").await;
        waits
    });
    until_parked(&s).await;
    tokio::time::sleep(Duration::from_millis(4300)).await;
    s.run(&format!("select rhythm.cancel('{}')", task.id)).await;
    let waits = waiting.await.expect("it does not panic");
    cut_short(&waits).await;
    assert!(wait_of(&waits, "400ms").await > SHORT);
    assert_eq!(status(&s, &task).await, "cancel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_is_rolled_back_ends_no_wait() {
    let database = Database::create().await;
    let (s, waits) = (database.session().await, database.session().await);
    let task = running(&s).await;
    let waiting = tokio::spawn(async move { wait_of(&waits, "5s").await });
    until_parked(&s).await;
    s.run(&format!(
        "begin; select rhythm.cancel('{}'); rollback",
        task.id
    ))
    .await;
    let waited = waiting.await.expect("it does not panic");
    assert!(waited > Duration::from_millis(4900), "{waited:?}");
    assert_eq!(status(&s, &task).await, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_task_whose_cancel_nobody_has_heard_leaves_nothing() {
    let database = Database::create().await;
    let s = database.session().await;
    let task = running(&s).await;
    s.run(&format!("select rhythm.cancel('{}')", task.id)).await;
    assert!(s.complete(&task, "1").await);
    assert!(wait_of(&s, "400ms").await > SHORT);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_workflow_ends_the_waits_of_those_who_run_its_tasks() {
    let database = Database::create().await;
    let (s, waits) = (database.session().await, database.session().await);
    s.deploy("flow", "await Task.run('long')").await;
    let flow = s.start("flow", "{}").await;
    let task = s.claim_one().await;
    let waiting = tokio::spawn(async move { cut_short(&waits).await });
    until_parked(&s).await;
    s.run(&format!("select rhythm.cancel('{flow}')")).await;
    waiting.await.expect("its wait ends early");
    assert_eq!(status(&s, &task).await, "cancel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_an_attempt_that_was_to_be_cancelled_is_kept() {
    let database = Database::create().await;
    let s = database.session().await;
    for (retention, more) in [("1 day", ""), ("0", ", retry_in => '1 hour'")] {
        s.run(&format!(
            "select rhythm.configure_queue('default', retention => '{retention}')"
        ))
        .await;
        let task = running(&s).await;
        s.run(&format!(
            "select rhythm.cancel('{}', 'customer left')",
            task.id
        ))
        .await;
        assert_eq!(s.fail(&task, more).await, "cancelled");
        let kept = format!(
            "select string_agg(attempt || ' ' || worker || ' ' || (error ->> 'message') || ' ' || (next_at is null), ',')
             from rhythm.attempts where id = '{}'",
            task.id
        );
        if retention == "0" {
            assert_eq!(s.maybe(&kept).await, None, "nothing is left of it");
            continue;
        }
        assert_eq!(s.text(&kept).await, "1 tester disk full true");
        let reason = format!(
            "select error ->> 'message' from rhythm.executions where id = '{}'",
            task.id
        );
        assert_eq!(s.text(&reason).await, "customer left");
        // It can be tried again, and is told apart from what comes then.
        s.run(&format!("select rhythm.retry('{}')", task.id)).await;
        let again = s.claim_one().await;
        assert_eq!(s.fail(&again, ", retryable => false").await, "failed");
        assert_eq!(
            s.text(&kept).await,
            "1 tester disk full true,1 tester disk full true"
        );
    }
    // A handler that obeys has not failed.
    let task = running(&s).await;
    s.run(&format!("select rhythm.cancel('{}')", task.id)).await;
    let obeyed = format!(
        r#"select rhythm.fail('{}', {}, '{{"name": "TaskCancelled", "message": "stopped"}}')"#,
        task.id, task.token
    );
    assert_eq!(s.text(&obeyed).await, "cancelled");
    let left = format!(
        "select count(*) from rhythm.history where execution_id = '{}'",
        task.id
    );
    assert_eq!(s.number(&left).await, 0);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_view_tells_that_something_is_to_be_cancelled() {
    let database = Database::create().await;
    let s = database.session().await;
    let told = |id: uuid::Uuid| {
        format!(
            "select json_build_array(cancel_requested_at between created_at and rhythm._now(), cancel_reason)
             from rhythm.executions where id = '{id}'"
        )
    };
    let task = running(&s).await;
    assert_eq!(s.json(&told(task.id)).await, json!([null, null]));
    s.run(&format!(
        "select rhythm.cancel('{}', 'customer left')",
        task.id
    ))
    .await;
    assert_eq!(s.json(&told(task.id)).await, json!([true, "customer left"]));
    assert!(s.complete(&task, "1").await);
    assert_eq!(
        s.json(&told(task.id)).await,
        json!([null, null]),
        "nothing is to be done any more"
    );
    // A program that has been told of it, and still cleans up.
    s.deploy(
        "tidy",
        "try { await sleep('1h') } finally { await Task.run('clean') }",
    )
    .await;
    let id = s.start("tidy", "{}").await;
    s.run(&format!("select rhythm.cancel('{id}', 'too late')"))
        .await;
    s.until("select count(*) = 1 from rhythm.live where name = 'clean'")
        .await;
    assert_eq!(s.json(&told(id)).await, json!([true, "too late"]));
    s.work("1").await;
    s.becomes(id, "cancelled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_comes_while_a_failure_waits_for_the_row_is_not_lost() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a')").await;
    let task = s.claim_one().await;
    // Who looks at the mark of the cancel before the failure gets the row.
    let duty = database.session().await;
    duty.run(&format!(
        "begin; select from rhythm.live where id = '{}' for update",
        task.id
    ))
    .await;
    let failing = database.session().await;
    let pid = failing.number("select pg_backend_pid()").await;
    let held = task.clone();
    let failing = tokio::spawn(async move { failing.fail(&held, ", '1 hour'").await });
    s.until(&format!(
        "select wait_event_type = 'Lock' from pg_stat_activity where pid = {pid}"
    ))
    .await;
    assert_eq!(
        s.text(&format!("select rhythm.cancel('{}')", task.id))
            .await,
        "t"
    );
    duty.run("select rhythm.tick(); commit").await;
    failing.await.expect("it answers");
    assert_eq!(s.state(task.id).await, "cancelled");
}
