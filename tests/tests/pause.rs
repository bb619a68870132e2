//! Pauses: of a queue, of a task name, of everything. What runs goes on, what arrives is kept, and a resume wakes who waits.

use rhythm_tests::clock::{Stopwatch, advance, tick};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;

/// Claims from all queues of a test.
async fn names(s: &Session) -> String {
    let mut names: Vec<_> = s
        .claim_with("'w', '{default,other}', max => 10")
        .await
        .into_iter()
        .map(|task| task.name)
        .collect();
    names.sort();
    names.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pause_stops_what_it_names_and_nothing_else() {
    let database = Database::create().await;
    let s = database.session().await;
    let cases = [
        (
            "pause_queue('default', 'why')",
            "resume_queue('default')",
            "bc",
            "queue default why",
        ),
        (
            "pause_task('a', 'why')",
            "resume_task('a')",
            "bc",
            "task a why",
        ),
        (
            "pause_task('b', 'why')",
            "resume_task('b')",
            "ac",
            "task b why",
        ),
        ("pause_all('why')", "resume_all()", "", "all  why"),
    ];
    for (pause, resume, left, shown) in cases {
        // One runs already: it goes on.
        s.run("select rhythm.enqueue('a')").await;
        let runs = s.claim_one().await;
        s.run(&format!("select rhythm.{pause}")).await;
        s.run(&format!("select rhythm.{pause}")).await;
        s.run("select rhythm.enqueue('a'); select rhythm.enqueue('b', queue => 'other'); select rhythm.enqueue('c', queue => 'other')")
            .await;
        let pauses = "select what || ' ' || coalesce(name, '') || ' ' || reason from rhythm.pauses where paused_by = session_user and paused_at <= clock_timestamp()";
        assert_eq!(s.text(pauses).await, shown);
        assert_eq!(names(&s).await, left, "{pause}");
        assert!(s.complete(&runs, "1").await, "{pause}");
        s.run(&format!("select rhythm.{resume}")).await;
        assert_eq!(s.number("select count(*) from rhythm.pauses").await, 0);
        s.run(&format!("select rhythm.{resume}")).await;
        let mut rest = vec!["a", "b", "c"];
        rest.retain(|name| !left.contains(name));
        assert_eq!(names(&s).await, rest.concat(), "{resume}");
        s.run("delete from rhythm.live").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resume_wakes_a_claim_that_waits() {
    let database = Database::create().await;
    let s = database.session().await;
    for (pause, resume) in [
        ("pause_queue('default')", "resume_queue('default')"),
        (
            "pause_queue('default')",
            "configure_queue('default', paused => false)",
        ),
        ("pause_task('a')", "resume_task('a')"),
        ("pause_all()", "resume_all()"),
    ] {
        s.run(&format!(
            "select rhythm.{pause}; select rhythm.enqueue('a')"
        ))
        .await;
        let waiting = database.session().await;
        let pid = waiting.number("select pg_backend_pid()").await;
        let waiting = tokio::spawn(async move {
            let begun = Stopwatch::start();
            (
                waiting.claim_with("'w', wait => '5s'").await.len(),
                begun.elapsed(),
            )
        });
        s.until(&format!(
            "select wait_event_type = 'Extension' from pg_stat_activity where pid = {pid}"
        ))
        .await;
        s.run(&format!("select rhythm.{resume}")).await;
        let (got, after) = waiting.await.expect("it claims");
        assert_eq!(got, 1, "{resume}");
        assert!(
            after < std::time::Duration::from_secs(4),
            "{resume}: {after:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_everything_holds_steps_timers_schedules_and_timeouts_and_a_resume_does_them() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("nap", "await sleep('10s'); return 'awake';").await;
    s.deploy(
        "asks",
        "return [await Task.run('a'), await Signal.next('go')];",
    )
    .await;
    s.deploy("plain", "return 'ran';").await;
    let naps = s.start("nap", "{}").await;
    let asks = s.start("asks", "{}").await;
    let task = s.claim_one().await;
    let late = s
        .id("select rhythm.enqueue('b', queue => 'other', timeout => '10 seconds')")
        .await;
    let scheduled = s
        .id("select rhythm.enqueue('c', queue => 'other', delay => '10 seconds')")
        .await;

    let pings = "select count(*) from rhythm.executions where name = 'ping'";
    s.run(
        "select rhythm.schedule('beat', every => '30 seconds', task => 'ping', queue => 'beats')",
    )
    .await;

    s.run("select rhythm.pause_all('migration')").await;
    let plain = s.start("plain", "{}").await;
    assert!(s.complete(&task, "1").await, "what runs can end");
    s.run(&format!("select rhythm.signal('{asks}', 'go', '2')"))
        .await;
    advance(&s, "1 minute").await;
    let mut states = Vec::new();
    for id in [naps, asks, late, scheduled, plain] {
        states.push(s.state(id).await);
    }
    assert_eq!(
        states,
        ["waiting", "waiting", "pending", "scheduled", "pending"]
    );
    assert_eq!(
        s.number(pings).await,
        0,
        "nor does a schedule start anything"
    );
    // A cancel is kept too.
    s.run(&format!("select rhythm.cancel('{naps}')")).await;
    assert_eq!(s.state(naps).await, "waiting");

    s.run("select rhythm.resume_all()").await;
    // By itself, without tick().
    assert_eq!(s.completed(asks).await, json!([1, 2]));
    assert_eq!(s.completed(plain).await, json!("ran"));
    assert_eq!(s.outcome(naps).await.0, "cancelled");
    assert_eq!(s.outcome(late).await.0, "timed_out");
    s.becomes(scheduled, "pending").await;
    s.until(&format!("select ({pings}) > 0")).await;
    assert_eq!(s.claim_with("'w', '{other}'").await.len(), 1);
    tick(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_with_a_limit_keeps_tokens_and_slots_as_they_are() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('default', rate_limit => '2/day', concurrency => 5);
         select rhythm.enqueue('a') from generate_series(1, 5)",
    )
    .await;
    assert_eq!(s.claim(1).await.len(), 1);
    s.run("select rhythm.pause_queue('default')").await;
    assert!(s.claim(5).await.is_empty());
    s.run("select rhythm.resume_queue('default')").await;
    assert_eq!(s.claim(5).await.len(), 1, "one token is left");
    s.run("delete from rhythm.live").await;
    nothing_is_left(&s).await;
}
