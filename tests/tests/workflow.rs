//! Workflows from SQL alone: what a session without any worker process sees.

use rhythm_tests::clock::advance;
use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_runs_its_first_step_at_once_and_the_rest_as_its_tasks_complete() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "const stock = await Task.run('reserve', {sku: Inputs.sku});
         const paid = await Task.run('charge', {amount: Inputs.qty * 3});
         return {stock, paid};",
    )
    .await;
    let id = s.start("order", r#"{"sku": "tea", "qty": 4}"#).await;
    assert_eq!(s.state(id).await, "waiting");
    assert_eq!(s.work(r#""shelf 3""#).await.inputs, json!({"sku": "tea"}));
    assert_eq!(s.work("true").await.inputs, json!({"amount": 12}));
    assert_eq!(
        s.completed(id).await,
        json!({"stock": "shelf 3", "paid": true})
    );
    nothing_is_left(&s).await;
    let events = s
        .rows(&format!("select event from rhythm.timeline('{id}')"))
        .await;
    assert!(events.len() >= 4, "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awaiting_all_of_many_tasks_goes_on_when_the_last_has_completed() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "fan",
        "const items = [];
         for (let i = 0; i < Inputs.n; i++) items.push(i);
         const squares = await Promise.all(items.map(async i => {
           const once = await Task.run('double', i);
           return await Task.run('double', once);
         }));
         return squares.reduce((a, b) => a + b, 0);",
    )
    .await;
    let id = s.start("fan", r#"{"n": 300}"#).await;
    for _ in 0..2 {
        let mut tasks = s.claim(1000).await;
        assert_eq!(tasks.len(), 300);
        tasks.reverse();
        for batch in tasks.chunks(37) {
            let outcomes: Vec<_> = batch
                .iter()
                .map(|t| json!({"id": t.id, "token": t.token.to_string(), "result": t.inputs.as_i64().unwrap_or(0) * 2}))
                .collect();
            s.run(&format!(
                "select rhythm.finish('tester', '{}')",
                json!(outcomes)
            ))
            .await;
        }
    }
    assert_eq!(s.completed(id).await, json!(4 * (299 * 300 / 2)));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_task_throws_a_task_error_that_the_program_may_catch() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "careful",
        "const tried = await Task.try('a');
         try { await Task.run('b'); }
         catch (e) { return [tried.success, tried.error.message, e instanceof TaskError, e.name, e.message, e.cause.name]; }",
    )
    .await;
    let id = s.start("careful", "{}").await;
    for _ in 0..2 {
        let task = s.claim_one().await;
        assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    }
    assert_eq!(
        s.completed(id).await,
        json!([
            false,
            "disk full",
            true,
            "TaskError",
            "disk full",
            "IOError"
        ])
    );

    s.deploy("careless", "const x = await Task.run('a');\nreturn x;")
        .await;
    let id = s.start("careless", "{}").await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    let error = s.failed(id).await;
    assert_eq!(
        (&error["name"], &error["message"]),
        (&json!("TaskError"), &json!("disk full"))
    );
    assert!(
        error["stack"]
            .as_str()
            .is_some_and(|stack| stack.contains("careless.flow:1:")),
        "{error:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_are_taken_in_their_order_also_those_that_came_before() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "listen",
        "const got = [];
         await Task.run('first');
         for (let i = 0; i < 3; i++) got.push(await Signal.next('word'));
         try { await Signal.next('word', {timeout: '1h'}); } catch (e) { got.push(e.name); }
         return got;",
    )
    .await;
    let id = s.start("listen", "{}").await;
    let signal = |word: &str| format!("select rhythm.signal('{id}', 'word', '\"{word}\"')");
    s.run(&signal("one")).await;
    s.run(&signal("two")).await;
    s.run(&format!("select rhythm.signal('{id}', 'other')"))
        .await;
    s.work("null").await;
    assert_eq!(s.state(id).await, "waiting");
    assert_eq!(s.text(&signal("three")).await, "t");
    advance(&s, "61 minutes").await;
    assert_eq!(
        s.completed(id).await,
        json!(["one", "two", "three", "TimeoutError"])
    );
    assert_eq!(s.text(&signal("late")).await, "f");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_commits_with_its_step_and_an_uncaught_error_undoes_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table ledger (n int primary key, note text)")
        .await;
    s.deploy(
        "book",
        "await Sql.query('insert into ledger values ($1, $2)', [1, 'first step']);
         await Task.run('pause');
         await Sql.query('insert into ledger values ($1, $2)', [2, 'second step']);
         await Task.run('never started');
         const rows = await Sql.query('select n, note from ledger order by n');
         if (rows.length < 9) throw new RangeError('too few: ' + rows.length);
         return rows;",
    )
    .await;
    // The second step starts a task, so it ends there; the error comes in the third.
    let id = s.start("book", "{}").await;
    assert_eq!(s.number("select count(*) from ledger").await, 1);
    s.work("null").await;
    assert_eq!(s.number("select count(*) from ledger").await, 2);
    s.work("null").await;
    let error = s.failed(id).await;
    assert_eq!(
        (&error["name"], &error["message"]),
        (&json!("RangeError"), &json!("too few: 2"))
    );
    s.run("insert into ledger select n, 'by hand' from generate_series(3, 9) n")
        .await;
    assert_eq!(s.id(&format!("select rhythm.retry('{id}')")).await, id);
    let rows = s.completed(id).await;
    assert_eq!(
        rows.as_array().map(Vec::len),
        Some(9),
        "it went on from its last await, and did nothing twice"
    );
    assert_eq!(rows[0], json!({"n": 1, "note": "first step"}));

    s.deploy(
        "undone",
        "await Sql.query('insert into ledger values (100, $1)', ['gone']);
         await Sql.query('insert into ledger values (100, $1)', ['twice']);",
    )
    .await;
    let id = s.start("undone", "{}").await;
    let error = s.failed(id).await;
    assert_eq!(
        (&error["name"], &error["code"]),
        (&json!("SqlError"), &json!("23505")),
        "{error:#}"
    );
    assert_eq!(
        s.number("select count(*) from ledger where n = 100").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sql_error_is_caught_with_its_sqlstate_and_undoes_only_itself() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table once (n int primary key)").await;
    s.deploy(
        "try-sql",
        "await Sql.query('insert into once values (1)');
         try { await Sql.query('insert into once values (1)'); }
         catch (e) { await Sql.query('insert into once values (2)'); return [e.name, e.code]; }",
    )
    .await;
    let id = s.start("try-sql", "{}").await;
    assert_eq!(s.completed(id).await, json!(["SqlError", "23505"]));
    assert_eq!(s.number("select sum(n) from once").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_a_workflow_throws_at_its_await_and_finally_may_await() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "long",
        "try { await Task.run('work'); }
         finally { Context.set('cleaned', await Task.run('clean')); }",
    )
    .await;
    let id = s.start("long", "{}").await;
    assert_eq!(
        s.text(&format!("select rhythm.cancel('{id}', 'customer left')"))
            .await,
        "t"
    );
    assert_eq!(s.state(id).await, "waiting", "finally awaits");
    let clean = s.claim(10).await;
    let clean = clean
        .iter()
        .find(|task| task.name == "clean")
        .expect("finally runs")
        .clone();
    assert!(s.complete(&clean, "true").await);
    let (state, _, error) = s.outcome(id).await;
    assert_eq!(
        (state.as_str(), &error["message"]),
        ("cancelled", &json!("customer left"))
    );
    let attributes = s
        .json(&format!(
            "select attributes from rhythm.executions where id = '{id}'"
        ))
        .await;
    assert_eq!(attributes, json!({"cleaned": true}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_program_logs_and_publishes_can_be_read_while_it_runs() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("talk", "console.log('hello', 1); Context.set('step', 1); await Task.run('a'); return Context.executionId;")
        .await;
    let id = s.start("talk", "{}").await;
    let log = s
        .rows(&format!(
            "select level, message from rhythm.logs where id = '{id}'"
        ))
        .await;
    assert_eq!(log, [[Some("log".to_owned()), Some("hello 1".to_owned())]]);
    let seen = s
        .json(&format!(
            "select attributes from rhythm.executions where id = '{id}'"
        ))
        .await;
    assert_eq!(seen, json!({"step": 1}));
    s.work("null").await;
    assert_eq!(s.completed(id).await, json!(id.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_reports_all_errors_at_once_with_their_places() {
    let database = Database::create().await;
    let s = database.session().await;
    let failure = s
        .fails("select rhythm.deploy('bad', E'let totl = 1;\\nreturn total + coutn;\\n')")
        .await;
    assert_eq!(failure.code, "RH101");
    assert!(
        failure.detail.contains("bad.flow:2:8: error[E0101]"),
        "{}",
        failure.detail
    );
    assert!(
        failure.detail.contains("bad.flow:2:16: error[E0101]"),
        "{}",
        failure.detail
    );
    assert!(
        failure.detail.contains("Did you mean"),
        "{}",
        failure.detail
    );
    assert_eq!(s.number("select count(*) from rhythm.workflows").await, 0);
    let rows = s
        .rows("select line, col, severity, code from rhythm.check(E'return\\n  nothing;')")
        .await;
    assert!(
        rows.iter().any(|row| row[2].as_deref() == Some("error")),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_are_checked_against_the_declared_type() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "typed",
        "/** @param {{customer: string, items: {sku: string, qty: number}[]}} Inputs */\nreturn Inputs.items.length;",
    )
    .await;
    let wrong =
        r#"{"customer": "c", "items": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": "many"}]}"#;
    let failure = s
        .fails(&format!("select rhythm.start('typed', '{wrong}')"))
        .await;
    assert_eq!(failure.code, "RH103");
    assert!(
        failure.detail.contains("items[1].qty"),
        "{}",
        failure.detail
    );
    let id = s.start("typed", r#"{"customer": "c", "items": []}"#).await;
    assert_eq!(s.completed(id).await, json!(0));
}
