//! What can be said of several files together: workflows and tasks that they name and nobody has.
//!
//! A workflow is named after its file. Knows no file system; `rhythm check` reads the files.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Named, NamedKind};
use crate::codes::Code;
use crate::diagnostic::{self, Diagnostic};
use crate::nearest::nearest;
use crate::schema::{self, Schema};
use crate::slips::{self, Slips};
use crate::source::Source;
use crate::{Checked, check};

/// Several files, checked together.
#[derive(Debug, Default)]
pub struct Project {
    files: Vec<File>,
    workflows: BTreeSet<String>,
    tasks: Option<BTreeSet<String>>,
    schemas: BTreeMap<String, Schema>,
}

/// A file with what is known of it.
#[derive(Debug)]
pub struct File {
    /// The workflow that it defines, if it has a name.
    pub workflow: Option<String>,
    /// Its text.
    pub source: Source,
    /// All that is known of it.
    pub checked: Checked,
}

/// The uses of one name of a task.
type Uses<'f> = Vec<(usize, &'f Named)>;

/// How many names are compared at most to guess what was meant: a few tenths of a second.
const MAX_GUESSES: usize = 1_000_000;

/// The tasks that the files name.
struct Tasks<'f> {
    uses: BTreeMap<&'f str, Uses<'f>>,
    /// Those that are named more than once.
    usual: Slips<'f>,
    /// How many names have been compared.
    guesses: Cell<usize>,
}

impl<'f> Tasks<'f> {
    fn new(uses: BTreeMap<&'f str, Uses<'f>>) -> Self {
        let usual = uses.iter().filter(|(_, uses)| uses.len() > 1);
        Self {
            usual: Slips::new(usual.map(|(name, _)| *name)),
            uses,
            guesses: Cell::new(0),
        }
    }

    fn nearest<'k>(&self, name: &str, known: &'k BTreeSet<String>) -> Option<&'k str> {
        let guesses = self.guesses.get() + known.len();
        if guesses > MAX_GUESSES {
            return None;
        }
        self.guesses.set(guesses);
        nearest(name, known.iter().map(String::as_str))
    }
}

impl Project {
    /// Adds a file. A text without a name of its own (from a pipe) defines no workflow.
    pub fn add(&mut self, workflow: Option<String>, source: Source) {
        let checked = check(&source);
        self.add_checked(workflow, source, checked);
    }

    /// Adds a file that is checked otherwise, such as a test file.
    pub fn add_checked(&mut self, workflow: Option<String>, source: Source, checked: Checked) {
        self.workflows.extend(workflow.clone());
        self.files.push(File {
            workflow,
            source,
            checked,
        });
    }

    /// A workflow that is there, though it is not checked now.
    pub fn knows_workflow(&mut self, name: String) {
        self.workflows.insert(name);
    }

    /// All tasks that are served; any other name of a task is told.
    pub fn declare_tasks(&mut self, names: impl IntoIterator<Item = String>) {
        self.tasks.get_or_insert_default().extend(names);
    }

    /// What the inputs of a task have to be; calls that cannot fit are told.
    pub fn declare_schema(&mut self, task: String, schema: Schema) {
        self.schemas.insert(task, schema);
    }

    /// Compares the files with each other, and gives them with all that was found.
    #[must_use]
    pub fn finish(mut self) -> Vec<File> {
        let found = self.compare();
        for (index, diagnostic) in found {
            self.files[index].checked.diagnostics.push(diagnostic);
        }
        for file in &mut self.files {
            diagnostic::sort(&mut file.checked.diagnostics);
        }
        self.files
    }

    fn compare(&self) -> Vec<(usize, Diagnostic)> {
        let mut uses: BTreeMap<&str, Uses<'_>> = BTreeMap::new();
        let mut found = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            for call in &file.checked.calls {
                match call.kind {
                    NamedKind::Task => uses.entry(&call.name).or_default().push((index, call)),
                    NamedKind::Workflow if self.workflows.contains(&call.name) => {}
                    // A text from a pipe stands for no set of files.
                    NamedKind::Workflow if self.workflows.is_empty() => {}
                    NamedKind::Workflow => found.push((index, call)),
                }
            }
        }
        let tasks = Tasks::new(uses);
        let mut told: Vec<(usize, Diagnostic)> = found
            .into_iter()
            .map(|(index, call)| (index, self.unknown_workflow(call, &tasks)))
            .collect();
        for (name, uses) in &tasks.uses {
            if let Some((message, hint)) = self.suspicious_task(name, uses, &tasks) {
                told.extend(uses.iter().map(|(index, call)| {
                    let diagnostic = Diagnostic::new(Code::UnknownTask, call.span, &message);
                    (*index, diagnostic.with_hint(&hint))
                }));
            }
        }
        for (index, file) in self.files.iter().enumerate() {
            let misfits = schema::misfits(&file.checked.calls, |task| self.schemas.get(task));
            told.extend(misfits.into_iter().map(|one| (index, one)));
        }
        told
    }

    fn unknown_workflow(&self, call: &Named, tasks: &Tasks<'_>) -> Diagnostic {
        let name = &call.name;
        let message = format!("no file defines a workflow `{name}`");
        let hint = if let Some(meant) = tasks.nearest(name, &self.workflows) {
            format!("Did you mean \"{meant}\"?")
        } else if tasks.uses.contains_key(name.as_str()) {
            format!("Elsewhere it is a task: `Task.run(\"{name}\", …)`.")
        } else {
            format!("Name {name}.flow or its folder too, if it is elsewhere.")
        };
        Diagnostic::new(Code::UnknownWorkflow, call.span, message).with_hint(hint)
    }

    /// What is odd about the name of a task, and what to do.
    fn suspicious_task(
        &self,
        name: &str,
        uses: &Uses<'_>,
        tasks: &Tasks<'_>,
    ) -> Option<(String, String)> {
        let declared = self.tasks.as_ref();
        if declared.is_some_and(|tasks| tasks.contains(name)) {
            return None;
        }
        if self.workflows.contains(name) {
            let message = format!("`{name}` is a workflow, and this starts a task");
            return Some((message, format!("Write `Workflow.run(\"{name}\", …)`.")));
        }
        if let Some(declared) = declared {
            let hint = tasks.nearest(name, declared).map_or_else(
                || "Add it to the tasks that are served.".to_owned(),
                |meant| format!("Did you mean \"{meant}\"?"),
            );
            return Some((format!("no worker serves a task `{name}`"), hint));
        }
        // Without a list, only a name that is used once and is almost another one is suspicious: one
        // that is used more often, or the same letters in another order further up.
        let [(file, call)] = uses.as_slice() else {
            return None;
        };
        let is_earlier = |others: &Uses<'_>| {
            let first = others.first().map(|(file, call)| (*file, call.span.start));
            first.is_some_and(|first| first < (*file, call.span.start))
        };
        let usual = tasks.usual.of(name);
        let swapped = slips::swapped(name, &tasks.uses, is_earlier);
        let other = usual.into_iter().chain(swapped).min()?;
        let (file, first) = tasks.uses.get(other)?.first()?;
        let source = &self.files[*file].source;
        let place = format!("{}:{}", source.name(), source.line_of(first.span.start));
        let message = format!("the task `{name}` is named only here; `{other}` in {place}");
        Some((message, format!("Did you mean \"{other}\"?")))
    }
}
