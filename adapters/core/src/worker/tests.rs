//! The loop against a scripted server, with a clock that moves only when everything waits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use super::drain::WorkerHandle;
use super::server::{Ask, Server};
use tokio::time::Instant;

use super::*;
use crate::error::ErrorKind;
use crate::rows::{Claimed, Heartbeat, HeartbeatStatus};

/// A claimed task; its token is its number.
pub(super) fn claimed(n: u64, name: &str) -> Claimed {
    Claimed {
        id: Uuid::from_u64_pair(0, n),
        token: i64::try_from(n).unwrap(),
        name: name.into(),
        queue: "default".into(),
        inputs: n.to_string(),
        attempt: 1,
        trace: None,
        lease_left: Duration::from_secs(60),
        progress: None,
        heartbeat_timeout: None,
    }
}

/// A queue of tasks with some of the server's manners.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    tasks: VecDeque<Claimed>,
    /// While true, every call fails as if the server were gone.
    down: bool,
    refuses: Option<String>,
    status: HashMap<Uuid, HeartbeatStatus>,
    /// What was saved, in order.
    progress: Vec<String>,
    /// While true, somebody else's transaction holds all tasks.
    is_held: bool,
    /// Ends waiting claims early, as a cancellation does.
    nudge: Arc<tokio::sync::Notify>,
    outcomes: Vec<serde_json::Value>,
    calls: Vec<String>,
    held: usize,
    most_held: usize,
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn with_tasks(tasks: impl IntoIterator<Item = Claimed>) -> Self {
        let script = Self::default();
        script.state().tasks.extend(tasks);
        script
    }

    fn call(&self, what: String) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.calls.push(what);
        if state.down {
            return Err(Error::new(ErrorKind::Connection, "connection refused"));
        }
        Ok(state)
    }

    fn outcomes(&self) -> Vec<serde_json::Value> {
        self.state().outcomes.clone()
    }
}

impl State {
    fn take(&mut self, max: usize) -> Vec<Claimed> {
        let n = max.min(self.tasks.len());
        self.held += n;
        self.most_held = self.most_held.max(self.held);
        self.tasks.drain(..n).collect()
    }
}

impl Server for Script {
    async fn register(&self, _: &str, _: &str) -> Result<()> {
        self.call("register".into()).map(drop)
    }

    async fn claim(&self, ask: &Ask, mut stop: watch::Receiver<bool>) -> Result<Vec<Claimed>> {
        let taken = self.call(format!("claim {}", ask.max))?.take(ask.max);
        if !taken.is_empty() {
            return Ok(taken);
        }
        let nudge = self.state().nudge.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = nudge.notified() => {}
            () = tokio::time::sleep(ask.wait) => {}
        }
        let mut state = self.state();
        if state.down {
            return Err(Error::new(ErrorKind::Connection, "connection lost"));
        }
        Ok(state.take(ask.max))
    }

    async fn finish(&self, outcomes: &str, ask: &Ask) -> Result<Vec<Claimed>> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let values: Vec<serde_json::Value> = serde_json::from_str(outcomes).unwrap();
        let mut state = self.call(format!("finish {} claim {}", values.len(), ask.max))?;
        if state
            .refuses
            .as_ref()
            .is_some_and(|word| outcomes.contains(word))
        {
            let mut error = Error::new(ErrorKind::Input, "unsupported Unicode escape sequence");
            error.code = Some("22P05".into());
            return Err(error);
        }
        state.held -= values.len();
        state.outcomes.extend(values);
        Ok(state.take(ask.max))
    }

    async fn heartbeat(
        &self,
        ids: &[Uuid],
        _: &[i64],
        _: Duration,
        progress: Option<&[Option<String>]>,
    ) -> Result<Vec<Heartbeat>> {
        let mut state = self.call(format!("heartbeat {}", ids.len()))?;
        let given = progress.unwrap_or_default().iter().flatten().cloned();
        let given: Vec<String> = given.collect();
        if given.iter().any(|json| json.contains("refuse me")) {
            let mut error = Error::new(ErrorKind::Input, "unsupported Unicode escape sequence");
            error.code = Some("22P05".into());
            return Err(error);
        }
        if !state.is_held {
            state.progress.extend(given);
        }
        let beat = |(at, id): (usize, &Uuid)| Heartbeat {
            id: *id,
            status: state.status.get(id).copied().unwrap_or(HeartbeatStatus::Ok),
            saved: progress
                .and_then(|all| all[at].as_ref())
                .map(|_| !state.is_held),
        };
        Ok(ids.iter().enumerate().map(beat).collect())
    }
}

