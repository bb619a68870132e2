//! An embedded server for development: made, started, watched and stopped by one command.
//!
//! # Layout
//! - `installation`: which PostgreSQL and which build of the extension, found without asking.
//! - `account`: which user runs the server, since Postgres refuses root.
//! - `readable`: copies of programs and extension for a user who cannot read the originals.
//! - `cluster`: the data directory: lock, owner, `initdb` that may be killed at any moment.
//! - `leftover`: processes of an earlier server on the same directory.
//! - `server`: the server process from start to stop.
//! - `database`: the database `rhythm` with the extension in it.
//! - `flows`: deploys `.flow` files when they change.

mod account;
mod cluster;
mod database;
mod flows;
mod installation;
mod leftover;
mod readable;
mod server;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::connection;
use crate::error::{CliError, Result};
use crate::output::{Output, note};

/// What `rhythm dev` was asked for; all paths are absolute.
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) flows: Option<PathBuf>,
    pub(crate) pg_config: Option<PathBuf>,
    pub(crate) extension: Option<PathBuf>,
}

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn run(settings: Settings, output: Output) -> Result<()> {
    let mut stop = Stop::listen()?;
    let cluster = cluster::Cluster::claim(&settings.data_dir).await?;
    let installation = installation::Installation::locate(
        settings.pg_config.as_deref(),
        settings.extension.as_deref(),
    )?;
    let account = account::Account::for_server(cluster.path())?;
    let installation = match &account {
        Some(account) => readable::for_account(installation, account)?,
        None => installation,
    };
    cluster.check_version(&installation)?;
    leftover::stop(cluster.path()).await?;
    refuse_taken_port(settings.port)?;
    cluster.prepare(&installation, account.as_ref())?;

    let mut server =
        server::Server::start(&installation, &cluster, account.as_ref(), settings.port)?;
    let mut flows = settings
        .flows
        .map(|folder| flows::Flows::watch(folder, settings.port));
    let started = tokio::select! {
        started = open(&mut server, &installation, settings.port, flows.as_mut()) => Some(started),
        () = stop.requested() => None,
    };
    let outcome = match started {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(())) => {
            tell_pauses(&database::url(settings.port)).await;
            output.line(format!("ready {}", database::url(settings.port)));
            serve(&mut server, flows.as_mut(), &mut stop).await
        }
    };
    server.stop().await?;
    outcome
}

/// From a started process to a database that can be used, with its workflows deployed.
async fn open(
    server: &mut server::Server,
    installation: &installation::Installation,
    port: u16,
    flows: Option<&mut flows::Flows>,
) -> Result<()> {
    server.accepts_connections().await?;
    database::prepare(port, installation).await?;
    if let Some(flows) = flows {
        flows.deploy_changed().await;
    }
    Ok(())
}

/// Says what keeps the database from running anything, which else would look like a fault.
async fn tell_pauses(url: &str) {
    // Whether it is paused is no reason not to serve, so neither is a failure to ask.
    let Ok(client) = connection::open(Some(url)).await else {
        return;
    };
    let pauses = client.pauses().await.unwrap_or_default();
    for pause in &pauses {
        let reason = pause.reason.as_deref();
        if pause.wants_adoption() {
            note(format!(
                "· nothing runs in this database: it was {}; `rhythm adopt --url {url}` lets it run",
                reason.unwrap_or(&pause.what)
            ));
        } else if pause.what == "all" {
            let why = reason
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            note(format!(
                "· everything is paused{why}; `rhythm resume --all --url {url}` ends that"
            ));
        }
    }
    client.close();
}

/// Watches server and flows until asked to stop, or until the server is gone. A deploy that waits, say for somebody's
/// open transaction, holds neither up.
async fn serve(
    server: &mut server::Server,
    flows: Option<&mut flows::Flows>,
    stop: &mut Stop,
) -> Result<()> {
    let deploying = async {
        match flows {
            Some(flows) => flows.keep_deploying().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.requested() => Ok(()),
        ended = server.ended() => Err(ended),
        never = deploying => match never {},
    }
}

/// The signals that end the command in good order.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Stop {
    fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|e| CliError::server(format!("cannot listen for signals: {e}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Postgres would say this in a log file, long after; here it is said at once.
fn refuse_taken_port(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(CliError::user(
            format!("port {port} is in use by another program"),
        )
        .hint("Choose another one with --port, or stop the program that listens there.")),
        Err(error) => Err(CliError::user(format!(
            "cannot listen on port {port}: {error}"
        ))),
    }
}
