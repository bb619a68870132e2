//! Options of the command that say what SQL can say: each is heard by the server.

use rhythm_tests::database::Database;
use serde_json::json;

use crate::cli::{json_of, rhythm, says};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_query_are_enqueued_all_or_none() {
    let database = Database::create().await;
    let s = database.session().await;
    let query = "select 'thumb' as name, jsonb_build_object('n', n) as inputs, 'img' as queue from generate_series(1, 7) n;";
    assert_eq!(
        says(&database, &["enqueue-rows", query]).await,
        "7 enqueued"
    );
    let file = std::env::temp_dir().join(format!("rhythm-rows-{}.sql", std::process::id()));
    rhythm_tests::process::remove_at_exit(file.clone());
    std::fs::write(&file, query).expect("the file is ours");
    let file = format!("@{}", file.display());
    assert_eq!(
        json_of(&database, &["enqueue-rows", &file]).await,
        json!({"enqueued": 7})
    );
    let wrong = "select 'thumb' as name, case n when 3 then 40000 else 0 end as priority from generate_series(1, 3) n";
    let (code, _, error) = rhythm(&database, &["enqueue-rows", wrong]).await;
    assert!(
        code == Some(1) && error.contains("priority must be"),
        "{error}"
    );
    assert_eq!(s.number("select count(*) from rhythm.executions").await, 14);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_workflows_that_failed_are_retried_together() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("breaks", "throw new Error('always')").await;
    s.start("breaks", "{}").await;
    s.run("select rhythm.enqueue('a')").await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    for (kind, said) in [
        ("task", "1 task would run again"),
        ("workflow", "1 workflow would run again"),
        ("both", "2 executions would run again"),
    ] {
        let dry = ["retry", "--all", "--kind", kind, "--dry-run"];
        assert_eq!(says(&database, &dry).await, said);
    }
    let both = ["retry", "--all", "--kind", "both", "--rate", "1/hour"];
    assert_eq!(
        json_of(&database, &both).await,
        json!({"count": 2, "kind": null, "dry_run": false})
    );
    // A rate spreads both.
    let states =
        "select string_agg(kind || ' ' || state, ', ' order by state, kind) from rhythm.executions";
    let states = s.text(states).await;
    assert!(
        states.contains("scheduled") && !states.starts_with("scheduled"),
        "{states}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_queue_a_schedule_and_a_started_run_are_told_is_stored() {
    let database = Database::create().await;
    let s = database.session().await;
    let pause = [
        "queue",
        "configure",
        "q",
        "--paused",
        "--reason",
        "moving",
        "--concurrency",
        "3",
    ];
    says(&database, &pause).await;
    let paused = "select paused || ' ' || coalesce(pause_reason, '-') || ' ' || concurrency from rhythm.queues where name = 'q'";
    assert_eq!(s.text(paused).await, "true moving 3");
    says(&database, &["queue", "configure", "q", "--paused=false"]).await;
    assert_eq!(s.text(paused).await, "false - 3");
    let (code, ..) = rhythm(
        &database,
        &["queue", "configure", "q", "--reason", "nothing"],
    )
    .await;
    assert_eq!(code, Some(2), "a reason for no pause");

    says(
        &database,
        &[
            "schedule",
            "set",
            "s",
            "--every",
            "1h",
            "--task",
            "a",
            "--remember",
            "30 days",
            "--result",
            "discard",
            "--priority",
            "-4",
        ],
    )
    .await;
    let stored = "select remember || ' ' || result || ' ' || priority from rhythm.schedules where name = 's'";
    assert_eq!(s.text(stored).await, "30 days discard -4");

    s.deploy("w", "return (await Signal.next('go')) + 1").await;
    s.run("select rhythm.configure_queue('reports')").await;
    let start = [
        "signal",
        "k",
        "later",
        "--workflow",
        "w",
        "--start",
        "--queue",
        "reports",
        "--priority",
        "5",
        "--timeout",
        "1h",
        "--remember",
        "forever",
        "--result",
        "discard",
        "--trace",
        r#"{"traceId": "t1"}"#,
    ];
    says(&database, &start).await;
    let run = "select queue || ' ' || priority || ' ' || trace_id from rhythm.executions where name = 'w'";
    assert_eq!(s.text(run).await, "reports 5 t1");

    // And what a registration says is shown.
    s.run(
        r#"select rhythm.register('w1', '[{"name": "a", "priority": -7, "remember": "2 days"}]')"#,
    )
    .await;
    let shown = says(&database, &["task", "show", "a"]).await;
    for line in ["priority", "-7", "remember", "2 days"] {
        assert!(shown.contains(line), "{line} is not in:\n{shown}");
    }
    let listed = json_of(&database, &["task", "list"]).await;
    assert_eq!(listed[0]["priority"], -7);
    assert_eq!(listed[0]["remember"], "2 days");

    // So is that something is to be cancelled.
    s.run("select rhythm.enqueue('a')").await;
    let held = s.claim_one().await;
    s.run(&format!("select rhythm.cancel('{}', 'a mistake')", held.id))
        .await;
    let shown = says(&database, &["show", &held.id.to_string()]).await;
    assert!(
        shown.contains("asked for at 20") && shown.contains("a mistake"),
        "{shown}"
    );
}
