//! Workflows for tests. A name is that of a file: of one beside the test file, else of the only one of
//! that name. What has a slash or an ending is a path from the test file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhythm_flow::nearest::nearest;
use rhythm_testing::Workflow;
use rhythm_testing::suite::Library;

use super::files::Found;

/// The workflows of the folders that are looked through.
pub(super) struct Files {
    paths: Vec<PathBuf>,
    cover: bool,
    /// The folder of the test file that runs.
    folder: PathBuf,
    compiled: BTreeMap<PathBuf, Result<Arc<Workflow>, String>>,
}

impl Files {
    pub(super) fn new(found: &Found, cover: bool) -> Self {
        Self {
            paths: found.workflows.clone(),
            cover,
            folder: PathBuf::new(),
            compiled: BTreeMap::new(),
        }
    }

    /// From now on names are meant as in this test file.
    pub(super) fn stand_beside(&mut self, test: &Path) {
        self.folder = test.parent().map(Path::to_owned).unwrap_or_default();
    }

    /// Every workflow that can be compiled.
    pub(super) fn all(&mut self) -> Vec<Arc<Workflow>> {
        let paths = self.paths.clone();
        paths
            .iter()
            .filter_map(|path| self.compile(path).ok())
            .collect()
    }

    fn compile(&mut self, path: &Path) -> Result<Arc<Workflow>, String> {
        if let Some(compiled) = self.compiled.get(path) {
            return compiled.clone();
        }
        let file = path.display().to_string();
        let compiled = match std::fs::read_to_string(path) {
            Ok(text) => Workflow::compile(stem(path), file, text, self.cover)
                .map(Arc::new)
                .map_err(|refused| format!("The workflow has errors:\n{refused}")),
            Err(error) => Err(format!("The workflow cannot be read: {file}: {error}")),
        };
        self.compiled.insert(path.to_owned(), compiled.clone());
        compiled
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, String> {
        if name.contains('/') || name.ends_with(".flow") {
            let path = self.folder.join(name.trim_start_matches("./"));
            return if path.is_file() {
                Ok(path)
            } else {
                Err(format!("There is no file {}.", path.display()))
            };
        }
        let beside = self.folder.join(format!("{name}.flow"));
        if beside.is_file() {
            return Ok(beside);
        }
        let mut named = self.paths.iter().filter(|path| stem(path) == name);
        match (named.next(), named.next()) {
            (Some(path), None) => Ok(path.clone()),
            (Some(one), Some(other)) => Err(format!(
                "There are two workflows `{name}`: {} and {}. Name the one that is meant by its path.",
                one.display(),
                other.display()
            )),
            (None, _) => {
                let known: Vec<String> = self.paths.iter().map(|path| stem(path)).collect();
                let hint = match nearest(name, known.iter().map(String::as_str)) {
                    Some(meant) => format!(" Did you mean `{meant}`?"),
                    None => String::new(),
                };
                Err(format!("There is no workflow `{name}`.{hint}"))
            }
        }
    }
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

impl Library for Files {
    fn workflow(&mut self, name: &str) -> Result<Arc<Workflow>, String> {
        let path = self.path_of(name)?;
        self.compile(&path)
    }
}
