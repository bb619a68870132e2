//! The SQL functions of a step: what it loads, and where its effects go (`sql/schema/70_workflow.sql`).

use std::collections::HashMap;

use pgrx::pg_sys::PgBuiltInOids as Type;
use pgrx::prelude::*;

use super::{DbResult, Failure, Plan};

/// What a step needs to know of its execution.
pub(crate) struct Loaded {
    pub(crate) definition: i64,
    /// The state of the last step; none at the first.
    pub(crate) save: Option<Vec<u8>>,
    pub(crate) inputs: String,
    pub(crate) workflow: String,
    pub(crate) version: i32,
    pub(crate) task_id: Option<String>,
    pub(crate) started_at_ms: f64,
    pub(crate) trace_id: Option<String>,
    /// Why it was cancelled, if that has not been told to the program yet.
    pub(crate) cancel_reason: Option<String>,
    /// Whether it was told to cancel, now or in an earlier step.
    pub(crate) is_cancelling: bool,
    /// The requests to cancel that this step tells its program.
    pub(crate) cancels: Vec<i64>,
    /// Rhythm's clock, in milliseconds since 1970.
    pub(crate) now_ms: f64,
    /// The oid of the schema: it tells one installation from the next in this database.
    pub(crate) schema: u32,
}

/// A promise that was settled.
pub(crate) struct Event {
    pub(crate) seq: i64,
    pub(crate) promise: i32,
    pub(crate) ok: bool,
    pub(crate) value: Option<String>,
    pub(crate) error: Option<Failure>,
}

thread_local! {
    static LOAD: Plan = const { Plan::new(
        "select definition_id, save, inputs, workflow, version, task_id, started_at_ms, trace_id, cancel_reason, \
           cancelling, cancels, extract(epoch from rhythm._now())::float8 * 1000, 'rhythm'::regnamespace::oid \
         from rhythm._load_step($1)",
        &[Type::UUIDOID],
    ) };
    static SCHEMA: Plan = const { Plan::new("select pg_catalog.to_regnamespace('rhythm')::pg_catalog.oid", &[]) };
    static PROGRAM: Plan = const { Plan::new(
        "select program from rhythm._load_program($1)",
        &[Type::INT8OID],
    ) };
    static TAKE: Plan = const { Plan::new(
        "select seq, promise, ok, value, e ->> 'name', e ->> 'message', e ->> 'code', (e -> 'data')::text, (e -> 'cause')::text \
         from rhythm._take_events($1) cross join lateral (select error::json as e) x order by seq",
        &[Type::UUIDOID],
    ) };
    static APPLY: Plan = const { Plan::new(
        "select rhythm._apply_effects($1, $2::jsonb)",
        &[Type::UUIDOID, Type::TEXTOID],
    ) };
    static STORE: Plan = const { Plan::new(
        "select rhythm._store_save($1, $2, $3, $4)",
        &[Type::UUIDOID, Type::BYTEAOID, Type::INT8ARRAYOID, Type::INT8ARRAYOID],
    ) };
    static SIZES: Plan = const { Plan::new(
        "select name, bytes from rhythm._attribute_sizes($1)",
        &[Type::UUIDOID],
    ) };
    static FINISH: Plan = const { Plan::new(
        "select rhythm._finish_workflow($1, 'completed', $2::jsonb, null)",
        &[Type::UUIDOID, Type::TEXTOID],
    ) };
    static CANCELLED: Plan = const { Plan::new(
        "select rhythm._finish_workflow($1, 'cancelled', null, $2::jsonb)",
        &[Type::UUIDOID, Type::TEXTOID],
    ) };
}

