//! Schedules: the times of a cron expression. When and what starts is SQL's business.

use pgrx::prelude::*;

use crate::cron::{self, Wrong};

/// `_cron_times(expression, time_zone, after, count)`: times in seconds since 1970; else which argument is wrong, and how.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn cron_times(
    expression: &str,
    time_zone: &str,
    after: i64,
    count: i32,
) -> TableIterator<
    'static,
    (
        name!(times, Option<Vec<i64>>),
        name!(wrong, Option<&'static str>),
        name!(message, Option<String>),
    ),
> {
    let count = usize::try_from(count).unwrap_or(0);
    TableIterator::once(match cron::times(expression, time_zone, after, count) {
        Ok(times) => (Some(times), None, None),
        Err(Wrong::Expression(message)) => (None, Some("cron"), Some(message)),
        Err(Wrong::Zone) => (None, Some("time_zone"), None),
    })
}
