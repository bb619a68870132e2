//! What the server says beside its answer: that a `task_id` is held by an execution with other inputs, that inputs do not
//! fit. It belongs to the call in which it is said, and is told before that returns; what a server says when a session is opened
//! belongs to the first call in it.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, Connection};

/// A query of a user's may say something for each of a million rows. As many warnings are kept, and as many others.
const MOST: usize = 100;

/// A message that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `WARNING`, `NOTICE` or `INFO`, in the server's language.
    pub severity: String,
    /// The SQLSTATE.
    pub code: String,
    /// One line, lower case, without a period.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Notice {
    /// Whether something may be wrong. Its code says so (class 01): what callers do wrong time and again is a NOTICE, so that it
    /// does not fill the server's log.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.code.starts_with("01")
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "\nDetail: {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nHint: {hint}")?;
        }
        Ok(())
    }
}

impl From<DbError> for Notice {
    fn from(said: DbError) -> Self {
        Self {
            severity: said.severity().to_owned(),
            code: said.code().code().to_owned(),
            message: said.message().to_owned(),
            detail: said.detail().map(str::to_owned),
            hint: said.hint().map(str::to_owned),
        }
    }
}

/// Who is told.
pub(crate) type Observer = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What a session has said in the call under way. A std mutex: it is held for a push, never across an await.
#[derive(Clone, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<Notice>>>);

impl Said {
    fn add(&self, notice: Notice) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = |said: &&Notice| said.is_warning() == notice.is_warning();
        if all.iter().filter(alike).count() < MOST {
            all.push(notice);
        }
    }

    /// Returns all, and begins anew.
    pub(crate) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Drives a connection until its end, which is seen by the session's next call. What comes between two parts of an answer is
/// kept before the next part is handed on.
pub(crate) async fn drive<S, T>(mut connection: Connection<S, T>, said: Said)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message {
            said.add(notice.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(code: &str) -> Notice {
        Notice {
            severity: "NOTICE".into(),
            code: code.into(),
            message: String::new(),
            detail: None,
            hint: None,
        }
    }

    #[test]
    fn what_is_said_for_each_row_hides_no_warning() {
        let said = Said::default();
        for code in ["00000", "01000"] {
            (0..MOST + 1).for_each(|_| said.add(notice(code)));
        }
        let all = said.take();
        let warnings = all.iter().filter(|notice| notice.is_warning()).count();
        assert_eq!((all.len(), warnings), (2 * MOST, MOST));
        assert!(said.take().is_empty());
    }
}
