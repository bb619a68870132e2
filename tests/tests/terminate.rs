//! An execution is ended at once, with all below it; or is given time to clean up, and then ended.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::task::Claimed;
use serde_json::json;

const STUBBORN: &str =
    "try { await Task.run('work', {}); } finally { await Task.run('undo', {}); }";
const PARENT: &str = "await Promise.all([Workflow.run('stubborn', {}), Task.run('mine', {}), Workflow.run('stubborn', {}, {delay: '1h'})]);";

/// A task of its own that runs.
async fn running_task(s: &Session) -> Claimed {
    s.run("select rhythm.enqueue('alone', queue => 'alone')")
        .await;
    s.claim_with("'tester', '{alone}'").await.remove(0)
}

/// The task that cleans up; the one which its workflow gave up is claimed as well.
async fn undo(s: &Session) -> Claimed {
    let mut claimed = s.claim_with("'w', lease => '1 day', max => 10").await;
    claimed.retain(|task| task.name == "undo");
    claimed.remove(0)
}

/// `name state` of all executions, in the order of their names.
async fn states(s: &Session) -> String {
    s.text(
        "select string_agg(name || ' ' || state, ', ' order by name, state) from rhythm.executions",
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_workflow_runs_nothing_more_and_takes_all_below_along() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("stubborn", STUBBORN).await;
    s.deploy("parent", PARENT).await;
    let id = s.start("parent", "{}").await;
    s.until("select count(*) = 2 from rhythm.live where state = 'pending' and kind = 'task'")
        .await;
    let task = s.claim_one().await;
    let said = s
        .text(&format!(
            "select rhythm.terminate('{id}', 'runs in circles')"
        ))
        .await;
    assert_eq!(said, "t");
    let (state, _, error) = s.outcome(id).await;
    assert_eq!(state, "cancelled");
    assert_eq!(
        error,
        json!({"name": "CancelledError", "message": "runs in circles"})
    );
    s.until("select not exists (select from rhythm.live)").await;
    assert_eq!(
        states(&s).await,
        "mine cancelled, parent cancelled, stubborn cancelled, stubborn cancelled, work cancelled",
        "no task undo"
    );
    // Its worker is fenced off.
    assert!(!s.complete(&task, "1").await);
    let status = s
        .text(&format!(
            "select status from rhythm.heartbeat('{{{}}}', '{{{}}}')",
            task.id, task.token
        ))
        .await;
    assert_eq!(status, "lost");
    assert_eq!(
        s.text(&format!("select rhythm.terminate('{id}')")).await,
        "f"
    );
    nothing_is_left(&s).await;
}

/// What has ended below is looked at for what it may have left running: child workflows, and not a million tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminate_does_not_read_the_tasks_that_have_ended() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("waits", "await Signal.next('never');").await;
    let id = s.start("waits", "{}").await;
    s.run(&format!(
        "insert into rhythm.archive (id, seq, root_id, parent_id, created_at, finished_at, expires_on, state, attempt, priority, kind, name, queue, inputs)
         select gen_random_uuid(), n, '{id}', '{id}', now(), now(), current_date + 40 + n % 2 * 200, 'completed', 1, 0, 'task', 'a', 'default', '{{}}'
         from generate_series(1, 20000) n"
    ))
    .await;
    s.run("set enable_seqscan = off; set plan_cache_mode = force_generic_plan")
        .await;
    let mut buffers = i64::MAX;
    for _ in 0..5 {
        let read = s
            .json(&format!(
                "explain (analyze, buffers, format json) select rhythm._left_below('{id}')"
            ))
            .await;
        let plan = &read[0]["Plan"];
        let all = ["Shared Hit Blocks", "Shared Read Blocks"]
            .map(|which| plan[which].as_i64().expect("a number of blocks"));
        buffers = buffers.min(all.iter().sum());
    }
    assert!(buffers < 100, "{buffers} buffers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_awaits_what_is_terminated_hears_of_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("stubborn", STUBBORN).await;
    s.deploy(
        "parent",
        "try { await Task.run('mine', {}); } catch (e) { console.log(e.cause.name); }
         try { await Workflow.run('stubborn', {}); } catch (e) { return [e.name, e.cause.name, e.message]; }",
    )
    .await;
    let id = s.start("parent", "{}").await;
    let task = s.claim_one().await;
    s.run(&format!("select rhythm.terminate('{}')", task.id))
        .await;
    s.until("select exists (select from rhythm.live where name = 'work')")
        .await;
    s.run("select rhythm.terminate(id, 'no more') from rhythm.live where name = 'stubborn'")
        .await;
    s.becomes(id, "completed").await;
    assert_eq!(
        s.completed(id).await,
        json!(["TaskError", "CancelledError", "no more"])
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_holds_is_terminated_after_his_commit() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy("stubborn", STUBBORN).await;
    s.deploy("later", "return 1").await;
    for (what, id) in [
        ("a waiting workflow", s.start("stubborn", "{}").await),
        (
            "a scheduled workflow",
            s.id("select rhythm.start('later', delay => '1 day')").await,
        ),
        ("a running task", running_task(&s).await.id),
    ] {
        other.run("begin").await;
        other
            .run(&format!(
                "select from rhythm.live where id = '{id}' for update"
            ))
            .await;
        assert_eq!(
            s.text(&format!("select rhythm.terminate('{id}')")).await,
            "t",
            "{what}"
        );
        assert_ne!(s.state(id).await, "cancelled", "{what}");
        other.run("commit").await;
        s.becomes(id, "cancelled").await;
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_workflow_has_its_grace_and_no_more() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("stubborn", STUBBORN).await;
    s.deploy("parent", "await Workflow.run('stubborn', {});")
        .await;
    // In time.
    let id = s.start("stubborn", "{}").await;
    s.run(&format!(
        "select rhythm.cancel('{id}', 'closed', grace => '10 minutes')"
    ))
    .await;
    advance(&s, "9 minutes").await;
    assert!(s.complete(&undo(&s).await, "1").await);
    let (state, _, error) = s.outcome(id).await;
    assert_eq!(
        (state.as_str(), &error["message"]),
        ("cancelled", &json!("closed"))
    );
    // Too late: its cleaning up is cut off, and what it had started for that ends.
    let id = s.start("stubborn", "{}").await;
    s.run(&format!(
        "select rhythm.cancel('{id}', 'closed', grace => '10 minutes')"
    ))
    .await;
    let undo = undo(&s).await;
    advance(&s, "11 minutes").await;
    s.becomes(id, "cancelled").await;
    let (_, _, error) = s.outcome(id).await;
    assert_eq!(
        error,
        json!({"name": "CancelledError", "message": "closed"})
    );
    assert!(!s.complete(&undo, "1").await);
    // A second word is not thrown again, but may give a grace.
    let id = s.start("stubborn", "{}").await;
    s.run(&format!("select rhythm.cancel('{id}', 'closed')"))
        .await;
    advance(&s, "1 day").await;
    for _ in 0..2 {
        s.run(&format!(
            "select rhythm.cancel('{id}', 'now', grace => '1 minute')"
        ))
        .await;
        assert_eq!(s.state(id).await, "waiting", "it cleans up");
    }
    advance(&s, "2 minutes").await;
    s.becomes(id, "cancelled").await;
    let (_, _, error) = s.outcome(id).await;
    assert_eq!(error["message"], json!("closed"));
    let over = format!("select count(*) from rhythm.timeline('{id}') where event = 'grace_over'");
    assert_eq!(s.text(&over).await, "1");
    let wrong = s
        .fails(&format!("select rhythm.cancel('{id}', grace => '-1 s')"))
        .await;
    assert_eq!(wrong.code, "RH002");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_have_the_same_grace_after_their_parent() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("stubborn", STUBBORN).await;
    s.deploy("parent", "await Workflow.run('stubborn', {});")
        .await;
    s.deploy(
        "slow_parent",
        "try { await Workflow.run('stubborn', {}); } finally { await Signal.next('never'); }",
    )
    .await;
    for parent in ["parent", "slow_parent"] {
        let id = s.start(parent, "{}").await;
        s.until("select exists (select from rhythm.live where name = 'work')")
            .await;
        s.run(&format!(
            "select rhythm.cancel('{id}', 'closed', grace => '10 minutes')"
        ))
        .await;
        let child = s
            .id(&format!(
                "select id from rhythm.executions where parent_id = '{id}'"
            ))
            .await;
        if parent == "slow_parent" {
            // It ends when its own time is over, and only then its child is told.
            assert_eq!(s.state(id).await, "waiting");
            advance(&s, "11 minutes").await;
        }
        s.becomes(id, "cancelled").await;
        s.until("select exists (select from rhythm.live where name = 'undo')")
            .await;
        advance(&s, "9 minutes").await;
        assert_eq!(s.state(child).await, "waiting", "{parent}");
        advance(&s, "2 minutes").await;
        s.becomes(child, "cancelled").await;
        s.until("select not exists (select from rhythm.live)").await;
    }
    // The time of the run itself ends cleaning up, but not that of its children.
    for grace in ["", ", grace => '2 hours'"] {
        let id = s
            .id("select rhythm.start('slow_parent', '{}', timeout => '1 hour')")
            .await;
        s.until("select exists (select from rhythm.live where name = 'work')")
            .await;
        s.run(&format!("select rhythm.cancel('{id}'{grace})")).await;
        advance(&s, "61 minutes").await;
        s.becomes(id, "cancelled").await;
        s.until("select exists (select from rhythm.live where name = 'undo')")
            .await;
        let over =
            format!("select count(*) from rhythm.timeline('{id}') where event = 'grace_over'");
        assert_eq!(s.text(&over).await, "0", "{grace}");
        s.run("select rhythm.terminate(id) from rhythm.live where kind = 'workflow'")
            .await;
        s.until("select not exists (select from rhythm.live)").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_awaits_the_task_of_another_by_its_task_id_hears_of_its_end() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "shares",
        "try { return await Task.run('shared', {}, {taskId: 'k'}); } catch (e) { return e.cause.name; }",
    )
    .await;
    for end in ["terminate", "cancel"] {
        let first = s.start("shares", "{}").await;
        let second = s.start("shares", "{}").await;
        s.until("select bool_and(confirmed) and count(*) = 1 from rhythm.watchers")
            .await;
        s.run(&format!("select rhythm.{end}('{first}')")).await;
        s.becomes(first, "cancelled").await;
        assert_eq!(s.completed(second).await, json!("CancelledError"), "{end}");
    }
    // The same within one run.
    s.deploy(
        "gives_up",
        "const [one, two] = [1, 2].map(() => Task.run('shared', {}, {taskId: 'k'}));
         await sleep('1s');
         Task.cancel(one);
         try { return await two; } catch (e) { return e.cause?.name ?? e.name; }",
    )
    .await;
    let id = s.start("gives_up", "{}").await;
    advance(&s, "2 seconds").await;
    s.until(&format!(
        "select r.state = 'completed' from rhythm.result('{id}') r"
    ))
    .await;
    assert_eq!(s.completed(id).await, json!("CancelledError"));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_terminated_while_everything_is_paused() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("stubborn", STUBBORN).await;
    let id = s.start("stubborn", "{}").await;
    s.run("select rhythm.pause_all('an incident')").await;
    s.run(&format!("select rhythm.terminate('{id}')")).await;
    assert_eq!(s.state(id).await, "cancelled");
    assert_eq!(s.text("select count(*) from rhythm.live").await, "0");
    s.run("select rhythm.resume_all()").await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_of_what_is_to_begin_later_waits_for_nobody_but_its_holder() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy("later", "await Task.run('begun', {});").await;
    let later = "select rhythm.start('later', delay => '1 day')";
    let held = s.id(later).await;
    other
        .run(&format!(
            "begin; select from rhythm.live where id = '{held}' for update"
        ))
        .await;
    s.run(&format!("select rhythm.cancel('{held}')")).await;
    assert_eq!(s.state(held).await, "scheduled");
    other.run("commit").await;
    s.becomes(held, "cancelled").await;
    // Nor for the time of a transaction that sees nothing new.
    let id = s.id(later).await;
    s.run(&format!(
        "begin isolation level repeatable read; select rhythm.cancel('{id}'); commit"
    ))
    .await;
    s.becomes(id, "cancelled").await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_given_each_before_what_it_started_and_upper_levels_first() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "inner",
        "await Promise.all([Task.run('a', {}), Task.run('b', {})]);",
    )
    .await;
    s.deploy(
        "outer",
        "await Workflow.run('inner', {}); await Task.run('c', {});",
    )
    .await;
    let id = s.start("outer", "{}").await;
    s.until("select count(*) = 2 from rhythm.live where kind = 'task'")
        .await;
    s.work("1").await;
    s.work("1").await;
    s.until("select exists (select from rhythm.live where name = 'c')")
        .await;
    let drawn = |max: &str| {
        format!(
            "select string_agg(repeat('-', depth) || name || ' ' || state, ', ') from rhythm.tree('{id}'{max})"
        )
    };
    assert_eq!(
        s.text(&drawn("")).await,
        "outer waiting, -inner completed, --a completed, --b completed, -c pending"
    );
    assert_eq!(
        s.text(&drawn(", 3")).await,
        "outer waiting, -inner completed, -c pending"
    );
    let wrong = s.fails(&drawn(", 0")).await;
    assert_eq!(wrong.code, "RH002");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workflows_start_at_once_or_none() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("echo", "return Inputs.n;").await;
    let many = "with m as materialized (select * from rhythm.start_many((select jsonb_agg(jsonb_build_object('workflow', 'echo',
        'inputs', jsonb_build_object('n', n), 'task_id', 'k' || n % 90)) from generate_series(1, 100) n)))
        select count(*) || ' ' || count(*) filter (where created) || ' ' || count(distinct id) from m";
    assert_eq!(s.text(many).await, "100 90 90");
    assert_eq!(
        s.text("select count(*) || ' ' || sum((result)::int) from rhythm.executions where state = 'completed'")
            .await,
        format!("90 {}", (1..=90).sum::<i32>())
    );
    for (items, code) in [
        (r#"[{"workflow": "echo"}, {"workflow": "nobody"}]"#, "RH102"),
        (r#"[{"workflow": "echo"}, {"name": "echo"}]"#, "RH003"),
        (r#"[{"workflow": "echo"}, 1]"#, "RH003"),
        (r#"[{"inputs": {}}]"#, "RH003"),
        (r#"[{"workflow": "echo", "start_timeout": "1s"}]"#, "RH003"),
        (r#"{"workflow": "echo"}"#, "RH003"),
    ] {
        let wrong = s
            .fails(&format!("select rhythm.start_many('{items}')"))
            .await;
        assert_eq!(wrong.code, code, "{items}: {}", wrong.message);
    }
    assert_eq!(s.text("select count(*) from rhythm.executions").await, "90");
    assert_eq!(
        s.text("select count(*) from rhythm.start_many('[]')").await,
        "0"
    );
}
