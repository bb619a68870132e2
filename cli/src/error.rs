//! What went wrong, for a person: message, detail, hint, and the kind that becomes the exit code.

use std::fmt;
use std::process::ExitCode;

/// Whose move it is. Scripts tell the kinds apart by the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request cannot be done as it stands: a wrong file, an unknown id, a failed execution.
    User,
    /// The command line itself is wrong.
    Usage,
    /// The server cannot be reached, or failed.
    Server,
}

/// An error as the command prints it.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) kind: Kind,
    /// SQLSTATE, where the server gave one.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
}

/// The result of everything in this crate that can fail.
pub(crate) type Result<T> = std::result::Result<T, CliError>;

impl CliError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    pub(crate) fn user(message: impl Into<String>) -> Self {
        Self::new(Kind::User, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn server(message: impl Into<String>) -> Self {
        Self::new(Kind::Server, message)
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says more, behind what the detail says already.
    pub(crate) fn add_detail(mut self, more: &str) -> Self {
        self.detail = Some(match self.detail {
            Some(detail) => format!("{detail} {more}"),
            None => more.to_owned(),
        });
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::User => 1,
            Kind::Usage => 2,
            Kind::Server => 3,
        })
    }

    /// The error as one JSON object, for `--json`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"error": {
            "kind": match self.kind {
                Kind::User => "user",
                Kind::Usage => "usage",
                Kind::Server => "server",
            },
            "code": self.code,
            "message": self.message,
            "detail": self.detail,
            "hint": self.hint,
        }})
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        for (label, text) in [("Detail", &self.detail), ("Hint", &self.hint)] {
            if let Some(text) = text {
                // Diagnostics of a file come as several lines, which read best unindented.
                let gap = if text.contains('\n') { '\n' } else { ' ' };
                write!(f, "\n{label}:{gap}{text}")?;
            }
        }
        Ok(())
    }
}

/// Says which file or folder an I/O error is about.
pub(crate) trait AtPath<T> {
    /// Turns the error into "cannot `verb` `path`: reason".
    fn at(self, verb: &str, path: &std::path::Path) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at(self, verb: &str, path: &std::path::Path) -> Result<T> {
        self.map_err(|e| CliError::user(format!("cannot {verb} {}: {e}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::CliError;

    #[test]
    fn an_error_shows_message_code_detail_and_hint() {
        let mut error = CliError::user("there is no execution 7").hint("See `rhythm list`.");
        error.code = Some("RH301".into());
        insta::assert_snapshot!(error);
    }

    #[test]
    fn a_detail_of_several_lines_starts_on_its_own() {
        let error = CliError::user("2 errors in a.flow").detail("a.flow:1:1: x\na.flow:2:1: y");
        insta::assert_snapshot!(error);
    }
}
