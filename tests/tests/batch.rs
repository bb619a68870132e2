//! One user's error never aborts a batch.

use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_completions_one_workflow_throws_and_all_settle() {
    for uses_sql in [false, true] {
        let database = Database::create().await;
        let s = database.session().await;
        s.run("create table done (n int)").await;
        let sql = if uses_sql {
            "await Sql.query('insert into done values ($1)', [Inputs.n]);"
        } else {
            ""
        };
        s.deploy(
            "one",
            &format!("const got = await Task.run('work', Inputs.n); {sql} if (got === 57) null.nothing; return got;"),
        )
        .await;
        let mut ids = Vec::new();
        for n in 0..100 {
            ids.push(s.start("one", &format!("{{\"n\": {n}}}")).await);
        }
        let tasks = s.claim(200).await;
        assert_eq!(tasks.len(), 100);
        let outcomes: Vec<_> = tasks
            .iter()
            .map(|task| json!({"id": task.id, "token": task.token.to_string(), "result": task.inputs}))
            .collect();
        s.run(&format!(
            "select rhythm.finish('tester', '{}')",
            json!(outcomes)
        ))
        .await;
        for (n, id) in ids.iter().enumerate() {
            if n == 57 {
                let error = s.failed(*id).await;
                assert_eq!(error["name"], json!("TypeError"), "{error:#}");
                assert!(
                    error["stack"]
                        .as_str()
                        .is_some_and(|stack| stack.contains("one.flow:1:")),
                    "{error:#}"
                );
            } else {
                assert_eq!(s.completed(*id).await, json!(n));
            }
        }
        if uses_sql {
            assert_eq!(s.number("select count(*) from done").await, 99);
            assert_eq!(s.number("select count(*) from done where n = 57").await, 0);
        }
        nothing_is_left(&s).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_mixes_results_failures_lost_leases_and_unknown_ids() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('t', to_jsonb(n)) from generate_series(1, 4) n")
        .await;
    let tasks = s.claim(10).await;
    let stale = tasks[2].token.wrapping_add(1).to_string();
    let unknown = "00000000-0000-7000-8000-000000000000";
    let error = json!({"name": "E", "message": "m"});
    let outcomes = json!([
        {"id": tasks[0].id, "token": tasks[0].token.to_string(), "result": 1},
        {"id": tasks[1].id, "token": tasks[1].token.to_string(), "error": error, "retryable": false},
        {"id": tasks[2].id, "token": stale, "result": 3},
        {"id": tasks[3].id, "token": tasks[3].token.to_string(), "error": error, "retry_in": "1 hour"},
        {"id": unknown, "token": "1", "result": 5},
    ]);
    s.run(&format!("select rhythm.finish('tester', '{outcomes}')"))
        .await;
    let mut states = Vec::new();
    for task in &tasks {
        states.push(s.state(task.id).await);
    }
    assert_eq!(states, ["completed", "failed", "running", "scheduled"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finish_steps_the_workflow_and_claims_its_next_task_in_one_round_trip() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "chain",
        "let x = 0; for (let i = 0; i < 5; i++) x = await Task.run('add', x); return x;",
    )
    .await;
    let id = s.start("chain", "{}").await;
    let mut task = s.claim_one().await;
    for _ in 0..4 {
        let result = task.inputs.as_i64().unwrap_or(0) + 1;
        let outcome = json!([{"id": task.id, "token": task.token.to_string(), "result": result}]);
        let call =
            format!("select id, token, inputs from rhythm.finish('tester', '{outcome}', max => 5)");
        let row = s.rows(&call).await.remove(0);
        task.id = row[0]
            .as_deref()
            .unwrap_or_default()
            .parse()
            .expect("an id");
        task.token = row[1]
            .as_deref()
            .unwrap_or_default()
            .parse()
            .expect("a token");
        task.inputs = serde_json::from_str(row[2].as_deref().unwrap_or_default()).expect("JSON");
    }
    assert!(s.complete(&task, "5").await);
    assert_eq!(s.completed(id).await, json!(5));
}

/// It works in batches of 10 000, but it is one statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueue_rows_enqueues_all_rows_of_a_query_or_none() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table mine (n int)").await;
    let rows = |what: &str| format!("select rhythm.enqueue_rows($q${what}$q$)");
    for (query, code) in [
        // The row is wrong, the query itself fails, it is more than one query, it is none.
        (
            "select 'a' as name, case when n = 25000 then 40000 else 0 end as priority from generate_series(1, 25000) n",
            "RH002",
        ),
        (
            "select 'a' as name, to_jsonb(1 / (25000 - n)) as inputs from generate_series(1, 25000) n",
            "22012",
        ),
        (
            "select 'a' as name) r; delete from mine; select (1",
            "42P11",
        ),
        ("delete from pg_class returning relname as name", "42601"),
    ] {
        let failure = s.fails(&rows(query)).await;
        assert_eq!(failure.code, code, "{query}: {}", failure.message);
        assert_eq!(
            s.number("select count(*) from rhythm.executions").await,
            0,
            "{query}"
        );
    }
    for end in ["", ";\n", " -- and that is all"] {
        let whole = format!(
            "-- all of them\nselect 'a' as name /* a task */ from generate_series(1, 25000){end}"
        );
        assert_eq!(s.number(&rows(&whole)).await, 25_000, "{end:?}");
    }
    let enqueued = "select count(*) from rhythm.executions where state = 'pending'";
    assert_eq!(s.number(enqueued).await, 75_000);
}
