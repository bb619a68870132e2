//! Random operations from several sessions against a model of the state machine. After each round the model and the server
//! agree about every task; within a round the sessions run at once, and the model says which outcomes are possible.

use std::collections::BTreeMap;

use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use rhythm_tests::race::Dice;
use serde_json::json;
use uuid::Uuid;

const ROUNDS: u32 = 250;
const SESSIONS: usize = 4;
const ATTEMPTS: i64 = 3;
const QUEUES: [&str; 3] = ["open", "limited", "keyed"];
const LIMIT: usize = 4;
const PER_KEY: usize = 2;

/// What the model knows of one task.
#[derive(Clone, Debug)]
struct Task {
    queue: usize,
    key: u64,
    task_id: Option<u64>,
    state: &'static str,
    attempt: i64,
    /// The lease that holds, and until when (in the model's seconds).
    lease: Option<(i64, u64)>,
    due: u64,
    cancelled: bool,
}

impl Task {
    fn is_over(&self) -> bool {
        matches!(self.state, "completed" | "failed" | "cancelled")
    }

    /// An attempt has failed; without `delay` it is claimable at once.
    fn fail(&mut self, due: Option<u64>) {
        self.lease = None;
        self.state = match due {
            _ if self.cancelled => "cancelled",
            _ if self.attempt >= ATTEMPTS => "failed",
            Some(_) => "scheduled",
            None => "pending",
        };
        self.due = due.unwrap_or(0);
    }
}

#[derive(Default)]
struct Model {
    tasks: BTreeMap<Uuid, Task>,
    /// Leases that were lost: they must change nothing.
    stale: Vec<(Uuid, i64)>,
    now: u64,
    paused: [bool; 3],
}

impl Model {
    /// Who holds a task_id: alive or completed.
    fn holder(&self, key: u64) -> Option<Uuid> {
        let holds = |task: &&Task| {
            task.task_id == Some(key) && !matches!(task.state, "failed" | "cancelled")
        };
        self.tasks
            .iter()
            .find(|(_, task)| holds(task))
            .map(|(id, _)| *id)
    }

    fn running(&self) -> Vec<(Uuid, i64)> {
        let leases = self
            .tasks
            .iter()
            .filter_map(|(id, task)| Some((*id, task.lease?.0)));
        leases.collect()
    }

    /// Time passes.
    fn advance(&mut self, seconds: u64) {
        self.now += seconds;
        for (id, task) in &mut self.tasks {
            if let Some((token, until)) = task.lease
                && until <= self.now
            {
                self.stale.push((*id, token));
                task.fail(None);
            }
            if task.state == "scheduled" && task.due <= self.now {
                task.state = "pending";
            }
        }
    }

    /// How many a queue lets run beside those that run; of one key.
    fn free(&self, queue: usize, key: u64) -> (usize, usize) {
        let running = |of: &dyn Fn(&Task) -> bool| {
            self.tasks
                .values()
                .filter(|t| t.lease.is_some() && of(t))
                .count()
        };
        match QUEUES[queue] {
            "limited" => (
                LIMIT.saturating_sub(running(&|t| t.queue == queue)),
                usize::MAX,
            ),
            "keyed" => (
                usize::MAX,
                PER_KEY.saturating_sub(running(&|t| t.queue == queue && t.key == key)),
            ),
            _ => (usize::MAX, usize::MAX),
        }
    }

    /// How many could be claimed of a queue.
    fn claimable(&self, queue: usize) -> usize {
        if self.paused[queue] {
            return 0;
        }
        let mut by_key: BTreeMap<u64, usize> = BTreeMap::new();
        for task in self
            .tasks
            .values()
            .filter(|t| t.queue == queue && t.state == "pending")
        {
            *by_key.entry(task.key).or_default() += 1;
        }
        let of_keys: usize = by_key
            .iter()
            .map(|(key, n)| (*n).min(self.free(queue, *key).1))
            .sum();
        of_keys.min(self.free(queue, 0).0)
    }
}

