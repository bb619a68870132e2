//! What time brings about, while sixteen sessions do it at once and the server is killed: the four timeouts, ticks of schedules,
//! and retries at a rate.

use std::time::Duration;

use rhythm_tests::invariant::{nothing_is_left, report};
use rhythm_tests::stress::{Stress, held, is_so, most_at_once, none, pairs};

/// The four kinds of timeouts, a second each or less, and nobody who lets them hurry.
const TIMEOUTS: Stress = Stress {
    name: "stress of timeouts",
    setup: "select rhythm.configure_queue('default', retry => '{\"maxAttempts\": 3, \"initial\": \"10ms\"}');
        select rhythm.enqueue('start', start_timeout => '1 second') from generate_series(1, 60);
        select rhythm.enqueue('attempt', attempt_timeout => '300 ms') from generate_series(1, 60);
        select rhythm.enqueue('whole', timeout => '1500 ms') from generate_series(1, 60);
        select rhythm.enqueue('silent', heartbeat_timeout => '300 ms') from generate_series(1, 60);
        select count(*) from rhythm.claim('lost', max => 150, lease => '1 day', tasks => '{attempt, whole, silent}')",
    round: |s, who| {
        Box::pin(async move {
            s.attempt("select rhythm.tick()").await?;
            let claim = format!(
                "select id, token from rhythm.claim('{}', max => 2, wait => '20 ms', lease => '1 day')",
                who.name()
            );
            for (id, token) in pairs(s.attempt(&claim).await?) {
                who.pause(10).await;
                let end = match who.dice.below(6) {
                    0 => format!("select rhythm.complete('{id}', {token})"),
                    1 => format!("select rhythm.fail('{id}', {token}, '{{\"name\": \"E\", \"message\": \"m\"}}')"),
                    2 => format!("select * from rhythm.heartbeat('{{{id}}}', '{{{token}}}')"),
                    // Forgotten.
                    _ => continue,
                };
                s.attempt(&end).await?;
            }
            is_so(s, "select count(*) = 0 from rhythm.live").await
        })
    },
    left: "select count(*) from rhythm.live",
    kills: 2,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn timeouts_that_fall_due_while_the_server_is_down_have_one_outcome_each() {
    let database = TIMEOUTS.prepare().await;
    database.server().kill_all();
    // All of the first ones are over by then.
    tokio::time::sleep(Duration::from_millis(1600)).await;
    database.server().restart().await;
    TIMEOUTS.run_on(database.clone()).await;
    let s = database.session().await;
    let states = "select string_agg(name || ' ' || state || ' ' || n, ', ' order by name, state)
        from (select name, state, count(*) as n from rhythm.executions group by 1, 2) c";
    report(&format!("timeouts: {}", s.text(states).await));
    assert_eq!(
        s.number("select count(*) from rhythm.executions").await,
        240
    );
    none(
        &s,
        "executions with another number of ends than one",
        "select id from audit group by id having count(*) filter (where what = 'over') <> 1",
    )
    .await;
    none(
        &s,
        "attempts that are not counted, or not recorded",
        "select e.id, e.name, e.state, e.attempt, a.starts, f.failures from rhythm.executions e
         cross join lateral (select count(*) as starts from audit a where a.id = e.id and a.what = 'start') a
         cross join lateral (select count(*) as failures from rhythm.attempts f where f.id = e.id) f
         where e.attempt <> a.starts or e.attempt <> f.failures + (e.state = 'completed')::int",
    )
    .await;
    none(
        &s,
        "attempts that time ended too early",
        "select * from rhythm.attempts a join rhythm.executions e on e.id = a.id
         where e.name in ('attempt', 'silent') and a.error ->> 'name' in ('TimeoutError', 'HeartbeatTimeout')
           and a.failed_at < a.started_at + interval '300 ms'",
    )
    .await;
    none(
        &s,
        "executions that time ended too early, or as something else",
        "select id, name, state, attempt, created_at, finished_at, error from rhythm.executions e
         where (state = 'timed_out' and name = 'start' and (attempt > 0 or finished_at < created_at + interval '1 second'))
           or (state = 'timed_out' and name = 'whole' and finished_at < created_at + interval '1500 ms')
           or (state = 'timed_out' and name in ('attempt', 'silent') and attempt <> 3)
           or (state = 'failed' and attempt <> 3)",
    )
    .await;
    for name in ["start", "attempt", "whole", "silent"] {
        let timed_out = format!(
            "select count(*) from rhythm.executions where name = '{name}' and state = 'timed_out'"
        );
        assert!(s.number(&timed_out).await > 0, "of {name} some time out");
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_schedule_one_is_alive_at_most_and_every_tick_is_counted() {
    let database = Stress {
        name: "stress of schedules",
        setup: "select rhythm.schedule(o, every => '1 minute', task => 'work', overlap => o) from unnest('{skip, queue_one, cancel_other}'::text[]) o;
            create table first as select name, tick from rhythm.schedule_entries;
            create table asked (name text);
            create table moved (at timestamptz default clock_timestamp())",
        round: |s, who| {
            Box::pin(async move {
                if who.number == 0 {
                    // Time passes by one to three ticks, now and then.
                    let by = 1 + who.dice.below(3);
                    s.attempt(&format!(
                        "insert into moved default values; update rhythm.test_clock set shift = shift + interval '{by} minutes'"
                    ))
                    .await?;
                    who.pause(60).await;
                }
                match who.dice.below(4) {
                    0 | 1 => {
                        s.attempt("select rhythm.tick()").await?;
                    }
                    2 => {
                        let name = ["skip", "queue_one", "cancel_other"][who.dice.below(3) as usize];
                        s.attempt(&format!(
                            "insert into asked select '{name}' from generate_series(1, 2); select rhythm.trigger_schedule('{name}'); select rhythm.trigger_schedule('{name}')"
                        ))
                        .await?;
                    }
                    _ => {
                        let claim = format!("select * from rhythm.claim('{}', lease => '1 day')", who.name());
                        s.attempt(&claim).await?;
                        // Long enough for one to be held back.
                        who.pause(100).await;
                    }
                }
                for (id, token) in held(s, who).await? {
                    s.attempt(&format!("select rhythm.complete('{id}', {token})")).await?;
                }
                is_so(s, "select count(*) >= 40 from moved").await
            })
        },
        left: "select 40 - count(*) from moved",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    s.until("select bool_and(next_at > rhythm._now()) from rhythm.schedule_entries")
        .await;
    let most = most_at_once(
        &s,
        "what = 'made'",
        "what = 'over'",
        "split_part(task_id, ':', 2)",
    )
    .await;
    assert_eq!(most, 1, "alive at once of one schedule");
    let counts = "select e.name, e.started, e.skipped, e.missed, e.failed, h.held, t.ticks, a.asked, m.made
        from rhythm.schedule_entries e join first f on f.name = e.name
        cross join lateral (select count(*) as held from rhythm.schedule_starts s where s.schedule = e.name and s.id is null) h
        cross join lateral (select extract(epoch from e.tick - f.tick)::int / 60 as ticks) t
        cross join lateral (select count(*) as asked from asked a where a.name = e.name) a
        cross join lateral (select count(*) as made from audit m where m.what = 'made' and split_part(m.task_id, ':', 2) = e.name) m";
    for row in s.rows(counts).await {
        report(&format!(
            "schedules: {:?}",
            row.iter().flatten().collect::<Vec<_>>()
        ));
    }
    none(
        &s,
        "ticks that are not counted",
        &format!(
            "select * from ({counts}) c where started + skipped + missed + failed + held <> ticks + asked or started <> made or started = 0"
        ),
    )
    .await;
    none(
        &s,
        "ticks that started twice",
        "select task_id from audit where what = 'made' group by task_id having count(*) > 1",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_sixteen_retry_at_a_rate_runs_once_more_and_no_call_is_faster() {
    let database = Stress {
        name: "stress of retries at a rate",
        setup: "create table retried (xid xid8 default pg_current_xact_id(), n bigint);
            select rhythm.enqueue('a', queue => 'dead', retry => '{\"maxAttempts\": 1}') from generate_series(1, 400);
            select rhythm.finish('w', jsonb_agg(jsonb_build_object('id', id, 'token', token, 'error', '{\"name\": \"E\", \"message\": \"m\"}'::jsonb)))
            from rhythm.claim('w', '{dead}', max => 400)",
        round: |s, who| {
            Box::pin(async move {
                let retry = format!(
                    "insert into retried (n) select rhythm.retry_many('dead', rate => '200/sec', max => {})",
                    20 + who.dice.below(80)
                );
                s.attempt(&retry).await?;
                let claim = format!(
                    "select * from rhythm.claim('{}', '{{dead}}', max => 3, wait => '50 ms', lease => '1 day')",
                    who.name()
                );
                s.attempt(&claim).await?;
                for (id, token) in held(s, who).await? {
                    s.attempt(&format!("select rhythm.complete('{id}', {token})")).await?;
                }
                is_so(s, "select count(*) = 0 from rhythm.executions where state <> 'completed'").await
            })
        },
        left: "select count(*) from rhythm.executions where state <> 'completed'",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    none(
        &s,
        "executions that were not retried once and done",
        "select e.id from rhythm.executions e
         where e.state <> 'completed' or (select count(*) from rhythm.history h where h.execution_id = e.id and h.event = 'retried') <> 1
           or (select count(*) from audit a where a.id = e.id and a.what = 'back') <> 1
           or (select count(*) from audit a where a.id = e.id and a.what = 'start') <> 2",
    )
    .await;
    assert_eq!(s.number("select sum(n) from retried").await, 400);
    let at_once = "select r.xid, r.n, x.most, x.span from retried r cross join lateral (
        select count(*) as most, extract(epoch from max(e.due) - min(e.due)) as span
        from audit a cross join lateral (
          -- The oldest of a call is retried at once, and has no time of its own.
          select coalesce(e.run_at, h.at) as due from rhythm.executions e
          join rhythm.history h on h.execution_id = e.id and h.event = 'retried' where e.id = a.id) e
        where a.what = 'back' and a.xid = r.xid) x";
    none(
        &s,
        "calls that were faster than their rate, or count wrongly",
        &format!("select * from ({at_once}) c where n <> most or span < (n - 1) / 200.0 - 0.00001"),
    )
    .await;
    let calls = "select count(*) filter (where n > 0) || ' of ' || count(*) from retried";
    report(&format!(
        "retries at a rate: {} calls found some",
        s.text(calls).await
    ));
    nothing_is_left(&s).await;
}
