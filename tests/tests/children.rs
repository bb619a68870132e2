//! Child workflows: started by a step, awaited as tasks are, each in a tree of its own.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;

const SHIP: &str = "const label = await Task.run('label', Inputs);
     return {label, n: Inputs.n};";

/// Waits for the first step of children, which follows the commit of their parent's.
async fn tasks_are_there(s: &Session, count: usize) {
    s.until(&format!(
        "select count(*) = {count} from rhythm.live where kind = 'task' and state = 'pending'"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_gives_its_result_to_the_workflow_that_awaits_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("ship", SHIP).await;
    s.deploy(
        "order",
        "const one = await Workflow.run('ship', {n: 1});
         const more = await Promise.all([2, 3].map((n) => Workflow.run('ship', {n}, {taskId: `ship-${n}`})));
         return [one, ...more];",
    )
    .await;
    let id = s.start("order", "{}").await;
    tasks_are_there(&s, 1).await;
    assert_eq!(s.work(r#""l1""#).await.inputs, json!({"n": 1}));
    tasks_are_there(&s, 2).await;
    s.work(r#""l""#).await;
    assert_eq!(s.state(id).await, "waiting", "one of two is not enough");
    s.work(r#""l""#).await;
    assert_eq!(
        s.completed(id).await,
        json!([{"label": "l1", "n": 1}, {"label": "l", "n": 2}, {"label": "l", "n": 3}])
    );
    let children = s
        .number(&format!(
            "select count(*) from rhythm.executions where parent_id = '{id}' and kind = 'workflow' and root_id = id"
        ))
        .await;
    assert_eq!(children, 3);

    // The task_id is taken by what has completed: its result is there.
    let again = s.start("order", "{}").await;
    tasks_are_there(&s, 1).await;
    s.work(r#""new""#).await;
    s.until(&format!(
        "select r.state = 'completed' from rhythm.result('{again}') r"
    ))
    .await;
    assert_eq!(s.completed(again).await[1], json!({"label": "l", "n": 2}));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_fails_throws_with_the_whole_chain_of_causes() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("ship", SHIP).await;
    s.deploy(
        "typed",
        "/** @param {{n: number}} Inputs */\nreturn Inputs.n;",
    )
    .await;
    s.deploy(
        "order",
        "const unknown = await Workflow.try('nowhere');
         const wrong = await Workflow.try('typed', {n: 'x'});
         try { await Workflow.run('ship', {n: 1}); }
         catch (e) {
           return [unknown.error.code, wrong.error.code, e instanceof TaskError, e.message, e.cause.name, e.cause.cause.name];
         }",
    )
    .await;
    let id = s.start("order", "{}").await;
    tasks_are_there(&s, 1).await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    assert_eq!(
        s.completed(id).await,
        json!(["RH102", "RH103", true, "disk full", "TaskError", "IOError"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_goes_down_to_children_and_never_up() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "leaf",
        "try { await Task.run('work'); } finally { console.log('left'); }",
    )
    .await;
    s.deploy("middle", "return await Workflow.run('leaf');")
        .await;
    s.deploy(
        "top",
        "void Workflow.run('leaf', {}, {delay: '1h'});
         const lone = await Workflow.try('leaf');
         Context.set('lone', lone.error.cause.name);
         return await Workflow.run('middle');",
    )
    .await;
    let id = s.start("top", "{}").await;
    tasks_are_there(&s, 1).await;
    let lone = s
        .id("select id from rhythm.live where name = 'leaf' and state = 'waiting'")
        .await;
    s.run(&format!("select rhythm.cancel('{lone}', 'not this one')"))
        .await;
    assert_eq!(s.state(id).await, "waiting", "the parent goes on");
    // The leaf below `middle`; the task of the other one is gone with it.
    s.until("select count(*) = 2 from rhythm.live where name = 'leaf'")
        .await;
    s.until("select count(*) = 1 from rhythm.live where name = 'leaf' and state = 'waiting'")
        .await;
    let leaf = s
        .id("select id from rhythm.live where name = 'leaf' and state = 'waiting'")
        .await;
    s.run(&format!("select rhythm.cancel('{id}', 'all of it')"))
        .await;
    s.until("select count(*) = 0 from rhythm.live").await;
    for execution in [id, leaf] {
        let (state, _, error) = s.outcome(execution).await;
        assert_eq!(
            (state.as_str(), &error["message"]),
            ("cancelled", &json!("all of it"))
        );
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_outlives_a_parent_that_does_not_await_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("ship", SHIP).await;
    s.deploy("order", "void Workflow.run('ship', {n: 1});\nreturn 1;")
        .await;
    let id = s.start("order", "{}").await;
    assert_eq!(s.completed(id).await, json!(1));
    tasks_are_there(&s, 1).await;
    let child = s
        .id("select id from rhythm.live where kind = 'workflow'")
        .await;
    s.work(r#""l""#).await;
    assert_eq!(s.completed(child).await, json!({"label": "l", "n": 1}));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_waits_and_times_out_as_its_options_say() {
    let database = Database::alone(rhythm_tests::server::Setup::default()).await;
    let s = database.session().await;
    s.deploy("ship", SHIP).await;
    s.deploy(
        "order",
        "const tried = await Workflow.try('ship', {n: 1}, {delay: '1h', timeout: '10m'});
         return [tried.error.message, tried.error.cause.name];",
    )
    .await;
    let id = s.start("order", "{}").await;
    assert_eq!(
        s.text("select state from rhythm.live where name = 'ship'")
            .await,
        "scheduled"
    );
    advance(&s, "1 hour").await;
    tasks_are_there(&s, 1).await;
    advance(&s, "10 minutes").await;
    assert_eq!(
        s.completed(id).await,
        json!(["workflow 'ship' timed out", "TimeoutError"])
    );
}