/// What a session does in a round.
#[derive(Clone, Debug)]
enum Do {
    Enqueue {
        many: bool,
        queue: usize,
        key: u64,
        task_id: Option<u64>,
        delay: bool,
    },
    Claim {
        queue: usize,
        most: usize,
    },
    Complete(Uuid, i64),
    Fail(Uuid, i64),
    Snooze(Uuid, i64),
    Release(Uuid, i64),
    Beat(Uuid, i64),
    Cancel(Uuid),
    Retry(Uuid),
}

impl Do {
    fn sql(&self) -> String {
        let error = r#"{"name": "E", "message": "m"}"#;
        match self {
            Self::Enqueue {
                many,
                queue,
                key,
                task_id,
                delay,
            } => {
                let mut item = json!({"name": "work", "inputs": {"key": key}, "queue": QUEUES[*queue],
                    "retry": {"maxAttempts": ATTEMPTS, "initial": "100s", "backoff": 1, "jitter": 0}});
                if let Some(task_id) = task_id {
                    item["task_id"] = json!(format!("t{task_id}"));
                }
                if *delay {
                    item["delay"] = json!("100 seconds");
                }
                if *many {
                    return format!("select id, created from rhythm.enqueue_many('[{item}]')");
                }
                let task_id = task_id
                    .map(|t| format!(", task_id => 't{t}'"))
                    .unwrap_or_default();
                let delay = if *delay {
                    ", delay => '100 seconds'"
                } else {
                    ""
                };
                format!(
                    "select rhythm.enqueue('work', '{}', '{}', retry => '{}'{task_id}{delay}), null",
                    item["inputs"], QUEUES[*queue], item["retry"]
                )
            }
            Self::Claim { queue, most } => format!(
                "select id, token, attempt from rhythm.claim('w', '{{{}}}', max => {most}, lease => '1000 seconds')",
                QUEUES[*queue]
            ),
            Self::Complete(id, token) => format!("select rhythm.complete('{id}', {token})"),
            Self::Fail(id, token) => format!("select rhythm.fail('{id}', {token}, '{error}')"),
            Self::Snooze(id, token) => {
                format!("select rhythm.snooze('{id}', {token}, '100 seconds')")
            }
            Self::Release(id, token) => format!(
                "select count(*) from rhythm.finish('w', '[{{\"id\": \"{id}\", \"token\": \"{token}\", \"release\": true}}]')"
            ),
            Self::Beat(id, token) => {
                format!(
                    "select status from rhythm.heartbeat('{{{id}}}', '{{{token}}}', '1000 seconds')"
                )
            }
            Self::Cancel(id) => format!("select rhythm.cancel('{id}')"),
            Self::Retry(id) => format!("select rhythm.retry('{id}')"),
        }
    }
}

fn choose(model: &Model, dice: &mut Dice, used: &mut Vec<Uuid>) -> Option<Do> {
    let pick = |dice: &mut Dice, all: &[(Uuid, i64)]| -> Option<(Uuid, i64)> {
        let n = dice.below(all.len().max(1) as u64) as usize;
        all.get(n).copied()
    };
    let queue = dice.below(3) as usize;
    let what = dice.below(20);
    let done = match what {
        0..5 => Do::Enqueue {
            many: dice.below(2) == 0,
            queue,
            key: dice.below(3),
            task_id: (dice.below(2) == 0).then(|| dice.below(12)),
            delay: dice.below(4) == 0,
        },
        5..9 => Do::Claim {
            queue,
            most: 1 + dice.below(4) as usize,
        },
        9..16 => {
            let leases = if dice.below(5) == 0 {
                model.stale.clone()
            } else {
                model.running()
            };
            let (id, token) = pick(dice, &leases)?;
            match dice.below(7) {
                0..3 => Do::Complete(id, token),
                3 => Do::Fail(id, token),
                4 => Do::Snooze(id, token),
                5 => Do::Release(id, token),
                _ => Do::Beat(id, token),
            }
        }
        _ => {
            let all: Vec<_> = model.tasks.keys().map(|id| (*id, 0)).collect();
            let (id, _) = pick(dice, &all)?;
            if what == 16 {
                Do::Cancel(id)
            } else {
                Do::Retry(id)
            }
        }
    };
    // Two operations of a round never meet in one execution or task_id, so the order of the round does not matter; claims of one
    // queue do meet. Races over one execution are in race.rs.
    match &done {
        Do::Enqueue {
            task_id: Some(key), ..
        } => {
            let stands_for = Uuid::from_u128(u128::from(*key));
            let touched = used.contains(&stands_for)
                || model
                    .tasks
                    .iter()
                    .any(|(id, t)| t.task_id == Some(*key) && used.contains(id));
            used.push(stands_for);
            used.extend(
                model
                    .tasks
                    .iter()
                    .filter(|(_, t)| t.task_id == Some(*key))
                    .map(|(id, _)| *id),
            );
            (!touched).then_some(done)
        }
        Do::Complete(id, _)
        | Do::Fail(id, _)
        | Do::Snooze(id, _)
        | Do::Release(id, _)
        | Do::Beat(id, _)
        | Do::Cancel(id)
        | Do::Retry(id) => {
            let key = model.tasks[id]
                .task_id
                .map(|key| Uuid::from_u128(u128::from(key)));
            let touched = used.contains(id) || key.is_some_and(|key| used.contains(&key));
            used.push(*id);
            used.extend(key);
            (!touched).then_some(done)
        }
        _ => Some(done),
    }
}

