//! Retries: how long a failed attempt waits, which errors are final, who says so, and what is known of the failures.

use std::sync::Arc;

use rhythm_tests::clock::{advance, tick};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::race::race;
use rhythm_tests::task::Claimed;
use serde_json::{Value, json};
use uuid::Uuid;

/// Milliseconds until the next attempt, counted from the failure.
async fn delay_of(s: &Session, id: Uuid) -> f64 {
    s.text(&format!(
        "select extract(epoch from next_at - failed_at) * 1000 from rhythm.attempts where id = '{id}' order by failed_at desc, attempt desc limit 1"
    ))
    .await
    .parse()
    .expect("a number")
}

/// Fails every attempt of a task with this policy; gives the delays between them, and the final state.
async fn delays(s: &Session, retry: &Value) -> (Vec<i64>, String) {
    let id = s
        .id(&format!(
            "select rhythm.enqueue('flaky', retry => '{retry}')"
        ))
        .await;
    let mut delays = Vec::new();
    loop {
        let task = s.claim_one().await;
        let state = s.fail(&task, "").await;
        if state != "scheduled" && state != "pending" {
            return (delays, state);
        }
        let delay = delay_of(s, id).await;
        delays.push(delay.round() as i64);
        advance(s, &format!("{} ms", delay.ceil())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_backoff_waits_as_it_says() {
    let database = Database::create().await;
    let s = database.session().await;
    let cases = [
        (
            json!({"maxAttempts": 4, "initial": "1s"}),
            vec![1000, 2000, 4000],
        ),
        (
            json!({"maxAttempts": 4, "initial": "1s", "backoff": "exponential", "max": "3s"}),
            vec![1000, 2000, 3000],
        ),
        (
            json!({"maxAttempts": 4, "initial": "10s", "backoff": 3}),
            vec![10_000, 30_000, 90_000],
        ),
        (
            json!({"maxAttempts": 4, "initial": "2s", "backoff": "linear"}),
            vec![2000, 4000, 6000],
        ),
        (
            json!({"maxAttempts": 4, "initial": "2s", "backoff": "constant"}),
            vec![2000, 2000, 2000],
        ),
        (
            json!({"maxAttempts": 3, "initial": "500ms", "backoff": 1}),
            vec![500, 500],
        ),
        (
            json!({"delays": ["1s", 5, "1m30s"]}),
            vec![1000, 5000, 90_000],
        ),
        (
            json!({"maxAttempts": 4, "delays": ["1s", "5s"]}),
            vec![1000, 5000, 5000],
        ),
        (
            json!({"maxAttempts": 2, "delays": ["1s", "5s", "9s"]}),
            vec![1000],
        ),
        (json!({"maxAttempts": 3, "initial": 0}), vec![0, 0]),
        (json!({"maxAttempts": 1}), vec![]),
        (json!({}), vec![1000, 2000, 4000, 8000]),
    ];
    for (retry, expected) in cases {
        let mut exact = retry.clone();
        exact["jitter"] = json!(0);
        let got = delays(&s, &exact).await;
        assert_eq!(got, (expected, "failed".to_owned()), "{retry}");
    }
    // Far from any overflow, however long it is tried.
    for backoff in [json!(1000), json!("exponential"), json!("linear")] {
        let retry = format!(
            "jsonb_build_object('initial', 3.6e12, 'max', 3.6e9, 'jitter', 0, 'backoff', '{backoff}'::jsonb)"
        );
        let wait = s
            .text(&format!("select rhythm._backoff({retry}, 1000000)"))
            .await;
        assert_eq!(wait, "1000:00:00", "{backoff}");
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jitter_shortens_a_delay_by_no_more_than_its_share() {
    let database = Database::create().await;
    let s = database.session().await;
    for (jitter, low) in [
        ("true", 5000.0),
        ("0.2", 8000.0),
        ("1", 0.0),
        ("false", 10_000.0),
        ("null", 9000.0),
    ] {
        let retry = if jitter == "null" {
            "{\"initial\": \"10s\"}".to_owned()
        } else {
            format!("{{\"initial\": \"10s\", \"jitter\": {jitter}}}")
        };
        let row = s
            .rows(&format!(
                "select min(d), max(d), count(distinct d) from (
                   select extract(epoch from rhythm._backoff(rhythm._retry('{retry}'), 1)) * 1000 as d from generate_series(1, 2000)) x"
            ))
            .await
            .remove(0);
        let number = |i: usize| -> f64 {
            row[i]
                .as_deref()
                .unwrap_or_default()
                .parse()
                .expect("a number")
        };
        assert!(
            number(0) >= low && number(1) <= 10_000.0,
            "{jitter}: {row:?}"
        );
        assert!(
            number(0) <= low + 0.1 * (10_000.0 - low) + 0.1,
            "all of its share is used: {jitter}: {row:?}"
        );
        assert_eq!(number(2) > 1.0, low < 10_000.0, "{jitter}: {row:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_are_not_retryable_are_final_by_name_and_by_code() {
    let database = Database::create().await;
    let s = database.session().await;
    let retry = json!({"nonRetryable": ["CardDeclined", "E42", "7"]});
    let cases = [
        (json!({"name": "CardDeclined", "message": "m"}), "failed"),
        (
            json!({"name": "Other", "message": "m", "code": "E42"}),
            "failed",
        ),
        (
            json!({"name": "Other", "message": "m", "code": 7}),
            "failed",
        ),
        (json!({"name": "E", "message": "CardDeclined"}), "scheduled"),
        (
            json!({"name": "carddeclined", "message": "m", "code": "e42"}),
            "scheduled",
        ),
    ];
    for by_finish in [false, true] {
        for (error, state) in &cases {
            let id = s
                .id(&format!("select rhythm.enqueue('a', retry => '{retry}')"))
                .await;
            let task = s.claim_one().await;
            if by_finish {
                let outcome = json!([{"id": id, "token": task.token.to_string(), "error": error}]);
                s.run(&format!("select rhythm.finish('tester', '{outcome}')"))
                    .await;
            } else {
                s.run(&format!(
                    "select rhythm.fail('{id}', {}, '{error}')",
                    task.token
                ))
                .await;
            }
            assert_eq!(&s.state(id).await, state, "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_call_wins_over_the_registration_and_that_over_the_queue_entry_by_entry() {
    let database = Database::create().await;
    let s = database.session().await;
    // Of the queue, the task, the call; then how many attempts there are, and the first delay.
    let null = json!(null);
    let cases = [
        (
            json!({"maxAttempts": 3, "initial": "7s"}),
            null.clone(),
            null.clone(),
            3,
            7000,
        ),
        (
            json!({"maxAttempts": 3, "initial": "7s"}),
            json!({"initial": "8s"}),
            null.clone(),
            3,
            8000,
        ),
        (
            json!({"maxAttempts": 3, "initial": "7s"}),
            json!({"initial": "8s"}),
            json!({"maxAttempts": 2}),
            2,
            8000,
        ),
        (
            json!({"maxAttempts": 3}),
            json!({"maxAttempts": 4}),
            json!({"maxAttempts": 2, "initial": "9s"}),
            2,
            9000,
        ),
        // A formula and a list replace each other.
        (
            json!({"delays": ["1s", "2s"]}),
            null.clone(),
            json!({"initial": "9s"}),
            5,
            9000,
        ),
        (
            json!({"delays": ["1s", "2s"]}),
            null.clone(),
            json!({"maxAttempts": 2}),
            2,
            1000,
        ),
        (
            json!({"maxAttempts": 9, "initial": "7s"}),
            json!({"delays": ["3s"]}),
            null.clone(),
            2,
            3000,
        ),
        (
            json!({"maxAttempts": 9}),
            json!({"delays": ["3s"]}),
            json!({"maxAttempts": 4}),
            4,
            3000,
        ),
        (null.clone(), null.clone(), null, 5, 1000),
    ];
    for (number, (queue, task, call, attempts, delay)) in cases.into_iter().enumerate() {
        let name = format!("q{number}");
        s.run(&format!(
            "select rhythm.configure_queue('{name}', retry => '{{\"jitter\": 0}}')"
        ))
        .await;
        let with_jitter = |mut policy: Value| {
            policy["jitter"] = json!(0);
            policy
        };
        if !queue.is_null() {
            let policy = with_jitter(queue.clone());
            s.run(&format!(
                "select rhythm.configure_queue('{name}', retry => '{policy}')"
            ))
            .await;
        }
        s.run(&format!(
            "select rhythm.register('tester', '{}')",
            json!([{"name": name, "retry": task}])
        ))
        .await;
        let id = s
            .id(&format!(
                "select rhythm.enqueue('{name}', queue => '{name}', retry => '{call}')"
            ))
            .await;
        let mut count = 0;
        loop {
            let claimed = s
                .claim_with(&format!("'tester', '{{{name}}}', wait => '2s'"))
                .await
                .remove(0);
            count += 1;
            if s.fail(&claimed, "").await == "failed" {
                break;
            }
            if count == 1 {
                let case = format!("{queue} {task} {call}");
                assert_eq!(delay_of(&s, id).await.round() as i64, delay, "{case}");
            }
            let next = delay_of(&s, id).await.ceil();
            advance(&s, &format!("{next} ms")).await;
        }
        assert_eq!(count, attempts, "{queue} {task} {call}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snooze_uses_no_attempt_and_hears_of_a_cancellation() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('early', retry => '{\"maxAttempts\": 2}')")
        .await;
    for by_finish in [false, true, true, false] {
        let task = s.claim_one().await;
        assert_eq!(task.attempt, 1);
        if by_finish {
            let outcome =
                json!([{"id": id, "token": task.token.to_string(), "retry_in": "10 minutes"}]);
            s.run(&format!("select rhythm.finish('tester', '{outcome}')"))
                .await;
        } else {
            assert_eq!(snooze(&s, &task).await, "t");
        }
        assert_eq!(snooze(&s, &task).await, "f", "the lease is gone");
        assert_eq!(s.state(id).await, "scheduled");
        advance(&s, "9 minutes").await;
        assert!(s.claim(1).await.is_empty(), "not before its time");
        advance(&s, "1 minute").await;
    }
    assert_eq!(s.number("select count(*) from rhythm.attempts").await, 0);
    let task = s.claim_one().await;
    s.run(&format!("select rhythm.cancel('{id}', 'no need')"))
        .await;
    assert_eq!(snooze(&s, &task).await, "t");
    assert_eq!(s.outcome(id).await.0, "cancelled");
    nothing_is_left(&s).await;
}

async fn snooze(s: &Session, task: &Claimed) -> String {
    s.text(&format!(
        "select rhythm.snooze('{}', {}, '10 minutes')",
        task.id, task.token
    ))
    .await
}

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
