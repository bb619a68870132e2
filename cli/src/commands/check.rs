//! `rhythm check`: needs no server.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rhythm_flow::Source;
use rhythm_flow::project::{File, Project};
use rhythm_testing::suite;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{AtPath, CliError, Result};
use crate::render::{diagnostic, github, sarif};

/// Check workflows without a server
///
/// Prints every error and warning of each file, and fails when there is an error. Workflows and tasks
/// that the files name are compared with each other; `.flow` files beside them count as known.
/// `rhythm explain` says more about a code.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Files, folders with all .flow files below, or - for stdin; without any, this folder
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    exclude: input::Exclude,
    /// Fail on warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// Tasks that workers serve, separated by commas: every other one that a file names is told
    #[arg(long = "task", value_name = "NAME", value_delimiter = ',')]
    tasks: Vec<String>,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// The forms of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: the line with a caret and a hint
    Human,
    /// A JSON array, as --json
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

pub(crate) fn run(args: &CheckArgs, context: &Context) -> Result<()> {
    let files = read(args)?.finish();
    let format = if context.output.is_json() {
        Format::Json
    } else {
        args.format
    };
    let output = context.output;
    match format {
        Format::Human => {
            for file in &files {
                for one in &file.checked.diagnostics {
                    output.line(diagnostic::human(output, one, &file.source) + "\n");
                }
            }
        }
        Format::Json => output.json(&diagnostic::facts_of_all(&files)),
        Format::Github => {
            for line in github::annotations(&files) {
                output.line(line);
            }
        }
        Format::Sarif => output.json(&sarif::log(&files)),
    }
    let summary = Summary::of(&files);
    if summary.errors > 0 || args.deny_warnings && summary.warnings > 0 {
        let mut error = CliError::user(summary.words());
        if let Some(code) = summary.first {
            error = error.hint(format!("`rhythm explain {code}` says more."));
        }
        return Err(error);
    }
    if format == Format::Human {
        output.line(summary.words());
    }
    Ok(())
}

/// Reads and checks all that was asked for.
fn read(args: &CheckArgs) -> Result<Project> {
    let mut project = Project::default();
    if !args.tasks.is_empty() {
        project.declare_tasks(args.tasks.iter().cloned());
    }
    let pipe = Path::new("-");
    if args.files.iter().any(|path| path == pipe) {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .at("read", Path::new("stdin"))?;
        project.add(None, Source::new("<stdin>", text));
    }
    let named: Vec<PathBuf> = match args.files.as_slice() {
        [] => vec![PathBuf::from(".")],
        files => files.iter().filter(|path| *path != pipe).cloned().collect(),
    };
    let mut folders: BTreeSet<&Path> = BTreeSet::new();
    let mut count = 0;
    for path in input::flow_files(&named, &args.exclude)? {
        let (name, source) = input::flow_file(&path)?;
        // A test file has names of its own, and is no workflow.
        if is_test(&path) {
            let checked = suite::check(&source);
            project.add_checked(None, source, checked);
        } else {
            project.add(Some(name), source);
        }
        count += 1;
    }
    if count == 0 && !named.is_empty() {
        let places: Vec<String> = named
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(CliError::user(format!(
            "no .flow file in {}",
            places.join(", ")
        )));
    }
    for path in named.iter().filter(|path| path.is_file()) {
        folders.extend(path.parent());
    }
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        // What cannot be listed tells nothing of neighbours.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_workflow = path.extension().is_some_and(|ending| ending == "flow");
            if is_workflow
                && !is_test(&path)
                && let Some(stem) = path.file_stem()
            {
                project.knows_workflow(stem.to_string_lossy().into_owned());
            }
        }
    }
    Ok(project)
}

/// Whether a file tests a workflow.
fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    suite::is_test_file(&name.to_string_lossy())
}

/// How many of what were found.
struct Summary {
    files: usize,
    errors: usize,
    warnings: usize,
    /// The code to read about first.
    first: Option<&'static str>,
}

impl Summary {
    fn of(files: &[File]) -> Self {
        let all = || files.iter().flat_map(|file| &file.checked.diagnostics);
        let errors = all().filter(|one| one.is_error()).count();
        let first = all().find(|one| one.is_error()).or_else(|| all().next());
        Self {
            files: files.len(),
            errors,
            warnings: all().count() - errors,
            first: first.map(|one| one.code.number()),
        }
    }

    fn words(&self) -> String {
        let count = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            _ => format!("{number} {what}s"),
        };
        let files = count(self.files, "file");
        match (self.errors, self.warnings) {
            (0, 0) => format!("{files}: fine"),
            (0, warnings) => format!("{files}: {}", count(warnings, "warning")),
            (errors, 0) => format!("{} in {files}", count(errors, "error")),
            (errors, warnings) => format!(
                "{} and {} in {files}",
                count(errors, "error"),
                count(warnings, "warning")
            ),
        }
    }
}
