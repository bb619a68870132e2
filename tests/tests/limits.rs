//! Limits fail the workflow that meets them, by name, and nothing else.

use std::time::{Duration, Instant};

use rhythm_tests::database::Database;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_fails_the_workflow_by_the_name_of_its_setting_and_cannot_be_caught() {
    let database = Database::create().await;
    let s = database.session().await;
    let cases = [
        ("rhythm.step_fuel", "for (;;) {}"),
        (
            "rhythm.step_heap",
            "const all = []; for (;;) all.push([1, 2, 3, 4, 5, 6, 7, 8]);",
        ),
        (
            "rhythm.step_depth",
            "const down = n => 1 + down(n + 1); return down(0);",
        ),
        ("rhythm.string_size", "let s = 'ab'; for (;;) s += s;"),
        (
            "rhythm.save_size",
            "let s = 'x'.repeat(100000); const all = []; for (let i = 0; i < 300; i++) all.push(s + i); await Task.run('a', 1); return all.length;",
        ),
    ];
    s.run("set rhythm.save_size = '1MB'; set rhythm.step_timeout = '10min'")
        .await;
    for (setting, body) in cases {
        let name = setting.replace('.', "-");
        s.deploy(
            &name,
            &format!("try {{ {body} }} catch (e) {{ return 'caught ' + e.name; }}"),
        )
        .await;
        let begun = Instant::now();
        let id = s.start(&name, "{}").await;
        let error = s.failed(id).await;
        assert_eq!(
            (&error["name"], &error["code"]),
            (&json!("LimitError"), &json!(setting)),
            "{error:#}"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{setting} took {:?}",
            begun.elapsed()
        );
    }
    assert_eq!(
        s.number("select count(*) from rhythm.executions where kind = 'task'")
            .await,
        0
    );
    s.run("reset rhythm.save_size; set rhythm.step_fuel = 1000")
        .await;
    s.deploy("short", "let n = 0; while (n < 1000) n++; return n;")
        .await;
    let id = s.start("short", "{}").await;
    assert_eq!(s.failed(id).await["code"], json!("rhythm.step_fuel"));
    s.run("reset rhythm.step_fuel").await;
    let id = s.start("short", "{}").await;
    assert_eq!(s.completed(id).await, json!(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_timeout_and_a_cancel_interrupt_a_step() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("spin", "for (;;) {}").await;
    s.run("set rhythm.step_fuel = '2000000000'; set rhythm.step_timeout = '10min'; set statement_timeout = '300ms'").await;
    let failure = s.fails("select rhythm.start('spin')").await;
    assert_eq!(failure.code, "57014", "{failure:?}");
    assert_eq!(
        s.number("select count(*) from rhythm.executions").await,
        0,
        "nothing half-done"
    );

    s.run("set statement_timeout = 0").await;
    let pid = s.number("select pg_backend_pid()").await;
    let other = database.session().await;
    let spinning = async { s.fails("select rhythm.start('spin')").await };
    let cancelling = async {
        other
            .until(&format!(
                "select state = 'active' from pg_stat_activity where pid = {pid}"
            ))
            .await;
        other.run(&format!("select pg_cancel_backend({pid})")).await;
    };
    let (failure, ()) = tokio::join!(spinning, cancelling);
    assert_eq!(failure.code, "57014", "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_timeout_fails_the_workflow_and_leaves_the_callers_transaction_alone() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table own (n int)").await;
    s.deploy("spin", "for (;;) {}").await;
    s.deploy("slow", "await Sql.query('select 1 from pg_sleep(20)');")
        .await;
    s.run("set rhythm.step_fuel = '2000000000'; set rhythm.step_timeout = '200ms'")
        .await;
    for name in ["spin", "slow"] {
        s.run("begin; insert into own values (1)").await;
        let begun = Instant::now();
        let id = s.start(name, "{}").await;
        s.run("commit").await;
        let error = s.failed(id).await;
        assert_eq!(error["code"], json!("rhythm.step_timeout"), "{error:#}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(s.number("select count(*) from own").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_json_passes_through_inputs_and_results() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("echo", "return await Task.run('echo', Inputs);")
        .await;
    let deep = format!("{}1{}", "[".repeat(900), "]".repeat(900));
    let id = s.start("echo", &deep).await;
    let inputs = s.text("select inputs from rhythm.claim('w')").await;
    assert_eq!(inputs, deep);
    let token = s
        .number("select token from rhythm.live where kind = 'task'")
        .await;
    let task = s.id("select id from rhythm.live where kind = 'task'").await;
    s.run(&format!(
        "select rhythm.complete('{task}', {token}, '{deep}')"
    ))
    .await;
    assert_eq!(
        s.text(&format!("select result from rhythm.result('{id}')"))
            .await,
        deep
    );
}
