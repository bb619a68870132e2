//! Sixteen sessions fan out, signal, cancel, end batches, retry, delete what has ended and run retention, all at once and on the same few
//! runs: nothing deadlocks, nothing is stuck, and every effect is there once.
//!
//! `RHYTHM_TEST_STRESS` says for how many seconds (a minute's worth is checked at a time).

use std::sync::Arc;

use rhythm_tests::clock::tick;
use rhythm_tests::database::{Database, Failure, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left, report};
use rhythm_tests::race::number;
use rhythm_tests::stress::{Stress, Who, held, is_so, none};
use serde_json::json;

/// Seconds, in the gate.
const SHORT: u64 = 12;
/// After so many all is brought to its end and looked at.
const PART: u64 = 60;

/// Writes a row beside each step, and publishes how many it has written and what it has started.
const ORDER: &str = "
    let wrote = 0; let started = 0;
    const write = async (step) => {
      await Sql.exec('insert into effects (run, step) values ($1, $2)', [Context.executionId, step]);
      Context.set('wrote', ++wrote);
    };
    const start = (name, inputs) => { Context.set('started', ++started); return Task.run(name, inputs, {retry: {maxAttempts: 2, initial: '5ms'}}); };
    const parcel = () => { Context.set('parcels', 2); return [1, 2].map((n) => Workflow.try('parcel', {n})); };
    try {
      await write(1);
      const parts = Array.from({length: 8}, (_, i) => start('part', i));
      await Promise.all(parts);
      await write(2);
      await Promise.all(parcel());
      try { await Signal.next('go', {timeout: '200ms'}); } catch (error) { if (error.name !== 'TimeoutError') throw error; }
      await write(3);
      const rest = Array.from({length: 4}, (_, i) => start('rest', i).catch((error) => error.name));
      await Promise.race([...rest, sleep('1h')]);
      await write(4);
      if (Inputs.fails) throw new Error('no');
    } finally {
      await write(5);
      await start('undo', 0);
      await write(6);
    }";

const PARCEL: &str = "
    await Sql.exec('insert into effects (run, step) values ($1, 1)', [Context.executionId]);
    Context.set('wrote', 1); Context.set('started', 1);
    await Task.run('pack', Inputs.n, {retry: {maxAttempts: 1}});
    await Sql.exec('insert into effects (run, step) values ($1, 2)', [Context.executionId]);
    Context.set('wrote', 2);";

/// One of those that are there, by chance.
fn any(of: &str, who: &Who) -> String {
    format!(
        "(select id from {of} order by hashtextextended(id::text, {}) limit 1) a",
        who.number * 1000 + who.rounds
    )
}

/// The call that ends all that this one holds, each in its way, and claims more.
fn end_all(who: &mut Who, held: &[(String, String)]) -> String {
    let outcomes: Vec<_> = held
        .iter()
        .map(|(id, token)| match who.dice.below(8) {
            0 => json!({"id": id, "token": token, "error": {"name": "E", "message": "m"}}),
            1 => json!({"id": id, "token": token, "release": true}),
            _ => json!({"id": id, "token": token, "result": 1}),
        })
        .collect();
    format!(
        "select * from rhythm.finish('{}', '{}', '{{default}}', {}, lease => '1 day')",
        who.name(),
        json!(outcomes),
        4 + who.dice.below(16)
    )
}

/// One call of many that meet in the same runs.
async fn meddle(s: &Session, who: &mut Who) -> Result<(), Failure> {
    let lives = any("rhythm.live where kind = 'workflow'", who);
    let call = match who.dice.below(20) {
        0..4 => format!(
            "select rhythm.start('order', '{{\"fails\": {}}}', task_id => 'k{}')",
            who.dice.below(4) == 0,
            who.dice.below(24)
        ),
        4 | 5 => format!("select rhythm.signal(id, 'go') from {lives}"),
        6 => format!("select rhythm.cancel(id) from {lives}"),
        7 => format!("select rhythm.cancel(id, grace => '20 ms') from {lives}"),
        8 => format!("select rhythm.terminate(id) from {lives}"),
        9 => format!(
            "select rhythm.cancel(id) from {}",
            any("rhythm.live where kind = 'task'", who)
        ),
        10 | 11 => format!(
            "select rhythm.retry(id) from {}",
            any(
                "rhythm.archive where kind = 'workflow' and state in ('failed', 'timed_out')",
                who
            )
        ),
        12 => "select rhythm.retry_many(max => 5)".to_owned(),
        13 => "select rhythm.cleanup(older_than => '2 seconds', max => 20)".to_owned(),
        14 => {
            "update rhythm.maintenance set next_at = rhythm._now() - interval '1 second'
               where ctid = any (array(select ctid from rhythm.maintenance for update skip locked))"
                .to_owned()
        }
        15 => "select rhythm.tick()".to_owned(),
        _ => {
            let held = held(s, who).await?;
            end_all(who, &held)
        }
    };
    match s.attempt(&call).await {
        // Somebody was faster.
        Err(failure) if matches!(failure.code.as_str(), "RH301" | "RH302" | "RH304") => Ok(()),
        answer => answer.map(drop),
    }
}

