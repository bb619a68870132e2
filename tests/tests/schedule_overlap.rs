//! What happens to a tick of a schedule while the last execution of it runs.

use rhythm_tests::clock::{advance, tick};
use rhythm_tests::database::Database;

use crate::schedule::{counts, hourly, pass, runs, work};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_that_finds_the_last_one_running_is_skipped() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, "").await;
    pass(&s, "1 hour").await;
    pass(&s, "1 hour").await;
    pass(&s, "1 hour").await;
    assert_eq!(
        counts(&s).await,
        "1 started, 2 skipped, 0 missed, 0 failed; 1 running, 0 held"
    );
    work(&s).await;
    pass(&s, "1 hour").await;
    assert_eq!(runs(&s).await, "1 completed, 4 pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tick_is_held_until_the_running_one_has_ended() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, ", overlap => 'queue_one'").await;
    pass(&s, "4 hours").await;
    assert_eq!(runs(&s).await, "1 pending, 2 held");
    assert_eq!(
        counts(&s).await,
        "1 started, 2 skipped, 0 missed, 0 failed; 1 running, 1 held"
    );
    work(&s).await;
    // Nobody calls tick(): the end has woken the worker.
    s.until("select count(*) = 0 from rhythm.schedule_runs where state = 'held'")
        .await;
    assert_eq!(runs(&s).await, "1 completed, 2 pending");
    work(&s).await;
    assert_eq!(runs(&s).await, "1 completed, 2 completed");
    pass(&s, "1 hour").await;
    assert_eq!(runs(&s).await, "1 completed, 2 completed, 5 pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_ticks_are_held_and_started_in_their_order() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, ", overlap => 'queue_all'").await;
    pass(&s, "1 hour").await;
    pass(&s, "2 hours").await;
    assert_eq!(runs(&s).await, "1 pending, 2 held, 3 held");
    let task = s.claim_one().await;
    assert_eq!(
        s.fail(&task, ", retryable => false").await,
        "failed",
        "a failure is an end too"
    );
    s.until("select count(*) = 1 from rhythm.schedule_runs where state = 'held'")
        .await;
    assert_eq!(runs(&s).await, "1 failed, 2 pending, 3 held");
    let second = s.id("select id from rhythm.schedule_runs where state = 'pending'");
    let second = second.await;
    assert_eq!(
        s.text(&format!("select rhythm.cancel('{second}')")).await,
        "t"
    );
    s.until("select count(*) = 0 from rhythm.schedule_runs where state = 'held'")
        .await;
    assert_eq!(runs(&s).await, "1 failed, 2 cancelled, 3 pending");
    work(&s).await;
    assert_eq!(
        counts(&s).await,
        "3 started, 0 skipped, 0 missed, 0 failed; 0 running, 0 held"
    );

    // A workflow that ends in its first step holds nothing up.
    s.deploy("quick", "return 1;").await;
    s.run("select rhythm.schedule('q', every => '1 minute', workflow => 'quick', overlap => 'queue_all')")
        .await;
    pass(&s, "2 hours").await;
    assert_eq!(
        s.text("select started || ' ' || held from rhythm.schedules where name = 'q'")
            .await,
        "120 0"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_one_is_cancelled_for_the_next() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, ", overlap => 'cancel_other'").await;
    pass(&s, "1 hour").await;
    pass(&s, "1 hour").await;
    assert_eq!(runs(&s).await, "1 cancelled, 2 pending");
    // One that runs hears of it; the newest tick waits until it has ended.
    let task = s.claim_one().await;
    pass(&s, "40 seconds").await;
    let beat = |lease: &str| {
        format!(
            "select status from rhythm.heartbeat('{{{}}}', '{{{}}}', '{lease}')",
            task.id, task.token
        )
    };
    assert_eq!(s.text(&beat("1 day")).await, "ok");
    pass(&s, "1 hour").await;
    pass(&s, "1 hour").await;
    assert_eq!(runs(&s).await, "1 cancelled, 2 running, 4 held");
    assert_eq!(s.text(&beat("1 day")).await, "cancel");
    assert!(s.complete(&task, "null").await);
    s.until("select count(*) = 0 from rhythm.schedule_runs where state = 'held'")
        .await;
    assert_eq!(
        counts(&s).await,
        "3 started, 1 skipped, 0 missed, 0 failed; 1 running, 0 held"
    );

    s.deploy(
        "patient",
        "try { await sleep('10d'); } finally { await Task.run('undo', {}, {queue: 'undo'}); }",
    )
    .await;
    s.run("select rhythm.schedule('w', every => '1 hour', workflow => 'patient', overlap => 'cancel_other')")
        .await;
    pass(&s, "1 hour").await;
    pass(&s, "1 hour").await;
    let states = "select string_agg(state, ',' order by tick) from rhythm.schedule_runs where schedule = 'w'";
    assert_eq!(
        s.text(states).await,
        "waiting,held",
        "it cleans up after itself"
    );
    let undo = s.claim_with("'w', '{undo}', wait => '5s'").await.remove(0);
    assert!(s.complete(&undo, "null").await);
    s.until(&format!("select ({states}) = 'cancelled,waiting'"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_starts_that_fail_are_tried_once_a_minute_and_hold_up_no_other() {
    let database = Database::create().await;
    let s = database.session().await;
    // More bad ones than a round takes, all before the good one. A stand-in for a damaged page.
    s.run(
        "create sequence tries;
         create function refuse() returns trigger language plpgsql security definer as
         $$ begin perform nextval('public.tries'); raise 'the bad row'; end $$;
         create trigger refuse before update or delete on rhythm.schedule_starts for each row
           when (old.schedule like 'bad%') execute function refuse();
         select rhythm.pause_all('an incident');
         select rhythm.schedule(n, every => '1 day', task => 'job'), rhythm.trigger_schedule(n)
         from (select 'bad ' || to_char(g, '00') as n from generate_series(1, 20) g union all select 'good') n;
         select rhythm.resume_all()",
    )
    .await;
    s.until("select count(*) = 1 from rhythm.live").await;
    // The start is tried, and then the note that it cannot be made.
    let tries = "select case when is_called then last_value else 0 end from tries";
    s.until("select count(*) = 20 from rhythm.schedule_entries where held_until > rhythm._now() + interval '10 seconds'")
        .await;
    assert_eq!(s.number(tries).await, 40);
    for _ in 0..3 {
        advance(&s, "10 seconds").await;
    }
    assert_eq!(s.number(tries).await, 40, "once a minute");
    advance(&s, "61 seconds").await;
    s.until(&format!("select ({tries}) = 80")).await;
    s.run("drop trigger refuse on rhythm.schedule_starts").await;
    advance(&s, "61 seconds").await;
    tick(&s).await;
    s.until("select count(*) = 21 from rhythm.live").await;
}
