//! Repair: a retry does nothing twice, a result that is given by hand replaces a failure which no step has kept, and a child that is
//! retried is awaited again.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;
use uuid::Uuid;

const FINAL: &str = ", retryable => false";

/// How many tasks of this name there have ever been.
async fn tasks(s: &Session, name: &str) -> i64 {
    s.number(&format!(
        "select count(*) from rhythm.executions where kind = 'task' and name = '{name}'"
    ))
    .await
}

/// Fails the task that is there for good; gives its id.
async fn fail(s: &Session) -> Uuid {
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, FINAL).await, "failed");
    task.id
}

fn resolve(id: Uuid, result: &str) -> String {
    format!("select rhythm.resolve('{id}', '{result}')")
}

fn retry(id: Uuid) -> String {
    format!("select rhythm.retry('{id}')")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_does_nothing_twice_of_what_the_failed_step_did() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table effects (what text); create table gate (open bool); insert into gate values (false)")
        .await;
    s.deploy(
        "steps",
        "await Sql.exec(`insert into effects values ('first')`);
         await Task.run('one');
         await Sql.exec(`insert into effects values ('second')`);
         const two = Task.run('two');
         sleep('1h');
         Context.set('step', 2);
         const [gate] = await Sql.query('select open from gate');
         if (!gate.open) throw new Error('the gate is closed');
         return await two;",
    )
    .await;
    let id = s.start("steps", "{}").await;
    s.work("1").await;
    for tries in 0..3 {
        let error = s.failed(id).await;
        assert_eq!(error["message"], json!("the gate is closed"), "{tries}");
        assert_eq!(
            s.text("select string_agg(what, ' ') from effects").await,
            "first",
            "the step's SQL is undone"
        );
        assert_eq!((tasks(&s, "one").await, tasks(&s, "two").await), (1, 0));
        assert_eq!(s.number("select count(*) from rhythm.timers").await, 0);
        assert_eq!(
            s.json(&format!("select rhythm.attributes('{id}')")).await,
            json!({})
        );
        if tries == 2 {
            s.run("update gate set open = true").await;
        }
        assert_eq!(s.id(&retry(id)).await, id);
    }
    assert_eq!(
        s.text("select string_agg(what, ' ') from effects").await,
        "first second"
    );
    assert_eq!((tasks(&s, "one").await, tasks(&s, "two").await), (1, 1));
    assert_eq!(s.number("select count(*) from rhythm.timers").await, 1);
    s.work("2").await;
    assert_eq!(s.completed(id).await, json!(2));

    // The same of a definition without SQL, whose steps are no subtransactions.
    s.deploy(
        "plain",
        "const gate = await Task.run('gate');
         const side = Task.run('side');
         if (!gate.open) throw new Error('the gate is closed');
         return await side;",
    )
    .await;
    let id = s.start("plain", "{}").await;
    s.work(r#"{"open": false}"#).await;
    s.failed(id).await;
    s.run(&retry(id)).await;
    s.failed(id).await;
    assert_eq!((tasks(&s, "gate").await, tasks(&s, "side").await), (1, 0));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_failed_with_a_task_goes_on_with_the_result_that_it_is_given() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "const first = await Task.run('first');
         const paid = await Task.run('charge');
         const sent = await Task.run('send');
         return [first, paid, sent];",
    )
    .await;
    let id = s.start("order", "{}").await;
    s.work("1").await;
    let task = fail(&s).await;
    s.failed(id).await;
    assert_eq!(s.id(&resolve(task, r#"{"paid": true}"#)).await, id);
    assert_eq!(s.state(id).await, "failed", "that is for its retry");
    assert_eq!(
        s.outcome(task).await,
        (
            "completed".to_owned(),
            json!({"paid": true}),
            serde_json::Value::Null
        )
    );
    let attempts = format!("select count(*) from rhythm.attempts where id = '{task}'");
    assert_eq!(s.number(&attempts).await, 1, "what failed is not forgotten");
    let told = format!(
        "select data -> 'error' ->> 'message' from rhythm.timeline('{task}') where event = 'resolved'"
    );
    assert_eq!(s.text(&told).await, "disk full");
    let told = format!("select name from rhythm.timeline('{id}') where event = 'task_resolved'");
    assert_eq!(s.text(&told).await, "charge");

    s.run(&retry(id)).await;
    assert_eq!(s.state(id).await, "waiting");
    s.work("3").await;
    assert_eq!(s.completed(id).await, json!([1, {"paid": true}, 3]));
    for name in ["first", "charge", "send"] {
        assert_eq!(tasks(&s, name).await, 1, "{name}");
    }
    let again = s.fails(&resolve(task, "2")).await;
    assert_eq!(again.code, "RH341", "{again:?}");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_step_has_taken_cannot_be_replaced() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "careful",
        "let said;
         try { await Task.run('a'); } catch (e) { said = e.message; }
         await Task.run('b');
         throw new Error(said);",
    )
    .await;
    let id = s.start("careful", "{}").await;
    let task = fail(&s).await;
    for state in ["waiting", "failed"] {
        assert_eq!(s.state(id).await, state);
        let refused = s.fails(&resolve(task, "1")).await;
        assert_eq!(refused.code, "RH340", "{refused:?}");
        assert!(refused.message.contains(&id.to_string()), "{refused:?}");
        assert!(!refused.hint.is_empty(), "{refused:?}");
        assert_eq!(s.state(task).await, "failed", "nothing has changed");
        if state == "waiting" {
            s.work("1").await;
        }
    }

    // Whose run has ended otherwise awaits nothing.
    s.deploy("free", "Task.run('late'); await Task.run('b');")
        .await;
    let free = s.start("free", "{}").await;
    let late = s.claim_with("'tester', tasks => '{late}'").await.remove(0);
    s.work("1").await;
    s.completed(free).await;
    assert_eq!(s.fail(&late, FINAL).await, "failed");
    let refused = s.fails(&resolve(late.id, "1")).await;
    assert_eq!(refused.code, "RH341", "{refused:?}");

    for (what, code) in [
        (Uuid::nil(), "RH301"),
        (s.start("careful", "{}").await, "RH341"),
    ] {
        assert_eq!(s.fails(&resolve(what, "1")).await.code, code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_alive_is_resolved_and_its_worker_has_lost_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "two",
        "return await Promise.all([Task.run('a'), Task.run('b')]);",
    )
    .await;
    let id = s.start("two", "{}").await;
    let held = s.claim_one().await;
    let waits = s
        .id("select id from rhythm.executions where kind = 'task' and state = 'pending'")
        .await;
    assert_eq!(s.id(&resolve(held.id, r#""by hand""#)).await, id);
    assert!(
        !s.complete(&held, "\"late\"").await,
        "the lease is not its own any more"
    );
    assert_eq!(s.state(id).await, "waiting");
    assert_eq!(s.id(&resolve(waits, "null")).await, id);
    let result = s.completed(id).await;
    let expected = match held.name.as_str() {
        "a" => json!(["by hand", null]),
        _ => json!([null, "by hand"]),
    };
    assert_eq!(result, expected);
    assert!(s.claim(10).await.is_empty());

    // One that nobody awaits.
    let alone = s.id("select rhythm.enqueue('alone')").await;
    let task = fail(&s).await;
    assert_eq!(task, alone);
    assert_eq!(s.maybe(&resolve(alone, "7")).await, None);
    assert_eq!(s.completed(alone).await, json!(7));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_timeout_cancelled_and_children_that_failed_are_resolved_too() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("late", "return await Task.run('a');").await;
    let id = s
        .id("select rhythm.start('late', timeout => '1 minute')")
        .await;
    let task = s
        .id("select id from rhythm.executions where kind = 'task'")
        .await;
    advance(&s, "2 minutes").await;
    s.becomes(id, "timed_out").await;
    s.becomes(task, "cancelled").await;
    assert_eq!(s.id(&resolve(task, "5")).await, id);
    s.run(&retry(id)).await;
    assert_eq!(s.completed(id).await, json!(5));

    s.deploy("child", "throw new Error('no');").await;
    s.deploy("parent", "return await Workflow.run('child');")
        .await;
    let parent = s.start("parent", "{}").await;
    s.becomes(parent, "failed").await;
    let child = s
        .id(&format!(
            "select id from rhythm.executions where parent_id = '{parent}'"
        ))
        .await;
    assert_eq!(s.id(&resolve(child, "[1]")).await, parent);
    s.run(&retry(parent)).await;
    assert_eq!(s.completed(parent).await, json!([1]));
    assert_eq!(s.fails(&retry(child)).await.code, "RH302");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_retried_is_awaited_again() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "return [await Task.run('charge')];")
        .await;
    let id = s.start("order", "{}").await;
    let task = fail(&s).await;
    s.failed(id).await;
    s.run(&retry(task)).await;
    s.run(&retry(id)).await;
    assert_eq!(
        s.state(id).await,
        "waiting",
        "the old failure is none any more"
    );
    s.work("8").await;
    assert_eq!(s.completed(id).await, json!([8]));
    assert_eq!(tasks(&s, "charge").await, 1);

    // While the run is failed.
    let id = s.start("order", "{}").await;
    let task = fail(&s).await;
    s.failed(id).await;
    s.run(&retry(task)).await;
    s.work("9").await;
    assert_eq!(s.state(id).await, "failed");
    s.run(&retry(id)).await;
    assert_eq!(s.completed(id).await, json!([9]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_waits_for_nobody_and_takes_no_ones_task_id() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("keyed", "return await Task.run('a', {}, {taskId: 'k'});")
        .await;
    let id = s.start("keyed", "{}").await;
    let task = fail(&s).await;
    s.failed(id).await;
    let newer = s.id("select rhythm.enqueue('a', task_id => 'k')").await;
    let refused = s.fails(&resolve(task, "1")).await;
    assert_eq!(refused.code, "RH304", "{refused:?}");
    assert!(refused.message.contains(&newer.to_string()), "{refused:?}");
    s.run(&format!("select rhythm.terminate('{newer}')")).await;
    s.run(&resolve(task, "1")).await;
    // It holds the task_id as one that has completed.
    assert_eq!(
        s.id("select rhythm.enqueue('a', task_id => 'k')").await,
        task
    );
    s.run(&retry(id)).await;
    assert_eq!(s.completed(id).await, json!(1));

    s.deploy(
        "waits",
        "return await Promise.all([Task.run('a'), Task.run('b')]);",
    )
    .await;
    let id = s.start("waits", "{}").await;
    let task = s.claim_one().await;
    let other = database.session().await;
    other
        .run(&format!(
            "begin; select from rhythm.live where id in ('{id}', '{}') for update",
            task.id
        ))
        .await;
    let refused = s.fails(&resolve(task.id, "1")).await;
    assert_eq!(refused.code, "RH343", "{refused:?}");
    other.run("rollback").await;
    s.run(&resolve(task.id, "1")).await;

    // A step of a workflow may not.
    s.deploy(
        "meddler",
        "return await Sql.query('select rhythm.resolve($1::uuid)', [Inputs.id]);",
    )
    .await;
    let meddler = s
        .start("meddler", &json!({"id": task.id}).to_string())
        .await;
    assert_eq!(s.failed(meddler).await["code"], json!("RH343"));
}
