//! Races: under any concurrency nobody waits, nothing deadlocks, no wake-up is lost.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rhythm_tests::clock::Stopwatch;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left, report};
use rhythm_tests::race::race;
use rhythm_tests::task::Claimed;
use serde_json::{Value, json};
use uuid::Uuid;

/// Rounds of each race: a thousand, in four databases at once.
const LANES: usize = 4;
const ROUNDS: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_sessions_with_one_task_id_one_wins_and_all_get_its_id() {
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy("once", "return await Signal.next('never');").await;
    let sessions: Vec<Arc<Session>> = {
        let mut all = Vec::new();
        for _ in 0..8 {
            all.push(Arc::new(database.session().await));
        }
        all
    };
    for round in 0..40 {
        for call in ["rhythm.enqueue('once', ", "rhythm.start('once', "] {
            let call = format!("select {call}task_id => 'key-{round}')");
            let ids: Vec<Uuid> = race(8, |i, start| {
                let (session, call) = (Arc::clone(&sessions[i]), call.clone());
                async move {
                    start.wait().await;
                    session.id(&call).await
                }
            })
            .await;
            assert!(ids.iter().all(|id| *id == ids[0]), "round {round}: {ids:?}");
        }
    }
    assert_eq!(s.number("select count(*) from rhythm.executions").await, 80);
    no_deadlocks(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_that_signalled_delays_only_its_own_tree() {
    let database = Arc::new(Database::create().await);
    let s = database.session().await;
    s.deploy(
        "fan",
        "const done = await Promise.all(Array.from({length: Inputs.n}, (_, i) => Task.run('work', i)));
         const go = Inputs.signal ? await Signal.next('go') : null;
         return [done.length, go];",
    )
    .await;
    let held = s.start("fan", r#"{"n": 200, "signal": true}"#).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(s.start("fan", r#"{"n": 10}"#).await);
    }
    let open = database.session().await;
    open.run(&format!(
        "begin; select rhythm.signal('{held}', 'go', '\"went\"')"
    ))
    .await;

    let over = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let mut workers = Vec::new();
    for n in 0..4 {
        let (database, over) = (Arc::clone(&database), Arc::clone(&over));
        workers.push(tokio::spawn(async move {
            let session = database.session().await;
            session.run("set lock_timeout = '6s'").await;
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let tasks = session
                    .claim_with(&format!("'w{n}', max => 7, lease => '9s', wait => '200ms'"))
                    .await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                let at = Instant::now();
                session.run(&finish(&tasks)).await;
                slowest = slowest.max(at.elapsed());
            }
            slowest
        }));
    }
    // Whoever waits for a lock for longer than a moment is seen here.
    let mut waits = 0;
    while begun.elapsed() < Duration::from_secs(10) {
        let waiting = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                       where not l.granted and a.datname = current_database() and l.waitstart < now() - interval '4 s'";
        waits += s.number(waiting).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for id in &others {
        // Other trees go on while this one is held.
        s.becomes(*id, "completed").await;
    }
    assert_eq!(s.state(held).await, "waiting");
    open.run("commit").await;
    assert_eq!(s.completed(held).await, json!([200, "went"]));
    over.store(true, Ordering::Relaxed);
    for worker in workers {
        let slowest = worker.await.expect("no worker met a lock timeout");
        assert!(
            slowest < Duration::from_secs(7),
            "a finish took {slowest:?}"
        );
    }
    assert_eq!(waits, 0, "somebody waited for a lock");
    let attempts = "select max(attempt) from rhythm.executions where kind = 'task'";
    assert_eq!(s.number(attempts).await, 1, "no lease lapsed");
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_against_complete() {
    let won = in_lanes(cancel_or_complete).await;
    report(&format!(
        "{} of {} rounds: cancel against complete",
        won,
        LANES * ROUNDS
    ));
}

async fn cancel_or_complete() -> usize {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("one", "return await Task.run('a');").await;
    let (left, right) = (
        Arc::new(database.session().await),
        Arc::new(database.session().await),
    );
    let mut completed = 0;
    for round in 0..ROUNDS {
        let id = s.start("one", "{}").await;
        let task = s.claim_one().await;
        let target = if round % 2 == 0 { id } else { task.id };
        let calls = [format!("select rhythm.cancel('{target}')"), complete(&task)];
        both(&left, &right, calls).await;
        let (state, _) = soon(&s, id).await;
        assert!(state == "completed" || state == "cancelled", "{state}");
        completed += usize::from(state == "completed");
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
    completed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_against_timeout() {
    let won = in_lanes(signal_or_timeout).await;
    report(&format!(
        "{} of {} rounds: signal against timeout",
        won,
        LANES * ROUNDS
    ));
}

async fn signal_or_timeout() -> usize {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "listen",
        "try { return await Signal.next('s', {timeout: '20ms'}); } catch (e) { return e.name; }",
    )
    .await;
    let (left, right) = (
        Arc::new(database.session().await),
        Arc::new(database.session().await),
    );
    let mut signalled = 0;
    for round in 0..ROUNDS {
        let id = s.start("listen", "{}").await;
        let wait = format!("select pg_sleep(0.0{})", 14 + round % 8);
        let calls = [
            format!("{wait}; select rhythm.signal('{id}', 's', '\"came\"')"),
            format!("{wait}; select rhythm.tick()"),
        ];
        both(&left, &right, calls).await;
        let (_, result) = soon(&s, id).await;
        assert!(
            result == json!("came") || result == json!("TimeoutError"),
            "{result}"
        );
        signalled += usize::from(result == json!("came"));
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
    signalled
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn complete_against_lease_expiry() {
    let won = in_lanes(complete_or_lapse).await;
    report(&format!(
        "{} of {} rounds: complete against lease expiry",
        won,
        LANES * ROUNDS
    ));
}

async fn complete_or_lapse() -> usize {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "one",
        "return await Task.run('a', 1, {retry: {maxAttempts: 100}});",
    )
    .await;
    let (left, right) = (
        Arc::new(database.session().await),
        Arc::new(database.session().await),
    );
    let mut in_time = 0;
    for round in 0..ROUNDS {
        let id = s.start("one", "{}").await;
        let task = s.claim_with("'w', lease => '100ms'").await.remove(0);
        let wait = format!("select pg_sleep(0.0{})", 92 + round % 8);
        let results = both(
            &left,
            &right,
            [
                format!("{wait}; {}", complete(&task)),
                format!("{wait}; select rhythm.tick()"),
            ],
        )
        .await;
        if results[0] == "t" {
            in_time += 1;
        } else {
            let again = s.claim_with("'w', wait => '5s'").await.remove(0);
            assert_eq!((again.id, again.attempt), (task.id, 2));
            assert!(s.complete(&again, "1").await);
        }
        assert_eq!(soon(&s, id).await.1, json!(1));
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
    in_time
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siblings_completed_in_opposite_orders() {
    in_lanes(siblings).await;
}

async fn siblings() -> usize {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "pair",
        "return await Promise.all([1, 2, 3, 4].map(i => Task.run('a', i)));",
    )
    .await;
    let (left, right) = (
        Arc::new(database.session().await),
        Arc::new(database.session().await),
    );
    for round in 0..ROUNDS {
        let ids = [
            s.start("pair", "{}").await,
            s.start("pair", "{}").await,
            s.start("pair", "{}").await,
        ];
        let mut tasks = s.claim(12).await;
        assert_eq!(tasks.len(), 12);
        // Of each tree two tasks for either side.
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (n, task) in tasks.drain(..).enumerate() {
            if n % 2 == 0 {
                a.push(task);
            } else {
                b.push(task);
            }
        }
        b.reverse();
        let calls = if round % 2 == 0 {
            [finish(&a), finish(&b)]
        } else {
            // One by one in a transaction, so that each side holds one root while it meets the next.
            [a, b].map(|side| {
                let calls: Vec<String> = side.iter().map(complete).collect();
                format!("begin; {}; commit", calls.join("; "))
            })
        };
        both(&left, &right, calls).await;
        for id in ids {
            assert_eq!(
                soon(&s, id).await.1.as_array().map(Vec::len),
                Some(4),
                "round {round}"
            );
        }
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
    ROUNDS
}

/// Runs a race in several databases at once, and gives the sum of what it counted.
async fn in_lanes<F>(lane: impl Fn() -> F) -> usize
where
    F: Future<Output = usize> + Send + 'static,
{
    let lanes: Vec<_> = (0..LANES).map(|_| tokio::spawn(lane())).collect();
    let mut sum = 0;
    for lane in lanes {
        sum += lane.await.expect("no lane fails");
    }
    sum
}

/// The result of a workflow, which has to come soon: what a lost wake-up left would be found when a call that waits for it
/// ends after five seconds, and commits.
async fn soon(s: &Session, id: Uuid) -> (String, Value) {
    let begun = Stopwatch::start();
    let (state, result, _) = s.outcome(id).await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "a wake-up was lost: {id} was {state} only after {:?}",
        begun.elapsed()
    );
    (state, result)
}

fn complete(task: &Claimed) -> String {
    format!("select rhythm.complete('{}', {}, '1')", task.id, task.token)
}

fn finish(tasks: &[Claimed]) -> String {
    let outcomes: Vec<_> = tasks
        .iter()
        .map(|t| json!({"id": t.id, "token": t.token.to_string(), "result": 1}))
        .collect();
    format!("select rhythm.finish('w', '{}')", json!(outcomes))
}

/// Runs two calls at the same moment, and gives the last value of each.
async fn both(left: &Arc<Session>, right: &Arc<Session>, calls: [String; 2]) -> Vec<String> {
    race(2, |i, start| {
        let session = Arc::clone(if i == 0 { left } else { right });
        let call = calls[i].clone();
        async move {
            start.wait().await;
            session.text(&call).await
        }
    })
    .await
}