type Answer = Result<Vec<Vec<Option<String>>>, String>;

/// Checks an answer and does the same to the model. Claims come last: they may have met what the others did, or not.
fn apply(model: &mut Model, done: &Do, answer: &Answer) {
    let first = answer
        .as_ref()
        .ok()
        .and_then(|rows| rows.first())
        .and_then(|row| row[0].clone())
        .unwrap_or_default();
    let holds = |model: &Model, id: &Uuid, token: i64| {
        model.tasks[id].lease.is_some_and(|lease| lease.0 == token)
    };
    let now = model.now;
    match *done {
        Do::Enqueue {
            many,
            queue,
            key,
            task_id,
            delay,
        } => {
            let id: Uuid = first
                .parse()
                .unwrap_or_else(|_| panic!("{done:?}: {answer:?}"));
            let holder = task_id.and_then(|key| model.holder(key));
            if many {
                let created = answer
                    .as_ref()
                    .is_ok_and(|rows| rows[0][1].as_deref() == Some("t"));
                assert_eq!(created, holder.is_none(), "{done:?}");
            }
            if let Some(holder) = holder {
                assert_eq!(id, holder, "{done:?}");
                return;
            }
            let state = if delay { "scheduled" } else { "pending" };
            let task = Task {
                queue,
                key,
                task_id,
                state,
                attempt: 0,
                lease: None,
                due: now + 100,
                cancelled: false,
            };
            assert!(model.tasks.insert(id, task).is_none(), "a new id");
        }
        Do::Claim { .. } => {}
        Do::Complete(id, token)
        | Do::Fail(id, token)
        | Do::Snooze(id, token)
        | Do::Release(id, token)
        | Do::Beat(id, token) => {
            let held = holds(model, &id, token);
            let task = model.tasks.get_mut(&id).expect("it is known");
            match done {
                Do::Complete(..) => {
                    assert_eq!(first, if held { "t" } else { "f" }, "{done:?} {task:?}");
                    if held {
                        task.lease = None;
                        task.state = "completed";
                    }
                }
                Do::Fail(..) => {
                    if held {
                        task.fail(Some(now + 100));
                    }
                    assert_eq!(
                        first,
                        if held { task.state } else { "" },
                        "{done:?} {task:?}"
                    );
                }
                Do::Beat(..) => {
                    let status = match (held, task.cancelled) {
                        (false, _) => "lost",
                        (true, true) => "cancel",
                        (true, false) => "ok",
                    };
                    assert_eq!(first, status, "{done:?} {task:?}");
                    if held {
                        task.lease = Some((token, now + 1000));
                    }
                }
                _ => {
                    let snoozes = matches!(done, Do::Snooze(..));
                    if snoozes {
                        assert_eq!(first, if held { "t" } else { "f" }, "{done:?} {task:?}");
                    }
                    if held {
                        task.lease = None;
                        task.attempt -= 1;
                        task.due = now + 100;
                        task.state = match (task.cancelled, snoozes) {
                            (true, _) => "cancelled",
                            (false, true) => "scheduled",
                            (false, false) => "pending",
                        };
                    }
                }
            }
            if held && !matches!(done, Do::Beat(..)) {
                model.stale.push((id, token));
            }
        }
        Do::Cancel(id) => {
            let task = model.tasks.get_mut(&id).expect("it is known");
            // A claim of the same round may have been first; then the lease hears of it.
            assert_eq!(
                first,
                if task.is_over() { "f" } else { "t" },
                "{done:?} {task:?}"
            );
            if !task.is_over() {
                task.cancelled = true;
                if task.lease.is_none() {
                    task.state = "cancelled";
                }
            }
        }
        Do::Retry(id) => {
            let holder = model.tasks[&id].task_id.and_then(|key| model.holder(key));
            let task = model.tasks.get_mut(&id).expect("it is known");
            let expected = match (task.state, holder) {
                ("failed" | "cancelled", None) => "",
                ("failed" | "cancelled", Some(_)) => "RH304",
                _ => "RH302",
            };
            assert_eq!(
                answer.as_ref().err().map_or("", String::as_str),
                expected,
                "{task:?}"
            );
            if expected.is_empty() {
                (task.state, task.attempt, task.cancelled) = ("pending", 0, false);
            }
        }
    }
}

