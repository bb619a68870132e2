//! The verbs, one a file: arguments, then what they do.

pub(crate) mod adopt;
pub(crate) mod calendar;
pub(crate) mod call;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod enqueue;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod input;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod queue;
pub(crate) mod retry;
pub(crate) mod schedule;
pub(crate) mod show;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod tasks;
pub(crate) mod terminate;
pub(crate) mod test;
pub(crate) mod wait;
pub(crate) mod why;
pub(crate) mod worker;
