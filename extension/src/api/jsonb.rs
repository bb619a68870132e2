//! `jsonb` as an argument and a result: its text, converted by Postgres itself.
//!
//! pgrx's own `JsonB` goes through a tree that stops at a depth of 128, and loses what a double cannot hold.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::prelude::*;
use pgrx::varlena::varlena_to_byte_slice;
use pgrx::{direct_function_call, direct_function_call_as_datum};

/// The text of a `jsonb`.
pub(super) struct Jsonb(pub(super) String);

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller says that this is a jsonb, whose output function gives a C string in the server's encoding.
        let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)]) };
        text.map(|text| Self(text.to_string_lossy().into_owned()))
    }
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let text = CString::new(self.0).unwrap_or_default();
        // SAFETY: `jsonb_in` takes a C string.
        unsafe { direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the argument is what `sql/native` declares, a jsonb.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above. A null argument is read as the JSON null.
        unsafe {
            arg.unbox_arg_using_from_datum()
                .unwrap_or_else(|| Self("null".into()))
        }
    }
}

// SAFETY: `into_datum` gives a jsonb, as `sql/native` declares.
unsafe impl BoxRet for Jsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: a datum in the caller's memory context.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

pgrx::impl_sql_translatable!(Jsonb, "jsonb");

/// A `jsonb` as it is stored: equal bytes are equal values, and its text is made only when it is wanted.
pub(super) struct StoredJsonb {
    datum: pg_sys::Datum,
    pub(super) bytes: Vec<u8>,
}

impl StoredJsonb {
    /// Its text.
    pub(super) fn text(&self) -> String {
        // SAFETY: the datum of an argument lives as long as the call.
        let text = unsafe { Jsonb::from_polymorphic_datum(self.datum, false, pg_sys::JSONBOID) };
        text.map_or_else(|| "null".into(), |text| text.0)
    }
}

impl FromDatum for StoredJsonb {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller says that this is a jsonb, which is a varlena; detoasted, it is one piece of memory.
        let bytes = unsafe {
            let whole = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            varlena_to_byte_slice(whole).to_vec()
        };
        Some(Self { datum, bytes })
    }
}

// SAFETY: the argument is what `sql/native` declares, a jsonb, of a strict function.
unsafe impl<'fcx> ArgAbi<'fcx> for StoredJsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        unsafe {
            arg.unbox_arg_using_from_datum().unwrap_or_else(|| Self {
                datum: pg_sys::Datum::from(0_usize),
                bytes: Vec::new(),
            })
        }
    }
}

pgrx::impl_sql_translatable!(StoredJsonb, "jsonb");

/// A `jsonb` in its stored form, for as long as the call; none if it was null.
pub(super) struct BorrowedJsonb(Option<NonNull<pg_sys::Jsonb>>);

impl BorrowedJsonb {
    /// Its outermost container.
    pub(super) fn root(&self) -> Option<*mut pg_sys::JsonbContainer> {
        // SAFETY: a detoasted jsonb, in the memory context of the call.
        self.0
            .map(|whole| unsafe { &raw mut (*whole.as_ptr()).root })
    }
}

impl FromDatum for BorrowedJsonb {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller says that this is a jsonb, which is a varlena; detoasted, it is one piece of memory.
        let whole = unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) };
        Some(Self(NonNull::new(whole.cast())))
    }
}

// SAFETY: the argument is what `sql/native` declares, a jsonb.
unsafe impl<'fcx> ArgAbi<'fcx> for BorrowedJsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum().unwrap_or(Self(None)) }
    }
}

pgrx::impl_sql_translatable!(BorrowedJsonb, "jsonb");
