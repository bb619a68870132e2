//! Plays a case on a server: deploys, starts, does what each round says, and at last delivers whatever somebody still waits for. What was
//! asked and answered is the tale; what must have come of it `judge` says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::case::{Case, Manner, Turn};
use super::facts::Facts;
use super::judge::judge;
use super::source::{name, source};
use super::turn::{Asked, End, Known, There, finish, heard, plan};
use crate::database::{Database, Failure, Session, literal};
use crate::invariant::{no_deadlocks, nothing_is_left};
use crate::server::Setup;

/// Sessions that do what a round says.
const HANDS: usize = 3;
/// What the background worker does by itself each minute would hide what it was not told.
const PATIENCE: Duration = Duration::from_secs(45);

/// As text.
pub type Rows = Vec<Vec<Option<String>>>;

/// Asks for what has to work.
pub async fn ask(s: &Session, sql: &str) -> Result<Rows, String> {
    let answer = s.attempt(sql).await;
    answer.map_err(|failure| format!("{failure:?} of {sql}"))
}

/// A task that was claimed, under a lease that may be over.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// The task.
    pub id: Uuid,
    /// Of the lease.
    pub token: i64,
    /// Of the node.
    pub label: u32,
}

/// A signal that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// To whom.
    pub run: Uuid,
    /// The number of its name.
    pub name: u8,
    /// What no other has.
    pub payload: u64,
    /// Whether it has arrived.
    pub known: Known,
}

/// A request to cancel or terminate.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Whom.
    pub id: Uuid,
    /// Whether it was heard.
    pub known: Known,
    /// Whether it was to end with all below it.
    pub at_once: bool,
    /// How many attempts had been told to end before.
    pub ends: usize,
}

/// What was asked and answered.
#[derive(Debug, Default)]
pub struct Tale {
    /// What was claimed and has not been told to end.
    pub held: Vec<Held>,
    /// Ends of attempts, in their order.
    pub ends: Vec<(Held, End, Known)>,
    /// Signals, in their order.
    pub signals: Vec<Sent>,
    /// Whom somebody wanted to end.
    pub wishes: Vec<Wish>,
    /// The last lease of each task that somebody heard of.
    pub leases: BTreeMap<Uuid, i64>,
    /// Where the ends of each call begin.
    calls: Vec<usize>,
    numbers: u64,
}

impl Tale {
    /// A number that was not there before. Far from those of labels and places.
    pub fn fresh(&mut self) -> u64 {
        self.numbers += 1;
        1_000_000 + self.numbers
    }

    /// Takes one of the tasks that were claimed.
    pub fn take(&mut self, pick: u16) -> Option<Held> {
        let count = self.held.len();
        (count > 0).then(|| self.held.remove(usize::from(pick) % count))
    }

    /// Notes tasks that were claimed: id, token, label.
    pub fn hold(&mut self, rows: &Rows) {
        let held = rows.iter().filter_map(|row| {
            Some(Held {
                id: row[0].as_deref()?.parse().ok()?,
                token: row[1].as_deref()?.parse().ok()?,
                label: row[2].as_deref()?.parse().ok()?,
            })
        });
        for held in held {
            self.leases.insert(held.id, held.token);
            self.held.push(held);
        }
    }

    /// Notes a request.
    pub fn wish(&mut self, id: Uuid, known: Known, at_once: bool) {
        self.wishes.push(Wish {
            id,
            known,
            at_once,
            ends: self.ends.len(),
        });
    }

    /// Notes the ends of attempts, by one call.
    pub fn end(&mut self, ends: impl IntoIterator<Item = (Held, End, Known)>) {
        self.calls.push(self.ends.len());
        self.ends.extend(ends);
    }

    /// By which call an attempt ended.
    #[must_use]
    pub fn call_of(&self, end: usize) -> usize {
        self.calls.partition_point(|first| *first <= end)
    }

    /// Notes a signal.
    pub fn signal(&mut self, run: Uuid, name: u8, payload: u64, known: Known) {
        self.signals.push(Sent {
            run,
            name,
            payload,
            known,
        });
    }
}

