//! One operation: whom it meets, how it is asked for in SQL, and what its answer says has happened.

use serde_json::json;
use uuid::Uuid;

use super::case::{Manner, Move, Turn};
use super::play::{Held, Rows, Tale};

/// Whether what was asked for has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The server said so.
    Yes,
    /// The server said that it has not, or it was rolled back.
    No,
    /// Nobody heard its answer.
    Maybe,
}

/// How an attempt was to end.
#[derive(Clone, Debug)]
pub enum End {
    /// With a result, which no other has.
    Completed(u64),
    /// With an error, for good.
    Failed(String),
    /// With an error, to be tried again.
    Again,
    /// It was given back.
    Released,
}

/// What is to be noted once the answer is there.
#[derive(Clone, Debug)]
pub enum Note {
    /// Nothing.
    None,
    /// Ends of attempts; `one`: by the call that tells whether it was in time.
    Ends {
        /// Of whom.
        ends: Vec<(Held, End)>,
        /// Not in a batch.
        one: bool,
    },
    /// A signal.
    Signal {
        /// To whom.
        run: Uuid,
        /// The number of its name.
        name: u8,
        /// What no other has.
        payload: u64,
    },
    /// A request to cancel, or to terminate.
    Wish {
        /// Whom.
        id: Uuid,
        /// Whether all below ends with it.
        at_once: bool,
    },
}

/// What is sent, and what comes of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Messages, each a transaction of its own.
    pub sql: Vec<String>,
    /// What it is about.
    pub note: Note,
    /// Whether its rows are tasks that were claimed.
    pub claims: bool,
    /// How it is done.
    pub how: Manner,
}

/// What is there to be met.
#[derive(Debug, Default)]
pub struct There {
    /// Runs of workflows that live.
    pub runs: Vec<Uuid>,
    /// Tasks that live.
    pub tasks: Vec<Uuid>,
    /// Runs of workflows that can be retried.
    pub failed_runs: Vec<Uuid>,
    /// Tasks that can be retried.
    pub failed_tasks: Vec<Uuid>,
}

fn pick<T: Copy>(all: &[T], number: u16) -> Option<T> {
    all.get(usize::from(number) % all.len().max(1)).copied()
}

/// How an attempt ends, by a number.
fn end(tale: &mut Tale, held: Held, number: u32) -> End {
    match number % 8 {
        5 => End::Failed(format!("no {} {}", held.label, tale.fresh())),
        6 => End::Again,
        7 => End::Released,
        _ => End::Completed(tale.fresh()),
    }
}

/// An outcome of `finish`.
fn outcome(held: Held, end: &End) -> serde_json::Value {
    let mut outcome = json!({"id": held.id, "token": held.token.to_string()});
    match end {
        End::Completed(value) => outcome["result"] = json!(value),
        End::Failed(message) => {
            outcome["error"] = json!({"name": "E", "message": message});
            outcome["retryable"] = json!(false);
        }
        End::Again => {
            outcome["error"] = json!({"name": "E", "message": "again"});
            outcome["retry_in"] = json!("0");
        }
        End::Released => outcome["release"] = json!(true),
    }
    outcome
}

/// The call that ends some attempts and claims as many.
#[must_use]
pub fn finish(ends: &[(Held, End)], claims: usize) -> String {
    let outcomes: Vec<_> = ends.iter().map(|(held, end)| outcome(*held, end)).collect();
    format!(
        "select id, token, inputs ->> 'label' from rhythm.finish('w', '{}', '{{default}}', {claims}, lease => '1 day')",
        json!(outcomes)
    )
}

fn end_one(held: Held, end: &End) -> String {
    let Held { id, token, .. } = held;
    match end {
        End::Completed(value) => format!("select rhythm.complete('{id}', {token}, '{value}')"),
        End::Failed(message) => format!(
            "select rhythm.fail('{id}', {token}, '{}', retryable => false) is not null",
            json!({"name": "E", "message": message})
        ),
        End::Again => format!(
            "select rhythm.fail('{id}', {token}, '{{\"name\": \"E\", \"message\": \"again\"}}', '0') is not null"
        ),
        End::Released => format!("select rhythm.snooze('{id}', {token}, '1 minute')"),
    }
}

