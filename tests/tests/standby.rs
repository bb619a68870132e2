//! A standby runs nothing, and takes over on promotion with all that was acknowledged; a physical copy is the same database.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::{Server, Setup};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_runs_nothing_and_takes_over_on_promotion() {
    let primary = Database::alone(Setup::default()).await;
    let s = primary.session().await;
    s.deploy("nap", "await sleep('2s'); return await Task.run('after');")
        .await;
    let standby = Server::start_on(primary.server().base_backup(), Setup::default()).await;
    s.run("alter system set synchronous_standby_names = '*'")
        .await;
    s.run("select pg_reload_conf()").await;
    let begun = Instant::now();
    while s
        .number("select count(*) from pg_stat_replication where sync_state = 'sync'")
        .await
        == 0
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the standby connects"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let acknowledged = s.start("nap", "{}").await;
    let leased = s.id("select rhythm.enqueue('leased')").await;
    let task = s.claim_one().await;
    // Its ticks go on over the failover: those of the gap are caught up.
    s.run("select rhythm.schedule('pulse', every => '1 second', task => 'pulse', queue => 'pulse', overlap => 'allow')")
        .await;
    s.until("select count(*) > 1 from rhythm.executions where name = 'pulse'")
        .await;
    primary.server().kill_all();

    let reader = standby.session(primary.name(), "postgres").await;
    let workers = "select count(*) from pg_stat_activity where backend_type like 'rhythm%' and datname is not null";
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        reader.number(workers).await,
        0,
        "no worker runs on a standby"
    );
    // Its timer is due, and nobody fires it here.
    reader.becomes(acknowledged, "waiting").await;
    assert_eq!(
        reader.fails("select rhythm.enqueue('a')").await.code,
        "25006"
    );

    reader
        .run("alter system set synchronous_standby_names = ''")
        .await;
    reader.run("select pg_promote(true, 30)").await;
    let s = standby.session(primary.name(), "postgres").await;
    s.run("alter system reset synchronous_standby_names").await;
    s.run("select pg_reload_conf()").await;
    assert!(
        s.complete(&task, "5").await,
        "a lease outlives the failover"
    );
    assert_eq!(s.completed(leased).await, json!(5));
    let after = s.claim_with("'w', wait => '5s'").await.remove(0);
    assert!(s.complete(&after, "\"done\"").await);
    assert_eq!(s.completed(acknowledged).await, json!("done"));

    // One start for each tick, from the first one of the old primary to one that came after the promotion.
    let tick = "split_part(task_id, 'pulse:', 2)::timestamptz";
    s.until(&format!(
        "select count(*) > 0 from rhythm.executions where name = 'pulse'
           and {tick} > (select max(finished_at) from rhythm.executions where name = 'after')"
    ))
    .await;
    s.run("select rhythm.unschedule('pulse')").await;
    let counts = format!(
        "select concat_ws(' ', count(*) - count(distinct task_id),
           count(*) - 1 - extract(epoch from max({tick}) - min({tick}))::int)
         from rhythm.executions where name = 'pulse'"
    );
    assert_eq!(s.text(&counts).await, "0 0", "started twice, and left out");
    s.run("select rhythm.cancel(id) from rhythm.executions where name = 'pulse'")
        .await;
    nothing_is_left(&s).await;
}

/// As docs/sql/backups.md says: nothing tells a physical copy from a failover, so whoever makes one stops it before it runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_physical_copy_is_the_same_database_and_can_be_stopped_before_it_runs() {
    let original = Database::alone(Setup::default()).await;
    let s = original.session().await;
    s.deploy("nap", "await sleep('30m'); return 1;").await;
    let naps = s.start("nap", "{}").await;
    let data = original.server().base_backup();
    original.server().stop(Signal::SIGINT);
    std::fs::remove_file(data.join("standby.signal")).expect("it was to be a standby");

    // Without the library at the start there is no background worker, so nothing fires by itself.
    let unloaded = Setup {
        preload: false,
        ..Setup::default()
    };
    let copy = Server::start_on(data.clone(), unloaded).await;
    let s = copy.session(original.name(), "postgres").await;
    assert_eq!(
        s.number("select count(*) from rhythm.pauses").await,
        0,
        "nobody can see that it is a copy"
    );
    s.run("select rhythm.pause_all('a copy of the shop')").await;
    drop(s);
    copy.stop(Signal::SIGINT);

    let copy = Server::start_on(data, Setup::default()).await;
    let s = copy.session(original.name(), "postgres").await;
    assert_eq!(s.text("select rhythm.adopt()").await, "f");
    s.run("update rhythm.test_clock set shift = interval '1 hour'")
        .await;
    s.run("select rhythm.tick()").await;
    assert_eq!(s.state(naps).await, "waiting");
    s.run("select rhythm.resume_all()").await;
    assert_eq!(s.completed(naps).await, json!(1));
}
