//! The end-to-end tests: one binary, since linking is what costs. One module a behaviour; `tidy` looks that none is
//! forgotten. Run some with `make test-pg T=name`.

mod batch;
mod enqueue;
mod lease;
mod limits;
mod race;
mod rollback;
mod security;
mod tidy;
mod timer;
mod version;
mod workflow;
