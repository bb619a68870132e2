//! Crashes: whatever is killed, whenever, nothing acknowledged is lost and no step is done twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{
    effects_at_least_once, nothing_is_left, one_holder_at_a_time, report, watch_leases,
};
use rhythm_tests::race::Dice;
use rhythm_tests::server::Setup;
use rhythm_tests::worker::{Journal, Language, Start, Worker, now};
use serde_json::json;

use crate::adapter::RUST_WORKER;

/// Kills in a run; every third one takes the server.
const KILLS: u32 = 24;

/// Tasks of a journey, its fan-out and its children: each has its own effect.
const PARTS: [&str; 9] = ["a", "b", "c", "f0", "f1", "f2", "f3", "p0-x", "p1-x"];
/// Rows that a journey writes itself, each in a step of its own.
const BOOKED: i64 = 6;
/// Children of a journey, each of which writes one.
const PARCELS: i64 = 2;

const JOURNEY: &str = "
    const key = Inputs.key;
    const book = step => Sql.query('insert into ledger (key, step) values ($1, $2)', [key, step]);
    const often = {retry: {maxAttempts: 100, initial: '10ms', max: '100ms'}};
    const effect = (part, ms) => Task.run('effect', {key: `${key}-${part}`, ms}, often);
    const a = await effect('a', 5);
    await book('a');
    const first = await Signal.next('word');
    await book(first);
    const [b, c] = await Promise.all([effect('b', 20), effect('c', 1)]);
    await book('b, c');
    const parcels = await Promise.all([0, 1].map((n) => Workflow.run('parcel', {key: `${key}-p${n}`})));
    const fan = await Promise.all(Array.from({length: 4}, (_, i) => effect(`f${i}`, 1)));
    await book('fan');
    await sleep('30ms');
    await book('slept');
    const second = await Signal.next('word', {timeout: '1h'});
    await book(second);
    return [a, first, b, c, ...parcels, ...fan, second];
";

