//! Who gets what, and when, among sixteen sessions on a server that is killed: rates by key, pauses, names that a worker
//! knows, and the order of claims.

use rhythm_tests::database::{Failure, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left, report};
use rhythm_tests::stress::{Stress, Who, held, is_so, none, paid_claims, pairs};

use crate::rate_limit::within;

/// Claims, and completes what this worker holds.
async fn work(s: &Session, who: &mut Who, queues: &str) -> Result<(), Failure> {
    let claim = format!(
        "select id, token from rhythm.claim('{}', '{{{queues}}}', max => {}, wait => '50 ms', lease => '1 day')",
        who.name(),
        1 + who.dice.below(3)
    );
    s.attempt(&claim).await?;
    who.pause(5).await;
    for (id, token) in held(s, who).await? {
        s.attempt(&format!("select rhythm.complete('{id}', {token})"))
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_rate_by_key_no_window_has_more_claims_than_tokens() {
    let database = Stress {
        name: "stress of rates by key",
        setup: "select rhythm.configure_queue('api', rate_limit => '20/sec', rate_burst => 3, rate_key => 'tenant');
            select rhythm.enqueue('a', jsonb_build_object('tenant', 't' || n % 4), 'api') from generate_series(1, 200) n",
        round: |s, who| {
            Box::pin(async move {
                work(s, who, "api").await?;
                is_so(s, "select count(*) = 0 from rhythm.live where queue = 'api'").await
            })
        },
        left: "select count(*) from rhythm.live where queue = 'api'",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    for tenant in ["t0", "t1", "t2", "t3"] {
        let claims = paid_claims(&s, Some(tenant)).await;
        assert_eq!(claims.len(), 50, "each task of {tenant} is claimed once");
        within(&claims, 20.0, 3.0);
        report(&format!(
            "rate by key: 50 claims of {tenant} in {:.2} s",
            claims[claims.len() - 1]
        ));
    }
    nothing_is_left(&s).await;
}

/// Who pauses: closes the last window, which a crash may have left open, and opens another.
async fn pause(s: &Session, who: &mut Who) -> Result<(), Failure> {
    s.attempt("update windows set until = clock_timestamp() where until is null")
        .await?;
    s.attempt("select rhythm.resume_queue('a'), rhythm.resume_task('y'), rhythm.resume_all()")
        .await?;
    who.pause(20).await;
    let (what, call) = [
        ("queue", "pause_queue('a')"),
        ("task", "pause_task('y')"),
        ("all", "pause_all()"),
    ][who.rounds % 3];
    s.attempt(&format!("select rhythm.{call}")).await?;
    s.attempt(&format!("insert into windows (what) values ('{what}')"))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_claim_that_begins_after_a_pause_gets_what_is_paused() {
    let database = Stress {
        name: "stress of pauses",
        // `since` is set when the pause is committed, `until` before it is taken away.
        setup: "create table windows (what text, since timestamptz default clock_timestamp(), until timestamptz);
            select rhythm.enqueue(name, queue => queue) from unnest('{x, y}'::text[]) name, unnest('{a, b}'::text[]) queue, generate_series(1, 40)",
        round: |s, who| {
            Box::pin(async move {
                if who.number == 0 {
                    pause(s, who).await?;
                }
                for _ in 0..3 {
                    let queues = ["a,b", "b,a"][who.dice.below(2) as usize];
                    work(s, who, queues).await?;
                }
                // There is always something to do.
                let more = "select rhythm.enqueue(name, queue => queue) from unnest('{x, y}'::text[]) name, unnest('{a, b}'::text[]) queue
                    where (select count(*) < 200 from rhythm.live)";
                s.attempt(more).await?;
                is_so(s, "select count(*) >= 18 from windows where until is not null").await
            })
        },
        left: "select 18 - count(*) from windows where until is not null",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    let inside = "(w.what = 'all' or (w.what = 'queue' and a.queue = 'a') or (w.what = 'task' and a.name = 'y'))";
    none(
        &s,
        "claims in a pause",
        &format!(
            "select w, a.queue, a.name, a.began, a.at, a.worker from audit a join windows w on {inside}
             where a.what = 'start' and a.began > w.since and a.at < w.until"
        ),
    )
    .await;
    // Those beside it go on.
    let others = format!(
        "select count(distinct w.since) from audit a join windows w on w.what <> 'all' and not {inside}
         where a.what = 'start' and a.began > w.since and a.at < w.until"
    );
    let others = s.number(&others).await;
    report(&format!(
        "pauses: in {others} of a queue or a name others worked"
    ));
    assert!(others > 0, "whoever is not paused works");
    none(
        &s,
        "executions that ended twice",
        "select id from audit where what = 'over' group by id having count(*) > 1",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_get_the_names_that_they_registered_and_no_others() {
    let database = Stress {
        name: "stress of names",
        setup: "select rhythm.enqueue('t' || n % 17) from generate_series(1, 340) n",
        round: |s, who| {
            Box::pin(async move {
                if who.rounds % 4 == 0 {
                    let register = format!(
                        "select rhythm.register('{}', '[\"t{}\"]')",
                        who.name(),
                        who.number
                    );
                    s.attempt(&register).await?;
                }
                work(s, who, "default").await?;
                is_so(
                    s,
                    "select count(*) = 0 from rhythm.live where name <> 't16'",
                )
                .await
            })
        },
        left: "select count(*) from rhythm.live where name <> 't16'",
        kills: 2,
    }
    .run()
    .await;
    let s = database.session().await;
    none(
        &s,
        "claims of an unknown name",
        "select * from audit where what = 'start' and substr(worker, 2) <> substr(name, 2)",
    )
    .await;
    let unknown = "select count(*), min(state::text), max(attempt), count(started_at) from rhythm.live where name = 't16'";
    let unknown = s.rows(unknown).await.remove(0);
    let unknown: Vec<_> = unknown
        .iter()
        .map(|cell| cell.as_deref().unwrap_or_default())
        .collect();
    assert_eq!(unknown, ["20", "pending", "0", "0"], "nobody knows t16");
    s.run("select rhythm.register('w16', '[\"t16\"]')").await;
    for task in s.claim_with("'w16', max => 100").await {
        assert!(s.complete(&task, "1").await);
    }
    let once = "select id from audit group by id
        having count(*) filter (where what = 'start') <> 1 or count(*) filter (where what = 'over') <> 1";
    none(&s, "executions that did not run once", once).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_gets_a_task_while_a_larger_or_older_one_lies_there() {
    let database = Stress {
        name: "stress of order",
        setup: "create table known (id uuid, at timestamptz default clock_timestamp());
            insert into known (id, at) select rhythm.enqueue('a', priority => n % 4), '-infinity' from generate_series(1, 240) n",
        round: |s, who| {
            Box::pin(async move {
                if who.number % 4 == 0 && who.rounds < 30 {
                    let enqueue = format!("select rhythm.enqueue('a', priority => {}), null", who.dice.below(4));
                    let id = pairs(s.attempt(&enqueue).await?).remove(0).0;
                    // Everybody who begins from now on sees it.
                    s.attempt(&format!("insert into known values ('{id}')")).await?;
                    who.pause(20).await;
                    return Ok(false);
                }
                work(s, who, "default").await?;
                is_so(s, "select count(*) = 0 from rhythm.live").await
            })
        },
        left: "select count(*) from rhythm.live",
        kills: 1,
    }
    .run()
    .await;
    let s = database.session().await;
    // One that nobody claims but who begins after that has lain there, unless who held it was killed.
    let passed_over = "select t.id, t.priority, t.place, t.at, u.id, u.priority, u.place, u.began
        from audit t join audit u on u.what = 'start' and u.life = t.life and u.began > t.at
          and (u.priority > t.priority or (u.priority = t.priority and u.place < t.place))
        join known k on k.id = u.id and k.at < t.began
        where t.what = 'start'";
    none(&s, "tasks that were passed over", passed_over).await;
    let pairs = "select count(*) from audit t join audit u on u.what = 'start' and u.life = t.life and u.began > t.at
        join known k on k.id = u.id and k.at < t.began where t.what = 'start'";
    let pairs = s.number(pairs).await;
    report(&format!("order: {pairs} pairs of claims compared"));
    assert!(pairs > 0, "some claims can be compared");
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}
