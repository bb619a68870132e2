//! What a `task_id` promises, in every state and by every way in, under concurrency, and for how long.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::race::race;
use serde_json::json;
use uuid::Uuid;

/// Waits for a signal, and fails if that says so.
const FLOW: &str = "if (await Signal.next('go') === 'fail') throw new Error('told to'); return 1;";

/// The states of a task, then those of a workflow, and whether an execution in it holds its task_id.
const STATES: [(&str, &str, bool); 14] = [
    ("task", "pending", true),
    ("task", "scheduled", true),
    ("task", "running", true),
    ("task", "completed", true),
    ("task", "failed", false),
    ("task", "cancelled", false),
    ("task", "timed_out", false),
    ("workflow", "pending", true),
    ("workflow", "scheduled", true),
    ("workflow", "waiting", true),
    ("workflow", "completed", true),
    ("workflow", "failed", false),
    ("workflow", "cancelled", false),
    ("workflow", "timed_out", false),
];

/// Makes an execution with this key, in its own queue, and brings it into the state.
async fn make(s: &Session, kind: &str, state: &str, key: &str) -> Uuid {
    let call = if kind == "task" {
        "enqueue('work'"
    } else {
        "start('flow'"
    };
    let more = match state {
        "scheduled" => ", delay => '1 hour'",
        "timed_out" => ", timeout => '1 second'",
        _ => "",
    };
    if (kind, state) == ("workflow", "pending") {
        s.run("select rhythm.pause_all()").await;
    }
    let id = s
        .id(&format!(
            "select rhythm.{call}, '{{\"n\": 1}}', task_id => '{key}', queue => '{key}'{more})"
        ))
        .await;
    let claim = format!("'tester', '{{{key}}}'");
    match (kind, state) {
        (_, "cancelled") => s.run(&format!("select rhythm.cancel('{id}')")).await,
        (_, "timed_out") => advance(s, "2 seconds").await,
        ("task", "running") => {
            s.claim_with(&claim).await;
        }
        ("task", "completed") => {
            let task = s.claim_with(&claim).await.remove(0);
            assert!(s.complete(&task, "1").await);
        }
        ("task", "failed") => {
            let task = s.claim_with(&claim).await.remove(0);
            s.fail(&task, ", retryable => false").await;
        }
        ("workflow", "completed" | "failed") => {
            let what = if state == "failed" { "fail" } else { "on" };
            s.run(&format!("select rhythm.signal('{id}', 'go', '\"{what}\"')"))
                .await;
        }
        _ => {}
    }
    s.becomes(id, state).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_is_refused_in_every_state_but_those_of_failure_and_says_so_when_it_asks_for_something_else()
 {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("flow", FLOW).await;
    let mut number = 0;
    for (kind, state, holds) in STATES {
        for by_many in [false, true] {
            for other in [false, true] {
                number += 1;
                let case = format!("{kind} {state}, many: {by_many}, other inputs: {other}");
                let key = format!("k{number}");
                let first = make(&s, kind, state, &key).await;
                s.notices();
                let name = if kind == "task" { "work" } else { "flow" };
                let inputs = if other {
                    json!({"n": 2})
                } else {
                    json!({"n": 1})
                };
                let (second, created) = if by_many {
                    let items = json!([{"kind": kind, "name": name, "inputs": inputs, "task_id": key, "queue": key}]);
                    let row = s
                        .rows(&format!("select * from rhythm.enqueue_many('{items}')"))
                        .await
                        .remove(0);
                    let id: Uuid = row[0]
                        .as_deref()
                        .unwrap_or_default()
                        .parse()
                        .expect("an id");
                    (id, row[1].as_deref() == Some("t"))
                } else {
                    let call = if kind == "task" { "enqueue" } else { "start" };
                    let id = s
                        .id(&format!(
                            "select rhythm.{call}('{name}', '{inputs}', task_id => '{key}', queue => '{key}')"
                        ))
                        .await;
                    (id, id != first)
                };
                let notices = s.notices();
                assert_eq!((second == first, created), (holds, !holds), "{case}");
                assert_eq!(
                    notices
                        .iter()
                        .filter(|n| n.contains("which has other inputs"))
                        .count(),
                    usize::from(holds && other),
                    "{case}: {notices:?}"
                );
                if state == "completed" {
                    // At once, without waiting.
                    let (state, result, _) = s.outcome_or_state(second).await;
                    assert_eq!((state.as_str(), result), ("completed", json!(1)), "{case}");
                }
                if (kind, state) == ("workflow", "pending") {
                    s.run("select rhythm.resume_all()").await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_within_a_batch_get_one_execution_and_other_inputs_are_told() {
    let database = Database::create().await;
    let s = database.session().await;
    let items = json!([
        {"name": "a", "task_id": "k", "inputs": 1},
        {"name": "a", "task_id": "k", "inputs": 1},
        {"name": "a", "task_id": "k", "inputs": 2},
        {"name": "b", "task_id": "k", "inputs": 2},
    ]);
    let rows = s
        .rows(&format!("select * from rhythm.enqueue_many('{items}')"))
        .await;
    let created: Vec<_> = rows.iter().map(|row| row[1].as_deref()).collect();
    assert_eq!(created, [Some("t"), Some("f"), Some("f"), Some("t")]);
    assert_eq!(s.notices().len(), 1, "of the third");
    assert_eq!(s.number("select count(*) from rhythm.live").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_who_use_one_task_id_one_wins_also_when_the_first_rolls_back() {
    let database = std::sync::Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy("flow", FLOW).await;
    let calls = [
        "select rhythm.enqueue('work', task_id => 'KEY')",
        "select rhythm.start('flow', task_id => 'KEY')",
        r#"select id from rhythm.enqueue_many('[{"name": "work", "task_id": "KEY"}]')"#,
    ];
    for (number, call) in calls.into_iter().enumerate() {
        for end in ["rollback", "commit"] {
            let key = format!("k{number}-{end}");
            let call = call.replace("KEY", &key);
            let first = database.session().await;
            first.run("begin").await;
            let of_first = first.id(&call).await;
            let contenders = race(16, |_, start| {
                let (database, call) = (std::sync::Arc::clone(&database), call.clone());
                async move {
                    let s = database.session().await;
                    start.wait().await;
                    s.id(&call).await
                }
            });
            let ending = async {
                s.until(
                    "select count(*) = 16 from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'",
                )
                .await;
                first.run(end).await;
            };
            let (ids, ()) = tokio::join!(contenders, ending);
            assert!(ids.iter().all(|id| *id == ids[0]), "one id: {ids:?}");
            assert_eq!(ids[0] == of_first, end == "commit");
            let made = format!("select count(*) from rhythm.executions where task_id = '{key}'");
            assert_eq!(s.number(&made).await, 1, "{call}, {end}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_find_the_same_expired_keys_do_not_deadlock() {
    let database = std::sync::Arc::new(Database::create().await);
    let s = database.session().await;
    s.run("select rhythm.configure_queue('default', retention => '0', remember => '1 hour')")
        .await;
    let batch = |backwards: bool| {
        let mut items: Vec<_> = (0..300)
            .map(|n| json!({"name": "a", "task_id": format!("k{n:03}")}))
            .collect();
        if backwards {
            items.reverse();
        }
        format!(
            "select count(*) from rhythm.enqueue_many('{}')",
            json!(items)
        )
    };
    for _ in 0..5 {
        s.run(&batch(false)).await;
        for task in s.claim(300).await {
            assert!(s.complete(&task, "1").await);
        }
        advance(&s, "61 minutes").await;
        let sides = race(4, |i, start| {
            let (database, batch) = (std::sync::Arc::clone(&database), batch(i % 2 == 1));
            async move {
                let s = database.session().await;
                start.wait().await;
                s.attempt(&batch).await.err()
            }
        })
        .await;
        assert!(sides.iter().all(Option::is_none), "{sides:?}");
        for task in s.claim(300).await {
            assert!(s.complete(&task, "1").await);
        }
        advance(&s, "61 minutes").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_id_is_remembered_apart_from_retention() {
    let database = Database::create().await;
    let s = database.session().await;
    // Retention, remember, how much later, whether the id is still held then, and whether the execution is.
    let cases = [
        ("0", "30 days", "29 days", true, false),
        ("0", "30 days", "31 days", false, false),
        ("7 days", "1 hour", "59 minutes", true, true),
        ("7 days", "1 hour", "61 minutes", false, true),
        ("1 day", "forever", "40000 days", true, false),
        ("forever", "0", "1 second", false, true),
    ];
    for (number, (retention, remember, later, held, kept)) in cases.into_iter().enumerate() {
        for by_call in [false, true] {
            let queue = format!("q{number}{by_call}");
            let (setting, argument) = if by_call {
                (String::new(), format!(", remember => '{remember}'"))
            } else {
                (format!(", remember => '{remember}'"), String::new())
            };
            s.run(&format!(
                "select rhythm.configure_queue('{queue}', retention => '{retention}'{setting})"
            ))
            .await;
            let call = format!(
                "select rhythm.enqueue('work', queue => '{queue}', task_id => '{queue}'{argument})"
            );
            let first = s.id(&call).await;
            let task = s
                .claim_with(&format!("'tester', '{{{queue}}}'"))
                .await
                .remove(0);
            assert!(s.complete(&task, "1").await);
            advance(&s, later).await;
            // Sweeping must not forget it either.
            s.run("update rhythm.maintenance set next_at = rhythm._now(); select rhythm.tick()")
                .await;
            let case = format!("retention {retention}, remember {remember}, after {later}");
            let is_kept = s
                .text(&format!(
                    "select count(*) > 0 from rhythm.executions where id = '{first}'"
                ))
                .await;
            assert_eq!(is_kept, if kept { "t" } else { "f" }, "{case}");
            assert_eq!(s.id(&call).await == first, held, "{case}");
            s.run("delete from rhythm.live; update rhythm.test_clock set shift = '0'")
                .await;
        }
    }
    assert_eq!(
        s.fails("select rhythm.enqueue('a', remember => 'soon')")
            .await
            .code,
        "RH002"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_can_be_discarded_by_call_task_and_queue_and_a_workflow_gets_it_all_the_same() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.configure_queue('quiet', result => 'discard')")
        .await;
    s.run(r#"select rhythm.register('tester', '["a", "b", {"name": "c", "result": "discard"}]')"#)
        .await;
    let calls = [
        ("'a', result => 'discard'", json!(null)),
        ("'b', queue => 'quiet'", json!(null)),
        ("'b', queue => 'quiet', result => 'keep'", json!(7)),
        ("'c'", json!(null)),
        ("'a'", json!(7)),
    ];
    for (call, result) in calls {
        let id = s.id(&format!("select rhythm.enqueue({call})")).await;
        let task = s.claim_with("'tester', '{default,quiet}'").await.remove(0);
        assert!(s.complete(&task, "7").await);
        assert_eq!(s.completed(id).await, result, "{call}");
    }
    s.deploy("uses", "return await Task.run('c') + 1;").await;
    let id = s.start("uses", "{}").await;
    s.work("7").await;
    assert_eq!(s.completed(id).await, json!(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remembered_task_id_whose_result_is_not_kept_says_so() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.configure_queue('default', retention => '0', remember => '30 days')")
        .await;
    let id = s
        .id("select rhythm.enqueue('work', task_id => 'order-17')")
        .await;
    s.work("1").await;
    let again = r#"select id || ' ' || created from rhythm.enqueue_many('[{"name": "work", "task_id": "order-17"}]')"#;
    assert_eq!(s.text(again).await, format!("{id} false"));
    for call in ["result", "wait", "timeline", "why"] {
        let refused = s.fails(&format!("select rhythm.{call}('{id}')")).await;
        assert_eq!(refused.code, "RH301", "{call}");
        assert!(
            refused
                .message
                .contains("has completed, and its result is not kept"),
            "{call}: {refused:?}"
        );
        assert!(refused.detail.contains("'order-17' is remembered until"));
    }
    advance(&s, "31 days").await;
    let refused = s.fails(&format!("select rhythm.result('{id}')")).await;
    assert!(refused.message.contains("does not exist"), "{refused:?}");
}
