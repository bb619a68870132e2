//! Reading the server's lists of nodes (pgrx's own list type needs C code compiled besides).

use pgrx::prelude::*;

/// The members of a list of pointers; none for NIL.
///
/// # Safety
/// The list is null or valid, and holds pointers to `T`, for as long as the result is used.
pub(crate) unsafe fn members<T>(list: *const pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: said by the caller.
    let (cells, count) = match unsafe { list.as_ref() } {
        Some(list) => (list.elements, usize::try_from(list.length).unwrap_or(0)),
        None => (std::ptr::null_mut(), 0),
    };
    // SAFETY: `elements` holds `length` cells.
    (0..count).map(move |index| unsafe { (*cells.add(index)).ptr_value.cast() })
}
