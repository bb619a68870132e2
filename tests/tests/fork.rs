//! A new run begins where an earlier step of another has left it: what had happened is not done again, what comes after is its own.

use std::sync::Arc;

use rhythm_tests::clock::{advance, retain};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use rhythm_tests::race::race;
use serde_json::json;
use uuid::Uuid;

/// Two tasks, each with an effect behind it.
const ORDER: &str = "\
const first = await Task.run('first');
await Sql.exec('insert into effects values ($1)', ['first']);
const second = await Task.run('second', {first});
await Sql.exec('insert into effects values ($1)', ['second']);
if (second === 'bad') throw new Error('bad');
return [first, second, Context.executionId, Context.taskId];
";

/// A session whose steps keep so many states.
pub(crate) async fn keeping(database: &Database, most: i32) -> Session {
    let s = database.session().await;
    s.run(&format!("set rhythm.kept_states = {most}")).await;
    s
}

pub(crate) fn fork(id: Uuid, step: i32) -> String {
    format!("select rhythm.fork('{id}', {step})")
}

/// What `states` says, a line each.
pub(crate) async fn states(s: &Session, id: Uuid) -> String {
    s.text(&format!(
        "select coalesce(string_agg(concat_ws(' ', step, place, waits_for), '; ' order by step), '') from rhythm.states('{id}')"
    ))
    .await
}

async fn ordered(database: &Database) -> Session {
    let s = keeping(database, 10).await;
    s.run("create table effects (what text)").await;
    s.deploy("order", ORDER).await;
    s
}

