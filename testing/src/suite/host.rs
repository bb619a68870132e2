//! One pass over a test file: the host of its program, and the clock that it shares with its runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhythm_flow::host::{
    CallError, Host, HostError, Interrupt, Kind, PromiseId, Settlement, SignalWait, TaskCall,
};
use rhythm_flow::{ExecutionError, Outcome, Start, Vm};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::problem::Problem;
use super::protocol::{
    AnswerTask, AttemptId, Begin, End, Facts, Has, Next, Rows, SendSignal, StartRun, Stop, Thrown,
    attempt_event, query_event,
};
use super::{FileResult, Library, Options, Status, TestFile, TestResult};
use crate::Workflow;
use crate::coverage::FileCoverage;
use crate::simulation::{Answer, Event, Failure, Setup, Simulation, SqlFailure, fraction, uuid};
use rhythm_flow::builtins::duration;
use rhythm_flow::value::date;

/// What the program of the test file sees of the world.
#[derive(Debug, Default)]
struct FileHost {
    now_ms: f64,
    seed: u64,
    calls: Vec<(PromiseId, TaskCall)>,
    timers: BTreeMap<PromiseId, f64>,
    /// What was written since the program was last let run.
    log: Vec<String>,
}

fn not_here(what: &str, instead: &str) -> HostError {
    HostError {
        name: "TypeError".into(),
        message: format!("A test file has no {what} of its own: {instead}."),
        ..HostError::default()
    }
}

impl Host for FileHost {
    fn now_ms(&mut self) -> f64 {
        self.now_ms
    }

    fn random(&mut self) -> f64 {
        fraction(&mut self.seed)
    }

    fn uuid(&mut self) -> String {
        uuid(&mut self.seed)
    }

    fn start_task(&mut self, promise: PromiseId, call: TaskCall) -> Result<(), HostError> {
        if call.kind == Kind::Workflow {
            return Err(not_here(
                "child workflows",
                "run a workflow with runWorkflow",
            ));
        }
        if !call.name.starts_with('$') {
            return Err(not_here("tasks", "run a workflow with runWorkflow"));
        }
        self.calls.push((promise, call));
        Ok(())
    }

    fn start_timer(&mut self, promise: PromiseId, due_ms: f64) -> Result<(), HostError> {
        self.timers.insert(promise, due_ms);
        Ok(())
    }

    fn next_signal(&mut self, _promise: PromiseId, _wait: SignalWait) -> Result<(), HostError> {
        Err(not_here("signals", "give them to runWorkflow"))
    }

    fn reply(&mut self, _request: &str, _value: &str) -> Result<(), HostError> {
        Err(not_here("requests", "give signals to runWorkflow"))
    }

    fn cancel(&mut self, promise: PromiseId, _reason: &str) -> Result<(), HostError> {
        self.calls.retain(|(call, _)| *call != promise);
        self.timers.remove(&promise);
        Ok(())
    }

    fn await_all(&mut self, _group: u32, _promises: &[PromiseId]) {}

    fn sql_query(&mut self, _text: &str, _params: &str) -> Result<String, CallError> {
        let error = not_here("database", "give rows to runWorkflow as sql");
        Err(CallError::Throw(error))
    }

    fn sql_exec(&mut self, text: &str, params: &str) -> Result<u64, CallError> {
        self.sql_query(text, params).map(|_| 0)
    }

    fn set_attribute(&mut self, _key: &str, _value: &str) -> Result<(), HostError> {
        Err(not_here("Context", "look at the attributes of a run"))
    }

    fn log(&mut self, level: &'static str, message: &str) {
        self.log.push(match level {
            "log" => message.to_owned(),
            _ => format!("{level}: {message}"),
        });
    }

    fn tick(&mut self) -> Result<(), Interrupt> {
        Ok(())
    }
}

/// A run that the file has started.
struct Run {
    workflow: Arc<Workflow>,
    simulation: Simulation,
    /// Its clock minus the file's.
    offset_ms: f64,
    /// The `$next` that waits.
    next: Option<PromiseId>,
    /// What `$stop` said, for the next `$next`.
    stop: Option<String>,
    is_over: bool,
    /// Whether a run of this file has started it; it ends by itself, or with the test.
    is_child: bool,
}

