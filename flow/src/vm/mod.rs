//! The machine that runs a program.

pub mod cx;
