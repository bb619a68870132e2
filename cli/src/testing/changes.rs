//! Waits for `.flow` files to change.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::error::{CliError, Result};

/// Editors write a file in several steps, and people save several files at once.
const SETTLE: Duration = Duration::from_millis(100);

/// Watched folders.
pub(super) struct Changes {
    events: Receiver<notify::Result<Event>>,
    /// It watches as long as it lives.
    _watcher: RecommendedWatcher,
}

/// Watches the folders, and the folders of the files.
pub(super) fn watch(paths: &[PathBuf]) -> Result<Changes> {
    let (sender, events) = channel();
    let mut watcher = notify::recommended_watcher(sender).map_err(|error| failed(&error))?;
    for path in paths {
        let folder = if path.is_dir() {
            path.clone()
        } else {
            // Editors replace a file by another one: its folder tells of that.
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            parent.map_or_else(|| PathBuf::from("."), PathBuf::from)
        };
        watcher
            .watch(&folder, RecursiveMode::Recursive)
            .map_err(|error| failed(&error))?;
    }
    Ok(Changes {
        events,
        _watcher: watcher,
    })
}

impl Changes {
    /// Waits until a `.flow` file has changed, and nothing has since for a moment.
    pub(super) fn wait(&mut self) -> Result<()> {
        loop {
            let event = self.events.recv().map_err(|_| gone())?;
            if is_change(&event.map_err(|error| failed(&error))?) {
                break;
            }
        }
        loop {
            match self.events.recv_timeout(SETTLE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }
}

/// Reading a file is an event too, and the tests read all of them.
fn is_change(event: &Event) -> bool {
    let changes = event.kind.is_modify() || event.kind.is_create() || event.kind.is_remove();
    let is_flow = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "flow");
    changes && event.paths.iter().any(is_flow)
}

fn failed(error: &notify::Error) -> CliError {
    CliError::user(format!("cannot watch for changes: {error}"))
        .hint("Run the tests without --watch.")
}

fn gone() -> CliError {
    CliError::user("cannot watch for changes any more")
}
