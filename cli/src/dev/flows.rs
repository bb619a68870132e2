//! Deploys the `.flow` files of a folder, now and whenever one changes. A wrong file is reported
//! and left alone until it changes again; the versions that run are not touched by it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rhythm_testing::suite::is_test_file;

use crate::commands::{deploy, input};
use crate::connection;
use crate::dev::database;
use crate::error::Kind;
use crate::output::note;

/// How often the folder is looked at; less often if that takes long.
const LOOK: Duration = Duration::from_millis(300);

/// What tells that a file has changed, without reading it.
type Stamp = (SystemTime, u64);

/// A watched folder.
pub(crate) struct Flows {
    folder: PathBuf,
    port: u16,
    seen: BTreeMap<PathBuf, Stamp>,
    /// The last complaint about the folder or the server, so that it is said once.
    complaint: Option<String>,
    /// What was said of files of one name.
    clashes: BTreeSet<String>,
}

impl Flows {
    /// Watches `folder`; nothing is deployed yet.
    pub(crate) fn watch(folder: PathBuf, port: u16) -> Self {
        Self {
            folder,
            port,
            seen: BTreeMap::new(),
            complaint: None,
            clashes: BTreeSet::new(),
        }
    }

    /// Deploys what changes, for ever.
    pub(crate) async fn keep_deploying(&mut self) -> Infallible {
        let mut took = Duration::ZERO;
        loop {
            tokio::time::sleep(LOOK.max(took * 20)).await;
            let began = Instant::now();
            self.deploy_changed().await;
            took = began.elapsed();
        }
    }

    /// Deploys every file that is new or has changed since the last call.
    pub(crate) async fn deploy_changed(&mut self) {
        let Some(changed) = self.changed() else {
            return;
        };
        if changed.is_empty() {
            self.complaint = None;
            return;
        }
        // A session for each round: changes are rare, and the server may restart between two.
        let url = database::url(self.port);
        let client = match connection::open(Some(&url)).await {
            // That SQL runs as the superuser of this server is no news, and the rest is shown with its lines.
            Ok(client) => client.observe(|_| {}),
            Err(error) => return self.complain(error.to_string()),
        };
        for (path, stamp) in changed {
            match deploy::deploy_file(&client, &path, None).await {
                Ok(deployed) => note(format!("· {}", deployed.sentence())),
                // The server may be back at the next look.
                Err(error) if error.kind == Kind::Server => {
                    return self.complain(error.to_string());
                }
                Err(error) => note(error.to_string()),
            }
            self.seen.insert(path, stamp);
        }
        self.complaint = None;
    }

    /// Says what will be tried again at the next look, which comes soon.
    fn complain(&mut self, complaint: String) {
        if self.complaint.as_ref() != Some(&complaint) {
            note(&complaint);
            self.complaint = Some(complaint);
        }
    }

    /// `None` if the folder cannot be read.
    fn changed(&mut self) -> Option<Vec<(PathBuf, Stamp)>> {
        let found = std::fs::read_dir(&self.folder)
            .map_err(|error| format!("cannot read {}: {error}", self.folder.display()))
            .and_then(|_| input::readable_flow_files(&self.folder).map_err(|e| e.to_string()));
        let mut files = match found {
            Ok(files) => files,
            Err(complaint) => {
                self.complain(complaint);
                return None;
            }
        };
        files.retain(|path| !is_test_file(&path.to_string_lossy()));
        let mut clashing = BTreeSet::new();
        let mut said = BTreeSet::new();
        for (name, paths) in input::clashes(&files) {
            let sentence = input::clash(&name, &paths);
            if !self.clashes.contains(&sentence) {
                note(format!(
                    "{sentence}; none of them is deployed until the others are renamed"
                ));
            }
            said.insert(sentence);
            clashing.extend(paths.into_iter().map(Path::to_owned));
        }
        self.clashes = said;
        let mut changed: Vec<_> = files
            .into_iter()
            .filter(|path| !clashing.contains(path))
            .filter_map(|path| stamp(&path).map(|stamp| (path, stamp)))
            .filter(|(path, stamp)| self.seen.get(path) != Some(stamp))
            .collect();
        changed.sort();
        Some(changed)
    }
}

/// `None` for a file that has just gone.
fn stamp(path: &Path) -> Option<Stamp> {
    let meta = path.metadata().ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
