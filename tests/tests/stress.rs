//! Effects are counted while sixteen sessions begin, end, cancel, retry and delete the same executions, on a server that is killed.
//! How they enqueue is in `stress_enqueue`, what they may claim in `stress_claim`, what time does in `stress_time`.

use rhythm_tests::database::{Failure, Session};
use rhythm_tests::invariant::{nothing_is_left, report};
use rhythm_tests::stress::{Stress, Who, held, is_so, none, pairs};

/// The call that ends an attempt in one of many ways.
fn end(who: &mut Who, id: &str, token: &str) -> String {
    match who.dice.below(8) {
        0 | 1 => format!("select rhythm.complete('{id}', {token})"),
        2 => format!(
            "select rhythm.fail('{id}', {token}, '{{\"name\": \"E\", \"message\": \"m\"}}', '0')"
        ),
        3 => format!(
            "select rhythm.fail('{id}', {token}, '{{\"name\": \"E\", \"message\": \"m\"}}', '5 ms')"
        ),
        4 => format!("select rhythm.snooze('{id}', {token}, '5 ms')"),
        5 => format!(
            "select * from rhythm.finish('{}', '[{{\"id\": \"{id}\", \"token\": \"{token}\", \"release\": true}}]')",
            who.name()
        ),
        6 => format!(
            "select * from rhythm.finish('{}', '[{{\"id\": \"{id}\", \"token\": \"{token}\", \"result\": 1}}]')",
            who.name()
        ),
        _ => format!(
            "select * from rhythm.heartbeat('{{{id}}}', '{{{token}}}', '1 day'); select rhythm.complete('{id}', {token})"
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_attempt_that_began_is_counted_and_every_failure_recorded() {
    let database = Stress {
        name: "stress of attempts",
        setup: "select rhythm.enqueue('a', retry => '{\"maxAttempts\": 4, \"initial\": \"5ms\"}') from generate_series(1, 240)",
        round: |s, who| {
            Box::pin(async move {
                let claim = format!(
                    "select id, token from rhythm.claim('{}', max => {}, wait => '50 ms', lease => '300 ms')",
                    who.name(),
                    1 + who.dice.below(3)
                );
                for (id, token) in pairs(s.attempt(&claim).await?) {
                    who.pause(5).await;
                    let end = match who.dice.below(8) {
                        // Forgotten: its lease ends.
                        0 => continue,
                        1 => format!("select rhythm.complete('{id}', {token})"),
                        2 | 3 => format!(
                            "select rhythm.finish('{}', '[{{\"id\": \"{id}\", \"token\": \"{token}\", \"error\": {{\"name\": \"E\", \"message\": \"m\"}}}}]')",
                            who.name()
                        ),
                        _ => format!("select rhythm.fail('{id}', {token}, '{{\"name\": \"E\", \"message\": \"m\"}}')"),
                    };
                    s.attempt(&end).await?;
                }
                is_so(s, "select count(*) = 0 from rhythm.live").await
            })
        },
        left: "select count(*) from rhythm.live",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    none(
        &s,
        "attempts that are not counted, or not recorded",
        "select e.id, e.state, e.attempt, a.starts, f.failures, f.of from rhythm.executions e
         cross join lateral (select count(*) as starts from audit a where a.id = e.id and a.what = 'start') a
         cross join lateral (select count(*) as failures, array_agg(f.attempt order by f.attempt) as of from rhythm.attempts f where f.id = e.id) f
         where e.attempt <> a.starts or e.attempt <> f.failures + (e.state = 'completed')::int or e.attempt > 4
           or (e.state = 'failed') <> (f.failures = 4) or f.of <> array(select generate_series(1, f.failures)::int)",
    )
    .await;
    let ended = "select string_agg(state || ' ' || n, ', ') from (select state, count(*) as n from rhythm.executions group by 1) c";
    report(&format!("attempts: {}", s.text(ended).await));
    let both = "select count(distinct state) from rhythm.executions where state in ('completed', 'failed')";
    assert_eq!(s.number(both).await, 2, "some complete, some fail");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_cancelled_while_others_end_it_ends_once_and_with_the_attempt_that_runs() {
    let database = Stress {
        name: "stress of cancels",
        setup: "create table told (id uuid, at timestamptz default clock_timestamp());
            select rhythm.enqueue('a', retry => '{\"maxAttempts\": 1000}') from generate_series(1, 400)",
        round: |s, who| {
            Box::pin(async move {
                if who.number % 4 == 0 {
                    let one = "select id, null from rhythm.live where id not in (select id from told)
                        order by hashtextextended(id::text, pg_backend_pid()) limit 1";
                    for (id, _) in pairs(s.attempt(one).await?) {
                        if is_so(s, &format!("select rhythm.cancel('{id}')")).await? {
                            // Whose outcome comes from now on sees it. (A claim may not: what somebody gives back while it is
                            // cancelled is pending until the background worker has looked.)
                            s.attempt(&format!("insert into told values ('{id}')")).await?;
                        }
                    }
                    who.pause(20).await;
                } else {
                    let claim = format!(
                        "select * from rhythm.claim('{}', max => {}, wait => '20 ms', lease => '1 day')",
                        who.name(),
                        1 + who.dice.below(3)
                    );
                    s.attempt(&claim).await?;
                    who.pause(5).await;
                    for (id, token) in held(s, who).await? {
                        s.attempt(&end(who, &id, &token)).await?;
                    }
                }
                is_so(s, "select count(*) = 0 from rhythm.live").await
            })
        },
        left: "select count(*) from rhythm.live",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    none(
        &s,
        "attempts after one that ended when it had been cancelled",
        "select a.id, a.attempt, a.began, e.began, t.at from told t
         join audit e on e.id = t.id and e.what = 'stop' and e.began > t.at join audit a on a.id = t.id and a.what = 'start' and a.seq > e.seq",
    )
    .await;
    none(
        &s,
        "executions with another number of ends than one",
        "select id from audit group by id having count(*) filter (where what = 'over') <> 1",
    )
    .await;
    none(
        &s,
        "ends that nobody brought about",
        "select id, state from rhythm.executions where state not in ('completed', 'cancelled')",
    )
    .await;
    let ended = "select string_agg(state || ' ' || n, ', ') from (select state, count(*) as n from rhythm.executions group by 1) c";
    report(&format!("cancels: {}", s.text(ended).await));
    nothing_is_left(&s).await;
}

/// Whether a refusal is what somebody else's faster call makes of this one.
fn refused(failure: &Failure) -> bool {
    matches!(failure.code.as_str(), "RH301" | "RH302" | "RH304")
}

/// One call of many that get into each other's way.
async fn meddle(s: &Session, who: &mut Who) -> Result<(), Failure> {
    let any = |of: &str| {
        format!(
            "(select id from {of} order by hashtextextended(id::text, {}) limit 1)",
            who.number * 1000 + who.rounds
        )
    };
    let alive = any("rhythm.live");
    let ended = any("(select id from rhythm.archive where state <> 'completed') e");
    let call = match who.dice.below(10) {
        0..3 => format!(
            "select rhythm.enqueue('a', task_id => 'k{}', retry => '{{\"maxAttempts\": 1}}')",
            who.dice.below(20)
        ),
        3 => format!(
            "select rhythm.start('fan', task_id => 'k{}')",
            who.dice.below(20)
        ),
        4 => format!("select rhythm.terminate(id) from {alive} a"),
        5 | 6 => format!("select rhythm.retry(id) from {ended} a"),
        7 => "insert into cleaned select rhythm.cleanup(older_than => '0', max => 5)".to_owned(),
        _ => format!(
            "select * from rhythm.claim('{}', max => 3, lease => '1 day')",
            who.name()
        ),
    };
    match s.attempt(&call).await {
        Err(failure) if refused(&failure) => {}
        answer => drop(answer?),
    }
    for (id, token) in held(s, who).await? {
        let end = if who.dice.below(2) == 0 {
            format!("select rhythm.complete('{id}', {token})")
        } else {
            format!(
                "select rhythm.fail('{id}', {token}, '{{\"name\": \"E\", \"message\": \"m\"}}')"
            )
        };
        match s.attempt(&end).await {
            Err(failure) if refused(&failure) => {}
            answer => drop(answer?),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_terminated_retried_and_deleted_at_once_is_there_once_or_gone() {
    let database = Stress {
        name: "stress of ends",
        setup: "select rhythm.configure_queue('default', retry => '{\"maxAttempts\": 1}');
            create table cleaned (n bigint); create table done (number int); create table kept (id uuid, xid xid8 default pg_current_xact_id());
            create function keep() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
            begin
              insert into kept (id) values (new.id);
              return null;
            end $$;
            create trigger keep after insert on rhythm.archive for each row execute function keep();
            select rhythm.deploy('fan', 'await Promise.all([Task.run(\"a\"), Task.run(\"b\")]);')",
        round: |s, who| {
            Box::pin(async move {
                meddle(s, who).await?;
                s.attempt(&format!("insert into done values ({})", who.number))
                    .await?;
                is_so(
                    s,
                    &format!(
                        "select count(*) >= 60 from done where number = {}",
                        who.number
                    ),
                )
                .await
            })
        },
        left: "select 960 - count(*) from done",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    for _ in 0..100 {
        s.run("select rhythm.terminate(id) from rhythm.live; select rhythm.tick()")
            .await;
        if s.number("select count(*) from rhythm.live").await == 0 {
            break;
        }
    }
    none(
        &s,
        "two of one id",
        "select id from rhythm.archive group by id having count(*) > 1",
    )
    .await;
    none(
        &s,
        "executions that ended more often than they began",
        "select id from audit group by id
           having count(*) filter (where what = 'over') <> count(*) filter (where what in ('made', 'back'))",
    )
    .await;
    none(
        &s,
        "two that hold one task_id",
        "select kind, name, task_id from rhythm.executions where state = 'completed' and task_id is not null
         group by 1, 2, 3 having count(*) > 1",
    )
    .await;
    let counts = "select (select count(*) from audit where what = 'made') as made, (select count(*) from rhythm.executions) as there,
        (select coalesce(sum(n), 0) from cleaned) as deleted,
        (select count(*) from audit o where o.what = 'over' and not exists (select from kept k where k.id = o.id and k.xid = o.xid)) as dropped";
    let counts = s.rows(counts).await.remove(0);
    let counts: Vec<i64> = counts
        .iter()
        .map(|cell| {
            cell.as_deref()
                .unwrap_or_default()
                .parse()
                .expect("a number")
        })
        .collect();
    // A child that outlives a workflow which is deleted goes without a trace when it ends.
    report(&format!(
        "ends: {} made, {} there, {} deleted, {} dropped",
        counts[0], counts[1], counts[2], counts[3]
    ));
    assert_eq!(
        counts[0],
        counts[1] + counts[2] + counts[3],
        "made = there + deleted + dropped"
    );
    assert!(counts[2] > 0, "some are deleted");
    nothing_is_left(&s).await;
}
