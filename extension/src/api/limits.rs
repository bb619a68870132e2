//! The limits that the library knows (`sql/schema/91_limits.sql`).

use pgrx::prelude::*;

use crate::engine::near;

/// `_library_limits()`: a row for each limit; `most` is null where there is none.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn library_limits() -> TableIterator<
    'static,
    (
        name!(name, &'static str),
        name!(most, Option<i64>),
        name!(unit, &'static str),
        name!(bounds, &'static str),
        name!(marked, bool),
    ),
> {
    let rows = near::published().into_iter().map(|limit| {
        let most = limit
            .most
            .map(|most| i64::try_from(most).unwrap_or(i64::MAX));
        (limit.name, most, limit.unit, limit.bounds, limit.is_marked)
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}
