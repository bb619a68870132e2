//! Deploys the `.flow` files of a folder, now and whenever one changes. A wrong file is reported
//! and left alone until it changes again; the versions that run are not touched by it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::commands::deploy;
use crate::connection;
use crate::dev::database;
use crate::error::Kind;
use crate::output::note;

/// What tells that a file has changed, without reading it.
type Stamp = (SystemTime, u64);

/// A watched folder.
pub(crate) struct Flows {
    folder: PathBuf,
    port: u16,
    seen: BTreeMap<PathBuf, Stamp>,
    /// The last complaint about the folder itself, so that it is said once.
    complaint: Option<String>,
}

impl Flows {
    /// Watches `folder`; nothing is deployed yet.
    pub(crate) fn watch(folder: PathBuf, port: u16) -> Self {
        Self {
            folder,
            port,
            seen: BTreeMap::new(),
            complaint: None,
        }
    }

    /// Deploys every file that is new or has changed since the last call.
    pub(crate) async fn deploy_changed(&mut self) {
        let changed = self.changed();
        if changed.is_empty() {
            return;
        }
        // A session for each round: changes are rare, and the server may restart between two.
        let url = database::url(self.port);
        let client = match connection::open(Some(&url)).await {
            Ok(client) => client,
            Err(error) => return note(error.to_string()),
        };
        for (path, stamp) in changed {
            match deploy::deploy_file(&client, &path, None).await {
                Ok(deployed) => note(format!("· {}", deployed.sentence())),
                // The server may be back at the next look.
                Err(error) if error.kind == Kind::Server => return note(error.to_string()),
                Err(error) => note(error.to_string()),
            }
            self.seen.insert(path, stamp);
        }
    }

    fn changed(&mut self) -> Vec<(PathBuf, Stamp)> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) => {
                let complaint = format!("cannot read {}: {error}", self.folder.display());
                if self.complaint.as_ref() != Some(&complaint) {
                    note(&complaint);
                    self.complaint = Some(complaint);
                }
                return Vec::new();
            }
        };
        self.complaint = None;
        let mut changed: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "flow")
            })
            .filter_map(|path| stamp(&path).map(|stamp| (path, stamp)))
            .filter(|(path, stamp)| self.seen.get(path) != Some(stamp))
            .collect();
        changed.sort();
        changed
    }
}

/// `None` for a file that has just gone.
fn stamp(path: &Path) -> Option<Stamp> {
    let meta = path.metadata().ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
