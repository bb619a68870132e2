//! Retries: how long a failed attempt waits, which errors are final, and who says so.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
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
    let retry = json!({"nonRetryable": ["CardDeclined", "E42", "7"], "initial": "1h"});
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
                .claim_with(&format!("'tester', '{{{name}}}', wait => '5s'"))
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
async fn a_number_of_attempts_may_be_written_as_a_fraction_writes_it() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', retry => '{\"maxAttempts\": 2.0, \"initial\": 0}')")
        .await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, "").await, "pending");
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, "").await, "failed");
    assert_eq!(s.state(id).await, "failed");
}
