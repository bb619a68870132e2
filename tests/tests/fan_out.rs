//! `Task.map` and `Workflow.map`: so many of a list at once, and one load of the workflow for all of them.

use std::sync::Arc;

use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use serde_json::{Value, json};
use uuid::Uuid;

/// The save as it lies there: another version of the row has another one.
async fn version_of_save(s: &Session, id: Uuid) -> String {
    s.text(&format!(
        "select xmin::text || ctid::text from rhythm.saves where id = '{id}'"
    ))
    .await
}

/// What the tasks that live were given, in the order of their start.
async fn living(s: &Session) -> String {
    s.text("select coalesce(string_agg(inputs::text, ' ' order by seq), '') from rhythm.live where kind = 'task'")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_at_once_run_and_the_results_have_the_order_of_the_items() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "return await Task.map('work', Inputs.items, {concurrency: 2, queue: 'narrow'});",
    )
    .await;
    let id = s.start("order", r#"{"items": [1, 2, 3, 4, 5]}"#).await;
    assert_eq!(living(&s).await, "1 2");
    let save = version_of_save(&s, id).await;
    let claim = "'w', '{narrow}', max => 10";
    let first = s.claim_with(claim).await;
    assert_eq!(first.len(), 2);
    assert!(s.complete(&first[1], "20").await);
    assert_eq!(living(&s).await, "1 3");
    assert!(s.complete(&first[0], "10").await);
    assert_eq!(living(&s).await, "3 4");
    for task in s.claim_with(claim).await {
        let result = task.inputs.as_i64().unwrap_or_default() * 10;
        assert!(s.complete(&task, &result.to_string()).await);
    }
    assert_eq!(living(&s).await, "5");
    assert_eq!(version_of_save(&s, id).await, save, "it was not loaded");
    let last = s.claim_with(claim).await.remove(0);
    assert!(s.complete(&last, "50").await);
    assert_eq!(s.completed(id).await, json!([10, 20, 30, 40, 50]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_failure_is_thrown_and_what_had_no_turn_is_not_started() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "try { await Task.map('work', [1, 2, 3, 4], {concurrency: 2, retry: {maxAttempts: 1}}); }
         catch (e) { await Signal.next('go'); return [e.name, e.cause.name]; }",
    )
    .await;
    let id = s.start("order", "{}").await;
    let tasks = s.claim(2).await;
    assert_eq!(s.fail(&tasks[1], "").await, "failed");
    assert_eq!(living(&s).await, "1", "it runs on");
    assert_eq!(
        s.number("select count(*) from rhythm.fan_out_items").await,
        0
    );
    assert!(s.complete(&tasks[0], "1").await);
    assert_eq!(living(&s).await, "");
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    assert_eq!(s.completed(id).await, json!(["TaskError", "IOError"]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_when_its_turn_comes_is_thrown_too() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "try { await Task.map('work', [1, 2, 'x', 4], {concurrency: 1}); } catch (e) { return e.code; }")
        .await;
    s.run(
        r#"select rhythm.register('w', '[{"name": "work", "inputSchema": {"type": "number"}, "schemaCheck": "refuse"}]')"#,
    )
    .await;
    let id = s.start("order", "{}").await;
    for _ in 0..2 {
        s.work("1").await;
    }
    assert_eq!(s.completed(id).await, json!("RH104"));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_fan_outs_and_other_awaits_do_not_disturb_each_other() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("child", "return Inputs * 10;").await;
    s.deploy(
        "order",
        "const one = Task.map('one', [1, 2, 3], {concurrency: 1});
         const other = Task.map('other', [4, 5, 6], {concurrency: 2});
         const signal = await Signal.next('go');
         const children = Workflow.map('child', [7, 8, 9], {concurrency: 1});
         return [signal, ...await Promise.all([one, other, children, Task.map('none', []), Task.map('few', [0])])];",
    )
    .await;
    let id = s.start("order", "{}").await;
    assert_eq!(living(&s).await, "1 4 5");
    s.work("10").await;
    assert_eq!(living(&s).await, "4 5 2");
    s.run(&format!("select rhythm.signal('{id}', 'go', '\"s\"')"))
        .await;
    s.until("select count(*) = 0 from rhythm.live where name = 'child'")
        .await;
    while let Some(task) = s.claim(1).await.pop() {
        let result = task.inputs.as_i64().unwrap_or_default() * 10;
        assert!(s.complete(&task, &result.to_string()).await);
    }
    assert_eq!(
        s.completed(id).await,
        json!(["s", [10, 20, 30], [40, 50, 60], [70, 80, 90], [], [0]])
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_retried_goes_on_with_its_fan_out() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table public.fails (yes bool); insert into public.fails values (true)")
        .await;
    s.deploy(
        "order",
        "const all = Task.map('work', [1, 2, 3], {concurrency: 1});
         await Signal.next('go');
         if ((await Sql.query('select yes from public.fails'))[0].yes) throw new Error('no');
         return await all;",
    )
    .await;
    let id = s.start("order", "{}").await;
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    assert_eq!(s.state(id).await, "failed");
    s.work("1").await;
    assert_eq!(living(&s).await, "", "nobody waits for them");
    s.run("update public.fails set yes = false").await;
    s.run(&format!("select rhythm.retry('{id}')")).await;
    for expected in [2, 3] {
        let task = s.claim_one().await;
        assert_eq!(task.inputs, json!(expected));
        assert!(s.complete(&task, &expected.to_string()).await);
    }
    assert_eq!(s.completed(id).await, json!([1, 2, 3]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_forgets_what_had_no_turn() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "void Task.map('work', [1, 2, 3], {concurrency: 1}).catch(() => 0); if (Inputs.waits) await Signal.next('go');")
        .await;
    let ended = s.start("order", "{}").await;
    assert_eq!(s.state(ended).await, "completed");
    let cancelled = s.start("order", r#"{"waits": true}"#).await;
    s.run(&format!("select rhythm.cancel('{cancelled}')")).await;
    assert_eq!(s.state(cancelled).await, "cancelled");
    let terminated = s.start("order", r#"{"waits": true}"#).await;
    s.run(&format!("select rhythm.terminate('{terminated}')"))
        .await;
    assert_eq!(s.state(terminated).await, "cancelled");
    assert_eq!(s.number("select count(*) from rhythm.fan_outs").await, 0);
    assert_eq!(
        s.number("select count(*) from rhythm.fan_out_items").await,
        0
    );
    // What was started by the one that completed runs on.
    s.work("1").await;
    assert_eq!(living(&s).await, "");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_at_once_start_none_too_many_and_forget_none() {
    const ITEMS: usize = 2000;
    const AT_ONCE: i64 = 30;
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy(
        "order",
        &format!("return await Task.map('work', Array.from({{length: {ITEMS}}}, (_, i) => i), {{concurrency: {AT_ONCE}}});"),
    )
    .await;
    let id = s.start("order", "{}").await;
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let database = Arc::clone(&database);
        workers.spawn(async move {
            let s = database.session().await;
            let mut most = 0;
            while s
                .text(&format!(
                    "select count(*) from rhythm.live where id = '{id}'"
                ))
                .await
                == "1"
            {
                let claimed = s
                    .claim_with(&format!("'w{number}', max => {}, wait => '1s'", 1 + number))
                    .await;
                for task in claimed {
                    assert!(s.complete(&task, &task.inputs.to_string()).await);
                }
                most = most.max(
                    s.number("select count(*) from rhythm.live where kind = 'task'")
                        .await,
                );
            }
            most
        });
    }
    let most = workers.join_all().await.into_iter().max();
    assert!(most <= Some(AT_ONCE), "{most:?} lived at once");
    let all: Vec<Value> = (0..ITEMS).map(|item| json!(item)).collect();
    assert_eq!(s.completed(id).await, Value::Array(all));
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}
