//! Dumps, copies and drops of a database with Rhythm in it.

use rhythm_tests::database::{Database, Session};
use rhythm_tests::installation::scratch;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::run;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_noticed_also_where_triggers_of_the_session_are_off() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("set session_replication_role = replica; insert into rhythm.gate (database) values (1)")
        .await;
    s.run("set session_replication_role = origin").await;
    stands_still(&s, "restored").await;
}

/// Nothing runs in this database, and it says why, until it is adopted.
async fn stands_still(session: &Session, why: &str) {
    assert_eq!(session.claim(10).await.len(), 0);
    session.deploy("napping", "return 1").await;
    let id = session.start("napping", "{}").await;
    session.run("select rhythm.tick()").await;
    assert_eq!(session.state(id).await, "pending");
    assert_eq!(
        session
            .text("select what from rhythm.pauses where what in ('restored', 'copied')")
            .await,
        why
    );
    assert_eq!(session.text("select rhythm.adopt()").await, "t");
    assert_eq!(session.text("select rhythm.adopt()").await, "f");
    session.completed(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_dump_goes_on_where_the_database_was() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("flow", "const a = await Task.run('a'); const b = await Signal.next('go'); await sleep('1h'); return [a, b];")
        .await;
    let waits = s.start("flow", "{}").await;
    let ended = s
        .id("select rhythm.enqueue('b', task_id => 'k', priority => 1)")
        .await;
    s.work("1").await;
    s.run(&format!(
        "select rhythm.signal('{waits}', 'go', '\"signal\"')"
    ))
    .await;
    s.run("select rhythm.configure_queue('slow', paused => true)")
        .await;
    s.run(
        "select rhythm.set_calendar('weekend', weekdays => '{sun}');
         select rhythm.schedule('nightly', cron => '0 3 * * *', task => 'never', starts_at => now() + interval '1 year', exclude => '{weekend}')",
    )
    .await;
    // Partitions of the archive belong to no extension: the dump makes them itself.
    s.run("update rhythm.maintenance set next_at = rhythm._now(); select rhythm.tick()")
        .await;
    s.until("select count(*) > 1 from pg_inherits where inhparent = 'rhythm.archive'::regclass")
        .await;

    let file = scratch().join(format!("{}.dump", database.name()));
    run(database
        .server()
        .program("pg_dump")
        .args(["-Fc", "-f"])
        .arg(&file)
        .arg(database.name()));
    let copy = format!("{}_copy", database.name());
    run(database.server().program("createdb").arg(&copy));
    run(database
        .server()
        .program("pg_restore")
        .args(["--exit-on-error", "-d", &copy])
        .arg(&file));

    let c = database.server().session(&copy, "postgres").await;
    assert_eq!(c.completed(ended).await, json!(1));
    // It may be a copy for a test, which must not charge cards.
    stands_still(&c, "restored").await;
    assert_eq!(
        c.id("select rhythm.enqueue('b', task_id => 'k')").await,
        ended,
        "the key is remembered"
    );
    assert_eq!(
        c.text("select paused_at is not null from rhythm.queues where name = 'slow'")
            .await,
        "t"
    );
    let schedules = "select string_agg(t::text, '|') from rhythm.schedules t";
    assert_eq!(c.text(schedules).await, s.text(schedules).await);
    c.work("\"task\"").await;
    assert_eq!(c.state(waits).await, "waiting");
    rhythm_tests::clock::advance(&c, "61 minutes").await;
    assert_eq!(c.completed(waits).await, json!(["task", "signal"]));
    assert_eq!(s.state(waits).await, "waiting", "the original is untouched");
    let new = c.id("select rhythm.enqueue('c')").await;
    assert_eq!(c.claim_one().await.id, new);
    c.run("select rhythm.cleanup(older_than => '0')").await;
    drop(c);
    let postgres = database.server().session("postgres", "postgres").await;
    postgres.run(&format!("drop database {copy}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_a_worker_can_be_copied_and_dropped_and_the_extension_made_anew() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a')").await;
    let postgres = database.server().session("postgres", "postgres").await;
    let worker = format!(
        "select count(*) > 0 from pg_stat_activity where datname = '{}' and backend_type like 'rhythm%'",
        database.name()
    );
    postgres.until(&worker).await;
    drop(s);
    let copy = format!("{}_copy", database.name());
    let sessions = format!(
        "select count(*) = 0 from pg_stat_activity where datname = '{}' and backend_type = 'client backend'",
        database.name()
    );
    postgres.until(&sessions).await;
    postgres
        .run(&format!(
            "create database {copy} template {}",
            database.name()
        ))
        .await;
    let c = database.server().session(&copy, "postgres").await;
    stands_still(&c, "copied").await;
    assert_eq!(c.claim_one().await.name, "a");
    // The copy has a worker of its own, which fires its timers.
    c.deploy("nap", "await sleep('50ms'); return 1").await;
    let id = c.start("nap", "{}").await;
    assert_eq!(c.completed(id).await, json!(1));
    c.run("drop extension rhythm cascade; create extension rhythm")
        .await;
    c.deploy("nap", "await sleep('50ms'); return 2").await;
    let id = c.start("nap", "{}").await;
    assert_eq!(c.completed(id).await, json!(2));
    nothing_is_left(&c).await;
    drop(c);
    postgres
        .until(&sessions.replace(database.name(), &copy))
        .await;
    postgres.run(&format!("drop database {copy}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_transaction_that_touched_rhythm_is_refused() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table own (n int)").await;
    s.run("begin; select rhythm.enqueue('a')").await;
    let failure = s.fails("prepare transaction 'with'").await;
    assert!(
        !failure.hint.is_empty() || !failure.detail.is_empty(),
        "{failure:?}"
    );
    s.run("rollback").await;
    assert_eq!(s.number("select count(*) from rhythm.executions").await, 0);
    // Neither of these tells anybody anything, but both hold a row.
    s.deploy("busy", "return await Task.run('t');").await;
    let id = s.start("busy", "{}").await;
    let task = s.claim_one().await;
    for call in [
        format!("select rhythm.signal('{id}', 'unheard')"),
        format!(
            "select * from rhythm.heartbeat('{{{}}}', '{{{}}}')",
            task.id, task.token
        ),
    ] {
        s.run(&format!("begin; {call}")).await;
        assert_eq!(s.fails("prepare transaction 'with'").await.code, "0A000");
        s.run("rollback").await;
    }
    s.run("begin; insert into own values (1); prepare transaction 'without'")
        .await;
    s.run("commit prepared 'without'").await;
    assert_eq!(s.number("select count(*) from own").await, 1);
}
