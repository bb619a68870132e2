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
    /// Whether it does not wait yet: its first step, or the first after a retry.
    pub(crate) is_pending: bool,
    /// The requests to cancel that this step tells its program.
    pub(crate) cancels: Vec<i64>,
    /// Of an attempt that begins where others were: the number of its first promise.
    pub(crate) first_promise: Option<i32>,
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
           cancelling, cancels, 'rhythm'::regnamespace::oid, id, first_promise, pending \
         from rhythm._load_steps($1)",
        &[Type::UUIDARRAYOID],
    ) };
    static SCHEMA: Plan = const { Plan::new("select pg_catalog.to_regnamespace('rhythm')::pg_catalog.oid", &[]) };
    static PROGRAM: Plan = const { Plan::new(
        "select program from rhythm._load_program($1)",
        &[Type::INT8OID],
    ) };
    static TAKE: Plan = const { Plan::new(
        "select execution_id, seq, promise, ok, value, e ->> 'name', e ->> 'message', e ->> 'code', (e -> 'data')::text, \
           (e -> 'cause')::text \
         from rhythm._take_events($1) cross join lateral (select error::json as e) x order by execution_id, seq",
        &[Type::UUIDARRAYOID],
    ) };
    static WRITE: Plan = const { Plan::new(
        "select rhythm._write_steps($1, $2::jsonb, $3, $4::jsonb[], $5::jsonb[], $6, $7, $8, $9)",
        &[
            Type::UUIDARRAYOID,
            Type::TEXTOID,
            Type::BYTEAARRAYOID,
            Type::TEXTARRAYOID,
            Type::TEXTARRAYOID,
            Type::UUIDARRAYOID,
            Type::INT8ARRAYOID,
            Type::INT8ARRAYOID,
            Type::UUIDARRAYOID,
        ],
    ) };
    static KEEP: Plan = const { Plan::new(
        "select rhythm._keep_states($1, $2)",
        &[Type::UUIDARRAYOID, Type::INT4OID],
    ) };
    static SIZES: Plan = const { Plan::new(
        "select name, bytes from rhythm._attribute_sizes($1)",
        &[Type::UUIDOID],
    ) };
}

/// Loads executions; without those that are not there any more.
pub(crate) fn load(ids: &[pgrx::Uuid]) -> DbResult<HashMap<pgrx::Uuid, Loaded>> {
    LOAD.with(|plan| {
        plan.query(&[ids.to_vec().into()], |rows| {
            let mut found = HashMap::with_capacity(ids.len());
            for row in rows {
                let (Some(id), Some(definition)) = (row.get(13)?, row.get(1)?) else {
                    continue;
                };
                let loaded = Loaded {
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
                    schema: row.get::<pg_sys::Oid>(12)?.map_or(0, |oid| oid.to_u32()),
                    first_promise: row.get(14)?,
                    is_pending: row.get(15)?.unwrap_or_default(),
                };
                found.insert(id, loaded);
            }
            Ok(found)
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

/// The events of executions that have arrived, in order. They stay until `write` names them.
pub(crate) fn events(ids: &[pgrx::Uuid]) -> DbResult<HashMap<pgrx::Uuid, Vec<Event>>> {
    TAKE.with(|plan| {
        plan.query(&[ids.to_vec().into()], |rows| {
            let mut found: HashMap<pgrx::Uuid, Vec<Event>> = HashMap::with_capacity(ids.len());
            for row in rows {
                let Some(id) = row.get(1)? else { continue };
                let event = Event {
                    seq: row.get(2)?.unwrap_or_default(),
                    promise: row.get(3)?.unwrap_or_default(),
                    ok: row.get(4)?.unwrap_or_default(),
                    value: row.get(5)?,
                    error: match row.get(6)? {
                        Some(name) => Some(Failure {
                            name,
                            message: row.get(7)?.unwrap_or_default(),
                            code: row.get(8)?,
                            data: row.get(9)?,
                            cause: row.get(10)?,
                        }),
                        None => None,
                    },
                };
                found.entry(id).or_default().push(event);
            }
            Ok(found)
        })
    })
}

/// What has become of a step.
pub(crate) enum Written {
    /// It waits, in this state.
    Save(Vec<u8>),
    /// It has returned this (JSON text).
    Result(String),
    /// It was told to cancel, and has ended in this error (JSON text).
    Cancelled(String),
}

/// What is to be written of several steps.
#[derive(Default)]
pub(crate) struct Writes {
    ids: Vec<pgrx::Uuid>,
    effects: Vec<Option<String>>,
    saves: Vec<Option<Vec<u8>>>,
    results: Vec<Option<String>>,
    errors: Vec<Option<String>>,
    taken_by: Vec<pgrx::Uuid>,
    taken: Vec<i64>,
    told: Vec<i64>,
    begun: Vec<pgrx::Uuid>,
    bytes: usize,
}

impl Writes {
    /// Adds a step: the events that it took, what it wants from the world, what has become of it, the requests to cancel
    /// that it told its program, and whether it did not wait before.
    pub(crate) fn add(
        &mut self,
        id: pgrx::Uuid,
        taken: &[i64],
        effects: Option<String>,
        written: Written,
        told: &[i64],
        is_pending: bool,
    ) {
        let (save, result, error) = match written {
            Written::Save(save) => (Some(save), None, None),
            Written::Result(result) => (None, Some(result), None),
            Written::Cancelled(error) => (None, None, Some(error)),
        };
        self.bytes += effects.as_ref().map_or(0, String::len)
            + save.as_ref().map_or(0, Vec::len)
            + result.as_ref().map_or(0, String::len);
        self.ids.push(id);
        self.effects.push(effects);
        if save.is_some() {
            self.taken_by.extend(taken.iter().map(|_| id));
            self.taken.extend(taken);
            self.told.extend(told);
            self.begun.extend(is_pending.then_some(id));
        }
        self.saves.push(save);
        self.results.push(result);
        self.errors.push(error);
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes it all; gives those for which an event is there already. Of those that wait the last `kept` states are kept.
    pub(crate) fn write(self, kept: i32) -> DbResult<Vec<pgrx::Uuid>> {
        if self.ids.is_empty() {
            return Ok(Vec::new());
        }
        let waiting: Option<Vec<pgrx::Uuid>> = (kept > 0).then(|| {
            let each = self.ids.iter().zip(&self.saves);
            each.filter_map(|(id, save)| save.as_ref().map(|_| *id))
                .collect()
        });
        let effects = self.effects.iter().any(Option::is_some).then(|| {
            let each: Vec<&str> = self
                .effects
                .iter()
                .map(|one| one.as_deref().unwrap_or("null"))
                .collect();
            format!("[{}]", each.join(","))
        });
        let args = [
            self.ids.into(),
            effects.into(),
            self.saves.into(),
            self.results.into(),
            self.errors.into(),
            self.taken_by.into(),
            self.taken.into(),
            self.told.into(),
            self.begun.into(),
        ];
        let news = WRITE.with(|plan| {
            plan.query(&args, |rows| {
                Ok(rows.first().get_one()?.unwrap_or_default())
            })
        })?;
        if let Some(waiting) = waiting
            && !waiting.is_empty()
        {
            KEEP.with(|plan| plan.query(&[waiting.into(), kept.into()], |_| Ok(())))?;
        }
        Ok(news)
    }
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
