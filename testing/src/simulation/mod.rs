//! One run of a workflow, driven from outside.
//!
//! `step` runs until somebody is needed: an attempt of a task wants a handler, a query wants rows, or
//! nothing happens before a later moment. The driver answers, or moves the clock. Between, everything
//! is as on the server: effects of a step count only when it ends well, tasks are retried, delayed and
//! timed out as their options say, signals wait for whoever asks, values pass through `jsonb`.
//!
//! Knows nothing of who plays the tasks, and never moves the clock by itself.

mod agenda;
mod fan_out;
mod locks;
mod policy;
mod report;
mod setup;
mod signals;
mod step;
mod stored;
mod task;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use rhythm_flow::host::{HostError, Kind, PromiseId, Settlement};
use rhythm_flow::{ContextInfo, ExecutionError, Outcome, Start, Vm};

use crate::Workflow;
use agenda::{Agenda, Due};
use fan_out::FanOuts;
use locks::Locks;
pub use report::{Call, Ended, LogLine, Report, State};
pub use setup::Setup;
use signals::{Sent, Signals};
use step::StepHost;
pub(crate) use step::{fraction, uuid};
pub(crate) use stored::stored;
use task::Task;
pub use task::{Answer, Attempt, Failure};

/// SQL that a step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The text.
    pub text: String,
    /// The parameters, a JSON array.
    pub params: String,
}

/// The error of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlFailure {
    /// The words.
    pub message: String,
    /// The SQLSTATE.
    pub code: String,
}

/// What a run needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An attempt of a task begins, or a child workflow: give its outcome to `answer`, now or later.
    Attempt(Attempt),
    /// The step asks the database: give the rows to `answer_query`. It is asked again until then.
    Query(Query),
    /// Nothing happens before this moment (milliseconds since 1970), unless an attempt is answered or
    /// a signal sent. None: nothing at all.
    Wait(Option<f64>),
    /// The run has ended, and all that it started.
    Done,
}

/// A run.
#[derive(Debug)]
pub struct Simulation {
    workflow: Workflow,
    setup: Setup,
    now_ms: f64,
    seed: u64,
    start: Start,
    vm: Option<Vm>,
    save: Option<Vec<u8>>,
    steps: usize,
    loads: usize,
    agenda: Agenda,
    /// Settlements that no step has taken yet.
    inbox: VecDeque<(PromiseId, Settlement)>,
    begun: bool,
    cancel: Option<String>,
    is_cancelling: bool,
    tasks: Vec<Task>,
    fan_outs: FanOuts,
    locks: Locks,
    signals: Signals,
    /// Promises that the program has given up.
    given_up: HashSet<PromiseId>,
    /// Answers to the queries of the step that has been given up for the next one.
    answers: Vec<Result<String, HostError>>,
    question: Option<Query>,
    queries: Vec<Query>,
    ended: Option<Ended>,
    log: Vec<LogLine>,
    attributes: BTreeMap<String, String>,
    hits: Vec<u64>,
}

impl Simulation {
    /// A run that has not begun.
    ///
    /// # Errors
    /// When the inputs do not fit the type that the workflow declares: each with its path.
    pub fn new(workflow: &Workflow, setup: Setup) -> Result<Self, Vec<String>> {
        let inputs = stored(&setup.inputs);
        if let Some(declared) = workflow.program.input_type() {
            declared.check(&inputs).map_err(|wrong| {
                let told = wrong.into_iter();
                told.map(|one| format!("{}: {}", one.path, one.message))
                    .collect::<Vec<_>>()
            })?;
        }
        let mut seed = setup.seed;
        let context = ContextInfo {
            execution_id: uuid(&mut seed),
            workflow: workflow.name.clone(),
            version: 1,
            task_id: setup.task_id.clone(),
            started_at_ms: setup.now_ms,
            trace_id: None,
        };
        Ok(Self {
            now_ms: setup.now_ms,
            seed,
            start: Start { inputs, context },
            vm: None,
            save: None,
            steps: 0,
            loads: 0,
            agenda: Agenda::default(),
            inbox: VecDeque::new(),
            begun: false,
            cancel: None,
            is_cancelling: false,
            tasks: Vec::new(),
            fan_outs: FanOuts::default(),
            locks: Locks::default(),
            signals: Signals::default(),
            given_up: HashSet::new(),
            answers: Vec::new(),
            question: None,
            queries: Vec::new(),
            ended: None,
            log: Vec::new(),
            attributes: BTreeMap::new(),
            hits: vec![0; workflow.statements.len()],
            workflow: workflow.clone(),
            setup,
        })
    }

