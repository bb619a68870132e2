//! The façade over SPI: one Rust function for each SQL function that Rust calls, with kept plans and typed rows.
//!
//! The only folder that names `Spi`. The list of SQL texts here is the surface that an older schema must have when a newer
//! library is loaded. Knows nothing of the language or the engine.

use std::cell::OnceCell;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::PgBuiltInOids;
use pgrx::prelude::*;
use pgrx::spi::{self, OwnedPreparedStatement, SpiTupleTable};

pub(crate) mod databases;
pub(crate) mod definition;
pub(crate) mod deployer;
pub(crate) mod duty;
pub(crate) mod sql_query;
pub(crate) mod step;

/// An error that SQL gave as data, with the keys of every error object; the last two are JSON text.
#[derive(Default)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) cause: Option<String>,
}

/// What a call of SQL gives.
pub(crate) type DbResult<T> = Result<T, spi::Error>;

/// A statement whose plan is kept for the life of the backend.
struct Plan {
    sql: &'static str,
    types: &'static [PgBuiltInOids],
    prepared: OnceCell<&'static OwnedPreparedStatement>,
}

impl Plan {
    const fn new(sql: &'static str, types: &'static [PgBuiltInOids]) -> Self {
        Self {
            sql,
            types,
            prepared: OnceCell::new(),
        }
    }

    /// Runs the statement and reads its rows.
    fn query<R>(
        &self,
        args: &[DatumWithOid<'_>],
        read: impl FnOnce(SpiTupleTable<'_>) -> DbResult<R>,
    ) -> DbResult<R> {
        Spi::connect_mut(|client| {
            let plan = match self.prepared.get() {
                Some(plan) => *plan,
                None => {
                    let types: Vec<PgOid> =
                        self.types.iter().map(|one| PgOid::BuiltIn(*one)).collect();
                    let kept = client.prepare_mut(self.sql, &types)?.keep();
                    // Leaked on purpose: freed at the end of the process it would call into a server that is shutting down.
                    *self.prepared.get_or_init(|| Box::leak(Box::new(kept)))
                }
            };
            read(client.update(plan, None, args)?)
        })
    }

    /// Runs the statement for its effect.
    fn run(&self, args: &[DatumWithOid<'_>]) -> DbResult<()> {
        self.query(args, |_| Ok(()))
    }
}
