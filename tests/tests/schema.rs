//! Input schemas of tasks: registered by workers, checked by whoever starts a task, told at deploy.

use std::time::{Duration, Instant};

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session, literal};
use rhythm_tests::installation::project;
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use rhythm_tests::process;
use rhythm_tests::race::race;
use serde_json::{Value, json};

const CHARGE: &str = r#"{"type": "object", "required": ["amount"],
  "properties": {"amount": {"type": "number", "minimum": 1}, "items": {"type": "array", "items": {"type": "string"}}}}"#;

/// Registers `charge` with a schema, as worker `w`.
async fn register(s: &Session, schema: &str, check: Option<&str>) {
    let mut task = json!({"name": "charge", "inputSchema": serde_json::from_str::<Value>(schema).expect("JSON")});
    if let Some(check) = check {
        task["schemaCheck"] = json!(check);
    }
    let call = format!(
        "select rhythm.register('w', {})",
        literal(&json!([task, "free"]).to_string())
    );
    s.run(&call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueue_refuses_what_does_not_fit_and_names_each_field() {
    let database = Database::create().await;
    let s = database.session().await;
    register(&s, CHARGE, Some("refuse")).await;
    let wrong = s
        .fails(r#"select rhythm.enqueue('charge', '{"amount": 0, "items": ["a", 2]}')"#)
        .await;
    assert_eq!(
        (
            wrong.code.as_str(),
            wrong.message.as_str(),
            wrong.detail.as_str()
        ),
        (
            "RH104",
            "inputs do not fit task \"charge\"",
            "items[1]: expected string, found number 2\namount: expected at least 1, found number 0"
        )
    );
    assert!(wrong.hint.contains("rhythm.tasks"), "{}", wrong.hint);
    let whole = s.fails("select rhythm.enqueue('charge', '[]')").await;
    assert_eq!(whole.detail, "expected {amount, items}, found an array");

    let items = json!([
        {"name": "charge", "inputs": {"amount": 5}, "task_id": "k"},
        {"name": "free", "inputs": {"amount": "x"}},
        {"name": "charge", "inputs": {"amuont": 5}},
    ]);
    s.run("select rhythm.enqueue('charge', '{\"amount\": 1}', task_id => 'k')")
        .await;
    let many = format!(
        "select * from rhythm.enqueue_many({})",
        literal(&items.to_string())
    );
    let wrong = s.fails(&many).await;
    assert_eq!(wrong.message, "inputs of item 2 do not fit task \"charge\"");
    s.run("set rhythm_session.rows_before = 'anything'").await;
    assert_eq!(
        s.fails(&many).await.message,
        wrong.message,
        "a setting that anybody may make breaks nothing"
    );
    assert_eq!(
        wrong.detail,
        "amount: expected number, found nothing; is \"amuont\" meant?"
    );
    assert_eq!(s.number("select count(*) from rhythm.executions").await, 1);

    // A duplicate starts nothing, so it is not looked at; and nobody else's task is.
    s.run("select rhythm.enqueue('charge', '[]', task_id => 'k'); select rhythm.enqueue('other', '[]')")
        .await;
    s.run(r#"select rhythm.enqueue('charge', '{"amount": 1.5, "more": true}')"#)
        .await;
    // A schema is that of a task, and a workflow of its name has its own.
    s.deploy("charge", "return 1").await;
    s.run("select rhythm.start('charge', '[]')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_catches_a_refusal_at_the_call_and_logs_a_warning() {
    let database = Database::create().await;
    let s = database.session().await;
    register(&s, CHARGE, Some("refuse")).await;
    s.deploy(
        "order",
        "const free = Task.run('free', 5);
         const tried = await Task.try('charge', Inputs);
         let caught;
         try { await Task.run('charge', Inputs, {taskId: 'k'}); } catch (e) { caught = [e.name, e.code, e.message]; }
         return [tried.success, tried.error.code, caught, await free, await Task.run('charge', {amount: 2})];",
    )
    .await;
    let id = s.start("order", r#"{"amount": "2", "items": 1}"#).await;
    s.work("6").await;
    assert_eq!(s.work("true").await.inputs, json!({"amount": 2}));
    let message = "inputs do not fit task \"charge\": items: expected string[], found number 1; amount: expected number, found string \"2\"";
    assert_eq!(
        s.completed(id).await,
        json!([false, "RH104", ["TaskError", "RH104", message], 6, true])
    );

    s.deploy("careless", "return await Task.run('charge', Inputs);")
        .await;
    let failed = s.start("careless", "{}").await;
    let error = s.failed(failed).await;
    assert_eq!(
        (&error["name"], &error["code"]),
        (&json!("TaskError"), &json!("RH104"))
    );

    register(&s, CHARGE, None).await;
    let id = s.start("careless", "{}").await;
    assert_eq!(s.work("7").await.inputs, json!({}));
    assert_eq!(s.completed(id).await, json!(7));
    let logs = s
        .rows(&format!(
            "select level, message from rhythm.logs where id = '{id}'"
        ))
        .await;
    let logs: Vec<_> = logs
        .into_iter()
        .map(|row| row.into_iter().flatten().collect::<Vec<_>>())
        .collect();
    assert_eq!(
        logs,
        [[
            "warn",
            "inputs do not fit task \"charge\": amount: expected number, found nothing"
        ]]
    );
    // What has failed may go on once the schema is another one.
    s.run(&format!("select rhythm.retry('{failed}')")).await;
    s.run("select rhythm.tick()").await;
    nothing_is_left_but_saves(&s).await;
}

/// The failed one may still be retried.
async fn nothing_is_left_but_saves(s: &Session) {
    for task in s.claim(10).await {
        assert!(s.complete(&task, "1").await);
    }
    nothing_is_left(s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_about_schemas_is_true() {
    let database = Database::create().await;
    let page = std::fs::read_to_string(project().join("docs/sql/schemas.md")).expect("the page");
    let blocks: String = page
        .split("```sql\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .collect();
    let file = std::env::temp_dir().join(format!("rhythm-schemas-{}.sql", std::process::id()));
    process::remove_at_exit(file.clone());
    std::fs::write(&file, &blocks).expect("the folder is ours");
    let mut command = database.server().program("psql");
    command.args(["-X", "-d", database.name(), "-f"]).arg(&file);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("no panic").expect("psql runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut promised = 0;
    for line in blocks.lines().filter_map(|line| line.strip_prefix("--")) {
        let line = line.trim();
        assert!(stderr.contains(line), "`{line}` is not in:\n{stderr}");
        promised += 1;
    }
    assert_eq!(promised, 9, "{blocks}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.contains("charge    | default | refuse       |            1"),
        "{stdout}"
    );
    crate::examples::run_clients("docs/sql/schemas.md", &database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_and_no_schema_let_everything_through() {
    let database = Database::create().await;
    let s = database.session().await;
    // Not even a schema that could not be checked.
    register(&s, r#"{"type": "money"}"#, Some("off")).await;
    s.run("select rhythm.enqueue('charge', '[]')").await;
    register(&s, "null", Some("refuse")).await;
    s.run("select rhythm.enqueue('charge', '[]')").await;
    let row = "select (input_schema is null and schema_check is null)::text from rhythm.tasks where name = 'charge'";
    assert_eq!(s.text(row).await, "true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_cannot_be_used_is_refused_at_register_with_its_path() {
    let database = Database::create().await;
    let s = database.session().await;
    let cases = [
        (
            json!({"properties": {"a": {"type": "money"}}}),
            "properties.a.type: there is no type \"money\"",
        ),
        (
            json!({"items": {"$ref": "https://example.org/x"}}),
            "items.$ref: refers to",
        ),
        (
            json!({"pattern": "(?<a"}),
            "pattern: \"(?<a\" is no regular expression",
        ),
        (json!({"title": "x".repeat(300_000)}), "the schema has 300"),
        (json!(5), "a schema is an object"),
        (json!({"$ref": "#"}), "refers to itself"),
    ];
    for (schema, told) in cases {
        let tasks = json!([{"name": "first"}, {"name": "charge", "inputSchema": schema}]);
        let call = format!(
            "select rhythm.register('w', {})",
            literal(&tasks.to_string())
        );
        let wrong = s.fails(&call).await;
        assert_eq!(wrong.code, "RH105", "{wrong:?}");
        assert_eq!(
            wrong.message,
            "the input schema of task \"charge\" cannot be used"
        );
        assert!(
            wrong.detail.starts_with(told) || wrong.detail.contains(told),
            "{wrong:?}"
        );
        assert!(
            wrong.detail.len() < 1000 && !wrong.hint.is_empty(),
            "{wrong:?}"
        );
    }
    for check in [json!("maybe"), json!(5), json!({})] {
        let tasks = json!([{"name": "charge", "schemaCheck": check}]);
        let call = format!(
            "select rhythm.register('w', {})",
            literal(&tasks.to_string())
        );
        let wrong = s.fails(&call).await;
        assert_eq!(
            (wrong.code.as_str(), wrong.hint.is_empty()),
            ("RH003", false)
        );
    }
    assert_eq!(s.number("select count(*) from rhythm.tasks").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_schema_and_no_value_can_hang_or_kill_the_server() {
    let database = Database::create().await;
    let s = database.session().await;
    let slow = r#"{"properties": {"x": {"pattern": "^(a+)+$"}}}"#;
    register(&s, slow, Some("refuse")).await;
    let begun = Instant::now();
    let inputs = json!({"x": format!("{}!", "a".repeat(50_000))}).to_string();
    let wrong = s
        .fails(&format!(
            "select rhythm.enqueue('charge', {})",
            literal(&inputs)
        ))
        .await;
    assert_eq!(
        wrong.detail,
        "takes too long to be compared with the schema"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );

    let tree = r##"{"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}}]}"##;
    register(&s, tree, Some("refuse")).await;
    for depth in [50, 1000, 3000] {
        let inputs = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let wrong = s
            .fails(&format!(
                "select rhythm.enqueue('charge', {})",
                literal(&inputs)
            ))
            .await;
        assert_eq!(wrong.code, "RH104", "{depth}: {wrong:?}");
    }
    // What the schema does not look into may be as deep as a jsonb.
    register(&s, r#"{"type": "array"}"#, Some("refuse")).await;
    let inputs = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    s.run(&format!(
        "select rhythm.enqueue('charge', {})",
        literal(&inputs)
    ))
    .await;
    // A statement_timeout ends a comparison as it ends everything.
    let many = "(select jsonb_build_object('x', jsonb_agg(n)) from generate_series(1, 400000) n)";
    register(
        &s,
        r#"{"properties": {"x": {"uniqueItems": true, "items": {"enum": [0]}}}}"#,
        Some("warn"),
    )
    .await;
    s.run(&format!(
        "create table large as select {many} as inputs; set statement_timeout = '20ms'"
    ))
    .await;
    let ended = s
        .fails("select rhythm.enqueue('charge', inputs) from large")
        .await;
    assert_eq!(ended.code, "57014", "{ended:?}");
    s.run("set statement_timeout = 0").await;
    assert_eq!(s.text("select 'alive'").await, "alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_and_check_tell_of_calls_that_cannot_fit_with_their_place() {
    let database = Database::create().await;
    let s = database.session().await;
    register(&s, CHARGE, None).await;
    let source = "const more = Inputs.more\nawait Task.run('charge', {items: more, amount: 'x'})\nreturn await Task.try('charge', {...more})";
    let found = s
        .rows(&format!(
            "select line, col, severity, code, message from rhythm.check({})",
            literal(source)
        ))
        .await;
    let found: Vec<String> = found
        .into_iter()
        .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        found,
        [
            "2 48 warning W0403 `amount` cannot be what the task `charge` takes: expected number, found string \"x\""
        ]
    );
    // It is a warning: the version is there.
    assert_eq!(s.deploy("order", source).await, 1);
    register(&s, CHARGE, Some("off")).await;
    let none = format!("select count(*) from rhythm.check({})", literal(source));
    assert_eq!(s.number(&none).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_batches_cost_as_much_an_item_as_small_ones_and_name_rows_of_the_whole_query() {
    let database = Database::create().await;
    let s = database.session().await;
    register(&s, CHARGE, Some("refuse")).await;
    let items = "select jsonb_agg(jsonb_build_object('name', 'charge', 'inputs', '{\"amount\": 1}'::jsonb, 'task_id', n::text))
        from generate_series(1, 20000) n";
    let begun = Instant::now();
    let made = format!("select count(*) from rhythm.enqueue_many(({items})) where created");
    assert_eq!(s.number(&made).await, 20_000);
    assert_eq!(s.number(&made).await, 0);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(120), "{took:?}");
    let query = "select 'charge' as name, jsonb_build_object('amount', case when n = 10003 then 0 else n end) as inputs
        from generate_series(1, 10010) n";
    let wrong = s
        .fails(&format!("select rhythm.enqueue_rows($${query}$$)"))
        .await;
    assert_eq!(
        wrong.message,
        "inputs of item 10002 do not fit task \"charge\""
    );
    // What was noted for that ended with it.
    let wrong = s
        .fails(r#"select * from rhythm.enqueue_many('[{"name": "free"}, {"name": "charge", "inputs": 5}]')"#)
        .await;
    assert_eq!(wrong.message, "inputs of item 1 do not fit task \"charge\"");
    let items = json!([
        {"name": "charge", "inputs": {"amount": 5}, "task_id": "1"},
        {"name": "charge", "inputs": {"amount": 5}, "task_id": "new"},
        {"name": "charge", "inputs": {"amount": 0}, "task_id": "newer"},
    ]);
    let many = format!(
        "select * from rhythm.enqueue_many({})",
        literal(&items.to_string())
    );
    let wrong = s.fails(&many).await;
    assert_eq!(wrong.message, "inputs of item 2 do not fit task \"charge\"");
    // Of all rows together a hundred are warned of.
    register(&s, CHARGE, None).await;
    s.notices();
    s.run("select rhythm.enqueue_rows('select ''charge'' as name, ''[]''::jsonb as inputs from generate_series(1, 10050) n')")
        .await;
    assert_eq!(s.notices().len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_starts_nothing_is_not_compared() {
    let database = Database::create().await;
    let s = database.session().await;
    register(&s, CHARGE, Some("refuse")).await;
    s.run("select rhythm.enqueue('charge', '{\"amount\": 1}', task_id => 'k')")
        .await;
    s.deploy(
        "order",
        "return await Task.run('charge', Inputs.value, {taskId: Inputs.key});",
    )
    .await;
    let held = s.start("order", r#"{"value": [], "key": "k"}"#).await;
    s.run("select rhythm.tick()").await;
    s.work("7").await;
    s.run("select rhythm.tick()").await;
    assert_eq!(s.completed(held).await, json!(7));

    // What was refused has given its key back, and is the outcome of others of that key.
    s.deploy(
        "twice",
        "const all = await Promise.all([1, 2].map(() => Task.try('charge', {}, {taskId: 'l'}))); return all.map((one) => one.error.code);",
    )
    .await;
    let twice = s.start("twice", "{}").await;
    assert_eq!(s.completed(twice).await, json!(["RH104", "RH104"]));
    assert_eq!(
        s.number("select count(*) from rhythm.keys where task_id = 'l'")
            .await,
        0
    );

    // One that is put off is compared when it starts, once.
    register(&s, CHARGE, None).await;
    let other = database.session().await;
    other
        .run("begin; select rhythm.enqueue('charge', '{\"amount\": 1}', task_id => 'm')")
        .await;
    let late = s.start("order", r#"{"value": {}, "key": "m"}"#).await;
    for _ in 0..3 {
        advance(&s, "1 second").await;
        s.run("select rhythm.tick()").await;
    }
    let logs = format!("select count(*) from rhythm.logs where id = '{late}'");
    assert_eq!(s.number(&logs).await, 0);
    other.run("rollback").await;
    s.until("select not exists (select from rhythm.deferred_starts)")
        .await;
    assert_eq!(s.number(&logs).await, 1);
    s.work("8").await;
    assert_eq!(s.completed(late).await, json!(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_compared_when_it_is_set() {
    let database = Database::create().await;
    let s = database.session().await;
    register(&s, CHARGE, Some("refuse")).await;
    let set = "select rhythm.schedule('nightly', '@daily', task => 'charge', inputs => '{\"amount\": 0}')";
    let wrong = s.fails(set).await;
    assert_eq!(
        (wrong.code.as_str(), wrong.detail.as_str()),
        ("RH104", "amount: expected at least 1, found number 0")
    );
    s.run("select rhythm.schedule('nightly', '@daily', task => 'charge', inputs => '{\"amount\": 1}')")
        .await;
    register(&s, CHARGE, None).await;
    s.notices();
    s.run(set).await;
    assert_eq!(s.notices(), ["inputs do not fit task \"charge\""]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_registration_have_two_spellings_and_no_others() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        r#"select rhythm.register('w', '[{"name": "charge", "start_timeout": 5, "input_schema": {"type": "array"}, "schema_check": "refuse"}]')"#,
    )
    .await;
    let row = "select json_build_array(extract(epoch from start_timeout)::int, input_schema, schema_check) from rhythm.tasks";
    assert_eq!(s.json(row).await, json!([5, {"type": "array"}, "refuse"]));
    for (task, message, detail) in [
        (
            json!({"name": "charge", "startTimout": 5}),
            "task \"charge\" has an unknown entry \"startTimout\"",
            "Is \"startTimeout\" meant?",
        ),
        (
            json!({"name": "charge", "quux": 5}),
            "task \"charge\" has an unknown entry \"quux\"",
            "",
        ),
        (
            json!({"name": "charge", "startTimeout": 5, "start_timeout": 6}),
            "task \"charge\" has both \"startTimeout\" and \"start_timeout\"",
            "",
        ),
    ] {
        let call = format!(
            "select rhythm.register('w', {})",
            literal(&json!([task]).to_string())
        );
        let wrong = s.fails(&call).await;
        assert_eq!(
            (
                wrong.code.as_str(),
                wrong.message.as_str(),
                wrong.detail.as_str()
            ),
            ("RH003", message, detail)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_tasks_are_a_view() {
    let database = Database::create().await;
    let s = database.session().await;
    let tasks = json!([{"name": "charge", "queue": "pay", "retry": {"maxAttempts": 3, "max": 90.5}, "timeout": "5m", "heartbeatTimeout": 30,
        "inputSchema": {"type": "object"}, "schemaCheck": "refuse"}, {"name": "mail"}]);
    let tasks = literal(&tasks.to_string());
    s.run(&format!(
        "select rhythm.register('w1', {tasks}); select rhythm.register('w2', '[\"mail\"]')"
    ))
    .await;
    let view = "select json_agg(json_build_array(name, queue, input_schema, schema_check, retry, extract(epoch from timeout)::int,
        extract(epoch from heartbeat_timeout)::int, live_workers, workers, last_seen is not null) order by name) from rhythm.tasks";
    assert_eq!(
        s.json(view).await,
        json!([
            ["charge", "pay", {"type": "object"}, "refuse", {"maxAttempts": 3, "max": "1m30s500ms"}, 300, 30, 1, ["w1"], true],
            ["mail", "default", null, null, null, null, null, 2, ["w1", "w2"], true],
        ])
    );
    advance(&s, "2 minutes").await;
    s.run("select rhythm.claim('w2')").await;
    let live = "select json_agg(json_build_array(name, live_workers, workers) order by name) from rhythm.tasks";
    assert_eq!(
        s.json(live).await,
        json!([["charge", 0, []], ["mail", 1, ["w2"]]])
    );
    s.run("create role reader; grant rhythm_client to reader; set role reader")
        .await;
    assert_eq!(s.number("select count(*) from rhythm.tasks").await, 2);
    s.run("reset role; drop role reader").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueueing_beside_registrations_sees_one_schema_or_the_other() {
    let database = Database::create().await;
    let s = database.session().await;
    register(&s, CHARGE, Some("refuse")).await;
    let text = r#"{"type": "object", "properties": {"amount": {"type": "string"}}}"#;
    let (mut taken, mut refused) = (0, 0);
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(database.session().await);
    }
    let outcomes = race(8, |number, start| {
        let s = sessions.pop().expect("one for each");
        async move {
            start.wait().await;
            let mut refused = 0;
            for turn in 0..40 {
                if number < 2 {
                    let schema = if (turn + number) % 2 == 0 {
                        CHARGE
                    } else {
                        text
                    };
                    register(&s, schema, Some("refuse")).await;
                    continue;
                }
                let amount = if turn % 2 == 0 { "5" } else { "\"5\"" };
                let call = format!("select rhythm.enqueue('charge', '{{\"amount\": {amount}}}')");
                if let Err(failure) = s.attempt(&call).await {
                    assert_eq!(failure.code, "RH104", "{failure:?}");
                    refused += 1;
                }
            }
            refused
        }
    })
    .await;
    for (number, count) in outcomes.into_iter().enumerate() {
        if number >= 2 {
            refused += count;
            taken += 40 - count;
        }
    }
    let there = s.number("select count(*) from rhythm.executions").await;
    assert_eq!(there, taken, "{refused} refused");
    no_deadlocks(&s).await;
}
