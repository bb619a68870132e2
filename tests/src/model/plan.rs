//! Plans a round of the property test: random operations, of which no two meet, or two that do.

use uuid::Uuid;

use super::operation::{Do, End};
use super::schedule::{OVERLAPS, TICKS};
use super::{Given, Model, QUEUES, Task, UNIT};
use crate::race::Dice;

/// What stands for all failures of a round, and for a call that retries whatever has failed: they do not meet.
const FAILS: Uuid = Uuid::from_u128(u128::MAX);
const RETRIES: Uuid = Uuid::from_u128(u128::MAX - 1);

/// What stands for a schedule: what ends one of its tasks may start another.
fn starts(schedule: usize) -> Uuid {
    Uuid::from_u128((1 << 100) + schedule as u128)
}

fn pick<T: Copy>(dice: &mut Dice, all: &[T]) -> Option<T> {
    all.get(dice.below(all.len().max(1) as u64) as usize)
        .copied()
}

fn given(dice: &mut Dice) -> Given {
    let mut given = Given {
        priority: dice.below(3) as i64,
        key: dice.below(3),
        task_id: (dice.below(2) == 0).then(|| dice.below(12)),
        delay: dice.below(4) == 0,
        ..Given::default()
    };
    // Some have no timeout.
    match dice.below(6) {
        0 => given.start = Some(3 * UNIT),
        1 => given.attempt = Some(3 * UNIT),
        // How long it was cannot be told later where it was put off.
        2 if !given.delay => given.whole = Some(8 * UNIT),
        3 => given.beat = Some(2 * UNIT),
        _ => {}
    }
    given
}

/// How an attempt ends. What has a timeout for the whole is not put off: a retry would take the rest of it for all of it.
fn ending(model: &Model, id: Uuid, dice: &mut Dice) -> End {
    match dice.below(6) {
        0 | 1 => End::Complete,
        2 | 3 => End::Fail,
        4 if model.tasks[&id].given.whole.is_none() => End::Snooze,
        _ => End::Release,
    }
}

/// An operation on one task, with a lease of it if there is one.
fn on_one(model: &Model, id: Uuid, token: Option<i64>, dice: &mut Dice) -> Do {
    match (dice.below(8), token) {
        (0..4, Some(token)) => Do::End(id, token, ending(model, id, dice)),
        (4, Some(token)) => Do::Beat(id, token),
        (0..3 | 5, _) => Do::Cancel(id),
        (6, _) => Do::Terminate(id),
        _ => Do::Retry(id),
    }
}

/// An operation that does not meet another of the round, if the dice give one.
#[must_use]
pub fn choose(model: &Model, dice: &mut Dice, used: &mut Vec<Uuid>) -> Option<Do> {
    let queue = dice.below(QUEUES.len() as u64) as usize;
    let leases = if dice.below(5) == 0 {
        model.stale.clone()
    } else {
        model.running()
    };
    // Mostly what an operation is for.
    let any = dice.below(4) == 0;
    let those = |over: bool| -> Vec<Uuid> {
        let fits = |t: &Task| any || (t.state != "completed" && t.is_over() == over);
        let all = model.tasks.iter().filter(|(_, t)| fits(t));
        all.map(|(id, _)| *id).collect()
    };
    let done = match dice.below(22) {
        0..5 => Do::Enqueue {
            many: dice.below(2) == 0,
            queue,
            given: given(dice),
        },
        5..9 => Do::Claim {
            queue,
            most: 1 + dice.below(4) as usize,
        },
        9..14 => {
            let (id, token) = pick(dice, &leases)?;
            Do::End(id, token, ending(model, id, dice))
        }
        14..16 => {
            let mut batch: Vec<(Uuid, i64, End)> = Vec::new();
            for _ in 0..4 {
                let (id, token) = pick(dice, &leases)?;
                if !batch.iter().any(|one| one.0 == id) {
                    batch.push((id, token, ending(model, id, dice)));
                }
            }
            Do::Finish(batch)
        }
        16 => {
            let (id, token) = pick(dice, &leases)?;
            Do::Beat(id, token)
        }
        17 => Do::Cancel(pick(dice, &those(false))?),
        18 => Do::Terminate(pick(dice, &those(false))?),
        19 => Do::RetryMany(queue),
        _ => Do::Retry(pick(dice, &those(true))?),
    };
    if let Do::Cancel(id) = done
        && model.tasks[&id].schedule.is_some()
    {
        // It would end when its lease does, and the ticks of that moment may meet it or not.
        return None;
    }
    let touches = touched(model, &done);
    // Two operations of a round do not meet in one execution or task_id, so the order of the round does not matter; claims of one
    // queue do meet. In some rounds two do meet (`collide`).
    let meets = touches
        .iter()
        .any(|one| *one != FAILS && used.contains(one))
        || (touches.contains(&FAILS) && used.contains(&RETRIES))
        || (touches.contains(&RETRIES) && used.contains(&FAILS));
    if meets {
        return None;
    }
    used.extend(touches);
    Some(done)
}

/// What an operation is about: executions, their keys, and what stands for many of them.
fn touched(model: &Model, done: &Do) -> Vec<Uuid> {
    let mut ids = done.names();
    let mut more = Vec::new();
    match done {
        Do::Enqueue {
            given: Given {
                task_id: Some(key), ..
            },
            ..
        } => {
            more.push(Uuid::from_u128(u128::from(*key)));
            let same = model
                .tasks
                .iter()
                .filter(|(_, t)| t.given.task_id == Some(*key));
            ids.extend(same.map(|(id, _)| *id));
        }
        Do::RetryMany(queue) => {
            more.push(RETRIES);
            let failed = model
                .tasks
                .iter()
                .filter(|(_, t)| t.queue == *queue && matches!(t.state, "failed" | "timed_out"));
            ids.extend(failed.map(|(id, _)| *id));
        }
        Do::Claim { queue: TICKS, .. } => more.extend((0..OVERLAPS.len()).map(starts)),
        Do::End(..) | Do::Finish(_) => more.push(FAILS),
        _ => {}
    }
    let schedules = ids.iter().filter_map(|id| model.tasks[id].schedule);
    more.extend(schedules.map(starts));
    let keys = ids.iter().filter_map(|id| model.tasks[id].given.task_id);
    more.extend(keys.map(|key| Uuid::from_u128(u128::from(key))));
    ids.extend(more);
    ids
}

/// Two operations that meet in one execution.
#[must_use]
pub fn collide(model: &Model, dice: &mut Dice) -> Option<[Do; 2]> {
    let is_free = |id: &Uuid| model.tasks[id].schedule.is_none();
    let all: Vec<Uuid> = model.tasks.keys().copied().filter(is_free).collect();
    let mut running = model.running();
    running.retain(|(id, _)| is_free(id));
    let (id, token) = match pick(dice, &running) {
        Some((id, token)) if dice.below(4) > 0 => (id, Some(token)),
        _ => {
            let id = pick(dice, &all)?;
            (id, model.tasks[&id].lease.map(|lease| lease.0))
        }
    };
    Some([
        on_one(model, id, token, dice),
        on_one(model, id, token, dice),
    ])
}
