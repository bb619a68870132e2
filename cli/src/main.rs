//! The `rhythm` command.

fn main() {}
