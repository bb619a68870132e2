//! A small pool of sessions, each lent to one call at a time: a claim that waits in the server
//! must not hold up the calls beside it. Works through a transaction-mode pooler, since no call
//! leaves anything in its session.

use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client as Session;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::notice::{self, Notice, Said};
use crate::tls;

/// A session, and what it says beside its answers.
struct Line {
    session: Session,
    said: Said,
}

/// Sessions that are opened when they are needed, and kept.
pub(crate) struct Pool {
    config: Config,
    // A std mutex: it is held for a push or a pop, never across an await.
    idle: Mutex<Vec<Line>>,
    free: Semaphore,
}

impl Pool {
    /// Lends out `sessions` at most; opens none yet.
    pub(crate) fn new(config: Config, sessions: usize) -> Self {
        Self {
            config,
            idle: Mutex::default(),
            free: Semaphore::new(sessions.max(1)),
        }
    }

    /// Lends an idle session, or opens one. One that broke while it was idle is dropped here,
    /// before anything was sent.
    pub(crate) async fn lend(&self) -> Result<Loan<'_>> {
        let closed = |_| Error::new(ErrorKind::Connection, "the client is closed");
        let permit = self.free.acquire().await.map_err(closed)?;
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(line) if line.session.is_closed() => {}
                Some(line) => {
                    return Ok(Loan {
                        pool: self,
                        line: Some(line),
                        _permit: permit,
                    });
                }
                None => break,
            }
        }
        let line = self.open().await?;
        Ok(Loan {
            pool: self,
            line: Some(line),
            _permit: permit,
        })
    }

    /// Closes the idle sessions, and those on loan as they come back.
    pub(crate) fn close(&self) {
        self.free.close();
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Line>> {
        // A push or a pop leaves the list whole even when its thread has panicked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<Line> {
        let tls = tls::connector(&self.config)?;
        let opened = self.config.server.connect(tls).await;
        let (session, connection) = opened.map_err(|error| {
            let mut error = Error::from(error);
            // Where to is half of the answer, the more so when it came from the environment.
            if let Some(cause) = error.message.strip_prefix("error connecting to server: ") {
                error.message = format!("cannot connect to {}: {cause}", self.config.place());
            }
            error
        })?;
        let said = Said::default();
        tokio::spawn(notice::drive(connection, said.clone()));
        Ok(Line { session, said })
    }
}

/// A session on loan. Dropped before `give_back`, its call was abandoned midway: the session is
/// not used again, and the server is asked to stop what it is doing for it.
pub(crate) struct Loan<'a> {
    pool: &'a Pool,
    line: Option<Line>,
    _permit: SemaphorePermit<'a>,
}

impl Loan<'_> {
    /// The session.
    pub(crate) fn session(&self) -> Result<&Session> {
        self.line
            .as_ref()
            .map(|line| &line.session)
            .ok_or_else(|| Error::new(ErrorKind::Connection, "the session was given back"))
    }

    /// Asks the server to end the call that is under way.
    pub(crate) async fn cancel(&self) {
        if let Ok(session) = self.session()
            && let Ok(tls) = tls::connector(&self.pool.config)
        {
            // Should the server not be told, the call ends by itself.
            let _ = session.cancel_token().cancel_query(tls).await;
        }
    }

    /// The call is over, and the session shall serve no other.
    pub(crate) fn discard(mut self) {
        self.line = None;
    }

    /// The call is over: gives what was said in it. The session may serve the next one, unless it broke. One that leads to a
    /// standby is closed, since with several hosts a new one may find the primary.
    pub(crate) fn give_back_after<T>(mut self, answer: &Result<T>) -> Vec<Notice> {
        let Some(said) = self.line.as_ref().map(|line| line.said.take()) else {
            return Vec::new();
        };
        let on_standby = |error: &Error| error.code.as_deref() == Some("25006");
        if answer.as_ref().is_err_and(on_standby) {
            self.discard();
            return said;
        }
        if let Some(line) = self.line.take().filter(|line| !line.session.is_closed())
            && !self.pool.free.is_closed()
        {
            self.pool.idle().push(line);
        }
        said
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let Some(line) = self.line.take().filter(|line| !line.session.is_closed()) else {
            return;
        };
        let token = line.session.cancel_token();
        if let (Ok(runtime), Ok(tls)) = (
            tokio::runtime::Handle::try_current(),
            tls::connector(&self.pool.config),
        ) {
            runtime.spawn(async move {
                // Should the server not be told, the call ends by itself, with nobody to answer to.
                let _ = token.cancel_query(tls).await;
            });
        }
    }
}
