//! Rhythm's client: every public SQL function as a method, and the worker that runs tasks.
//!
//! It knows functions and views of the schema `rhythm`, and no table; it never decides what a
//! state change is.
//!
//! # Layout
//! - `client`: one method for each SQL function, same names; `messages` has those about signals, requests and published values,
//!   `queue` those about settings and pauses, `trouble` those about failures and what does not move, `insight` those about what went
//!   on in a run, `limits` those about limits of runs, `repair` those that mend runs and look after versions. `views`: reads of the views.
//! - `schedules`: both for schedules and calendars.
//! - `rows`: what they answer with. `time`: points in time as text.
//! - `error`: kinds of errors by SQLSTATE. `notice`: what the server says beside its answers.
//! - `worker`: claims tasks, runs their handlers, hands in what came of it.
//! - `config`: connection strings and environment as libpq reads them. `tls`, `connect`: sessions.
//! - `backoff`: how long to leave a silent server alone.

mod backoff;
mod client;
mod config;
mod connect;
mod error;
mod insight;
mod limits;
mod messages;
mod notice;
mod queue;
mod repair;
mod rows;
mod runs;
mod schedules;
pub mod time;
mod tls;
mod trouble;
mod views;
pub mod worker;

pub use client::Client;
pub use config::Config;
pub use error::{Error, ErrorKind, Result};
pub use insight::{LogEntry, TimelineEvent, Variable};
pub use limits::{LimitInfo, NearLimit, NearLimitCount};
pub use messages::{Run, Signalled};
pub use notice::Notice;
pub use queue::{Pause, QueueSetting, QueueSettings};
pub use repair::{KeptState, MovedRun, OutlineRow, VersionInfo};
pub use rows::{
    Claimed, Diagnostic, EnqueueOptions, Execution, ExecutionFilter, Heartbeat, HeartbeatStatus,
    LogLine, Outcome, QueueInfo, StartOptions, State, TaskInfo, WorkerInfo, WorkflowInfo,
};
pub use schedules::{CalendarInfo, During, ScheduleInfo, ScheduleOptions, ScheduleRun};
pub use trouble::{CleanupFilter, FailedAttempt, RetryFilter, Why};
