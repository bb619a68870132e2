//! A recipe of `examples/recipes` in a folder of its own: its workflows, its worker, and `outside.db`, the file in which its
//! tasks note what they do outside. A test can hold that file, so that what a worker is at stays unfinished for as long as
//! the test likes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::database::{Database, Session};
use crate::installation::{project, scratch};
use crate::process;
use crate::worker::Worker;

/// Prints the rows of a query as a line of JSON.
const READ: &str = "
import json, sqlite3, sys
db = sqlite3.connect('outside.db', timeout=60, isolation_level=None)
print(json.dumps(db.execute(sys.argv[1]).fetchall()))";

/// Holds the file until its standard input ends.
const HOLD: &str = "
import sqlite3, sys
db = sqlite3.connect('outside.db', timeout=60, isolation_level=None)
db.execute('begin exclusive')
print('held', flush=True)
sys.stdin.read()";

/// A recipe and what it has done.
pub struct Recipe {
    root: PathBuf,
    folder: PathBuf,
}

impl Recipe {
    /// A copy of `examples/recipes/NAME`, in a folder that looks like the project to whoever types what a page says.
    #[must_use]
    pub fn copy(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = scratch().join(format!("recipe-{count}"));
        process::remove_at_exit(scratch().to_owned());
        let folder = root.join("examples/recipes").join(name);
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        for shared in ["target", ".venv"] {
            std::os::unix::fs::symlink(project().join(shared), root.join(shared))
                .expect("the folder is ours");
        }
        let original = project().join("examples/recipes").join(name);
        for entry in std::fs::read_dir(original).expect("the recipe is there") {
            let from = entry.expect("it can be listed").path();
            if from.is_file() {
                let name = from.file_name().expect("a file has a name");
                std::fs::copy(&from, folder.join(name)).expect("the folder is ours");
            }
        }
        Self { root, folder }
    }

    /// Where its copy of the project begins.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The text of one of its files.
    #[must_use]
    pub fn read(&self, file: &str) -> String {
        let path = self.folder.join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Deploys one of its workflows.
    pub async fn deploy(&self, session: &Session, name: &str) {
        session
            .deploy(name, &self.read(&format!("{name}.flow")))
            .await;
    }

    /// Starts `python -m rhythm worker app`.
    #[must_use]
    pub fn worker(&self, database: &Database) -> Worker {
        Worker::serve(&self.folder, "app", &database.url())
    }

    /// The rows of a query about what was done outside, as JSON; none before anything was.
    pub fn outside(&self, query: &str) -> Value {
        let output = self
            .python(READ)
            .arg(query)
            .output()
            .expect("python is there");
        let error = String::from_utf8_lossy(&output.stderr);
        if error.contains("no such table") {
            return Value::Array(Vec::new());
        }
        assert!(output.status.success(), "{query}: {error}");
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    }

    /// Waits until such a query gives these rows.
    pub async fn until(&self, query: &str, rows: &Value) {
        let begun = Instant::now();
        while self.outside(query) != *rows {
            let patience = begun.elapsed() < Duration::from_secs(45);
            assert!(patience, "in vain for 45 s: {rows} of {query}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Keeps everybody from doing anything outside, until what this gives is dropped.
    #[must_use]
    pub fn hold(&self) -> Held {
        let mut command = self.python(HOLD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process::spawn(command, Signal::SIGKILL);
        let said = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(said)
            .read_line(&mut line)
            .expect("it can be read");
        assert_eq!(line.trim(), "held");
        let stdin = child.stdin.take();
        Held { child, stdin }
    }

    fn python(&self, program: &str) -> Command {
        let mut command = Command::new(project().join(".venv/bin/python"));
        command.current_dir(&self.folder).args(["-c", program]);
        command
    }
}

/// The file of a recipe, held.
pub struct Held {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            // It reads until the end, which is here.
            let _ = stdin.flush();
        }
        let _ = self.child.wait();
    }
}
