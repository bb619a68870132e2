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
        "select worker || ' ' || (error ->> 'name') || ' ' || (failed_at >= coalesce(started_at, failed_at))
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
    let left = "select round(extract(epoch from end_by - rhythm._now())) from rhythm.live";
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
        assert_eq!(s.text(left).await, "3600", "{more}");
        // Put off beyond its end: it times out, and can go on for an hour once more.
        let task = s.claim_one().await;
        s.run(&format!(
            "select rhythm.snooze('{id}', {}, '2 hours')",
            task.token
        ))
        .await;
        advance(&s, "61 minutes").await;
        assert_eq!(s.state(id).await, "timed_out");
        s.run(&format!("select rhythm.retry('{id}')")).await;
        tick(&s).await;
        assert_eq!(s.state(id).await, "pending", "{more}");
        assert_eq!(s.text(left).await, "3600", "{more}");
        s.run("delete from rhythm.live").await;
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

    // Ten at two a second: the first at once, the last after 4.5 s.
    assert_eq!(
        s.number("select rhythm.retry_many(error => 'IOError', rate => '2/sec')")
            .await,
        10
    );
    for (later, ready) in [("0", 1), ("1 second", 3), ("3400 ms", 9), ("200 ms", 10)] {
        advance(&s, later).await;
        assert_eq!(
            s.number("select count(*) from rhythm.live where state = 'pending'")
                .await,
            ready,
            "{later}"
        );
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
