//! The verbs that mend runs: results by hand, moves to another version, versions.

use rhythm_tests::database::Database;
use serde_json::json;

use crate::cli::{json_of, rhythm, says};

const OLD: &str = "const a = await Task.run('a');\nreturn ['old', a];\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_resolved_and_its_run_goes_on() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", OLD).await;
    let run = s.start("order", "{}").await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    let id = task.id.to_string();
    let said = says(&database, &["resolve", &id, "{\"paid\": 1}", "--retry"]).await;
    assert_eq!(said, format!("{id} is resolved, and run {run} runs again"));
    assert_eq!(s.completed(run).await, json!(["old", {"paid": 1}]));
    let (code, _, error) = rhythm(&database, &["resolve", &id]).await;
    assert!(
        code == Some(1) && error.contains("RH341") && error.contains("Hint:"),
        "{error}"
    );

    let run = s.start("order", "{}").await;
    let waits = s
        .text("select id from rhythm.executions where kind = 'task' and state = 'pending'")
        .await;
    assert_eq!(
        json_of(&database, &["resolve", &waits]).await,
        json!({"id": waits, "run": run, "run_state": "completed", "retried": false})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_moved_and_those_that_cannot_are_listed() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", OLD).await;
    let ids = [
        s.start("order", "{}").await.to_string(),
        s.start("order", "{}").await.to_string(),
    ];
    s.deploy("order", &OLD.replace("Task.run('a')", "Task.run('b')"))
        .await;
    s.deploy("order", &OLD.replace("'old'", "'new'")).await;
    let dry = ["migrate-runs", "order", "--to", "2", "--dry-run"];
    let said = says(&database, &dry).await;
    assert!(
        said.contains("order.flow:1:") && said.ends_with("0 can move, 2 refused"),
        "{said}"
    );
    let (code, said, error) = rhythm(&database, &["migrate-runs", "order", "--to", "2"]).await;
    assert!(
        code == Some(1) && said.contains(&ids[0]) && error.contains("2 runs of order stay"),
        "{said}{error}"
    );
    assert_eq!(
        says(&database, &["move", &ids[0]]).await,
        format!("{} is on version 3", ids[0])
    );
    let said = json_of(&database, &["migrate-runs", "order"]).await;
    assert_eq!(
        (&said["moved"], &said["refused"], &said["runs"][0]["id"]),
        (&json!(1), &json!(0), &json!(ids[1]))
    );
    let (code, _, error) = rhythm(&database, &["move", &ids[0], "--version", "2"]).await;
    assert!(
        code == Some(1) && error.contains("order.flow:1:"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_listed_retired_and_undeployed() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", OLD).await;
    s.start("order", "{}").await;
    s.deploy("order", "return 2;").await;
    let all = json_of(&database, &["workflow", "versions", "order"]).await;
    let told = |at: usize| {
        (
            &all[at]["version"],
            &all[at]["runs"],
            &all[at]["is_current"],
        )
    };
    assert_eq!(told(0), (&json!(2), &json!(0), &json!(true)));
    assert_eq!(told(1), (&json!(1), &json!(1), &json!(false)));
    let (code, _, error) = rhythm(&database, &["workflow", "undeploy", "order"]).await;
    assert!(code == Some(1) && error.contains("RH346"), "{error}");
    for (verbs, said) in [
        (
            &["retire", "order", "--reason", "old"][..],
            "order is retired",
        ),
        (&["retire", "order"], "order was retired before"),
        (&["unretire", "order"], "order can be started again"),
        (&["unretire", "order"], "order was not retired"),
        (
            &["undeploy", "order", "--version", "2"],
            "order has lost 1 version",
        ),
    ] {
        let verbs: Vec<&str> = std::iter::once("workflow")
            .chain(verbs.iter().copied())
            .collect();
        assert_eq!(says(&database, &verbs).await, said);
    }
    let listed = says(&database, &["workflows"]).await;
    assert!(
        listed.contains("undeployed") && listed.contains("current"),
        "{listed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_are_listed_and_forked() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("set rhythm.kept_states = 5").await;
    s.deploy("order", OLD).await;
    let run = s.start("order", "{}").await.to_string();
    let listed = says(&database, &["states", &run]).await;
    assert!(
        listed.contains("order.flow:1:11") && listed.contains("task 'a'"),
        "{listed}"
    );
    let listed = json_of(&database, &["states", &run, "--max", "1"]).await;
    assert_eq!(
        (&listed[0]["step"], &listed[0]["waits_for"]),
        (&json!(1), &json!("task 'a'"))
    );
    s.work("1").await;
    let fork = ["fork", &run, "1", "--task-id", "k", "--version", "0"];
    let made = says(&database, &fork).await;
    assert_eq!(
        s.completed(made.parse().expect("an id")).await,
        json!(["old", 1])
    );
    assert_eq!(json_of(&database, &fork).await, json!({ "id": made }));
    let shown = says(&database, &["show", &made]).await;
    assert!(
        shown.contains(&format!("from {run} at step 1, by postgres")),
        "{shown}"
    );
    let (code, _, error) = rhythm(&database, &["fork", &run, "2"]).await;
    assert!(
        code == Some(1) && error.contains("RH350") && error.contains("Hint:"),
        "{error}"
    );
    let none = s.start("order", "{}").await;
    s.run(&format!(
        "delete from rhythm.earlier_saves where execution_id = '{none}'"
    ))
    .await;
    let said = says(&database, &["states", &none.to_string()]).await;
    assert_eq!(said, "none of its states is kept (rhythm.kept_states)");
}
