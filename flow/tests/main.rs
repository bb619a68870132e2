//! All file-driven tests of the language, in one binary: linking is what costs.

mod check;
mod conformance;
mod docs;
mod drive;
mod fork;
mod format;
mod golden;
mod limits;
mod logging;
mod memory;
mod outline;
mod parse;
mod project;
mod robust;
mod run;
mod snapshot;
mod speed;
mod suspended;
mod transfer;
mod tree;
