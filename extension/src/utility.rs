//! A hook on utility commands: before a database is dropped or copied, its worker has to leave, since Postgres refuses both
//! while anybody is connected (it waits five seconds for stragglers, which is enough).

use std::ffi::c_char;

use pgrx::prelude::*;

use crate::nodes::members;
use crate::shmem::{databases, is_available, notes};

static mut PREVIOUS: pg_sys::ProcessUtility_hook_type = None;

/// Sets the hook.
pub(crate) fn init() {
    // SAFETY: `_PG_init` runs on the only thread; the hook chains to the one that was there.
    unsafe {
        if pg_sys::process_shared_preload_libraries_in_progress {
            PREVIOUS = pg_sys::ProcessUtility_hook;
            pg_sys::ProcessUtility_hook = Some(process);
        }
    }
}

unsafe extern "C-unwind" {
    // Not that of pgrx, which catches errors to raise them anew, and then knows only SQLSTATEs of Postgres' own: a DO block or a
    // CALL would lose those that users and Rhythm make.
    #[link_name = "standard_ProcessUtility"]
    #[allow(clippy::too_many_arguments, reason = "Postgres has them")]
    fn standard(
        statement: *mut pg_sys::PlannedStmt,
        query: *const c_char,
        read_only: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// The hook. Without a guard, for the same reason: errors jump over it, so it holds nothing that would have to be dropped, and
/// what may fail of its own is behind guards.
#[allow(clippy::too_many_arguments, reason = "Postgres has them")]
unsafe extern "C-unwind" fn process(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: Postgres gives valid pointers to a hook, and they are handed on as they came.
    unsafe {
        let is_of_databases = database_command(statement);
        if is_of_databases {
            before(statement);
        }
        let next = PREVIOUS.unwrap_or(standard);
        next(
            statement,
            query,
            read_only,
            context,
            params,
            environment,
            destination,
            completion,
        );
        if is_of_databases {
            after(statement);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn before(statement: *mut pg_sys::PlannedStmt) {
    // SAFETY: as above.
    let database = unsafe { affected_database((*statement).utilityStmt) };
    if database != pg_sys::InvalidOid && is_available() {
        databases::ask_to_leave(database.to_u32());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn after(statement: *mut pg_sys::PlannedStmt) {
    // SAFETY: as above.
    let is_rename = unsafe { (*(*statement).utilityStmt).type_ == pg_sys::NodeTag::T_RenameStmt };
    if !is_rename {
        // Once this is committed a copy gets a worker of its own, and the template its worker back.
        notes::launcher();
    }
}

/// Whether it may be about a database; a rename may also be about anything else.
fn database_command(statement: *mut pg_sys::PlannedStmt) -> bool {
    // SAFETY: as above; nodes begin with their tag.
    unsafe {
        let node = (*statement).utilityStmt;
        !node.is_null()
            && matches!(
                (*node).type_,
                pg_sys::NodeTag::T_DropdbStmt
                    | pg_sys::NodeTag::T_CreatedbStmt
                    | pg_sys::NodeTag::T_AlterDatabaseStmt
                    | pg_sys::NodeTag::T_RenameStmt
            )
    }
}

/// The database that nobody may be connected to while this command runs.
unsafe fn affected_database(node: *mut pg_sys::Node) -> pg_sys::Oid {
    // SAFETY: the tag says which struct it is; names are C strings or null.
    unsafe {
        if node.is_null() {
            return pg_sys::InvalidOid;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_DropdbStmt => by_name((*node.cast::<pg_sys::DropdbStmt>()).dbname),
            pg_sys::NodeTag::T_CreatedbStmt => {
                // Without a TEMPLATE it is template1, where no worker is: templates run nothing.
                members::<pg_sys::DefElem>((*node.cast::<pg_sys::CreatedbStmt>()).options)
                    .find(|option| std::ffi::CStr::from_ptr((**option).defname) == c"template")
                    .map_or(pg_sys::InvalidOid, |option| {
                        by_name(pg_sys::defGetString(option))
                    })
            }
            // SET TABLESPACE, for one.
            pg_sys::NodeTag::T_AlterDatabaseStmt => {
                by_name((*node.cast::<pg_sys::AlterDatabaseStmt>()).dbname)
            }
            pg_sys::NodeTag::T_RenameStmt => {
                let rename = node.cast::<pg_sys::RenameStmt>();
                if (*rename).renameType == pg_sys::ObjectType::OBJECT_DATABASE {
                    by_name((*rename).subname)
                } else {
                    pg_sys::InvalidOid
                }
            }
            _ => pg_sys::InvalidOid,
        }
    }
}

unsafe fn by_name(name: *const c_char) -> pg_sys::Oid {
    if name.is_null() {
        return pg_sys::InvalidOid;
    }
    // SAFETY: a C string of the parse tree; a utility command runs in a transaction, as the lookup needs.
    unsafe { pg_sys::get_database_oid(name, true) }
}