    /// The clock, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> f64 {
        self.now_ms
    }

    /// How long the run has taken by the clock.
    #[must_use]
    pub fn elapsed_ms(&self) -> f64 {
        self.now_ms - self.setup.now_ms
    }

    /// Moves the clock; never back.
    pub fn advance(&mut self, to_ms: f64) {
        self.now_ms = self.now_ms.max(to_ms);
    }

    /// A signal comes `after_ms` after the start of the run; with a key that has come before under this name, it does not.
    pub fn signal(
        &mut self,
        after_ms: f64,
        name: impl Into<String>,
        payload: &str,
        key: Option<String>,
    ) {
        let due = Due::Signal(Sent::signal(name.into(), payload, key));
        self.agenda.note(self.setup.now_ms + after_ms, due);
    }

    /// A request comes `after_ms` after the start of the run: a signal that the workflow can answer. The report has the
    /// replies, in the order of these calls.
    pub fn call(&mut self, after_ms: f64, name: impl Into<String>, payload: &str) {
        let due = Due::Signal(self.signals.request(name.into(), payload));
        self.agenda.note(self.setup.now_ms + after_ms, due);
    }

    /// The run is cancelled `after_ms` after its start.
    pub fn cancel(&mut self, after_ms: f64, reason: impl Into<String>) {
        let reason = reason.into();
        self.agenda
            .note(self.setup.now_ms + after_ms, Due::Cancel { reason });
    }

    /// How often each statement was come to, by number.
    #[must_use]
    pub fn hits(&self) -> &[u64] {
        &self.hits
    }

    /// How often the state was loaded from what was saved of it.
    #[must_use]
    pub fn loads(&self) -> usize {
        self.loads
    }

    /// Runs until somebody is needed.
    pub fn step(&mut self) -> Event {
        loop {
            if let Some(query) = &self.question {
                return Event::Query(query.clone());
            }
            let has_news = !self.begun || !self.inbox.is_empty() || self.cancel.is_some();
            if self.ended.is_none() && has_news {
                self.run_step();
                if self.inbox.is_empty() {
                    self.fill_fan_outs();
                }
                continue;
            }
            let until = self.setup.until_ms.map(|after| self.setup.now_ms + after);
            match self.agenda.first() {
                Some((_, due)) if !self.is_of_interest(due) => {
                    self.agenda.take();
                }
                Some((at, _)) if at <= self.now_ms => {
                    if let Some(attempt) = self.agenda.take().and_then(|due| self.happen(due)) {
                        return Event::Attempt(attempt);
                    }
                }
                Some((at, _)) if until.is_some_and(|until| at > until) => return Event::Done,
                Some((at, _)) => return Event::Wait(Some(at)),
                None if self.ended.is_some() && !self.tasks.iter().any(Task::is_running) => {
                    return Event::Done;
                }
                None => return Event::Wait(None),
            }
        }
    }

    /// Gives the rows of the query that `step` asked for, a JSON array, or its error.
    pub fn answer_query(&mut self, answer: Result<String, SqlFailure>) {
        if let Some(query) = self.question.take() {
            self.queries.push(query);
            self.answers.push(answer.map_err(|failure| HostError {
                name: "SqlError".into(),
                message: failure.message,
                code: Some(failure.code),
                ..HostError::default()
            }));
        }
    }

    /// Gives the outcome of an attempt, by the numbers of its task and of itself. False: nobody waits for it any more, since the task has timed
    /// out, or its lease has gone to another attempt.
    pub fn answer(&mut self, number: usize, attempt: u32, answer: Answer) -> bool {
        let now_ms = self.now_ms;
        let Some(task) = self.tasks.get_mut(number) else {
            return false;
        };
        let stays = self.ended.is_none() || !self.is_cancelling || task.survives_cancel();
        if !task.is_attempt(attempt) {
            return false;
        }
        match answer {
            Answer::Completed(value) => {
                let value = stored(&value);
                task.complete(value.clone());
                self.tell(number, &Settlement::Fulfilled(Some(value)));
            }
            Answer::Failed(failure) => match task.fail(failure, now_ms, stays) {
                Some(again_ms) => {
                    let next = Due::Attempt {
                        task: number,
                        attempt: attempt + 1,
                    };
                    self.agenda.note(again_ms, next);
                }
                None => self.tell_failure(number),
            },
            Answer::Snoozed(delay_ms) => match task.snooze(delay_ms, now_ms, stays) {
                Some(again_ms) => {
                    let task = number;
                    self.agenda.note(again_ms, Due::Attempt { task, attempt });
                }
                None => self.tell_failure(number),
            },
        }
        true
    }

    fn is_of_interest(&self, due: &Due) -> bool {
        match due {
            Due::Attempt { task, attempt } => self.tasks[*task].awaits_attempt(*attempt),
            Due::Silence { task, attempt } | Due::Overrun { task, attempt } => {
                self.tasks[*task].is_attempt(*attempt)
            }
            Due::Timeout { task } => !self.tasks[*task].is_over(),
            Due::SignalTimeout(promise) => {
                self.ended.is_none() && self.signals.is_awaited_by(*promise)
            }
            Due::LockTimeout(promise) => self.ended.is_none() && self.locks.awaits(*promise),
            Due::Timer(promise) => self.ended.is_none() && !self.given_up.contains(promise),
            Due::Signal(_) | Due::Cancel { .. } => self.ended.is_none(),
        }
    }

    /// An attempt was ended for its handler: the next one has a time, or there is none.
    fn go_on(&mut self, task: usize, attempt: u32, again_ms: Option<f64>) {
        match again_ms {
            Some(at_ms) => {
                let attempt = attempt + 1;
                self.agenda.note(at_ms, Due::Attempt { task, attempt });
            }
            None => self.tell_failure(task),
        }
    }

    /// Something is due; an attempt if a handler has to begin.
    fn happen(&mut self, due: Due) -> Option<Attempt> {
        match due {
            Due::Attempt { task, .. } => {
                let begun = self.tasks[task].begin(task);
                if let Some(most) = self.tasks[task].policy.attempt_ms {
                    let attempt = begun.number;
                    let overrun = Due::Overrun { task, attempt };
                    self.agenda.note(self.now_ms + most, overrun);
                }
                if let Some(beat) = self.tasks[task].policy.heartbeat_ms {
                    let attempt = begun.number;
                    let silence = Due::Silence { task, attempt };
                    self.agenda.note(self.now_ms + beat, silence);
                }
                return Some(begun);
            }
            Due::Silence { task, attempt } => {
                let again = self.tasks[task].fall_silent(self.now_ms);
                self.go_on(task, attempt, again);
            }
            Due::Overrun { task, attempt } => {
                let again = self.tasks[task].overrun(self.now_ms);
                self.go_on(task, attempt, again);
            }
            Due::Timeout { task } => {
                self.tasks[task].time_out();
                self.tell_failure(task);
            }
            Due::Timer(promise) => {
                let fired = (promise, Settlement::Fulfilled(None));
                self.inbox.push_back(fired);
            }
            Due::SignalTimeout(promise) => {
                if let Some(wait) = self.signals.give_up(promise) {
                    let error = HostError {
                        name: "TimeoutError".into(),
                        message: format!("no signal '{}' came in time", wait.name),
                        ..HostError::default()
                    };
                    self.inbox.push_back((promise, Settlement::Rejected(error)));
                }
            }
            Due::LockTimeout(promise) => self.inbox.extend(self.locks.time_out(promise)),
            Due::Signal(sent) => {
                self.signals.come(sent);
                self.match_signals();
            }
            Due::Cancel { reason } => self.cancel = Some(reason),
        }
        None
    }

    fn match_signals(&mut self) {
        let matched = self.signals.matches().into_iter();
        self.inbox
            .extend(matched.map(|(promise, value)| (promise, Settlement::Fulfilled(Some(value)))));
    }

    fn tell(&mut self, task: usize, settlement: &Settlement) {
        let promises = self.tasks[task].promises.iter();
        let told = promises.map(|promise| (*promise, settlement.clone()));
        self.inbox.extend(told);
        // It has a promise of its own and no key, so nobody else's.
        if let Some(promise) = self.tasks[task].promises.first() {
            self.fan_outs.ended(*promise);
        }
    }

    fn tell_failure(&mut self, task: usize) {
        let error = self.tasks[task].task_error();
        self.tell(task, &Settlement::Rejected(error));
    }

    fn prepare(&mut self) -> Result<Vm, String> {
        if let Some(vm) = self.vm.take() {
            return Ok(vm);
        }
        let program = Arc::clone(&self.workflow.program);
        let limits = self.setup.limits.clone();
        match &self.save {
            Some(save) => {
                self.loads += 1;
                Vm::load(program, save, limits).map_err(|fault| fault.to_string())
            }
            None => Ok(Vm::start(program, self.start.clone(), limits)),
        }
    }

    fn run_step(&mut self) {
        let mut vm = match self.prepare() {
            Ok(vm) => vm,
            Err(message) => return self.end(Ended::broken(&message)),
        };
        // One event a step: the state between any two of them is saved and loaded.
        if let Some((promise, settlement)) = self.inbox.front().filter(|_| self.begun) {
            vm.settle(*promise, settlement.clone());
        } else if let Some(reason) = self.cancel.as_ref().filter(|_| self.begun) {
            vm.cancel(reason);
        }
        let mut host = StepHost::new(self.now_ms, self.seed, &self.answers, &self.attributes);
        let outcome = vm.run(&mut host);
        if let (Outcome::Abandoned, Some(query)) = (&outcome, host.question.take()) {
            self.question = Some(query);
            return;
        }
        let (effects, seed) = (host.effects, host.seed);
        self.seed = seed;
        self.answers.clear();
        self.steps += 1;
        if self.begun && self.inbox.pop_front().is_none() && self.cancel.take().is_some() {
            self.is_cancelling = true;
        }
        self.begun = true;
        for statement in effects.statements {
            if let Some(hits) = self.hits.get_mut(statement as usize) {
                *hits += 1;
            }
        }
        for (level, message) in effects.log {
            let at_ms = self.now_ms - self.setup.now_ms;
            self.log.push(LogLine {
                at_ms,
                level,
                message,
            });
        }
        let ended = match outcome {
            Outcome::Suspended => match vm.save() {
                Ok(save) => {
                    self.save = Some(save);
                    self.vm = (!self.setup.durable).then_some(vm);
                    None
                }
                Err(error) => Some(Ended::failed(error)),
            },
            Outcome::Completed(result) => Some(Ended::completed(stored(&result))),
            Outcome::Failed(error) => Some(Ended::failed(error)),
            Outcome::Abandoned => Some(Ended::broken("a step was given up")),
        };
        // What a failed step wanted does not happen, unless the run was cancelled and cleaned up.
        let cleaned_up =
            |error: &ExecutionError| self.is_cancelling && error.name == "CancelledError";
        if ended
            .as_ref()
            .and_then(|ended| ended.error.as_ref())
            .is_none_or(cleaned_up)
        {
            for (key, value) in effects.attributes {
                self.attributes.insert(key, stored(&value));
            }
            for (promise, due_ms) in effects.timers {
                self.agenda.note(due_ms, Due::Timer(promise));
            }
            for (promise, wait) in effects.waits {
                if let Some(due_ms) = wait.due_ms {
                    self.agenda.note(due_ms, Due::SignalTimeout(promise));
                }
                self.signals.wait(promise, wait);
            }
            self.fan_outs.begin(effects.fan_outs);
            for (promise, call) in effects.tasks {
                if let Some(call) = self.fan_outs.hold(promise, call) {
                    self.start_task(promise, call);
                }
            }
            self.fan_outs.end(&effects.ended_fan_outs);
            self.apply_locks(&effects.releases, effects.locks);
            for (request, value) in effects.replies {
                self.signals.reply(&request, &value);
            }
            for (promise, reason) in effects.cancels {
                self.give_up(promise, &reason);
            }
            self.match_signals();
        }
        match ended {
            Some(ended) => self.end(ended),
            None if self.steps >= self.setup.most_steps => {
                let message = format!(
                    "The run took {} steps and did not end. Give `until` to look at it earlier.",
                    self.steps
                );
                self.end(Ended::failed(ExecutionError {
                    name: "LimitError".into(),
                    message,
                    ..ExecutionError::default()
                }));
            }
            None => {}
        }
    }

    /// Starts what has its turn: behind each step, as one that fails ends its fan-out.
    fn fill_fan_outs(&mut self) {
        while let Some((promise, call)) = self.fan_outs.next() {
            self.start_task(promise, call);
        }
    }

    fn start_task(&mut self, promise: PromiseId, call: rhythm_flow::host::TaskCall) {
        let defaults = match call.kind {
            Kind::Task => self.setup.defaults.get(&call.name).map(String::as_str),
            Kind::Workflow => None,
        };
        let task = Task::new(promise, call, defaults, self.now_ms);
        // The key of a task that is alive or completed stands for that task.
        if let Some(holder) = self
            .tasks
            .iter_mut()
            .find(|other| other.holds_key_of(&task))
        {
            holder.promises.push(promise);
            if let Some(settlement) = holder.settlement() {
                self.inbox.push_back((promise, settlement));
            }
            return;
        }
        let number = self.tasks.len();
        let begins_ms = task.policy.begins_ms;
        let first = Due::Attempt {
            task: number,
            attempt: 1,
        };
        self.agenda.note(begins_ms, first);
        if let Some(timeout) = task.policy.timeout_ms {
            let late = Due::Timeout { task: number };
            self.agenda.note(begins_ms + timeout, late);
        }
        self.tasks.push(task);
    }

    /// The program has given up a promise, which is settled already.
    fn give_up(&mut self, promise: PromiseId, reason: &str) {
        self.given_up.insert(promise);
        self.signals.give_up(promise);
        self.inbox.extend(self.locks.take_back(promise));
        for number in 0..self.tasks.len() {
            if self.tasks[number].give_up(promise, reason) {
                self.tell_failure(number);
            }
        }
    }

    fn end(&mut self, mut ended: Ended) {
        if self.is_cancelling {
            ended.cancelled();
        }
        for task in &mut self.tasks {
            task.parent_ended(self.is_cancelling);
        }
        ended.at_ms = self.now_ms - self.setup.now_ms;
        self.inbox.clear();
        self.fan_outs.clear();
        self.ended = Some(ended);
    }

    /// What came of it so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let start_ms = self.setup.now_ms;
        let elapsed_ms = self.now_ms - start_ms;
        Report::new(
            self.ended.as_ref(),
            elapsed_ms,
            self.tasks.iter().map(|task| task.call(start_ms)).collect(),
            &self.log,
            &self.attributes,
            &self.queries,
            self.signals.replies(),
        )
    }
}