/// Loads an execution; none if it is not there any more.
pub(crate) fn load(id: pgrx::Uuid) -> DbResult<Option<Loaded>> {
    LOAD.with(|plan| {
        plan.query(&[id.into()], |rows| {
            let Some(row) = rows.into_iter().next() else {
                return Ok(None);
            };
            let Some(definition) = row.get(1)? else {
                return Ok(None);
            };
            Ok(Some(Loaded {
                definition,
                save: row.get(2)?,
                inputs: row.get(3)?.unwrap_or_default(),
                workflow: row.get(4)?.unwrap_or_default(),
                version: row.get(5)?.unwrap_or_default(),
                task_id: row.get(6)?,
                started_at_ms: row.get(7)?.unwrap_or_default(),
                trace_id: row.get(8)?,
                cancel_reason: row.get(9)?,
                is_cancelling: row.get(10)?.unwrap_or_default(),
                cancels: row.get(11)?.unwrap_or_default(),
                now_ms: row.get(12)?.unwrap_or_default(),
                schema: row.get::<pg_sys::Oid>(13)?.map_or(0, |oid| oid.to_u32()),
            }))
        })
    })
}

/// The oid of the schema.
pub(crate) fn schema() -> DbResult<u32> {
    SCHEMA.with(|plan| {
        plan.query(&[], |rows| {
            Ok(rows
                .first()
                .get_one::<pg_sys::Oid>()?
                .map_or(0, |oid| oid.to_u32()))
        })
    })
}

/// The compiled program of a definition.
pub(crate) fn program(definition: i64) -> DbResult<Option<Vec<u8>>> {
    PROGRAM.with(|plan| {
        plan.query(&[definition.into()], |rows| match rows.into_iter().next() {
            Some(row) => row.get(1),
            None => Ok(None),
        })
    })
}

/// The events that have arrived, in order. They stay until `store_save` names them.
pub(crate) fn events(id: pgrx::Uuid) -> DbResult<Vec<Event>> {
    TAKE.with(|plan| {
        plan.query(&[id.into()], |rows| {
            rows.into_iter()
                .map(|row| {
                    Ok(Event {
                        seq: row.get(1)?.unwrap_or_default(),
                        promise: row.get(2)?.unwrap_or_default(),
                        ok: row.get(3)?.unwrap_or_default(),
                        value: row.get(4)?,
                        error: match row.get(5)? {
                            Some(name) => Some(Failure {
                                name,
                                message: row.get(6)?.unwrap_or_default(),
                                code: row.get(7)?,
                                data: row.get(8)?,
                                cause: row.get(9)?,
                            }),
                            None => None,
                        },
                    })
                })
                .collect()
        })
    })
}

/// Starts what the step started. True when an event for it is there already.
pub(crate) fn apply_effects(id: pgrx::Uuid, effects: &str) -> DbResult<bool> {
    APPLY.with(|plan| {
        plan.query(&[id.into(), effects.into()], |rows| {
            Ok(rows.first().get_one()?.unwrap_or(false))
        })
    })
}

/// Bytes of each value that an execution has published, by name.
pub(crate) fn attribute_sizes(id: pgrx::Uuid) -> DbResult<HashMap<String, usize>> {
    SIZES.with(|plan| {
        plan.query(&[id.into()], |rows| {
            rows.into_iter()
                .map(|row| {
                    let bytes = row.get::<i32>(2)?.unwrap_or_default();
                    Ok((
                        row.get(1)?.unwrap_or_default(),
                        usize::try_from(bytes).unwrap_or_default(),
                    ))
                })
                .collect()
        })
    })
}

/// Keeps the state, and forgets the events that it holds and the requests to cancel that were told.
pub(crate) fn store_save(id: pgrx::Uuid, save: &[u8], taken: &[i64], told: &[i64]) -> DbResult<()> {
    let args = [
        id.into(),
        save.into(),
        taken.to_vec().into(),
        told.to_vec().into(),
    ];
    STORE.with(|plan| plan.run(&args))
}

/// Ends an execution that has returned `result` (JSON text).
pub(crate) fn complete(id: pgrx::Uuid, result: &str) -> DbResult<()> {
    FINISH.with(|plan| plan.run(&[id.into(), result.into()]))
}

/// Ends an execution that was told to cancel with the error that it ended in (JSON text).
pub(crate) fn cancelled(id: pgrx::Uuid, error: &str) -> DbResult<()> {
    CANCELLED.with(|plan| plan.run(&[id.into(), error.into()]))
}
