//! The frame of the stress tests: sixteen sessions that do the same again and again, on a server that is killed under them.
//! It knows nothing of what they do; what happened is recorded by triggers (`audit`), in the transactions that did it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::RwLock;

use crate::database::{Database, Failure, Session};
use crate::invariant::report;
use crate::race::{Dice, race};
use crate::server::Setup;

/// How many sessions work at once.
pub const SESSIONS: usize = 16;

/// One of the sixteen; stays the same when its session is lost.
#[derive(Debug)]
pub struct Who {
    /// From 0.
    pub number: usize,
    /// Its own.
    pub dice: Dice,
    /// How many rounds it has ended.
    pub rounds: usize,
}

impl Who {
    /// As a worker.
    #[must_use]
    pub fn name(&self) -> String {
        format!("w{}", self.number)
    }

    /// A moment in which others get to it.
    pub async fn pause(&mut self, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.dice.below(most))).await;
    }
}

/// What a round gives: true, and this one is through; an error, and it begins again with a new session.
pub type Round = for<'a> fn(
    &'a Session,
    &'a mut Who,
) -> Pin<Box<dyn Future<Output = Result<bool, Failure>> + Send + 'a>>;

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Stress {
    /// Of the seed.
    pub name: &'static str,
    /// What is there before anybody begins.
    pub setup: &'static str,
    /// What each does, again and again.
    pub round: Round,
    /// How much work is left. The server is killed when so much has gone that the kills are evenly spread, and must find some each time.
    pub left: &'static str,
    /// How often all processes of the server are killed; every other time one process alone, after which the server ends all others.
    pub kills: u32,
}

impl Stress {
    /// Runs it until all sixteen are through.
    pub async fn run(self) -> Arc<Database> {
        self.run_on(self.prepare().await).await
    }

    /// A server of its own, with what is there in the beginning.
    pub async fn prepare(self) -> Arc<Database> {
        let database = Arc::new(Database::alone(Setup::default()).await);
        let s = database.session().await;
        audit(&s).await;
        audit_payments(&s).await;
        s.run(self.setup).await;
        database
    }

    /// The same, on what `prepare` gave.
    pub async fn run_on(self, database: Arc<Database>) -> Arc<Database> {
        let dice = Dice::roll(self.name);
        // Held by who kills: nobody comes back before it has been seen what the kill left.
        let gate = Arc::new(RwLock::new(()));
        let killer = tokio::spawn(kill(
            self,
            Arc::clone(&database),
            Arc::clone(&gate),
            dice.clone(),
        ));
        race(SESSIONS, |number, start| {
            let (database, gate, mut dice) =
                (Arc::clone(&database), Arc::clone(&gate), dice.clone());
            (0..number * 7).for_each(|_| {
                dice.below(2);
            });
            async move {
                let mut who = Who {
                    number,
                    dice,
                    rounds: 0,
                };
                start.wait().await;
                loop {
                    drop(gate.read().await);
                    let config = database.server().config(database.name(), "postgres");
                    let Ok(s) = Session::try_open(&config).await else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    };
                    loop {
                        match (self.round)(&s, &mut who).await {
                            Ok(true) => return,
                            Ok(false) => who.rounds += 1,
                            Err(failure) if failure.is_lost() => break,
                            Err(failure) => {
                                let log = database.server().log();
                                // Who waited for whom is told nowhere else.
                                let told =
                                    log.find("deadlock detected").map_or("", |at| &log[at..]);
                                panic!("{}: {failure:#?}\n{told:.3000}", self.name)
                            }
                        }
                    }
                }
            }
        })
        .await;
        killer.await.expect("the killer ends");
        database
    }
}

