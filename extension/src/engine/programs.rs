//! Compiled programs, kept by each backend: a definition never changes, so a program is decoded once.

use std::cell::RefCell;
use std::sync::Arc;

use rhythm_flow::Program;

use crate::db::{DbResult, step as store};

/// Programs that one backend keeps; the one that was not used for longest gives way.
const KEPT: usize = 64;

/// What a program is kept by. The schema's oid is part of it: after DROP and CREATE EXTENSION definitions count from one
/// again.
type Key = (u32, i64);

thread_local! {
    /// The last used is first.
    static PROGRAMS: RefCell<Vec<(Key, Arc<Program>)>> = const { RefCell::new(Vec::new()) };
}

/// The program of a definition. The inner error says that it is missing or cannot be read.
pub(crate) fn program(schema: u32, definition: i64) -> DbResult<Result<Arc<Program>, String>> {
    let key = (schema, definition);
    let kept = PROGRAMS.with_borrow_mut(|programs| {
        let at = programs.iter().position(|(one, _)| *one == key)?;
        programs[..=at].rotate_right(1);
        Some(Arc::clone(&programs[0].1))
    });
    if let Some(program) = kept {
        return Ok(Ok(program));
    }
    let Some(bytes) = store::program(definition)? else {
        return Ok(Err(format!("definition {definition} is missing")));
    };
    Ok(Program::decode(&bytes)
        .map(Arc::new)
        .map_err(|fault| fault.to_string())
        .inspect(|program| {
            PROGRAMS.with_borrow_mut(|programs| {
                programs.truncate(KEPT - 1);
                programs.insert(0, (key, Arc::clone(program)));
            });
        }))
}
