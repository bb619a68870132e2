//! `Sql.query`: runs in the transaction of the step.

use super::{Builtin, plain, task};
use crate::error::Throw;
use crate::host::CallError;
use crate::value::{Value, json};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[plain("Sql.query", 1, query)];

/// `await Sql.query("select $1::int as n", [1])` → `[{n: 1}]`; rejects with an `SqlError`.
fn query(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let Some(text) = task::host_text(cx, cx.arg(call, 0))? else {
        let given = cx.describe(cx.arg(call, 0));
        return Err(Throw::type_error(format!(
            "Sql.query needs its text as a string, not {given}."
        )));
    };
    let params = cx.arg(call, 1);
    let params = if params.is_undefined() {
        "[]".to_owned()
    } else if cx.heap.is_array(params) {
        json::to_host(cx.heap, params)?.unwrap_or_else(|| "[]".to_owned())
    } else {
        let given = cx.describe(params);
        return Err(Throw::type_error(format!(
            "Sql.query needs its params as an array, not {given}."
        )));
    };
    cx.work(1000)?;
    cx.host.tick().map_err(Throw::interrupt)?;
    let promise = cx.new_promise();
    match cx.host.sql_query(&text, &params) {
        Ok(rows) => {
            let rows = json::from_host(cx.heap, &rows)?;
            cx.resolve(promise, rows);
        }
        Err(CallError::Interrupt(interrupt)) => return Err(Throw::interrupt(interrupt)),
        Err(CallError::Throw(error)) => {
            // An async function of JavaScript rejects; it does not throw at the call.
            let error = match cx.thrown_by_host(&error) {
                Throw::Value(error) => error,
                other => return Err(other),
            };
            cx.reject(promise, error);
        }
    }
    Ok(Value::Object(promise))
}
