//! What sixteen sessions enqueue on a server that is killed is there once, or not at all.

use std::sync::Arc;

use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use rhythm_tests::stress::{SESSIONS, Stress, Who, held, is_so, none, pairs};

/// One way to ask for a task or a workflow under a key of sixty.
fn ask(who: &mut Who, key: usize) -> (&'static str, String) {
    match who.dice.below(3) {
        0 => (
            "workflow",
            format!("select rhythm.start('book', task_id => 'k{key}'), null"),
        ),
        1 => (
            "task",
            format!("select rhythm.enqueue('book', task_id => 'k{key}'), null"),
        ),
        _ => (
            "task",
            format!(
                "select id, null from rhythm.enqueue_many('[{{\"name\": \"book\", \"task_id\": \"k{key}\"}}]')"
            ),
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_what_sixteen_enqueue_under_the_same_ids_there_is_one_each() {
    let database = Stress {
        name: "stress of task_ids",
        setup: "create table ledger (task_id text); create table got (kind text, key int, id uuid, number int);
            select rhythm.deploy('book', $$await Sql.query('insert into ledger (task_id) values ($1)', [Context.taskId]);$$)",
        round: |s, who| {
            Box::pin(async move {
                // Each in an order of its own, and until it has heard of each.
                let mine = format!(
                    "select k, null from generate_series(1, 60) k where (
                       select count(distinct kind) from got where key = k and number = {0}) < 2
                     order by hashint4(k * 16 + {0}) limit 1",
                    who.number
                );
                if let Some((key, _)) = pairs(s.attempt(&mine).await?).pop() {
                    let key: usize = key.parse().unwrap_or_default();
                    let (kind, ask) = ask(who, key);
                    if who.dice.below(3) == 0 {
                        s.attempt(&format!("begin; {ask}; rollback")).await?;
                    }
                    let id = pairs(s.attempt(&ask).await?).remove(0).0;
                    s.attempt(&format!("insert into got values ('{kind}', {key}, '{id}', {})", who.number)).await?;
                }
                let claim = format!("select * from rhythm.claim('{}', lease => '1 day')", who.name());
                s.attempt(&claim).await?;
                for (id, token) in held(s, who).await? {
                    s.attempt(&format!("select rhythm.complete('{id}', {token})")).await?;
                }
                let over = format!(
                    "select count(distinct (kind, key)) = 120 and not exists (select from rhythm.live) from got where number = {}",
                    who.number
                );
                is_so(s, &over).await
            })
        },
        left: "select 1920 - count(distinct (kind, key, number)) from got",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    none(
        &s,
        "keys of which not all got the one execution",
        "select kind, key from got group by 1, 2 having count(distinct id) <> 1",
    )
    .await;
    let each = "select count(*) || ' ' || count(distinct (kind, task_id)) || ' ' || count(*) filter (where state = 'completed')
        from rhythm.executions";
    assert_eq!(s.text(each).await, "120 120 120");
    let effects = "select count(*) || ' ' || count(distinct task_id) from ledger";
    assert_eq!(s.text(effects).await, "60 60", "effects of the workflows");
    let ran = "select count(*) || ' ' || count(distinct id) from audit where what = 'start'";
    assert_eq!(s.text(ran).await, "60 60", "attempts of the tasks");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_thousand_rows_whose_server_dies_midway_there_are_none() {
    let database = Arc::new(Database::alone(Setup::default()).await);
    let enqueuing = {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            let s = database.session().await;
            // Sleeps where half of them are enqueued.
            s.attempt(
                "select rhythm.enqueue_rows($$select 'a' as name, 'r' || n as task_id, jsonb_build_object('slept', case when n = 25001 then pg_sleep(600)::text end) as inputs
                   from generate_series(1, 50000) n$$)",
            )
            .await
        })
    };
    let s = database.session().await;
    s.until("select count(*) > 0 from pg_stat_activity where wait_event = 'PgSleep'")
        .await;
    let size = s.number("select pg_relation_size('rhythm.live')").await;
    assert!(
        size > 20_000 * 100,
        "20 000 of them are written: {size} bytes"
    );
    for number in 0..SESSIONS {
        let s = database.session().await;
        let got = s.claim_with(&format!("'w{number}', max => 100")).await;
        assert!(got.is_empty(), "nobody sees them");
    }
    database.server().kill_all();
    let failure = enqueuing
        .await
        .expect("it does not panic")
        .expect_err("it was killed");
    assert!(failure.is_lost(), "{failure:#?}");
    database.server().restart().await;
    let s = database.session().await;
    let left = "select (select count(*) from rhythm.live) + (select count(*) from rhythm.keys)";
    assert_eq!(s.number(left).await, 0);
    assert!(s.claim(10).await.is_empty());
    // And all of them are there when it is done again.
    let again = "select rhythm.enqueue_rows($$select 'a' as name, 'r' || n as task_id from generate_series(1, 50000) n$$)";
    assert_eq!(s.number(again).await, 50_000);
    assert_eq!(s.number("select count(*) from rhythm.live").await, 50_000);
}