async fn effects(s: &Session) -> String {
    s.text("select string_agg(what || ' ' || n, ', ' order by what) from (select what, count(*) as n from effects group by what) e")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_is_not_done_again_and_what_comes_after_is() {
    let database = Database::create().await;
    let s = ordered(&database).await;
    let id = s.start("order", "{}").await;
    s.work("1").await;
    s.work("2").await;
    assert_eq!(s.completed(id).await, json!([1, 2, id, null]));
    assert_eq!(
        states(&s, id).await,
        "1 order.flow:1:15 task 'first'; 2 order.flow:3:16 task 'second'"
    );

    // The second task has ended since: its outcome is there, and the fork needs nobody.
    let late = s.id(&fork(id, 2)).await;
    assert_ne!(late, id);
    assert_eq!(s.completed(late).await, json!([1, 2, late, null]));
    assert_eq!(effects(&s).await, "first 1, second 2");

    // From before the first: its outcome is there, the second task is another one.
    let call = format!("select rhythm.fork('{id}', 1, task_id => 'again')");
    let early = s.id(&call).await;
    assert_eq!(effects(&s).await, "first 2, second 2");
    s.work("5").await;
    assert_eq!(s.completed(early).await, json!([1, 5, early, "again"]));
    assert_eq!(effects(&s).await, "first 2, second 3");
    let runs = "select string_agg(name || ' ' || n, ', ' order by name) from (
      select name, count(*) as n from rhythm.executions where kind = 'task' group by name) t";
    assert_eq!(s.text(runs).await, "first 1, second 2");

    // The same call gives the same run; another step is another one.
    assert_eq!(s.id(&call).await, early);
    let other = s.fails(&call.replace(", 1,", ", 2,")).await;
    assert_eq!(other.code, "RH304", "{other:?}");

    let told = format!(
        "select string_agg(event || ' ' || (data ->> 'id') || ' ' || (data ->> 'step'), ', ' order by at)
         from rhythm.timeline('{id}') where event = 'forked'"
    );
    assert_eq!(
        s.text(&told).await,
        format!("forked {late} 2, forked {early} 1")
    );
    let told = format!(
        "select string_agg(concat_ws(' ', event, name, data ->> 'settled', data ->> 'started'), ', ') from rhythm.timeline('{early}')
         where event not in ('created', 'started')"
    );
    assert_eq!(
        s.text(&told).await,
        "forked_from postgres 1 0, task_created second, task_completed second, completed order"
    );
    let tree = format!("select string_agg(name, ', ') from rhythm.tree('{early}')");
    assert_eq!(s.text(&tree).await, "order, second");
    // A fork has states, too, and can be forked.
    assert_eq!(states(&s, early).await, "1 order.flow:3:16 task 'second'");
    let of_fork = s.id(&fork(early, 1)).await;
    assert_eq!(s.completed(of_fork).await, json!([1, 5, of_fork, null]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_is_forked_and_stays_as_it_is() {
    let database = Database::create().await;
    let s = ordered(&database).await;
    let id = s.start("order", "{}").await;
    s.work("1").await;
    s.work("\"bad\"").await;
    s.failed(id).await;
    // What had come of the second task comes of it again.
    let late = s.id(&fork(id, 2)).await;
    assert_eq!(s.failed(late).await["message"], "bad");
    let early = s.id(&fork(id, 1)).await;
    s.work("\"good\"").await;
    assert_eq!(s.completed(early).await, json!([1, "good", early, null]));
    s.failed(id).await;

    // On the version that mends it: from where it is the same.
    s.deploy(
        "order",
        &ORDER.replace("throw new Error('bad')", "return 'mended'"),
    )
    .await;
    let call = format!("select rhythm.fork('{id}', 2, version => 0)");
    let mended = s.id(&call).await;
    assert_eq!(s.completed(mended).await, json!("mended"));
    let version = format!("select version from rhythm.executions where id = '{mended}'");
    assert_eq!(s.number(&version).await, 2);
    s.deploy("order", &ORDER.replace("'first');", "'other');"))
        .await;
    let refused = s.fails(&call).await;
    assert!(
        refused.code == "RH342" && refused.detail.contains("order.flow:1:"),
        "{refused:?}"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_run_and_its_fork_go_on_by_themselves() {
    let database = Database::create().await;
    let s = ordered(&database).await;
    let id = s.start("order", "{}").await;
    let held = s.claim_one().await;
    let other = s.id(&fork(id, 1)).await;
    let own = s.claim_one().await;
    assert_eq!(own.name, "first");
    assert!(s.complete(&own, "10").await);
    s.work("20").await;
    assert_eq!(s.completed(other).await, json!([10, 20, other, null]));
    assert_eq!(s.state(id).await, "waiting");
    assert!(s.complete(&held, "1").await);
    s.work("2").await;
    assert_eq!(s.completed(id).await, json!([1, 2, id, null]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_states_are_kept_as_the_setting_says_and_none_without_it() {
    let database = Database::create().await;
    let s = keeping(&database, 3).await;
    s.deploy(
        "count",
        "for (let n = 0; n < 20; n++) { Context.set('n', n); await Signal.next('go'); }",
    )
    .await;
    let id = s.start("count", "{}").await;
    let go = format!("select rhythm.signal('{id}', 'go')");
    let steps = format!(
        "select coalesce(string_agg(step::text, ' ' order by step), '') from rhythm.earlier_saves where execution_id = '{id}'"
    );
    for _ in 0..5 {
        s.run(&go).await;
    }
    assert_eq!(s.text(&steps).await, "4 5 6");
    assert!(
        states(&s, id)
            .await
            .starts_with("4 count.flow:1:53 the signal go; 5 "),
        "{}",
        states(&s, id).await
    );
    // It has published what the other had at that step.
    let fourth = s.id(&fork(id, 4)).await;
    assert_eq!(
        s.text(&format!("select rhythm.attributes('{fourth}')"))
            .await,
        r#"{"n": 3}"#
    );
    let gone = s.fails(&fork(id, 3)).await;
    assert_eq!(gone.code, "RH350", "{gone:?}");
    assert!(gone.detail.contains("4 to 6"), "{gone:?}");
    s.run("set rhythm.kept_states = 1").await;
    s.run(&go).await;
    assert_eq!(s.text(&steps).await, "7");

    // Without it nothing is written, nor asked.
    s.run("set rhythm.kept_states = 0; set track_functions = 'all'")
        .await;
    let bare = s.start("count", "{}").await;
    s.run(&go).await;
    s.run(&format!("select rhythm.signal('{bare}', 'go')"))
        .await;
    s.run("select pg_stat_force_next_flush()").await;
    let calls = "select count(*) from pg_stat_user_functions where funcname in ('_keep_states', '_write_steps')";
    assert_eq!(s.number(calls).await, 1, "only _write_steps was called");
    assert_eq!(s.text(&steps).await, "7");
    let none = s.fails(&fork(bare, 1)).await;
    assert!(
        none.code == "RH350" && none.hint.contains("rhythm.kept_states"),
        "{none:?}"
    );
    let rows = format!("select count(*) from rhythm.earlier_saves where execution_id = '{bare}'");
    assert_eq!(s.number(&rows).await, 0);

    // With it, what cleans up is not kept, nor what has no history.
    s.run("set rhythm.kept_states = 3; select rhythm.configure_queue('none', retention => '0')")
        .await;
    s.deploy("unkept", "await Signal.next('a'); return 1;")
        .await;
    let unkept = s.id("select rhythm.start('unkept', queue => 'none')").await;
    s.deploy(
        "cleans",
        "try { await Signal.next('a'); } finally { await Task.run('tidy'); }",
    )
    .await;
    let cleans = s.start("cleans", "{}").await;
    s.run(&format!("select rhythm.cancel('{cleans}')")).await;
    s.work("1").await;
    let rows = format!(
        "select string_agg(step::text, ' ') from rhythm.earlier_saves where execution_id in ('{unkept}', '{cleans}')"
    );
    assert_eq!(s.text(&rows).await, "1");
    for one in [id, bare, unkept, fourth] {
        s.run(&format!("select rhythm.terminate('{one}')")).await;
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_go_with_the_run_and_not_before() {
    let database = Database::create().await;
    let s = ordered(&database).await;
    let id = s.start("order", "{}").await;
    s.work("1").await;
    s.work("2").await;
    s.completed(id).await;
    advance(&s, "20 days").await;
    retain(&s).await;
    let late = s.id(&fork(id, 2)).await;
    s.completed(late).await;
    advance(&s, "30 days").await;
    retain(&s).await;
    assert_eq!(
        s.number("select count(*) from rhythm.earlier_saves").await,
        0
    );
    let gone = s.fails(&fork(id, 2)).await;
    assert_eq!(gone.code, "RH301", "{gone:?}");

    // One that was to be kept while it ran, and then was not.
    s.run("select rhythm.configure_queue('turn', retention => '1 day')")
        .await;
    let turns = s.id("select rhythm.start('order', queue => 'turn')").await;
    s.run("select rhythm.configure_queue('turn', retention => '0')")
        .await;
    s.run(&format!("select rhythm.terminate('{turns}')")).await;
    retain(&s).await;
    assert_eq!(
        s.number("select count(*) from rhythm.earlier_saves").await,
        0
    );
    // And by hand.
    let id = s.start("order", "{}").await;
    s.run(&format!("select rhythm.terminate('{id}')")).await;
    s.run("select rhythm.cleanup('0')").await;
    assert_eq!(
        s.number("select count(*) from rhythm.earlier_saves").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_forked_is_refused_with_a_hint() {
    let database = Database::create().await;
    let s = ordered(&database).await;
    let id = s.start("order", "{}").await;
    let task = s.work("1").await;
    let cases = [
        (fork(Uuid::nil(), 1), "RH301"),
        (fork(task.id, 1), "RH341"),
        (fork(id, 3), "RH350"),
        (fork(id, 0), "RH350"),
        (
            format!("select rhythm.fork('{id}', 1, version => 7)"),
            "RH344",
        ),
        (
            format!("select rhythm.fork('{id}', 1, task_id => '')"),
            "RH002",
        ),
    ];
    for (call, code) in cases {
        let refused = s.fails(&call).await;
        assert_eq!(refused.code, code, "{call}: {refused:?}");
        assert!(!refused.hint.is_empty(), "{refused:?}");
    }
    // Retired, a workflow is started no more; undeployed, a version is not.
    s.run("select rhythm.retire('order', 'over')").await;
    let retired = s.fails(&fork(id, 1)).await;
    assert!(
        retired.code == "RH345" && retired.detail.contains("over"),
        "{retired:?}"
    );
    s.run("select rhythm.unretire('order')").await;
    s.deploy("order", &ORDER.replace("bad", "evil")).await;
    s.run(&format!("select rhythm.terminate('{id}')")).await;
    s.run("select rhythm.undeploy('order', 1)").await;
    let undeployed = s.fails(&fork(id, 1)).await;
    assert_eq!(undeployed.code, "RH344", "{undeployed:?}");
    let newer = s
        .id(&format!("select rhythm.fork('{id}', 2, version => 0)"))
        .await;
    s.work("2").await;
    s.completed(newer).await;
    // An older version may run its SQL as somebody with more rights.
    s.run(
        "do $$ begin create role forker login in role rhythm_client; exception when duplicate_object then null; end $$",
    )
    .await;
    let client = database.session_as("forker").await;
    let refused = client.fails(&fork(id, 2)).await;
    assert_eq!(refused.code, "42501", "{refused:?}");
    assert_eq!(
        client
            .number(&format!("select count(*) from rhythm.states('{id}')"))
            .await,
        2
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_sessions_fork_a_run_that_goes_on() {
    const TASKS: i64 = 20;
    let database = Arc::new(Database::create().await);
    let s = keeping(&database, 100).await;
    s.deploy(
        "count",
        "const got = []; while (got.length < Inputs) got.push(await Task.run('turn', got.length)); return got;",
    )
    .await;
    let id = s.start("count", &TASKS.to_string()).await;
    let forks: Vec<Vec<Uuid>> = race(17, |i, start| {
        let database = Arc::clone(&database);
        async move {
            let s = keeping(&database, 100).await;
            let state =
                format!("select max(step) from rhythm.earlier_saves where execution_id = '{id}'");
            start.wait().await;
            let mut made = Vec::new();
            if i == 0 {
                while s.state(id).await == "waiting" {
                    for task in s.claim(1).await {
                        assert!(s.complete(&task, &json!(task.id).to_string()).await);
                    }
                }
                return made;
            }
            // The newest state, which is about to be an old one.
            for _ in 0..3 {
                let step = i32::try_from(s.number(&state).await).expect("a small number");
                made.push(s.id(&fork(id, step)).await);
            }
            made
        }
    })
    .await;
    loop {
        let tasks = s.claim(100).await;
        for task in &tasks {
            assert!(s.complete(task, &json!(task.id).to_string()).await);
        }
        if tasks.is_empty() && s.number("select count(*) from rhythm.live").await == 0 {
            break;
        }
    }
    let result = s.completed(id).await;
    let old = result.as_array().expect("a list");
    assert_eq!(old.len() as i64, TASKS);
    let forks: Vec<Uuid> = forks.into_iter().flatten().collect();
    assert_eq!(forks.len(), 48);
    for fork in forks {
        // What was there at the state, or has ended since, is the old run's; what comes after is done for the fork, once.
        let known = s
            .number(&format!(
                "select (data ->> 'step')::int - 1 + (data ->> 'settled')::int from rhythm.timeline('{fork}') where event = 'forked_from'"
            ))
            .await;
        let result = s.completed(fork).await;
        let new = result.as_array().expect("a list");
        assert_eq!(new.len() as i64, TASKS);
        for (at, (new, old)) in new.iter().zip(old).enumerate() {
            assert_eq!(new == old, (at as i64) < known, "result {at} of {fork}");
        }
        let own = format!("select count(*) from rhythm.executions where parent_id = '{fork}'");
        assert_eq!(s.number(&own).await, TASKS - known);
    }
    // What the old run has done, it has done once.
    let own = format!("select count(*) from rhythm.executions where parent_id = '{id}'");
    assert_eq!(s.number(&own).await, TASKS);
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}
