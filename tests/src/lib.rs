//! The harness of the end-to-end tests: throwaway servers, a database a test, real workers, and the checks that
//! several tests share. It sees Rhythm as everybody does, through SQL and through the programs; it knows nothing of
//! the extension's insides.
//!
//! # Layout
//! - `installation`: the PostgreSQL programs, the built extension, and who runs them
//! - `process`: child processes that cannot outlive a test run
//! - `server`: a server of its own data directory and port; killed, restarted, promoted
//! - `database`: a database for one test, and sessions that speak text
//! - `clock`: moves the clock of Rhythm instead of sleeping
//! - `task`: claims and outcomes from a test's own session
//! - `worker`: worker processes in each language, and the journal of what they did
//! - `recipe`: a recipe of the examples, its worker, and what it did outside
//! - `invariant`: what must hold whatever happened
//! - `model`: the state machine of tasks, said a second time
//! - `flows`: random workflows, what is done to them, and what must hold
//! - `race`: many sessions at once
//! - `stress`: the same while the server is killed, and what happened is recorded
//!
//! Servers run with `fsync = off`: crash tests kill processes, never the operating system, so what was written is
//! there with or without it. What fsync adds is PostgreSQL's promise and not tested here.

pub mod clock;
pub mod database;
pub mod flows;
pub mod installation;
pub mod invariant;
pub mod model;
pub mod process;
pub mod race;
pub mod recipe;
pub mod server;
pub mod stress;
pub mod task;
pub mod worker;
