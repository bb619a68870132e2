//! The launcher and the workers of the databases: whatever ends them, somebody takes over.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use serde_json::json;

const NAP: &str = "await sleep(Inputs.ms + 'ms'); return 'awake';";

async fn naps(s: &Session, ms: u32) {
    let id = s.start("nap", &format!("{{\"ms\": {ms}}}")).await;
    assert_eq!(s.completed(id).await, json!("awake"));
}

/// A server on which a step may take its time, and a table that says how long `pause` in one takes, in seconds.
async fn with_pauses() -> Database {
    let setup = Setup {
        settings: vec!["rhythm.step_timeout=120s".to_owned()],
        ..Setup::default()
    };
    let database = Database::alone(setup).await;
    let s = database.session().await;
    s.run("create table pause as select 60 as s").await;
    database
}

const PAUSE: &str = "await Sql.query('select 1 from pause, pg_sleep(pause.s)');";

/// From now on nothing pauses; who is in a pause already stays there.
async fn no_pauses(s: &Session) {
    s.run("update pause set s = 0").await;
}

fn running(kind: &str) -> String {
    format!("select count(*) from pg_stat_activity where backend_type = 'rhythm {kind}'")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launcher_and_a_worker_that_are_terminated_come_back_once() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy("nap", NAP).await;
    naps(&s, 50).await;
    for kind in ["launcher", "worker"] {
        let pid = format!("from pg_stat_activity where backend_type = 'rhythm {kind}'");
        // It may be just about to be started.
        s.until(&format!("select exists (select {pid})")).await;
        let pid = s.number(&format!("select pid {pid}")).await;
        s.run(&format!("select pg_terminate_backend({pid})")).await;
        s.until(&format!(
            "select count(*) = 1 from pg_stat_activity where backend_type = 'rhythm {kind}' and pid <> {pid}"
        ))
        .await;
        s.until(&format!("select ({}) = 1", running("worker")))
            .await;
        naps(&s, 50).await;
    }
    // A database that comes later is found too, and no database has two workers.
    let postgres = database.server().session("postgres", "postgres").await;
    postgres.run("create database later").await;
    let later = database.server().session("later", "postgres").await;
    later.run("create extension rhythm").await;
    later.deploy("nap", NAP).await;
    naps(&later, 50).await;
    assert_eq!(s.number(&running("worker")).await, 2);
    assert_eq!(s.number(&running("launcher")).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stops_at_once_also_while_its_worker_is_in_the_middle_of_a_step() {
    let database = with_pauses().await;
    let s = database.session().await;
    s.deploy("slow", &format!("await sleep('50ms'); {PAUSE} return 1;"))
        .await;
    let id = s.start("slow", "{}").await;
    s.until("select count(*) = 1 from pg_stat_activity where backend_type = 'rhythm worker' and wait_event = 'PgSleep'")
        .await;
    no_pauses(&s).await;
    drop(s);
    let begun = Instant::now();
    database.server().stop(Signal::SIGINT);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "the stop took {:?}",
        begun.elapsed()
    );
    database.server().restart().await;
    let s = database.session().await;
    assert_eq!(s.completed(id).await, json!(1), "the step is run again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_killed_in_the_middle_of_a_batch_leaves_nothing_half_done() {
    let database = with_pauses().await;
    let s = database.session().await;
    s.run("create table ledger (n int)").await;
    s.deploy("nap", NAP).await;
    s.deploy(
        "book",
        &format!(
            "const n = await Task.run('a', Inputs.n); await Sql.query('insert into ledger values ($1)', [n]);
             if (n === 5) {{ {PAUSE} }} return n;"
        ),
    )
    .await;
    for n in 0..10 {
        s.start("book", &format!("{{\"n\": {n}}}")).await;
    }
    let tasks = s.claim(10).await;
    let outcomes: Vec<_> = tasks
        .iter()
        .map(|task| json!({"id": task.id, "token": task.token.to_string(), "result": task.inputs}))
        .collect();
    let finish = format!("select rhythm.finish('tester', '{}')", json!(outcomes));
    let pid = s.number("select pg_backend_pid()").await;
    let other = database.session().await;
    let (failure, ()) = tokio::join!(s.fails(&finish), async {
        other
            .until(&format!(
                "select wait_event = 'PgSleep' from pg_stat_activity where pid = {pid}"
            ))
            .await;
        no_pauses(&other).await;
        let pid = u32::try_from(pid).expect("a pid");
        database.server().kill_one(pid).await;
    });
    assert!(
        failure.code.starts_with("08") || failure.code.starts_with("57P"),
        "{failure:?}"
    );
    let s = database.session().await;
    assert_eq!(s.number("select count(*) from ledger").await, 0);
    assert_eq!(
        s.number("select count(*) from rhythm.executions where state = 'running'")
            .await,
        10,
        "the leases are as they were"
    );
    naps(&s, 50).await;
    s.run(&finish).await;
    s.until("select count(*) = 10 from ledger").await;
    s.until("select count(*) = 11 from rhythm.executions where kind = 'workflow' and state = 'completed'")
        .await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_take_turns_when_worker_processes_are_short() {
    // One slot for the server's own launcher, one for Rhythm's, one for all the rest.
    let setup = Setup {
        settings: vec!["max_worker_processes=3".to_owned()],
        ..Setup::default()
    };
    let database = Database::alone(setup).await;
    let first = database.session().await;
    first.run("create database other").await;
    let second = database.server().session("other", "postgres").await;
    second.run("create extension rhythm").await;
    let mut ids = Vec::new();
    for s in [&first, &second] {
        s.deploy("nap", NAP).await;
        ids.push(s.start("nap", r#"{"ms": 100}"#).await);
    }
    assert_eq!(first.completed(ids[0]).await, json!("awake"));
    assert_eq!(second.completed(ids[1]).await, json!("awake"));
    assert!(
        database
            .server()
            .log()
            .contains("no background worker slot is free"),
        "the log says so"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_read_again_and_the_extension_can_be_dropped_while_somebody_waits() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy("spin", "await sleep(0); let n = 0; for (;;) n++;")
        .await;
    s.run("alter system set rhythm.step_fuel = 1000").await;
    s.run("select pg_reload_conf()").await;
    let id = s.start("spin", "{}").await;
    assert_eq!(s.failed(id).await["code"], json!("rhythm.step_fuel"));

    // The worker steps whatever isolation the sessions of its database have.
    s.run(&format!(
        "alter database {} set default_transaction_isolation = 'serializable';
         alter database {0} set default_transaction_read_only = on;
         select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'rhythm worker'",
        database.name()
    ))
    .await;
    s.deploy("nap", NAP).await;
    naps(&s, 50).await;
    s.run(&format!("alter database {} reset all", database.name()))
        .await;

    let waiting = database.session().await;
    let waiting = tokio::spawn(async move {
        waiting
            .attempt("select * from rhythm.claim('w', wait => '5s')")
            .await
    });
    s.until("select count(*) = 1 from pg_stat_activity where wait_event_type = 'Extension' and backend_type = 'client backend'")
        .await;
    s.run("drop extension rhythm").await;
    // It ends its wait, empty; the drop waited for it.
    assert!(
        waiting
            .await
            .expect("it ends")
            .is_ok_and(|rows| rows.is_empty())
    );
    s.until(&format!("select ({}) = 0", running("worker")))
        .await;
    s.run("create extension rhythm").await;
    s.deploy("nap", NAP).await;
    naps(&s, 50).await;
}
