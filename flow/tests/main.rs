//! All file-driven tests of the language, in one binary: linking is what costs.

mod check;
mod conformance;
mod docs;
mod parse;
mod robust;
mod tree;
