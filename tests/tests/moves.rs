//! A run goes on in another version where it could have come to its state there, and nowhere else.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;
use uuid::Uuid;

const OLD: &str = "\
const first = await Task.run('first');
await Sql.exec('insert into effects values ($1)', ['before']);
const second = await Task.run('second');
return ['old', first, second, Context.version];
";

fn go(id: Uuid) -> String {
    format!("select rhythm.move('{id}')")
}

/// A run that waits for its second task.
async fn waiting(s: &Session) -> Uuid {
    let id = s.start("order", "{}").await;
    s.work("1").await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_with_the_code_behind_its_await() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table effects (what text)").await;
    s.deploy("order", OLD).await;
    let id = waiting(&s).await;
    let new = OLD
        .replace("first", "premier")
        .replace("Task.run('premier')", "Task.run('first')")
        .replace(
            "return ['old'",
            "const third = await Task.run('third');\nreturn ['new', third",
        );
    assert_eq!(s.deploy("order", &new).await, 2);
    assert_eq!(s.number(&go(id)).await, 2);
    assert_eq!(s.number(&go(id)).await, 2, "it is there");
    let version = format!("select version from rhythm.executions where id = '{id}'");
    assert_eq!(s.number(&version).await, 2);
    let told = format!(
        "select data ->> 'from' || ' to ' || (data ->> 'to') from rhythm.timeline('{id}') where event = 'moved'"
    );
    assert_eq!(s.text(&told).await, "1 to 2");
    s.work("2").await;
    s.work("3").await;
    // In a backend that has never seen either.
    assert_eq!(
        database.session().await.completed(id).await,
        json!(["new", 3, 1, 2, 2])
    );
    assert_eq!(s.number("select count(*) from effects").await, 1);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_did_something_else_is_refused_with_the_lines() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table effects (what text)").await;
    s.deploy("order", OLD).await;
    let id = waiting(&s).await;
    let new = format!(
        "// Moved down by a comment.\n{}",
        OLD.replace("'before'", "'earlier'")
    );
    s.deploy("order", &new).await;
    let refused = s.fails(&go(id)).await;
    assert_eq!(refused.code, "RH342", "{refused:?}");
    assert!(
        refused.detail.contains("order.flow:2:") && refused.detail.contains("order.flow:3:"),
        "{refused:?}"
    );
    assert!(
        refused.detail.contains("version 1") && refused.detail.contains("version 2"),
        "{refused:?}"
    );
    s.work("2").await;
    assert_eq!(s.completed(id).await, json!(["old", 1, 2, 1]));
    assert_eq!(s.fails(&go(id)).await.code, "RH341", "it has ended");

    let cases = [
        (format!("select rhythm.move('{id}', 9)"), "RH344"),
        (go(Uuid::nil()), "RH301"),
        (go(s.id("select rhythm.enqueue('a')").await), "RH341"),
    ];
    for (call, code) in cases {
        let refused = s.fails(&call).await;
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(!refused.hint.is_empty(), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_recorded_for_a_run_goes_along() {
    let database = Database::create().await;
    let s = database.session().await;
    let old =
        "const [a, b] = await Promise.all([Signal.next('go'), sleep('1h').then(() => 'slept')]);
               return [a, b];";
    s.deploy("waits", old).await;
    s.deploy("waits", &old.replace("return [a, b]", "return {a, b}"))
        .await;
    let id = s.id("select rhythm.start('waits')").await;
    let old_run = s.id("select rhythm.start('waits')").await;
    s.run(&format!("select rhythm.move('{id}', 1)")).await;
    s.run(&format!("select rhythm.signal('{id}', 'go', '1')"))
        .await;
    assert_eq!(s.number(&go(id)).await, 2);
    s.run(&format!("select rhythm.move('{old_run}', 1)")).await;
    s.run(&format!("select rhythm.signal('{old_run}', 'go', '1')"))
        .await;
    advance(&s, "61 minutes").await;
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!({"a": 1, "b": "slept"}));
    s.becomes(old_run, "completed").await;
    assert_eq!(s.completed(old_run).await, json!([1, "slept"]));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_is_retried_on_the_version_that_mends_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table effects (what text)").await;
    s.deploy(
        "order",
        &OLD.replace("return", "oops.x = 1;\nreturn")
            .replace("const first", "const oops = null;\nconst first"),
    )
    .await;
    let id = waiting(&s).await;
    s.work("2").await;
    s.failed(id).await;
    let mended = OLD
        .replace("return", "if (oops) oops.x = 1;\nreturn")
        .replace("const first", "const oops = null;\nconst first");
    s.deploy("order", &mended).await;
    assert_eq!(
        s.id(&format!("select rhythm.retry('{id}', version => 0)"))
            .await,
        id
    );
    assert_eq!(s.completed(id).await, json!(["old", 1, 2, 2]));
    assert_eq!(s.number("select count(*) from effects").await, 1);

    // One that failed in its first step has done nothing: any version will do whose inputs it has.
    s.deploy("first", "throw new Error('no');").await;
    let id = s.start("first", r#"{"n": 1}"#).await;
    s.failed(id).await;
    s.deploy(
        "first",
        "/** @param {{n: string}} Inputs */\nreturn Inputs.n;",
    )
    .await;
    let refused = s
        .fails(&format!("select rhythm.retry('{id}', version => 2)"))
        .await;
    assert_eq!(refused.code, "RH342", "{refused:?}");
    assert_eq!(s.state(id).await, "failed");
    s.deploy(
        "first",
        "/** @param {{n: number}} Inputs */\nreturn Inputs.n;",
    )
    .await;
    s.run(&format!("select rhythm.retry('{id}', version => 3)"))
        .await;
    assert_eq!(s.completed(id).await, json!(1));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_are_moved_each_that_can() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table effects (what text)").await;
    s.deploy("order", OLD).await;
    let mut early = Vec::new();
    for _ in 0..3 {
        early.push(s.start("order", "{}").await);
    }
    // One has gone on, and has done what the new version does otherwise.
    s.work("1").await;
    let late = s
        .id("select parent_id from rhythm.executions where kind = 'task' and name = 'second'")
        .await;
    s.deploy(
        "order",
        &OLD.replace("'before'", "'earlier'")
            .replace("'old'", "'new'"),
    )
    .await;
    let moved = |more: &str| {
        format!(
            "select outcome || ' ' || count(*) || coalesce(' ' || max(old_place), '')
             from rhythm.move_many('order'{more}) group by outcome order by 1"
        )
    };
    let lines = |rows: Vec<Vec<Option<String>>>| -> Vec<String> {
        rows.into_iter().flatten().flatten().collect()
    };
    let dry = lines(s.rows(&moved(", dry_run => true")).await);
    assert_eq!(dry.len(), 2, "{dry:?}");
    assert_eq!(dry[0], "moved 2");
    assert!(dry[1].starts_with("refused 1 order.flow:2:"), "{dry:?}");
    let of_old = "select runs from rhythm.versions where workflow = 'order' and version = 1";
    assert_eq!(s.number(of_old).await, 3, "a dry run moves none");

    // What somebody steps just now is left for later.
    let busy = early.iter().find(|id| **id != late).expect("two others");
    let other = database.session().await;
    other
        .run(&format!(
            "begin; select from rhythm.live where id = '{busy}' for update"
        ))
        .await;
    let real = lines(s.rows(&moved("")).await);
    assert_eq!(real.len(), 3, "{real:?}");
    assert_eq!(s.fails(&go(*busy)).await.code, "RH343");
    other.run("rollback").await;
    let after = format!(", max => 1, after => '{}'", Uuid::nil());
    s.rows(&moved(&after)).await;
    s.rows(&moved("")).await;
    assert_eq!(s.number(of_old).await, 1);
    for _ in 0..5 {
        s.work("1").await;
    }
    for id in early {
        let expected = if id == late { "old" } else { "new" };
        assert_eq!(s.completed(id).await[0], json!(expected));
    }
    let effects = "select string_agg(what, ' ' order by what) from effects";
    assert_eq!(s.text(effects).await, "before earlier earlier");
    nothing_is_left(&s).await;
}
