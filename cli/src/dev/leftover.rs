//! Processes of an earlier server on the same data directory: a server that outlived a killed
//! `rhythm dev`, or the children of a killed server, which exit a moment after it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{AtPath, CliError, Result};
use crate::output::{Stage, note};

/// Postgres's lock file, which begins with the number of its process.
const LOCK: &str = "postmaster.pid";

/// How long a killed process takes to be dead, at most.
const DYING: Duration = Duration::from_secs(5);

/// How long each way of asking is given, from polite to final. A fast shutdown writes a
/// checkpoint, which takes its time; children without a server only have to notice.
const WAYS: [(Signal, Duration); 4] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGTERM, Duration::from_secs(5)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(10)),
];

/// Stops what is left and returns when it is gone. Committed work is safe whatever way it takes.
pub(crate) async fn stop(data_dir: &Path) -> Result<()> {
    let directory = std::fs::metadata(data_dir).at("look at", data_dir)?;
    let found = processes(&directory);
    if found.is_empty() {
        return unlock_from_the_dead(data_dir).await;
    }
    let stage = match server_among(data_dir, &found) {
        Some(server) => Stage::begin(format!(
            "stopping the server (process {server}) of an earlier run"
        )),
        None => Stage::begin(format!(
            "waiting for {} processes of a killed server to exit",
            found.len()
        )),
    };
    for (way, patience) in WAYS {
        let left = processes(&directory);
        // Children without a server exit by themselves: the first way gives them that time.
        let server = server_among(data_dir, &left);
        let (asked, patience) = match (way, server) {
            (Signal::SIGINT, Some(server)) => (vec![server], patience),
            (Signal::SIGINT, None) => (Vec::new(), Duration::from_secs(3)),
            _ => (left, patience),
        };
        for process in asked {
            // One that has just exited needs no signal.
            if let Err(nix::errno::Errno::EPERM) = kill(process, way) {
                return Err(CliError::user(format!(
                    "process {process} of another user serves {}",
                    data_dir.display()
                )));
            }
        }
        if gone(&directory, patience).await {
            stage.done();
            return unlock_from_the_dead(data_dir).await;
        }
        note(format!(
            "· still there after {:.0} s …",
            stage.elapsed().as_secs_f64()
        ));
    }
    Err(CliError::server(format!(
        "processes {:?} of an earlier server on {} do not exit",
        processes(&directory)
            .iter()
            .map(|p| p.as_raw())
            .collect::<Vec<_>>(),
        data_dir.display()
    )))
}

async fn gone(directory: &Metadata, patience: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if processes(directory).is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// A killed server is listed, dead, until its parent has taken note, which may be never in a container. Postgres would
/// take its lock file for one that is in use.
async fn unlock_from_the_dead(data_dir: &Path) -> Result<()> {
    let start = Instant::now();
    while let Some(server) = server_named(data_dir)
        && start.elapsed() < DYING
    {
        match state_of(server) {
            // A stale file Postgres removes by itself.
            None => break,
            Some('Z' | 'X') => {
                let lock = data_dir.join(LOCK);
                return std::fs::remove_file(&lock).at("remove", &lock);
            }
            // It has left the directory and is still exiting. Or the number belongs to somebody else now.
            Some(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    Ok(())
}

/// `Z` for a process that is dead and listed; `None` for one that is not there.
fn state_of(process: Pid) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before it stands in parentheses, and may hold some.
    text.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The server, if it is one of `processes`: the lock file names it, but may be stale.
fn server_among(data_dir: &Path, processes: &[Pid]) -> Option<Pid> {
    server_named(data_dir).filter(|server| processes.contains(server))
}

fn server_named(data_dir: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(data_dir.join(LOCK)).ok()?;
    text.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

/// Every `postgres` process works in its data directory, which tells whose it is without doubt.
fn processes(directory: &Metadata) -> Vec<Pid> {
    let Ok(all) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    all.flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            let works_in = std::fs::metadata(entry.path().join("cwd")).ok()?;
            let same = (works_in.dev(), works_in.ino()) == (directory.dev(), directory.ino());
            (same && name.trim_end() == "postgres").then_some(Pid::from_raw(pid))
        })
        .collect()
}
