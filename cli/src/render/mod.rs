//! What values look like to people. Pure: gives text, prints nothing, asks nobody.

pub(crate) mod execution;
pub(crate) mod time;
pub(crate) mod timeline;
pub(crate) mod tree;