const PARCEL: &str = "
    const often = {retry: {maxAttempts: 100, initial: '10ms', max: '100ms'}};
    const done = await Task.run('effect', {key: Inputs.key + '-x', ms: 2}, often);
    await Sql.query('insert into ledger (key, step) values ($1, $2)', [Inputs.key, 'packed']);
    return done;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_and_server_are_killed_under_load_and_every_effect_is_right() {
    let database = Arc::new(Database::alone(Setup::default()).await);
    let mut dice = Dice::roll("crash");
    let s = database.session().await;
    s.run("create table ledger (key text, step text)").await;
    watch_leases(&s).await;
    s.deploy("journey", JOURNEY).await;
    s.deploy("parcel", PARCEL).await;
    drop(s);

    let journal = Journal::create();
    let url = database.url();
    let languages = [
        Language::Python,
        Language::Rust,
        Language::Python,
        Language::Rust,
    ];
    let hire = |language| {
        Worker::start(
            language,
            RUST_WORKER,
            &Start {
                url: &url,
                journal: &journal,
                lease: "6s",
                slots: 4,
                // Of these workers, the server may forget claims.
                relaxed: language == Language::Rust,
            },
        )
    };
    let mut workers: Vec<Worker> = languages.into_iter().map(hire).collect();

    let over = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicU32::new(0));
    let feeder = tokio::spawn(feed(
        Arc::clone(&database),
        Arc::clone(&over),
        Arc::clone(&acknowledged),
    ));
    let all_started = Arc::new(AtomicBool::new(false));
    let teller = tokio::spawn(tell(
        Arc::clone(&database),
        Arc::clone(&all_started),
        Arc::clone(&acknowledged),
    ));

    let mut killed = BTreeMap::new();
    let mut servers = 0;
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(150 + dice.below(500))).await;
        if kill % 3 == 2 {
            match dice.below(3) {
                0 => database.server().kill(),
                1 => database.server().kill_all(),
                _ => {
                    let children = database.server().children();
                    let one = usize::try_from(dice.below(children.len() as u64)).unwrap_or(0);
                    database.server().kill_one(children[one]).await;
                }
            }
            database.server().restart().await;
            servers += 1;
        } else {
            let i = usize::try_from(dice.below(4)).unwrap_or(0);
            killed.insert(workers[i].name().to_owned(), now());
            workers[i].kill();
            workers[i] = hire(languages[i]);
        }
    }
    over.store(true, Ordering::Relaxed);
    feeder.await.expect("the feeder ends");
    all_started.store(true, Ordering::Relaxed);
    teller.await.expect("the teller ends");
    let started = acknowledged.load(Ordering::Relaxed);
    report(&format!(
        "crash: {KILLS} kills ({servers} of the server), {started} workflows"
    ));
    assert!(started >= KILLS, "there was load");

    let s = database.session().await;
    all_have_ended(&s).await;
    for n in 0..started {
        let row = s
            .rows(&format!(
                "select state, result from rhythm.executions where task_id = 'k{n}'"
            ))
            .await;
        assert_eq!(row.len(), 1, "k{n} is there once");
        assert_eq!(row[0][0].as_deref(), Some("completed"), "k{n}: {row:?}");
        let result: serde_json::Value =
            serde_json::from_str(row[0][1].as_deref().unwrap_or("")).expect("JSON");
        assert_eq!(
            result,
            json!([
                format!("k{n}-a"),
                "first",
                format!("k{n}-b"),
                format!("k{n}-c"),
                format!("k{n}-p0-x"),
                format!("k{n}-p1-x"),
                format!("k{n}-f0"),
                format!("k{n}-f1"),
                format!("k{n}-f2"),
                format!("k{n}-f3"),
                "second"
            ])
        );
    }
    let wrong = s
        .rows("select key, step, count(*) from ledger group by 1, 2 having count(*) <> 1")
        .await;
    assert!(
        wrong.is_empty(),
        "SQL effects that are not exactly once: {wrong:?}"
    );
    let counts = "select (select count(*) from rhythm.executions where name = 'journey'), (select count(*) from ledger),
        (select count(*) from rhythm.executions where kind = 'task'), (select count(*) from rhythm.executions where name = 'parcel'),
        (select count(*) from rhythm.executions where state <> 'completed')";
    let counts: Vec<i64> = s.rows(counts).await[0]
        .iter()
        .map(|cell| {
            cell.as_deref()
                .unwrap_or_default()
                .parse()
                .expect("a number")
        })
        .collect();
    let journeys = i64::from(started);
    assert_eq!(
        counts,
        [
            journeys,
            journeys * (BOOKED + PARCELS),
            journeys * PARTS.len() as i64,
            journeys * PARCELS,
            0
        ],
        "journeys, rows of SQL, tasks, children, and what has not completed"
    );
    let keys = (0..started).flat_map(|n| PARTS.map(|part| format!("k{n}-{part}")));
    effects_at_least_once(&journal.notes(), keys, &killed);
    one_holder_at_a_time(&s).await;
    nothing_is_left(&s).await;
    let log = database.server().log();
    assert!(
        !log.contains("PANIC") && !log.contains("was terminated by signal 11"),
        "a backend crashed by itself"
    );
}

