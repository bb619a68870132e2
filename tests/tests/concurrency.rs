//! Limits of concurrency: never more than they allow, no slot lost, and a full key hides nothing.

use rhythm_tests::database::{Database, Failure, Session};
use rhythm_tests::invariant::{nothing_is_left, report};
use rhythm_tests::stress::{Stress, Who, is_so, most_at_once, pairs};

/// One round of a worker that completes, fails, gives back, or forgets what it claims.
async fn round(s: &Session, who: &mut Who) -> Result<(), Failure> {
    let worker = who.name();
    let claim = format!(
        "select id, token from rhythm.claim('{worker}', '{{narrow}}', max => {}, wait => '100 ms', lease => '300 ms')",
        1 + who.dice.below(3)
    );
    for (id, token) in pairs(s.attempt(&claim).await?) {
        who.pause(10).await;
        let end = match who.dice.below(10) {
            0 => continue,
            1 => format!(
                "select rhythm.fail('{id}', {token}, '{{\"name\": \"E\", \"message\": \"m\"}}', '5 ms')"
            ),
            2 => format!("select rhythm.snooze('{id}', {token}, '5 ms')"),
            3 => format!(
                "select * from rhythm.finish('{worker}', '[{{\"id\": \"{id}\", \"token\": \"{token}\", \"release\": true}}]')"
            ),
            _ => format!("select rhythm.complete('{id}', {token})"),
        };
        s.attempt(&end).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_workers_keep_to_the_limits_while_they_fail_and_die_and_all_work_gets_done() {
    let database = Stress {
        name: "concurrency",
        setup: "select rhythm.configure_queue('narrow', concurrency => 5, concurrency_key => 'tenant', concurrency_per_key => 2,
              retry => '{\"maxAttempts\": 1000}');
            select rhythm.enqueue('a', jsonb_build_object('tenant', n % 6, 'n', n), 'narrow', task_id => n::text) from generate_series(1, 240) n",
        round: |s, who| {
            Box::pin(async move {
                round(s, who).await?;
                is_so(s, "select count(*) = 0 from rhythm.live where queue = 'narrow'").await
            })
        },
        left: "select count(*) from rhythm.live where queue = 'narrow'",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    let running = ("what = 'start'", "what = 'stop'");
    let most = most_at_once(&s, running.0, running.1, "queue").await;
    let most_of_key = most_at_once(&s, running.0, running.1, "key").await;
    report(&format!(
        "concurrency: of {} attempts at most {most} of 5 ran at once, {most_of_key} of 2 a key",
        s.number("select count(*) from audit where what = 'start'")
            .await
    ));
    assert_eq!(
        (most, most_of_key),
        (5, 2),
        "no more than the limits allow ran at once, and as many"
    );
    let done =
        "select count(*) from rhythm.executions where state = 'completed' and queue = 'narrow'";
    assert_eq!(s.number(done).await, 240);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_key_hides_no_other_and_costs_a_look() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('tenants', concurrency_key => 'tenant');
         select rhythm.enqueue_rows($$select 'a' as name, 'tenants' as queue, '{\"tenant\": \"big\"}'::jsonb as inputs
           from generate_series(1, 10000)$$);
         select rhythm.enqueue('a', '{\"tenant\": \"small\"}', 'tenants')",
    )
    .await;
    let first = s.claim_with("'w', '{tenants}', max => 10").await;
    let mut tenants: Vec<_> = first
        .iter()
        .map(|t| t.inputs["tenant"].as_str().unwrap_or_default())
        .collect();
    tenants.sort_unstable();
    assert_eq!(tenants, ["big", "small"], "one of each");
    assert!(s.claim_with("'w', '{tenants}', max => 10").await.is_empty());
    for task in &first {
        if task.inputs["tenant"] == "small" {
            assert!(s.complete(task, "1").await);
        }
    }
    s.run("select rhythm.enqueue('a', '{\"tenant\": \"small\"}', 'tenants')")
        .await;
    // A claim now and then reads catalogs too, when what it knew of them was invalidated: the least of some counts.
    let mut buffers = i64::MAX;
    for _ in 0..5 {
        s.run("begin").await;
        let plan = s
            .json("explain (analyze, buffers, format json) select * from rhythm.claim('w', '{tenants}')")
            .await;
        s.run("rollback").await;
        let plan = &plan[0]["Plan"];
        assert_eq!(plan["Actual Rows"].as_f64(), Some(1.0), "{plan:#}");
        buffers = buffers.min(
            plan["Shared Hit Blocks"].as_i64().unwrap_or(0)
                + plan["Shared Read Blocks"].as_i64().unwrap_or(0),
        );
    }
    report(&format!(
        "concurrency: {buffers} buffers for a claim behind 10000 tasks of a full key"
    ));
    assert!(buffers < 200, "{buffers} buffers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_thousands_of_keys_are_full_a_waiting_claim_sleeps_and_a_free_one_is_found_below_them()
{
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "set track_functions = 'all'; select rhythm.configure_queue('tenants', concurrency_key => 'tenant');
         select rhythm.enqueue_rows($$select 'a' as name, 'tenants' as queue, 1 as priority,
           jsonb_build_object('tenant', n % 1500) as inputs from generate_series(1, 3000) n$$)",
    )
    .await;
    let mut held = 0;
    while held < 1500 {
        // Of each key one, and not of all at once: the server has few places for locks.
        let got = s
            .claim_with("'w', '{tenants}', max => 3000, lease => '1 day'")
            .await
            .len();
        assert!((1..=100).contains(&got), "{got} after {held}");
        held += got;
    }
    s.run("select pg_stat_force_next_flush()").await;
    let looks = "select coalesce(sum(calls), 0)::bigint from pg_stat_user_functions where funcname = '_pick_groups'";
    let before = s.number(looks).await;
    assert!(
        s.claim_with("'w', '{tenants}', wait => '1s'")
            .await
            .is_empty()
    );
    s.run("select pg_stat_force_next_flush()").await;
    let looks = s.number(looks).await - before;
    assert!(looks <= 4, "{looks} looks in a second with nothing to do");
    // Of a lower priority than all that is full.
    s.run("select rhythm.enqueue('b', '{\"tenant\": \"free\"}', 'tenants')")
        .await;
    assert_eq!(s.claim_with("'w', '{tenants}'").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_becomes_free_wakes_who_waits_for_it() {
    let database = Database::create().await;
    let s = database.session().await;
    for settings in [
        "concurrency => 1",
        "reset => '{concurrency}', concurrency_key => 'tenant'",
    ] {
        s.run(&format!("select rhythm.configure_queue('one', {settings})"))
            .await;
        for end in ["complete", "fail", "snooze", "cancel", "expire"] {
            let queue = "'{one}'";
            s.run("select rhythm.enqueue('a', queue => 'one'); select rhythm.enqueue('a', queue => 'one')").await;
            let lease = if end == "expire" { "200 ms" } else { "60s" };
            let held = s
                .claim_with(&format!("'w', {queue}, lease => '{lease}'"))
                .await
                .remove(0);
            let waiting = database.session().await;
            let pid = waiting.number("select pg_backend_pid()").await;
            let waiting = tokio::spawn(async move {
                let got = waiting.claim_with("'w2', '{one}', wait => '5s'").await;
                (waiting, got)
            });
            if end != "expire" {
                s.until(&format!(
                    "select wait_event_type = 'Extension' from pg_stat_activity where pid = {pid}"
                ))
                .await;
            }
            match end {
                "complete" => assert!(s.complete(&held, "1").await),
                "fail" => assert_eq!(s.fail(&held, ", '1 hour'").await, "scheduled"),
                "snooze" => {
                    s.run(&format!(
                        "select rhythm.snooze('{}', {}, '1 hour')",
                        held.id, held.token
                    ))
                    .await;
                }
                "cancel" => {
                    s.run(&format!("select rhythm.cancel('{}')", held.id)).await;
                    assert_eq!(s.fail(&held, "").await, "cancelled");
                }
                _ => {}
            }
            let (waiting, got) = waiting.await.expect("it claims");
            assert_eq!(got.len(), 1, "{settings}: {end}");
            waiting.run("delete from rhythm.live").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_a_key_larger_priority_goes_first_then_the_older_and_keys_take_turns() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.configure_queue('q', concurrency_key => 'tenant')")
        .await;
    for (tenant, name, priority) in [
        ("a", "1", 0),
        ("a", "2", 5),
        ("a", "3", 5),
        ("b", "4", 0),
        ("b", "5", 0),
        ("c", "6", -1),
    ] {
        s.run(&format!("select rhythm.enqueue('{name}', '{{\"tenant\": \"{tenant}\"}}', 'q', priority => {priority})")).await;
    }
    let mut order = String::new();
    while let Some(task) = s.claim_with("'w', '{q}'").await.pop() {
        order.push_str(&task.name);
        assert!(s.complete(&task, "1").await);
    }
    // The two of priority 5 first; then the keys behind the last one in turn.
    assert_eq!(order, "234156", "FIFO within a key");
}
