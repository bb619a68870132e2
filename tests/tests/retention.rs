//! Retention: what has ended goes when its time is over, a tree as a whole; and nobody notices while it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rhythm_tests::clock::{advance, retain, tick};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{nothing_is_left, report};
use rhythm_tests::server::Setup;
use serde_json::json;
use uuid::Uuid;

const WEEKS: &str = "select count(*) from pg_inherits where inhparent = 'rhythm.archive'::regclass
    and inhrelid::regclass::text ~ '\\d{8}$'";
const KEPT: &str = "select count(*) from rhythm.archive";

/// Moves the clock alone: nothing is done yet.
async fn later(s: &Session, by: &str) {
    s.run(&format!(
        "update rhythm.test_clock set shift = shift + interval '{by}'"
    ))
    .await;
}

/// A task of a queue that has ended.
async fn ended(s: &Session, queue: &str) -> Uuid {
    let id = s
        .id(&format!("select rhythm.enqueue('a', queue => '{queue}')"))
        .await;
    let task = s.claim_with(&format!("'w', '{{{queue}}}'")).await.remove(0);
    assert!(s.complete(&task, "1").await);
    id
}

async fn is_kept(s: &Session, id: Uuid) -> bool {
    let kept = format!("select exists (select from rhythm.archive where id = '{id}')");
    s.text(&kept).await == "t"
}

