//! Errors of the client as exceptions: the class follows the kind, and code, detail and hint are kept.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rhythm_client::{Error, ErrorKind};
use uuid::Uuid;

/// Returns the exception of `rhythm.errors` for this error.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    let kind = match error.kind {
        ErrorKind::Input => "input",
        ErrorKind::Definition => "definition",
        ErrorKind::Lease => "lease",
        ErrorKind::Control => "control",
        ErrorKind::Limit => "limit",
        ErrorKind::Permission => "permission",
        ErrorKind::Config => "config",
        ErrorKind::Connection => "connection",
        _ => "server",
    };
    let made = py.import("rhythm.errors").and_then(|errors| {
        errors.call_method1(
            "from_native",
            (
                kind,
                &error.message,
                &error.code,
                &error.detail,
                &error.hint,
                error.retryable(),
            ),
        )
    });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Reads an execution's id.
pub(crate) fn uuid(text: &str) -> PyResult<Uuid> {
    text.parse()
        .map_err(|_| PyValueError::new_err(format!("'{text}' is not the id of an execution")))
}
