//! Time: timers fire when they are due, and nothing happens when nothing is due.

use std::time::Duration;

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{nothing_is_left, p99, report};
use rhythm_tests::server::Setup;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleeping_workflows_go_on_in_the_order_in_which_they_are_due() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table woke (seq serial, hours int)").await;
    s.deploy("nap", "await sleep(Inputs.hours + 'h'); await Sql.query('insert into woke (hours) values ($1)', [Inputs.hours]);")
        .await;
    let mut ids = Vec::new();
    for hours in [5, 1, 3] {
        ids.push(s.start("nap", &format!("{{\"hours\": {hours}}}")).await);
    }
    advance(&s, "59 minutes").await;
    for (by, n, woke) in [
        ("2 minutes", 1, "1"),
        ("2 hours", 2, "1,3"),
        ("2 hours", 0, "1,3,5"),
    ] {
        advance(&s, by).await;
        s.completed(ids[n]).await;
        assert_eq!(
            s.text("select string_agg(hours::text, ',' order by seq) from woke")
                .await,
            woke
        );
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_work_is_claimable_when_its_time_has_come() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("hello", "return 'hello'").await;
    let task = s.id("select rhythm.enqueue('a', delay => '1 hour')").await;
    let workflow = s
        .id("select rhythm.start('hello', run_at => clock_timestamp() + interval '2 hours')")
        .await;
    assert_eq!(s.state(task).await, "scheduled");
    assert!(s.claim(1).await.is_empty());
    advance(&s, "61 minutes").await;
    assert_eq!(s.claim_one().await.id, task);
    assert_eq!(s.state(workflow).await, "scheduled");
    advance(&s, "1 hour").await;
    assert_eq!(s.completed(workflow).await, json!("hello"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeouts_end_what_takes_too_long() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("patient", "const {success, error} = await Task.try('slow', 1, {timeout: '10m'}); return [success, error.name, error.cause.name];").await;
    let parent = s.start("patient", "{}").await;
    let task = s.claim_one().await;
    let lone = s
        .id("select rhythm.enqueue('b', start_timeout => '5 minutes')")
        .await;
    let workflow = s
        .id("select rhythm.start('patient', timeout => '1 minute')")
        .await;
    advance(&s, "11 minutes").await;
    assert_eq!(s.outcome(lone).await.0, "timed_out");
    assert_eq!(s.outcome(workflow).await.0, "timed_out");
    assert_eq!(
        s.completed(parent).await,
        json!([false, "TaskError", "TimeoutError"])
    );
    assert!(!s.complete(&task, "1").await, "its time is over");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_of_an_idle_server_fire_exactly() {
    let database = Database::create_quiet().await;
    let s = database.session().await;
    s.deploy("nap", "const due = Date.now() + Inputs.ms; await sleep(Inputs.ms + 'ms'); return Date.now() - due;").await;
    // The promise is about Rhythm; another process of this machine may get in the way of one measurement.
    for attempt in 1.. {
        let worst = lateness(&s).await;
        if worst <= 50.0 {
            break;
        }
        assert!(attempt < 10, "p99 of the lateness is {worst:.1} ms");
    }
}

/// The 99th percentile of the lateness of some timers, in milliseconds.
async fn lateness(s: &Session) -> f64 {
    const TIMERS: usize = 200;
    let mut ids = Vec::new();
    for n in 0..TIMERS {
        let ms = 300 + n * 1013 % 2500;
        ids.push(s.start("nap", &format!("{{\"ms\": {ms}}}")).await);
    }
    let mut late = Vec::new();
    for id in ids {
        late.push(s.completed(id).await.as_f64().expect("milliseconds"));
    }
    let worst = p99(&mut late);
    report(&format!(
        "lateness of timers, idle: p50 {:.1} ms, p99 {worst:.1} ms",
        late[TIMERS / 2]
    ));
    assert!(late[0] >= 0.0, "a timer fired early: {} ms", late[0]);
    worst
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_server_does_no_transaction_in_ten_seconds() {
    // A server of its own, since autovacuum counts too.
    let setup = Setup {
        settings: vec!["autovacuum=off".to_owned()],
        ..Setup::default()
    };
    let database = Database::alone(setup).await;
    let s = database.session().await;
    s.deploy("nap", "await sleep('1h');").await;
    s.run("select rhythm.start('nap'); select rhythm.enqueue('a', delay => '1 hour'); select rhythm.enqueue('b');
         select rhythm.schedule('later', every => '1 hour', task => 'a', overlap => 'queue_all');
         select rhythm.trigger_schedule('later'); select rhythm.trigger_schedule('later')").await;
    drop(s);
    let outside = database.server().session("postgres", "postgres").await;
    let count = format!(
        "select pg_stat_clear_snapshot(), (select xact_commit + xact_rollback from pg_stat_database where datname = '{}')",
        database.name()
    );
    let read = async || {
        let row = outside.rows(&count).await.remove(0);
        row[1]
            .as_deref()
            .and_then(|n| n.parse::<i64>().ok())
            .expect("a number")
    };
    // What the session and the worker did until now is told within some seconds.
    let mut settled = read().await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = read().await;
        if now == settled {
            break;
        }
        settled = now;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let done = read().await - settled;
    report(&format!("transactions of an idle database in 10 s: {done}"));
    assert_eq!(done, 0);
}