/// A call that has to be heard: again and again, on new sessions, until the server says yes. It is told apart from its repetitions by
/// a key of its own.
async fn insist(database: &Database, session: &mut Option<Session>, call: &str) {
    let config = database.server().config(database.name(), "postgres");
    loop {
        let Some(open) = &session else {
            *session = Session::try_open(&config).await.ok();
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        match open.attempt(call).await {
            Ok(_) => return,
            Err(failure) => {
                assert!(
                    failure.is_lost(),
                    "{call} fails for another reason than the kills: {failure:?}"
                );
                *session = None;
            }
        }
    }
}

/// Starts workflows under keys that count up.
async fn feed(database: Arc<Database>, over: Arc<AtomicBool>, acknowledged: Arc<AtomicU32>) {
    let mut session = None;
    for n in 0.. {
        let start =
            format!("select rhythm.start('journey', '{{\"key\": \"k{n}\"}}', task_id => 'k{n}')");
        insist(&database, &mut session, &start).await;
        acknowledged.store(n + 1, Ordering::Relaxed);
        if over.load(Ordering::Relaxed) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

/// Tells each of them two words, before it asks or long after.
async fn tell(database: Arc<Database>, all_started: Arc<AtomicBool>, acknowledged: Arc<AtomicU32>) {
    let mut session = None;
    let mut n = 0;
    loop {
        // In this order, or the last one could be missed.
        let is_last = all_started.load(Ordering::Relaxed);
        if n < acknowledged.load(Ordering::Relaxed) {
            for word in ["first", "second"] {
                let signal = format!(
                    "select rhythm.signal(workflow => 'journey', task_id => 'k{n}', name => 'word', payload => '\"{word}\"', key => '{word}')"
                );
                // False: it was heard before, and the run has ended. What comes of it is seen in the end.
                insist(&database, &mut session, &signal).await;
            }
            n += 1;
        } else if is_last {
            return;
        }
        tokio::time::sleep(Duration::from_millis(if n % 3 == 0 { 120 } else { 5 })).await;
    }
}

async fn all_have_ended(s: &Session) {
    let begun = Instant::now();
    let running = "select count(*) from rhythm.executions where finished_at is null";
    while s.number(running).await > 0 {
        if begun.elapsed() > Duration::from_secs(120) {
            let left = "select kind, name, state, attempt, worker, lease_until, error, note \
                        from rhythm.executions where finished_at is null limit 10";
            let marks = s.rows("select * from rhythm.runnable limit 10").await;
            panic!(
                "not all have ended: {:#?}\nmarks: {marks:?}",
                s.rows(left).await
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_worker_that_wakes_up_late_is_fenced() {
    for language in [Language::Python, Language::Rust] {
        let database = Database::create().await;
        let s = database.session().await;
        let journal = Journal::create();
        let url = database.url();
        let how = Start {
            url: &url,
            journal: &journal,
            lease: "6s",
            slots: 1,
            relaxed: false,
        };
        let frozen = Worker::start(language, RUST_WORKER, &how);
        let id = s
            .id(r#"select rhythm.enqueue('effect', '{"key": "x", "ms": 8000}')"#)
            .await;
        journal.until(1, |note| note.what == "begin").await;
        let begun = Instant::now();
        frozen.signal(Signal::SIGSTOP);
        let token = s.text("select token from rhythm.live").await;
        let other = Worker::start(language, RUST_WORKER, &how);
        journal
            .until(1, |note| {
                note.worker == other.name() && note.what == "begin"
            })
            .await;
        // It wakes up when its handler's time is over and the other one is in the middle of its own.
        tokio::time::sleep(Duration::from_millis(8100).saturating_sub(begun.elapsed())).await;
        let holder = "select token, worker, attempt, state from rhythm.live";
        let held = s.rows(holder).await;
        assert_eq!(held[0][1].as_deref(), Some(other.name()), "{held:?}");
        frozen.signal(Signal::SIGCONT);
        let late = format!("select rhythm.complete('{id}', {token}, '\"late\"')");
        assert_eq!(s.text(&late).await, "f");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            s.rows(holder).await,
            held,
            "the late outcome ended somebody else's lease"
        );
        assert_eq!(s.completed(id).await, json!("x"));
        let finished = format!(
            "select attempt, worker, finished_at, result from rhythm.executions where id = '{id}'"
        );
        let row = s.rows(&finished).await;
        assert_eq!(row[0][0].as_deref(), Some("2"), "somebody else took over");
        assert_eq!(row[0][1].as_deref(), Some(other.name()));
        // Afterwards it works on.
        for n in 0..20 {
            let next = s
                .id(&format!(
                    "select rhythm.enqueue('effect', '{{\"key\": \"n{n}\", \"ms\": 20}}')"
                ))
                .await;
            s.completed(next).await;
        }
        assert_eq!(
            s.rows(&finished).await,
            row,
            "the late outcome changed nothing"
        );
        nothing_is_left(&s).await;
    }
}
