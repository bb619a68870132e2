//! The Flow language.
#![forbid(unsafe_code)]

pub mod ast;
pub mod builtins;
pub mod check;
pub mod codes;
mod compile;
pub mod diagnostic;
pub mod error;
pub mod host;
pub mod input_type;
pub mod limits;
pub mod nearest;
pub mod op;
pub mod parse;
pub mod program;
mod snapshot;
pub mod source;
pub mod value;
pub mod vm;
