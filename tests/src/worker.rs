//! Worker processes in each language, with the same five handlers (tests/workers), and the journal of what they did.
//!
//! Handlers note their effects in a file rather than in the database under test: a file outlives every kill, rolls
//! nothing back, and two processes that append to it are never confused.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::installation::{project, scratch};
use crate::process;

/// In which language a worker is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `python -m rhythm worker`.
    Python,
    /// The worker core without any adapter.
    Rust,
}

/// A running worker process.
pub struct Worker {
    name: String,
    child: Child,
    log: PathBuf,
}

/// How to start one.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The database.
    pub url: &'a str,
    /// Where its handlers note what they do.
    pub journal: &'a Journal,
    /// The lease of its claims.
    pub lease: &'a str,
    /// How many handlers run at once.
    pub slots: u32,
    /// Whether its handlers start before their claim is on disk.
    pub relaxed: bool,
}

impl Worker {
    /// Starts a process; `rust_worker` is the path of the Rust worker, which only the test binary knows.
    pub fn start(language: Language, rust_worker: &str, how: &Start<'_>) -> Self {
        let name = new_name(&format!("{language:?}"));
        let mut command = match language {
            Language::Python => {
                let mut command = Command::new(project().join(".venv/bin/python"));
                command.args(["-m", "rhythm", "worker"]);
                command.current_dir(project().join("tests/workers/python"));
                command
            }
            Language::Rust => Command::new(rust_worker),
        };
        command
            .args(["--url", how.url, "--name", &name, "--lease", how.lease])
            .args(["--slots", &how.slots.to_string()])
            .env("RHYTHM_TEST_JOURNAL", &how.journal.path)
            .env("RHYTHM_TEST_WORKER", &name);
        if how.relaxed {
            command.arg("--relaxed-claims");
        }
        if language == Language::Python {
            command.arg("handlers");
        }
        Self::spawn(name, command)
    }

    /// Starts a process of `python -m rhythm worker` for a module in a folder, with the options that people begin with.
    pub fn serve(folder: &Path, module: &str, url: &str) -> Self {
        let name = new_name(module);
        let mut command = Command::new(project().join(".venv/bin/python"));
        command
            .args(["-m", "rhythm", "worker", "--url", url, "--name", &name])
            .arg(module)
            .current_dir(folder);
        Self::spawn(name, command)
    }

    fn spawn(name: String, mut command: Command) -> Self {
        let log = scratch().join(format!("{name}.log"));
        let output = File::create(&log).expect("the worker's log can be made");
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a handle can be copied"))
            .stderr(output);
        Self {
            name,
            child: process::spawn(command, Signal::SIGKILL),
            log,
        }
    }

    /// Its name, as the server knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        // It was killed; how it ended is no news.
        let _ = self.child.wait();
    }

    /// Sends it a signal, such as `SIGSTOP`.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.child.id(), signal);
    }

    /// Asks it to stop, and waits until it has drained. Fails if that takes longer.
    pub fn drain(&mut self, patience: Duration) {
        self.signal(Signal::SIGTERM);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                assert!(
                    status.success(),
                    "worker {} ended with {status}:\n{}",
                    self.name,
                    self.log()
                );
                return;
            }
            assert!(
                begun.elapsed() < patience,
                "worker {} does not drain:\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has said.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "worker {} said:\n{}",
                self.name,
                lines[lines.len().saturating_sub(15)..].join("\n")
            );
        }
    }
}

fn new_name(of: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{of}-{}", COUNT.fetch_add(1, Ordering::Relaxed)).to_lowercase()
}

/// What time it is on the clock of the journal.
#[must_use]
pub fn now() -> f64 {
    let clock = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    Duration::from(clock.expect("Linux has this clock")).as_secs_f64()
}

/// What a handler noted.
#[derive(Clone, Debug)]
pub struct Note {
    /// On the clock that all processes of the machine share, in seconds.
    pub at: f64,
    /// `begin` or `end`.
    pub what: String,
    /// Inputs' `key`.
    pub key: String,
    /// Which attempt it was.
    pub attempt: i64,
    /// The worker.
    pub worker: String,
}

/// A file to which workers append.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// An empty one.
    #[must_use]
    pub fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("journal-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let journal = Self {
            path: scratch().join(name),
        };
        File::create(&journal.path).expect("the journal can be made");
        journal
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until a note of this kind is there from this many handlers; fails when that takes longer than 45 s.
    pub async fn until(&self, count: usize, of: impl Fn(&Note) -> bool) {
        let begun = Instant::now();
        while self.notes().iter().filter(|note| of(note)).count() < count {
            assert!(
                begun.elapsed() < Duration::from_secs(45),
                "in vain for 45 s: {:#?}",
                self.notes()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// All notes, in the order in which they were written. The last line of a killed worker may be torn.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let text = std::fs::read_to_string(&self.path).expect("the journal can be read");
        let read = |line: &str| {
            let note: Value = serde_json::from_str(line).ok()?;
            Some(Note {
                at: note["at"].as_f64()?,
                what: note["what"].as_str()?.to_owned(),
                key: note["key"].as_str()?.to_owned(),
                attempt: note["attempt"].as_i64()?,
                worker: note["worker"].as_str()?.to_owned(),
            })
        };
        text.lines().filter_map(read).collect()
    }
}
