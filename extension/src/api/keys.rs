//! Which keys the objects of a JSON array have. Reads the stored form of the array, without a copy of any value.

use std::slice;

use pgrx::pg_sys::{JsonbIteratorToken, jbvType};
use pgrx::prelude::*;

use super::jsonb::BorrowedJsonb;

/// `_stray_key(items, keys)`: the place, from 1, of the first item that is no object, or has a key that is none of these.
#[pg_extern(sql = false)]
fn stray_key(items: BorrowedJsonb, keys: Array<'_, &str>) -> Option<i32> {
    let keys: Vec<&str> = keys.iter().flatten().collect();
    let root = items.root()?;
    let mut at = 0;
    // SAFETY: the root of a whole jsonb; the values are used before the iterators go on.
    unsafe {
        each(root, JsonbIteratorToken::WJB_ELEM, &mut |item| {
            at += 1;
            if item.type_ != jbvType::jbvBinary {
                return true;
            }
            let object = item.val.binary.data;
            let is_object = (*object).header & pg_sys::JB_FOBJECT != 0;
            !is_object
                || each(object, JsonbIteratorToken::WJB_KEY, &mut |key| {
                    let name = key.val.string;
                    let length = usize::try_from(name.len).unwrap_or(0);
                    let name = slice::from_raw_parts(name.val.cast::<u8>(), length);
                    keys.iter().all(|key| key.as_bytes() != name)
                })
        })
        .then_some(at)
    }
}

/// Goes through what stands directly in a container, until `found` says true, which is given back.
///
/// # Safety
/// The container belongs to a whole jsonb, and `wanted` is what it holds: elements or keys.
unsafe fn each(
    container: *mut pg_sys::JsonbContainer,
    wanted: JsonbIteratorToken::Type,
    found: &mut dyn FnMut(&pg_sys::JsonbValue) -> bool,
) -> bool {
    // SAFETY: as the caller says. With `skipNested` containers inside come as values, so the iterator never goes deeper; a freed iterator
    // is null, after WJB_DONE only.
    unsafe {
        let mut iterator = pg_sys::JsonbIteratorInit(container);
        let mut value: pg_sys::JsonbValue = std::mem::zeroed();
        loop {
            let token = pg_sys::JsonbIteratorNext(&raw mut iterator, &raw mut value, true);
            if token == JsonbIteratorToken::WJB_DONE {
                return false;
            }
            if token == wanted && found(&value) {
                return true;
            }
        }
    }
}
