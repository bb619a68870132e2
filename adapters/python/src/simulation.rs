//! A run without a database, as Python's half drives it: text and numbers in, text and numbers out.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rhythm_testing::Workflow;
use rhythm_testing::simulation::{self as simulated, Answer, Event, Failure, Setup, SqlFailure};

/// What a run needs next: its kind, and what belongs to that.
#[derive(IntoPyObject)]
enum Next {
    Attempt((&'static str, usize, u32, String, String)),
    Query((&'static str, String, String)),
    Wait((&'static str, Option<f64>)),
    Done((&'static str,)),
}

/// A run of a workflow whose tasks and queries Python plays, and whose clock Python moves.
// Its values are shared within one thread.
#[pyclass(unsendable, module = "rhythm._native")]
pub(crate) struct Simulation(simulated::Simulation);

#[pymethods]
impl Simulation {
    #[new]
    #[allow(clippy::too_many_arguments, reason = "a run begins with these")]
    fn new(
        name: String,
        file: String,
        source: String,
        inputs: String,
        task_id: Option<String>,
        now: Option<f64>,
        seed: u64,
        durable: bool,
        until: Option<f64>,
        defaults: BTreeMap<String, String>,
    ) -> PyResult<Self> {
        let workflow = Workflow::compile(name, file, source, false).map_err(|refused| {
            PyValueError::new_err(format!("the workflow has errors\n{refused}"))
        })?;
        let usual = Setup::default();
        let setup = Setup {
            inputs,
            task_id,
            now_ms: now.map_or(usual.now_ms, |seconds| seconds * 1000.0),
            seed,
            durable,
            until_ms: until.map(|seconds| seconds * 1000.0),
            defaults,
            ..usual
        };
        simulated::Simulation::new(&workflow, setup)
            .map(Self)
            .map_err(|wrong| {
                let name = workflow.name();
                let wrong = wrong.join("\n");
                PyValueError::new_err(format!("the inputs do not fit {name}\n{wrong}"))
            })
    }

    /// `("attempt", task, number, name, inputs)`, `("query", text, params)`, `("wait", until)` or `("done",)`.
    fn step(&mut self) -> Next {
        match self.0.step() {
            Event::Attempt(one) => {
                Next::Attempt(("attempt", one.task, one.number, one.name, one.inputs))
            }
            Event::Query(query) => Next::Query(("query", query.text, query.params)),
            Event::Wait(until_ms) => Next::Wait(("wait", until_ms.map(|ms| ms / 1000.0))),
            Event::Done => Next::Done(("done",)),
        }
    }

    /// The clock, in seconds since 1970.
    #[getter]
    fn now(&self) -> f64 {
        self.0.now_ms() / 1000.0
    }

    /// How often the state was loaded from what was saved of it.
    #[getter]
    fn loads(&self) -> usize {
        self.0.loads()
    }

    fn advance(&mut self, to: f64) {
        self.0.advance(to * 1000.0);
    }

    fn signal(&mut self, after: f64, name: String, payload: &str, key: Option<String>) {
        self.0.signal(after * 1000.0, name, payload, key);
    }

    /// A signal that the workflow can answer.
    fn call(&mut self, after: f64, name: String, payload: &str) {
        self.0.call(after * 1000.0, name, payload);
    }

    fn cancel(&mut self, after: f64, reason: String) {
        self.0.cancel(after * 1000.0, reason);
    }

    fn complete(&mut self, task: usize, number: u32, result: String) -> bool {
        self.0.answer(task, number, Answer::Completed(result))
    }

    #[allow(clippy::too_many_arguments, reason = "an error has these parts")]
    fn fail(
        &mut self,
        task: usize,
        number: u32,
        name: String,
        message: String,
        code: Option<String>,
        stack: Option<String>,
        cause: Option<String>,
        data: Option<String>,
        retryable: bool,
        retry_in: Option<f64>,
    ) -> bool {
        let failure = Failure {
            name,
            message,
            code,
            stack,
            cause,
            data,
            is_final: !retryable,
            retry_in_ms: retry_in.map(|seconds| seconds * 1000.0),
        };
        self.0.answer(task, number, Answer::Failed(failure))
    }

    fn snooze(&mut self, task: usize, number: u32, delay: f64) -> bool {
        let answer = Answer::Snoozed(delay * 1000.0);
        self.0.answer(task, number, answer)
    }

    fn rows(&mut self, rows: String) {
        self.0.answer_query(Ok(rows));
    }

    fn sql_error(&mut self, message: String, code: String) {
        self.0.answer_query(Err(SqlFailure { message, code }));
    }

    /// What came of it so far, as JSON.
    fn report(&self) -> String {
        self.0.report().json()
    }
}

/// The seconds of a duration as Flow writes it: `1h30m`.
#[pyfunction]
pub(crate) fn duration(text: &str) -> PyResult<f64> {
    let wrong = || {
        PyValueError::new_err(format!(
            "{text:?} is no duration: write \"90s\" or \"1h30m\""
        ))
    };
    Ok(rhythm_testing::duration_ms(text).ok_or_else(wrong)? / 1000.0)
}

/// Says what is wrong with a JSON Schema, as a server would that is asked to register it.
#[pyfunction]
pub(crate) fn schema_fault(schema: &str) -> Option<String> {
    let read = rhythm_testing::Schema::read(schema);
    read.err().map(|error| error.to_string())
}
