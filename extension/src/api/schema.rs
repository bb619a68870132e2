//! JSON Schema for the inputs of tasks. Compiled schemas are kept by each backend.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use pgrx::prelude::*;
use rhythm_flow::Source;
use rhythm_flow::schema::{self, Schema};
use serde_json::value::RawValue;

use super::definition::{diagnostics, input_errors};
use super::jsonb::{Jsonb, StoredJsonb};
use crate::process;

/// Schemas that one backend keeps; the one that was not used for longest gives way.
const KEPT: usize = 64;

/// A compiled schema; none where it cannot be used.
type Compiled = Option<Rc<Schema>>;

thread_local! {
    /// By the bytes of the schema, as a name may get another one at any time. The last used is first.
    static SCHEMAS: RefCell<Vec<(Vec<u8>, Compiled)>> = const { RefCell::new(Vec::new()) };
}

/// `_schema_fault(schema)`: null, or what is wrong with it.
#[pg_extern(sql = false)]
fn schema_fault(schema: Jsonb) -> Option<String> {
    Schema::read(&schema.0).err().map(|error| error.to_string())
}

/// `_schema_errors(schema, value)`: null if the value fits, else `[{path, message}]`. What register would refuse
/// fits everything: it comes from another version.
#[pg_extern(sql = false)]
fn schema_errors(schema: StoredJsonb, value: Jsonb) -> Option<Jsonb> {
    let errors = compiled(&schema)?
        .check(&value.0, &mut process::check_interrupts)
        .err()?;
    Some(input_errors(&errors))
}

/// `_call_misfits(file, source, schemas)`: diagnostics of calls whose inputs cannot fit.
#[pg_extern(sql = false)]
fn call_misfits(file: &str, source: &str, schemas: Jsonb) -> Jsonb {
    let source = Source::new(file, source);
    let texts: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&schemas.0).unwrap_or_default();
    let read = |(name, text): (String, Box<RawValue>)| Some((name, Schema::read(text.get()).ok()?));
    let schemas: BTreeMap<String, Schema> = texts.into_iter().filter_map(read).collect();
    let calls = rhythm_flow::check(&source).calls;
    let found = schema::misfits(&calls, |name| schemas.get(name));
    diagnostics(&found, &source)
}

/// `_nearest_name(name, names)`: the one that was probably meant; null: none is near.
#[pg_extern(sql = false)]
fn nearest_name(name: &str, names: Vec<String>) -> Option<String> {
    rhythm_flow::nearest::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

fn compiled(schema: &StoredJsonb) -> Compiled {
    let kept = SCHEMAS.with_borrow_mut(|schemas| {
        let at = schemas
            .iter()
            .position(|(bytes, _)| *bytes == schema.bytes)?;
        schemas[..=at].rotate_right(1);
        Some(schemas[0].1.clone())
    });
    if let Some(kept) = kept {
        return kept;
    }
    let made = Schema::read(&schema.text()).ok().map(Rc::new);
    SCHEMAS.with_borrow_mut(|schemas| {
        schemas.truncate(KEPT - 1);
        schemas.insert(0, (schema.bytes.clone(), made.clone()));
    });
    made
}
