//! A transaction that stays open keeps what is done from being swept; claims do not walk over it again and again.

use rhythm_tests::database::{Database, Session};

/// A transaction that could still see all that is there now.
async fn stays_open(database: &Database) -> Session {
    let s = database.session().await;
    s.run("begin isolation level repeatable read").await;
    s.run("select count(*) from rhythm.live").await;
    s
}

/// Takes tasks through their lives, a thousand a claim.
async fn churn(s: &Session, count: usize, priority: i32) {
    s.run(&format!(
        "select rhythm.enqueue_rows($$select 'a' as name, {priority} as priority from generate_series(1, {count})$$)"
    ))
    .await;
    s.run(
        "do $$ declare v_n int; begin loop
           perform rhythm.finish('w', coalesce((select jsonb_agg(jsonb_build_object('id', id, 'token', token::text))
             from rhythm.claim('w', max => 1000)), '[]'));
           exit when not exists (select from rhythm.live where state = 'pending');
         end loop; end $$",
    )
    .await;
}

/// Blocks that a statement which gives one row reads.
async fn blocks(s: &Session, sql: &str) -> i64 {
    let plan = s
        .json(&format!("explain (analyze, buffers, format json) {sql}"))
        .await;
    assert_eq!(
        plan[0]["Plan"]["Actual Rows"].as_f64(),
        Some(1.0),
        "{plan:#}"
    );
    ["Shared Hit Blocks", "Shared Read Blocks"]
        .iter()
        .map(|what| plan[0]["Plan"][what].as_i64().expect("blocks"))
        .sum()
}

async fn blocks_of_a_claim(s: &Session) -> i64 {
    blocks(s, "select * from rhythm.claim('w')").await
}

async fn least_of_five(s: &Session) -> i64 {
    let mut least = i64::MAX;
    for _ in 0..5 {
        least = least.min(blocks_of_a_claim(s).await);
    }
    least
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_beside_an_open_transaction_do_not_walk_over_what_is_done() {
    let database = Database::create_quiet().await;
    let s = database.session().await;
    let open = stays_open(&database).await;
    churn(&s, 10_000, 0).await;
    churn(&s, 10_000, 5).await;
    s.run("select rhythm.enqueue('a', priority => p) from unnest(array[0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5, -1, -1]) p")
        .await;
    s.run("set enable_seqscan = off; set enable_bitmapscan = off")
        .await;
    let first = "select id from rhythm.live where queue = 'default' and state = 'pending' and kind = 'task' and rate_key is null
                 order by priority desc, seq limit 1";
    let walked = blocks(&s, first).await;
    assert!(
        walked > 250,
        "{walked} blocks: nothing is there to walk over"
    );
    // The first claims find where the pending ones begin, first of the higher priority.
    s.claim(1).await;
    let high = least_of_five(&s).await;
    let low = least_of_five(&s).await;
    assert!(high < 200 && low < 200, "{high} and {low} blocks");
    // One who comes new knows it from the others.
    let other = database.session().await;
    other.claim_with("'w', queues => '{other}'").await;
    let new = blocks_of_a_claim(&other).await;
    assert!(new < 200, "{new} blocks");
    // Two of the lowest priority are left.
    let last: Vec<_> = s.claim(10).await;
    assert_eq!(last.len(), 2);
    open.run("rollback").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_pending_below_a_floor_is_claimed() {
    let database = Database::create_quiet().await;
    let s = database.session().await;
    let open = stays_open(&database).await;
    let late = database.session().await;
    late.run("begin").await;
    late.run("select rhythm.enqueue('late')").await;
    s.run("select rhythm.enqueue('retried')").await;
    let retried = s.claim_one().await;
    churn(&s, 5_000, 0).await;
    s.run("select rhythm.enqueue('a') from generate_series(1, 3)")
        .await;
    assert_eq!(s.claim_one().await.name, "a");

    // A higher priority comes first at once, and one that was rolled back comes again at once.
    s.run("select rhythm.enqueue('urgent', priority => 9)")
        .await;
    s.run("begin").await;
    assert_eq!(s.claim_one().await.name, "urgent");
    s.run("rollback").await;
    assert_eq!(s.claim_one().await.name, "urgent");

    // What has an old number is met by the next look at all, also while there is other work.
    late.run("commit").await;
    s.fail(&retried, ", retry_in => '0'").await;
    let mut claimed = Vec::new();
    for _ in 0..20 {
        if claimed.len() == 4 {
            break;
        }
        claimed.extend(
            s.claim_with("'w', max => 1, wait => '5s'")
                .await
                .into_iter()
                .map(|task| task.name),
        );
    }
    claimed.sort();
    assert_eq!(claimed, ["a", "a", "late", "retried"]);
    assert_eq!(
        s.number("select count(*) from rhythm.live where state = 'pending'")
            .await,
        0
    );
    open.run("rollback").await;
}
