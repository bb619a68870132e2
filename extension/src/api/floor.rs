//! Floors of claims, as SQL calls them (`sql/native/40_floor.sql`).

use pgrx::prelude::*;

use crate::floors::{self, Floor};

type Names<'a> = Option<Array<'a, &'a str>>;

/// `_floor(index, queue, tasks, paused)`
#[pg_extern(sql = false)]
fn floor(index: pg_sys::Oid, queue: &str, tasks: Names<'_>, paused: Names<'_>) -> Option<Vec<i64>> {
    if floors::is_empty() {
        return None;
    }
    let found = floors::get(whose(index, queue, tasks, paused))?;
    Some(found.map_or_else(Vec::new, |floor| floor.to_vec()))
}

/// `_keep_floor(index, queue, tasks, paused, floor, walked)`
#[pg_extern(sql = false)]
fn keep_floor(
    index: pg_sys::Oid,
    queue: &str,
    tasks: Names<'_>,
    paused: Names<'_>,
    floor: Option<Vec<i64>>,
    walked: Option<i64>,
) {
    let whose = whose(index, queue, tasks, paused);
    match floor.and_then(|floor| Floor::try_from(floor).ok()) {
        Some(floor) => floors::keep(whose, floor, walked),
        None => floors::forget(whose),
    }
}

/// `_floor_ends(index, queue, tasks, paused)`
#[pg_extern(sql = false)]
fn floor_ends(
    index: pg_sys::Oid,
    queue: &str,
    tasks: Names<'_>,
    paused: Names<'_>,
) -> Option<Interval> {
    let left = floors::ends_in(whose(index, queue, tasks, paused))?;
    Interval::new(0, 0, left).ok()
}

fn whose(index: pg_sys::Oid, queue: &str, tasks: Names<'_>, paused: Names<'_>) -> u64 {
    let texts = |names: Names<'_>| {
        names.map(|names| names.iter().map(|name| name.map(str::to_owned)).collect())
    };
    floors::whose(index.to_u32(), queue, texts(tasks), texts(paused))
}
