//! What the server must answer to an operation, and what that does to the model.

use uuid::Uuid;

use super::operation::{Do, End};
use super::{LEASE, Model, QUEUES, Task, UNIT};

/// Rows, or the code of an error.
pub type Answer = Result<Vec<Vec<Option<String>>>, String>;

/// Fails unless the two are the same.
fn same<T: PartialEq + std::fmt::Debug>(
    is: &T,
    should: &T,
    what: &dyn std::fmt::Debug,
) -> Result<(), String> {
    if is == should {
        Ok(())
    } else {
        Err(format!("{what:?}: {is:?}, and not {should:?}"))
    }
}

/// Checks an answer and does the same to the model; says what is wrong with it. Claims come last (`claimed`): they may have met
/// what the others did, or not. `collides`: with another operation on the same execution.
pub fn apply(model: &mut Model, done: &Do, answer: &Answer, collides: bool) -> Result<(), String> {
    let first = answer
        .as_ref()
        .ok()
        .and_then(|rows| rows.first())
        .and_then(|row| row[0].clone())
        .unwrap_or_default();
    let is_refusable = matches!(done, Do::Retry(_));
    if let (Err(code), false) = (answer, is_refusable) {
        return Err(format!("{done:?}: {code}"));
    }
    let now = model.now;
    match done {
        Do::Enqueue { many, queue, given } => {
            let id: Uuid = first.parse().map_err(|_| format!("{done:?}: {answer:?}"))?;
            let holder = given.task_id.and_then(|key| model.holder(key));
            if *many {
                let created = answer
                    .as_ref()
                    .is_ok_and(|rows| rows[0][1].as_deref() == Some("t"));
                same(&created, &holder.is_none(), done)?;
            }
            if let Some(holder) = holder {
                return same(&id, &holder, done);
            }
            let task = Task::new(*queue, *given, now);
            same(&model.tasks.insert(id, task).is_none(), &true, done)
        }
        Do::Claim { .. } => Ok(()),
        Do::End(id, token, how) => {
            let held = end(model, *id, *token, *how);
            let task = &model.tasks[id];
            let expected = match (how, held) {
                (End::Fail, true) => task.state,
                (End::Fail, false) => "",
                // By finish, which counts what it claims.
                (End::Release, _) => "0",
                (_, true) => "t",
                (_, false) => "f",
            };
            same(&first.as_str(), &expected, &(done, task))
        }
        Do::Finish(all) => {
            for (id, token, how) in all {
                end(model, *id, *token, *how);
            }
            Ok(())
        }
        Do::Beat(id, token) => {
            let task = model.tasks.get_mut(id).ok_or("it is not known")?;
            let held = task.lease.is_some_and(|lease| lease.0 == *token);
            let status = match (held, task.cancelled) {
                (false, _) => "lost",
                (true, true) => "cancel",
                (true, false) => "ok",
            };
            if held {
                task.lease = Some((*token, now + task.given.beat.unwrap_or(LEASE)));
            }
            same(&first.as_str(), &status, &(done, &*task))
        }
        Do::Cancel(id) | Do::Terminate(id) => {
            let task = model.tasks.get_mut(id).ok_or("it is not known")?;
            let is_over = task.is_over();
            let lease = task.lease;
            if !is_over {
                task.cancelled = true;
                if lease.is_none() || matches!(done, Do::Terminate(_)) {
                    task.stop("cancelled");
                    task.ended = model.round;
                    task.terminated = matches!(done, Do::Terminate(_));
                    model.stale.extend(lease.map(|(token, _)| (*id, token)));
                }
            }
            // What meets somebody's lock is noted, and may find it ended.
            if collides && is_over && first == "t" {
                return Ok(());
            }
            same(&first.as_str(), &if is_over { "f" } else { "t" }, done)
        }
        Do::Retry(id) => {
            let holder = model.tasks[id]
                .given
                .task_id
                .and_then(|key| model.holder(key));
            let task = model.tasks.get_mut(id).ok_or("it is not known")?;
            let expected = match (task.state, holder) {
                ("failed" | "cancelled" | "timed_out", None) => "",
                ("failed" | "cancelled" | "timed_out", Some(_)) => "RH304",
                _ => "RH302",
            };
            let code = answer.as_ref().err().map_or("", String::as_str);
            same(&code, &expected, &(done, &*task))?;
            if expected.is_empty() {
                task.revive(now);
            }
            Ok(())
        }
        Do::RetryMany(queue) => {
            let all = model.retryable(*queue);
            same(&first, &all.len().to_string(), done)?;
            for id in all {
                if let Some(task) = model.tasks.get_mut(&id) {
                    task.revive(now);
                }
            }
            Ok(())
        }
    }
}

/// Ends an attempt; false: the lease was lost, and nothing has happened.
fn end(model: &mut Model, id: Uuid, token: i64, how: End) -> bool {
    let (now, round) = (model.now, model.round);
    let Some(task) = model.tasks.get_mut(&id) else {
        return false;
    };
    if task.lease.is_none_or(|lease| lease.0 != token) {
        return false;
    }
    match how {
        End::Complete => task.stop("completed"),
        End::Fail => task.fail(Some(now + UNIT), "failed"),
        End::Snooze => task.release(now, true),
        End::Release => task.release(now, false),
    }
    if task.is_over() {
        task.ended = round;
    }
    model.stale.push((id, token));
    true
}

/// What was claimed in a round must have been claimable, and within the limits.
pub fn claimed(model: &mut Model, done: &Do, answer: &Answer) -> Result<(), String> {
    let (Do::Claim { queue, most }, Ok(rows)) = (done, answer) else {
        return Ok(());
    };
    same(&(rows.len() <= *most), &true, &(done, rows.len()))?;
    for row in rows {
        let cell = |i: usize| row[i].clone().unwrap_or_default();
        let (Ok(id), Ok(token), Ok(attempt)) = (
            cell(0).parse::<Uuid>(),
            cell(1).parse::<i64>(),
            cell(2).parse::<i64>(),
        ) else {
            return Err(format!("{done:?}: {row:?}"));
        };
        let free = model.free(*queue, model.tasks[&id].given.key);
        same(
            &(free.0 > 0 && free.1 > 0),
            &true,
            &("within the limits", done, free),
        )?;
        same(
            &(model.paused[*queue] || model.stopped),
            &false,
            &("not paused", done),
        )?;
        if QUEUES[*queue] == "rated" {
            model.spend();
        }
        let now = model.now;
        let task = model.tasks.get_mut(&id).ok_or("it is not known")?;
        // Somebody who cancels it may have met the claim's lock.
        let was_cancelled = task.state == "cancelled" && task.cancelled;
        same(
            &(task.state == "pending" || was_cancelled),
            &true,
            &(done, &*task),
        )?;
        same(
            &(task.queue, task.attempt + 1),
            &(*queue, attempt),
            &(done, &*task),
        )?;
        task.attempt = attempt;
        if task.terminated {
            // The claim was first, and then it ended at once.
            model.stale.push((id, token));
            continue;
        }
        task.state = "running";
        task.lease = Some((token, now + task.given.beat.unwrap_or(LEASE)));
        task.attempt_until = task.given.attempt.map(|seconds| now + seconds);
    }
    Ok(())
}
