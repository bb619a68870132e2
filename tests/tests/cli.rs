//! The command line against a server: what each verb does, says and exits with. Its texts are in `cli/tests`.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use rhythm_tests::database::Database;
use rhythm_tests::installation::project;
use rhythm_tests::process;
use rhythm_tests::server::Setup;
use serde_json::{Value, json};

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

fn command(database: &Database, arguments: &[&str]) -> Command {
    let mut command = Command::new(project().join("target/release/rhythm"));
    command
        .args(arguments)
        .env("RHYTHM_URL", database.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it on a thread of its own, since the test's session needs this one's runtime.
pub(crate) async fn rhythm(
    database: &Database,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let mut command = command(database, arguments);
    let run = move || told(command.output().expect("it is built"));
    tokio::task::spawn_blocking(run)
        .await
        .expect("it does not panic")
}

fn told(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    (output.status.code(), stdout.trim().to_owned(), stderr)
}

/// What a verb that must do well prints.
pub(crate) async fn says(database: &Database, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = rhythm(database, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {stdout}\n{stderr}");
    stdout
}

pub(crate) async fn json_of(database: &Database, arguments: &[&str]) -> Value {
    let text = says(database, &[&["--json"], arguments].concat()).await;
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_verb_does_its_work() {
    let database = Database::create().await;
    let s = database.session().await;
    let folder = std::env::temp_dir().join(format!("rhythm-cli-{}", std::process::id()));
    process::remove_at_exit(folder.clone());
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    let file = folder.join("order.flow");
    let source =
        "const paid = await Task.run('charge'); return [paid, (await Signal.next('ok')).by];";
    std::fs::write(&file, source).expect("the folder is ours");
    let file = file.to_str().expect("it is text");
    assert_eq!(
        says(&database, &["deploy", file]).await,
        "order is version 1"
    );
    assert_eq!(
        json_of(&database, &["deploy", "--name", "other", file]).await,
        json!([{"name": "other", "version": 1}])
    );

    let run = says(&database, &["start", "order", "{}", "--task-id", "A-1"]).await;
    assert_eq!(
        says(&database, &["start", "order", "{}", "--task-id", "A-1"]).await,
        run
    );
    let waiting = rhythm(&database, &["wait", &run, "--timeout", "50ms"]).await;
    assert_eq!(waiting.0, Some(1), "{}", waiting.2);
    s.work("30").await;
    assert_eq!(
        says(&database, &["signal", &run, "ok", r#"{"by": "Ada"}"#]).await,
        "signal ok is recorded"
    );
    assert_eq!(says(&database, &["wait", &run]).await, r#"[30, "Ada"]"#);
    let shown = says(&database, &["show", "-v", &run]).await;
    for part in [
        "order (workflow, version 1)",
        "└─ charge  completed",
        "timeline from",
        "ok",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colours are for terminals");
    let shown = json_of(&database, &["show", "-v", &run]).await;
    assert_eq!(shown["execution"]["result"], json!([30, "Ada"]));
    assert_eq!(shown["tree"].as_array().map(Vec::len), Some(2));
    assert!(
        shown["timeline"]
            .as_array()
            .is_some_and(|events| events.len() > 3)
    );

    let task = says(
        &database,
        &["enqueue", "mail", "{}", "--queue", "slow", "--delay", "1h"],
    )
    .await;
    let listed = json_of(&database, &["list", "--state", "scheduled"]).await;
    assert_eq!(listed[0]["id"], json!(task));
    says(&database, &["queue", "pause", "slow"]).await;
    let queues = json_of(&database, &["queue", "list"]).await;
    assert_eq!(queues[0]["scheduled"], json!(1));
    assert!(queues[0]["paused_at"].is_string());
    says(&database, &["queue", "resume", "slow"]).await;
    says(&database, &["cancel", &task, "--reason", "enough"]).await;
    let run = says(&database, &["enqueue", "mail", "{}", "--queue", "slow"]).await;
    says(&database, &["terminate", &run, "--reason", "enough"]).await;
    let ended = json_of(&database, &["show", &run]).await;
    assert_eq!(ended["execution"]["error"]["message"], json!("enough"));
    let (code, stdout, stderr) = rhythm(&database, &["--json", "wait", &task]).await;
    assert_eq!(code, Some(1));
    assert_eq!(
        serde_json::from_str::<Value>(&stdout).expect("it is JSON")["state"],
        "cancelled"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&stderr).expect("it is JSON")["error"]["kind"],
        "user"
    );
    says(&database, &["retry", &task]).await;
    s.run(r#"select rhythm.register('w1', '[{"name": "mail"}]')"#)
        .await;
    let workers = json_of(&database, &["worker", "list"]).await;
    let w1 = workers
        .as_array()
        .expect("a list")
        .iter()
        .find(|w| w["name"] == "w1");
    assert_eq!(w1.expect("it is registered")["tasks"], json!(["mail"]));

    let amount = r#"{"type": "object", "properties": {"amount": {"type": "number"}}}"#;
    s.run(&format!(
        "select rhythm.register('w1', '[{{\"name\": \"charge\", \"inputSchema\": {amount}}}]')"
    ))
    .await;
    let tasks = json_of(&database, &["tasks", "charge"]).await;
    assert_eq!(
        tasks[0]["input_schema"]["properties"]["amount"],
        json!({"type": "number"})
    );
    assert_eq!(
        (&tasks[0]["schema_check"], &tasks[0]["workers"]),
        (&json!("warn"), &json!(["w1"]))
    );
    let listed = says(&database, &["tasks"]).await;
    assert!(
        listed.contains("charge") && listed.contains("warn"),
        "{listed}"
    );
    std::fs::write(file, "return await Task.run('charge', {amount: '5'})")
        .expect("the folder is ours");
    let (code, _, warned) = rhythm(&database, &["deploy", file]).await;
    assert_eq!(code, Some(0));
    assert!(
        warned.contains("order.flow:1:42: warning[W0403]: `amount` cannot be"),
        "{warned}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_nobody_serves_is_told_with_those_that_are() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(r#"select rhythm.register('w1', '[{"name": "charge"}]')"#)
        .await;
    s.deploy("order", "await Task.run('chrage');").await;
    let run = s.start("order", "{}").await.to_string();
    let note = "no worker has ever served 'chrage'; known: 'charge'";
    let shown = says(&database, &["show", &run]).await;
    assert!(shown.contains(note), "{shown}");
    let listed = says(&database, &["list", "--name", "chrage"]).await;
    assert!(listed.contains(note), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_follow_the_kind() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("fails", "throw new RangeError('boom')").await;
    s.deploy("ends", "return 1").await;
    let ended = s.start("ends", "{}").await.to_string();
    for (arguments, code, word) in [
        (vec!["start", "fails", "--wait"], 1, "boom"),
        (vec!["start", "nowhere"], 1, "RH102"),
        (vec!["show", NOBODY], 1, "there is no execution"),
        (vec!["wait", NOBODY], 1, "RH301"),
        (vec!["signal", NOBODY, "x"], 1, "RH301"),
        (vec!["cancel", NOBODY], 1, "RH301"),
        (vec!["terminate", NOBODY], 1, "RH301"),
        (vec!["retry", NOBODY], 1, "RH301"),
        (vec!["signal", &ended, "x"], 1, "it has ended"),
        (vec!["cancel", &ended], 1, "it has ended"),
        (vec!["terminate", &ended], 1, "it has ended"),
        (vec!["retry", &ended], 1, "RH302"),
        (vec!["enqueue", ""], 1, "RH002"),
        (vec!["enqueue", "x", "--delay", "soon"], 2, "no duration"),
        (vec!["start", "ends", "{"], 2, "not valid JSON"),
        (
            vec!["--url", "postgresql://postgres@127.0.0.1:1/x", "list"],
            3,
            "127.0.0.1:1",
        ),
    ] {
        let (got, stdout, stderr) = rhythm(&database, &arguments).await;
        assert_eq!(got, Some(code), "{arguments:?}: {stdout}\n{stderr}");
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
        assert!(stdout.is_empty(), "{arguments:?}: {stdout}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_goes_on_through_a_restart_of_the_server() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy("order", "return await Task.run('charge');").await;
    let run = s.start("order", "{}").await.to_string();
    let waiting = process::spawn(command(&database, &["wait", &run]), Signal::SIGTERM);
    let inside = "select exists (select from pg_stat_activity where query like '%rhythm.wait%' and pid <> pg_backend_pid())";
    s.until(inside).await;
    database.server().kill();
    database.server().restart().await;
    let s = database.session().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    s.work("30").await;
    let ended = move || told(waiting.wait_with_output().expect("it is our child"));
    let (code, stdout, stderr) = tokio::task::spawn_blocking(ended)
        .await
        .expect("it does not panic");
    assert_eq!((code, stdout.as_str()), (Some(0), "30"), "{stderr}");
    assert!(stderr.contains("until the server is back"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_are_configured_shown_paused_and_asked_why() {
    let database = Database::create().await;
    let s = database.session().await;
    let arguments = [
        "queue",
        "configure",
        "stripe",
        "--rate-limit",
        "100/sec",
        "--concurrency",
        "5",
        "--concurrency-key",
        "customer.id",
        "--attempt-timeout",
        "90s",
        "--retention",
        "3 days",
        "--retry",
        r#"{"maxAttempts": 3}"#,
        "--result",
        "discard",
        "--priority",
        "-7",
    ];
    let shown = says(&database, &arguments).await;
    for line in [
        "rate_limit           100/sec",
        "attempt_timeout      00:01:30",
        "remember             as long as retention (default)",
    ] {
        assert!(shown.contains(line), "{line} is not in:\n{shown}");
    }
    let settings = json_of(&database, &["queue", "show", "stripe"]).await;
    let of = |name: &str| {
        let all = settings.as_array().expect("a list");
        all.iter()
            .find(|one| one["setting"] == name)
            .expect("it is a setting")
            .clone()
    };
    assert_eq!(
        of("priority"),
        json!({"setting": "priority", "value": "-7", "is_default": false})
    );
    assert_eq!(of("paused")["is_default"], json!(true));
    let shown = says(
        &database,
        &[
            "queue",
            "configure",
            "stripe",
            "--reset",
            "rate_limit,priority",
        ],
    )
    .await;
    assert!(
        shown.contains("rate_limit           none (default)"),
        "{shown}"
    );
    let listed = says(&database, &["queue", "list"]).await;
    assert!(listed.contains("stripe"), "{listed}");

    s.run(r#"select rhythm.register('w1', '["charge"]')"#).await;
    let task = says(
        &database,
        &[
            "enqueue",
            "charge",
            "--queue",
            "stripe",
            "--start-timeout",
            "1h",
            "--remember",
            "30 days",
        ],
    )
    .await;
    let priority = format!("select priority from rhythm.executions where id = '{task}'");
    assert_eq!(
        s.number(&priority).await,
        0,
        "the queue's default was taken away"
    );
    says(
        &database,
        &["queue", "pause", "stripe", "--reason", "audit"],
    )
    .await;
    let why = says(&database, &["why", "--queue", "stripe"]).await;
    assert!(
        why.contains("queue_paused") && why.contains("audit"),
        "{why}"
    );
    let why = json_of(&database, &["why", &task]).await;
    assert_eq!(why["reason"], "queue_paused");
    assert!(why["since"].is_string() && why["hint"].is_string(), "{why}");
    says(&database, &["queue", "resume", "stripe"]).await;

    says(
        &database,
        &["pause", "--task", "charge", "--reason", "wrong amounts"],
    )
    .await;
    assert_eq!(
        json_of(&database, &["why", &task]).await["reason"],
        "task_paused"
    );
    says(&database, &["pause", "--all"]).await;
    let listed = says(&database, &["resume"]).await;
    assert!(
        listed.contains("wrong amounts") && listed.contains("all"),
        "{listed}"
    );
    let left = says(&database, &["resume", "--all"]).await;
    assert!(
        left.contains("charge"),
        "what is paused by itself stays so: {left}"
    );
    says(&database, &["resume", "--task", "charge"]).await;
    assert_eq!(says(&database, &["resume"]).await, "nothing is paused");
    assert_eq!(
        json_of(&database, &["adopt"]).await,
        json!({"adopted": false})
    );
    for (arguments, code, word) in [
        (
            vec!["queue", "configure", "q"],
            2,
            "there is nothing to set",
        ),
        (
            vec!["queue", "configure", "q", "--rate-limit", "fast"],
            1,
            "is not a rate",
        ),
        (
            vec!["queue", "configure", "q", "--result", "burn"],
            2,
            "discard",
        ),
        (vec!["pause"], 2, "--all"),
        (vec!["pause", "--all", "--task", "x"], 2, "cannot be used"),
        (vec!["why"], 2, "--queue"),
        (vec!["why", NOBODY], 1, "RH301"),
        (vec!["retry"], 2, "--all"),
        (vec!["retry", NOBODY, "--queue", "q"], 2, "cannot be used"),
        (vec!["retry", "--queue", "q"], 2, "--all"),
        (vec!["retry", "--all", "--rate", "fast"], 1, "is not a rate"),
    ] {
        let (got, stdout, stderr) = rhythm(&database, &arguments).await;
        assert_eq!(got, Some(code), "{arguments:?}: {stdout}\n{stderr}");
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_shown_and_retried_in_bulk() {
    let database = Database::create().await;
    let s = database.session().await;
    let retry = r#"{"maxAttempts": 2, "delays": ["0s"]}"#;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(
            s.id(&format!(
                "select rhythm.enqueue('mail', '{n}', retry => '{retry}')"
            ))
            .await,
        );
    }
    let first = s.claim_one().await;
    let beat = format!(
        "select status from rhythm.heartbeat('{{{}}}', '{{{}}}', progress => array['{{\"page\": 7}}'::jsonb])",
        first.id, first.token
    );
    assert_eq!(s.text(&beat).await, "ok");
    s.fail(&first, "").await;
    for _ in 0..5 {
        let task = s.claim_one().await;
        s.fail(&task, "").await;
    }
    let shown = says(&database, &["show", &ids[0].to_string()]).await;
    for part in [
        "failed attempts",
        "progress",
        r#"{"page": 7}"#,
        "by tester",
        "worker",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    let shown = json_of(&database, &["show", &ids[0].to_string()]).await;
    assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["execution"]["progress"], json!({"page": 7}));

    let all = [
        "retry", "--all", "--queue", "default", "--name", "mail", "--since", "1h",
    ];
    let dry = says(&database, &[&all[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry, "3 tasks would run again");
    let none = says(
        &database,
        &[&all[..], &["--error", "%no such words%"]].concat(),
    )
    .await;
    assert_eq!(none, "0 tasks again");
    let some = json_of(
        &database,
        &[&all[..], &["--rate", "1/hour", "--max", "2"]].concat(),
    )
    .await;
    assert_eq!(some, json!({"count": 2, "kind": "task", "dry_run": false}));
    let states = "select string_agg(state, ' ' order by state) from rhythm.executions";
    assert_eq!(s.text(states).await, "failed pending scheduled");
    says(&database, &["retry", &ids[2].to_string(), "--delay", "1h"]).await;
    assert_eq!(s.state(ids[2]).await, "scheduled");
}
