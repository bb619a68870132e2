//! Tells a cancel of this session from an error with the same SQLSTATE (57014) that the SQL of a step raises itself: that of a
//! foreign server whose own `statement_timeout` has struck, say.
//!
//! Once such an error is caught, nothing of it says where it came from: the flag of a cancel is gone when the server raises it. So who
//! raises is looked at while it is raised, by a callback as those that write the CONTEXT of errors. Only `ProcessInterrupts`
//! raises what a user, `statement_timeout` or the step's own timer (`timer`) has asked for.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::prelude::*;

/// Whether the server has raised a cancel since `watch` began.
static RAISED: AtomicBool = AtomicBool::new(false);

/// Runs SQL; whether a cancel was raised in it `is_raised` says.
pub(crate) fn watch<R>(work: impl FnOnce() -> R) -> R {
    RAISED.store(false, Ordering::Relaxed);
    // SAFETY: the stack of callbacks is this process's own.
    let before = unsafe { pg_sys::error_context_stack };
    let mut callback = pg_sys::ErrorContextCallback {
        previous: before,
        callback: Some(look),
        arg: std::ptr::null_mut(),
    };
    // Goes before the callback does, also when the work ends in an error.
    let _set = Set(before);
    // SAFETY: the callback lives as long as it is on the stack.
    unsafe { pg_sys::error_context_stack = &raw mut callback };
    work()
}

/// A callback that is on the stack of callbacks, above this one.
struct Set(*mut pg_sys::ErrorContextCallback);

impl Drop for Set {
    fn drop(&mut self) {
        // SAFETY: what was there before is still there.
        unsafe { pg_sys::error_context_stack = self.0 };
    }
}

/// Whether the server itself has raised a cancel.
pub(crate) fn is_raised() -> bool {
    RAISED.load(Ordering::Relaxed)
}

/// Called for each error, warning and notice while it is raised.
#[pg_guard]
unsafe extern "C-unwind" fn look(_unused: *mut c_void) {
    // SAFETY: there is an error that is being raised, with the place that raises it. It is copied where it does not stay.
    unsafe {
        if pg_sys::geterrcode() != PgSqlErrorCode::ERRCODE_QUERY_CANCELED as i32 {
            return;
        }
        let context = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = pg_sys::TopMemoryContext;
        let error = pg_sys::CopyErrorData();
        let raiser = (*error).funcname;
        if !raiser.is_null() && CStr::from_ptr(raiser) == c"ProcessInterrupts" {
            RAISED.store(true, Ordering::Relaxed);
        }
        pg_sys::FreeErrorData(error);
        pg_sys::CurrentMemoryContext = context;
    }
}
