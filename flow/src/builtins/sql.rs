//! `Sql.query` and `Sql.exec`: run in the transaction of the step.

use super::{Builtin, plain, task};
use crate::error::Throw;
use crate::host::{CallError, Host};
use crate::value::{Value, json};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[plain("Sql.query", 1, query), plain("Sql.exec", 1, exec)];

/// `await Sql.query("select $1::int as n", [1])` → `[{n: 1}]`; rejects with an `SqlError`.
fn query(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    run(cx, call, "Sql.query", |host, text, params| {
        host.sql_query(text, params)
    })
}

/// `await Sql.exec("update stock set n = n - 1 where id = $1", [7])` → `1`, the number of rows; rejects with an `SqlError`.
fn exec(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    run(cx, call, "Sql.exec", |host, text, params| {
        host.sql_exec(text, params).map(|count| count.to_string())
    })
}

/// Asks the host, which gives JSON text, for the calls of this file; `name` is for errors.
fn run(
    cx: &mut Cx<'_>,
    call: Call,
    name: &str,
    ask: impl FnOnce(&mut dyn Host, &str, &str) -> Result<String, CallError>,
) -> Result<Value, Throw> {
    let Some(text) = task::host_text(cx, cx.arg(call, 0))? else {
        let given = cx.describe(cx.arg(call, 0));
        return Err(Throw::type_error(format!(
            "{name} needs its text as a string, not {given}."
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
            "{name} needs its params as an array, not {given}."
        )));
    };
    cx.work(1000)?;
    cx.host.tick().map_err(Throw::interrupt)?;
    let promise = cx.new_promise();
    match ask(cx.host, &text, &params) {
        Ok(answer) => {
            let answer = json::from_host(cx.heap, &answer)?;
            cx.resolve(promise, answer);
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
