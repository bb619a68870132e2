//! `_sql_analyze(query)`: what a query of a workflow means, before it is run.
//!
//! A program's values are JSON. Postgres itself infers the types of `$1`, `$2` …, and each is replaced by a cast from one
//! JSON array, so that a query needs no types written into it and no value is ever concatenated into SQL.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::jsonb::Jsonb;
use super::placeholders;
use crate::engine::json;
use crate::engine::near::ROWS;
use crate::nodes::members;

/// The functions that take, try or release advisory locks of a session. Their oids are fixed in all versions.
const SESSION_LOCKS: std::ops::RangeInclusive<u32> = 2880..=2892;

/// Commands that would act on the session or the transaction in which a step happens to run.
const REFUSED: [(pg_sys::NodeTag, &str); 13] = [
    (
        pg_sys::NodeTag::T_TransactionStmt,
        "BEGIN, COMMIT, ROLLBACK or SAVEPOINT",
    ),
    (pg_sys::NodeTag::T_VariableSetStmt, "SET or RESET"),
    (pg_sys::NodeTag::T_DiscardStmt, "DISCARD"),
    (pg_sys::NodeTag::T_PrepareStmt, "PREPARE"),
    (pg_sys::NodeTag::T_ExecuteStmt, "EXECUTE"),
    (pg_sys::NodeTag::T_DeallocateStmt, "DEALLOCATE"),
    (pg_sys::NodeTag::T_ListenStmt, "LISTEN"),
    (pg_sys::NodeTag::T_UnlistenStmt, "UNLISTEN"),
    (pg_sys::NodeTag::T_DeclareCursorStmt, "DECLARE"),
    (pg_sys::NodeTag::T_FetchStmt, "FETCH"),
    (pg_sys::NodeTag::T_ClosePortalStmt, "CLOSE"),
    (pg_sys::NodeTag::T_CopyStmt, "COPY"),
    (pg_sys::NodeTag::T_LoadStmt, "LOAD"),
];

/// `_sql_analyze(query)`: `{text, params, returns_rows, most_bytes, string_columns}`, where `text` takes the parameters as one jsonb,
/// and `most_bytes` is what its rows may have.
#[pg_extern(sql = false)]
fn sql_analyze(query: &str) -> Jsonb {
    let source = CString::new(query).unwrap_or_default();
    // SAFETY: parse trees are read only, in the memory context in which the parser made them.
    let analyzed = unsafe { analyze(&source) };
    let text = placeholders::replace(analyzed.statement, |number| {
        number
            .checked_sub(1)
            .and_then(|index| analyzed.casts.get(index))
            .cloned()
            .unwrap_or_else(|| format!("${number}"))
    });
    let mut out = String::from("{");
    json::key(&mut out, "text");
    json::quote(&mut out, &text);
    out.push_str(&format!(
        ",\"params\":{},\"returns_rows\":{},\"most_bytes\":{ROWS},\"string_columns\":[",
        analyzed.casts.len(),
        analyzed.returns_rows
    ));
    for (index, column) in analyzed.string_columns.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        json::quote(&mut out, column);
    }
    out.push_str("]}");
    Jsonb(out)
}

/// What is known of a query.
struct Analyzed<'a> {
    /// The one statement, without a semicolon and what follows it.
    statement: &'a str,
    /// For each parameter the expression that takes it from the JSON array `$1`.
    casts: Vec<String>,
    returns_rows: bool,
    string_columns: Vec<String>,
}

unsafe fn analyze(source: &CStr) -> Analyzed<'_> {
    // SAFETY: see the caller. Node tags say which struct a node is.
    unsafe {
        let parsed: Vec<*mut pg_sys::RawStmt> =
            members(pg_sys::pg_parse_query(source.as_ptr())).collect();
        let [raw] = parsed[..] else {
            refuse(
                &format!(
                    "a workflow's SQL is one statement at a time, not {}",
                    parsed.len()
                ),
                "Call Sql.query or Sql.exec once for each statement.",
            );
        };
        let statement = statement_text(source, raw);
        let node = (*raw).stmt;
        if is_plannable((*node).type_) {
            return analyze_plannable(source, raw, statement);
        }
        if let Some((_, words)) = REFUSED.iter().find(|(tag, _)| *tag == (*node).type_) {
            refuse(
                &format!("a workflow's SQL cannot run {words}"),
                "A step runs in a transaction that belongs to Rhythm, in a session that belongs to somebody else.",
            );
        }
        Analyzed {
            statement,
            casts: Vec::new(),
            returns_rows: pg_sys::UtilityReturnsTuples(node),
            string_columns: Vec::new(),
        }
    }
}

unsafe fn analyze_plannable<'a>(
    source: &'a CStr,
    raw: *mut pg_sys::RawStmt,
    statement: &'a str,
) -> Analyzed<'a> {
    // SAFETY: see `sql_analyze`. The parser replaces the array of types by larger ones of its own.
    unsafe {
        let mut types: *mut pg_sys::Oid = std::ptr::null_mut();
        let mut count = 0;
        let query = pg_sys::parse_analyze_varparams(
            raw,
            source.as_ptr(),
            &mut types,
            &mut count,
            std::ptr::null_mut(),
        );
        refuse_session_locks(query);
        let is_select = (*query).commandType == pg_sys::CmdType::CMD_SELECT;
        let columns = if is_select {
            (*query).targetList
        } else {
            (*query).returningList
        };
        let string_columns = members::<pg_sys::TargetEntry>(columns)
            .filter(|&entry| !(*entry).resjunk && !(*entry).resname.is_null())
            .filter(|&entry| is_numeric(pg_sys::exprType((*entry).expr.cast())))
            .map(|entry| text((*entry).resname))
            .collect();
        let casts = (0..usize::try_from(count).unwrap_or(0))
            .map(|index| cast(index, *types.add(index)))
            .collect();
        Analyzed {
            statement,
            casts,
            returns_rows: is_select || !columns.is_null(),
            string_columns,
        }
    }
}

