//! Requests: signals that a workflow answers, and the callers that wait for the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rhythm_tests::clock;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left, report};
use rhythm_tests::race::race;
use rhythm_tests::server::Setup;
use serde_json::{Value, json};
use uuid::Uuid;

const COUNTER: &str = "
    let total = 0;
    for (;;) {
      const request = await Signal.request('add');
      if (request.payload === 'end') return total;
      total += request.payload;
      request.reply({total});
    }
";

fn call(id: Uuid, name: &str, payload: &str, timeout: &str) -> String {
    format!("call rhythm.call('{id}', '{name}', '{payload}', '{timeout}')")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_gets_what_the_workflow_answers() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("counter", COUNTER).await;
    let id = s.start("counter", "{}").await;
    assert_eq!(
        s.json(&call(id, "add", "2", "10s")).await,
        json!({"total": 2})
    );
    assert_eq!(
        s.json(&call(id, "add", "3", "10s")).await,
        json!({"total": 5})
    );
    // A plain signal comes as a request that nobody waits for, and a request to Signal.next as its payload.
    s.run(&format!("select rhythm.signal('{id}', 'add', '4')"))
        .await;
    assert_eq!(
        s.json(&call(id, "add", "1", "10s")).await,
        json!({"total": 10})
    );
    let ended = s.fails(&call(id, "add", "\"end\"", "10s")).await;
    assert_eq!(ended.code, "RH307", "{ended:?}");
    assert!(ended.message.contains("completed"), "{ended:?}");
    assert_eq!(s.completed(id).await, json!(10));
    assert_eq!(s.fails(&call(id, "add", "1", "10s")).await.code, "RH307");
    let nobody = Uuid::nil();
    assert_eq!(s.fails(&call(nobody, "add", "1", "1s")).await.code, "RH301");
    clock::advance(&s, "1 day").await;
    s.until("select count(*) = 0 from rhythm.requests").await;
    nothing_is_left(&s).await;
}

