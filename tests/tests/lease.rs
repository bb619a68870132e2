//! Leases: who holds one may finish, who has lost it changes nothing.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use rhythm_tests::clock::advance;
use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::process;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_lease_is_a_failed_attempt_and_the_task_is_claimable_at_once() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s.id("select rhythm.enqueue('a')").await;
    let lost = s.claim_one().await;
    advance(&s, "30 seconds").await;
    assert!(s.claim(1).await.is_empty());
    advance(&s, "31 seconds").await;
    let taken = s.claim_one().await;
    assert_eq!((taken.id, taken.attempt), (id, 2));
    assert_ne!(taken.token, lost.token);
    assert!(
        !s.complete(&lost, "\"late\"").await,
        "the late worker is fenced"
    );
    assert_eq!(s.fail(&lost, "").await, "");
    let beat = format!(
        "select status from rhythm.heartbeat('{{{id}}}', '{{{}}}')",
        lost.token
    );
    assert_eq!(s.text(&beat).await, "lost");
    assert_eq!(s.state(id).await, "running");
    assert!(s.complete(&taken, "\"in time\"").await);
    assert_eq!(s.completed(id).await, json!("in time"));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_killed_while_it_waited_gets_nothing() {
    let database = Database::create().await;
    let s = database.session().await;
    let parked = "select count(*) from pg_stat_activity
      where datname = current_database() and state = 'active' and query like '%claim(''w_'', wait%' and pid <> pg_backend_pid()";
    let mut psql = database.server().program("psql");
    psql.args(["-X", "-c", "select * from rhythm.claim('w1', wait => '5s')"])
        .arg(database.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // First, so that the wake-up goes to it.
    let mut client = process::spawn(psql, Signal::SIGKILL);
    s.until(&format!("select ({parked}) = 1")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.kill().expect("it lives");
    client.wait().expect("it has ended");
    let other = database.session().await;
    let other = tokio::spawn(async move { other.claim_with("'w2', wait => '5s'").await });
    // Whether that of the dead one is still there or not.
    let other_parked = parked.replace("w_", "w2");
    s.until(&format!("select ({other_parked}) = 1")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    s.run("select rhythm.enqueue('a')").await;
    let got = other.await.expect("it claims");
    assert_eq!(got.iter().map(|task| task.attempt).collect::<Vec<_>>(), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_background_worker_takes_expired_leases_back_by_itself() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a')").await;
    assert_eq!(s.claim_with("'dies', lease => '200 ms'").await.len(), 1);
    // Waits in the server until the lease has lapsed and the task is there again.
    let again = s.claim_with("'lives', wait => '5s'").await;
    assert_eq!(
        again.iter().map(|task| task.attempt).collect::<Vec<_>>(),
        [2]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_keep_a_lease() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a'); select rhythm.enqueue('b')")
        .await;
    let kept = s.claim_one().await;
    let left = s.claim_one().await;
    for _ in 0..3 {
        let beat = format!(
            "select status from rhythm.heartbeat('{{{}}}', '{{{}}}')",
            kept.id, kept.token
        );
        assert_eq!(s.text(&beat).await, "ok");
        advance(&s, "40 seconds").await;
    }
    assert!(s.complete(&kept, "1").await);
    assert!(!s.complete(&left, "1").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_last_attempt_loses_its_lease_fails_and_its_workflow_hears_of_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "one",
        "return (await Task.try('a', 1, {retry: {maxAttempts: 1}})).error.cause.name;",
    )
    .await;
    let id = s.start("one", "{}").await;
    s.claim_one().await;
    advance(&s, "2 minutes").await;
    assert_eq!(s.completed(id).await, json!("LeaseExpired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_lease_costs_no_attempt() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a')").await;
    let task = s.claim_one().await;
    let outcome = json!([{"id": task.id, "token": task.token.to_string(), "release": true}]);
    s.run(&format!("select rhythm.finish('tester', '{outcome}')"))
        .await;
    let again = s.claim_one().await;
    assert_eq!((again.id, again.attempt), (task.id, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_puts_off_what_somebody_completes_meanwhile_hears_that_the_lease_is_lost() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a')").await;
    let task = s.claim_one().await;
    s.run("begin").await;
    assert!(s.complete(&task, "1").await);
    let other = database.session().await;
    let pid = other.number("select pg_backend_pid()").await;
    let snooze = format!(
        "select rhythm.snooze('{}', {}, '1 hour')",
        task.id, task.token
    );
    let snoozing = tokio::spawn(async move { other.text(&snooze).await });
    let look = database.session().await;
    look.until(&format!(
        "select wait_event_type = 'Lock' from pg_stat_activity where pid = {pid}"
    ))
    .await;
    s.run("commit").await;
    assert_eq!(snoozing.await.expect("it answers"), "f");
    assert_eq!(s.state(task.id).await, "completed");
}