/// What was claimed in a round must have been claimable, and within the limits.
fn claimed(model: &mut Model, done: &Do, answer: &Answer) {
    let (Do::Claim { queue, most }, Ok(rows)) = (done, answer) else {
        return;
    };
    assert!(rows.len() <= *most, "{done:?}: {rows:?}");
    for row in rows {
        let cell = |i: usize| row[i].clone().unwrap_or_default();
        let id: Uuid = cell(0).parse().expect("an id");
        let (token, attempt): (i64, i64) = (
            cell(1).parse().expect("a token"),
            cell(2).parse().expect("a number"),
        );
        let free = model.free(*queue, model.tasks[&id].key);
        assert!(
            free.0 > 0 && free.1 > 0,
            "over the limit: {done:?} {free:?}"
        );
        assert!(!model.paused[*queue], "paused: {done:?}");
        let task = model.tasks.get_mut(&id).expect("it is known");
        let was_cancelled = task.state == "cancelled" && task.cancelled;
        assert!(
            task.state == "pending" || was_cancelled,
            "{done:?} gave {task:?}"
        );
        assert_eq!(
            (task.queue, task.attempt + 1),
            (*queue, attempt),
            "{task:?}"
        );
        task.state = "running";
        task.attempt = attempt;
        task.lease = Some((token, model.now + 1000));
    }
}

