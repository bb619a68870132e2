//! A run that has failed of its children is retried together with them, and one that its own code has failed runs its step again.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::installation::scratch;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::worker::Worker;
use serde_json::json;
use uuid::Uuid;

const FINAL: &str = ", retryable => false";

/// Fails the task that is there for good; gives its id.
async fn fail(s: &Session) -> Uuid {
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, FINAL).await, "failed");
    task.id
}

async fn retry(s: &Session, id: Uuid) {
    s.run(&format!("select rhythm.retry('{id}')")).await;
}

/// The states of what there is of this name, the oldest first.
async fn states(s: &Session, name: &str) -> String {
    s.text(&format!(
        "select coalesce(string_agg(state, ' ' order by created_at, id), '') from rhythm.executions where name = '{name}'"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_mended_does_the_task_and_the_run_goes_on() {
    let database = Database::create().await;
    let s = database.session().await;
    let folder = scratch().join("retry-run");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    std::fs::write(
        folder.join("shop.py"),
        "import os
import rhythm

@rhythm.task
def pack(order):
    return order

@rhythm.task(retry={'maxAttempts': 2, 'initial': '10ms'})
def charge(order):
    if not os.path.exists('mended'):
        raise ValueError('the card service is down')
    return order['total'] * 2
",
    )
    .expect("the module is written");
    s.deploy(
        "order",
        "const packed = await Task.run('pack', Inputs); const paid = await Task.run('charge', packed); return paid + 1;",
    )
    .await;
    let url = database.url();
    let _worker = Worker::serve(&folder, "shop", &url);
    let id = s.start("order", r#"{"total": 35}"#).await;
    s.becomes(id, "failed").await;
    // With all its attempts, which fail too: nothing else has changed.
    retry(&s, id).await;
    s.until(&format!(
        "select count(*) = 4 from rhythm.attempts a join rhythm.executions e using (id) where e.parent_id = '{id}'"
    ))
    .await;
    s.becomes(id, "failed").await;
    std::fs::write(folder.join("mended"), "").expect("the file is written");
    retry(&s, id).await;
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!(71));
    assert_eq!(
        (states(&s, "pack").await, states(&s, "charge").await),
        ("completed".to_owned(), "completed".to_owned()),
        "neither of them is another"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_the_failed_step_was_told_is_retried_and_nothing_else() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "const caught = await Task.run('a').catch(() => 'caught');
         await Task.run('b');
         let all;
         try { all = await Promise.all([Task.run('c', 1), Task.run('c', 2), Task.run('c', 3)]); }
         catch (error) { throw new Error('no c: ' + error.message); }
         return [caught, ...all];",
    )
    .await;
    let id = s.start("order", "{}").await;
    fail(&s).await;
    s.work("0").await;
    let tasks = s.claim(3).await;
    assert!(s.complete(&tasks[0], "1").await);
    // The first failure fails the run; the second comes when it has ended.
    assert_eq!(s.fail(&tasks[1], FINAL).await, "failed");
    assert_eq!(s.failed(id).await["message"], "no c: disk full");
    assert_eq!(s.fail(&tasks[2], FINAL).await, "failed");
    // Not the first, whose failure an earlier step has caught.
    retry(&s, id).await;
    assert_eq!(s.state(id).await, "waiting");
    assert_eq!(states(&s, "a").await, "failed");
    assert_eq!(states(&s, "c").await, "completed pending pending");
    s.work("2").await;
    // One of them may be given a result instead.
    let third = fail(&s).await;
    s.becomes(id, "failed").await;
    s.run(&format!("select rhythm.resolve('{third}', '3')"))
        .await;
    retry(&s, id).await;
    assert_eq!(s.completed(id).await, json!(["caught", 1, 2, 3]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_its_own_code_has_failed_runs_its_step_again() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table rate (value int)").await;
    s.deploy(
        "price",
        "const paid = await Task.try('charge');
         const [rate] = await Sql.query('select value from rate');
         return [paid.success, rate.value];",
    )
    .await;
    let id = s.start("price", "{}").await;
    fail(&s).await;
    assert_eq!(s.failed(id).await["name"], "TypeError");
    s.run("insert into rate values (7)").await;
    retry(&s, id).await;
    assert_eq!(s.completed(id).await, json!([false, 7]));
    assert_eq!(
        states(&s, "charge").await,
        "failed",
        "the program handles it"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_children_have_failed_of_is_retried_too() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("leaf", "return await Task.run('work', Inputs);")
        .await;
    s.deploy("middle", "return await Workflow.run('leaf', Inputs);")
        .await;
    s.deploy(
        "top",
        "return await Workflow.map('middle', [1, 2], {concurrency: 1});",
    )
    .await;
    let id = s.start("top", "{}").await;
    fail(&s).await;
    s.becomes(id, "failed").await;
    assert_eq!(
        states(&s, "middle").await,
        "failed",
        "the second has no turn"
    );
    s.run("select rhythm.retry_many(kind => 'workflow', name => 'top')")
        .await;
    s.work("10").await;
    s.work("20").await;
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!([10, 20]));
    // Of all that failed, whichever comes first: nothing is retried twice.
    for expected in ["retry_many(kind => null)", "retry_many(kind => 'workflow')"] {
        let id = s.start("top", "{}").await;
        fail(&s).await;
        s.becomes(id, "failed").await;
        s.run(&format!("select rhythm.{expected}")).await;
        for result in ["1", "2"] {
            s.work(result).await;
        }
        s.becomes(id, "completed").await;
        let retried = "select max(n) from (select count(*) as n from rhythm.history where event = 'retried' group by execution_id) x";
        assert_eq!(s.number(retried).await, 1, "{expected}");
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_too_late_gets_its_tasks_again() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("late", "return await Task.run('a');").await;
    let id = s
        .id("select rhythm.start('late', timeout => '1 minute')")
        .await;
    advance(&s, "2 minutes").await;
    s.becomes(id, "timed_out").await;
    s.run(&format!("select rhythm.retry('{id}', delay => '1 hour')"))
        .await;
    assert_eq!(states(&s, "a").await, "scheduled", "later, as the run");
    advance(&s, "1 hour").await;
    s.work("5").await;
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!(5));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_id_that_a_newer_one_holds_gives_that_ones_outcome() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("keyed", "return await Task.run('a', {}, {taskId: 'k'});")
        .await;
    let id = s.start("keyed", "{}").await;
    let old = fail(&s).await;
    s.becomes(id, "failed").await;
    let newer = s.id("select rhythm.enqueue('a', task_id => 'k')").await;
    retry(&s, id).await;
    assert_eq!(s.state(id).await, "waiting");
    let task = s.claim_one().await;
    assert_eq!(task.id, newer);
    assert!(s.complete(&task, "9").await);
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!(9));
    assert_eq!(s.state(old).await, "failed");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_retry_at_once_the_second_finds_it_done() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "order",
        "return await Promise.all([Task.run('a'), Task.run('b')]);",
    )
    .await;
    let id = s.start("order", "{}").await;
    fail(&s).await;
    fail(&s).await;
    s.becomes(id, "failed").await;
    s.run(&format!("begin; select rhythm.retry('{id}')")).await;
    let second =
        tokio::spawn(async move { other.fails(&format!("select rhythm.retry('{id}')")).await });
    let watch = database.session().await;
    watch
        .until("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())")
        .await;
    s.run("commit").await;
    assert_eq!(second.await.expect("it does not panic").code, "RH302");
    s.work("1").await;
    s.work("2").await;
    s.becomes(id, "completed").await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_meets_a_result_given_by_hand_does_nothing_for_nobody() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "both",
        "return (await Promise.allSettled([Task.run('a'), Task.run('b')])).map((one) => {
           if (one.status === 'rejected') throw one.reason;
           return one.value;
         });",
    )
    .await;
    let id = s.start("both", "{}").await;
    let tasks = s.claim(2).await;
    // Both failures are told to one step.
    let error = json!({"name": "IOError", "message": "disk full"});
    let outcome = |id: Uuid, token: i64| json!({"id": id, "token": token.to_string(), "error": error, "retryable": false});
    let outcomes: Vec<_> = tasks
        .iter()
        .map(|task| outcome(task.id, task.token))
        .collect();
    s.run(&format!("select rhythm.finish('w', '{}')", json!(outcomes)))
        .await;
    assert_eq!(s.state(id).await, "failed");
    let mut ids: Vec<Uuid> = tasks.iter().map(|task| task.id).collect();
    ids.sort();
    let hand = database.session().await;
    hand.run("begin").await;
    hand.run(&format!(
        "select rhythm.resolve('{}', '\"by hand\"')",
        ids[1]
    ))
    .await;
    let other = database.session().await;
    let waits = tokio::spawn(async move { retry(&other, id).await });
    s.until("select count(*) > 0 from pg_locks where not granted")
        .await;
    hand.run("commit").await;
    waits.await.expect("the retry is done");
    // It waits for the one that is done again, and no failure is left to be told.
    s.work("1").await;
    let result = s.completed(id).await;
    assert!(
        result == json!([1, "by hand"]) || result == json!(["by hand", 1]),
        "{result}"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_may_retry_runs_by_its_sql() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "return await Task.run('a');").await;
    s.deploy(
        "mend",
        "await Sql.query('select rhythm.retry($1::uuid)', [Inputs.id]); return 1;",
    )
    .await;
    let id = s.start("order", "{}").await;
    fail(&s).await;
    assert_eq!(s.state(id).await, "failed");
    let mend = s.start("mend", &json!({"id": id}).to_string()).await;
    s.becomes(mend, "completed").await;
    s.becomes(id, "waiting").await;
    s.work("5").await;
    assert_eq!(s.completed(id).await, json!(5));
    nothing_is_left(&s).await;
}