/// Plans a part of a round; nothing, if there is nobody whom it could meet.
pub fn plan(turn: Turn, there: &There, tale: &mut Tale) -> Option<Asked> {
    let mut note = Note::None;
    let mut claims = false;
    let sql = match turn.what {
        Move::Claim { most, is_short } => {
            claims = true;
            let lease = if is_short { "5 minutes" } else { "1 day" };
            format!(
                "select id, token, inputs ->> 'label' from rhythm.claim('w', max => {most}, lease => '{lease}')"
            )
        }
        Move::Finish { most, pick, ends } => {
            let mut all = Vec::new();
            for i in 0..u32::from(most) {
                let Some(held) = tale.take(pick) else { break };
                let end = end(tale, held, ends >> (i * 3));
                all.push((held, end));
            }
            if all.is_empty() {
                return None;
            }
            claims = true;
            let sql = finish(&all, all.len());
            note = Note::Ends {
                ends: all,
                one: false,
            };
            sql
        }
        Move::End { pick, end: how } => {
            let held = tale.take(pick)?;
            let end = end(tale, held, u32::from(how));
            let sql = end_one(held, &end);
            note = Note::Ends {
                ends: vec![(held, end)],
                one: true,
            };
            sql
        }
        Move::Signal { run, name } => {
            let (run, payload) = (pick(&there.runs, run)?, tale.fresh());
            note = Note::Signal { run, name, payload };
            format!("select rhythm.signal('{run}', 's{name}', '{payload}')")
        }
        Move::Cancel { run, grace } => {
            let run = pick(&there.runs, run)?;
            note = Note::Wish {
                id: run,
                at_once: false,
            };
            let grace = if grace { ", grace => '1 hour'" } else { "" };
            format!("select rhythm.cancel('{run}'{grace})")
        }
        Move::Terminate { run } => {
            let run = pick(&there.runs, run)?;
            note = Note::Wish {
                id: run,
                at_once: true,
            };
            format!("select rhythm.terminate('{run}')")
        }
        Move::CancelTask { task } => {
            let task = pick(&there.tasks, task)?;
            note = Note::Wish {
                id: task,
                at_once: false,
            };
            format!("select rhythm.cancel('{task}')")
        }
        Move::Retry { run, mend } => {
            let run = pick(&there.failed_runs, run)?;
            let mend = if mend {
                "insert into mended values (true); "
            } else {
                ""
            };
            format!("{mend}select rhythm.retry('{run}')")
        }
        Move::RetryTask { task } => {
            format!(
                "select rhythm.retry('{}')",
                pick(&there.failed_tasks, task)?
            )
        }
        Move::Clock { minutes } => {
            format!(
                "update rhythm.test_clock set shift = shift + interval '{minutes} minutes'; select rhythm.tick()"
            )
        }
        Move::Tick => "select rhythm.tick()".to_owned(),
    };
    // Time is not taken back: who has ended a run meanwhile leaves a timer to whom it was due for.
    let how = match (turn.how, turn.what) {
        (Manner::RolledBack, Move::Clock { .. }) => Manner::Plain,
        (how, _) => how,
    };
    let sql = match (how, turn.what) {
        (Manner::RolledBack, _) => vec![format!("begin; {sql}; rollback")],
        (_, Move::Clock { .. }) => sql.split("; ").map(str::to_owned).collect(),
        _ => vec![sql],
    };
    Some(Asked {
        sql,
        note,
        claims,
        how,
    })
}

/// Notes what has become of it. `answer`: rows, or nothing if nobody heard it.
pub fn heard(tale: &mut Tale, asked: &Asked, answer: Option<&Rows>) {
    let first = answer
        .and_then(|rows| rows.first())
        .and_then(|row| row[0].as_deref());
    let is_undone = matches!(asked.how, Manner::RolledBack);
    let known = match first {
        _ if is_undone => Known::No,
        _ if answer.is_none() => Known::Maybe,
        Some("t") => Known::Yes,
        _ => Known::No,
    };
    if let (true, false, Some(rows)) = (asked.claims, is_undone, answer) {
        tale.hold(rows);
    }
    match &asked.note {
        Note::None => {}
        Note::Ends { ends, one } => {
            // A batch does not tell whose lease was lost.
            let known = if *one || is_undone {
                known
            } else {
                Known::Maybe
            };
            if is_undone {
                tale.held.extend(ends.iter().map(|(held, _)| *held));
            }
            let ends = ends.iter().map(|(held, end)| (*held, end.clone(), known));
            tale.end(ends);
        }
        Note::Signal { run, name, payload } => tale.signal(*run, *name, *payload, known),
        Note::Wish { id, at_once } => {
            if known != Known::No {
                tale.wish(*id, known, *at_once);
            }
        }
    }
}
