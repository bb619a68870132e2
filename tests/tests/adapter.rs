//! One suite for the workers of all languages: an adapter is done when it passes.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::server::Setup;
use rhythm_tests::worker::{Journal, Language, Start, Worker};
use serde_json::json;

/// The Rust worker, which cargo builds beside this binary.
pub(crate) const RUST_WORKER: &str = env!("CARGO_BIN_EXE_rhythm-test-worker");

/// Makes each test once a language.
macro_rules! in_every_language {
    ($($name:ident)+) => {
        mod python {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Language::Python).await; })+
        }
        mod rust {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Language::Rust).await; })+
        }
    };
}

in_every_language! {
    inputs_and_results_come_through_unchanged
    a_failing_handler_is_retried_and_its_error_is_told
    a_long_handler_keeps_its_lease_and_hears_of_a_cancellation
    a_cancellation_reaches_a_waiting_worker_at_once
    progress_is_seen_and_the_next_attempt_goes_on_from_it
    a_snooze_costs_no_attempt
    a_worker_drains_on_sigterm
    a_worker_survives_a_restart_of_the_server
    a_workflow_goes_through_a_worker
    what_a_claims_commit_waits_for_is_the_workers_choice
}

fn start(language: Language, database: &Database, journal: &Journal, lease: &str) -> Worker {
    let url = database.url();
    Worker::start(
        language,
        RUST_WORKER,
        &Start {
            url: &url,
            journal,
            lease,
            slots: 4,
            relaxed: false,
        },
    )
}

async fn enqueue(s: &Session, task: &str, inputs: &str) -> uuid::Uuid {
    s.id(&format!("select rhythm.enqueue('{task}', '{inputs}')"))
        .await
}

async fn inputs_and_results_come_through_unchanged(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    let _worker = start(language, &database, &journal, "30s");
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    for inputs in [
        r#"{"a": [1, 2.5, null, true], "é": "ü 😀"}"#,
        "null",
        "7",
        "\"text\"",
        "[]",
        &deep,
    ] {
        let id = enqueue(&s, "echo", inputs).await;
        s.until(&format!(
            "select state = 'completed' from rhythm.result('{id}')"
        ))
        .await;
        let result = s
            .text(&format!(
                "select result = inputs from rhythm.executions where id = '{id}'"
            ))
            .await;
        assert_eq!(result, "t", "{inputs}");
    }
}

async fn a_failing_handler_is_retried_and_its_error_is_told(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    let _worker = start(language, &database, &journal, "30s");
    let retry = r#"{"initial": "20ms"}"#;
    let id = s
        .id(&format!(
            "select rhythm.enqueue('fail_n', '{{\"n\": 2}}', retry => '{retry}')"
        ))
        .await;
    assert_eq!(s.completed(id).await, json!({"attempt": 3}));
    let retry = r#"{"initial": "20ms", "maxAttempts": 2}"#;
    let id = s
        .id(&format!(
            "select rhythm.enqueue('fail_n', '{{\"n\": 9}}', retry => '{retry}')"
        ))
        .await;
    let error = s.failed(id).await;
    assert_eq!(
        (&error["name"], &error["message"]),
        (&json!("ValueError"), &json!("attempt 2 fails"))
    );
    if language == Language::Python {
        let stack = error["stack"].as_str().unwrap_or_default();
        assert!(
            stack.contains("fail_n") && stack.contains("handlers.py"),
            "the traceback: {error:#}"
        );
    }
}

