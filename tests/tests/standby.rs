//! A standby runs nothing, and takes over on promotion with all that was acknowledged.

use std::time::{Duration, Instant};

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
    nothing_is_left(&s).await;
}
