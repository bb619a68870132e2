//! A suspended run as bytes: what can be reached from the promises that the host will settle.
//!
//! Strings come first, then all other bodies in the order in which they are found, each naming
//! others by number. Nothing recurses. The version stands in front; readers of old ones stay.
//! Since version 2 a CRC-32 of all bytes before it ends the save: damage on a disk or in a hand-made
//! update is refused, rather than turned into another value. It is no signature: who can write
//! saves can write anything, and the reader trusts none of it.

mod context;
mod fit;
mod fork;
mod read;
mod transfer;
mod write;

#[cfg(test)]
mod tests;

pub use fork::{Fork, fork};
pub(crate) use read::load;
pub use transfer::{TransferError, transfer};
pub(crate) use write::save;

const MAGIC: &[u8] = b"FLOWSAVE";
const VERSION: u64 = 2;
/// The last version without a checksum.
const UNCHECKED: u64 = 1;

/// The kinds of value. Only ever append.
mod tag {
    pub(super) const UNDEFINED: u8 = 0;
    pub(super) const NULL: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
    pub(super) const INTEGER: u8 = 4;
    pub(super) const DOUBLE: u8 = 5;
    pub(super) const EMPTY: u8 = 6;
    pub(super) const STRING: u8 = 7;
    pub(super) const OBJECT: u8 = 8;
    pub(super) const VARIABLE: u8 = 9;
}

/// The kinds of body. Only ever append.
mod kind {
    pub(super) const OBJECT: u8 = 0;
    pub(super) const ARRAY: u8 = 1;
    pub(super) const CLOSURE: u8 = 2;
    pub(super) const NATIVE: u8 = 3;
    pub(super) const NAMESPACE: u8 = 4;
    pub(super) const VARIABLE: u8 = 5;
    pub(super) const PROMISE: u8 = 6;
    pub(super) const COROUTINE: u8 = 7;
    pub(super) const AGGREGATE: u8 = 8;
    pub(super) const ERROR: u8 = 9;
    pub(super) const DATE: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const SET: u8 = 12;
    pub(super) const ITERATOR: u8 = 13;
    pub(super) const REGEX: u8 = 14;
    pub(super) const MATCH: u8 = 15;
    /// An object that inherits nothing.
    pub(super) const BARE: u8 = 16;
}

/// The kinds of reaction. Only ever append.
mod reaction {
    pub(super) const AWAIT: u8 = 0;
    pub(super) const THEN: u8 = 1;
    pub(super) const FINALLY: u8 = 2;
    pub(super) const PASS: u8 = 3;
    pub(super) const FORWARD: u8 = 4;
    pub(super) const ELEMENT: u8 = 5;
}
