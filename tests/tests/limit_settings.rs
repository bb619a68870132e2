//! Limits that are set, changed and taken away while a queue is full of work.

use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_change_under_load_strand_nothing_and_hold_from_then_on() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.enqueue('a', jsonb_build_object('tenant', n % 3, 'region', n % 2), 'q', priority => n % 2,
           delay => case n % 5 when 0 then interval '1 hour' end) from generate_series(1, 100) n",
    )
    .await;
    let running = "select count(*) from rhythm.live where state = 'running'";
    let most_of = |path: &str| {
        format!(
            "select coalesce(max(n), 0) from (select count(*) as n from rhythm.live where state = 'running' group by inputs ->> '{path}') k"
        )
    };
    // What is set, and how many may then run: in the queue, of a tenant, of a region.
    let settings = [
        ("concurrency => 4", 4, 4, 4),
        ("concurrency_key => 'tenant'", 3, 1, 3),
        ("concurrency_key => 'region'", 2, 2, 1),
        (
            "concurrency_per_key => 3, reset => '{concurrency}'",
            6,
            6,
            3,
        ),
        ("rate_limit => '1000000/sec', rate_key => 'tenant'", 6, 6, 3),
        (
            "reset => '{concurrency_key,concurrency_per_key}', concurrency => 2",
            2,
            2,
            2,
        ),
        (
            "reset => '{rate_key,rate_limit}', concurrency_key => 'tenant'",
            2,
            1,
            2,
        ),
        ("reset => '{concurrency_key,concurrency}'", 100, 100, 100),
        (
            "concurrency_key => 'tenant', concurrency_per_key => 7",
            21,
            7,
            21,
        ),
    ];
    for (setting, queue, tenant, region) in settings {
        s.run(&format!("select rhythm.configure_queue('q', {setting})"))
            .await;
        // Claims get what the setting allows, and give all of it back.
        let mut held = Vec::new();
        for _ in 0..8 {
            held.extend(s.claim_with("'w', '{q}', max => 100").await);
        }
        assert_eq!(
            held.len(),
            usize::try_from(queue.min(80)).expect("small"),
            "{setting}"
        );
        assert_eq!(s.number(running).await, queue.min(80), "{setting}");
        assert!(s.number(&most_of("tenant")).await <= tenant, "{setting}");
        assert!(s.number(&most_of("region")).await <= region, "{setting}");
        for task in &held {
            s.run(&format!(
                "select * from rhythm.finish('w', '[{{\"id\": \"{}\", \"token\": \"{}\", \"release\": true}}]')",
                task.id, task.token
            ))
            .await;
        }
    }
    // Also those that were scheduled all the while.
    rhythm_tests::clock::advance(&s, "2 hours").await;
    let mut done = 0;
    while let Some(task) = s.claim_with("'w', '{q}'").await.pop() {
        assert!(s.complete(&task, "1").await);
        done += 1;
    }
    assert_eq!(done, 100);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_when_a_limit_is_set_counts_and_so_does_the_old_key() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a', jsonb_build_object('tenant', n % 2), 'q') from generate_series(1, 10) n").await;
    let held = s.claim_with("'w', '{q}', max => 3").await;
    s.run("select rhythm.configure_queue('q', concurrency => 3)")
        .await;
    assert!(s.claim_with("'w', '{q}', max => 3").await.is_empty());
    s.run("select rhythm.configure_queue('q', reset => '{concurrency}', concurrency_key => 'tenant', concurrency_per_key => 2)").await;
    // Tenants 1, 0, 1 run: there is room for one more of tenant 0.
    assert_eq!(s.claim_with("'w', '{q}', max => 3").await.len(), 1);
    assert!(s.complete(&held[0], "1").await);
    assert_eq!(s.claim_with("'w', '{q}', max => 3").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_under_way_when_a_limit_is_set_counts() {
    let database = Database::create().await;
    let s = database.session().await;
    let other = database.session().await;
    for (before, limit) in [
        ("", "concurrency => 2"),
        ("", "concurrency_key => 'tenant', concurrency_per_key => 2"),
        (
            "concurrency => 9",
            "concurrency_key => 'tenant', concurrency_per_key => 2, reset => '{concurrency}'",
        ),
        (
            "concurrency_key => 'n', concurrency_per_key => 9",
            "concurrency_key => 'tenant', concurrency_per_key => 2",
        ),
    ] {
        s.run("delete from rhythm.queue_settings; delete from rhythm.live")
            .await;
        if !before.is_empty() {
            s.run(&format!("select rhythm.configure_queue('q', {before})"))
                .await;
        }
        s.run("select rhythm.enqueue('a', jsonb_build_object('tenant', 1, 'n', n), 'q') from generate_series(1, 5) n").await;
        other.run("begin").await;
        let held = other.claim_with("'other', '{q}', max => 2").await;
        assert_eq!(held.len(), 2, "{limit}");
        s.run(&format!("select rhythm.configure_queue('q', {limit})"))
            .await;
        assert!(
            s.claim_with("'w', '{q}', max => 5").await.is_empty(),
            "not known yet: {limit}"
        );
        other.run("commit").await;
        assert!(
            s.claim_with("'w', '{q}', max => 5").await.is_empty(),
            "{limit}"
        );
        assert!(s.complete(&held[0], "1").await);
        assert_eq!(
            s.claim_with("'w', '{q}', max => 5").await.len(),
            1,
            "{limit}"
        );
        assert_eq!(s.number("select count(*) from rhythm.recounts").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_was_overtaken_by_a_limit_and_its_first_claim_counts() {
    let database = Database::create().await;
    let s = database.session().await;
    // Stops a claim between its look at the settings and its lease.
    s.run(
        "create function stop() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return new; end $$;
         create trigger stop before update on rhythm.live for each row when (new.name = 'slow' and new.state = 'running') execute function stop();
         select rhythm.enqueue('slow', queue => 'q');
         select rhythm.enqueue('a', queue => 'q') from generate_series(1, 5);
         select pg_advisory_lock(1)",
    )
    .await;
    let slow = database.session().await;
    let pid = slow.number("select pg_backend_pid()").await;
    let slow = tokio::spawn(async move { slow.claim_with("'slow', '{q}'").await });
    s.until(&format!(
        "select wait_event_type = 'Lock' from pg_stat_activity where pid = {pid}"
    ))
    .await;
    s.run("select rhythm.configure_queue('q', concurrency => 2)")
        .await;
    assert_eq!(s.claim_with("'w', '{q}'").await.len(), 1);
    s.run("select pg_advisory_unlock(1)").await;
    assert_eq!(slow.await.expect("it claims").len(), 1);
    assert!(s.claim_with("'w', '{q}', max => 5").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_gives_rows_their_keys_does_not_hold_them_while_it_waits() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a', '{\"tenant\": 1}', 'q') from generate_series(1, 5)")
        .await;
    assert_eq!(s.claim_with("'w', '{q}'").await.len(), 1);
    s.run("select rhythm.configure_queue('q', concurrency_key => 'tenant')")
        .await;
    let waiting = database.session().await;
    let pid = waiting.number("select pg_backend_pid()").await;
    let waiting = tokio::spawn(async move {
        // As a worker does: again and again.
        for _ in 0..20 {
            let got = waiting.claim_with("'w', '{q}', wait => '5s'").await;
            if !got.is_empty() {
                return got;
            }
        }
        Vec::new()
    });
    s.until(&format!(
        "select wait_event_type = 'Extension' from pg_stat_activity where pid = {pid}"
    ))
    .await;
    let pending = s
        .id("select id from rhythm.executions where state = 'pending' order by id limit 1")
        .await;
    s.run(&format!("select rhythm.cancel('{pending}')")).await;
    assert_eq!(s.state(pending).await, "cancelled", "nobody holds it");
    s.run("select rhythm.configure_queue('q', concurrency_per_key => 2)")
        .await;
    assert_eq!(waiting.await.expect("it claims").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_meets_a_held_row_under_a_limit_does_not_spin() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "set track_functions = 'all'; select rhythm.configure_queue('q', concurrency => 3);
         select rhythm.enqueue('a', queue => 'q')",
    )
    .await;
    let other = database.session().await;
    other.run("begin; select from rhythm.live for update").await;
    let begun = std::time::Instant::now();
    let mut calls = 0;
    while begun.elapsed() < std::time::Duration::from_millis(500) {
        calls += 1;
        assert!(s.claim_with("'w', '{q}', wait => '5s'").await.is_empty());
    }
    assert!(calls <= 55, "{calls} claims in vain in half a second");
    other.run("rollback").await;
    assert_eq!(s.claim_with("'w', '{q}'").await.len(), 1);
}
