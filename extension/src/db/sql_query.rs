//! A workflow's `Sql.query`: the PL/pgSQL helper `_sql_query`, run as the deployer.
//!
//! The helper gives an error as data, with its true SQLSTATE, which would be lost on its way through Rust.

use pgrx::pg_sys::PgBuiltInOids as Type;
use pgrx::prelude::*;

use super::deployer::{self, Deployer};
use super::{DbResult, Plan};

thread_local! {
    static QUERY: Plan = const { Plan::new(
        "select rhythm._sql_query($1, $2::jsonb)",
        &[Type::TEXTOID, Type::TEXTOID],
    ) };
}

/// Runs `text` with the JSON array `params`. Gives the helper's JSON text.
pub(crate) fn run(deployer: &Deployer, text: &str, params: &str) -> DbResult<String> {
    QUERY.with(|plan| {
        deployer::run_as(deployer, || {
            plan.query(&[text.into(), params.into()], |rows| {
                Ok(rows.first().get_one()?.unwrap_or_default())
            })
        })
    })
}