/// One pass over the tests of a file.
pub(super) struct Pass<'a> {
    file: &'a TestFile,
    library: &'a mut dyn Library,
    options: &'a Options,
    durable: bool,
    result: FileResult,
    planned: bool,
    /// Tests below this number were run before the program had to be started anew.
    done: usize,
    current: Option<(usize, Instant)>,
    /// The runs of the current test, by number.
    runs: BTreeMap<usize, Run>,
    next_run: usize,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        file: &'a TestFile,
        library: &'a mut dyn Library,
        options: &'a Options,
        durable: bool,
    ) -> Self {
        Self {
            file,
            library,
            options,
            durable,
            result: FileResult::default(),
            planned: false,
            done: 0,
            current: None,
            runs: BTreeMap::new(),
            next_run: 0,
        }
    }

    /// Runs all tests. One that takes the whole program down, by a loop without an end for one, fails;
    /// the program is started anew for the others.
    pub(super) fn run(mut self) -> FileResult {
        while let Err(error) = self.run_program() {
            let thrown = Thrown {
                name: error.name,
                message: error.message,
                stack: error.stack,
                code: error.code,
                ..Thrown::default()
            };
            let problem = Problem::new(&thrown, &self.file.source);
            let Some((test, _)) = self.current else {
                self.result.problems.push(problem);
                break;
            };
            self.end_test(test, vec![problem]);
            self.done = test + 1;
        }
        self.forget_runs();
        self.result
    }

    fn run_program(&mut self) -> Result<(), Box<ExecutionError>> {
        let setup = Setup::default();
        let start = Start {
            inputs: "null".into(),
            ..Start::default()
        };
        let mut vm = Vm::start(Arc::clone(&self.file.program), start, setup.limits);
        let mut host = FileHost {
            now_ms: setup.now_ms,
            ..FileHost::default()
        };
        loop {
            let outcome = vm.run(&mut host);
            self.keep_log(&mut host);
            match outcome {
                Outcome::Completed(_) => return Ok(()),
                Outcome::Failed(error) => return Err(Box::new(error)),
                Outcome::Suspended => {}
                Outcome::Abandoned => return Err(Box::default()),
            }
            let mut has_news = false;
            for (promise, call) in std::mem::take(&mut host.calls) {
                let settlement = match self.answer(promise, &call, host.now_ms) {
                    Ok(Some(text)) => Settlement::Fulfilled(Some(text)),
                    Ok(None) => continue,
                    Err(message) => Settlement::Rejected(HostError {
                        name: "TypeError".into(),
                        message,
                        ..HostError::default()
                    }),
                };
                vm.settle(promise, settlement);
                has_news = true;
            }
            // What was answered may lead to more at this same moment.
            if !has_news && !self.answer_waiting(&mut vm) {
                self.move_clock(&mut vm, &mut host);
            }
        }
    }

    /// Adds what the file has written to the test that runs, or to the file.
    fn keep_log(&mut self, host: &mut FileHost) {
        let test = self.current.map(|(test, _)| test);
        let log = match test.and_then(|test| self.result.tests.get_mut(test)) {
            Some(test) => &mut test.log,
            None => &mut self.result.log,
        };
        log.append(&mut host.log);
    }

    /// Moves the clock to what is due next, of the runs and of the file itself.
    fn move_clock(&mut self, vm: &mut Vm, host: &mut FileHost) {
        let of_runs = self.runs.values_mut().filter(|run| run.next.is_some());
        let due = of_runs.filter_map(|run| match run.simulation.step() {
            Event::Wait(Some(at)) => Some(at - run.offset_ms),
            _ => None,
        });
        let first = due.chain(host.timers.values().copied());
        match first.min_by(f64::total_cmp) {
            Some(at) => {
                host.now_ms = host.now_ms.max(at);
                for run in self.runs.values_mut() {
                    run.simulation.advance(host.now_ms + run.offset_ms);
                }
                let now_ms = host.now_ms;
                let fired: Vec<PromiseId> = host
                    .timers
                    .iter()
                    .filter(|(_, due)| **due <= now_ms)
                    .map(|(promise, _)| *promise)
                    .collect();
                for promise in fired {
                    host.timers.remove(&promise);
                    vm.settle(promise, Settlement::Fulfilled(None));
                }
            }
            // Nothing will ever happen: the runs are looked at as they stand.
            None => {
                for run in self.runs.values_mut() {
                    if let Some(promise) = run.next.take() {
                        run.is_over = true;
                        vm.settle(promise, Settlement::Fulfilled(Some(end_event(run))));
                    }
                }
            }
        }
    }

    /// Answers the `$next` of runs for which there is something at this moment. True: there was.
    fn answer_waiting(&mut self, vm: &mut Vm) -> bool {
        let mut any = false;
        for run in self.runs.values_mut() {
            let Some(promise) = run.next else {
                continue;
            };
            let text = match run.stop.take() {
                Some(stop) => {
                    run.is_over = true;
                    stop
                }
                None => match run.simulation.step() {
                    Event::Attempt(attempt) => attempt_event(&attempt),
                    Event::Query(query) => query_event(&query),
                    Event::Wait(_) => continue,
                    Event::Done => {
                        run.is_over = true;
                        end_event(run)
                    }
                },
            };
            run.next = None;
            any = true;
            vm.settle(promise, Settlement::Fulfilled(Some(text)));
        }
        any
    }

    /// Answers one call of the harness; `None`: later, or never if its run belonged to a test that has ended.
    fn answer(
        &mut self,
        promise: PromiseId,
        call: &TaskCall,
        now_ms: f64,
    ) -> Result<Option<String>, String> {
        let text = &call.inputs;
        let nothing = Some("null".to_owned());
        match call.name.as_str() {
            "$plan" => Ok(Some(self.plan(read(text)?))),
            "$broken" => {
                let thrown: Thrown = read(text)?;
                let problem = Problem::new(&thrown, &self.file.source);
                self.result.problems.push(problem);
                Ok(nothing)
            }
            "$begin" => {
                let begin: Begin = read(text)?;
                self.current = Some((begin.test, Instant::now()));
                Ok(nothing)
            }
            "$end" => {
                let end: End = read(text)?;
                let problems = end.errors.iter();
                let problems = problems.map(|thrown| Problem::new(thrown, &self.file.source));
                self.end_test(end.test, problems.collect());
                Ok(nothing)
            }
            "$start" => {
                let start: StartRun = read(text).map_err(|error| {
                    format!("The options of runWorkflow are not as they should be: {error}.")
                })?;
                let number = self.next_run;
                let run = self.start(start, now_ms)?;
                self.runs.insert(number, run);
                self.next_run += 1;
                Ok(Some(json!({"run": number}).to_string()))
            }
            "$has" => {
                let asked: Has = read(text)?;
                let found = self.library.workflow(&asked.workflow);
                Ok(Some(json!({"missing": found.err()}).to_string()))
            }
            "$next" => {
                let next: Next = read(text)?;
                if let Some(run) = self.runs.get_mut(&next.run) {
                    run.next = Some(promise);
                }
                Ok(None)
            }
            "$stop" => {
                let stop: Stop = read(text)?;
                let Some(run) = self.runs.get_mut(&stop.run) else {
                    return Ok(None);
                };
                run.stop = Some(text.clone());
                Ok(nothing)
            }
            "$answer" => {
                let answer: AnswerTask = read(text)?;
                let Some(run) = self.runs.get_mut(&answer.run) else {
                    return Ok(None);
                };
                let outcome = match (answer.error, answer.value) {
                    (Some(thrown), _) => {
                        let is_final = answer.retryable == Some(false);
                        Answer::Failed(failure(thrown, is_final))
                    }
                    (None, value) => {
                        Answer::Completed(value.map_or("null".into(), |value| value.get().into()))
                    }
                };
                let AttemptId { task, number } = answer.attempt;
                let taken = run.simulation.answer(task, number, outcome);
                Ok(Some(taken.to_string()))
            }
            "$rows" => {
                let rows: Rows = read(text)?;
                let answer = match rows.error {
                    Some(thrown) => Err(SqlFailure {
                        message: thrown.message,
                        code: thrown.code.unwrap_or("XX000".into()),
                    }),
                    None => Ok(rows.rows.map_or("[]".into(), |rows| rows.get().into())),
                };
                let Some(run) = self.runs.get_mut(&rows.run) else {
                    return Ok(None);
                };
                run.simulation.answer_query(answer);
                Ok(nothing)
            }
            "$signal" => {
                let signal: SendSignal = read(text)?;
                let Some(run) = self.runs.get_mut(&signal.run) else {
                    return Ok(None);
                };
                let after_ms = run.simulation.elapsed_ms();
                run.simulation
                    .signal(after_ms, signal.name, signal.payload.get(), signal.key);
                Ok(nothing)
            }
            name => Err(format!("The harness has no call {name}.")),
        }
    }

    /// Notes the tests of the file; says which of them are to be run.
    fn plan(&mut self, tests: Vec<Facts>) -> String {
        let has_only = tests.iter().any(|test| test.only);
        let mut wanted = Vec::new();
        for (number, test) in tests.into_iter().enumerate() {
            let result = TestResult {
                line: Problem::new(
                    &Thrown {
                        stack: Some(test.stack),
                        ..Thrown::default()
                    },
                    &self.file.source,
                )
                .frames
                .first()
                .map_or(0, |frame| frame.line),
                path: test.path,
                status: if test.todo {
                    Status::Todo
                } else {
                    Status::Skipped
                },
                problems: Vec::new(),
                log: Vec::new(),
                only_durable: false,
                time: Duration::ZERO,
            };
            let filter = self.options.filter.as_deref();
            let fits = filter.is_none_or(|part| result.name().contains(part));
            let is_asked = !test.skip && !test.todo && (test.only || !has_only) && fits;
            wanted.push(is_asked && number >= self.done);
            if !self.planned {
                self.result.tests.push(result);
            }
        }
        self.planned = true;
        json!(wanted).to_string()
    }

    fn end_test(&mut self, number: usize, mut problems: Vec<Problem>) {
        let time = self.current.take().map(|(_, start)| start.elapsed());
        if problems.is_empty()
            && let Some(run) = self.runs.values().find(|run| !run.is_over && !run.is_child)
        {
            let message = format!(
                "the test has ended, and its run of {} has not: write `await` in front of runWorkflow",
                run.workflow.name()
            );
            problems.push(Problem::of("Error", message));
        }
        // A run that failed is likely to be the reason.
        if let Some(first) = problems.first_mut() {
            for run in self.runs.values() {
                first.add_failed_run(run.workflow.name(), &run.simulation.report());
            }
        }
        if let Some(test) = self.result.tests.get_mut(number) {
            test.status = if problems.is_empty() {
                Status::Passed
            } else {
                Status::Failed
            };
            test.problems = problems;
            test.time = time.unwrap_or_default();
        }
        self.forget_runs();
    }

    /// Ends the runs, and keeps which statements they came to.
    fn forget_runs(&mut self) {
        for run in std::mem::take(&mut self.runs).into_values() {
            self.result.loads += run.simulation.loads();
            if run.simulation.hits().is_empty() {
                continue;
            }
            let file = run.workflow.file().to_owned();
            self.result
                .coverage
                .entry(file)
                .or_insert_with(|| FileCoverage::untouched(&run.workflow))
                .add(&run.workflow, run.simulation.hits());
        }
    }

    fn start(&mut self, start: StartRun, now_ms: f64) -> Result<Run, String> {
        let workflow = self.library.workflow(&start.workflow)?;
        let start_ms = match &start.now {
            None | Some(Value::Null) => now_ms,
            Some(now) => moment(now)?,
        };
        let until_ms = match &start.until {
            None | Some(Value::Null) => None,
            Some(until) => Some(milliseconds("until", until)?),
        };
        let setup = Setup {
            inputs: start.inputs.get().to_owned(),
            task_id: start.task_id,
            now_ms: start_ms,
            seed: start.seed,
            durable: self.durable,
            until_ms,
            ..Setup::default()
        };
        let mut simulation = Simulation::new(&workflow, setup).map_err(|wrong| {
            let name = workflow.name();
            format!("The inputs do not fit {name}: {}.", wrong.join("; "))
        })?;
        for signal in start.signals {
            let at = milliseconds("at of a signal", &signal.at)?;
            let payload = signal.payload.as_ref().map_or("null", |json| json.get());
            if signal.request {
                simulation.call(at, signal.name, payload);
            } else {
                simulation.signal(at, signal.name, payload, signal.key);
            }
        }
        if let Some(cancel) = start.cancel {
            let at = milliseconds("at of cancel", &cancel.at)?;
            simulation.cancel(at, cancel.reason);
        }
        Ok(Run {
            workflow,
            simulation,
            offset_ms: start_ms - now_ms,
            next: None,
            stop: None,
            is_over: false,
            is_child: start.is_child,
        })
    }
}

