//! The server process from its start to its end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::fchown;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::dev::account::Account;
use crate::dev::cluster::Cluster;
use crate::dev::database;
use crate::dev::installation::Installation;
use crate::error::{AtPath, CliError, Result};
use crate::output::{Stage, note};

/// A log beyond this is set aside when a server starts.
const LOG_SIZE: u64 = 16 << 20;

/// A server that this process started.
pub(crate) struct Server {
    child: Child,
    port: u16,
    stage: Option<Stage>,
    log: PathBuf,
    /// Where this server's part of the log begins.
    log_start: u64,
}

impl Server {
    /// Starts the process; it does not serve yet.
    pub(crate) fn start(
        installation: &Installation,
        cluster: &Cluster,
        account: Option<&Account>,
        port: u16,
    ) -> Result<Self> {
        let stage = Stage::begin(format!(
            "starting PostgreSQL {} on port {port}{}",
            installation.version,
            account
                .map(|a| format!(" as user {}", a.name))
                .unwrap_or_default()
        ));
        let (log, log_start) = open_log(cluster, account)?;
        let mut command = std::process::Command::new(installation.program("postgres"));
        command.arg("-D").arg(cluster.name_for(account));
        let own = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            // The default folder of the socket may belong to another server.
            "unix_socket_directories=".to_owned(),
        ];
        for setting in own.into_iter().chain(installation.server_settings()) {
            command.arg("-c").arg(setting);
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().at("open", &cluster.log())?)
            .stderr(log)
            .env_remove("PGDATA")
            // A backtrace in the detail of each error helps nobody who uses the server.
            .env_remove("RUST_BACKTRACE")
            .env("LC_ALL", "C");
        if let Some(account) = account {
            account.run(&mut command);
        }
        let mut command = Command::from(command);
        // Ctrl-C in the terminal is for this process, which then stops the server in good order.
        command.process_group(0);
        // SAFETY: between fork and exec it makes one system call and touches no memory.
        unsafe {
            command.pre_exec(|| {
                // Should this process be killed, the server shuts down instead of living on unseen.
                nix::sys::prctl::set_pdeathsig(Signal::SIGINT).map_err(Into::into)
            });
        }
        let child = command.spawn().map_err(|e| {
            CliError::server(format!(
                "cannot run {}: {e}",
                installation.program("postgres").display()
            ))
        })?;
        Ok(Self {
            child,
            port,
            stage: Some(stage),
            log: cluster.log(),
            log_start,
        })
    }

    /// Waits until the server takes connections, however long it recovers.
    pub(crate) async fn accepts_connections(&mut self) -> Result<()> {
        let mut said = Instant::now();
        loop {
            tokio::select! {
                ended = self.child.wait() => return Err(self.end(ended)),
                up = database::answers(self.port) => {
                    if up {
                        break;
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            if said.elapsed() > Duration::from_secs(5) {
                said = Instant::now();
                note("· the server is still recovering …");
            }
        }
        if let Some(stage) = self.stage.take() {
            stage.done();
        }
        Ok(())
    }

    /// Returns when the server ends by itself, with what it said.
    pub(crate) async fn ended(&mut self) -> CliError {
        let status = self.child.wait().await;
        self.end(status)
    }

    fn end(&self, status: std::io::Result<ExitStatus>) -> CliError {
        let how = match status {
            Ok(status) => match status.signal() {
                Some(signal) => format!("the server was killed by signal {signal}"),
                None => format!("the server ended by itself ({status})"),
            },
            Err(error) => format!("the server is lost: {error}"),
        };
        CliError::server(how)
            .detail(format!(
                "{} ends with:\n{}",
                self.log.display(),
                self.last_words()
            ))
            .hint("Run `rhythm dev` again: what was committed is there.")
    }

    /// The last lines that this server logged.
    fn last_words(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(&self.log) {
            // Without its log, the server's end is told without words.
            let _ = file.seek(SeekFrom::Start(self.log_start));
            let _ = file.read_to_end(&mut text);
        }
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    /// A fast shutdown: sessions are ended, everything is written, the process is gone.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let Some(pid) = self.child.id() else {
            return Ok(());
        };
        let stage = Stage::begin("stopping the server");
        let pid = Pid::from_raw(pid.cast_signed());
        for (signal, patience) in [
            (Signal::SIGINT, 60),
            (Signal::SIGQUIT, 10),
            (Signal::SIGKILL, 10),
        ] {
            // A server that ended in this very moment cannot be signalled, and need not be.
            let _ = kill(pid, signal);
            let patience = Duration::from_secs(patience);
            if tokio::time::timeout(patience, self.child.wait())
                .await
                .is_ok()
            {
                stage.done();
                return Ok(());
            }
            note(format!(
                "· the server has not stopped after {} s …",
                patience.as_secs()
            ));
        }
        Err(CliError::server(format!(
            "the server (process {pid}) does not stop"
        )))
    }
}

fn open_log(cluster: &Cluster, account: Option<&Account>) -> Result<(File, u64)> {
    let path = cluster.log();
    if path.metadata().is_ok_and(|meta| meta.len() > LOG_SIZE) {
        std::fs::rename(&path, path.with_extension("log.1")).at("set aside", &path)?;
    }
    let log = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .at("open", &path)?;
    if let Some(account) = account {
        fchown(&log, Some(account.uid), Some(account.gid)).at("hand over", &path)?;
    }
    let start = log.metadata().at("look at", &path)?.len();
    Ok((log, start))
}
