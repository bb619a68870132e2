//! The loop of a worker, from its start to its leave: hears events, and starts every call that is due.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::claim::{Pace, Slots};
use super::complete::{Batch, Fate, Outbox};
use super::drain::{Phase, Wish};
use super::heartbeat::Beats;
use super::options::{self, TaskOptions, WorkerOptions};
use super::progress::Progress;
use super::run::{Cancellation, Ended, Handler, Handlers, Key, Unfinished};
use super::server::{Ask, Server};
use super::{Observer, WorkerEvent};
use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Result};
use crate::rows::{Claimed, Heartbeat, HeartbeatStatus};

/// What the loop hears of.
#[derive(Debug)]
pub(super) enum Event {
    Registered(Result<()>),
    Claimed {
        asked: Instant,
        result: Result<Vec<Claimed>>,
    },
    Flushed {
        asked: Instant,
        batch: Batch,
        result: Result<Vec<Claimed>>,
    },
    Beaten {
        keys: Vec<Key>,
        with_progress: bool,
        result: Result<Vec<Heartbeat>>,
    },
    Ended(Ended),
    BeatNow(Key),
    Progressed {
        key: Key,
        at_once: bool,
    },
}

/// How long progress may wait for others to be saved with, or for what is newer.
const SAVE_WITHIN: Duration = Duration::from_secs(1);

/// A task whose handler runs.
struct Running {
    cancel: watch::Sender<Option<Cancellation>>,
    /// Its outcome still counts.
    held: bool,
    progress: Arc<Progress>,
    /// Its handler has ended, or is given up, and what came of it waits until the progress is saved.
    ended: Option<Fate>,
}

/// What the loop waits for, apart from handlers.
#[derive(Default)]
struct Pending {
    register: bool,
    claim: bool,
    flush: bool,
    beat: bool,
}

pub(super) struct Shift<S> {
    server: S,
    options: WorkerOptions,
    queues: Vec<String>,
    registration: String,
    handlers_by_name: HashMap<String, Arc<dyn Handler>>,
    observer: Observer,

    phase: Phase,
    slots: Slots,
    pace: Pace,
    running: HashMap<Key, Running>,
    handlers: Handlers,
    outbox: Outbox,
    beats: Beats,
    backoff: Backoff,
    /// The server is left alone until then.
    silent_until: Option<Instant>,
    registered: bool,
    /// The server has accepted this worker once, so whatever it says now is taken to pass.
    accepted: bool,
    fatal: Option<Error>,
    pending: Pending,
    stop_waiting: watch::Sender<bool>,
    events: UnboundedReceiver<Event>,
    sender: UnboundedSender<Event>,
}

impl<S: Server> Shift<S> {
    pub(super) fn new(
        server: S,
        options: WorkerOptions,
        tasks: BTreeMap<String, (TaskOptions, Arc<dyn Handler>)>,
        observer: Observer,
        backoff: Backoff,
    ) -> Result<Self> {
        if tasks.is_empty() {
            return Err(Error::new(ErrorKind::Config, "the worker has no tasks")
                .hint("Add a task before running it."));
        }
        let mut queues = options.queues.clone();
        if queues.is_empty() {
            let of_tasks = tasks.values().map(|(task, _)| task.queue.as_deref());
            queues = of_tasks
                .map(|queue| queue.unwrap_or("default").to_owned())
                .collect();
            queues.sort();
            queues.dedup();
        }
        let (sender, events) = unbounded_channel();
        Ok(Self {
            server,
            queues,
            registration: options::registration(tasks.iter().map(|(name, (o, _))| (name, o))),
            handlers_by_name: tasks.into_iter().map(|(name, (_, h))| (name, h)).collect(),
            observer,
            phase: Phase::Serving,
            slots: Slots::new(options.slots),
            pace: Pace::default(),
            running: HashMap::new(),
            handlers: Handlers::new(sender.clone()),
            outbox: Outbox::default(),
            beats: Beats::new(options.lease),
            backoff,
            silent_until: None,
            registered: false,
            accepted: false,
            fatal: None,
            pending: Pending::default(),
            stop_waiting: watch::Sender::new(false),
            events,
            sender,
            options,
        })
    }

