//! Tasks without a workflow: enqueued, claimed, completed, failed; and what a `task_id` promises.

use rhythm_tests::clock::advance;
use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_goes_from_enqueue_to_result() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('send-mail', '{\"to\": \"a@b.c\"}')")
        .await;
    assert_eq!(s.state(id).await, "pending");
    let task = s.claim_one().await;
    assert_eq!(
        (task.id, task.name.as_str(), task.attempt),
        (id, "send-mail", 1)
    );
    assert_eq!(task.inputs, json!({"to": "a@b.c"}));
    assert_eq!(s.state(id).await, "running");
    assert!(
        s.claim(1).await.is_empty(),
        "a leased task is given to nobody else"
    );
    assert!(s.complete(&task, r#"{"sent": true}"#).await);
    assert_eq!(
        s.outcome(id).await,
        ("completed".into(), json!({"sent": true}), json!(null))
    );
    assert!(!s.complete(&task, "1").await, "it is completed once");
    assert_eq!(s.completed(id).await, json!({"sent": true}));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn larger_priority_goes_first_then_the_older() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.enqueue('a'); select rhythm.enqueue('b', priority => 5);
         select rhythm.enqueue('c'); select rhythm.enqueue('d', priority => 5); select rhythm.enqueue('e', priority => -1)",
    )
    .await;
    let order: String = s
        .claim(10)
        .await
        .into_iter()
        .map(|task| task.name)
        .collect();
    assert_eq!(order, "bdace");
    // The ends of the range are in it, and in their order.
    let ends = [0, -32768, 32767, -32767, 32766, -1, 1];
    for priority in ends {
        s.run(&format!(
            "select rhythm.enqueue('{priority}', priority => {priority})"
        ))
        .await;
    }
    let order: Vec<String> = s
        .claim(10)
        .await
        .into_iter()
        .map(|task| task.name)
        .collect();
    assert_eq!(
        order,
        ["32767", "32766", "1", "0", "-1", "-32767", "-32768"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_attempt_is_retried_with_backoff_until_attempts_are_used_up() {
    let database = Database::create().await;
    let s = database.session().await;
    let retry = r#"{"maxAttempts": 3, "initial": "60s", "backoff": 3, "jitter": 0}"#;
    let id = s
        .id(&format!(
            "select rhythm.enqueue('flaky', retry => '{retry}')"
        ))
        .await;
    for wait in [60, 180] {
        let task = s.claim_one().await;
        assert_eq!(s.fail(&task, "").await, "scheduled");
        // Half a minute may have gone by since.
        let until = format!(
            "select run_at - rhythm._now() between interval '{} seconds' and interval '{wait} seconds'
             from rhythm.executions where id = '{id}'",
            wait - 30
        );
        assert_eq!(s.text(&until).await, "t", "{wait} s");
        advance(&s, "30 seconds").await;
        assert!(s.claim(1).await.is_empty(), "not before its time");
        advance(&s, "160 seconds").await;
    }
    let task = s.claim_one().await;
    assert_eq!(task.attempt, 3);
    assert_eq!(s.fail(&task, "").await, "failed");
    assert_eq!(
        s.failed(id).await,
        json!({"name": "IOError", "message": "disk full"})
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_is_not_retryable_fails_at_once_and_retry_goes_on_under_the_same_id() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s.id("select rhythm.enqueue('once')").await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    assert_eq!(s.id(&format!("select rhythm.retry('{id}')")).await, id);
    assert_eq!(s.state(id).await, "pending");
    s.work("7").await;
    assert_eq!(s.completed(id).await, json!(7));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_id_starts_one_execution_until_that_one_fails() {
    let database = Database::create().await;
    let s = database.session().await;
    let enqueue = "select rhythm.enqueue('charge', task_id => 'order-17')";
    let first = s.id(enqueue).await;
    assert_eq!(s.id(enqueue).await, first, "pending");
    let task = s.claim_one().await;
    assert_eq!(s.id(enqueue).await, first, "running");
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    let second = s.id(enqueue).await;
    assert_ne!(second, first, "after a failure a new one starts");
    s.work("1").await;
    assert_eq!(s.id(enqueue).await, second, "completed");
    assert_eq!(s.completed(second).await, json!(1));
    let refused = s.fails(&format!("select rhythm.retry('{first}')")).await;
    assert!(
        refused.code.starts_with("RH3") && !refused.hint.is_empty(),
        "{refused:?}"
    );
    assert_ne!(
        s.id("select rhythm.enqueue('refund', task_id => 'order-17')")
            .await,
        second,
        "its scope is the name"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueue_many_answers_in_the_order_of_its_items() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("nothing", "return 1").await;
    let known = s.id("select rhythm.enqueue('a', task_id => 'k')").await;
    let rows = s
        .rows(
            r#"select * from rhythm.enqueue_many('[{"name": "b"}, {"name": "a", "task_id": "k"},
               {"kind": "workflow", "name": "nothing"}, {"name": "a", "task_id": "new"},
               {"name": "a", "task_id": "new"}]')"#,
        )
        .await;
    let created: Vec<&str> = rows
        .iter()
        .map(|row| row[1].as_deref().unwrap_or_default())
        .collect();
    assert_eq!(created, ["t", "f", "t", "t", "f"]);
    assert_eq!(rows[1][0].as_deref(), Some(known.to_string().as_str()));
    assert_eq!(rows[3][0], rows[4][0]);
    let workflow = rows[2][0]
        .clone()
        .unwrap_or_default()
        .parse()
        .expect("an id");
    assert_eq!(s.completed(workflow).await, json!(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_gets_only_tasks_that_it_registered() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(r#"select rhythm.register('w1', '["known", {"name": "other", "queue": "special"}]')"#)
        .await;
    s.run("select rhythm.enqueue('unknown'); select rhythm.enqueue('known'); select rhythm.enqueue('other')").await;
    let got = s.claim_with("'w1', max => 10").await;
    assert_eq!(
        got.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
        ["known"]
    );
    let got = s.claim_with("'w1', '{special,default}', max => 10").await;
    assert_eq!(
        got.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
        ["other"]
    );
    let note = s
        .text("select note from rhythm.executions where name = 'unknown'")
        .await;
    assert!(
        note.contains("no worker has ever served 'unknown'") && note.contains("'known'"),
        "{note}"
    );
    // However often it is asked for by those who do not know it, no attempt is burned.
    let burned = "select state || ' ' || attempt from rhythm.executions where name = 'unknown'";
    for _ in 0..3 {
        assert!(s.claim_with("'w1', max => 10").await.is_empty());
    }
    assert_eq!(s.text(burned).await, "pending 0");
    s.run(r#"select rhythm.register('w2', '["unknown"]')"#)
        .await;
    let got = s.claim_with("'w2', max => 10").await;
    assert_eq!((got.len(), got[0].attempt), (1, 1));
    assert!(s.complete(&got[0], "1").await);
    assert_eq!(s.text(burned).await, "completed 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_never_registered_is_given_every_name() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(r#"select rhythm.register('w1', '["known"]'); select rhythm.enqueue('known'); select rhythm.enqueue('unknown')"#)
        .await;
    let got = s.claim_with("'psql', max => 10").await;
    let names: Vec<&str> = got.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["known", "unknown"]);
    // Once it has registered, it is given what it has registered.
    s.run(r#"select rhythm.register('psql', '["known"]'); select rhythm.enqueue('known'); select rhythm.enqueue('unknown')"#)
        .await;
    let got = s.claim_with("'psql', max => 10").await;
    let names: Vec<&str> = got.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["known"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_queue_gives_nothing_until_it_is_resumed() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.pause_queue('default'); select rhythm.enqueue('a')")
        .await;
    assert!(s.claim(1).await.is_empty());
    let waiting = database.session().await;
    let waiting = tokio::spawn(async move { waiting.claim_with("'w', wait => '5s'").await });
    s.run("select rhythm.resume_queue('default')").await;
    assert_eq!(waiting.await.expect("it claims").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_task_can_be_cancelled_and_a_running_one_is_told() {
    let database = Database::create().await;
    let s = database.session().await;
    let waits = s.id("select rhythm.enqueue('a')").await;
    assert_eq!(
        s.text(&format!("select rhythm.cancel('{waits}', 'no need')"))
            .await,
        "t"
    );
    let (state, _, error) = s.outcome(waits).await;
    assert_eq!(
        (state.as_str(), &error["message"]),
        ("cancelled", &json!("no need"))
    );
    assert_eq!(
        s.text(&format!("select rhythm.cancel('{waits}')")).await,
        "f"
    );

    let runs = s.id("select rhythm.enqueue('b')").await;
    let task = s.claim_one().await;
    let beat = format!(
        "select status from rhythm.heartbeat('{{{runs}}}', '{{{}}}')",
        task.token
    );
    assert_eq!(s.text(&beat).await, "ok");
    assert_eq!(
        s.text(&format!("select rhythm.cancel('{runs}')")).await,
        "t"
    );
    assert_eq!(s.text(&beat).await, "cancel");
    assert_eq!(
        s.fail(&task, "").await,
        "cancelled",
        "its failure is no reason to try again"
    );
    nothing_is_left(&s).await;
}

/// As `start`, which has no such parameters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueue_many_refuses_for_workflows_what_is_for_tasks() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("nap", "await sleep('1h'); return 1").await;
    for entry in [
        r#""start_timeout": "1 hour""#,
        r#""attempt_timeout": "1 hour""#,
        r#""heartbeat_timeout": "1 hour""#,
    ] {
        let items = format!(
            r#"[{{"name": "a", {entry}}}, {{"name": "nap", "kind": "workflow", {entry}}}]"#
        );
        let error = s
            .fails(&format!("select rhythm.enqueue_many('{items}')"))
            .await;
        assert_eq!(error.code, "RH002", "{entry}");
        assert!(error.message.contains("item 1"), "{}", error.message);
    }
    let taken = r#"[{"name": "nap", "kind": "workflow", "retry": {"maxAttempts": 3}, "timeout": "9 hours"}]"#;
    let id = s
        .id(&format!("select id from rhythm.enqueue_many('{taken}')"))
        .await;
    assert_eq!(s.state(id).await, "waiting");
}