/// A worker with `echo`, `sleep` (inputs are seconds; honours cancellation), `snooze`, and `count`, which says how far it is,
/// half a second long each, and fails at last.
fn start(script: &Script, slots: usize) -> (WorkerHandle, tokio::task::JoinHandle<Result<()>>) {
    async fn echo(_: TaskContext, inputs: String) -> std::result::Result<String, TaskFailure> {
        Ok(inputs)
    }
    async fn sleep(ctx: TaskContext, inputs: String) -> std::result::Result<String, TaskFailure> {
        let seconds = Duration::from_secs(inputs.parse().unwrap());
        tokio::select! {
            why = ctx.cancelled() => Err(TaskFailure::permanent("Cancelled", format!("{why:?}"))),
            () = tokio::time::sleep(seconds) => Ok("\"slept\"".into()),
        }
    }
    async fn snooze(_: TaskContext, inputs: String) -> std::result::Result<String, Unfinished> {
        Err(Unfinished::Snoozed(Duration::from_secs(
            inputs.parse().unwrap(),
        )))
    }
    async fn count(ctx: TaskContext, inputs: String) -> std::result::Result<String, TaskFailure> {
        for n in 1..=inputs.parse().unwrap() {
            ctx.set_progress(format!("[{n}]"), false).unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let last = if inputs == "13" {
            "\"refuse me\""
        } else {
            "\"last\""
        };
        ctx.set_progress(last, false).unwrap();
        Err(TaskFailure::new("E", ctx.progress().unwrap()))
    }
    let mut tasks: BTreeMap<String, (TaskOptions, Arc<dyn Handler>)> = BTreeMap::new();
    tasks.insert("snooze".into(), (TaskOptions::default(), Arc::new(snooze)));
    tasks.insert("count".into(), (TaskOptions::default(), Arc::new(count)));
    tasks.insert("echo".into(), (TaskOptions::default(), Arc::new(echo)));
    tasks.insert("sleep".into(), (TaskOptions::default(), Arc::new(sleep)));
    let options = WorkerOptions {
        slots,
        name: "w".into(),
        ..WorkerOptions::default()
    };
    let backoff = Backoff::new(|| 1.0);
    let shift = Shift::new(script.clone(), options, tasks, Arc::new(|_| {}), backoff).unwrap();
    let wishes = watch::Sender::new(Wish::Serve);
    let receiver = wishes.subscribe();
    (WorkerHandle(wishes), tokio::spawn(shift.run(receiver)))
}

/// Lets time pass.
async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_claims_for_the_slots_that_it_frees() {
    let script = Script::with_tasks((1..=20).map(|n| claimed(n, "echo")));
    let (handle, worker) = start(&script, 4);
    seconds(1).await;
    assert_eq!(script.outcomes().len(), 20);
    assert_eq!(script.state().most_held, 4);
    let flushes = script
        .state()
        .calls
        .iter()
        .filter(|c| *c == "finish 4 claim 4")
        .count();
    assert!(flushes >= 4, "{:?}", script.state().calls);
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_asks_only_as_often_as_its_wait_ends() {
    let script = Script::default();
    let (handle, worker) = start(&script, 4);
    seconds(12).await;
    assert_eq!(
        script.state().calls,
        ["register", "claim 4", "claim 4", "claim 4"]
    );
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn outcomes_survive_an_outage_and_the_worker_registers_again() {
    let script = Script::with_tasks([claimed(3, "sleep")]);
    let (handle, worker) = start(&script, 1);
    seconds(1).await;
    script.state().down = true;
    seconds(60).await;
    assert!(script.outcomes().is_empty());
    let tries = script.state().calls.len();
    assert!(tries < 60, "{tries} calls in a minute's outage");
    script.state().down = false;
    seconds(6).await;
    assert_eq!(script.outcomes()[0]["result"], "slept");
    let registered = script
        .state()
        .calls
        .iter()
        .filter(|c| *c == "register")
        .count();
    assert!(registered > 1);
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_up_yet_is_waited_for_but_a_refusal_is_final() {
    let script = Script::default();
    script.state().down = true;
    let (handle, worker) = start(&script, 1);
    seconds(20).await;
    script.state().down = false;
    seconds(10).await;
    assert!(script.state().calls.iter().any(|c| c == "claim 1"));
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_what_runs_long_beats_and_a_cancel_reaches_the_handler() {
    let script = Script::with_tasks([claimed(1, "echo"), claimed(100, "sleep")]);
    let slow = Uuid::from_u64_pair(0, 100);
    let (handle, worker) = start(&script, 2);
    seconds(50).await;
    let beats = script
        .state()
        .calls
        .iter()
        .filter(|c| *c == "heartbeat 1")
        .count();
    assert_eq!(beats, 2);
    script.state().status.insert(slow, HeartbeatStatus::Cancel);
    seconds(15).await;
    assert_eq!(script.outcomes()[1]["error"]["message"], "Requested");
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_early_tells_of_a_cancel_at_once() {
    let script = Script::with_tasks([claimed(100, "sleep")]);
    let slow = Uuid::from_u64_pair(0, 100);
    let (handle, worker) = start(&script, 2);
    seconds(2).await;
    script.state().status.insert(slow, HeartbeatStatus::Cancel);
    let nudge = script.state().nudge.clone();
    nudge.notify_waiters();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(script.outcomes()[0]["error"]["message"], "Requested");
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn waits_that_end_early_again_and_again_do_not_flood_the_server() {
    let script = Script::with_tasks([claimed(100, "sleep")]);
    let (handle, worker) = start(&script, 2);
    let nudge = script.state().nudge.clone();
    for _ in 0..1000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        nudge.notify_waiters();
    }
    let calls = script.state().calls.len();
    assert!(calls < 200, "{calls} calls in ten seconds");
    handle.quit();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_snooze_is_no_failure() {
    let script = Script::with_tasks([claimed(600, "snooze")]);
    let (handle, worker) = start(&script, 2);
    seconds(1).await;
    let outcomes = script.outcomes();
    assert_eq!(outcomes[0]["retry_in"], "600 seconds");
    assert!(outcomes[0].get("error").is_none());
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn progress_is_saved_within_a_second_and_before_the_failure() {
    let script = Script::with_tasks([claimed(8, "count")]);
    let (handle, worker) = start(&script, 2);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(script.state().progress.len(), 1);
    script.state().down = true;
    seconds(10).await;
    script.state().down = false;
    seconds(10).await;
    let progress = script.state().progress.clone();
    assert_eq!(progress.last().unwrap(), "\"last\"");
    assert!(progress.len() <= 4, "{progress:?}");
    assert_eq!(script.outcomes()[0]["error"]["message"], "\"last\"");
    let calls = script.state().calls.clone();
    let place = |what: &str| calls.iter().rposition(|call| call.starts_with(what));
    assert!(place("heartbeat") < place("finish"), "{calls:?}");
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn refused_progress_is_dropped_and_the_lease_kept() {
    let script = Script::with_tasks([claimed(13, "count")]);
    let (handle, worker) = start(&script, 2);
    seconds(9).await;
    assert_eq!(script.outcomes().len(), 1);
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn progress_is_saved_before_a_task_is_given_back() {
    let script = Script::with_tasks([claimed(90, "count")]);
    let (handle, worker) = start(&script, 2);
    tokio::time::sleep(Duration::from_millis(1700)).await;
    handle.quit();
    worker.await.unwrap().unwrap();
    assert_eq!(script.state().progress.last().unwrap(), "[4]");
    assert_eq!(script.outcomes()[0]["release"], true);
}

#[tokio::test(start_paused = true)]
async fn progress_that_could_not_be_saved_is_sent_again_each_second_and_before_the_failure() {
    let script = Script::with_tasks([claimed(4, "count")]);
    script.state().is_held = true;
    let (handle, worker) = start(&script, 2);
    seconds(10).await;
    assert!(script.outcomes().is_empty(), "its progress is not saved");
    let beats = |script: &Script| {
        let calls = script.state().calls.clone();
        calls.iter().filter(|c| c.starts_with("heartbeat")).count()
    };
    let sent = beats(&script);
    assert!((8..=14).contains(&sent), "{sent} heartbeats in ten seconds");
    script.state().is_held = false;
    seconds(2).await;
    assert_eq!(script.state().progress, ["\"last\""]);
    assert_eq!(script.outcomes()[0]["error"]["message"], "\"last\"");
    seconds(20).await;
    assert!(beats(&script) <= sent + 2, "nothing is left to be sent");
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_lost_lease_is_dropped() {
    let script = Script::with_tasks([claimed(100, "sleep")]);
    let slow = Uuid::from_u64_pair(0, 100);
    script.state().status.insert(slow, HeartbeatStatus::Lost);
    let (handle, worker) = start(&script, 1);
    seconds(30).await;
    assert!(script.outcomes().is_empty());
    script.state().tasks.push_back(claimed(1, "echo"));
    seconds(6).await;
    assert_eq!(script.outcomes()[0]["result"], 1);
    handle.drain();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_handlers_end_and_gives_the_rest_back() {
    let script = Script::with_tasks([claimed(10, "sleep"), claimed(100, "sleep")]);
    let (handle, worker) = start(&script, 2);
    seconds(1).await;
    script.state().tasks.push_back(claimed(5, "echo"));
    handle.drain();
    worker.await.unwrap().unwrap();
    let outcomes = script.outcomes();
    assert_eq!(outcomes.len(), 2);
    assert_eq!(outcomes[0]["result"], "slept");
    assert_eq!(outcomes[1]["release"], true);
    assert_eq!(script.state().tasks.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn quitting_gives_everything_back_at_once() {
    let script = Script::with_tasks([claimed(100, "sleep")]);
    let (handle, worker) = start(&script, 2);
    seconds(1).await;
    let before = Instant::now();
    handle.drain();
    handle.quit();
    worker.await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(script.outcomes()[0]["release"], true);
}

#[tokio::test(start_paused = true)]
async fn one_refused_result_does_not_hold_up_the_others() {
    let script = Script::with_tasks((1..=5).map(|n| claimed(n, "echo")));
    script.state().refuses = Some("\"result\":3}".into());
    let (handle, worker) = start(&script, 5);
    seconds(5).await;
    let outcomes = script.outcomes();
    assert_eq!(outcomes.len(), 5);
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|o| o["error"]["name"] == "ResultError")
        .collect();
    assert_eq!(failed.len(), 1);
    handle.drain();
    worker.await.unwrap().unwrap();
}
