//! What has failed: every attempt is known, and it can go on, one by one or in bulk.

use std::sync::Arc;

use rhythm_tests::clock::{advance, tick};
use rhythm_tests::database::Database;
use rhythm_tests::race::race;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failed_attempt_is_kept_with_its_worker_and_of_very_many_the_last_hundred() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', retry => '{\"maxAttempts\": 150, \"initial\": 0}')")
        .await;
    let kept = format!(
        "select count(*) || ' ' || min(attempt) || ' ' || max(attempt) from rhythm.attempts where id = '{id}'"
    );
    for attempt in 1..=150 {
        let task = s
            .claim_with(&format!("'w{attempt}', wait => '5s'"))
            .await
            .remove(0);
        assert_eq!(task.attempt, attempt);
        s.run(&format!(
            "select rhythm.fail('{id}', {}, '{{\"name\": \"E{attempt}\", \"message\": \"m\"}}')",
            task.token
        ))
        .await;
        if attempt == 90 {
            assert_eq!(s.text(&kept).await, "90 1 90");
        }
    }
    assert_eq!(s.state(id).await, "failed");
    // A hundred that were tried again, and the one that ended it.
    assert_eq!(s.text(&kept).await, "101 50 150");
    let last = format!(
        "select worker || ' ' || (error ->> 'name') || ' ' || (failed_at >= started_at)
         from rhythm.attempts where id = '{id}' order by attempt desc limit 2"
    );
    let last = s.rows(&last).await;
    assert_eq!(last[0][0].as_deref(), Some("w150 E150 true"));
    assert_eq!(last[1][0].as_deref(), Some("w149 E149 true"));
    s.run(&format!("select rhythm.retry('{id}')")).await;
    assert_eq!(
        s.text(&kept).await,
        "101 50 150",
        "retry forgets no attempt"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_kills_its_workers_fails_and_names_them() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('poison', retry => '{\"maxAttempts\": 3}')")
        .await;
    for worker in ["w1", "w2", "w3"] {
        assert_eq!(
            s.claim_with(&format!("'{worker}', wait => '5s'"))
                .await
                .len(),
            1
        );
        advance(&s, "61 seconds").await;
    }
    let error = s.failed(id).await;
    assert_eq!(error["name"], json!("LeaseExpired"));
    assert_eq!(
        error["data"]["workers"],
        json!(["w1", "w2", "w3"]),
        "{error:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_begins_the_timeout_again_in_full() {
    let database = Database::create().await;
    let s = database.session().await;
    // Less than a minute may have gone by since; what is left of the timeout of before is far less.
    let full = "select end_by - rhythm._now() between interval '59 minutes' and interval '1 hour' from rhythm.live";
    for more in [
        "",
        ", retry => '{\"delays\": [\"50m\", \"1s\"], \"jitter\": 0}'",
    ] {
        let id = s
            .id(&format!(
                "select rhythm.enqueue('a', timeout => '1 hour'{more})"
            ))
            .await;
        if !more.is_empty() {
            s.fail(&s.claim_one().await, "").await;
            advance(&s, "50 minutes").await;
        }
        s.fail(&s.claim_one().await, ", retryable => false").await;
        s.run(&format!("select rhythm.retry('{id}')")).await;
        assert_eq!(s.text(full).await, "t", "{more}");
        // Put off beyond its end: it times out, and can go on for an hour once more.
        let task = s.claim_one().await;
        s.run(&format!(
            "select rhythm.snooze('{id}', {}, '2 hours')",
            task.token
        ))
        .await;
        advance(&s, "61 minutes").await;
        s.becomes(id, "timed_out").await;
        s.run(&format!("select rhythm.retry('{id}')")).await;
        tick(&s).await;
        assert_eq!(s.state(id).await, "pending", "{more}");
        assert_eq!(s.text(full).await, "t", "{more}");
        s.run("delete from rhythm.live").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_gives_the_timeout_as_it_was_given_whatever_has_put_the_task_off() {
    let database = Database::create().await;
    let s = database.session().await;
    let full = "select end_by - rhythm._now() between interval '59 minutes' and interval '1 hour' from rhythm.live";
    for (delay, is_snoozed, is_tried) in [
        ("0", true, false),
        ("2 hours", false, true),
        ("2 hours", true, true),
    ] {
        let id = s
            .id(&format!(
                "select rhythm.enqueue('a', timeout => '1 hour', delay => '{delay}', retry => '{{\"delays\": [\"10m\"], \"jitter\": 0}}')"
            ))
            .await;
        advance(&s, delay).await;
        s.becomes(id, "pending").await;
        if is_snoozed {
            let task = s.claim_one().await;
            let snooze = format!("select rhythm.snooze('{id}', {}, '30 minutes')", task.token);
            assert_eq!(s.text(&snooze).await, "t");
            advance(&s, "30 minutes").await;
            s.becomes(id, "pending").await;
        }
        if is_tried {
            s.fail(&s.claim_one().await, "").await;
            advance(&s, "10 minutes").await;
            s.becomes(id, "pending").await;
        }
        s.fail(&s.claim_one().await, ", retryable => false").await;
        for _ in 0..2 {
            s.run(&format!("select rhythm.retry('{id}')")).await;
            assert_eq!(s.text(full).await, "t", "{delay} {is_snoozed} {is_tried}");
            let task = s.claim_one().await;
            s.run(&format!(
                "select rhythm.snooze('{id}', {}, '2 hours')",
                task.token
            ))
            .await;
            advance(&s, "61 minutes").await;
            s.becomes(id, "timed_out").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_are_retried_by_filters_at_a_rate_and_by_each_caller_once() {
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy("flow", "throw new Error('broken');").await;
    s.start("flow", "{}").await;
    s.run(
        "select rhythm.enqueue(case n % 2 when 0 then 'a' else 'b' end, queue => case when n <= 10 then 'x' else 'y' end)
         from generate_series(1, 20) n",
    )
    .await;
    for task in s
        .claim_with("'w', '{x,y}', max => 100, lease => '1 day'")
        .await
    {
        let error = if task.name == "a" {
            json!({"name": "IOError", "message": "disk is full", "code": "E1"})
        } else {
            json!({"name": "TypeError", "message": "100% wrong"})
        };
        s.run(&format!(
            "select rhythm.fail('{}', {}, '{error}', retryable => false)",
            task.id, task.token
        ))
        .await;
        advance(&s, "1 minute").await;
    }
    let dry = [
        ("", 20),
        ("kind => null", 21),
        ("kind => 'workflow'", 1),
        ("queue => 'x'", 10),
        ("queue => 'x', name => 'a'", 5),
        ("error => 'IOError'", 10),
        ("error => 'E1'", 10),
        ("error => '%WRONG'", 10),
        ("error => 'disk'", 0),
        ("max => 3", 3),
        (
            "since => rhythm._now() - interval '5 minutes 30 seconds'",
            5,
        ),
        (
            "since => rhythm._now() - interval '5 minutes 30 seconds', name => 'nobody'",
            0,
        ),
    ];
    for (filter, count) in dry {
        let comma = if filter.is_empty() { "" } else { ", " };
        assert_eq!(
            s.number(&format!(
                "select rhythm.retry_many({filter}{comma}dry_run => true)"
            ))
            .await,
            count,
            "{filter}"
        );
    }
    assert_eq!(
        s.number("select count(*) from rhythm.live").await,
        0,
        "a dry run changes nothing"
    );

    // Ten at two a minute: the first at once, the last after 4.5 minutes.
    assert_eq!(
        s.number("select rhythm.retry_many(error => 'IOError', rate => '2/min')")
            .await,
        10
    );
    for (later, ready) in [
        ("0", 1),
        ("1 minute", 3),
        ("186 seconds", 9),
        ("36 seconds", 10),
    ] {
        advance(&s, later).await;
        s.until(&format!(
            "select count(*) = {ready} from rhythm.live where state = 'pending'"
        ))
        .await;
    }

    // Eight at once: each execution goes on once, and nobody fails.
    let counts = race(8, |_, start| {
        let database = Arc::clone(&database);
        async move {
            let s = database.session().await;
            start.wait().await;
            s.number("select rhythm.retry_many()").await
        }
    })
    .await;
    assert_eq!(counts.iter().sum::<i64>(), 10, "{counts:?}");
    assert_eq!(s.number("select count(*) from rhythm.live").await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_failures_under_one_task_id_the_last_is_retried_and_none_while_another_holds_it()
{
    let database = Database::create().await;
    let s = database.session().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(s.id("select rhythm.enqueue('a', task_id => 'k')").await);
        s.fail(&s.claim_one().await, ", retryable => false").await;
    }
    assert_eq!(
        s.number("select rhythm.retry_many(dry_run => true)").await,
        1
    );
    assert_eq!(s.number("select rhythm.retry_many()").await, 1);
    assert_eq!(s.claim_one().await.id, ids[2]);
    assert_eq!(
        s.number("select rhythm.retry_many()").await,
        0,
        "the task_id is held"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_is_told_once_though_a_timeout_of_the_whole_came_after_it() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', timeout => '1 minute', retry => '{\"initial\": \"1h\"}')")
        .await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, "").await, "scheduled");
    advance(&s, "2 minutes").await;
    s.becomes(id, "timed_out").await;
    let attempts = format!("select count(*) from rhythm.attempts where id = '{id}'");
    assert_eq!(s.number(&attempts).await, 1);
    s.run(&format!("select rhythm.retry('{id}')")).await;
    assert_eq!(s.number(&attempts).await, 1);
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    assert_eq!(s.number(&attempts).await, 2, "the first of the second life");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_attempt_keeps_when_it_began_also_over_a_retry() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s.id("select rhythm.enqueue('a')").await;
    let task = s.claim_one().await;
    let began = s.text("select attempt_at from rhythm.live").await;
    advance(&s, "10 seconds").await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    let told = format!("select started_at from rhythm.attempts where id = '{id}'");
    assert_eq!(s.text(&told).await, began);
    s.run(&format!("select rhythm.retry('{id}')")).await;
    assert_eq!(s.text(&told).await, began);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_begins_the_time_for_the_start_again() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '1 hour', delay => '3 hours')")
        .await;
    advance(&s, "245 minutes").await;
    s.becomes(id, "timed_out").await;
    for delay in ["null", "null", "'2 hours'", "null"] {
        s.run(&format!("select rhythm.retry('{id}', {delay})"))
            .await;
        let seconds = if delay == "null" { 3600 } else { 3 * 3600 };
        // A minute may have gone by since; what would be left of before is nothing.
        let full = format!(
            "select start_by - rhythm._now() between interval '{} seconds' and interval '{seconds} seconds' from rhythm.live",
            seconds - 60
        );
        assert_eq!(s.text(&full).await, "t", "{delay}");
        advance(&s, &format!("{} seconds", seconds + 1)).await;
        s.becomes(id, "timed_out").await;
    }
    s.run(&format!("select rhythm.retry('{id}')")).await;
    s.work("1").await;
    assert_eq!(s.state(id).await, "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_holds_for_workflows_which_go_on_from_their_last_await() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table done (n int)").await;
    s.deploy(
        "flow",
        "const n = await Task.run('t', Inputs.n);
         const ready = await Sql.query('select count(*)::int as n from done');
         if (ready[0].n === 0) throw new Error('not ready');
         try { await Signal.next('go'); } finally { await Sql.query('insert into done values ($1)', [n]); }
         return n;",
    )
    .await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(s.start("flow", &format!("{{\"n\": {n}}}")).await);
        s.work(&n.to_string()).await;
        s.failed(ids[n]).await;
    }
    let begun = "select string_agg(started_at::text, ' ' order by id) from rhythm.executions where kind = 'workflow'";
    let before = s.text(begun).await;
    s.run("insert into done values (-1)").await;
    let retry = "select rhythm.retry_many(kind => null, rate => '1/min')";
    assert_eq!(s.number(retry).await, 4);
    for (later, waiting) in [("0", 1), ("61 seconds", 2), ("1 minute", 3)] {
        advance(&s, later).await;
        s.until(&format!(
            "select count(*) = {waiting} from rhythm.live where state = 'waiting'"
        ))
        .await;
        assert_eq!(
            s.number("select count(*) from rhythm.live where state = 'scheduled'")
                .await,
            4 - waiting
        );
    }
    assert_eq!(s.text(begun).await, before, "it is the same run");
    // One that still waits for its turn is told of a cancel: its program has something to clean up.
    s.run(&format!("select rhythm.cancel('{}')", ids[3])).await;
    s.becomes(ids[3], "cancelled").await;
    for (n, id) in ids.iter().enumerate().take(3) {
        s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
        assert_eq!(s.completed(*id).await, json!(n));
    }
}
