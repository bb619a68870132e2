//! Reading what `crate::kept` keeps (`sql/schema/00_setup.sql`, `40_enqueue.sql`).

use pgrx::pg_sys::PgBuiltInOids as Type;
use pgrx::prelude::*;

use super::{DbResult, Plan};

thread_local! {
    static SHIFT: Plan = const { Plan::new(
        "select rhythm._clock_shift(), 'rhythm.test_clock'::pg_catalog.regclass::pg_catalog.oid, \
           'rhythm.served_tasks'::pg_catalog.regclass::pg_catalog.oid, \
           'rhythm.queue_settings'::pg_catalog.regclass::pg_catalog.oid",
        &[],
    ) };
    static IS_PLAIN: Plan = const { Plan::new(
        "select rhythm._look_plain($1, $2)",
        &[Type::TEXTOID, Type::TEXTOID],
    ) };
}

/// How many microseconds the clock is ahead, and the tables on which the two answers in here stand.
pub(crate) fn shift() -> DbResult<(i64, [u32; 3])> {
    SHIFT.with(|plan| {
        plan.look(&[], |rows| {
            let row = rows.first();
            let table = |at| {
                row.get::<pg_sys::Oid>(at)
                    .map(|oid| oid.map_or(0, |oid| oid.to_u32()))
            };
            Ok((row.get(1)?.unwrap_or(0), [table(2)?, table(3)?, table(4)?]))
        })
    })
}

/// Whether nothing is registered or configured of a task.
pub(crate) fn is_plain(name: &str, queue: &str) -> DbResult<bool> {
    IS_PLAIN.with(|plan| {
        plan.look(&[name.into(), queue.into()], |rows| {
            Ok(rows.first().get_one()?.unwrap_or(false))
        })
    })
}