/// A database in which cases are played one after another.
pub struct Stage {
    database: Arc<Database>,
    desk: Session,
    hands: Vec<Session>,
    is_serial: bool,
}

impl Stage {
    /// `is_serial`: without a background worker, and one operation at a time, so that the model knows their order.
    pub async fn open(is_serial: bool) -> Self {
        let database = if is_serial {
            let setup = Setup {
                preload: false,
                ..Setup::default()
            };
            Database::alone(setup).await
        } else {
            Database::create().await
        };
        let database = Arc::new(database);
        let desk = database.session().await;
        desk.run(
            "create table effects (seq bigint generated always as identity, run uuid, label int);
             create table mended (is_so bool);
             select rhythm.configure_queue('default', retention => 'forever')",
        )
        .await;
        let mut stage = Self {
            database,
            desk,
            hands: Vec::new(),
            is_serial,
        };
        stage.reset().await;
        stage
    }

    /// New sessions; the former ones may hang.
    pub async fn reset(&mut self) {
        self.hands.clear();
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
        self.desk.run(others).await;
        for _ in 0..HANDS {
            self.hands.push(self.database.session().await);
        }
    }

    /// Plays it, and gives what came of it; an error says what must not be.
    pub async fn play(&mut self, case: &Case) -> Result<Facts, String> {
        self.clean().await?;
        for (i, program) in case.programs.iter().enumerate() {
            let deploy = format!(
                "select rhythm.deploy('{}', {})",
                name(i),
                literal(&source(program))
            );
            ask(&self.desk, &deploy).await?;
        }
        for (i, timeout) in case.runs.iter().enumerate() {
            let timeout = timeout.map_or(String::new(), |m| format!(", timeout => '{m} minutes'"));
            let start = format!("select rhythm.start('w0', task_id => 'r{i}'{timeout})");
            ask(&self.desk, &start).await?;
        }
        let mut tale = Tale::default();
        for round in &case.rounds {
            if self.is_serial {
                for turn in round {
                    self.round(&[*turn], &mut tale).await?;
                }
            } else {
                self.round(round, &mut tale).await?;
            }
        }
        self.drain(&mut tale).await?;
        if case.mends {
            ask(&self.desk, "insert into mended values (true)").await?;
            for run in self.there().await?.failed_runs {
                // Unless it was retried with its parent.
                let retry = format!(
                    "select rhythm.retry(a.id) from rhythm.archive a where a.id = '{run}' and a.state in ('failed', 'timed_out')"
                );
                ask(&self.desk, &retry).await?;
            }
            self.drain(&mut tale).await?;
        }
        let facts = Facts::gather(&self.desk).await?;
        judge(case, &tale, &facts, self.is_serial)?;
        self.leaves_nothing().await?;
        Ok(facts)
    }

    /// What holds after all cases.
    pub async fn close(self) {
        no_deadlocks(&self.desk).await;
        nothing_is_left(&self.desk).await;
    }

    /// Nothing of earlier cases is there.
    async fn clean(&self) -> Result<(), String> {
        let tables = "live runnable saves events timers signals signal_waits signal_keys watchers deferred_starts cancels archive history keys published limit_marks";
        let deletes: String = tables
            .split(' ')
            .map(|table| format!("delete from rhythm.{table}; "))
            .collect();
        let rest =
            "delete from effects; delete from mended; update rhythm.test_clock set shift = '0'";
        ask(&self.desk, &format!("{deletes}{rest}")).await.map(drop)
    }

    async fn there(&self) -> Result<There, String> {
        let mut there = There::default();
        let all = "select id, kind, true, true from rhythm.live
            union all select id, kind, false, state in ('failed', 'timed_out') from rhythm.archive order by 1";
        for row in ask(&self.desk, all).await? {
            let cell = |i: usize| row[i].as_deref().unwrap_or_default();
            let id: Uuid = cell(0).parse().map_err(|_| "no id")?;
            match (cell(1), cell(2), cell(3)) {
                ("workflow", "t", _) => there.runs.push(id),
                ("task", "t", _) => there.tasks.push(id),
                ("workflow", _, "t") => there.failed_runs.push(id),
                ("task", _, "t") => there.failed_tasks.push(id),
                _ => {}
            }
        }
        Ok(there)
    }

