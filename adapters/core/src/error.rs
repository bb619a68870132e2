//! What can go wrong between a client and the database, in kinds by SQLSTATE.

use std::fmt;

/// Whose move it is. The ranges of `RH` codes are those of the table in `sql/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is wrong (`RH0..`), or is refused by the database itself.
    Input,
    /// A workflow's definition is wrong or is not there (`RH1..`).
    Definition,
    /// A queue, a claim or a lease (`RH2..`).
    Lease,
    /// The execution is not there, or is in a state that does not allow the call (`RH3..`).
    Control,
    /// A limit was exceeded (`RH9..`).
    Limit,
    /// The role may not do this.
    Permission,
    /// The connection string or the environment is wrong.
    Config,
    /// The server cannot be reached, or the connection broke.
    Connection,
    /// The server failed, or answered with what this client does not understand.
    Server,
}

/// An error with what the server said about it.
#[derive(Clone, Debug)]
pub struct Error {
    /// Whose move it is.
    pub kind: ErrorKind,
    /// The SQLSTATE, where the server gave one.
    pub code: Option<String>,
    /// What went wrong.
    pub message: String,
    /// More facts, such as all diagnostics of a workflow.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// The result of every call.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without code, detail and hint.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the same call may succeed a moment later, without anybody doing anything: the
    /// server restarts, a standby is promoted, two transactions met.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match (self.kind, self.code.as_deref()) {
            (ErrorKind::Connection, _) => true,
            // Serialisation failure, deadlock, a lock that was not got in time; a standby that is
            // not promoted yet; a server that lacks memory, disk or slots.
            (_, Some("40001" | "40P01" | "55P03" | "25006")) => true,
            (_, Some(code)) => code.starts_with("53"),
            _ => false,
        }
    }

    /// Whether the connection broke, or could not be made.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        self.kind == ErrorKind::Connection
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.code {
            Some(code) => write!(f, " [{code}]"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // Without an answer of the server, the way to it is broken; only values that cannot
            // be converted are not.
            let text = match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            };
            let conversion = text.starts_with("error deserializing column")
                || text.starts_with("error serializing parameter");
            if text.contains("invalid peer certificate") || text.contains("does not support TLS") {
                return Self::new(ErrorKind::Config, text)
                    .hint("Correct sslmode or sslrootcert, or the server's certificate.");
            }
            // The server wants one that nobody has given: asking again changes nothing.
            if text.contains("password missing") {
                return Self::new(ErrorKind::Config, "the server asks for a password")
                    .hint("Give it in the URL, in PGPASSWORD, or in ~/.pgpass, which others must not be able to read.");
            }
            let kind = if conversion {
                ErrorKind::Server
            } else {
                ErrorKind::Connection
            };
            return Self::new(kind, text);
        };
        let code = db.code().code();
        // No such schema, no such function.
        if matches!(code, "3F000" | "42883") && db.message().contains("rhythm") {
            let mut error = Self::new(
                ErrorKind::Config,
                "the database has no extension rhythm, or an old one",
            );
            error.code = Some(code.to_owned());
            error.detail = Some(db.message().to_owned());
            return error.hint("Run `create extension rhythm` in it as a superuser.");
        }
        Self {
            kind: kind_of(code),
            code: Some(code.to_owned()),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            hint: db.hint().map(str::to_owned),
        }
    }
}

fn kind_of(code: &str) -> ErrorKind {
    match (
        code.get(..2).unwrap_or_default(),
        code.get(..3).unwrap_or_default(),
    ) {
        (_, "RH0") => ErrorKind::Input,
        (_, "RH1") => ErrorKind::Definition,
        (_, "RH2") => ErrorKind::Lease,
        (_, "RH3") => ErrorKind::Control,
        (_, "RH9") => ErrorKind::Limit,
        // A value that a type refuses, or that a constraint does.
        ("22" | "23", _) => ErrorKind::Input,
        _ if code == "42501" => ErrorKind::Permission,
        // Connection exception, shutdown and crash of the server (and the server that is not ready
        // yet, 57P03); too many connections. Not 57014: that is a cancelled query.
        ("08", _) => ErrorKind::Connection,
        ("57", "57P") | ("53", "533") => ErrorKind::Connection,
        // A role or a database that does not exist, a wrong password.
        ("28", _) | ("3D", _) => ErrorKind::Config,
        _ => ErrorKind::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_code() {
        assert_eq!(kind_of("RH001"), ErrorKind::Input);
        assert_eq!(kind_of("RH101"), ErrorKind::Definition);
        assert_eq!(kind_of("RH901"), ErrorKind::Limit);
        assert_eq!(kind_of("57P03"), ErrorKind::Connection);
        assert_eq!(kind_of("57014"), ErrorKind::Server);
        assert_eq!(kind_of("53300"), ErrorKind::Connection);
        assert_eq!(kind_of("28P01"), ErrorKind::Config);
        assert_eq!(kind_of("XX000"), ErrorKind::Server);
    }
}