/// Fills the week that is the first to be over with executions that have a history and keys; gives their number.
async fn fill_a_week(s: &Session, count: u32) {
    s.run(&format!(
        "insert into rhythm.archive (id, seq, root_id, created_at, finished_at, expires_on, state, attempt, priority, kind, name,
           queue, task_id, inputs)
         select i, n, i, now(), now(), date_trunc('week', current_date)::date, 'completed', 1, 0, 'task', 'old', 'default', 'k' || n, '{{}}'
         from (select n, gen_random_uuid() as i from generate_series(1, {count}) n) r;
         insert into rhythm.keys (kind, name, task_id, id)
         select a.kind, a.name, a.task_id, a.id from rhythm.archive a where a.name = 'old';
         insert into rhythm.history (execution_id, at, event) select a.id, now(), 'attempt_failed' from rhythm.archive a where a.name = 'old'"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weeks_are_attached_ahead_and_dropped_when_they_are_over_each_queue_by_its_own_time() {
    let database = Database::create().await;
    let s = database.session().await;
    retain(&s).await;
    assert_eq!(s.number(WEEKS).await, 8);
    s.run(
        "select rhythm.configure_queue('none', retention => '0'), rhythm.configure_queue('day', retention => '1 day'),
           rhythm.configure_queue('year', retention => '365 days'), rhythm.configure_queue('ever', retention => 'forever')",
    )
    .await;
    let mut ids = Vec::new();
    for queue in ["none", "day", "default", "year", "ever"] {
        ids.push(ended(&s, queue).await);
    }
    let mut left = Vec::new();
    for days in [0, 2, 7, 14, 351, 14] {
        later(&s, &format!("{days} days")).await;
        retain(&s).await;
        let seen = "select string_agg(queue, ' ' order by finished_at) from rhythm.executions";
        left.push(s.text(seen).await);
        assert_eq!(
            s.number(WEEKS).await,
            8,
            "as many weeks go as come: {left:?}"
        );
    }
    assert_eq!(
        left,
        [
            "day default year ever",
            "default year ever",
            "year ever",
            "year ever",
            "ever",
            "ever"
        ]
    );
    // Not only hidden: gone.
    assert_eq!(s.number(KEPT).await, 1);
    assert!(is_kept(&s, ids[4]).await);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_keeps_nothing_leaves_nothing() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('default', retention => '0'), rhythm.configure_queue('kept', retention => '1 day')",
    )
    .await;
    // A task with a history, in every kind of end.
    for end in ["complete", "fail", "cancel", "timeout"] {
        let id = s
            .id("select rhythm.enqueue('a', task_id => 'k', timeout => '1 hour', retry => '{\"initial\": 0}')")
            .await;
        s.fail(&s.claim_one().await, "").await;
        let task = s.claim_one().await;
        match end {
            "complete" => assert!(s.complete(&task, "1").await),
            "fail" => assert_eq!(s.fail(&task, ", retryable => false").await, "failed"),
            "cancel" => {
                s.run(&format!("select rhythm.cancel('{id}')")).await;
                assert_eq!(s.fail(&task, "").await, "cancelled");
            }
            _ => advance(&s, "2 hours").await,
        }
        s.until("select count(*) = 0 from rhythm.live").await;
        assert_eq!(
            s.number("select count(*) from rhythm.history").await,
            0,
            "{end}"
        );
    }
    // A workflow with a log, timers, signals and members, in every kind of end.
    s.deploy(
        "flow",
        "console.log('begun');
         await Task.run('b', {}, {queue: 'kept'});
         const never = sleep('9h');
         if (Inputs.end === 'fail') throw new Error('no');
         if (Inputs.end !== 'complete') await never;
         return 1;",
    )
    .await;
    for end in ["complete", "fail", "cancel"] {
        let id = s.start("flow", &json!({ "end": end }).to_string()).await;
        s.run(&format!("select rhythm.signal('{id}', 'unheard')"))
            .await;
        let task = s.claim_with("'w', '{kept}'").await.remove(0);
        assert!(s.complete(&task, "1").await);
        if end == "cancel" {
            s.run(&format!("select rhythm.cancel('{id}')")).await;
        }
        s.until("select count(*) = 0 from rhythm.live").await;
        assert_eq!(s.number(KEPT).await, 0, "{end}: its members go along");
        for table in [
            "history", "saves", "events", "timers", "signals", "cancels", "keys",
        ] {
            let left = format!("select count(*) from rhythm.{table}");
            assert_eq!(s.number(&left).await, 0, "{end}: {table}");
        }
    }
    // A member that ends after its root goes at once.
    s.deploy("early", "Task.run('late'); return 1;").await;
    s.start("early", "{}").await;
    s.work("1").await;
    assert_eq!(s.number(KEPT).await, 0);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_kept_and_seen_as_a_whole_until_its_root_is_past() {
    let database = Database::create().await;
    let s = database.session().await;
    retain(&s).await;
    s.run(
        "select rhythm.configure_queue('ever', retention => 'forever'), rhythm.configure_queue('brief', retention => '1 day'),
           rhythm.configure_queue('none', retention => '0')",
    )
    .await;
    s.deploy(
        "flow",
        "await Task.run('m', {}, {queue: 'none'}); if (Inputs.wait) await Signal.next('go'); return 1;",
    )
    .await;
    let mut ids = Vec::new();
    for (queue, wait) in [
        ("default", true),
        ("ever", false),
        ("brief", false),
        ("default", false),
    ] {
        let start =
            format!("select rhythm.start('flow', '{{\"wait\": {wait}}}', queue => '{queue}')");
        ids.push(s.id(&start).await);
        let task = s.claim_with("'w', '{none}'").await.remove(0);
        assert!(s.complete(&task, "1").await);
    }
    let seen = async |id: Uuid| {
        let tree = format!("select count(*) from rhythm.executions where root_id = '{id}'");
        s.number(&tree).await
    };
    for day in 1..=70 {
        later(&s, "1 day").await;
        retain(&s).await;
        assert_eq!(seen(ids[0]).await, 2, "alive, on day {day}");
        assert_eq!(seen(ids[1]).await, 2, "kept for ever, on day {day}");
        assert!(seen(ids[3]).await != 1, "half of a tree, on day {day}");
        if day == 20 {
            assert_eq!(seen(ids[3]).await, 2);
            assert!(!is_kept(&s, ids[2]).await);
            assert_eq!(seen(ids[2]).await, 0, "members go with their root");
        }
    }
    assert_eq!(seen(ids[3]).await, 0);
    // Stopped for months, in the middle of a run: what stands is still moved before anything is swept.
    for step in ["sweep", "drop", "default"] {
        later(&s, "100 days").await;
        s.run(&format!(
            "update rhythm.maintenance set next_at = rhythm._now(), step = '{step}'"
        ))
        .await;
        retain(&s).await;
        assert_eq!((seen(ids[0]).await, seen(ids[1]).await), (2, 2), "{step}");
    }
    s.run(&format!("select rhythm.signal('{}', 'go')", ids[0]))
        .await;
    later(&s, "70 days").await;
    retain(&s).await;
    assert_eq!(s.number(KEPT).await, 2, "the tree that is kept for ever");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_up_takes_whole_trees_and_a_dry_run_says_how_many() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "flow",
        "await Task.try('m', {}, {queue: 'of members'}); await Signal.next('go'); return 1;",
    )
    .await;
    let clean = async |filter: &str| {
        let dry = s
            .number(&format!("select rhythm.cleanup({filter}, dry_run => true)"))
            .await;
        let gone = s.number(&format!("select rhythm.cleanup({filter})")).await;
        assert_eq!(dry, gone, "{filter}");
        gone
    };
    let flow = s.start("flow", "{}").await;
    let task = s.claim_with("'w', '{of members}'").await.remove(0);
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    later(&s, "2 days").await;
    assert_eq!(
        clean("older_than => '0'").await,
        0,
        "nothing of a tree that is alive"
    );
    s.run(&format!("select rhythm.signal('{flow}', 'go')"))
        .await;
    s.completed(flow).await;
    for filter in [
        "older_than => '1 day'",
        "older_than => '0', status => 'failed'",
        "older_than => '0', queue => 'of members'",
    ] {
        assert_eq!(clean(filter).await, 0, "its root is not meant: {filter}");
    }
    assert_eq!(
        clean("older_than => '0', status => 'completed', queue => 'default'").await,
        2
    );
    // Bounded, with a word when there is more, the oldest first.
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(ended(&s, "x").await);
    }
    s.notices();
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.push(clean("older_than => '0', max => 10").await);
    }
    assert_eq!(gone, [10, 10, 5]);
    assert_eq!(s.notices().len(), 4, "twice by the dry run too");
    assert_eq!(clean("older_than => '0', max => null").await, 0);
    assert_eq!(
        s.fails("select rhythm.cleanup('0', max => 0)").await.code,
        "RH002"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_partition_is_swept_row_by_row_and_its_weeks_are_left_to_it() {
    let database = Database::create().await;
    let s = database.session().await;
    let first = ended(&s, "default").await;
    assert_eq!(
        s.text("select tableoid::regclass::text from rhythm.archive")
            .await,
        "rhythm.archive_default"
    );
    retain(&s).await;
    assert_eq!(s.number(WEEKS).await, 7, "all weeks but that of the row");
    later(&s, "9 days").await;
    assert!(is_kept(&s, first).await);
    retain(&s).await;
    assert!(!is_kept(&s, first).await);
    // A default partition that has grown large is not read under a lock.
    s.run(
        "insert into rhythm.archive (id, seq, root_id, created_at, finished_at, expires_on, state, attempt, priority, kind, name, queue,
           inputs)
         select i, n, i, now(), now(), current_date + 900, 'completed', 1, 0, 'task', 'old', 'x', to_jsonb(repeat(md5(n::text), 50))
         from (select n, gen_random_uuid() as i from generate_series(1, 40000) n) r",
    )
    .await;
    let newest = "select max(inhrelid::regclass::text) from pg_inherits
        where inhparent = 'rhythm.archive'::regclass and inhrelid::regclass::text ~ '\\d{8}$'";
    let before = s.text(newest).await;
    later(&s, "7 days").await;
    retain(&s).await;
    assert_eq!(s.text(newest).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_reader_delays_the_drop_alone() {
    let database = Database::create().await;
    let s = database.session().await;
    retain(&s).await;
    ended(&s, "default").await;
    let reader = database.session().await;
    reader
        .run("begin isolation level repeatable read; select count(*) from rhythm.executions")
        .await;
    let id = s
        .id("select rhythm.enqueue('a', delay => '20 days', task_id => 'k')")
        .await;
    s.run("insert into rhythm.keys (kind, name, task_id, id, until) values ('task', 'old', 'k', gen_random_uuid(), now())")
        .await;
    later(&s, "21 days").await;
    let begun = Instant::now();
    retain(&s).await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    // Other duties have gone on.
    s.becomes(id, "pending").await;
    assert_eq!(
        s.number("select count(*) from rhythm.keys where until <= now()")
            .await,
        0,
        "and so have other steps"
    );
    assert_eq!(s.number(KEPT).await, 1, "the week is swept, and stays");
    let soon = "select next_at < rhythm._now() + interval '2 minutes' from rhythm.maintenance";
    assert_eq!(s.text(soon).await, "t", "it is tried again in a minute");
    reader.run("commit").await;
    advance(&s, "1 minute").await;
    retain(&s).await;
    assert_eq!(s.number(KEPT).await, 0);
    assert_eq!(s.number(WEEKS).await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_sessions_complete_while_a_large_week_goes() {
    let database = Arc::new(Database::create_quiet().await);
    let s = database.session().await;
    retain(&s).await;
    fill_a_week(&s, 200_000).await;
    s.run("update rhythm.maintenance set next_at = rhythm._now() + interval '20 days'")
        .await;
    later(&s, "8 days").await;
    // What must not wait either: a timer is due in the middle.
    s.deploy("nap", "await sleep('20ms'); return 1;").await;
    let over = Arc::new(AtomicBool::new(false));
    let mut sessions = Vec::new();
    for n in 0..16 {
        let (database, over) = (Arc::clone(&database), Arc::clone(&over));
        sessions.push(tokio::spawn(async move {
            let s = database.session().await;
            let (mut slowest, mut count) = (Duration::ZERO, 0);
            while !over.load(Ordering::Relaxed) {
                s.run(&format!(
                    "select rhythm.enqueue('a', queue => 'q{n}') from generate_series(1, 5)"
                ))
                .await;
                let tasks = s.claim_with(&format!("'w{n}', '{{q{n}}}', max => 5")).await;
                for task in tasks {
                    let begun = Instant::now();
                    assert!(s.complete(&task, "1").await);
                    slowest = slowest.max(begun.elapsed());
                    count += 1;
                }
            }
            (slowest, count)
        }));
    }
    let naps = {
        let (database, over) = (Arc::clone(&database), Arc::clone(&over));
        tokio::spawn(async move {
            let s = database.session().await;
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let id = s.start("nap", "{}").await;
                s.completed(id).await;
                slowest = slowest.max(begun.elapsed());
            }
            slowest
        })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    // The background worker does it, step by step; each nap wakes it.
    s.run("update rhythm.maintenance set next_at = rhythm._now()")
        .await;
    let stays = "select to_regclass('rhythm.archive_' || to_char(date_trunc('week', current_date), 'YYYYMMDD')) is not null";
    while s.text(stays).await == "t" {
        assert!(begun.elapsed() < Duration::from_secs(300), "the week stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    over.store(true, Ordering::Relaxed);
    let (mut slowest, mut count) = (Duration::ZERO, 0);
    for session in sessions {
        let (wait, completed) = session.await.expect("no session panics");
        slowest = slowest.max(wait);
        count += completed;
    }
    let nap = naps.await.expect("no nap panics");
    report(&format!(
        "a week of 200 000 went in {took:.1?}; {count} completed meanwhile, the slowest in {slowest:.0?}; a nap took {nap:.0?} at most"
    ));
    // Whoever were held up by it would be so until it is through; on a slow machine everything takes its time.
    assert!(
        slowest < Duration::from_secs(1).max(took / 2),
        "{slowest:?}"
    );
    assert!(nap < Duration::from_secs(5).max(took), "{nap:?}");
    let kept = "select count(*) from rhythm.executions where name = 'a' and state = 'completed'";
    assert_eq!(s.number(kept).await, count, "nothing is lost");
    for table in ["keys", "history where event = 'attempt_failed'"] {
        assert_eq!(
            s.number(&format!("select count(*) from rhythm.{table}"))
                .await,
            0,
            "{table}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_it_goes_on_where_it_was() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    retain(&s).await;
    fill_a_week(&s, 60_000).await;
    s.deploy(
        "flow",
        "await Task.run('m'); await Signal.next('go'); return 1;",
    )
    .await;
    let tree = s.start("flow", "{}").await;
    s.work("1").await;
    later(&s, "29 days").await;
    let mut steps = Vec::new();
    for _ in 0..4 {
        let s = database.session().await;
        s.run("update rhythm.maintenance set next_at = rhythm._now()")
            .await;
        let pid = s.number("select pg_backend_pid()").await;
        let ticks =
            tokio::spawn(async move { while s.attempt("select rhythm.tick()").await.is_ok() {} });
        tokio::time::sleep(Duration::from_millis(150)).await;
        database
            .server()
            .kill_one(u32::try_from(pid).expect("a pid"))
            .await;
        ticks.await.expect("it has ended");
        let s = database.session().await;
        steps.push(
            s.text(
                "select step || coalesce(' after ' || sweeping_after, '') from rhythm.maintenance",
            )
            .await,
        );
    }
    report(&format!("killed at {steps:?}"));
    let s = database.session().await;
    s.run("update rhythm.maintenance set next_at = rhythm._now()")
        .await;
    retain(&s).await;
    tick(&s).await;
    let left = "select (select count(*) from rhythm.archive where name = 'old') + (select count(*) from rhythm.keys)
        + (select count(*) from rhythm.history where event = 'attempt_failed')";
    assert_eq!(s.number(left).await, 0);
    let seen = format!("select count(*) from rhythm.executions where root_id = '{tree}'");
    assert_eq!(s.number(&seen).await, 2);
    s.run(&format!("select rhythm.signal('{tree}', 'go')"))
        .await;
    s.completed(tree).await;
    nothing_is_left(&s).await;
}