/// Reads what the harness has written.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn end_event(run: &Run) -> String {
    let report = run.simulation.report().json();
    format!("{{\"kind\":\"end\",\"report\":{report}}}")
}

fn failure(thrown: Thrown, is_final: bool) -> Failure {
    let cause = thrown.cause.map(|cause| {
        let cause = json!({"name": cause.name, "message": cause.message});
        cause.to_string()
    });
    Failure {
        name: thrown.name,
        message: thrown.message,
        code: thrown.code,
        stack: thrown.stack,
        cause,
        data: thrown.data.map(|data| data.get().to_owned()),
        is_final,
        retry_in_ms: None,
    }
}

/// A duration as programs write it: seconds, or text such as `"1h30m"`. Nothing is none.
fn milliseconds(what: &str, value: &Value) -> Result<f64, String> {
    let ms = match value {
        Value::Null => Some(0.0),
        Value::Number(seconds) => seconds.as_f64().map(|seconds| seconds * 1000.0),
        Value::String(text) => duration::parse(text),
        _ => None,
    };
    ms.filter(|ms| *ms >= 0.0).ok_or_else(|| {
        format!("{what} is {value}, which is no duration: write seconds as a number, or \"15m\".")
    })
}

fn moment(value: &Value) -> Result<f64, String> {
    let ms = match value {
        Value::Number(ms) => ms.as_f64(),
        Value::String(text) => date::parse(text),
        _ => None,
    };
    ms.filter(|ms| (0.0..8.64e15).contains(ms)).ok_or_else(|| {
        format!("now is {value}, which is no point in time: write \"2026-01-31T12:00:00Z\".")
    })
}
