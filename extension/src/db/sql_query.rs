//! A workflow's `Sql.query` and `Sql.exec`: the PL/pgSQL helper `_sql_query`, run as the deployer.
//!
//! The helper gives an error as data, with its true SQLSTATE, which would be lost on its way through Rust. It is called by
//! its oid, since the deployer has no right to call it by name.

use pgrx::direct_function_call_as_datum;
use pgrx::pg_sys::PgBuiltInOids as Type;
use pgrx::prelude::*;

use super::deployer::{self, Deployer};
use super::{DbResult, Failure, Plan};

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

thread_local! {
    static HELPER: Plan = const { Plan::new(
        "select pg_catalog.to_regprocedure('rhythm._sql_query(text,jsonb,boolean)')::pg_catalog.oid",
        &[],
    ) };
    static READ: Plan = const { Plan::new(
        "select ok, rows::text, string_columns, timed_out, sqlstate, message, \
           pg_catalog.json_strip_nulls(pg_catalog.json_build_object('detail', detail, 'hint', hint))::text \
         from pg_catalog.json_to_record($1::pg_catalog.json) as r \
           (ok bool, rows json, string_columns text[], timed_out bool, sqlstate text, message text, detail text, hint text)",
        &[Type::TEXTOID],
    ) };
}

/// Runs `text` with the JSON array `params`. `count_only`: only the number of rows is wanted.
pub(crate) fn run(
    deployer: &Deployer,
    text: &str,
    params: &str,
    count_only: bool,
) -> DbResult<Answer> {
    let helper: Option<pg_sys::Oid> =
        HELPER.with(|plan| plan.query(&[], |rows| rows.first().get_one()))?;
    let Some(helper) = helper else {
        return Err(spi::Error::NoTupleTable);
    };
    let params = std::ffi::CString::new(params).unwrap_or_default();
    // SAFETY: `jsonb_in` takes a C string, the helper a text, a jsonb and a bool, none null; it gives a text.
    let answer: Option<String> = unsafe {
        let params =
            direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(params.as_ptr().into())]);
        let (Some(text), Some(params)) = (text.into_datum(), params) else {
            return Err(spi::Error::NoTupleTable);
        };
        let answer = deployer::run_as(deployer, || {
            pg_sys::OidFunctionCall3Coll(
                helper,
                pg_sys::InvalidOid,
                text,
                params,
                count_only.into(),
            )
        });
        String::from_datum(answer, false)
    };
    READ.with(|plan| {
        plan.query(&[answer.into()], |rows| {
            let row = rows.first();
            if row.get::<bool>(4)?.unwrap_or(false) {
                return Ok(Answer::TimedOut);
            }
            if row.get::<bool>(1)?.unwrap_or(false) {
                return Ok(Answer::Rows {
                    rows: row.get(2)?.unwrap_or_else(|| "[]".into()),
                    string_columns: row.get(3)?.unwrap_or_default(),
                });
            }
            let data: Option<String> = row.get(7)?;
            Ok(Answer::Failed(Failure {
                name: "SqlError".into(),
                message: row.get(6)?.unwrap_or_default(),
                code: row.get(5)?,
                data: data.filter(|data| data != "{}"),
                cause: None,
            }))
        })
    })
}