    pub(super) async fn run(mut self, mut wishes: watch::Receiver<Wish>) -> Result<()> {
        loop {
            let now = Instant::now();
            self.change_phase(*wishes.borrow_and_update(), now);
            if let Some(error) = self.fatal.take() {
                return Err(error);
            }
            if self.is_over(now) {
                return Ok(());
            }
            self.call_server(now);
            let wake = self.next_wake(now);
            tokio::select! {
                Some(event) = self.events.recv() => {
                    self.hear(event);
                    // What else has come by now goes into the same flush.
                    while let Ok(event) = self.events.try_recv() {
                        self.hear(event);
                    }
                }
                _ = wishes.changed() => {}
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    fn change_phase(&mut self, wish: Wish, now: Instant) {
        while let Some(next) = self.phase.next(wish, self.options.grace, now) {
            if self.phase.is_serving() {
                self.stop_waiting.send_replace(true);
                (self.observer)(&WorkerEvent::Draining {
                    running: self.running.len(),
                });
            }
            self.phase = next;
            if matches!(next, Phase::Leaving { .. }) {
                self.give_back_all(now);
            }
        }
    }

    fn give_back_all(&mut self, now: Instant) {
        let mut given = 0;
        let keys: Vec<Key> = self.running.keys().copied().collect();
        for key in keys {
            if let Some(running) = self.running.get(&key) {
                running.cancel.send_replace(Some(Cancellation::Shutdown));
                given += usize::from(running.held && running.ended.is_none());
            }
            self.settle(key, Fate::Released, now);
        }
        if given > 0 {
            (self.observer)(&WorkerEvent::GaveBack(given));
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let idle = self.running.is_empty() && self.outbox.is_empty();
        let quiet = !self.pending.claim && !self.pending.flush;
        match self.phase {
            Phase::Serving => false,
            Phase::Draining { .. } => idle && quiet,
            Phase::Leaving { until } => (idle && quiet) || now >= until,
        }
    }

    /// Starts every call that is due and not under way.
    fn call_server(&mut self, now: Instant) {
        if self.silent_until.is_some_and(|until| now < until) || self.pending.register {
            return;
        }
        // On the way out there is nothing to register for.
        if !self.registered && self.phase.is_serving() {
            return self.register();
        }
        self.flush(now);
        let free = self.slots.free(self.running.len(), self.outbox.len());
        if self.phase.is_serving()
            && !self.pending.claim
            && free > 0
            && self.pace.not_before(now).is_none()
        {
            self.claim(free, now);
        }
        if !self.pending.beat {
            self.beat(now);
        }
    }

    fn register(&mut self) {
        self.pending.register = true;
        let (server, sender) = (self.server.clone(), self.sender.clone());
        let (name, tasks) = (self.options.name.clone(), self.registration.clone());
        tokio::spawn(async move {
            let result = server.register(&name, &tasks).await;
            let _ = sender.send(Event::Registered(result));
        });
    }

    fn claim(&mut self, slots: usize, asked: Instant) {
        self.pending.claim = true;
        self.slots.reserve_for_wait(slots);
        let (server, sender) = (self.server.clone(), self.sender.clone());
        let ask = self.ask(slots, self.options.wait);
        let stop = self.stop_waiting.subscribe();
        tokio::spawn(async move {
            let result = server.claim(&ask, stop).await;
            let _ = sender.send(Event::Claimed { asked, result });
        });
    }

    fn flush(&mut self, asked: Instant) {
        let Some(batch) = self.outbox.next_batch() else {
            return;
        };
        // What the batch settles frees its slots in the same transaction, so they are claimed for. Its outcomes count
        // as unacknowledged only until the answer comes, which is also when the reserve ends.
        let serves = self.phase.is_serving() && self.registered && !batch.is_part();
        let left = self.outbox.len() - batch.len();
        let slots = if serves {
            self.slots.free(self.running.len(), left)
        } else {
            0
        };
        self.slots
            .reserve_for_flush(slots.saturating_sub(batch.len()));
        self.pending.flush = true;
        let (server, sender) = (self.server.clone(), self.sender.clone());
        let ask = self.ask(slots, Duration::ZERO);
        tokio::spawn(async move {
            let result = server.finish(&batch.to_json(), &ask).await;
            let _ = sender.send(Event::Flushed {
                asked,
                batch,
                result,
            });
        });
    }

    fn beat(&mut self, asked: Instant) {
        let keys = self.beats.take_due(asked);
        if keys.is_empty() {
            return;
        }
        self.pending.beat = true;
        let (server, sender) = (self.server.clone(), self.sender.clone());
        let lease = self.options.lease;
        let new = |key| self.running.get(key)?.progress.take_new();
        let progress: Vec<Option<String>> = keys.iter().map(new).collect();
        tokio::spawn(async move {
            let (ids, tokens): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
            let progress = progress.iter().any(Option::is_some).then_some(progress);
            let result = server
                .heartbeat(&ids, &tokens, lease, progress.as_deref())
                .await;
            let _ = sender.send(Event::Beaten {
                keys,
                with_progress: progress.is_some(),
                result,
            });
        });
    }

    fn ask(&self, max: usize, wait: Duration) -> Ask {
        Ask {
            worker: self.options.name.clone(),
            queues: self.queues.clone(),
            max,
            wait,
            lease: self.options.lease,
            relaxed: self.options.relaxed_claims,
        }
    }

    /// Returns when the loop has something to do even if it hears nothing.
    fn next_wake(&self, now: Instant) -> Option<Instant> {
        let silence = self.silent_until.filter(|until| *until > now);
        // During an outage, heartbeats and claims wait for its end.
        let calls = match silence {
            Some(until) => Some(until),
            None if self.pending.register => None,
            None => {
                let beat = self.beats.next().filter(|_| !self.pending.beat);
                [beat, self.pace.not_before(now)]
                    .into_iter()
                    .flatten()
                    .min()
            }
        };
        [calls, self.phase.until()].into_iter().flatten().min()
    }

    fn hear(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Registered(result) => {
                self.pending.register = false;
                match result {
                    Ok(()) => {
                        self.registered = true;
                        self.accepted = true;
                        self.answered();
                        (self.observer)(&WorkerEvent::Ready);
                    }
                    Err(error) => self.failed(error, now),
                }
            }
            Event::Claimed { asked, result } => {
                self.pending.claim = false;
                self.slots.wait_ended();
                match result {
                    Ok(claimed) if claimed.is_empty() => {
                        self.answered();
                        // The server ends a wait early when something that runs here was cancelled. What comes in the
                        // last fifth of a wait also ends the next one, so that no cancellation is taken for a wait's end.
                        if now - asked < self.options.wait.mul_f64(0.9) {
                            self.beats.hurry_all(now);
                        }
                        self.pace.came_empty(asked, now);
                    }
                    Ok(claimed) => {
                        self.answered();
                        self.pace.went_well();
                        self.start(claimed, now);
                    }
                    // Cut short on our own request.
                    Err(_) if !self.phase.is_serving() => {}
                    Err(error) => self.failed(error, now),
                }
            }
            Event::Flushed {
                asked,
                batch,
                result,
            } => {
                self.pending.flush = false;
                self.slots.flush_ended();
                match result {
                    Ok(claimed) => {
                        self.answered();
                        self.outbox.acknowledge(batch);
                        self.start(claimed, asked);
                    }
                    Err(error) if is_about_the_batch(&error) => {
                        if let Some((id, _)) = self.outbox.refuse(batch, &error.message) {
                            (self.observer)(&WorkerEvent::OutcomeDropped(id));
                        }
                    }
                    Err(error) if error.retryable() => {
                        self.outbox.put_back(batch);
                        self.failed(error, now);
                    }
                    Err(error) => {
                        self.outbox.set_aside(batch);
                        self.failed(error, now);
                    }
                }
            }
            Event::Beaten {
                keys,
                with_progress,
                result,
            } => {
                self.pending.beat = false;
                match result {
                    Ok(beats) => {
                        self.answered();
                        self.heard_beats(&keys, &beats, now);
                    }
                    Err(error) => {
                        // They are due again as soon as the server answers.
                        keys.iter().for_each(|key| self.beats.hurry(*key, now));
                        let sent = keys.iter().filter_map(|key| self.running.get(key));
                        if with_progress && is_about_the_batch(&error) {
                            sent.for_each(|running| running.progress.acknowledge());
                            (self.observer)(&WorkerEvent::ProgressDropped(error));
                        } else {
                            sent.for_each(|running| running.progress.put_back());
                            self.failed(error, now);
                        }
                    }
                }
            }
            Event::Ended(Ended { key, result }) => {
                let fate = match result {
                    Ok(result) => Fate::Completed(result),
                    Err(Unfinished::Failed(failure)) => Fate::Failed(failure),
                    Err(Unfinished::Snoozed(delay)) => Fate::Snoozed(delay),
                };
                self.settle(key, fate, now);
            }
            Event::BeatNow(key) => self.beats.hurry(key, now),
            Event::Progressed { key, at_once } => {
                let delay = if at_once { Duration::ZERO } else { SAVE_WITHIN };
                self.beats.within(key, delay, now);
            }
        }
    }

    /// Starts what was claimed; `since` is when its lease began at the earliest.
    fn start(&mut self, claimed: Vec<Claimed>, since: Instant) {
        for task in claimed {
            let key = (task.id, task.token);
            let handler = self.handlers_by_name.get(&task.name).cloned();
            match handler {
                // Came while we were leaving, or for a worker of the same name with other tasks.
                _ if !self.phase.is_serving() => self.outbox.push(key, &Fate::Released),
                None => self.outbox.push(key, &Fate::Released),
                Some(handler) => {
                    // With a heartbeat timeout only its handler's own heartbeats count, or one that hangs would never
                    // be noticed.
                    let automatic = task.heartbeat_timeout.is_none();
                    self.beats.add(key, since, automatic);
                    let (cancel, progress) = self.handlers.start(handler, task);
                    let running = Running {
                        cancel,
                        held: true,
                        progress,
                        ended: None,
                    };
                    self.running.insert(key, running);
                }
            }
        }
    }

    /// Hands in what came of a task, the first time that something does.
    fn settle(&mut self, key: Key, fate: Fate, now: Instant) {
        // Given back meanwhile, when it is not there.
        let Some(running) = self.running.get_mut(&key) else {
            return;
        };
        if running.ended.is_some() {
            return;
        }
        // The next attempt shall find how far this one has got, so that is saved before.
        if running.held && !matches!(fate, Fate::Completed(_)) && !running.progress.is_saved() {
            running.ended = Some(fate);
            self.beats.hurry(key, now);
            return;
        }
        if running.held {
            self.outbox.push(key, &fate);
        }
        self.forget(key);
    }

    fn forget(&mut self, key: Key) {
        self.beats.remove(key);
        self.running.remove(&key);
    }

    fn heard_beats(&mut self, keys: &[Key], beats: &[Heartbeat], now: Instant) {
        // The answer has the order of the question.
        for (key, beat) in keys.iter().zip(beats) {
            let Some(running) = self.running.get_mut(key) else {
                continue;
            };
            // Somebody else's transaction holds the task just now.
            let is_held_up = beat.saved == Some(false) && beat.status != HeartbeatStatus::Lost;
            if is_held_up {
                running.progress.put_back();
            } else {
                running.progress.acknowledge();
            }
            match beat.status {
                HeartbeatStatus::Ok => {}
                HeartbeatStatus::Cancel => {
                    running.cancel.send_replace(Some(Cancellation::Requested));
                }
                HeartbeatStatus::Lost => {
                    running.held = false;
                    running.cancel.send_replace(Some(Cancellation::LeaseLost));
                    self.beats.remove(*key);
                    (self.observer)(&WorkerEvent::LeaseLost(key.0));
                }
            }
            let held = running.held;
            if let Some(fate) = running
                .ended
                .take_if(|_| !held || running.progress.is_saved())
            {
                if held {
                    self.outbox.push(*key, &fate);
                }
                self.forget(*key);
            } else if is_held_up {
                self.beats.within(*key, SAVE_WITHIN, now);
            } else if running.ended.is_some() {
                self.beats.hurry(*key, now);
            }
        }
    }

    fn answered(&mut self) {
        self.backoff.succeeded();
        self.silent_until = None;
    }

    fn failed(&mut self, error: Error, now: Instant) {
        if !self.accepted && !error.retryable() {
            self.fatal = Some(error);
            return;
        }
        // Whether the server after the outage knows us is not known: it may have been restored from a backup.
        self.registered = false;
        // Several calls fail at once when a server goes; they are one outage.
        if self.silent_until.is_none_or(|until| until <= now) {
            let retry_in = self.backoff.failed();
            self.silent_until = Some(now + retry_in);
            (self.observer)(&WorkerEvent::Outage { error, retry_in });
        }
    }
}

/// Whether an error is the fault of what the batch holds, so that sending it again is of no use.
fn is_about_the_batch(error: &Error) -> bool {
    let Some(code) = error.code.as_deref() else {
        return false;
    };
    // Data that a type refuses, a JSON that is too deep or too large (54…), and arguments that Rhythm refuses.
    ["22", "54", "RH0", "RH9"]
        .iter()
        .any(|class| code.starts_with(class))
}
