//! A workflow's `Sql.query` and `Sql.exec`: the PL/pgSQL helper `_sql_query`, run as the deployer.
//!
//! The helper gives an error as data, with its true SQLSTATE, which would be lost on its way through Rust. It is called by
//! its oid, since the deployer has no right to call it by name.

use pgrx::datum::TryFromDatumError;
use pgrx::direct_function_call_as_datum;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::prelude::*;

use super::deployer::{self, Deployer};
use super::{DbResult, Failure};
use crate::cancel;

/// What a query gave.
pub(crate) enum Answer {
    /// A JSON array of row objects, or their number, and the columns whose numbers a double cannot hold.
    Rows {
        rows: String,
        string_columns: Vec<String>,
    },
    /// An error, which the program may catch.
    Failed(Failure),
    /// The step's time was up.
    TimedOut,
}

/// Runs `text` with the JSON array `params`. `count_only`: only the number of rows is wanted.
pub(crate) fn run(
    deployer: &Deployer,
    text: &str,
    params: &str,
    count_only: bool,
) -> DbResult<Answer> {
    let params = std::ffi::CString::new(params).unwrap_or_default();
    // SAFETY: `jsonb_in` takes a C string, the helper a text, a jsonb and a bool, none null; it gives a `sql_answer`, never null.
    let answer = unsafe {
        let params =
            direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(params.as_ptr().into())]);
        let (Some(text), Some(params)) = (text.into_datum(), params) else {
            return Err(spi::Error::NoTupleTable);
        };
        let answer = deployer::run_as(deployer, || {
            cancel::watch(|| {
                pg_sys::OidFunctionCall3Coll(
                    deployer.helper,
                    pg_sys::InvalidOid,
                    text,
                    params,
                    count_only.into(),
                )
            })
        });
        PgHeapTuple::from_composite_datum(answer)
    };
    read(&answer).map_err(|_| spi::Error::NoTupleTable)
}

fn read(answer: &PgHeapTuple<'_, AllocatedByRust>) -> Result<Answer, TryFromDatumError> {
    if let Some(rows) = answer.get_by_name("rows")? {
        let columns: Option<Array<'_, &str>> = answer.get_by_name("string_columns")?;
        return Ok(Answer::Rows {
            rows,
            string_columns: columns.map_or_else(Vec::new, |columns| {
                columns.iter().flatten().map(str::to_owned).collect()
            }),
        });
    }
    if answer.get_by_name("timed_out")?.unwrap_or(false) {
        return Ok(Answer::TimedOut);
    }
    Ok(Answer::Failed(Failure {
        name: "SqlError".into(),
        message: answer.get_by_name("message")?.unwrap_or_default(),
        code: answer.get_by_name("sqlstate")?,
        data: answer.get_by_name("data")?,
        cause: None,
    }))
}
