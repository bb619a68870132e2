//! Shared memory: who waits for what (`waiters`), the databases that a worker serves (`databases`), from where claims look (`floors`),
//! and what a transaction will announce when it commits (`notes`).
//!
//! Everything is allocated when the server starts and made of atomics, since the commit callback runs
//! where an error would take the server down. Knows nothing of tables. Without
//! `shared_preload_libraries` there is no shared memory: then every call here does nothing, and says so.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use pgrx::prelude::*;

pub(crate) mod databases;
pub(crate) mod floors;
pub(crate) mod notes;
pub(crate) mod waiters;

/// All that is shared. Zeroed memory is its empty state.
#[repr(C)]
struct Shared {
    waiters: [waiters::Waiter; waiters::SLOTS],
    /// Slots of `waiters` that were ever used: the first ones, so who wakes need not read the others.
    used: AtomicUsize,
    databases: [databases::Database; databases::SLOTS],
    lookout: databases::Lookout,
    floors: [floors::Place; floors::PLACES],
    /// Whether a floor was ever shared.
    has_floors: AtomicBool,
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// Asks for the memory if the library is being preloaded, and registers the transaction callback.
pub(crate) fn init() {
    // SAFETY: `_PG_init` runs on the only thread; the hooks chain to those that were there.
    unsafe {
        if pg_sys::process_shared_preload_libraries_in_progress {
            PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
            pg_sys::shmem_request_hook = Some(request);
            PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
            pg_sys::shmem_startup_hook = Some(startup);
        }
        pg_sys::RegisterXactCallback(Some(notes::at_end_of_transaction), ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(notes::at_end_of_subtransaction), ptr::null_mut());
    }
}

static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;

#[pg_guard]
unsafe extern "C-unwind" fn request() {
    // SAFETY: called by the postmaster, which has one thread; the hook is as Postgres left it.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST {
            previous();
        }
        pg_sys::RequestAddinShmemSpace(size_of::<Shared>());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn startup() {
    // SAFETY: as above; the memory has the size that was asked for, and all-zero bytes are a valid `Shared`.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP {
            previous();
        }
        let mut found = false;
        let memory = pg_sys::ShmemInitStruct(c"rhythm".as_ptr(), size_of::<Shared>(), &mut found);
        if !found {
            ptr::write_bytes(memory.cast::<u8>(), 0, size_of::<Shared>());
        }
        SHARED.store(memory.cast(), Ordering::Release);
    }
}

/// The shared memory, if the library was preloaded.
fn shared() -> Option<&'static Shared> {
    // SAFETY: the pointer is null, or leads to memory that lives as long as this process, and holds only atomics.
    unsafe { SHARED.load(Ordering::Acquire).as_ref() }
}

/// Whether waiting sessions can be woken.
pub(crate) fn is_available() -> bool {
    shared().is_some()
}

/// The database of this backend.
pub(crate) fn my_database() -> u32 {
    // SAFETY: set once when the backend connects.
    unsafe { pg_sys::MyDatabaseId.to_u32() }
}

/// Sets a latch that was published as an address; 0 is nobody's.
fn set_latch(address: usize) {
    if address != 0 {
        // SAFETY: published latches are those of `PGPROC` entries, which lie in shared memory at the same address in
        // all processes and are never freed. A latch that has changed hands only causes a needless wake-up.
        unsafe { pg_sys::SetLatch(address as *mut pg_sys::Latch) };
    }
}

/// The address of this backend's latch in shared memory.
fn my_latch() -> usize {
    // SAFETY: `MyProc` is set in every process that can call us; `procLatch` is a field of it.
    unsafe { &raw mut (*pg_sys::MyProc).procLatch as usize }
}
