//! What the worker asks of the server: four calls, which the client answers, and in tests a script.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::rows::{Claimed, Heartbeat};

/// How much longer than it should a call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who asks for how much work.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) worker: String,
    pub(super) queues: Vec<String>,
    pub(super) max: usize,
    pub(super) wait: Duration,
    pub(super) lease: Duration,
    /// See [`WorkerOptions`](super::WorkerOptions).
    pub(super) relaxed: bool,
}

impl Ask {
    fn max(&self) -> i32 {
        // More than the server's own bound is refused there, with a hint.
        i32::try_from(self.max).unwrap_or(i32::MAX)
    }
}

/// The server as a worker sees it.
pub(super) trait Server: Clone + Send + Sync + 'static {
    /// Says which tasks this worker runs.
    fn register(&self, worker: &str, tasks: &str) -> impl Future<Output = Result<()>> + Send;

    /// Waits for work. When `stop` becomes true the wait is cut short; what was claimed by then is still returned.
    fn claim(
        &self,
        ask: &Ask,
        stop: watch::Receiver<bool>,
    ) -> impl Future<Output = Result<Vec<Claimed>>> + Send;

    /// Settles a batch and claims.
    fn finish(
        &self,
        outcomes: &str,
        ask: &Ask,
    ) -> impl Future<Output = Result<Vec<Claimed>>> + Send;

    /// Extends leases, and saves progress.
    fn heartbeat(
        &self,
        ids: &[Uuid],
        tokens: &[i64],
        lease: Duration,
        progress: Option<&[Option<String>]>,
    ) -> impl Future<Output = Result<Vec<Heartbeat>>> + Send;
}

impl Server for Client {
    async fn register(&self, worker: &str, tasks: &str) -> Result<()> {
        Self::register(self, worker, tasks).await
    }

    async fn claim(&self, ask: &Ask, stop: watch::Receiver<bool>) -> Result<Vec<Claimed>> {
        let stopped = async move {
            let mut stop = stop;
            // A sender that is gone will not stop anything any more.
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let answer = self.claim_until(
            &ask.worker,
            &ask.queues,
            ask.max(),
            ask.wait,
            ask.lease,
            None,
            ask.relaxed,
            stopped,
        );
        in_time(ask.wait, answer).await
    }

    async fn finish(&self, outcomes: &str, ask: &Ask) -> Result<Vec<Claimed>> {
        Self::finish(
            self,
            &ask.worker,
            outcomes,
            &ask.queues,
            ask.max(),
            ask.wait,
            ask.lease,
        )
        .await
    }

    async fn heartbeat(
        &self,
        ids: &[Uuid],
        tokens: &[i64],
        lease: Duration,
        progress: Option<&[Option<String>]>,
    ) -> Result<Vec<Heartbeat>> {
        let answer = Self::heartbeat(self, ids, tokens, lease, progress);
        in_time(Duration::ZERO, answer).await
    }
}

/// Gives up on a call that the server should long have answered: the way to it is taken to be broken. Not for a flush,
/// which may have many workflows to step.
async fn in_time<T>(due: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = due + PATIENCE;
    tokio::time::timeout(limit, answer)
        .await
        .unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Connection,
                format!("no answer within {limit:.0?}"),
            ))
        })
}
