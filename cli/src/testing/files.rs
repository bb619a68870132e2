//! Which test files and workflows there are: what is named, and what is in the folders that are named.

use std::path::{Path, PathBuf};

use rhythm_testing::suite::is_test_file;

use crate::commands::input::{self, Exclude};
use crate::error::Result;

/// Files, in the order of their paths.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tests: Vec<PathBuf>,
    pub(super) workflows: Vec<PathBuf>,
}

/// Looks through the paths. A named test file brings the workflows of its folder.
pub(super) fn find(paths: &[PathBuf], exclude: &Exclude) -> Result<Found> {
    let (tests, mut workflows): (Vec<_>, Vec<_>) = input::flow_files(paths, exclude)?
        .into_iter()
        .partition(|path| is_test(path));
    for path in paths.iter().filter(|path| is_test(path)) {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let beside = input::flow_files(&[folder], exclude)?;
        workflows.extend(beside.into_iter().filter(|path| !is_test(path)));
    }
    workflows.sort();
    workflows.dedup();
    Ok(Found { tests, workflows })
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    is_test_file(&name.to_string_lossy())
}
