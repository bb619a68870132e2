//! The compiled half of the Python package `rhythm`: translation between Python and the client and worker of
//! `rhythm-client` and the simulation of `rhythm-testing`, and nothing else. What is idiomatic is in `python/rhythm`.
//!
//! # Layout
//! - `client`: a method for each call; `call`: waiting for its answer, blocking or as a callback.
//! - `schedule`: the calls for schedules and calendars; `repair`: those that mend runs; `view`: the reads of views.
//! - `worker`: a worker whose handlers are Python's; `attempt`: what a handler is given.
//! - `simulation`: a run without a database.
//! - `error`: errors of the client as Python's exceptions; `runtime`: the threads behind it all.

use pyo3::prelude::*;

mod attempt;
mod call;
mod client;
mod error;
mod repair;
mod runtime;
mod schedule;
mod simulation;
mod view;
mod worker;

/// The compiled half of `rhythm`; use the package instead.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::attempt::Attempt;
    #[pymodule_export]
    use crate::call::{Call, Started};
    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::repair::Repairs;
    #[pymodule_export]
    use crate::schedule::Schedules;
    #[pymodule_export]
    use crate::simulation::{Simulation, duration, schema_fault};
    #[pymodule_export]
    use crate::view::Views;
    #[pymodule_export]
    use crate::worker::Worker;
}