/// The server says of every task what the model says.
async fn agree(s: &Session, model: &Model) {
    let rows = s
        .rows("select id, state, attempt from rhythm.executions order by id")
        .await;
    assert_eq!(rows.len(), model.tasks.len());
    for row in rows {
        let id: Uuid = row[0]
            .as_deref()
            .unwrap_or_default()
            .parse()
            .expect("an id");
        let task = &model.tasks[&id];
        let attempt = task.attempt.to_string();
        assert_eq!(
            (row[1].as_deref(), row[2].as_deref()),
            (Some(task.state), Some(attempt.as_str())),
            "{id} {task:?}"
        );
    }
    // What no constraint of the table says, since one would cost each write more than the write.
    let wrong = "select l.* from rhythm.live l where
      (l.state = 'running') <> (l.token is not null) or (l.state = 'running') <> (l.lease_until is not null)
      or (l.state = 'running' and l.worker is null) or (l.state = 'scheduled') and l.run_at is null
      or (l.state in ('running', 'scheduled')) and l.due_at is null
      or l.due_at is distinct from least(case when l.state = 'scheduled' then l.run_at end, l.lease_until, l.attempt_until, l.start_by, l.end_by)
      or l.attempt < 0 or l.root_id is null or l.kind not in ('task', 'workflow') or l.state not in ('pending', 'scheduled', 'running', 'waiting')
      or (l.concurrency_key is null and l.rate_key is not null)
      or exists (select from rhythm.archive a where a.id = l.id)
      or (l.task_id is not null and not exists (select from rhythm.keys k where k.id = l.id and k.task_id = l.task_id and k.name = l.name))";
    let wrong = s.rows(wrong).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let lost = "select k.* from rhythm.keys k where not exists (select from rhythm.executions e where e.id = k.id
      and e.state not in ('failed', 'cancelled', 'timed_out'))";
    let lost = s.rows(lost).await;
    assert!(lost.is_empty(), "keys of nobody: {lost:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_operations_do_what_a_small_model_says() {
    let database = Database::create().await;
    let s = database.session().await;
    let mut dice = Dice::roll("model");
    s.run(&format!(
        "select rhythm.configure_queue('limited', concurrency => {LIMIT}), rhythm.configure_queue('keyed', concurrency_key => 'key',
           concurrency_per_key => {PER_KEY})"
    ))
    .await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(database.session().await);
    }
    let mut model = Model::default();
    for round in 0..ROUNDS {
        match dice.below(12) {
            0..3 => {
                let seconds = [50, 100, 1100][dice.below(3) as usize];
                // The model's clock stands still within a round, so the server's own is nothing against these steps.
                rhythm_tests::clock::advance(&s, &format!("{seconds} seconds")).await;
                model.advance(seconds);
                s.until("select count(*) = 0 from rhythm.live where due_at <= rhythm._now()")
                    .await;
            }
            3 => {
                let queue = dice.below(3) as usize;
                model.paused[queue] = !model.paused[queue];
                let call = if model.paused[queue] {
                    "pause_queue"
                } else {
                    "resume_queue"
                };
                s.run(&format!("select rhythm.{call}('{}')", QUEUES[queue]))
                    .await;
            }
            _ => {}
        }
        let mut used = Vec::new();
        let plan: Vec<Option<Do>> = (0..SESSIONS)
            .map(|_| choose(&model, &mut dice, &mut used))
            .collect();
        let mut running = Vec::new();
        for (session, one) in sessions.drain(..).zip(plan.clone()) {
            running.push(tokio::spawn(async move {
                let answer = match one {
                    Some(one) => session
                        .attempt(&one.sql())
                        .await
                        .map_err(|failure| failure.code),
                    None => Ok(Vec::new()),
                };
                (session, answer)
            }));
        }
        let mut answers = Vec::new();
        for one in running {
            let (session, answer) = one.await.expect("no session panics");
            sessions.push(session);
            answers.push(answer);
        }
        let done: Vec<_> = plan
            .iter()
            .zip(&answers)
            .filter_map(|(one, answer)| Some((one.as_ref()?, answer)))
            .collect();
        for (one, answer) in &done {
            let refusable = matches!(one, Do::Retry(_));
            assert!(
                refusable || answer.is_ok(),
                "round {round}: {one:?}: {answer:?}"
            );
            apply(&mut model, one, answer);
        }
        for (one, answer) in &done {
            claimed(&mut model, one, answer);
        }
        agree(&s, &model).await;
        if round % 10 == 9 {
            // Nothing that may be claimed is withheld.
            for (queue, name) in QUEUES.iter().enumerate() {
                let most = model.claimable(queue);
                let claim = Do::Claim { queue, most: 100 };
                let answer: Answer = s
                    .attempt(&claim.sql())
                    .await
                    .map_err(|failure| failure.code);
                assert_eq!(
                    answer.as_ref().map(Vec::len),
                    Ok(most),
                    "round {round}, {name}"
                );
                claimed(&mut model, &claim, &answer);
            }
        }
    }
    for queue in QUEUES {
        s.run(&format!("select rhythm.resume_queue('{queue}')"))
            .await;
    }
    // In the end all can be done.
    model.paused = [false; 3];
    for _ in 0..200 {
        rhythm_tests::clock::advance(&s, "1100 seconds").await;
        for task in s
            .claim_with("'w', '{open,limited,keyed}', max => 100")
            .await
        {
            assert!(s.complete(&task, "1").await);
        }
        if s.number("select count(*) from rhythm.live").await == 0 {
            break;
        }
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}
