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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflows_that_step_together_each_go_their_own_way() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "ways",
        "const way = await Task.run('choose');
         console.log('chose', way);
         if (way === 'returns') return way;
         if (way === 'throws') null.nothing;
         if (way === 'publishes') Context.set('way', way);
         if (way === 'early signal') return (await Signal.next('early')).n;
         if (way === 'late signal') return (await Signal.next('late', { timeout: '1h' })).n;
         if (way === 'sleeps') await sleep('1h');
         if (way === 'held') return await Task.run('taken', {}, { taskId: 'taken' });
         if (way === 'impossible') {
           try { await Workflow.run('nowhere'); } catch (error) { return error.code; }
         }
         if (way === 'child') return await Workflow.run('ways');
         if (way === 'large') { const text = 'x'.repeat(300000); await Task.run('next'); return text.length; }
         await Task.run('next', { way });
         return way + ' went on';",
    )
    .await;
    let held = s
        .id("select rhythm.enqueue('taken', task_id => 'taken', delay => '1 hour')")
        .await;
    let ways = [
        "returns",
        "throws",
        "publishes",
        "early signal",
        "late signal",
        "sleeps",
        "held",
        "impossible",
        "child",
        "large",
        "goes on",
        "is cancelled",
    ];
    let mut runs = Vec::new();
    for _ in 0..20 {
        for way in ways {
            let id = s.start("ways", "{}").await;
            if way == "early signal" {
                s.run(&format!(
                    "select rhythm.signal('{id}', 'early', '{{\"n\": 7}}')"
                ))
                .await;
            }
            runs.push((way, id));
        }
    }
    let tasks = s.claim(1000).await;
    assert_eq!(tasks.len(), runs.len());
    let outcomes: Vec<_> = tasks
        .iter()
        .zip(&runs)
        .map(|(task, (way, _))| json!({"id": task.id, "token": task.token.to_string(), "result": way}))
        .collect();
    // In the order of starting, which is that of claiming.
    for (way, id) in &runs {
        if *way == "is cancelled" {
            s.run(&format!(
                "insert into rhythm.cancels (execution_id, reason, at) values ('{id}', 'enough', rhythm._now())"
            ))
            .await;
        }
    }
    s.run(&format!(
        "select rhythm.finish('tester', '{}')",
        json!(outcomes)
    ))
    .await;
    for (way, id) in &runs {
        let (state, result, error) = s.outcome_or_state(*id).await;
        let told = (state.as_str(), result, error["name"].clone());
        let expected = match *way {
            "returns" => ("completed", json!("returns"), json!(null)),
            "throws" => ("failed", json!(null), json!("TypeError")),
            "early signal" => ("completed", json!(7), json!(null)),
            "impossible" => ("completed", json!("RH102"), json!(null)),
            "is cancelled" => ("cancelled", json!(null), json!("CancelledError")),
            _ => ("waiting", json!(null), json!(null)),
        };
        assert_eq!(told, expected, "{way}");
        // A failed step leaves its log, as one that goes on twice does, each line once.
        let lines = s
            .number(&format!(
                "select count(*) from rhythm.logs where id = '{id}'"
            ))
            .await;
        assert_eq!(lines, 1, "{way}");
    }
    let count = |what: &str| format!("select count(*) from rhythm.executions where {what}");
    assert_eq!(
        s.number(&count("attributes = '{\"way\": \"publishes\"}'"))
            .await,
        20
    );
    assert_eq!(s.number("select count(*) from rhythm.timers").await, 20);
    assert_eq!(
        s.number("select count(*) from rhythm.signal_waits").await,
        20
    );
    assert_eq!(s.number(&count("name = 'taken'")).await, 1);
    s.until("select count(*) = 20 from rhythm.live where name = 'choose' and state = 'pending'")
        .await;

    // What each of them waits for lets it go on, and nothing was started twice.
    s.run(&format!(
        "select rhythm.signal(id, 'late', '{{\"n\": 8}}') from unnest(array['{}']::uuid[]) id",
        runs.iter()
            .filter(|(way, _)| *way == "late signal")
            .map(|(_, id)| id.to_string())
            .collect::<Vec<_>>()
            .join("','")
    ))
    .await;
    s.run("update rhythm.live set run_at = rhythm._now(), due_at = rhythm._now() where name = 'taken'").await;
    s.run("update rhythm.timers set due_at = rhythm._now()")
        .await;
    for round in 0.. {
        assert!(round < 100, "something stands");
        s.run("select rhythm.tick()").await;
        let tasks = s.claim(1000).await;
        if tasks.is_empty() && s.number("select count(*) from rhythm.live").await == 0 {
            break;
        }
        let outcomes: Vec<_> = tasks
            .iter()
            .map(
                |task| json!({"id": task.id, "token": task.token.to_string(), "result": "returns"}),
            )
            .collect();
        s.run(&format!(
            "select rhythm.finish('tester', '{}')",
            json!(outcomes)
        ))
        .await;
    }
    for (way, id) in &runs {
        let expected = match *way {
            "returns" | "child" | "held" => json!("returns"),
            "early signal" => json!(7),
            "late signal" => json!(8),
            "impossible" => json!("RH102"),
            "large" => json!(300_000),
            "throws" | "is cancelled" => continue,
            way => json!(format!("{way} went on")),
        };
        assert_eq!(s.completed(*id).await, expected, "{way}");
    }
    assert_eq!(s.completed(held).await, json!("returns"));
    // choose of all and of the children, next of four ways and of those that were cancelled, and the one that was taken.
    assert_eq!(
        s.number(&count("kind = 'task'")).await,
        240 + 20 + 80 + 20 + 1
    );
    nothing_is_left(&s).await;
}
