//! Random operations from several sessions against a model of the state machine. After each round the model and the server
//! agree about every task; within a round the sessions run at once.

use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use rhythm_tests::model::{Answer, Do, LIMIT, Model, PER_KEY, QUEUES, apply, claimed};
use rhythm_tests::race::Dice;
use uuid::Uuid;

const ROUNDS: u32 = 250;
const SESSIONS: usize = 4;

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
      or l.due_at is distinct from least(case when l.state = 'scheduled' then l.run_at end, l.lease_until, l.attempt_until, case when l.state <> 'running' then l.start_by end, l.end_by)
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
            4 => {
                // For a round: whatever is done then is done, but for claims.
                let call = ["pause_task('work')", "pause_all('why')"][dice.below(2) as usize];
                s.run(&format!("select rhythm.{call}")).await;
                model.stopped = true;
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
        if model.stopped {
            s.run("select rhythm.resume_task('work'), rhythm.resume_all()")
                .await;
            model.stopped = false;
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
