//! What holds of a task or workflow of which the call says nothing: from its schedule, its parent, its registration, its queue.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;

async fn priorities(s: &Session) -> String {
    s.text("select string_agg(name || ' ' || priority, ', ' order by name) from rhythm.live")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_has_a_priority_and_remembers() {
    let database = Database::create().await;
    let s = database.session().await;
    let keeps = "select priority || ' ' || coalesce(remember::text, '-') from rhythm.tasks where name = 'a'";
    s.run(
        r#"select rhythm.configure_queue('default', priority => 7, remember => '1 hour', retention => '0');
           select rhythm.enqueue('a')"#,
    )
    .await;
    for (entries, shown, priority, remembered) in [
        (
            r#""priority": 3, "remember": "forever""#,
            "3 forever",
            3,
            true,
        ),
        (
            r#""priority": -32768, "remember": "0""#,
            "-32768 00:00:00",
            -32768,
            false,
        ),
        (r#""priority": 0, "remember": 90"#, "0 00:01:30", 0, true),
        (
            r#""priority": 1, "remember": "2 days""#,
            "1 2 days",
            1,
            true,
        ),
    ] {
        s.run("delete from rhythm.live; delete from rhythm.keys")
            .await;
        s.run(&format!(
            r#"select rhythm.register('w', '[{{"name": "a", {entries}}}]')"#
        ))
        .await;
        assert_eq!(s.text(keeps).await, shown);
        // The short way for plain tasks must not be taken.
        s.run("select rhythm.enqueue('a')").await;
        assert_eq!(priorities(&s).await, format!("a {priority}"), "{entries}");
        s.run("delete from rhythm.live").await;
        s.run("select rhythm.enqueue('a', task_id => 'k')").await;
        s.work("1").await;
        let again = r#"select created from rhythm.enqueue_many('[{"name": "a", "task_id": "k"}]')"#;
        assert_eq!(s.text(again).await == "f", remembered, "{entries}");
    }
    for (entry, code) in [
        (r#""priority": 32768"#, "RH002"),
        (r#""priority": 1e30"#, "RH002"),
        (r#""priority": 1.5"#, "RH003"),
        (r#""priority": "5""#, "RH003"),
        (r#""remember": "soon""#, "RH002"),
        (r#""remember": "-1 day""#, "RH002"),
    ] {
        let refused = s
            .fails(&format!(
                r#"select rhythm.register('w', '[{{"name": "a", {entry}}}]')"#
            ))
            .await;
        assert_eq!(refused.code, code, "{entry}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_have_the_priority_of_a_raised_parent_and_else_that_of_their_queue() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        r#"select rhythm.configure_queue('default', priority => 2);
           select rhythm.configure_queue('q', priority => 7);
           select rhythm.register('w', '[{"name": "c", "priority": 4}]')"#,
    )
    .await;
    s.deploy("nap", "await sleep('1h')").await;
    s.deploy(
        "parent",
        "await Promise.all([Task.run('a'), Task.run('b', {}, {queue: 'q'}), Task.run('c'), Task.run('d', {}, {priority: 0}),
           Workflow.run('nap', {}, {queue: 'q'})]);",
    )
    .await;
    s.run("select rhythm.start('parent')").await;
    assert_eq!(priorities(&s).await, "a 2, b 7, c 4, d 0, nap 7, parent 0");
    s.run("delete from rhythm.live").await;
    s.run("select rhythm.start('parent', priority => 9)").await;
    assert_eq!(priorities(&s).await, "a 9, b 9, c 9, d 0, nap 9, parent 9");
    s.run("delete from rhythm.live").await;
    s.run("select rhythm.start('parent', queue => 'q')").await;
    assert_eq!(priorities(&s).await, "a 7, b 7, c 7, d 0, nap 7, parent 7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_queue_wins_over_the_workflows() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(r#"select rhythm.register('w', '[{"name": "mail", "queue": "mails"}, "plain"]')"#)
        .await;
    s.deploy(
        "parent",
        "return Promise.all([Task.run('mail'), Task.run('plain'), Task.run('mail', {}, {queue: 'said'})]);",
    )
    .await;
    let id = s
        .id("select rhythm.start('parent', queue => 'reports')")
        .await;
    let queues =
        "select string_agg(name || ' ' || queue, ', ' order by name, queue) from rhythm.live";
    assert_eq!(
        s.text(queues).await,
        "mail mails, mail said, parent reports, plain default"
    );
    assert!(s.claim_with("'w', '{reports}', 10").await.is_empty());
    for queue in ["mails", "said", "default"] {
        let got = s.claim_with(&format!("'w', '{{{queue}}}', 10")).await;
        assert_eq!(got.len(), 1, "{queue}");
        assert!(s.complete(&got[0], &format!("\"{queue}\"")).await);
    }
    assert_eq!(s.completed(id).await, json!(["mails", "default", "said"]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_can_say_of_its_tasks_what_sql_can() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "parent",
        "const got = await Task.run('a', {}, {result: 'discard', retry: {delays: ['1h', '2h'], jitter: false, nonRetryable: ['E1']}});
         const kept = await Workflow.run('child', {}, {result: 'discard'});
         return [got, kept, (await Task.try('a', {}, {retry: {backoff: 'linear', nonRetryable: ['IOError']}})).error.message];",
    )
    .await;
    s.deploy("child", "return 'mine'").await;
    let id = s.start("parent", "{}").await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, "").await, "scheduled");
    let pause = "select run_at - attempt_at between interval '59 minutes' and interval '61 minutes' from rhythm.live where kind = 'task'";
    assert_eq!(s.text(pause).await, "t");
    advance(&s, "1 hour").await;
    s.becomes(task.id, "pending").await;
    let first = s.work(r#"{"large": true}"#).await;
    let second = s.claim_one().await;
    // One of its own errors that are final.
    assert_eq!(s.fail(&second, "").await, "failed");
    assert_eq!(
        s.completed(id).await,
        json!([{"large": true}, "mine", "disk full"])
    );
    let stored = format!(
        "select bool_and(result is null) and count(*) = 2 from rhythm.executions where id = '{}' or name = 'child'",
        first.id
    );
    assert_eq!(s.text(&stored).await, "t");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_says_what_becomes_of_results_and_how_long_they_are_remembered() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("flow", "return 5").await;
    let schedule = |remember: &str, result: &str| {
        format!(
            "select rhythm.schedule('s', every => '1 hour', task => 'a', remember => '{remember}', result => '{result}');
             select rhythm.schedule('f', every => '1 hour', workflow => 'flow', remember => '{remember}', result => '{result}')"
        )
    };
    s.run(&schedule("3 hours", "discard")).await;
    let shown = "select string_agg(remember || ' ' || result, ', ') from rhythm.schedules";
    assert_eq!(s.text(shown).await, "3 hours discard, 3 hours discard");
    let entries = "select jsonb_agg(e order by e.name) from rhythm.schedule_entries e";
    let before = s.json(entries).await;
    s.run(&schedule("3 hours", "discard")).await;
    assert_eq!(
        s.json(entries).await,
        before,
        "the same again changes nothing"
    );
    s.run(&schedule("2 hours", "discard")).await;
    assert_ne!(s.json(entries).await, before);
    s.run("select rhythm.trigger_schedule('f'), rhythm.trigger_schedule('s')")
        .await;
    s.work("6").await;
    s.until("select count(*) = 2 and bool_and(result is null) from rhythm.executions where state = 'completed'")
        .await;
    let kept = "select bool_and(k.until - a.finished_at = interval '2 hours') from rhythm.keys k join rhythm.archive a using (id)";
    assert_eq!(s.text(kept).await, "t");
    for wrong in ["remember => 'soon'", "result => 'drop'"] {
        let refused = s
            .fails(&format!(
                "select rhythm.schedule('s', every => '1 hour', task => 'a', {wrong})"
            ))
            .await;
        assert_eq!(refused.code, "RH002", "{wrong}");
    }
}
