//! The round of a background worker: one SQL function does all that is due (`rhythm._run_duties`).

use std::time::Duration;

use pgrx::pg_sys::PgBuiltInOids as Type;
use pgrx::prelude::*;

use super::{DbResult, Plan};
use crate::shmem::databases::NEVER;

/// What a round left.
pub(crate) struct Round {
    /// When the next thing is due, in microseconds since 2000 on Rhythm's clock.
    pub(crate) next_due: i64,
    /// How long that is from now.
    pub(crate) sleep: Duration,
    /// Whether there is more to do right now.
    pub(crate) again: bool,
}

thread_local! {
    // A worker is a superuser until `_run_duties` makes it the owner, so it must be the extension's own function.
    static INSTALLED: Plan = const { Plan::new(
        "select true from pg_catalog.pg_extension e \
         join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass \
           and d.refobjid = e.oid and d.deptype = 'e' \
         join pg_catalog.pg_proc p on d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and p.oid = d.objid \
         where e.extname = 'rhythm' and p.oid = pg_catalog.to_regprocedure('rhythm._run_duties(integer)') and p.prosecdef",
        &[],
    ) };
    static RUN: Plan = const { Plan::new(
        "select next_due + (rhythm._now() - clock_timestamp()), again, \
           extract(epoch from next_due - clock_timestamp())::float8 from rhythm._run_duties($1)",
        &[Type::INT4OID],
    ) };
}

/// Whether this database has the extension.
pub(crate) fn is_installed() -> bool {
    INSTALLED
        .with(|plan| plan.query(&[], |rows| Ok(!rows.is_empty())))
        .unwrap_or(false)
}

/// Does what is due, `max` things at most.
pub(crate) fn run(max: i32) -> DbResult<Round> {
    RUN.with(|plan| {
        plan.query(&[max.into()], |rows| {
            let row = rows.first();
            let next_due: Option<TimestampWithTimeZone> = row.get(1)?;
            let again: bool = row.get(2)?.unwrap_or(false);
            let seconds: Option<f64> = row.get(3)?;
            Ok(Round {
                next_due: next_due.map_or(NEVER, i64::from),
                sleep: seconds.map_or(Duration::MAX, |seconds| {
                    // At least a millisecond: what is due now was done, or is held by somebody.
                    Duration::try_from_secs_f64(seconds.max(0.001)).unwrap_or(Duration::MAX)
                }),
                again,
            })
        })
    })
}
