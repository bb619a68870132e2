//! `Error` and its subclasses, with and without `new`.

use super::{Builtin, plain};
use crate::error::{ErrorClass, Throw};
use crate::value::Value;
use crate::value::inherited::Kind;
use crate::value::object::Key;
use crate::vm::cx::{Call, Cx};
use crate::vm::words::works_on;

macro_rules! classes {
    ($($name:literal $new:literal $function:ident $class:ident;)+) => {
        /// The builtins of this file.
        pub(super) const TABLE: &[Builtin] = &[
            $(plain($name, 1, $function), plain($new, 1, $function),)+
            plain("AggregateError", 2, aggregate),
            plain("new AggregateError", 2, aggregate),
            plain("Error.prototype.toString", 0, to_string),
        ];

        $(fn $function(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
            make(cx, ErrorClass::$class, cx.arg(call, 0), cx.arg(call, 1)).map(Value::Object)
        })+
    };
}

classes! {
    "Error" "new Error" error Error;
    "TypeError" "new TypeError" type_error TypeError;
    "RangeError" "new RangeError" range_error RangeError;
    "SyntaxError" "new SyntaxError" syntax_error SyntaxError;
    "ReferenceError" "new ReferenceError" reference_error ReferenceError;
    "EvalError" "new EvalError" eval_error EvalError;
    "URIError" "new URIError" uri_error UriError;
    "TaskError" "new TaskError" task_error TaskError;
    "SqlError" "new SqlError" sql_error SqlError;
    "TimeoutError" "new TimeoutError" timeout_error TimeoutError;
    "CancelledError" "new CancelledError" cancelled_error CancelledError;
}

/// `new Error("no", {cause})`
fn make(
    cx: &mut Cx<'_>,
    class: ErrorClass,
    message: Value,
    options: Value,
) -> Result<crate::value::Ref, Throw> {
    let error = cx.heap.error(class, None)?;
    if !message.is_undefined() {
        let message = Value::String(cx.heap.to_string(message)?);
        cx.heap.error_hide(error, "message", message);
    }
    if let Value::Object(at) = options {
        let key = Key::Name(cx.heap.intern_str("cause"));
        if let Some(cause) = cx.get_own(at, key)? {
            cx.heap.error_hide(error, "cause", cause);
        }
    }
    cx.add_stack(error)?;
    Ok(error)
}

/// `new AggregateError([e1, e2], "both failed")`
fn aggregate(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let error = make(
        cx,
        ErrorClass::AggregateError,
        cx.arg(call, 1),
        cx.arg(call, 2),
    )?;
    // JavaScript looks at the errors last.
    let errors = cx.spread_argument(cx.arg(call, 0))?;
    let errors = cx.heap.array(errors);
    cx.heap.error_hide(error, "errors", errors);
    Ok(Value::Object(error))
}

/// `new TypeError("no").toString()` → `"TypeError: no"`
fn to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match cx.kind(call.this) {
        Some(Kind::Error) => {}
        None => return Err(cx.incompatible(call)),
        Some(_) => return Err(works_on("toString", "errors")),
    }
    cx.string(call.this).map(Value::String)
}
