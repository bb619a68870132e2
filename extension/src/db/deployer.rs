//! Running SQL as another role: a workflow's SQL as its deployer, a definition's storage as the owner.
//!
//! What is switched here is switched back when the closure returns. When it ends in an error instead, Postgres does that:
//! (sub)transaction abort restores the user and closes the nest level of settings, as for a SECURITY DEFINER function.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::PgBuiltInOids as Type;
use pgrx::prelude::*;

use super::{DbResult, Plan};

/// Who a definition's SQL runs as.
#[derive(Clone)]
pub(crate) struct Deployer {
    pub(crate) role: pg_sys::Oid,
    pub(crate) search_path: String,
    /// `_sql_query`, which the role may not call by its name.
    pub(super) helper: pg_sys::Oid,
}

thread_local! {
    static DEPLOYER: Plan = const { Plan::new(
        "select deployer, search_path, \
           pg_catalog.to_regprocedure('rhythm._sql_query(text,jsonb,boolean)')::pg_catalog.oid \
         from rhythm._load_program($1)",
        &[Type::INT8OID],
    ) };
}

/// Settings that must not depend on the session in which a step happens to run.
const PINNED: [(&CStr, &CStr); 7] = [
    (c"TimeZone", c"UTC"),
    (c"DateStyle", c"ISO, YMD"),
    (c"IntervalStyle", c"iso_8601"),
    (c"bytea_output", c"hex"),
    (c"extra_float_digits", c"1"),
    (c"row_security", c"on"),
    (c"standard_conforming_strings", c"on"),
];

/// The deployer of a definition; none when the role was dropped.
pub(crate) fn of_definition(definition: i64) -> DbResult<Option<Deployer>> {
    DEPLOYER.with(|plan| {
        plan.query(&[definition.into()], |rows| {
            let Some(row) = rows.into_iter().next() else {
                return Ok(None);
            };
            let role: Option<pg_sys::Oid> = row.get(1)?;
            let search_path: Option<String> = row.get(2)?;
            let helper: Option<pg_sys::Oid> = row.get(3)?;
            Ok(role.zip(helper).map(|(role, helper)| Deployer {
                role,
                search_path: search_path.unwrap_or_default(),
                helper,
            }))
        })
    })
}

/// Runs `work` as a deployer, who can neither change the role nor leave anything behind in the session.
pub(crate) fn run_as<R>(deployer: &Deployer, work: impl FnOnce() -> R) -> R {
    let restricted = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
    let search_path = CString::new(deployer.search_path.as_str()).unwrap_or_default();
    switch(deployer.role, restricted, Some(&search_path), work)
}

/// Runs `work` as the owner of everything.
pub(crate) fn run_as_owner<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: a lookup in a transaction; the role was made by the install script.
    let owner = unsafe { pg_sys::get_role_oid(c"rhythm_owner".as_ptr(), false) };
    switch(owner, pg_sys::SECURITY_LOCAL_USERID_CHANGE, None, work)
}

fn switch<R>(
    role: pg_sys::Oid,
    context: u32,
    search_path: Option<&CStr>,
    work: impl FnOnce() -> R,
) -> R {
    let mut user_before = pg_sys::InvalidOid;
    let mut context_before = 0;
    // SAFETY: the order of fmgr_security_definer: user, then a nest level for settings, then the work.
    let level = unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user_before, &mut context_before);
        pg_sys::SetUserIdAndSecContext(role, context_before | context as i32);
        pg_sys::NewGUCNestLevel()
    };
    for (name, value) in PINNED {
        set_locally(name, value);
    }
    set_locally(
        c"search_path",
        search_path.unwrap_or(c"pg_catalog, pg_temp"),
    );
    let result = work();
    // SAFETY: closes what was opened above; as at the end of a function with SET clauses, but that a SET of the work's own
    // (`set_config` is a plain function) is taken back too.
    unsafe {
        pg_sys::AtEOXact_GUC(false, level);
        pg_sys::SetUserIdAndSecContext(user_before, context_before);
    }
    result
}

fn set_locally(name: &CStr, value: &CStr) {
    // SAFETY: both are C strings; GUC_ACTION_SAVE binds the value to the open nest level.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}