fn is_plannable(tag: pg_sys::NodeTag) -> bool {
    matches!(
        tag,
        pg_sys::NodeTag::T_SelectStmt
            | pg_sys::NodeTag::T_InsertStmt
            | pg_sys::NodeTag::T_UpdateStmt
            | pg_sys::NodeTag::T_DeleteStmt
            | pg_sys::NodeTag::T_MergeStmt
    )
}

/// The text of the statement itself.
unsafe fn statement_text(source: &CStr, raw: *mut pg_sys::RawStmt) -> &str {
    // SAFETY: `raw` is a parsed statement of this text.
    let (start, length) = unsafe { ((*raw).stmt_location, (*raw).stmt_len) };
    let text = source.to_str().unwrap_or_default();
    let rest = text
        .get(usize::try_from(start).unwrap_or(0)..)
        .unwrap_or_default();
    match usize::try_from(length) {
        Ok(length) if length > 0 => rest.get(..length).unwrap_or(rest),
        _ => rest,
    }
}

/// A lock of the session would outlive the step, and a release could take somebody else's.
unsafe fn refuse_session_locks(query: *mut pg_sys::Query) {
    // SAFETY: a valid node; the text is made in the current memory context. Its form is internal, but "funcid" followed by
    // the number has been there in every version that is supported; walking the tree needs a callback for each of them.
    let tree = unsafe { CStr::from_ptr(pg_sys::nodeToString(query.cast())) }.to_bytes();
    let mark = b":funcid 28";
    let found = tree
        .windows(mark.len() + 2)
        .filter(|window| window.starts_with(mark))
        .any(|window| {
            std::str::from_utf8(&window[mark.len() - 2..])
                .ok()
                .and_then(|digits| digits.parse().ok())
                .is_some_and(|oid| SESSION_LOCKS.contains(&oid))
        });
    if found {
        refuse(
            "a workflow's SQL cannot use advisory locks of the session",
            "Use pg_advisory_xact_lock, which the end of the transaction releases.",
        );
    }
}

/// The expression that takes parameter `index` from the JSON array `$1`. JSON's null is SQL's null.
unsafe fn cast(index: usize, of: pg_sys::Oid) -> String {
    let scalar = format!("($1 operator(pg_catalog.->>) {index})");
    let value = format!("($1 operator(pg_catalog.->) {index})");
    // SAFETY: lookups of a type that the parser has just inferred.
    let (name, element, element_name) = unsafe {
        let base = pg_sys::getBaseType(of);
        let element = pg_sys::get_element_type(base);
        let element_name = if element == pg_sys::InvalidOid {
            String::new()
        } else {
            type_name(element)
        };
        (type_name(of), element, element_name)
    };
    if of == pg_sys::JSONOID || of == pg_sys::JSONBOID {
        return format!(
            "(case when pg_catalog.jsonb_typeof({value}) <> 'null' then {value} end)::{name}"
        );
    }
    if element != pg_sys::InvalidOid {
        let from = if element == pg_sys::JSONOID || element == pg_sys::JSONBOID {
            ""
        } else {
            "_text"
        };
        return format!(
            "(case pg_catalog.jsonb_typeof({value}) when 'array' then array(select e.v::{element_name} \
             from pg_catalog.jsonb_array_elements{from}({value}) with ordinality as e (v, n) order by e.n)::{name} \
             else {scalar}::{name} end)"
        );
    }
    // SAFETY: as above.
    if unsafe { pg_sys::get_typtype(of) } as u8 == pg_sys::TYPTYPE_COMPOSITE {
        return format!(
            "(case pg_catalog.jsonb_typeof({value}) when 'object' then \
             pg_catalog.jsonb_populate_record(null::{name}, {value}) else {scalar}::{name} end)"
        );
    }
    format!("{scalar}::{name}")
}

unsafe fn type_name(of: pg_sys::Oid) -> String {
    // SAFETY: gives a C string in the current memory context.
    unsafe { text(pg_sys::format_type_be_qualified(of)) }
}

unsafe fn text(of: *const std::ffi::c_char) -> String {
    // SAFETY: the caller has a C string.
    unsafe { CStr::from_ptr(of) }.to_string_lossy().into_owned()
}

/// Whether values of this type are numbers that a double does not hold, or arrays of them.
unsafe fn is_numeric(of: pg_sys::Oid) -> bool {
    // SAFETY: a lookup of a type.
    let base = unsafe { pg_sys::getBaseType(of) };
    base == pg_sys::NUMERICOID || base == pg_sys::NUMERICARRAYOID
}

fn refuse(message: &str, hint: &'static str) -> ! {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        message.to_owned(),
        "sql_analyze",
    )
    .set_hint(hint)
    .report(PgLogLevel::ERROR);
    unreachable!("an error report does not return")
}
