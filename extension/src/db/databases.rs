//! Which databases of the server have the extension.

use pgrx::prelude::*;

use super::{DbResult, Plan};

thread_local! {
    // `rhythm_owner` owns something in exactly those. Templates are only copied from, and run nothing.
    static FOUND: Plan = const { Plan::new(
        "select distinct d.oid from pg_catalog.pg_shdepend s \
         join pg_catalog.pg_roles r on r.oid = s.refobjid \
         join pg_catalog.pg_database d on d.oid = s.dbid \
         where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and r.rolname = 'rhythm_owner' \
           and d.datallowconn and not d.datistemplate and d.datconnlimit <> -2 \
         order by d.oid",
        &[],
    ) };
}

/// The oids of these databases.
pub(crate) fn with_rhythm() -> DbResult<Vec<u32>> {
    FOUND.with(|plan| {
        plan.query(&[], |rows| {
            rows.into_iter()
                .map(|row| Ok(row.get::<pg_sys::Oid>(1)?.map_or(0, |oid| oid.to_u32())))
                .collect()
        })
    })
}