async fn a_long_handler_keeps_its_lease_and_hears_of_a_cancellation(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    let _worker = start(language, &database, &journal, "4s");
    let long = enqueue(&s, "heartbeat", r#"{"ms": 9000}"#).await;
    assert_eq!(s.completed(long).await, json!({"cancelled": false}));
    let attempt = format!("select attempt from rhythm.executions where id = '{long}'");
    assert_eq!(s.number(&attempt).await, 1, "its lease was kept");
    let endless = enqueue(&s, "heartbeat", r#"{"ms": 60000}"#).await;
    s.until(&format!(
        "select state = 'running' from rhythm.executions where id = '{endless}'"
    ))
    .await;
    assert_eq!(
        s.text(&format!("select rhythm.cancel('{endless}')")).await,
        "t"
    );
    let (state, result, _) = s.outcome(endless).await;
    assert!(
        state == "cancelled" || result == json!({"cancelled": true}),
        "{state} {result}"
    );
}

async fn a_cancellation_reaches_a_waiting_worker_at_once(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    // A heartbeat every 30 s.
    let _worker = start(language, &database, &journal, "90s");
    let endless = enqueue(&s, "heartbeat", r#"{"ms": 60000}"#).await;
    // It does not care, and must not keep its worker busy.
    let deaf = enqueue(&s, "sleep", r#"{"ms": 8000}"#).await;
    s.until("select count(*) = 2 from rhythm.executions where state = 'running'")
        .await;
    let begun = Instant::now();
    s.run(&format!(
        "select rhythm.cancel('{endless}'), rhythm.cancel('{deaf}')"
    ))
    .await;
    let (state, result, _) = s.outcome(endless).await;
    assert!(
        state == "cancelled" || result == json!({"cancelled": true}),
        "{state} {result}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    let calls = "select xact_commit from pg_stat_database where datname = current_database()";
    s.run("select pg_stat_force_next_flush()").await;
    let before = s.number(calls).await;
    let (state, ..) = s.outcome(deaf).await;
    assert_eq!(
        state, "completed",
        "a handler that ends well in spite of it has done so"
    );
    let made = s.number(calls).await - before;
    // This test's own looks are among them.
    assert!(made < 600, "{made} transactions");
}

async fn progress_is_seen_and_the_next_attempt_goes_on_from_it(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    let mut worker = start(language, &database, &journal, "3s");
    let inputs = r#"{"to": 9, "fails_at": 5}"#;
    let id = s
        .id(&format!(
            "select rhythm.enqueue('count', '{inputs}', retry => '{{\"initial\": \"20ms\"}}')"
        ))
        .await;
    assert_eq!(s.completed(id).await, json!({"attempt": 2, "begun": 5}));
    // What a killed worker had said within the last second may be lost, and nothing else.
    let killed = enqueue(&s, "count", r#"{"to": 7, "ms": 60000}"#).await;
    s.until(&format!(
        "select progress = '7' from rhythm.executions where id = '{killed}'"
    ))
    .await;
    worker.kill();
    // The wait of the killed worker may still be there and take the task once more.
    let mut got = None;
    for _ in 0..4 {
        got = got.or(s
            .maybe("select progress from rhythm.claim('successor', wait => '5s')")
            .await);
    }
    assert_eq!(got.as_deref(), Some("7"), "{killed}");
}

async fn a_snooze_costs_no_attempt(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    let _worker = start(language, &database, &journal, "30s");
    let inputs = r#"{"times": 3, "ms": 30}"#;
    let id = s
        .id(&format!(
            "select rhythm.enqueue('snooze', '{inputs}', retry => '{{\"maxAttempts\": 1}}')"
        ))
        .await;
    assert_eq!(s.completed(id).await, json!({"attempt": 1, "times": 3}));
    let failed = format!("select count(*) from rhythm.attempts where id = '{id}'");
    assert_eq!(s.number(&failed).await, 0);
}

async fn a_worker_drains_on_sigterm(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    let mut worker = start(language, &database, &journal, "30s");
    let mut running = Vec::new();
    for n in 0..4 {
        running.push(enqueue(&s, "effect", &format!("{{\"key\": \"{n}\", \"ms\": 800}}")).await);
    }
    journal.until(4, |note| note.what == "begin").await;
    let later = enqueue(&s, "echo", "1").await;
    worker.drain(Duration::from_secs(20));
    for id in running {
        assert_eq!(s.state(id).await, "completed", "what ran was finished");
    }
    assert!(
        matches!(s.state(later).await.as_str(), "pending" | "completed"),
        "nothing is left leased"
    );
}

async fn a_worker_survives_a_restart_of_the_server(language: Language) {
    let database = Database::alone(Setup::default()).await;
    let journal = Journal::create();
    let _worker = start(language, &database, &journal, "20s");
    let s = database.session().await;
    let before = enqueue(&s, "echo", "1").await;
    s.completed(before).await;
    let across = enqueue(&s, "effect", r#"{"key": "across", "ms": 1500}"#).await;
    journal.until(1, |note| note.what == "begin").await;
    drop(s);
    database.server().stop(Signal::SIGINT);
    database.server().restart().await;
    let s = database.session().await;
    assert_eq!(
        s.completed(across).await,
        json!("across"),
        "its lease outlived the restart"
    );
    assert_eq!(
        s.number(&format!(
            "select attempt from rhythm.executions where id = '{across}'"
        ))
        .await,
        1
    );
    let after = enqueue(&s, "echo", "2").await;
    assert_eq!(s.completed(after).await, json!(2));
}

async fn a_workflow_goes_through_a_worker(language: Language) {
    let database = Database::create().await;
    let s = database.session().await;
    let journal = Journal::create();
    let _worker = start(language, &database, &journal, "30s");
    s.deploy(
        "journey",
        "const all = await Promise.all(Array.from({length: 50}, (_, i) => Task.run('echo', i)));
         let sum = 0; for (const n of all) sum += n;
         for (let i = 0; i < 10; i++) sum = await Task.run('echo', sum + 1);
         return sum;",
    )
    .await;
    let id = s.start("journey", "{}").await;
    assert_eq!(s.completed(id).await, json!(49 * 50 / 2 + 10));
}

async fn what_a_claims_commit_waits_for_is_the_workers_choice(language: Language) {
    for (relaxed, waits) in [(false, "on"), (true, "off")] {
        let database = Database::create().await;
        let s = database.session().await;
        // Of the claim that waited, and of the outcome, which is always waited for.
        s.run(
            "create table waits (state text, commit text);
             create function note_waits() returns trigger language plpgsql security definer as $$ begin
               insert into public.waits values (coalesce(new.state::text, 'ended'), current_setting('synchronous_commit'));
               return null; end $$;
             create trigger waits after update or delete on rhythm.live for each row execute function note_waits()",
        )
        .await;
        let journal = Journal::create();
        let url = database.url();
        let how = Start {
            url: &url,
            journal: &journal,
            lease: "30s",
            slots: 1,
            relaxed,
        };
        let _worker = Worker::start(language, RUST_WORKER, &how);
        s.until("select count(*) = 1 from rhythm.workers where last_seen is not null")
            .await;
        let id = enqueue(&s, "echo", "7").await;
        assert_eq!(s.completed(id).await, json!(7));
        let seen = s
            .text("select string_agg(state || ' ' || commit, ', ') from waits")
            .await;
        assert_eq!(seen, format!("running {waits}, ended on"));
    }
}
