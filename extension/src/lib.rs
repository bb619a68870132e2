//! The extension: what of Rhythm runs inside a Postgres backend and is not SQL.
//!
//! # Layout
//! - `api`: the C functions that `sql/native` declares; they decode, call, encode.
//! - `engine`: one step of a workflow: load, run, apply effects, save.
//! - `db`: SQL functions that Rust calls; the only folder that names `Spi`.
//! - `kept`: what each backend keeps of small tables, until they change.
//! - `shmem`: who waits for what, and the commit callback that wakes them.
//! - `worker`: the launcher, and one background worker for each database.
//! - `cron`: the times that an expression means in a time zone of the server.
//! - `process`, `timer`, `cancel`: interrupts, randomness and time of the process that runs a step, and who has cancelled its SQL.
//! - `nodes`, `utility`: parse trees of the server; the hook on commands about databases.
//! - `guc`: every setting.
//!
//! It knows the language only through `rhythm_flow`'s façade, and holds no business SQL.

use pgrx::prelude::*;

mod api;
mod cancel;
mod cron;
mod db;
mod engine;
mod floors;
mod guc;
mod kept;
mod nodes;
mod process;
mod shmem;
mod timer;
mod utility;
mod worker;

::pgrx::pg_module_magic!(name, version);

/// Called once by each process that loads the library; by the postmaster when it is preloaded.
#[allow(non_snake_case)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // Errors unwind through Rust, and with RUST_BACKTRACE in the server's environment each would carry a backtrace in its
    // DETAIL. SAFETY: a process of Postgres has one thread.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    guc::init();
    kept::init();
    shmem::init();
    utility::init();
    worker::init();
}