    /// Does all of a round at once.
    async fn round(&mut self, round: &[Turn], tale: &mut Tale) -> Result<(), String> {
        let there = self.there().await?;
        let mut running = Vec::new();
        for turn in round {
            let Some(asked) = plan(*turn, &there, tale) else {
                continue;
            };
            let session = self.hands.pop().ok_or("too few hands")?;
            let pid = match asked.how {
                Manner::Killed(_) if !self.is_serial => {
                    Some(session.number("select pg_backend_pid()").await)
                }
                _ => None,
            };
            let sql = asked.sql.clone();
            let doing = tokio::spawn(async move {
                let answer = send(&session, &sql).await;
                (session, answer)
            });
            running.push((asked, pid, doing));
        }
        for (asked, pid, _) in &running {
            if let (Manner::Killed(after), Some(pid)) = (asked.how, pid) {
                tokio::time::sleep(Duration::from_micros(u64::from(after))).await;
                ask(&self.desk, &format!("select pg_terminate_backend({pid})")).await?;
            }
        }
        for (asked, pid, doing) in running {
            let (session, answer) = doing.await.map_err(|error| error.to_string())?;
            // One that was to be killed may be so a moment later.
            self.hands.push(match pid {
                Some(_) => self.database.session().await,
                None => session,
            });
            let answer = understood(&asked, answer, pid.is_some())?;
            heard(tale, &asked, answer.as_ref());
        }
        Ok(())
    }

