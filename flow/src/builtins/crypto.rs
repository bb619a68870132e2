//! `crypto.randomUUID`.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::Value;
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[plain("crypto.randomUUID", 0, random_uuid)];

/// `crypto.randomUUID()` → `"36b8f84d-df4e-4d49-b662-bcde71a8764f"`
fn random_uuid(cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    let uuid = cx.host.uuid();
    cx.heap.str(&uuid)
}