/// The answer takes a task, a timer and another step: it comes from another transaction, which wakes the caller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_waits_without_polling_until_a_later_step_answers() {
    let database = Database::create_quiet().await;
    let (s, caller) = (database.session().await, database.session().await);
    s.deploy(
        "slow",
        "const request = await Signal.request('ask', {timeout: '1h'});
         const answer = await Task.run('look', request.payload);
         request.reply(answer);
         request.reply('the first answer stays');
         await Task.run('more');",
    )
    .await;
    let id = s.start("slow", "{}").await;
    let waiting = tokio::spawn(async move {
        let got = caller.json(&call(id, "ask", "7", "60s")).await;
        (got, Instant::now())
    });
    let task = s.claim_one().await;
    assert_eq!(task.inputs, json!(7));
    let waits = "select count(*) = 1 from pg_stat_activity where datname = current_database() and wait_event in ('RhythmWait', 'Extension') and query like 'call%'";
    s.until(waits).await;
    let calls = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
    s.run("select pg_stat_force_next_flush()").await;
    // Autovacuum has some too, now and then.
    let mut made = Vec::new();
    while made.last().is_none_or(|n| *n >= 10) {
        assert!(made.len() < 3, "{made:?} transactions in 2 s");
        let before = s.number(calls).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        made.push(s.number(calls).await - before);
    }
    let answered = Instant::now();
    s.complete(&task, "{\"found\": true}").await;
    let (got, when) = waiting.await.expect("the caller ends");
    assert_eq!(got, json!({"found": true}));
    let took = when.duration_since(answered);
    report(&format!(
        "call: woken {:.1} ms after the step began",
        took.as_secs_f64() * 1000.0
    ));
    assert!(took < Duration::from_secs(2), "{took:?}");
    s.work("null").await;
    s.completed(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_time_is_up_never_reaches_the_workflow() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "late",
        "await Task.run('gate'); return [await Signal.next('ask'), await Signal.request('ask')].map(one => one.payload ?? one);",
    )
    .await;
    let id = s.start("late", "{}").await;
    let late = s.fails(&call(id, "ask", "\"old\"", "200ms")).await;
    assert_eq!(late.code, "RH308", "{late:?}");
    // Who looks a second after the end finds it gone, and nothing more to tell.
    assert!(
        late.detail.is_empty() || late.detail.contains("has not taken it"),
        "{late:?}"
    );
    s.until("select count(*) = 0 from rhythm.requests").await;
    let request = s
        .id(&format!(
            "select rhythm.request('{id}', 'ask', '\"new\"', '1 hour')"
        ))
        .await;
    s.run(&format!("select rhythm.signal('{id}', 'ask', '\"newer\"')"))
        .await;
    let none = s
        .rows(&format!(
            "select * from rhythm.await_reply('{request}', '0')"
        ))
        .await;
    assert_eq!(none[0][0].as_deref(), Some("f"));
    s.work("null").await;
    assert_eq!(s.completed(id).await, json!(["new", "newer"]));
    let told = s
        .fails(&format!("select rhythm.await_reply('{request}', '1s')"))
        .await;
    assert_eq!(told.code, "RH307", "it ended without a reply: {told:?}");
    clock::advance(&s, "2 hours").await;
    s.until("select count(*) = 0 from rhythm.requests").await;
    let gone = s
        .fails(&format!("select rhythm.await_reply('{request}', '0')"))
        .await;
    assert_eq!(gone.code, "RH308");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_part_of_its_step() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table booked (n int)").await;
    s.deploy(
        "fails",
        "const request = await Signal.request('ask');
         await Sql.query('insert into booked values (1)');
         request.reply('done');
         null.x;",
    )
    .await;
    let id = s.start("fails", "{}").await;
    let told = s.fails(&call(id, "ask", "1", "10s")).await;
    assert_eq!(told.code, "RH307", "{told:?}");
    assert!(told.message.contains("it is failed"), "{told:?}");
    assert_eq!(s.number("select count(*) from booked").await, 0);
    // reply belongs to its request.
    s.deploy(
        "loose",
        "const {reply} = await Signal.request('ask');
         try { reply(1); } catch (e) { return e.message; }",
    )
    .await;
    let id = s.start("loose", "{}").await;
    s.run(&format!("select rhythm.request('{id}', 'ask')"))
        .await;
    let message = s.completed(id).await;
    assert!(
        message
            .as_str()
            .is_some_and(|text| text.contains("request.reply"))
    );
    // In a transaction it says how to do without.
    let inside = s
        .fails(&format!("begin; {}", call(id, "ask", "1", "1s")))
        .await;
    assert!(
        inside.code.starts_with("RH") || inside.code == "2D000",
        "{inside:?}"
    );
    s.run("rollback").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_callers_of_one_run_get_each_their_own_answer() {
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy("counter", COUNTER).await;
    let id = s.start("counter", "{}").await;
    let begun = Instant::now();
    let totals: Vec<Vec<i64>> = race(16, |_, start| {
        let database = Arc::clone(&database);
        async move {
            let session = database.session().await;
            start.wait().await;
            let mut got = Vec::new();
            for _ in 0..20 {
                let reply: Value = session.json(&call(id, "add", "1", "60s")).await;
                got.push(reply["total"].as_i64().expect("a number"));
            }
            got
        }
    })
    .await;
    let took = begun.elapsed();
    assert!(totals.iter().all(|got| got.is_sorted()), "{totals:?}");
    let mut all: Vec<i64> = totals.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=320).collect::<Vec<_>>());
    report(&format!(
        "call: 320 answers to 16 callers of one run in {} ms",
        took.as_millis()
    ));
    no_deadlocks(&s).await;
}

/// The connection breaks, or the server: the request is gone when its time is up, and nobody waits any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_caller_leaves_nothing_behind() {
    let database = Arc::new(Database::alone(Setup::default()).await);
    let s = database.session().await;
    s.deploy("deaf", "await Signal.next('never');").await;
    let id = s.start("deaf", "{}").await;
    for how in ["terminate", "kill", "server"] {
        let caller = database.session().await;
        let pid = caller.number("select pg_backend_pid()").await;
        let waiting =
            tokio::spawn(async move { caller.attempt(&call(id, "ask", "1", "8s")).await });
        let s = database.session().await;
        s.until("select count(*) = 1 from rhythm.requests").await;
        drop(s);
        match how {
            "terminate" => {
                let s = database.session().await;
                s.run(&format!("select pg_terminate_backend({pid})")).await;
            }
            "kill" => {
                database
                    .server()
                    .kill_one(u32::try_from(pid).expect("a pid"))
                    .await;
                database.server().restart().await;
            }
            _ => {
                database.server().kill_all();
                database.server().restart().await;
            }
        }
        assert!(waiting.await.expect("no panic").is_err(), "{how}");
        let s: Session = database.session().await;
        s.until("select count(*) = 0 from rhythm.requests").await;
        assert_eq!(
            s.number("select count(*) from rhythm.signals").await,
            0,
            "{how}"
        );
        let others = "select count(*) from pg_stat_activity where datname = current_database() and query like 'call%'";
        assert_eq!(s.number(others).await, 0, "{how}");
        assert_eq!(s.state(id).await, "waiting");
    }
}
