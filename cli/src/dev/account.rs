//! The user who runs the server. Postgres refuses root, so root hands it to somebody else.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use crate::error::{AtPath, CliError, Result};

/// Users to whom root hands the server, the first that exists.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged user.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// Returns who is to run the server on `data_dir`: `None` for the caller, who is not root.
    /// A directory that already belongs to somebody stays theirs.
    pub(crate) fn for_server(data_dir: &Path) -> Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let owner = std::fs::metadata(data_dir).at("look at", data_dir)?.uid();
        let user = if owner == 0 {
            CANDIDATES
                .into_iter()
                .find_map(|name| User::from_name(name).ok().flatten())
        } else {
            User::from_uid(Uid::from_raw(owner)).ok().flatten()
        };
        user.map(|user| {
            Some(Self {
                name: user.name,
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            })
        })
        .ok_or_else(|| {
            CliError::user("Postgres refuses to run as root, and there is no other user to run it")
                .hint("Make a user `postgres`, or run `rhythm dev` as an ordinary user.")
        })
    }

    /// Makes `command` run as this user, with no groups but their own.
    pub(crate) fn run<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.uid(self.uid).gid(self.gid)
    }

    /// Whether this user can read the file, which depends on every folder above it too.
    pub(crate) fn can_read(&self, path: &Path) -> bool {
        let mut command = Command::new("test");
        command
            .arg("-r")
            .arg(path)
            .stderr(Stdio::null())
            .current_dir("/");
        self.run(&mut command)
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Whether this user can enter the folder by its path.
    pub(crate) fn can_enter(&self, folder: &Path) -> bool {
        let mut command = Command::new("test");
        command
            .arg("-x")
            .arg(folder)
            .stderr(Stdio::null())
            .current_dir("/");
        self.run(&mut command)
            .status()
            .is_ok_and(|status| status.success())
    }
}