/// Kills the server as often as it shall, each time while there is work left.
async fn kill(stress: Stress, database: Arc<Database>, gate: Arc<RwLock<()>>, mut dice: Dice) {
    let mut all = None;
    for kill in 1..=i64::from(stress.kills) {
        let s = database.session().await;
        let begun = Instant::now();
        loop {
            let left = s.number(stress.left).await;
            let all = *all.get_or_insert(left);
            if left * (i64::from(stress.kills) + 1) <= all * (i64::from(stress.kills) + 1 - kill) {
                break;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(90),
                "{}: {left} of {all} are left, and nobody does them",
                stress.name
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(s);
        tokio::time::sleep(Duration::from_millis(dice.below(20))).await;
        let closed = gate.write().await;
        let server = database.server();
        if kill % 2 == 0 {
            let s = database.session().await;
            let pids = s
                .rows("select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() and datname = current_database()")
                .await;
            drop(s);
            let pid = pids
                .get(usize::try_from(dice.below(pids.len().max(1) as u64)).unwrap_or(0))
                .and_then(|row| row[0].as_deref()?.parse().ok());
            if let Some(pid) = pid {
                server.kill_one(pid).await;
            }
        } else {
            server.kill_all();
            server.restart().await;
        }
        let s = database.session().await;
        let left = s.number(stress.left).await;
        report(&format!("{}: kill {kill} left {left} to do", stress.name));
        assert!(left > 0, "{}: kill {kill} came too late", stress.name);
        drop(closed);
    }
}

/// Records what happens to executions, in the transactions in which it happens, so that what a crash undoes is not in it.
/// In the order of `seq` an event comes after all those that its transaction has seen.
///
/// - `made` and `back` (by a retry), `start` and `stop` of attempts, and `over`
/// - `life`: when the server was started
/// - `began`: when the client's statement came; `at`: when this was recorded, within the transaction
pub async fn audit(s: &Session) {
    s.run(
        "create table audit (seq bigint generated always as identity, xid xid8 not null default pg_current_xact_id(),
           id uuid, what text, kind text, name text, queue text, key text, priority int, place bigint, attempt int, worker text,
           task_id text, life timestamptz not null default pg_postmaster_start_time(),
           began timestamptz not null default statement_timestamp(), at timestamptz not null default clock_timestamp());
         create index on audit (id);
         create function note(v anyelement, what text) returns void language plpgsql as $$
         begin
           insert into audit (id, what, kind, name, queue, key, priority, place, attempt, worker, task_id)
           values (v.id, what, v.kind, v.name, v.queue, v.inputs ->> 'tenant', v.priority, v.seq, v.attempt, v.worker, v.task_id);
         end $$;
         create function audit_row() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
         begin
           if tg_op = 'INSERT' then
             perform note(new, case when exists (select from audit a where a.id = new.id) then 'back' else 'made' end);
             return null;
           end if;
           if old.state = 'running' and (tg_op = 'DELETE' or new.token is distinct from old.token) then
             perform note(old, 'stop');
           end if;
           if tg_op = 'DELETE' then
             perform note(old, 'over');
           end if;
           if tg_op = 'UPDATE' and new.state = 'running' and new.token is distinct from old.token then
             perform note(new, 'start');
           end if;
           return null;
         end $$;
         create trigger audit after insert or update or delete on rhythm.live for each row execute function audit_row()",
    )
    .await;
}

/// Records what is paid from the buckets of rates: for each transaction and bucket the moment to which the bucket was filled when it
/// paid, which is that of the claim. A time taken later would hide what the claim waited.
pub async fn audit_payments(s: &Session) {
    s.run(
        "create table paid (xid xid8 default pg_current_xact_id(), key text, at timestamptz, recorded timestamptz default clock_timestamp());
         create function pay() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
         begin
           insert into paid (key, at) values (new.key, new.at);
           return null;
         end $$;
         create trigger pay after insert or update on rhythm.buckets for each row execute function pay()",
    )
    .await;
}

/// When each claim was that the buckets of a key in the inputs (null: of the queue) paid for: seconds since the first, in order.
/// Fails when a claim was not paid for, or by tokens of the future. Needs `audit` and `audit_payments`, and the server's own clock.
pub async fn paid_claims(s: &Session, tenant: Option<&str>) -> Vec<f64> {
    let (key, of) = match tenant {
        Some(tenant) => (
            "rhythm._limit_key(jsonb_build_object('tenant', a.key), 'tenant')",
            format!("a.key = '{tenant}'"),
        ),
        None => ("''", "true".to_owned()),
    };
    let rows = s
        .rows(&format!(
            "select p.at <= p.recorded, extract(epoch from p.at - min(p.at) over ()) from audit a
             left join paid p on p.xid = a.xid and p.key = {key} where a.what = 'start' and {of} order by p.at"
        ))
        .await;
    rows.iter()
        .map(|row| {
            assert_eq!(
                row[0].as_deref(),
                Some("t"),
                "a claim is paid for, and not with tokens of the future"
            );
            row[1]
                .as_deref()
                .unwrap_or_default()
                .parse()
                .expect("a number")
        })
        .collect()
}

/// The most of what happened between two kinds of events at one time, by a part of the audit's row; computed from every event.
pub async fn most_at_once(s: &Session, begins: &str, ends: &str, by: &str) -> i64 {
    s.number(&format!(
        "select coalesce(max(n), 0) from (
           select sum(case when {begins} then 1 when {ends} then -1 else 0 end) over (partition by {by} order by seq) as n
           from audit) m"
    ))
    .await
}

/// Nothing is in this answer.
pub async fn none(s: &Session, what: &str, sql: &str) {
    let rows = s.rows(&format!("{sql} limit 5")).await;
    assert!(rows.is_empty(), "{what}: {rows:#?}");
}

/// What this worker holds: after a crash it no longer knows.
pub async fn held(s: &Session, who: &Who) -> Result<Vec<(String, String)>, Failure> {
    let sql = format!(
        "select id, token from rhythm.live where worker = '{}' and state = 'running'",
        who.name()
    );
    Ok(pairs(s.attempt(&sql).await?))
}

/// The first two columns of rows.
#[must_use]
pub fn pairs(rows: Vec<Vec<Option<String>>>) -> Vec<(String, String)> {
    rows.into_iter()
        .map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            (
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            )
        })
        .collect()
}

/// Whether a question is answered with true.
pub async fn is_so(s: &Session, sql: &str) -> Result<bool, Failure> {
    Ok(s.attempt(sql)
        .await?
        .first()
        .is_some_and(|row| row[0].as_deref() == Some("t")))
}
