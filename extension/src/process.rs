//! What a step needs of the process that it runs in: interrupts, randomness, and a net under the VM.
//!
//! Knows nothing of tables or of the language.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

/// Lets a query cancel, a timeout or the end of the server stop what runs: as a Postgres error, which unwinds from here.
pub(crate) fn check_interrupts() {
    pgrx::check_for_interrupts!();
}

/// Random bytes from the server's cryptographic source.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // SAFETY: the buffer has the length that is given.
    let is_good = unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), N) };
    if !is_good {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            "could not generate random bytes"
        );
    }
    bytes
}

/// Runs `work`, and turns a Rust panic (a bug of ours) into its message. Errors of Postgres pass through.
pub(crate) fn catch_panic<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_rust_panic(|cause| match cause {
            CaughtError::RustPanic { ereport, .. } => Err(ereport.message().to_owned()),
            other => other.rethrow(),
        })
        .execute()
}
