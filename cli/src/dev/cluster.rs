//! The data directory: whose it is, who has it open, and how it is made.
//! Everything here may be killed between any two lines and be started again.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::dev::account::Account;
use crate::dev::installation::Installation;
use crate::error::{AtPath, CliError, Result};
use crate::output::Stage;

/// Marks a directory that this command made, since it stops servers that it finds on one.
const MARK: &str = "rhythm-dev";

/// Where `initdb` works; what it has made moves up when all of it is there.
const NEW: &str = "initdb.new";

/// In `NEW`: says that `initdb` has ended well.
const COMPLETE: &str = "rhythm-dev.complete";

/// The name under which a process reaches its working folder, whatever lies above it.
const HERE: &str = "/proc/self/cwd";

/// How long another `rhythm dev` may take to leave the directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// A data directory that no other `rhythm dev` uses.
pub(crate) struct Cluster {
    path: PathBuf,
    /// Holds the lock; the kernel frees it with this process, however that ends.
    _lock: File,
}

impl Cluster {
    /// Makes the folder if it isn't there, and locks it.
    pub(crate) async fn claim(path: &Path) -> Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .at("make", path)?;
        let path = path.canonicalize().at("find", path)?;
        let lock = File::open(&path).at("open", &path)?;
        // One that was killed a moment ago holds its lock until the kernel has cleared it away.
        let mut patience = LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if patience.is_zero() => {
                    return Err(CliError::user(format!(
                        "another `rhythm dev` is serving {}",
                        path.display()
                    ))
                    .hint("Stop that one, or choose another --data-dir."));
                }
                Err(TryLockError::WouldBlock) => {
                    let pause = patience.min(Duration::from_millis(50));
                    tokio::time::sleep(pause).await;
                    patience -= pause;
                }
                Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
            }
        }
        let cluster = Self { path, _lock: lock };
        cluster.refuse_foreign()?;
        Ok(cluster)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the server's own messages go.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    fn refuse_foreign(&self) -> Result<()> {
        if self.path.join(MARK).exists() {
            return Ok(());
        }
        let mut entries = std::fs::read_dir(&self.path)
            .at("read", &self.path)?
            .flatten();
        // A fresh file system has a lost+found.
        if entries.all(|entry| entry.file_name() == "lost+found") {
            return Ok(());
        }
        Err(CliError::user(format!(
            "{} holds files that `rhythm dev` did not make",
            self.path.display()
        ))
        .hint("Choose an empty or a new folder for --data-dir."))
    }

    /// Refuses a directory that another major version made.
    pub(crate) fn check_version(&self, installation: &Installation) -> Result<()> {
        let Ok(made_by) = std::fs::read_to_string(self.path.join("PG_VERSION")) else {
            return Ok(());
        };
        let made_by = made_by.trim();
        if made_by == installation.major.to_string() {
            return Ok(());
        }
        Err(CliError::user(format!(
            "{} was made by PostgreSQL {made_by}, and this is PostgreSQL {}",
            self.path.display(),
            installation.version
        ))
        .hint("Choose another --data-dir, or the server of that version with --pg-config."))
    }

    /// Gives the directory to the server's user, enters it, and runs `initdb` if it is new.
    pub(crate) fn prepare(
        &self,
        installation: &Installation,
        account: Option<&Account>,
    ) -> Result<()> {
        let path = &self.path;
        hand_over(path, account)?;
        enter(path)?;
        std::fs::write(
            path.join(MARK),
            "This PostgreSQL data directory was made by `rhythm dev`, which may be run on it again.\n",
        )
        .at("write to", path)?;
        if path.join("PG_VERSION").exists() && !path.join(NEW).exists() {
            return Ok(());
        }
        let new = path.join(NEW);
        if !new.join(COMPLETE).exists() {
            if new.exists() {
                std::fs::remove_dir_all(&new).at("remove", &new)?;
            }
            std::fs::create_dir(&new).at("make", &new)?;
            hand_over(&new, account)?;
            enter(&new)?;
            self.initialise(&new, installation, account)?;
            enter(path)?;
            std::fs::write(new.join(COMPLETE), "").at("write to", &new)?;
        }
        move_up(&new, path)
    }

    fn initialise(
        &self,
        new: &Path,
        installation: &Installation,
        account: Option<&Account>,
    ) -> Result<()> {
        let stage = Stage::begin(format!(
            "making a database cluster in {}",
            self.path.display()
        ));
        let mut command = Command::new(installation.program("initdb"));
        command
            .arg("--pgdata")
            // Bound to the very folder: should this process be killed, what it leaves running
            // cannot write into the folder of the next attempt.
            .arg(if Path::new(HERE).exists() {
                Path::new(HERE)
            } else {
                new
            })
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .env_remove("PGDATA")
            // Postgres takes messages and formats from here; a dev server speaks one language.
            .env("LC_ALL", "C");
        if let Some(account) = account {
            account.run(&mut command);
        }
        let done = command.output().map_err(|e| {
            CliError::server(format!(
                "cannot run {}: {e}",
                command.get_program().display()
            ))
        })?;
        if !done.status.success() {
            return Err(CliError::server(format!("initdb failed ({})", done.status))
                .detail(String::from_utf8_lossy(&done.stderr).trim()));
        }
        stage.done();
        Ok(())
    }

    /// The name by which the server's user reaches the directory.
    pub(crate) fn name_for(&self, account: Option<&Account>) -> PathBuf {
        name_for(&self.path, account)
    }
}

/// The folders above `folder` may be closed to the server's user, but a process can always reach
/// the folder that it was started in.
fn name_for(folder: &Path, account: Option<&Account>) -> PathBuf {
    match account {
        Some(account) if !account.can_enter(folder) => PathBuf::from(HERE),
        _ => folder.to_owned(),
    }
}

/// Gives `folder` to the server's user and to nobody else, as Postgres insists.
fn hand_over(folder: &Path, account: Option<&Account>) -> Result<()> {
    if let Some(account) = account {
        chown(folder, Some(account.uid), Some(account.gid)).at("hand over", folder)?;
    }
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).at("close", folder)
}

/// Children inherit the working folder, and so reach it under `HERE`.
fn enter(folder: &Path) -> Result<()> {
    std::env::set_current_dir(folder).at("enter", folder)
}

/// Moves all entries of `new` to `path`, those that are left when a former attempt was killed.
fn move_up(new: &Path, path: &Path) -> Result<()> {
    for entry in std::fs::read_dir(new).at("read", new)?.flatten() {
        if entry.file_name() != COMPLETE {
            let target = path.join(entry.file_name());
            std::fs::rename(entry.path(), &target).at("move to", &target)?;
        }
    }
    std::fs::remove_dir_all(new).at("remove", new)
}
