//! Versions: who runs on which, how a workflow is retired, and what undeploying takes away.

use rhythm_tests::clock::{advance, retain};
use rhythm_tests::database::Database;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_workflow_is_started_by_nobody_and_its_runs_go_on() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "const a = await Task.run('a'); return [a];")
        .await;
    s.deploy(
        "parent",
        "try { await Workflow.run('order'); } catch (e) { return [e.name, e.code]; }",
    )
    .await;
    let id = s.start("order", "{}").await;
    assert_eq!(
        s.text("select rhythm.retire('order', 'replaced by order-v2')")
            .await,
        "t"
    );
    assert_eq!(s.text("select rhythm.retire('order')").await, "f");
    for start in [
        "select rhythm.start('order')",
        "select rhythm.start_many('[{\"workflow\": \"order\"}]')",
        "select rhythm.enqueue_many('[{\"kind\": \"workflow\", \"name\": \"order\"}]')",
        "select rhythm.signal_with_start('order', 'k', 'x')",
    ] {
        let refused = s.fails(start).await;
        if start.contains("start_many") && refused.code == "RH003" {
            panic!("{refused:?}");
        }
        assert_eq!(refused.code, "RH345", "{start}: {refused:?}");
        assert!(
            refused.detail.contains("replaced by order-v2"),
            "{refused:?}"
        );
        assert!(!refused.hint.is_empty(), "{refused:?}");
    }
    let parent = s.start("parent", "{}").await;
    assert_eq!(s.completed(parent).await, json!(["TaskError", "RH345"]));
    // A new version changes nothing of that.
    s.deploy("order", "return 2;").await;
    assert_eq!(s.fails("select rhythm.start('order')").await.code, "RH345");

    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    s.failed(id).await;
    s.run(&format!(
        "select rhythm.retry(rhythm.resolve('{}', '1'))",
        task.id
    ))
    .await;
    assert_eq!(s.completed(id).await, json!([1]));

    assert_eq!(s.text("select rhythm.unretire('order')").await, "t");
    assert_eq!(s.text("select rhythm.unretire('order')").await, "f");
    let id = s.start("order", "{}").await;
    assert_eq!(s.completed(id).await, json!(2));
    assert_eq!(
        s.fails("select rhythm.retire('nobody')").await.code,
        "RH102"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_undeployed_when_nobody_runs_on_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "return await Task.run('a');").await;
    let id = s.start("order", "{}").await;
    s.deploy("order", "return 2;").await;
    let seen = "select string_agg(version || ' ' || runs || ' ' || is_current, ', ' order by version) from rhythm.versions";
    assert_eq!(s.text(seen).await, "1 1 false, 2 0 true");
    for call in ["('order', 1)", "('order')"] {
        let refused = s.fails(&format!("select rhythm.undeploy{call}")).await;
        assert_eq!(refused.code, "RH346", "{refused:?}");
        assert!(refused.detail.contains("version 1: 1"), "{refused:?}");
    }
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    s.failed(id).await;
    assert_eq!(s.number("select rhythm.undeploy('order', 1)").await, 1);
    assert_eq!(
        s.fails("select rhythm.undeploy('order', 1)").await.code,
        "RH344"
    );
    assert_eq!(
        s.number("select count(*) from rhythm.workflows where name = 'order'")
            .await,
        1
    );
    // The run that failed on it is still told, and can be retried as long as it is kept.
    let version = format!("select version from rhythm.executions where id = '{id}'");
    assert_eq!(s.number(&version).await, 1);
    advance(&s, "2 days").await;
    retain(&s).await;
    s.run(&format!(
        "select rhythm.retry(rhythm.resolve('{}', '5'))",
        task.id
    ))
    .await;
    assert_eq!(s.completed(id).await, json!(5));
    // Now nothing needs its program.
    retain(&s).await;
    assert_eq!(
        s.number(
            "select length(program) + length(source) from rhythm.definitions where version = 1"
        )
        .await,
        0
    );
    assert!(
        s.number("select length(program) from rhythm.definitions where version = 2")
            .await
            > 0
    );
    assert_eq!(s.number(&version).await, 1);

    // Without the newest, starts use the one before; no number comes twice.
    assert_eq!(s.deploy("order", "return 3;").await, 3);
    assert_eq!(s.number("select rhythm.undeploy('order', 3)").await, 1);
    let id = s.start("order", "{}").await;
    assert_eq!(s.completed(id).await, json!(2));
    assert_eq!(s.deploy("order", "return 2;").await, 2, "the current one");
    assert_eq!(s.deploy("order", "return 3;").await, 4);
    assert_eq!(s.number("select rhythm.undeploy('order')").await, 2);
    assert_eq!(s.fails("select rhythm.start('order')").await.code, "RH102");
    assert_eq!(s.deploy("order", "return 5;").await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_had_not_committed_keeps_its_program() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "return await Task.run('a');").await;
    let other = database.session().await;
    other.run("begin").await;
    let id = other.start("order", "{}").await;
    assert_eq!(s.number("select rhythm.undeploy('order')").await, 1);
    other.run("commit").await;
    advance(&s, "2 days").await;
    retain(&s).await;
    database.session().await.work("7").await;
    assert_eq!(s.completed(id).await, json!(7));
}
