//! What a program that is compiled for coverage calls at each statement. No source can name it.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::Value;
use crate::vm::cx::{Call, Cx};

/// The path, which no lexer reads as a name.
pub(crate) const COVER: &str = "%cover";

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[plain(COVER, 1, cover)];

/// `%cover(3)`: the statement with the number 3 begins.
fn cover(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    if let Value::Number(number) = cx.arg(call, 0) {
        cx.host.cover(number as u32);
    }
    Ok(Value::Undefined)
}
