//! Sixteen sessions start, cancel, terminate, retry and roll back runs that want the same few mutexes, on a server that is killed under
//! them: no two are inside at the same time, none is stuck, and each that came through has counted once.

use rhythm_tests::clock::tick;
use rhythm_tests::database::{Failure, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use rhythm_tests::stress::{Stress, Who, is_so};

/// It reads in one step and writes in another: two at once would lose one, and see each other. One that fails between is retried in between,
/// and inside again when it goes on.
const COUNT: &str = "
    const inside = async (what) => {
      const others = await Sql.query(`insert into public.inside (run, name, what) values ($1, $2, $3) returning (
          select count(*)::int from public.inside i join rhythm.executions e on e.id = i.run
          where i.name = $2 and i.run <> $1 and e.state in ('pending', 'waiting')) as n`, [Context.executionId, Inputs.name, what]);
      if (others[0].n > 0) await Sql.exec('insert into public.wrong values ($1)', [what]);
    };
    let lock;
    try {
      lock = await Mutex.acquire(Inputs.name, {timeout: Inputs.timeout});
    } catch (error) {
      if (error.name !== 'TimeoutError') throw error;
      return 'late';
    }
    try {
      await inside('in');
      await sleep(0);
      const [{n, bad}] = await Sql.query('select n, random() < 0.15 as bad from public.counted where name = $1', [Inputs.name]);
      await inside('read');
      if (bad) throw new Error('no');
      await sleep(0);
      await inside('write');
      await Sql.exec('update public.counted set n = $2 where name = $1', [Inputs.name, n + 1]);
      await Sql.exec('insert into public.effects values ($1)', [Context.executionId]);
    } finally {
      await Sql.exec('delete from public.inside where run = $1', [Context.executionId]);
      if (Inputs.releases) lock.release();
    }
    await sleep(0);
    return 'counted';";

/// One of those that are there, by chance.
fn any(of: &str, who: &Who) -> String {
    format!(
        "(select id from {of} order by hashtextextended(id::text, {}) limit 1) a",
        who.number * 1000 + who.rounds
    )
}

async fn round(s: &Session, who: &mut Who) -> Result<bool, Failure> {
    // As many as make a crowd: more would wait for the processor alone.
    let start = format!(
        r#"select rhythm.start('count', '{{"name": "m{}", "releases": {}, "timeout": {}}}') where (select count(*) from rhythm.live) < 48"#,
        who.dice.below(3),
        who.dice.below(2) == 0,
        if who.dice.below(4) == 0 {
            "0.02"
        } else {
            "3600"
        },
    );
    let call = match who.dice.below(16) {
        0 => format!("select rhythm.cancel(id) from {}", any("rhythm.live", who)),
        1 => format!(
            "select rhythm.terminate(id) from {}",
            any("rhythm.live", who)
        ),
        2 | 3 => format!(
            "select rhythm.retry(id) from {}",
            any("rhythm.archive where state = 'failed'", who)
        ),
        4 => "select rhythm.retry_many(kind => 'workflow', max => 5)".to_owned(),
        5 => "select rhythm.tick()".to_owned(),
        6 => format!("begin; {start}; select pg_sleep(0.005); rollback"),
        7 => format!("begin; {start}; select pg_sleep(0.005); commit"),
        _ => start,
    };
    match s.attempt(&call).await {
        // Somebody was faster.
        Err(failure) if matches!(failure.code.as_str(), "RH301" | "RH302" | "RH304") => {}
        answer => drop(answer?),
    }
    is_so(s, "select count(*) >= 200 from public.effects").await
}

const STRESS: Stress = Stress {
    name: "stress of mutexes",
    setup: "create table public.counted (name text primary key, n int not null default 0);
        insert into public.counted select 'm' || i from generate_series(0, 2) i;
        create table public.inside (run uuid, name text, what text);
        create table public.wrong (what text);
        create table public.effects (id uuid primary key)",
    round: |s, who| Box::pin(round(s, who)),
    left: "select greatest(0, 200 - count(*)) from public.effects",
    kills: 4,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_hold_a_mutex_whatever_is_killed_and_none_is_stuck() {
    let database = STRESS.prepare().await;
    let s = database.session().await;
    s.deploy("count", COUNT).await;
    drop(s);
    let database = STRESS.run_on(database).await;
    let s = database.session().await;
    // Each that failed comes through.
    for _ in 0..400 {
        s.run("select rhythm.retry_many(kind => 'workflow')").await;
        tick(&s).await;
        let left = "select count(*) from rhythm.executions where state in ('pending', 'waiting', 'scheduled', 'failed')";
        if s.number(left).await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let left = "select to_jsonb(l), rhythm.why(l.id) from rhythm.live l limit 5";
    assert!(s.rows(left).await.is_empty(), "{:#?}", s.rows(left).await);
    assert_eq!(s.number("select count(*) from public.wrong").await, 0);
    let errors = "select distinct h.data -> 'error' ->> 'message' from rhythm.history h where h.event = 'retried'";
    assert_eq!(s.rows(errors).await, [[Some("no".to_owned())]]);
    assert_eq!(
        s.number("select sum(n) from public.counted").await,
        s.number("select count(*) from public.effects").await
    );
    assert_eq!(
        s.number(
            "select count(*) from rhythm.executions e where e.result = '\"counted\"'
               and not exists (select from public.effects f where f.id = e.id)"
        )
        .await,
        0
    );
    s.until("select count(*) = 0 from rhythm.mutex_marks").await;
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}
