//! A run stays on the version it started with, and a restart of the server between any two awaits changes nothing.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session, literal};
use rhythm_tests::installation::project;
use rhythm_tests::invariant::{nothing_is_left, report};
use rhythm_tests::server::Setup;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_does_not_touch_runs_of_the_old_one() {
    let database = Database::create().await;
    let s = database.session().await;
    let first = "const a = await Task.run('a'); const b = await Task.run('b'); return ['old', a, b, Context.version];";
    assert_eq!(s.deploy("flow", first).await, 1);
    let old = s.start("flow", "{}").await;
    assert_eq!(
        s.deploy("flow", first).await,
        1,
        "the same source is the same version"
    );
    assert_eq!(
        s.deploy("flow", "return ['new', Context.version];").await,
        2
    );
    let new = s.start("flow", "{}").await;
    assert_eq!(s.completed(new).await, json!(["new", 2]));
    s.work("1").await;
    // In a backend that has never seen the old program.
    database.session().await.work("2").await;
    assert_eq!(s.completed(old).await, json!(["old", 1, 2, 1]));
    let version = format!("select version from rhythm.executions where id = '{old}'");
    assert_eq!(s.number(&version).await, 1);
}

/// What a conformance program says about itself in its head: `// key: value`.
fn said(source: &str, key: &str) -> Option<String> {
    let start = format!("// {key}:");
    source
        .lines()
        .find_map(|line| line.trim().strip_prefix(&start))
        .map(|text| text.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_between_any_two_awaits_of_the_longest_program_changes_nothing() {
    let path = project().join("tests/conformance/host/long_journey.flow");
    let source =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let inputs = said(&source, "inputs").unwrap_or_else(|| "{}".to_owned());
    let expected: Value =
        serde_json::from_str(&said(&source, "result").expect("it has a result")).expect("JSON");

    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy("long-journey", &source).await;
    let id = s.start("long-journey", &inputs).await;
    drop(s);
    let mut restarts = 0;
    loop {
        if restarts % 2 == 0 {
            database.server().kill_all();
        } else {
            database.server().stop(nix::sys::signal::Signal::SIGINT);
        }
        database.server().restart().await;
        restarts += 1;
        let s = database.session().await;
        match s.state(id).await.as_str() {
            "waiting" => advance_by_one(&s, &source).await,
            _ => break,
        }
        assert!(restarts < 200, "it does not end");
    }
    let s = database.session().await;
    assert_eq!(s.completed(id).await, expected);
    report(&format!(
        "the longest program went through {restarts} restarts"
    ));
    nothing_is_left(&s).await;
}

/// Settles one thing that the program awaits: a task, as its double in the head of the program says, or time.
async fn advance_by_one(s: &Session, source: &str) {
    // A step that the background worker has been left with comes first, or time would pass where a task was to be done.
    s.until(
        "select not exists (select from rhythm.runnable) and not exists (select from rhythm.timers where due_at <= rhythm._now())",
    )
    .await;
    let Some(task) = s.claim(1).await.pop() else {
        let tasks = "select count(*) from rhythm.live where kind = 'task' and state = 'pending'";
        if s.number(tasks).await == 0 {
            advance(s, "1 day").await;
        }
        return;
    };
    // Doubles are functions in Flow, so Flow plays them.
    let double = said(source, &format!("task {}", task.name));
    let double = double.unwrap_or_else(|| panic!("no double of task {}", task.name));
    s.deploy(
        "double",
        &format!("const double = {double}; return await double(Inputs);"),
    )
    .await;
    let played = s.start("double", &task.inputs.to_string()).await;
    let (state, result, error) = s.outcome(played).await;
    if state == "completed" {
        assert!(s.complete(&task, &result.to_string()).await);
    } else {
        let error =
            literal(&json!({"name": error["name"], "message": error["message"]}).to_string());
        s.run(&format!(
            "select rhythm.fail('{}', {}, {error}, retryable => false)",
            task.id, task.token
        ))
        .await;
    }
}
