//! Signals: by whom they are sent, in which order they come, once for each key; runs that a signal starts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rhythm_tests::clock;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left, report};
use rhythm_tests::race::{Dice, race};
use rhythm_tests::server::Setup;
use serde_json::json;

/// How many call at once.
const CALLERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_signalled_by_what_holds_the_task_id() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("waits", "return await Signal.next('go');").await;
    let by_task_id =
        "select rhythm.signal(workflow => 'waits', task_id => 'k', name => 'go', payload => '1')";
    assert_eq!(s.fails(by_task_id).await.code, "RH301");
    let id = s.id("select rhythm.start('waits', task_id => 'k')").await;
    let both = format!("select rhythm.signal('{id}', 'go', workflow => 'waits', task_id => 'k')");
    assert_eq!(s.fails(&both).await.code, "RH002");
    let half = "select rhythm.signal(workflow => 'waits', name => 'go')";
    assert_eq!(s.fails(half).await.code, "RH001");
    assert_eq!(s.text(by_task_id).await, "t");
    assert_eq!(s.completed(id).await, json!(1));
    assert_eq!(s.text(by_task_id).await, "f", "it has ended");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_without_a_timeout_waits_for_ever() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "waits",
        "const brief = Signal.next('brief', {timeout: '1h'}).catch(error => error.name);
         return [await brief, await Signal.next('ever')];",
    )
    .await;
    let id = s.start("waits", "{}").await;
    clock::advance(&s, "2 hours").await;
    s.until("select count(*) = 1 from rhythm.signal_waits where name = 'ever'")
        .await;
    let due = "select count(*) from rhythm.signal_waits where due_at is not null";
    assert_eq!(s.number(due).await, 0, "nothing is ever due of it");
    clock::advance(&s, "300 years").await;
    assert_eq!(s.state(id).await, "waiting");
    s.run(&format!("select rhythm.signal('{id}', 'ever', '1')"))
        .await;
    assert_eq!(s.completed(id).await, json!(["TimeoutError", 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_that_nobody_takes_are_bounded_and_stay_in_order() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "first",
        "await Task.run('gate'); return [await Signal.next('n'), await Signal.next('n')];",
    )
    .await;
    let id = s.start("first", "{}").await;
    let fill = format!(
        "select count(rhythm.signal('{id}', 'n', to_jsonb(n))) from generate_series(1, 10000) n"
    );
    assert_eq!(s.number(&fill).await, 10_000);
    // They are counted now and then.
    let more = format!(
        "select count(rhythm.signal('{id}', 'n', to_jsonb(n))) from generate_series(1, 4000) n"
    );
    let refused = s.fails(&more).await;
    assert_eq!(refused.code, "RH902");
    assert!(refused.message.contains("10000 signals"), "{refused:?}");
    assert!(!refused.hint.is_empty());
    s.work("null").await;
    assert_eq!(s.completed(id).await, json!([1, 2]));
    nothing_is_left(&s).await;
}

/// What is stored is not counted for each: a hundred would read it a hundred times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_costs_the_same_however_many_are_stored() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("first", "await Task.run('gate'); await Signal.next('n')")
        .await;
    let id = s.start("first", "{}").await;
    let send =
        |n: u32| format!("select count(rhythm.signal('{id}', 'n')) from generate_series(1, {n})");
    // Else a vacuum in between would leave fewer rows to be looked at.
    s.run("alter table rhythm.signals set (autovacuum_enabled = off)")
        .await;
    s.run(&send(9_000)).await;
    // Counts that a quick server has not passed on yet would be told as this transaction's.
    s.run("select pg_stat_force_next_flush()").await;
    s.run("begin").await;
    s.run(&send(200)).await;
    let rows = s
        .number("select idx_tup_fetch from pg_stat_xact_user_tables where schemaname = 'rhythm' and relname = 'signals'")
        .await;
    s.run("commit").await;
    assert!(rows < 200 * 9_000 / 4, "{rows} rows for 200 signals");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_who_send_one_key_one_delivers_also_after_it_was_taken() {
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy(
        "counts",
        "const got = []; let next;
         while ((next = await Signal.next('n')) !== 'end') got.push(next);
         return got;",
    )
    .await;
    let id = s.start("counts", "{}").await;
    for round in 0..20 {
        let told: Vec<String> = race(CALLERS, |i, start| {
            let database = Arc::clone(&database);
            async move {
                let session = database.session().await;
                start.wait().await;
                session
                    .text(&format!(
                        "select rhythm.signal('{id}', 'n', '[{round}, {i}]', key => 'k{round}')"
                    ))
                    .await
            }
        })
        .await;
        assert!(told.iter().all(|one| one == "t"), "{told:?}");
    }
    s.until(&format!(
        "select count(*) = 0 from rhythm.signals where execution_id = '{id}'"
    ))
    .await;
    // All are consumed, and their keys still known; under another name a key is another one.
    for round in 0..20 {
        s.run(&format!("select rhythm.signal('{id}', 'n', '0', key => 'k{round}'), rhythm.signal('{id}', 'other', '0', key => 'k{round}')"))
            .await;
    }
    s.run(&format!("select rhythm.signal('{id}', 'n', '\"end\"')"))
        .await;
    let got = s.completed(id).await;
    let rounds: Vec<i64> = got
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one[0].as_i64().expect("a number"))
        .collect();
    assert_eq!(rounds, (0..20).collect::<Vec<_>>(), "each once, in order");
    no_deadlocks(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_key_gets_that_signal_and_others_go_by() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "picks",
        "const second = await Signal.next('paid', {key: 'b'});
         const first = await Signal.next('paid');
         const late = await Promise.all([Signal.next('paid'), Signal.next('paid', {key: 'd'})]);
         try { await Signal.next('paid', {key: 'never', timeout: '1h'}); } catch (e) { return [second, first, late, e.name]; }",
    )
    .await;
    let id = s.start("picks", "{}").await;
    for key in ["a", "b", "d", "c"] {
        s.run(&format!(
            "select rhythm.signal('{id}', 'paid', '\"{key}\"', key => '{key}')"
        ))
        .await;
    }
    s.until(&format!(
        "select count(*) = 1 from rhythm.signal_waits where execution_id = '{id}' and key = 'never'"
    ))
    .await;
    s.run(&format!("select rhythm.signal('{id}', 'paid', '0')"))
        .await;
    clock::advance(&s, "2 hours").await;
    assert_eq!(
        s.completed(id).await,
        json!(["b", "a", ["c", "d"], "TimeoutError"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_who_signal_with_start_one_starts_and_all_are_heard() {
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy(
        "cart",
        "const got = []; while (got.length < 16) got.push(await Signal.next('add')); return [Inputs.who, got];",
    )
    .await;
    for round in 0..20 {
        let rows = race(CALLERS, |i, start| {
            let database = Arc::clone(&database);
            async move {
                let session = database.session().await;
                start.wait().await;
                session
                    .rows(&format!(
                        "select * from rhythm.signal_with_start('cart', 'c{round}', 'add', '{i}', '{{\"who\": {round}}}')"
                    ))
                    .await
                    .remove(0)
            }
        })
        .await;
        let ids: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
        assert_eq!(ids.len(), 1, "{rows:?}");
        let started = rows.iter().filter(|row| row[1].as_deref() == Some("t"));
        assert_eq!(started.count(), 1, "{rows:?}");
        assert!(
            rows.iter().all(|row| row[2].as_deref() == Some("t")),
            "all are delivered: {rows:?}"
        );
        let id = rows[0][0].as_deref().expect("an id").parse().expect("one");
        let result = s.completed(id).await;
        let got: BTreeSet<i64> = result[1]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(serde_json::Value::as_i64)
            .collect();
        assert_eq!((&result[0], got.len()), (&json!(round), CALLERS));
    }
    nothing_is_left(&s).await;
    no_deadlocks(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_repeated_after_the_end_starts_nothing_new() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("one", "return await Signal.next('go');").await;
    let call = |payload: &str, key: &str| {
        format!(
            "select * from rhythm.signal_with_start('one', 'k', 'go', '{payload}', key => '{key}')"
        )
    };
    let first = s.rows(&call("1", "a")).await.remove(0);
    assert_eq!(first[1..], [Some("t".into()), Some("t".into())]);
    let again = s.rows(&call("1", "a")).await.remove(0);
    assert_eq!(again[1..], [Some("f".into()), Some("f".into())]);
    assert_eq!(again[0], first[0]);
    // Another one does, although the first has completed.
    let second = s.rows(&call("2", "b")).await.remove(0);
    assert_eq!(second[1..], [Some("t".into()), Some("t".into())]);
    assert_ne!(second[0], first[0]);
    let id = second[0].as_deref().expect("an id").parse().expect("an id");
    assert_eq!(s.completed(id).await, json!(2));
    assert_eq!(
        s.text("select rhythm.start('one', task_id => 'k')").await,
        second[0].clone().unwrap_or_default(),
        "the newer one holds the task_id"
    );
    // An error undoes both.
    s.run("begin").await;
    s.run("select rhythm.signal_with_start('one', 'other', 'go')")
        .await;
    s.run("rollback").await;
    assert_eq!(s.number("select count(*) from rhythm.executions").await, 2);
    // Keys are forgotten with their runs.
    clock::advance(&s, "60 days").await;
    clock::retain(&s).await;
    s.until("select count(*) = 0 from rhythm.signal_keys").await;
}

/// Each run takes one signal and ends, so that nearly every call meets one that is just ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_signal_is_lost_to_a_run_that_is_just_ending() {
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.run("create table got (n int)").await;
    s.deploy(
        "short",
        "const n = await Signal.next('n'); await Sql.query('insert into got values ($1)', [n]);",
    )
    .await;
    race(CALLERS, |i, start| {
        let database = Arc::clone(&database);
        async move {
            let session = database.session().await;
            start.wait().await;
            for n in 0..25 {
                let n = i * 100 + n;
                session
                    .run(&format!(
                        "select rhythm.signal_with_start('short', 'k', 'n', '{n}')"
                    ))
                    .await;
            }
        }
    })
    .await;
    s.until("select count(*) >= 400 from got").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rows = s
        .rows("select count(*), count(distinct n) from got")
        .await
        .remove(0);
    assert_eq!(rows, [Some("400".to_owned()), Some("400".to_owned())]);
    let runs = s.number("select count(*) from rhythm.executions").await;
    report(&format!("signal_with_start: 400 signals, {runs} runs"));
    s.until("select count(*) = 0 from rhythm.live").await;
    nothing_is_left(&s).await;
    no_deadlocks(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_completed_run_left_goes_to_one_more_run_and_no_further() {
    let database = Database::create().await;
    let s = database.session().await;
    // It never asks for the signal.
    s.deploy("deaf", "await Task.run('work');").await;
    s.run("select rhythm.signal_with_start('deaf', 'k', 'x')")
        .await;
    s.run("select rhythm.signal_with_start('deaf', 'k', 'y')")
        .await;
    s.work("null").await;
    s.work("null").await;
    s.until("select count(*) = 0 from rhythm.live").await;
    assert_eq!(
        s.number("select count(*) from rhythm.executions where kind = 'workflow'")
            .await,
        2
    );
    // One that is cancelled leaves nothing to others.
    s.run("select rhythm.signal_with_start('deaf', 'c', 'x')")
        .await;
    let id = s
        .id("select id from rhythm.signal_with_start('deaf', 'c', 'y')")
        .await;
    s.run(&format!("select rhythm.cancel('{id}')")).await;
    s.becomes(id, "cancelled").await;
    nothing_is_left(&s).await;
    assert_eq!(
        s.number("select count(*) from rhythm.executions where kind = 'workflow'")
            .await,
        3
    );
}

/// Callers repeat what they got no answer to, with the same key; the server is killed in the midst.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_kills_every_key_is_heard_once() {
    let database = Arc::new(Database::alone(Setup::default()).await);
    let mut dice = Dice::roll("signal");
    let s = database.session().await;
    s.run("create table got (key text)").await;
    s.deploy(
        "collects",
        "for (let key; (key = await Signal.next('key')) !== 'end';)
           await Sql.query('insert into got values ($1)', [key]);",
    )
    .await;
    drop(s);
    let callers: Vec<_> = (0..CALLERS)
        .map(|i| tokio::spawn(call_until_heard(Arc::clone(&database), i)))
        .collect();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200 + dice.below(400))).await;
        database.server().kill_all();
        database.server().restart().await;
    }
    for caller in callers {
        caller.await.expect("the caller ends");
    }
    let s = database.session().await;
    for run in 0..4 {
        s.run(&format!(
            "select rhythm.signal(workflow => 'collects', task_id => 'r{run}', name => 'key', payload => '\"end\"')"
        ))
        .await;
    }
    s.until("select count(*) = 0 from rhythm.live").await;
    let heard = s.number("select count(distinct key) from got").await;
    assert_eq!(heard, 640, "signals were lost");
    let runs = s.number("select count(*) from rhythm.executions").await;
    assert_eq!(runs, 4, "a run was started twice");
    let twice = s
        .rows("select key, count(*) from got group by 1 having count(*) > 1")
        .await;
    assert!(twice.is_empty(), "heard twice: {twice:?}");
    let log = database.server().log();
    assert!(!log.contains("PANIC"), "a backend crashed by itself");
}

async fn call_until_heard(database: Arc<Database>, caller: usize) {
    let config = database.server().config(database.name(), "postgres");
    let mut session = None;
    let mut n = 0;
    while n < 40 {
        let Some(open) = &session else {
            session = Session::try_open(&config).await.ok();
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (run, key) = (n % 4, format!("{caller}-{n}"));
        let call = format!(
            "select rhythm.signal_with_start('collects', 'r{run}', 'key', '\"{key}\"', key => '{key}')"
        );
        match open.attempt(&call).await {
            Ok(_) => {
                n += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(failure) => {
                let lost = failure.code.starts_with("08") || failure.code.starts_with("57P");
                assert!(lost, "fails for another reason than the kills: {failure:?}");
                session = None;
            }
        }
    }
}
