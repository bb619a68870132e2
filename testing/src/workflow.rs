//! A workflow that can be run: its name, its source, its program.

use std::fmt;
use std::sync::Arc;

use rhythm_flow::{Diagnostic, Program, Source};

/// A checked and compiled workflow.
#[derive(Clone, Debug)]
pub struct Workflow {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) program: Arc<Program>,
    /// The lines of its statements, by their numbers; none unless it was compiled for coverage.
    pub(crate) statements: Vec<u32>,
}

impl Workflow {
    /// Compiles a source as a deploy would. With `cover`, runs tell which statements they came to.
    ///
    /// # Errors
    /// When the source has errors.
    pub fn compile(
        name: impl Into<String>,
        file: impl Into<String>,
        text: impl Into<String>,
        cover: bool,
    ) -> Result<Self, Refused> {
        let source = Source::new(file, text);
        let (checked, statements) = rhythm_flow::check_covered(&source, cover);
        match checked.program {
            Some(program) => Ok(Self {
                name: name.into(),
                source,
                program: Arc::new(program),
                statements,
            }),
            None => Err(Refused::new(&source, &checked.diagnostics)),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file as messages name it.
    #[must_use]
    pub fn file(&self) -> &str {
        self.source.name()
    }
}

/// A source with errors: each as its line with a caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: String,
    /// The rendered errors.
    pub errors: Vec<String>,
}

impl Refused {
    pub(crate) fn new(source: &Source, found: &[Diagnostic]) -> Self {
        let errors = found.iter().filter(|one| one.is_error());
        Self {
            file: source.name().to_owned(),
            errors: errors.map(|one| one.render(source)).collect(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.errors.join("\n\n"))
    }
}

impl std::error::Error for Refused {}
