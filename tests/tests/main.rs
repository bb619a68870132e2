//! The end-to-end tests: one binary, since linking is what costs. One module a behaviour; `tidy` looks that none is
//! forgotten. Run some with `make test-pg T=name`.

mod adapter;
mod background;
mod bad_input;
mod batch;
mod children;
mod cli;
mod concurrency;
mod crash;
mod dev;
mod dump;
mod enqueue;
mod idempotency;
mod interleave;
mod lease;
mod limits;
mod model;
mod pause;
mod portable;
mod quickstart;
mod race;
mod rate_limit;
mod regress;
mod retry;
mod rollback;
mod schedule;
mod schedule_crash;
mod schedule_overlap;
mod security;
mod standby;
mod tidy;
mod timeouts;
mod timer;
mod version;
mod why;
mod workflow;
