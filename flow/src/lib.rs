//! The Flow language.
#![forbid(unsafe_code)]

pub mod builtins;
pub mod error;
pub mod host;
pub mod limits;
pub mod source;
pub mod value;
pub mod vm;
