//! The C functions that `sql/native` declares. They decode arguments, call, and encode; user errors go back as data, since
//! SQLSTATEs of class RH cannot be raised from Rust.

mod analyze;
mod begin;
mod definition;
mod floor;
mod fork;
mod jsonb;
mod keys;
mod limits;
mod lock;
mod outline;
mod park;
mod placeholders;
mod schedule;
mod schema;
mod step;
mod suspended;
mod transfer;
mod wake;

use pgrx::prelude::*;

/// `_library_version()`
#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
