//! JSON text to values and back, without recursion: depth is limited by the heap alone.
//!
//! `read` and `write` know nothing of the VM. Functions of the program (`toJSON`, a replacer, a
//! reviver) are called by `builtins::json`, which makes a plain copy before it writes.

mod read;
mod write;

pub use read::parse;
pub use write::{Style, stringify};
pub(crate) use write::{circle, to_json};

use super::{Heap, Value};
use crate::error::Throw;

/// Reads JSON text that a host gave.
///
/// # Errors
/// For text that is no JSON.
pub fn from_host(heap: &mut Heap, text: &str) -> Result<Value, Throw> {
    heap.meter.charge(text.len() * 2)?;
    let units: Vec<u16> = text.encode_utf16().collect();
    parse(heap, &units)
}

/// Writes a value for a host: `None` for `undefined` and functions.
///
/// # Errors
/// A `TypeError` for what JSON or jsonb cannot hold: cycles, promises, U+0000, lone surrogates, an
/// own `toJSON`.
pub fn to_host(heap: &mut Heap, value: Value) -> Result<Option<String>, Throw> {
    write::for_host(heap, value)
}
