//! Random operations from several sessions against a model of the state machine. After each round the model and the server
//! agree about every task; within a round the sessions run at once. The seed fixes what they are asked to do, round by round,
//! and not how they interleave: a failure may take some runs of its seed to come again.

use std::time::{Duration, Instant};

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left, report};
use rhythm_tests::model::answer::{Answer, apply, claimed};
use rhythm_tests::model::operation::Do;
use rhythm_tests::model::plan::{choose, collide};
use rhythm_tests::model::schedule::{EVERY, FIRST, OVERLAPS};
use rhythm_tests::model::{LIMIT, Model, PER_KEY, QUEUES, UNIT};
use rhythm_tests::race::Dice;
use uuid::Uuid;

const ROUNDS: u32 = 250;
const SESSIONS: usize = 4;

/// Waits until the background worker has seen to what somebody's lock kept from a call.
async fn settle(s: &Session) {
    let unsettled = "select l.state, c.at_once, c.at, r.alone_at, l.attempt, h.held, to_jsonb(l) - 'inputs' - 'retry'
        from (select execution_id from rhythm.runnable union select c.execution_id from rhythm.cancels c
            join rhythm.live l on l.id = c.execution_id where l.state <> 'running' or c.at_once) u
        left join rhythm.live l on l.id = u.execution_id left join rhythm.cancels c on c.execution_id = u.execution_id
        left join rhythm.runnable r on r.execution_id = u.execution_id
        full join (select h.schedule as held from rhythm.schedule_starts h where h.id is null and not exists (
            select from rhythm.schedule_starts r join rhythm.live l on l.id = r.id where r.schedule = h.schedule)) h on false";
    let begun = Instant::now();
    loop {
        let left = s.rows(unsettled).await;
        if left.is_empty() {
            return;
        }
        // The background worker looks by itself each minute: so long would hide what it was not told.
        assert!(
            begun.elapsed() < Duration::from_secs(45),
            "in vain for 45 s: {left:#?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Gets to know what schedules have started, and compares their counts with the model's.
async fn meet(s: &Session, model: &mut Model) {
    settle(s).await;
    model.start_held();
    let started = "select e.id, split_part(e.task_id, ':', 2), l.seq from rhythm.executions e left join rhythm.live l on l.id = e.id
        where e.task_id like 'schedule:%'";
    for row in s.rows(started).await {
        let cell = |i: usize| row[i].as_deref().unwrap_or_default();
        let id: Uuid = cell(0).parse().expect("an id");
        if !model.tasks.contains_key(&id) {
            let schedule = OVERLAPS.iter().position(|name| *name == cell(1));
            let schedule = schedule.expect("one of the schedules");
            let fresh = &mut model.schedules[schedule].fresh;
            *fresh = fresh
                .checked_sub(1)
                .unwrap_or_else(|| panic!("{} has started one too many", cell(1)));
            let task = model.started(schedule, cell(2).parse().ok());
            model.tasks.insert(id, task);
        }
    }
    for (name, schedule) in OVERLAPS.iter().zip(&model.schedules) {
        let counts = format!(
            "select started || ' ' || skipped || ' ' || (held > 0) || ' ' || missed + failed from rhythm.schedules where name = '{name}'"
        );
        let expected = format!(
            "{} {} {} 0",
            schedule.started, schedule.skipped, schedule.held
        );
        assert_eq!(s.text(&counts).await, expected, "{name}: {schedule:?}");
        assert_eq!(schedule.fresh, 0, "{name} has started all that it counts");
    }
}

/// What the server says of every task: id, state, attempt, number, and whether a schedule has started it.
async fn told(s: &Session) -> Vec<Vec<Option<String>>> {
    s.rows(
        "select e.id, e.state, e.attempt, coalesce(l.seq, a.seq), coalesce(e.task_id like 'schedule:%', false) from rhythm.executions e
         left join rhythm.live l on l.id = e.id left join rhythm.archive a on a.id = e.id order by e.id",
    )
    .await
}

/// Compares that with the model, which learns the numbers.
fn agrees(model: &mut Model, told: &[Vec<Option<String>>]) -> Result<(), String> {
    let mut known = 0;
    for row in told {
        let cell = |i: usize| row[i].as_deref().unwrap_or_default();
        let id: Uuid = cell(0).parse().expect("an id");
        let Some(task) = model.tasks.get_mut(&id) else {
            if cell(4) == "t" {
                // What a schedule has started just now (`meet`).
                continue;
            }
            return Err(format!("{id} is not known"));
        };
        known += 1;
        if (cell(1), cell(2)) != (task.state, task.attempt.to_string().as_str()) {
            return Err(format!(
                "{id} is {} in attempt {}: {task:?}",
                cell(1),
                cell(2)
            ));
        }
        task.seq = cell(3).parse().ok();
    }
    if known != model.tasks.len() {
        return Err(format!("{known} executions, and not {}", model.tasks.len()));
    }
    Ok(())
}

/// What holds in the tables whatever the model says.
async fn holds(s: &Session) {
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

/// What was claimed went before all that lay there in the whole round.
fn in_order(
    before: &Model,
    after: &Model,
    used: &[Uuid],
    done: &[(Do, Answer)],
) -> Result<(), String> {
    for (one, answer) in done {
        let (Do::Claim { queue, .. }, Ok(rows)) = (one, answer) else {
            continue;
        };
        if QUEUES[*queue] == "keyed" {
            continue;
        }
        let rank = |id: &Uuid| (-after.tasks[id].given.priority, after.tasks[id].seq);
        let lay = before.tasks.iter().filter(|(id, t)| {
            t.queue == *queue
                && t.state == "pending"
                && after.tasks[*id].state == "pending"
                && !used.contains(id)
        });
        let first = lay.map(|(id, _)| (rank(id), id)).min();
        for row in rows {
            let id: Uuid = row[0]
                .as_deref()
                .unwrap_or_default()
                .parse()
                .expect("an id");
            if let Some((first, other)) = first
                && first < rank(&id)
            {
                return Err(format!(
                    "{one:?} passed over {other} {first:?} for {id} {:?}",
                    rank(&id)
                ));
            }
        }
    }
    Ok(())
}

/// Applies a round to the model, in some order that the answers and the tables allow.
fn explain(
    model: &Model,
    done: &[(Do, Answer)],
    told: &[Vec<Option<String>>],
    collides: bool,
) -> Result<Model, String> {
    let mut orders = vec![(0..done.len()).collect::<Vec<_>>()];
    if collides {
        orders.push((0..done.len()).rev().collect());
    }
    let mut wrong: Vec<String> = Vec::new();
    for order in orders {
        let mut model = model.clone();
        let explained = || {
            for &i in &order {
                apply(&mut model, &done[i].0, &done[i].1, collides)?;
            }
            for (one, answer) in done {
                claimed(&mut model, one, answer)?;
            }
            agrees(&mut model, told)?;
            Ok(model)
        };
        match explained() {
            Ok(model) => return Ok(model),
            Err(what) => wrong.push(what),
        }
    }
    Err(format!("{wrong:#?}\nof {done:#?}"))
}

/// Does a plan, each session its part, all at once.
async fn run(sessions: &mut Vec<Session>, plan: Vec<Do>) -> Vec<(Do, Answer)> {
    let mut running = Vec::new();
    for one in plan {
        let session = sessions.pop().expect("as many as there are parts");
        running.push(tokio::spawn(async move {
            let answer = session.attempt(&one.sql()).await;
            (session, one, answer.map_err(|failure| failure.code))
        }));
    }
    let mut done = Vec::new();
    for one in running {
        let (session, one, answer) = one.await.expect("no session panics");
        sessions.push(session);
        done.push((one, answer));
    }
    done
}

/// What happens between rounds: time passes, a queue is paused or resumed, or everything is paused for a round.
async fn between(s: &Session, model: &mut Model, dice: &mut Dice) {
    match dice.below(12) {
        0..3 => {
            let seconds = [UNIT / 2, UNIT, 11 * UNIT][dice.below(3) as usize];
            // The model's clock stands still within a round, so the server's own is nothing against these steps.
            advance(s, &format!("{seconds} seconds")).await;
            model.advance(seconds);
            s.until("select count(*) = 0 from rhythm.live where due_at <= rhythm._now()")
                .await;
            s.until("select bool_and(next_at > rhythm._now()) from rhythm.schedules")
                .await;
            meet(s, model).await;
        }
        3 => {
            let queue = dice.below(QUEUES.len() as u64) as usize;
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_operations_do_what_a_small_model_says() {
    let database = Database::create().await;
    let s = database.session().await;
    let mut dice = Dice::roll("model (the plan, not the interleaving)");
    s.run(&format!(
        "select rhythm.configure_queue('limited', concurrency => {LIMIT}), rhythm.configure_queue('keyed', concurrency_key => 'key',
           concurrency_per_key => {PER_KEY}), rhythm.configure_queue('rated', rate_limit => '{}/day', rate_burst => 5)",
        86_400 / UNIT
    ))
    .await;
    // Their ticks lie between the steps of the clock.
    s.run(&format!(
        "update rhythm.test_clock set shift = '{} seconds';
         select rhythm.schedule(o, every => '{EVERY} seconds', task => 'work', queue => 'ticks', inputs => '{{\"key\": 0}}', overlap => o,
           retry => '{{\"maxAttempts\": 1000, \"initial\": \"{UNIT}s\", \"max\": \"{UNIT}s\", \"backoff\": 1, \"jitter\": 0}}')
         from unnest('{{{}}}'::text[]) o;
         update rhythm.test_clock set shift = '0'",
        FIRST as i64 - EVERY as i64,
        OVERLAPS.join(",")
    ))
    .await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(database.session().await);
    }
    let begun = Instant::now();
    let mut model = Model::default();
    let mut collisions = 0;
    for round in 0..ROUNDS {
        (model.round, model.real.0) = (round, begun.elapsed().as_secs_f64());
        between(&s, &mut model, &mut dice).await;
        let mut used = Vec::new();
        let collision = if dice.below(10) == 0 && !model.stopped {
            collide(&model, &mut dice)
        } else {
            None
        };
        let collides = collision.is_some();
        let plan: Vec<Do> = match collision {
            Some(two) => two.into(),
            None => (0..SESSIONS)
                .filter_map(|_| choose(&model, &mut dice, &mut used))
                .collect(),
        };
        collisions += u32::from(collides);
        let done = run(&mut sessions, plan).await;
        if !model.stopped {
            settle(&s).await;
        }
        let told = told(&s).await;
        model.real.1 = begun.elapsed().as_secs_f64();
        let before = model;
        model = explain(&before, &done, &told, collides)
            .and_then(|after| in_order(&before, &after, &used, &done).map(|()| after))
            .unwrap_or_else(|wrong| panic!("round {round}: {wrong}"));
        holds(&s).await;
        if !model.stopped {
            meet(&s, &mut model).await;
        }
        if round % 10 == 9 {
            claim_all(&s, &mut model, &begun).await;
        }
        if model.stopped {
            s.run("select rhythm.resume_task('work'), rhythm.resume_all()")
                .await;
            model.stopped = false;
            meet(&s, &mut model).await;
        }
    }
    let states = "select string_agg(state || ' ' || n, ', ') from (select state, count(*) as n from rhythm.executions group by 1) c";
    report(&format!(
        "model: {collisions} collisions; {}",
        s.text(states).await
    ));
    for queue in QUEUES {
        s.run(&format!("select rhythm.resume_queue('{queue}')"))
            .await;
    }
    // In the end all can be done.
    s.run("select rhythm.unschedule(name) from rhythm.schedules")
        .await;
    for _ in 0..200 {
        advance(&s, "1 hour").await;
        for task in s
            .claim_with("'w', '{open,limited,keyed,rated,ticks}', max => 100")
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

/// Nothing that may be claimed is withheld, and it comes in its order.
async fn claim_all(s: &Session, model: &mut Model, begun: &Instant) {
    for (queue, name) in QUEUES.iter().enumerate() {
        let claim = Do::Claim { queue, most: 1000 };
        let answer: Answer = s
            .attempt(&claim.sql())
            .await
            .map_err(|failure| failure.code);
        model.real.1 = begun.elapsed().as_secs_f64();
        let (least, most) = model.claimable(queue);
        let got = answer.as_ref().map_or(usize::MAX, Vec::len);
        assert!(
            (least..=most).contains(&got),
            "{name}: {got} claimed, and {least} to {most} could be"
        );
        let before = model.clone();
        claimed(model, &claim, &answer).unwrap_or_else(|wrong| panic!("{wrong}"));
        in_order(&before, model, &[], &[(claim, answer)]).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}
