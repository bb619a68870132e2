//! Runs workflows without a server: in the VM of production, with tasks, signals and SQL played by
//! somebody else and a clock that jumps. Knows the language only; no files, no terminal, no network.
//!
//! # Layout
//! - `workflow`: a source as a workflow to run
//! - `simulation`: one run of it, driven from outside: attempts of tasks and queries are asked for,
//!   the clock moves when it is told to. `rhythm test` and Python's `rhythm.testing` drive it
//! - `suite`: test files, which are Flow programs within a harness; `kit/`: that harness, in Flow
//! - `coverage`: which lines ran

#![forbid(unsafe_code)]

pub mod coverage;
pub mod simulation;
pub mod suite;
mod workflow;

pub use rhythm_flow::builtins::duration::parse as duration_ms;
pub use rhythm_flow::schema::Schema;
pub use workflow::{Refused, Workflow};
