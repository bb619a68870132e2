//! Runs that begin again when they fail: `retry` of `start` and of `Workflow.run`, and the time that all attempts have together.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use serde_json::json;
use uuid::Uuid;

/// Begins again at once.
const AT_ONCE: &str = r#"retry => '{"maxAttempts": 3, "initial": 0}'"#;

/// Starts a run with named arguments.
async fn start_with(s: &Session, workflow: &str, options: &str) -> Uuid {
    s.id(&format!("select rhythm.start('{workflow}', {options})"))
        .await
}

/// `attempt error` of each attempt that failed.
async fn attempts(s: &Session, id: Uuid) -> String {
    s.text(&format!(
        "select coalesce(string_agg(attempt || ' ' || (error ->> 'message'), ', ' order by attempt), '') from rhythm.attempts where id = '{id}'"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_begins_again_with_its_version_and_what_it_did_stays() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table public.said (what text)").await;
    s.deploy(
        "order",
        "await Sql.exec(\"insert into public.said values ('begun')\");
         await sleep(0);
         const said = await Sql.query(\"insert into public.said values ('step') returning (select count(*) from public.said where what = 'begun')::int as begun\");
         if (said[0].begun < 3) throw new Error(`only ${said[0].begun}`);
         return [Context.version, said[0].begun];",
    )
    .await;
    let id = start_with(
        &s,
        "order",
        "task_id => 'a', retry => '{\"maxAttempts\": 3, \"delays\": [0, \"1h\"]}'",
    )
    .await;
    s.until(&format!(
        "select attempt = 2 and state = 'scheduled' from rhythm.executions where id = '{id}'"
    ))
    .await;
    assert_eq!(attempts(&s, id).await, "1 only 1, 2 only 2");
    assert_eq!(
        s.id("select rhythm.start('order', task_id => 'a')").await,
        id,
        "it holds its task_id all the time"
    );
    s.deploy("order", "return 'new';").await;
    s.run(&format!(
        "update rhythm.live set due_at = now() where id = '{id}'"
    ))
    .await;
    s.run("select rhythm.tick()").await;
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!([1, 3]));
    assert_eq!(
        s.number(&format!(
            "select attempt from rhythm.executions where id = '{id}'"
        ))
        .await,
        3
    );
    // The steps that failed are undone, and what was before them is not.
    assert_eq!(
        s.text("select string_agg(what, ' ' order by what) from public.said")
            .await,
        "begun begun begun step"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_attempt_fails_the_run_and_it_may_be_retried_by_hand() {
    let database = Database::create().await;
    let s = database.session().await;
    for (name, source) in [
        ("first", "throw new RangeError('no');"),
        ("later", "await sleep(0); throw new RangeError('no');"),
    ] {
        s.deploy(name, source).await;
        let id = start_with(&s, name, AT_ONCE).await;
        s.becomes(id, "failed").await;
        assert_eq!(attempts(&s, id).await, "1 no, 2 no, 3 no", "{name}");
        assert_eq!(s.failed(id).await["name"], json!("RangeError"));
        // With all its attempts anew: those before are history.
        s.run(&format!("select rhythm.retry('{id}')")).await;
        s.becomes(id, "failed").await;
        assert_eq!(
            s.number(&format!(
                "select count(*) from rhythm.attempts where id = '{id}'"
            ))
            .await,
            6,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_errors_end_it_at_once() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "const {kind} = Inputs;
         if (kind === 'name') throw new RangeError('no');
         if (kind === 'code') throw Object.assign(new Error('no'), {code: 'E7'});
         if (kind === 'cause') throw new Error('no', {cause: new Error('why', {cause: new RangeError('deep')})});
         if (kind === 'own') throw Object.assign(new Error('no'), {retryable: false});
         if (kind === 'task') await Task.run('work', {}, {retry: {maxAttempts: 1}});
         throw new Error('no');",
    )
    .await;
    for (kind, expected) in [
        ("name", 1),
        ("code", 1),
        ("cause", 1),
        ("own", 1),
        ("task", 1),
        ("other", 3),
    ] {
        let id = start_with(
            &s,
            "order",
            &format!("'{{\"kind\": \"{kind}\"}}', retry => '{{\"maxAttempts\": 3, \"initial\": 0, \"nonRetryable\": [\"RangeError\", \"E7\", \"IOError\"]}}'"),
        )
        .await;
        if kind == "task" {
            let task = s.claim_one().await;
            s.fail(&task, "").await;
        }
        s.becomes(id, "failed").await;
        assert_eq!(
            s.number(&format!(
                "select attempt from rhythm.executions where id = '{id}'"
            ))
            .await,
            expected,
            "{kind}"
        );
    }
    // Without a policy there is one attempt.
    let id = start_with(&s, "order", "'{\"kind\": \"other\"}'").await;
    assert_eq!(s.state(id).await, "failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_an_attempt_left_behind_is_taken_for_the_next_one() {
    let database = Database::create().await;
    let s = database.session().await;
    // Each attempt has a task, a timer and a wait under the same numbers, were they not counted on.
    s.deploy(
        "order",
        "const left = Task.run('left', {attempt: Inputs.n});
         const timer = Timer.delay('1d');
         const wait = Signal.next('never', {timeout: '1d'});
         const go = await Signal.next('go');
         if (go === 'fail') throw new Error('no');
         return [go, await left];",
    )
    .await;
    let id = start_with(&s, "order", AT_ONCE).await;
    let old = s.claim_one().await;
    for payload in ["fail", "on"] {
        // The second is not taken before the first attempt fails: it is there for the next.
        s.run(&format!(
            "select rhythm.signal('{id}', 'go', '\"{payload}\"')"
        ))
        .await;
    }
    let new = s.claim_one().await;
    assert_eq!(
        s.number("select count(*) from rhythm.timers where due_at > now() + interval '1 hour'")
            .await,
        1
    );
    assert!(s.complete(&old, "\"old\"").await);
    assert_eq!(s.state(id).await, "waiting");
    assert!(s.complete(&new, "\"new\"").await);
    assert_eq!(s.completed(id).await, json!(["on", "new"]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_retried_of_an_earlier_attempt_settles_nothing_of_the_next() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "return await Task.run('charge', {}, {retry: {maxAttempts: 1}});",
    )
    .await;
    let id = start_with(&s, "order", AT_ONCE).await;
    let first = s.claim_one().await;
    s.fail(&first, "").await;
    let second = s.claim_one().await;
    assert_ne!(first.id, second.id);
    s.run(&format!("select rhythm.retry('{}')", first.id)).await;
    let again = s.claim_one().await;
    assert_eq!(first.id, again.id);
    assert!(s.complete(&again, "\"old\"").await);
    assert_eq!(s.state(id).await, "waiting");
    assert!(s.complete(&second, "\"new\"").await);
    assert_eq!(s.completed(id).await, json!("new"));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_attempts_have_the_timeout_together() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy("order", "throw new Error('no');").await;
    let id = start_with(
        &s,
        "order",
        r#"timeout => '1 hour', retry => '{"maxAttempts": 9, "initial": "25m", "backoff": "constant", "jitter": 0}'"#,
    )
    .await;
    assert_eq!(s.state(id).await, "scheduled");
    advance(&s, "25 minutes").await;
    advance(&s, "25 minutes").await;
    assert_eq!(attempts(&s, id).await, "1 no, 2 no, 3 no");
    advance(&s, "10 minutes").await;
    s.becomes(id, "timed_out").await;
    let (_, _, error) = s.outcome(id).await;
    assert_eq!(error["message"], json!("workflow 'order' timed out"));
    assert_eq!(
        attempts(&s, id).await,
        "1 no, 2 no, 3 no",
        "the fourth never began"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_ends_it_between_attempts_and_in_one() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "if (Inputs.waits) { try { await Signal.next('go'); } catch (e) { throw new Error('in the middle'); } } throw new Error('no');")
        .await;
    let later = r#"retry => '{"initial": "1h"}'"#;
    for how in ["cancel", "terminate"] {
        let id = start_with(&s, "order", later).await;
        assert_eq!(s.state(id).await, "scheduled");
        s.run(&format!("select rhythm.{how}('{id}')")).await;
        assert_eq!(s.state(id).await, "cancelled");
        let id = start_with(&s, "order", &format!("'{{\"waits\": true}}', {later}")).await;
        s.run(&format!("select rhythm.{how}('{id}')")).await;
        assert_eq!(s.state(id).await, "cancelled", "{how}");
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_begins_again_and_its_parent_hears_of_the_end_alone() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "child",
        "void Workflow.try('below', {}, {onParentClose: 'cancel'});
         void Workflow.try('below', {});
         if (await Signal.next('go') === 'fail') throw new Error('no'); return Context.executionId;",
    )
    .await;
    s.deploy("below", "await Signal.next('never');").await;
    s.deploy(
        "parent",
        "return await Workflow.run('child', {}, {retry: {maxAttempts: 2, initial: 0}});",
    )
    .await;
    let id = s.start("parent", "{}").await;
    s.until("select count(*) = 2 from rhythm.live where name = 'below' and state = 'waiting'")
        .await;
    let child = s
        .id("select id from rhythm.live where name = 'child'")
        .await;
    s.run(&format!(
        "select rhythm.signal('{child}', 'go', '\"fail\"'), rhythm.signal('{child}', 'go', '\"on\"')"
    ))
    .await;
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!(child.to_string()));
    // Of those of the first attempt, one was to end with it; of the second both were started and one was to end with that.
    s.until("select count(*) = 2 from rhythm.live where name = 'below'")
        .await;
    assert_eq!(
        s.number(&format!(
            "select attempt from rhythm.executions where id = '{child}'"
        ))
        .await,
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_starts_a_workflow_takes_the_policy() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", "throw new Error('no');").await;
    let policy = r#"{"maxAttempts": 2, "initial": 0}"#;
    for call in [
        format!(
            r#"select id from rhythm.start_many('[{{"workflow": "order", "retry": {policy}}}]')"#
        ),
        format!(
            r#"select id from rhythm.enqueue_many('[{{"kind": "workflow", "name": "order", "retry": {policy}}}]')"#
        ),
        format!(
            "select id from rhythm.signal_with_start('order', 'key', 'go', retry => '{policy}')"
        ),
    ] {
        let id = s.id(&call).await;
        s.becomes(id, "failed").await;
        assert_eq!(attempts(&s, id).await, "1 no, 2 no", "{call}");
    }
    let failure = s
        .fails("select rhythm.start('order', retry => '{\"tries\": 2}')")
        .await;
    assert_eq!(failure.code, "RH004");
}
