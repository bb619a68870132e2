//! The Flow language.
#![forbid(unsafe_code)]

pub mod ast;
pub mod builtins;
pub mod codes;
pub mod diagnostic;
pub mod error;
pub mod host;
pub mod input_type;
pub mod limits;
pub mod parse;
pub mod source;
pub mod value;
pub mod vm;
