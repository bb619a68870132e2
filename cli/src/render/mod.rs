//! What values look like to people. Pure: gives text, prints nothing, asks nobody.

pub(crate) mod diagnostic;
pub(crate) mod execution;
pub(crate) mod github;
pub(crate) mod log;
pub(crate) mod sarif;
pub(crate) mod time;
pub(crate) mod timeline;
pub(crate) mod trace;
pub(crate) mod tree;
pub(crate) mod variables;
