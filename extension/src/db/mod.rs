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
pub(crate) mod kept;
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
            let plan = self.kept(|types| Ok(client.prepare_mut(self.sql, types)?.keep()))?;
            read(client.update(plan, None, args)?)
        })
    }

    /// Reads what is committed now, whatever the snapshot of the statement around it. Takes no number of a transaction, which
    /// a standby has none of.
    fn look<R>(
        &self,
        args: &[DatumWithOid<'_>],
        read: impl FnOnce(SpiTupleTable<'_>) -> DbResult<R>,
    ) -> DbResult<R> {
        // SAFETY: taken back below; an error takes it back with the transaction.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        let answer = Spi::connect(|client| {
            let plan = self.kept(|types| Ok(client.prepare(self.sql, types)?.keep()))?;
            read(client.select(plan, None, args)?)
        });
        // SAFETY: the one pushed above.
        unsafe { pg_sys::PopActiveSnapshot() };
        answer
    }

    fn kept(
        &self,
        prepare: impl FnOnce(&[PgOid]) -> DbResult<OwnedPreparedStatement>,
    ) -> DbResult<&'static OwnedPreparedStatement> {
        if let Some(plan) = self.prepared.get() {
            return Ok(plan);
        }
        let types: Vec<PgOid> = self.types.iter().map(|one| PgOid::BuiltIn(*one)).collect();
        let kept = prepare(&types)?;
        // Leaked on purpose: freed at the end of the process it would call into a server that is shutting down.
        Ok(self.prepared.get_or_init(|| Box::leak(Box::new(kept))))
    }
}
