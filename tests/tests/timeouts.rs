//! The four timeouts, each when it is due and not before, as the policy says, whether the worker lives or not.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::task::Claimed;
use serde_json::json;
use uuid::Uuid;

/// What a settable clock cannot hide: the time that a test itself takes.
const NEARLY: &str = "20 seconds";
const REST: &str = "11 seconds";

/// Nothing has happened shortly before, and the state is this just after.
async fn is_due(s: &Session, id: Uuid, before: &str, after: &str) {
    advance(s, NEARLY).await;
    assert_eq!(s.state(id).await, before, "not before its time");
    advance(s, REST).await;
    s.becomes(id, after).await;
}

pub(crate) async fn heartbeat(s: &Session, id: Uuid, token: i64) -> String {
    s.text(&format!(
        "select status from rhythm.heartbeat('{{{id}}}', '{{{token}}}', '1 day')"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_timeout_ends_what_nobody_takes_and_no_longer_holds_once_it_is_taken() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '30 seconds')")
        .await;
    is_due(&s, id, "pending", "timed_out").await;
    // From when it could start.
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '30 seconds', delay => '1 hour')")
        .await;
    advance(&s, "1 hour").await;
    is_due(&s, id, "pending", "timed_out").await;
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '30 seconds')")
        .await;
    let task = s.claim_with("'w', lease => '1 day'").await.remove(0);
    advance(&s, "10 minutes").await;
    assert_eq!(s.state(id).await, "running");
    assert_eq!(s.fail(&task, ", '1 hour'").await, "scheduled");
    advance(&s, "2 hours").await;
    // It has been started once.
    s.becomes(id, "pending").await;
    s.work("1").await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_timeout_that_a_retry_began_anew_is_as_long_as_before_when_it_is_put_off() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '30 seconds')")
        .await;
    advance(&s, "1 hour").await;
    s.becomes(id, "timed_out").await;
    s.run(&format!("select rhythm.retry('{id}')")).await;
    let task = s.claim_with("'w', lease => '1 day'").await.remove(0);
    s.run(&format!(
        "select rhythm.snooze('{id}', {}, '10 seconds')",
        task.token
    ))
    .await;
    advance(&s, "10 seconds").await;
    s.becomes(id, "pending").await;
    is_due(&s, id, "pending", "timed_out").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_timeout_outlives_a_claim_that_is_given_back() {
    let database = Database::create().await;
    let s = database.session().await;
    let claim = "'w', lease => '1 day'";
    let outcome = |task: &Claimed, more: &str| {
        format!(
            r#"select count(*) from rhythm.finish('w', '[{{"id": "{}", "token": "{}", {more}}}]')"#,
            task.id, task.token
        )
    };
    // Given back at once: the deadline is that of the enqueue, however long somebody held it and however often.
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '50 seconds')")
        .await;
    for _ in 0..2 {
        let task = s.claim_with(claim).await.remove(0);
        advance(&s, "10 seconds").await;
        s.run(&outcome(&task, r#""release": true"#)).await;
    }
    is_due(&s, id, "pending", "timed_out").await;
    // Given back too late: it is over at once, and the next claim gets nothing.
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '30 seconds')")
        .await;
    let task = s.claim_with(claim).await.remove(0);
    advance(&s, "1 minute").await;
    assert_eq!(s.state(id).await, "running");
    let released = outcome(&task, r#""release": true"#).replace("')", "', max => 1)");
    assert_eq!(s.number(&released).await, 0);
    assert_eq!(s.state(id).await, "timed_out");
    // Put off: the same time again, from when it may start.
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '30 seconds', delay => '1 minute')")
        .await;
    advance(&s, "1 minute").await;
    s.becomes(id, "pending").await;
    let task = s.claim_with(claim).await.remove(0);
    s.run(&outcome(&task, r#""retry_in": "1 hour""#)).await;
    advance(&s, "1 hour").await;
    is_due(&s, id, "pending", "timed_out").await;
    // An attempt that counts has started it for good.
    let id = s
        .id("select rhythm.enqueue('a', start_timeout => '30 seconds')")
        .await;
    let task = s.claim_with(claim).await.remove(0);
    assert_eq!(s.fail(&task, ", '0'").await, "pending");
    let task = s.claim_with(claim).await.remove(0);
    s.run(&outcome(&task, r#""release": true"#)).await;
    advance(&s, "1 hour").await;
    assert_eq!(s.state(id).await, "pending");
    s.work("1").await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_timeout_ends_an_attempt_though_the_worker_beats_and_the_policy_goes_on() {
    let database = Database::create().await;
    let s = database.session().await;
    let retry = r#"{"maxAttempts": 2, "initial": "1 m", "jitter": 0}"#.replace("1 m", "1m");
    let id = s
        .id(&format!(
            "select rhythm.enqueue('a', attempt_timeout => '30 seconds', retry => '{retry}')"
        ))
        .await;
    for after in ["scheduled", "timed_out"] {
        let task = s
            .claim_with("'w', lease => '1 day', wait => '5s'")
            .await
            .remove(0);
        assert_eq!(heartbeat(&s, id, task.token).await, "ok");
        is_due(&s, id, "running", after).await;
        assert_eq!(heartbeat(&s, id, task.token).await, "lost");
        assert!(!s.complete(&task, "1").await, "it is too late");
        advance(&s, "1 minute").await;
    }
    let (_, _, error) = s.outcome(id).await;
    assert_eq!(error["name"], json!("TimeoutError"), "{error:#}");
    assert_eq!(
        s.text(&format!("select string_agg(attempt::text, ',' order by attempt) from rhythm.attempts where id = '{id}'")).await,
        "1,2"
    );
    // An error like others: it can be final.
    let retry = r#"{"nonRetryable": ["TimeoutError"]}"#;
    let id = s
        .id(&format!(
            "select rhythm.enqueue('a', attempt_timeout => '30 seconds', retry => '{retry}')"
        ))
        .await;
    s.claim_with("'w', lease => '1 day'").await;
    is_due(&s, id, "running", "timed_out").await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_ends_the_whole_in_whatever_state_it_is() {
    let database = Database::create().await;
    let s = database.session().await;
    for state in ["pending", "scheduled", "running"] {
        let id = s
            .id("select rhythm.enqueue('a', timeout => '30 seconds')")
            .await;
        if state != "pending" {
            let task = s.claim_with("'w', lease => '1 day'").await.remove(0);
            if state == "scheduled" {
                assert_eq!(s.fail(&task, ", '1 hour'").await, "scheduled");
            }
        }
        is_due(&s, id, state, "timed_out").await;
        assert_eq!(s.outcome(id).await.2["name"], json!("TimeoutError"));
    }
    let id = s
        .id("select rhythm.enqueue('a', timeout => '30 seconds', delay => '1 hour')")
        .await;
    advance(&s, "1 hour").await;
    is_due(&s, id, "pending", "timed_out").await;
    // A failure that comes first is a failure.
    let id = s
        .id("select rhythm.enqueue('a', timeout => '30 seconds', retry => '{\"maxAttempts\": 1}')")
        .await;
    s.fail(&s.claim_one().await, "").await;
    advance(&s, "1 minute").await;
    assert_eq!(s.state(id).await, "failed");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_timeout_ends_an_attempt_without_a_sign_of_life() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', heartbeat_timeout => '30 seconds', retry => '{\"maxAttempts\": 2}')")
        .await;
    let task = s.claim_with("'w', lease => '1 day'").await.remove(0);
    for _ in 0..3 {
        advance(&s, "20 seconds").await;
        assert_eq!(heartbeat(&s, id, task.token).await, "ok");
    }
    // It is tried again as its policy says.
    is_due(&s, id, "running", "scheduled").await;
    advance(&s, "10 minutes").await;
    s.becomes(id, "pending").await;
    assert_eq!(s.claim_with("'v', lease => '1 day'").await.len(), 1);
    is_due(&s, id, "running", "timed_out").await;
    let error = s.outcome(id).await.2;
    assert_eq!(error["name"], json!("HeartbeatTimeout"));
    assert_eq!(
        error["message"],
        json!("worker 'v' sent no heartbeat in attempt 2 for 00:00:30")
    );
    assert_eq!(error["data"]["workers"], json!(["w", "v"]));
    let kept =
        format!("select string_agg(error ->> 'name', ' ') from rhythm.attempts where id = '{id}'");
    assert_eq!(s.text(&kept).await, "HeartbeatTimeout HeartbeatTimeout");
}

/// Else a worker with short leases would end what may be silent for longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_timeout_is_the_lease_whatever_the_worker_asks_for() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', heartbeat_timeout => '30 minutes', retry => '{\"maxAttempts\": 1}')")
        .await;
    let task = s.claim_with("'w', lease => '1 second'").await.remove(0);
    advance(&s, "29 minutes").await;
    s.run(&format!(
        "select rhythm.heartbeat('{{{id}}}', '{{{}}}', '1 second')",
        task.token
    ))
    .await;
    advance(&s, "29 minutes").await;
    assert_eq!(s.state(id).await, "running");
    advance(&s, "2 minutes").await;
    s.becomes(id, "timed_out").await;
}

/// One batch of the duties holds both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_that_end_together_end_each_in_its_way() {
    let database = Database::create().await;
    let s = database.session().await;
    let once = r#"retry => '{"maxAttempts": 1}'"#;
    let silent = s
        .id(&format!(
            "select rhythm.enqueue('a', heartbeat_timeout => '1 minute', {once})"
        ))
        .await;
    let lost = s.id(&format!("select rhythm.enqueue('a', {once})")).await;
    assert_eq!(
        s.claim_with("'w', max => 2, lease => '1 minute'")
            .await
            .len(),
        2
    );
    advance(&s, "2 minutes").await;
    s.becomes(silent, "timed_out").await;
    s.becomes(lost, "failed").await;
    assert_eq!(s.failed(lost).await["name"], json!("LeaseExpired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_background_worker_ends_them_by_itself() {
    let database = Database::create().await;
    let s = database.session().await;
    // None of these is told to anybody: the server must know the time.
    let ids = [
        s.id("select rhythm.enqueue('a', queue => 'x', start_timeout => '300 ms')").await,
        s.id("select rhythm.enqueue('b', queue => 'y', timeout => '300 ms')").await,
        s.id("select rhythm.enqueue('c', attempt_timeout => '300 ms', retry => '{\"maxAttempts\": 1}')").await,
        s.id("select rhythm.enqueue('d', heartbeat_timeout => '300 ms', retry => '{\"maxAttempts\": 1}')").await,
    ];
    assert_eq!(
        s.claim_with("'gone', max => 2, lease => '1 day'")
            .await
            .len(),
        2
    );
    let mut states = Vec::new();
    for id in ids {
        states.push(s.outcome(id).await.0);
    }
    assert_eq!(states, ["timed_out"; 4]);
    let late =
        "select max(extract(epoch from finished_at - created_at)) < 30 from rhythm.executions";
    assert_eq!(
        s.text(late).await,
        "t",
        "when they are due, not at the next round"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_changed_keeps_nothing_else_that_is_due_from_happening() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("nap", "await sleep('30s'); return 1;").await;
    // A stand-in for a damaged page, or for a fault of ours.
    s.run(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'the bad row'; end $$;
         create trigger refuse before update or delete on rhythm.live for each row when (old.name = 'bad') execute function refuse();",
    )
    .await;
    let mut ids = Vec::new();
    for name in ["a", "bad", "b"] {
        for options in ["timeout => '30 seconds'", "delay => '30 seconds'"] {
            let id = s
                .id(&format!("select rhythm.enqueue('{name}', {options})"))
                .await;
            ids.push((name, options, id));
        }
    }
    let nap = s.start("nap", "{}").await;
    advance(&s, "31 seconds").await;
    assert_eq!(s.completed(nap).await, json!(1));
    for (name, options, id) in &ids {
        let state = match (*name, options.starts_with("timeout")) {
            ("bad", true) => "pending",
            ("bad", false) => "scheduled",
            (_, true) => "timed_out",
            (_, false) => "pending",
        };
        s.becomes(*id, state).await;
    }
    // What comes later is done too, and the row itself when it can be.
    let id = s
        .id("select rhythm.enqueue('a', timeout => '5 seconds')")
        .await;
    advance(&s, "6 seconds").await;
    s.becomes(id, "timed_out").await;
    s.run("drop trigger refuse on rhythm.live").await;
    advance(&s, "11 seconds").await;
    s.becomes(ids[2].2, "timed_out").await;
    s.becomes(ids[3].2, "pending").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defaults_come_from_the_registration_and_then_from_the_queue() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        r#"select rhythm.configure_queue('q', timeout => '1 hour', start_timeout => '2 hours', attempt_timeout => '3 hours',
             heartbeat_timeout => '4 hours', priority => 7);
           select rhythm.register('w', '[{"name": "a", "queue": "q", "timeout": "5h", "startTimeout": "6h", "attemptTimeout": "7h", "heartbeatTimeout": "8h"}, "b"]')"#,
    )
    .await;
    let row = "select queue || ' ' || extract(epoch from end_by - created_at)::int / 3600 || ' ' || extract(epoch from start_by - created_at)::int / 3600
      || ' ' || extract(epoch from attempt_timeout)::int / 3600 || ' ' || extract(epoch from beat)::int / 3600 || ' ' || priority from rhythm.live";
    let cases = [
        ("select rhythm.enqueue('b', queue => 'q')", "q 1 2 3 4 7"),
        ("select rhythm.enqueue('a')", "q 5 6 7 8 7"),
        (
            "select rhythm.enqueue('a', timeout => '9 hours', heartbeat_timeout => '10 hours', priority => 1)",
            "q 9 6 7 10 1",
        ),
        (
            r#"select * from rhythm.enqueue_many('[{"name": "a", "start_timeout": "9 hours"}]')"#,
            "q 5 9 7 8 7",
        ),
    ];
    for (call, expected) in cases {
        s.run(call).await;
        assert_eq!(s.text(row).await, expected, "{call}");
        s.run("delete from rhythm.live").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_names_its_queue_has_the_defaults_that_are_about_the_whole() {
    let database = Database::create().await;
    let s = database.session().await;
    for queue in ["q", "default"] {
        s.run(&format!(
            "select rhythm.configure_queue('{queue}', timeout => '30 seconds', start_timeout => '1 second', attempt_timeout => '1 second',
               heartbeat_timeout => '1 second', retry => '{{\"maxAttempts\": 1}}', priority => 7, remember => '1 hour', result => 'discard',
               concurrency_key => 'tenant', rate_limit => '1/day')"
        ))
        .await;
    }
    s.deploy("nap", "await sleep('1h'); return 1;").await;
    s.deploy(
        "outer",
        "return (await Workflow.try('nap', {}, {queue: 'q'})).error.cause.name;",
    )
    .await;
    let row = |id: Uuid| {
        format!(
            "select concat_ws(' ', queue, priority, extract(epoch from end_by - created_at)::int, start_by, beat, attempt_timeout, remember,
               discard, concurrency_key, rate_key) from rhythm.live where id = '{id}'"
        )
    };
    let named = s.id("select rhythm.start('nap', queue => 'q')").await;
    assert_eq!(s.text(&row(named)).await, "q 7 30 01:00:00 t");
    let own = "select rhythm.start('nap', queue => 'q', timeout => '1 minute', priority => 1, remember => '0', result => 'keep')";
    let own = s.id(own).await;
    assert_eq!(s.text(&row(own)).await, "q 1 60 00:00:00");
    let many = r#"select id from rhythm.enqueue_many('[{"name": "nap", "kind": "workflow", "queue": "q"}]')"#;
    let many = s.id(many).await;
    assert_eq!(s.text(&row(many)).await, "q 7 30 01:00:00 t");
    let unnamed = s.id("select rhythm.start('nap')").await;
    assert_eq!(s.text(&row(unnamed)).await, "default 0");
    let outer = s.start("outer", "{}").await;
    is_due(&s, named, "waiting", "timed_out").await;
    assert_eq!(s.completed(outer).await, json!("TimeoutError"));
    assert_eq!(s.state(unnamed).await, "waiting");
    advance(&s, "1 hour").await;
    assert_eq!(s.completed(unnamed).await, json!(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_hears_of_the_timeouts_of_its_children() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(r#"select rhythm.register('w', '[{"name": "b", "attemptTimeout": "30s"}]')"#)
        .await;
    let cases = [
        ("a", "startTimeout: '30s'", false, "TimeoutError"),
        ("a", "timeout: '30s'", true, "TimeoutError"),
        ("b", "retry: {maxAttempts: 1}", true, "TimeoutError"),
        (
            "a",
            "attemptTimeout: '30s', retry: {maxAttempts: 1}",
            true,
            "TimeoutError",
        ),
        (
            "a",
            "heartbeatTimeout: '30s', retry: {maxAttempts: 1}",
            true,
            "HeartbeatTimeout",
        ),
    ];
    for (task, options, is_taken, name) in cases {
        s.deploy(
            "parent",
            &format!("return (await Task.try('{task}', 1, {{{options}}})).error.cause.name;"),
        )
        .await;
        let id = s.start("parent", "{}").await;
        if is_taken {
            assert_eq!(
                s.claim_with("'gone', lease => '1 day'").await.len(),
                1,
                "{options}"
            );
        }
        is_due(&s, id, "waiting", "completed").await;
        assert_eq!(s.completed(id).await, json!(name), "{options}");
    }
    nothing_is_left(&s).await;
}

/// A stand-in for a damaged page, or for a fault of ours: nothing of this workflow can be written any more.
async fn refuse(s: &Session, id: Uuid) {
    s.run(&format!(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'the bad row'; end $$;
         create trigger refuse before update or delete on rhythm.live for each row when (old.id = '{id}') execute function refuse();
         create trigger refuse before insert or update on rhythm.saves for each row when (new.id = '{id}') execute function refuse()",
    ))
    .await;
}

async fn accept(s: &Session) {
    s.run("drop trigger refuse on rhythm.live; drop trigger refuse on rhythm.saves; drop function refuse()")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_cannot_step_keeps_no_other_timer_or_signal_from_its_end() {
    let database = Database::create().await;
    let s = database.session().await;
    for source in [
        "await sleep('30s'); return 1;",
        "try { await Signal.next('n', {timeout: '30s'}) } catch {} return 1;",
    ] {
        s.deploy("waits", source).await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(s.start("waits", "{}").await);
        }
        let bad = ids.remove(1);
        refuse(&s, bad).await;
        advance(&s, "31 seconds").await;
        for id in &ids {
            assert_eq!(s.completed(*id).await, json!(1), "{source}");
        }
        assert_eq!(s.state(bad).await, "waiting");
        // What becomes due later is done too.
        let next = s.start("waits", "{}").await;
        advance(&s, "31 seconds").await;
        assert_eq!(s.completed(next).await, json!(1), "{source}");
        accept(&s).await;
        advance(&s, "11 seconds").await;
        assert_eq!(s.completed(bad).await, json!(1), "{source}");
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_cannot_be_served_keeps_no_other_from_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("gate", "await Task.run('gate'); return 1;").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(s.start("gate", "{}").await);
    }
    refuse(&s, ids[0]).await;
    // In a transaction that sees no commits every step is left as a mark.
    let tasks = s.claim(3).await;
    s.run("begin isolation level repeatable read").await;
    for task in &tasks {
        assert!(s.complete(task, "1").await);
    }
    s.run("commit").await;
    for id in &ids[1..] {
        assert_eq!(s.completed(*id).await, json!(1));
    }
    s.until("select count(*) = 1 from rhythm.runnable where alone_at > rhythm._now()")
        .await;
    // Alone it fails again, and ends no round of the duties.
    advance(&s, "11 seconds").await;
    let nap = s
        .id("select rhythm.enqueue('a', timeout => '5 seconds')")
        .await;
    advance(&s, "6 seconds").await;
    s.becomes(nap, "timed_out").await;
    assert_eq!(s.state(ids[0]).await, "waiting");
    accept(&s).await;
    advance(&s, "21 seconds").await;
    assert_eq!(s.completed(ids[0]).await, json!(1));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_off_for_a_task_id_starts_also_beside_one_that_cannot() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "keyed",
        "return await Task.run('a', {}, {taskId: Inputs.key});",
    )
    .await;
    other
        .run("begin; select rhythm.enqueue('a', task_id => k) from unnest('{k0,k1,k2}'::text[]) k")
        .await;
    let mut ids = Vec::new();
    for key in ["k0", "k1", "k2"] {
        ids.push(s.start("keyed", &format!(r#"{{"key": "{key}"}}"#)).await);
    }
    s.run(&format!(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'the bad row'; end $$;
         create trigger refuse before delete on rhythm.deferred_starts for each row when (old.execution_id = '{}') execute function refuse()",
        ids[0]
    ))
    .await;
    other.run("rollback").await;
    s.until("select count(*) = 2 from rhythm.live where kind = 'task'")
        .await;
    s.run("drop trigger refuse on rhythm.deferred_starts").await;
    s.until("select count(*) = 3 from rhythm.live where kind = 'task'")
        .await;
    for _ in 0..3 {
        s.work("5").await;
    }
    for id in ids {
        assert_eq!(s.completed(id).await, json!(5));
    }
    nothing_is_left(&s).await;
}