const STRESS: Stress = Stress {
    name: "stress of workflows",
    setup: "create table effects (run uuid, step int); create table deadline (at timestamptz)",
    round: |s, who| {
        Box::pin(async move {
            meddle(s, who).await?;
            is_so(s, "select clock_timestamp() > max(at) from deadline").await
        })
    },
    left: "select 0",
    kills: 0,
};

/// Ends all that lives, as workers would that do nothing else.
async fn end_everything(s: &Session) {
    for _ in 0..400 {
        s.run("select count(*) from rhythm.claim('end', max => 1000, lease => '1 day')")
            .await;
        s.run("select count(rhythm.complete(id, token, '1')) from rhythm.live where state = 'running'; select rhythm.signal(execution_id, name) from rhythm.signal_waits")
            .await;
        tick(s).await;
        if s.number("select count(*) from rhythm.live").await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let left = "select to_jsonb(l), (select jsonb_agg(r) from rhythm.runnable r where r.root_id = l.root_id),
        (select jsonb_agg(t) from rhythm.timers t where t.execution_id = l.id) from rhythm.live l limit 5";
    panic!("stuck: {:#?}", s.rows(left).await);
}

/// What must hold of all that is still known.
async fn holds(s: &Session) {
    none(
        s,
        "steps that have written twice",
        "select run, step from effects group by 1, 2 having count(*) > 1",
    )
    .await;
    none(
        s,
        "runs that know of another number of rows than they have written",
        "select e.id, e.name, e.state, e.attributes, f.count from rhythm.executions e
         cross join lateral (select count(*) from effects f where f.run = e.id) f
         where e.kind = 'workflow' and coalesce((e.attributes ->> 'wrote')::int, 0) <> f.count",
    )
    .await;
    none(
        s,
        "runs that know of another number of tasks than are there",
        "select e.id, e.name, e.state, e.attributes, f.count from rhythm.executions e
         cross join lateral (select count(*) from rhythm.executions f where f.parent_id = e.id and f.kind = 'task') f
         where e.kind = 'workflow' and coalesce((e.attributes ->> 'started')::int, 0) <> f.count",
    )
    .await;
    none(
        s,
        "completed runs that have left something out",
        "select e.id, array_agg(f.step order by f.step) from rhythm.executions e left join effects f on f.run = e.id
         where e.name in ('order', 'parcel') and e.state = 'completed' group by 1, e.name
         having count(f.run) <> case e.name when 'order' then 6 else 2 end",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_sessions_that_meet_in_the_same_runs_neither_deadlock_nor_get_stuck() {
    let seconds = number("RHYTHM_TEST_STRESS").unwrap_or(SHORT);
    let mut database: Arc<Database> = STRESS.prepare().await;
    let s = database.session().await;
    s.deploy("order", ORDER).await;
    s.deploy("parcel", PARCEL).await;
    // Trees are deleted as a whole, so that what is known of a run is known of its tasks.
    let mut left = seconds;
    while left > 0 {
        let part = left.min(PART);
        left -= part;
        s.run(&format!(
            "insert into deadline values (clock_timestamp() + interval '{part} seconds')"
        ))
        .await;
        database = STRESS.run_on(database).await;
        end_everything(&s).await;
        holds(&s).await;
        no_deadlocks(&s).await;
    }
    let counts = "select string_agg(what || ' ' || n, ', ') from (
        select name || ' ' || case what when 'made' then 'started' when 'back' then 'retried' else 'ended' end as what, count(*) as n
        from audit where what in ('made', 'back', 'over') and kind = 'workflow' group by 1
        union all select 'attempts', count(*) from audit where what = 'start'
        union all select 'effects', count(*) from effects
        union all select state || ' at last', count(*) from rhythm.executions where kind = 'workflow' group by 1) c";
    report(&format!(
        "stress of workflows: {seconds} s: {}",
        s.text(counts).await
    ));
    let log = database.server().log();
    assert!(!log.contains("deadlock detected"), "{log}");
    nothing_is_left(&s).await;
}
