//! Rate limits are exact: across sessions, by key, over a crash; and who waits for a token sleeps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rhythm_tests::clock::{Stopwatch, advance};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::report;
use rhythm_tests::race::{Dice, race};
use rhythm_tests::server::Setup;
use rhythm_tests::stress::{audit, audit_payments, paid_claims};
use serde_json::json;

/// When each task that runs was claimed, in seconds, in order.
async fn claims(s: &Session) -> Vec<f64> {
    s.rows("select extract(epoch from attempt_at) from rhythm.live where state = 'running' order by attempt_at")
        .await
        .into_iter()
        .map(|row| row[0].as_deref().unwrap_or_default().parse().expect("a number"))
        .collect()
}

/// No window has more claims than the tokens that come in it and a full bucket.
pub(crate) fn within(claims: &[f64], rate: f64, burst: f64) {
    for (i, from) in claims.iter().enumerate() {
        for (j, to) in claims.iter().enumerate().skip(i) {
            let most = burst + rate * (to - from) + 0.001;
            let are = (j - i + 1) as f64;
            assert!(
                are <= most,
                "{are} claims in {} s, and {most} are the most",
                to - from
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_in_any_window_keep_to_rate_and_burst_and_use_all_of_it() {
    let database = Database::create().await;
    let s = database.session().await;
    let mut dice = Dice::roll("rate_limit");
    for (limit, burst, rate) in [
        ("10/sec", 10.0, 10.0),
        ("90/min", 4.0, 1.5),
        ("7200/hour", 1.0, 2.0),
        ("24/day", 3.0, 24.0 / 86_400.0),
    ] {
        s.run(&format!(
            "select rhythm.configure_queue('slow', rate_limit => '{limit}', rate_burst => {burst});
             delete from rhythm.live; delete from rhythm.buckets;
             select count(*) from rhythm.enqueue_rows($$select 'a' as name, 'slow' as queue from generate_series(1, 1000)$$)"
        ))
        .await;
        let since = s.text("select rhythm._now()").await;
        // What is in the bucket, and since when: a second implementation.
        let (mut tokens, mut at): (f64, f64) = (burst, 0.0);
        let mut claims = Vec::new();
        for _ in 0..120 {
            let most = 1 + dice.below(12);
            // Up to four tokens come in between.
            let by = dice.below((4000.0 / rate) as u64);
            s.run(&format!(
                "update rhythm.test_clock set shift = shift + interval '{by} ms'"
            ))
            .await;
            let began = s
                .text(&format!(
                    "select extract(epoch from rhythm._now() - '{since}')"
                ))
                .await;
            let got = s
                .rows(&format!(
                    "select extract(epoch from lease_until - interval '1 day' - '{since}')
                     from rhythm.claim('w', '{{slow}}', max => {most}, lease => '1 day')"
                ))
                .await;
            let now = got
                .first()
                .and_then(|row| row[0].as_deref())
                .unwrap_or(&began);
            let now: f64 = now.parse().expect("a number");
            let there = burst.min(tokens + rate * (now - at));
            let due = (there + 0.000_002).floor().min(most as f64);
            assert_eq!(
                got.len() as f64,
                due,
                "{limit}: of {there} tokens at {now} s, with {tokens} at {at} s, max => {most}"
            );
            if due > 0.0 {
                (tokens, at) = (there - due, now);
            }
            claims.extend(std::iter::repeat_n(now, got.len()));
        }
        within(&claims, rate, burst);
        assert!(
            claims.len() as f64 > 2.0 * burst,
            "it is filled again: {}",
            claims.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_backlog_every_token_is_used() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('slow', rate_limit => '10/sec');
         select rhythm.enqueue_rows($$select 'a' as name, 'slow' as queue from generate_series(1, 2000)$$)",
    )
    .await;
    let mut dice = Dice::roll("backlog");
    let began = Instant::now();
    let mut moved = 0;
    for _ in 0..100 {
        // Never as long as it takes to fill the bucket.
        let by = dice.below(700);
        moved += by;
        s.run(&format!(
            "update rhythm.test_clock set shift = shift + interval '{by} ms';
             select * from rhythm.claim('w', '{{slow}}', max => 10, lease => '1 day')"
        ))
        .await;
    }
    let claims = claims(&s).await;
    within(&claims, 10.0, 10.0);
    let due = 10.0 + 10.0 * (moved as f64 / 1000.0);
    assert!(
        claims.len() as f64 >= 0.98 * due,
        "{} of {due}",
        claims.len()
    );
    assert!(claims.len() as f64 <= due + 10.0 * began.elapsed().as_secs_f64() + 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_sessions_share_a_bucket_in_real_time() {
    let database = Arc::new(Database::create_quiet().await);
    let s = database.session().await;
    audit(&s).await;
    audit_payments(&s).await;
    s.run(
        "select rhythm.configure_queue('slow', rate_limit => '100/sec');
         select rhythm.enqueue_rows($$select 'a' as name, 'slow' as queue from generate_series(1, 3000)$$)",
    )
    .await;
    let began = Instant::now();
    race(16, |i, start| {
        let database = Arc::clone(&database);
        async move {
            let s = database.session().await;
            start.wait().await;
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(3) {
                let arguments =
                    format!("'w{i}', '{{slow}}', max => 3, wait => '200 ms', lease => '1 day'");
                s.claim_with(&arguments).await;
            }
        }
    })
    .await;
    // What is left in the bucket.
    s.claim_with("'last', '{slow}', max => 1000, lease => '1 day'")
        .await;
    let most = 101.0 + 100.0 * began.elapsed().as_secs_f64();
    let claims = paid_claims(&s, None).await;
    assert!(
        claims.len() as f64 <= most,
        "{}, and {most} are the most",
        claims.len()
    );
    within(&claims, 100.0, 100.0);
    // What is in the bucket after each of them: a full one loses tokens when nobody is fast enough, no other does.
    let mut tokens = 99.0;
    for pair in claims.windows(2) {
        tokens = f64::min(100.0, tokens + 100.0 * (pair[1] - pair[0])) - 1.0;
    }
    report(&format!(
        "rate limit: {} claims in {:.2} s leave {tokens:.3} tokens",
        claims.len(),
        claims[claims.len() - 1]
    ));
    assert!(tokens < 1.001, "{tokens} tokens were given to nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_has_a_bucket_of_its_own() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('api', rate_limit => '60/hour', rate_burst => 2, rate_key => 'customer.id');
         select rhythm.enqueue('a', jsonb_build_object('customer', jsonb_build_object('id', case when n <= 40 then 'big' else 'small' end)), 'api')
           from generate_series(1, 43) n;
         select rhythm.enqueue('none', '{}', 'api') from generate_series(1, 3)",
    )
    .await;
    let got = s
        .claim_with("'w', '{api}', max => 100, lease => '1 day'")
        .await;
    let of = |id: &str| {
        got.iter()
            .filter(|t| t.inputs["customer"]["id"] == json!(id))
            .count()
    };
    assert_eq!((of("big"), of("small")), (2, 2), "{got:?}");
    assert_eq!(got.len(), 6, "those without a key share a bucket");
    assert!(s.claim_with("'w', '{api}', max => 100").await.is_empty());
    s.run("update rhythm.test_clock set shift = shift + interval '1 minute'")
        .await;
    let got = s
        .claim_with("'w', '{api}', max => 100, lease => '1 day'")
        .await;
    assert_eq!(got.len(), 3, "one token each: {got:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_handed_out_once_though_the_server_dies() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('slow', rate_limit => '10/day');
         select rhythm.enqueue('a', queue => 'slow') from generate_series(1, 40)",
    )
    .await;
    assert_eq!(
        s.claim_with("'w', '{slow}', max => 4, lease => '1 day'")
            .await
            .len(),
        4
    );
    // Not committed when the server dies: neither claimed nor paid.
    s.run("begin").await;
    assert_eq!(s.claim_with("'w', '{slow}', max => 3").await.len(), 3);
    database.server().kill_all();
    database.server().restart().await;
    let s = database.session().await;
    assert_eq!(
        s.claim_with("'w', '{slow}', max => 40, lease => '1 day'")
            .await
            .len(),
        6
    );
    database.server().kill_all();
    database.server().restart().await;
    let s = database.session().await;
    assert!(s.claim_with("'w', '{slow}', max => 40").await.is_empty());
    // A setting that changes makes no tokens either.
    s.run("select rhythm.configure_queue('slow', rate_limit => '20/day')")
        .await;
    assert!(s.claim_with("'w', '{slow}', max => 40").await.is_empty());
    // The cleaning of buckets that are full leaves this one.
    s.run("update rhythm.maintenance set next_at = rhythm._now(); select rhythm.tick()")
        .await;
    assert!(s.claim_with("'w', '{slow}', max => 40").await.is_empty());
}

/// How often this session has looked what a limit allows.
const LOOKS: &str =
    "select coalesce(sum(calls), 0)::bigint from pg_stat_user_functions where funcname = '_allow'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_sleeps_until_the_next_token() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "set track_functions = 'all'; select rhythm.configure_queue('slow', rate_limit => '1/sec', rate_burst => 1);
         select rhythm.enqueue('a', queue => 'slow') from generate_series(1, 3)",
    )
    .await;
    assert_eq!(s.claim_with("'w', '{slow}'").await.len(), 1);
    s.run("select pg_stat_force_next_flush()").await;
    let before = s.number(LOOKS).await;
    let begun = Stopwatch::start();
    assert_eq!(s.claim_with("'w', '{slow}', wait => '5s'").await.len(), 1);
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "it came with the token"
    );
    s.run("select pg_stat_force_next_flush()").await;
    let looks = s.number(LOOKS).await - before;
    assert!(looks <= 4, "{looks} looks for one token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_waits_for_a_token_is_woken_by_a_higher_limit_and_by_none() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a', queue => 'slow') from generate_series(1, 3)")
        .await;
    for change in ["rate_limit => '1000/sec'", "reset => '{rate_limit}'"] {
        s.run("select rhythm.configure_queue('slow', rate_limit => '1/day')")
            .await;
        s.run("delete from rhythm.buckets").await;
        s.run("insert into rhythm.buckets values ('slow', '', 0, rhythm._now())")
            .await;
        let waiting = database.session().await;
        let pid = waiting.number("select pg_backend_pid()").await;
        let waiting =
            tokio::spawn(async move { waiting.claim_with("'w', '{slow}', wait => '5s'").await });
        s.until(&format!(
            "select wait_event_type = 'Extension' from pg_stat_activity where pid = {pid}"
        ))
        .await;
        let begun = Stopwatch::start();
        s.run(&format!("select rhythm.configure_queue('slow', {change})"))
            .await;
        assert_eq!(waiting.await.expect("it claims").len(), 1, "{change}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_higher_does_not_cap() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('fast', rate_limit => '100000/sec');
         select rhythm.enqueue_rows($$select 'a' as name, 'fast' as queue from generate_series(1, 5000)$$)",
    )
    .await;
    let got = s.claim_with("'w', '{fast}', max => 5000").await;
    assert_eq!(got.len(), 5000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_a_limited_queue_is_refused_where_it_could_not_see_others() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('slow', rate_limit => '1/sec'); select rhythm.enqueue('a', queue => 'slow')",
    )
    .await;
    s.run("begin isolation level repeatable read").await;
    assert_eq!(
        s.fails("select * from rhythm.claim('w', '{slow}')")
            .await
            .code,
        "RH201"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_years_away_is_waited_for_as_long_as_a_claim_waits() {
    let database = Database::create().await;
    let s = database.session().await;
    for (limit, key) in [
        ("0.000001/day", "''"),
        ("0.000001/day', rate_key => 'k", "'-'"),
    ] {
        s.run(&format!(
            "select rhythm.configure_queue('slow', rate_limit => '{limit}');
             select rhythm.enqueue('a', queue => 'slow') from generate_series(1, 2);
             delete from rhythm.buckets; insert into rhythm.buckets values ('slow', {key}, 0, rhythm._now())"
        ))
        .await;
        let got = s.claim_with("'w', '{slow}', wait => '200 ms'").await;
        assert!(got.is_empty(), "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_steps_back_does_not_stop_a_bucket() {
    let database = Database::create_quiet().await;
    let s = database.session().await;
    s.run("select rhythm.configure_queue('default', rate_limit => '2/hour')")
        .await;
    s.run("select rhythm.enqueue('a') from generate_series(1, 5)")
        .await;
    advance(&s, "1 day").await;
    assert_eq!(s.claim(5).await.len(), 2);
    s.run("update rhythm.test_clock set shift = '0'").await;
    assert_eq!(s.claim(5).await.len(), 2);
    assert_eq!(s.claim(5).await.len(), 0, "and it is paid");
}