    /// Delivers what is waited for, until every run has ended.
    async fn drain(&mut self, tale: &mut Tale) -> Result<(), String> {
        let begun = Instant::now();
        // What others hold just now comes a moment later; where there are no others nothing does.
        let mut in_vain = 0;
        loop {
            ask(&self.desk, "select rhythm.tick()").await?;
            let mut done = self.finish_all(tale).await?;
            done |= self.signal_all(tale).await?;
            let left =
                "select (select count(*) from rhythm.live), (select count(*) from rhythm.runnable)";
            let left = ask(&self.desk, left).await?.remove(0);
            if left.iter().all(|count| count.as_deref() == Some("0")) {
                return Ok(());
            }
            if done {
                in_vain = 0;
                continue;
            }
            in_vain += 1;
            if begun.elapsed() > PATIENCE || (self.is_serial && in_vain > 100) {
                return Err(format!("stuck: {}", self.what_is_left().await?));
            }
            // Time passes until something is due.
            let next = "update rhythm.test_clock c set shift = c.shift + (n.at - rhythm._now()) from (select min(d) as at from (
                  select due_at as d from rhythm.live union all select due_at from rhythm.timers
                  union all select due_at from rhythm.signal_waits union all select alone_at from rhythm.runnable
                  union all select not_before from rhythm.deferred_starts) x) n
                where n.at > rhythm._now()";
            ask(&self.desk, next).await?;
            if !self.is_serial {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Completes all tasks, also those that nobody knows to hold; false: there were none.
    async fn finish_all(&self, tale: &mut Tale) -> Result<bool, String> {
        tale.held.clear();
        let claim = "select count(*) from rhythm.claim('w', max => 1000, lease => '1 day')";
        ask(&self.desk, claim).await?;
        let held = "select id, token, inputs ->> 'label' from rhythm.live where state = 'running' and kind = 'task'";
        tale.hold(&ask(&self.desk, held).await?);
        let all: Vec<_> = std::mem::take(&mut tale.held)
            .into_iter()
            .map(|held| (held, End::Completed(tale.fresh())))
            .collect();
        if all.is_empty() {
            return Ok(false);
        }
        ask(&self.desk, &finish(&all, 0)).await?;
        tale.end(all.into_iter().map(|(held, end)| (held, end, Known::Maybe)));
        Ok(true)
    }

    /// Sends a signal to all that wait for one without a time; false: there were none.
    async fn signal_all(&self, tale: &mut Tale) -> Result<bool, String> {
        let waits = "select w.execution_id, right(w.name, 1) from rhythm.signal_waits w join rhythm.live l on l.id = w.execution_id
            where w.due_at is null";
        let rows = ask(&self.desk, waits).await?;
        for row in &rows {
            let cell = |i: usize| row[i].as_deref().unwrap_or_default();
            let run: Uuid = cell(0).parse().map_err(|_| "no id")?;
            let name: u8 = cell(1).parse().map_err(|_| "no number")?;
            let payload = tale.fresh();
            let send = format!("select rhythm.signal('{run}', 's{name}', '{payload}')");
            let answer = ask(&self.desk, &send).await?;
            let known = if answer[0][0].as_deref() == Some("t") {
                Known::Yes
            } else {
                Known::No
            };
            tale.signal(run, name, payload, known);
        }
        Ok(!rows.is_empty())
    }

    async fn what_is_left(&self) -> Result<String, String> {
        let mut left = String::new();
        for table in [
            "live",
            "runnable",
            "timers",
            "signal_waits",
            "signals",
            "events",
            "watchers",
            "deferred_starts",
            "cancels",
        ] {
            let rows = ask(
                &self.desk,
                &format!("select to_jsonb(t) from rhythm.{table} t limit 20"),
            )
            .await?;
            left.push_str(&format!("\n{table}: {rows:#?}"));
        }
        Ok(left)
    }

    /// What has ended otherwise than to be retried has left nothing.
    async fn leaves_nothing(&self) -> Result<(), String> {
        // What arrived while its execution was ending in another session is swept by retention (`close`).
        let tables = if self.is_serial {
            "timers signal_waits signals events watchers deferred_starts cancels"
        } else {
            "timers signal_waits watchers deferred_starts"
        };
        let counts: Vec<_> = tables
            .split(' ')
            .map(|table| (table, "execution_id"))
            .chain([("saves", "id")])
            .map(|(table, id)| {
                // What was terminated while a worker ran it is kept for that worker.
                let more = if table == "cancels" { "and t.worker is null" } else { "" };
                format!(
                    "select '{table}', to_jsonb(t) from rhythm.{table} t where not exists (
                       select from rhythm.archive a where a.id = t.{id} and a.state in ('failed', 'timed_out')) {more}"
                )
            })
            .collect();
        let counts = counts.join(" union all ");
        let begun = Instant::now();
        loop {
            let left = ask(&self.desk, &counts).await?;
            if left.is_empty() {
                return Ok(());
            }
            if self.is_serial || begun.elapsed() > PATIENCE {
                return Err(format!("left behind: {left:#?}"));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Sends messages one after another; gives the rows of the last.
async fn send(session: &Session, sql: &[String]) -> Result<Rows, Failure> {
    let mut rows = Vec::new();
    for one in sql {
        rows = match session.attempt(one).await {
            Ok(rows) => rows,
            Err(failure) => {
                // It may have left a transaction open; where the session is lost there is none.
                let _ = session.attempt("rollback").await;
                return Err(failure);
            }
        };
    }
    Ok(rows)
}

/// The answer; nothing, if the session was killed. Fails if an error is not to be expected.
fn understood(
    asked: &Asked,
    answer: Result<Rows, Failure>,
    is_killed: bool,
) -> Result<Option<Rows>, String> {
    match answer {
        Ok(rows) => Ok(Some(rows)),
        Err(failure) if is_killed && failure.is_lost() => Ok(None),
        // Somebody was faster.
        Err(failure) if matches!(failure.code.as_str(), "RH301" | "RH302" | "RH304") => {
            Ok(Some(Vec::new()))
        }
        Err(failure) => Err(format!("{failure:?} of {:?}", asked.sql)),
    }
}
