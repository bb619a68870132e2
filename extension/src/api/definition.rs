//! Definitions: compiling, deploying, checking inputs.

use std::ffi::CStr;

use pgrx::prelude::*;
use rhythm_flow::check::NamedKind;
use rhythm_flow::input_type::InputError;
use rhythm_flow::{Diagnostic, Source};

use super::jsonb::Jsonb;
use crate::db::{self, DbResult, deployer};
use crate::engine::{self, json};

/// `_compile(file, source)`: the program, null if there are errors, and all diagnostics.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn compile(
    file: &str,
    source: &str,
) -> TableIterator<
    'static,
    (
        name!(program, Option<Vec<u8>>),
        name!(uses_sql, bool),
        name!(input_type, Option<Jsonb>),
        name!(calls, Vec<String>),
        name!(diagnostics, Jsonb),
    ),
> {
    let source = Source::new(file, source);
    let checked = rhythm_flow::check(&source);
    let diagnostics = diagnostics(&checked.diagnostics, &source);
    let calls = checked.calls.into_iter();
    let calls = calls
        .filter(|call| call.kind == NamedKind::Task && call.inputs.is_some())
        .map(|call| call.name)
        .collect();
    let row = match checked.program {
        Some(program) => {
            let input_type = program
                .input_type()
                .map(|declared| Jsonb(declared.to_json()));
            (
                Some(program.encode()),
                program.uses_sql(),
                input_type,
                calls,
                diagnostics,
            )
        }
        None => (None, false, None, calls, diagnostics),
    };
    TableIterator::once(row)
}

/// Diagnostics as a JSON array.
pub(super) fn diagnostics(found: &[Diagnostic], source: &Source) -> Jsonb {
    Jsonb(list(found, |out, one| write_diagnostic(out, one, source)))
}

fn write_diagnostic(out: &mut String, one: &Diagnostic, source: &Source) {
    let position = source.position(one.span.start);
    out.push_str(&format!(
        "{{\"line\":{},\"col\":{}",
        position.line, position.column
    ));
    let rendered = one.render(source);
    let hint = one.hint.as_deref();
    for (name, text) in [
        ("severity", Some(one.severity.word())),
        ("code", Some(one.code.number())),
        ("message", Some(one.message.as_str())),
        ("hint", hint),
        ("rendered", Some(rendered.as_str())),
    ] {
        if let Some(text) = text {
            json::key(out, name);
            json::quote(out, text);
        }
    }
    out.push('}');
}

/// `_deploy(name, source)`: called as whoever deploys, and stores the version as the owner.
#[pg_extern(sql = false)]
fn deploy(name: Option<&str>, source: Option<&str>) -> DbResult<Jsonb> {
    // SAFETY: both give C strings that live at least as long as this transaction's memory; copied at once.
    let (role, search_path) = unsafe {
        let role = pg_sys::GetUserNameFromId(pg_sys::GetUserId(), false);
        let path = pg_sys::GetConfigOption(c"search_path".as_ptr(), false, false);
        (
            CStr::from_ptr(role).to_string_lossy().into_owned(),
            CStr::from_ptr(path).to_string_lossy().into_owned(),
        )
    };
    deployer::run_as_owner(|| db::definition::deploy(name, source, &role, &search_path)).map(Jsonb)
}

/// `_check_inputs(definition, inputs)`: null if they fit the declared type, else `[{path, message}]`.
#[pg_extern(sql = false)]
fn check_inputs(definition: i64, inputs: Jsonb) -> DbResult<Option<Jsonb>> {
    let schema = db::step::schema()?;
    let program = match engine::program(schema, definition)? {
        Ok(program) => program,
        Err(message) => {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
                format!("cannot read a workflow's program: {message}")
            );
        }
    };
    let Some(Err(errors)) = program
        .input_type()
        .map(|declared| declared.check(&inputs.0))
    else {
        return Ok(None);
    };
    Ok(Some(input_errors(&errors)))
}

/// `[{path, message}]`
pub(super) fn input_errors(errors: &[InputError]) -> Jsonb {
    Jsonb(list(errors, |out, error| {
        out.push('{');
        json::key(out, "path");
        json::quote(out, &error.path);
        json::key(out, "message");
        json::quote(out, &error.message);
        out.push('}');
    }))
}

/// A JSON array.
fn list<T>(items: &[T], mut write: impl FnMut(&mut String, &T)) -> String {
    let mut out = String::from("[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(&mut out, item);
    }
    out.push(']');
    out
}
