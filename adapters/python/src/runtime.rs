//! The threads that talk to the server. They start at the first call and, since threads do not survive a fork, again
//! in a forked process. A worker has a runtime of its own (`worker`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pyo3::PyResult;
use pyo3::exceptions::PyOSError;
use tokio::runtime::{Builder, Runtime};

/// One for each process id that this memory image has had. A runtime of a parent process is never dropped, because its
/// threads are not here to be joined.
static RUNTIMES: Mutex<Option<HashMap<u32, &'static Runtime>>> = Mutex::new(None);

/// Returns this process' runtime.
pub(crate) fn runtime() -> PyResult<&'static Runtime> {
    let mut runtimes = RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner);
    let runtimes = runtimes.get_or_insert_with(HashMap::new);
    let process = std::process::id();
    if let Some(runtime) = runtimes.get(&process) {
        return Ok(runtime);
    }
    // Two threads are plenty: they only move bytes.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("rhythm")
        .enable_all()
        .build()
        .map_err(|error| PyOSError::new_err(error.to_string()))?;
    Ok(runtimes
        .entry(process)
        .or_insert(Box::leak(Box::new(runtime))))
}
