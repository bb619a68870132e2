//! `rhythm fmt`: needs no server. Which files, and how they are written; the layout is flow's.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use rhythm_flow::Source;
use rhythm_flow::diagnostic::Diagnostic;
use rhythm_flow::format::{Refusal, format};
use rhythm_flow::source::Span;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{AtPath, CliError, Result};
use crate::output::{Output, note};
use crate::render::diagnostic;

/// Lay workflows out in the one style that there is
///
/// Writes the files anew that differ from it, and prints their names. Comments stay. A file with
/// syntax errors is left as it is. Below folders, names that begin with a dot, node_modules, and what
/// .rhythmignore, .ignore and .gitignore exclude, are passed over unless they are named.
#[derive(Args)]
pub(crate) struct FmtArgs {
    /// Files, or folders with .flow files at any depth; `-` formats stdin to stdout
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    exclude: input::Exclude,
    /// Write nothing; fail when a file differs
    #[arg(long)]
    check: bool,
    /// Write nothing; print what would change
    #[arg(long)]
    diff: bool,
}

pub(crate) fn run(args: &FmtArgs, context: &Context) -> Result<()> {
    let stdin = Path::new("-");
    if args.paths.iter().any(|path| path == stdin) {
        if args.paths.len() > 1 {
            return Err(CliError::usage("`-` stands alone: stdin, or files"));
        }
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .at("read", Path::new("stdin"))?;
        let file = File::of(Source::new("stdin", text));
        let is_filter = !args.check && !args.diff && !context.output.is_json();
        if is_filter && let Some(text) = &file.formatted {
            context.output.text(text);
            return Ok(());
        }
        return report(&[file], Vec::new(), args, context.output);
    }
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in input::flow_files(&args.paths, &args.exclude)? {
        let name = path.display().to_string();
        match fs::read_to_string(&path).at("read", &path) {
            Ok(text) => files.push(File::of(Source::new(name, text))),
            Err(error) => problems.push(error.message),
        }
    }
    if files.is_empty() && problems.is_empty() {
        note("there are no .flow files");
    }
    if !args.check && !args.diff {
        for file in &files {
            if let Some(text) = file.change()
                && let Err(error) = replace(Path::new(file.source.name()), text)
            {
                problems.push(error.message);
            }
        }
    }
    report(&files, problems, args, context.output)
}

/// A file and what became of it.
struct File {
    source: Source,
    /// None if it has syntax errors.
    formatted: Option<String>,
    /// What is wrong with it, for people and for programs.
    rendered: Vec<String>,
    diagnostics: Vec<Value>,
}

impl File {
    fn of(source: Source) -> Self {
        let (mut formatted, mut rendered, mut diagnostics) = (None, Vec::new(), Vec::new());
        match format(&source) {
            Ok(text) => formatted = Some(text),
            Err(Refusal::Syntax(found)) => {
                rendered = found.iter().map(|one| one.render(&source)).collect();
                diagnostics = found
                    .iter()
                    .map(|one| diagnostic::facts(one, &source))
                    .collect();
            }
            Err(Refusal::Limit(limit)) => {
                rendered.push(format!(
                    "{}: formatted it would be over a limit: {}",
                    source.name(),
                    limit.message
                ));
                // Its place is one of a text that there is not.
                diagnostics.push(diagnostic::facts(
                    &Diagnostic {
                        span: Span::new(0, 0),
                        ..*limit
                    },
                    &source,
                ));
            }
            Err(Refusal::Fault(line)) => rendered.push(format!(
                "{}:{line}: this cannot be formatted, which is a fault of `rhythm fmt`",
                source.name()
            )),
        }
        Self {
            source,
            formatted,
            rendered,
            diagnostics,
        }
    }

    /// The new text, if it differs.
    fn change(&self) -> Option<&str> {
        let text = self.formatted.as_deref();
        text.filter(|text| *text != self.source.text())
    }

    /// What would change, as `patch` reads it.
    fn diff(&self) -> Option<String> {
        let name = self.source.name();
        let text = self.change()?;
        let diff = TextDiff::from_lines(self.source.text(), text);
        let diff = diff.unified_diff().header(name, name).to_string();
        Some(diff.trim_end_matches('\n').to_owned())
    }

    fn facts(&self, with_diff: bool) -> Value {
        let mut facts = json!({
            "file": self.source.name(),
            "changed": self.change().is_some(),
            "diagnostics": self.diagnostics,
        });
        if with_diff {
            facts["diff"] = json!(self.diff());
        }
        facts
    }
}

/// Prints what changed, and fails where something is wrong.
fn report(files: &[File], problems: Vec<String>, args: &FmtArgs, output: Output) -> Result<()> {
    let changed: Vec<&File> = files.iter().filter(|f| f.change().is_some()).collect();
    if output.is_json() {
        let facts: Vec<Value> = files.iter().map(|file| file.facts(args.diff)).collect();
        output.json(&facts);
    } else {
        for file in &changed {
            match args.diff.then(|| file.diff()).flatten() {
                Some(diff) => output.line(diff),
                None => output.line(file.source.name()),
            }
        }
    }
    let refused = files.iter().filter(|file| file.formatted.is_none()).count();
    let mut details = problems;
    let unwritten = details.len();
    details.extend(files.iter().flat_map(|file| file.rendered.iter().cloned()));
    if refused + unwritten > 0 {
        let message = format!("{} cannot be formatted", files_of(refused + unwritten));
        return Err(CliError::user(message).detail(details.join("\n\n")));
    }
    if args.check && !changed.is_empty() {
        let message = match changed.len() {
            1 => "1 file is not formatted".to_owned(),
            count => format!("{count} files are not formatted"),
        };
        return Err(CliError::user(message).hint("Run `rhythm fmt` to format."));
    }
    Ok(())
}

fn files_of(count: usize) -> String {
    match count {
        1 => "1 file".to_owned(),
        _ => format!("{count} files"),
    }
}

/// Puts a new text in the place of a file at once: whoever reads it finds the old or the new one.
fn replace(path: &Path, text: &str) -> Result<()> {
    // The file that a link leads to, not the link.
    let path = &fs::canonicalize(path).at("write", path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = write_beside(path, &beside, text);
    if written.is_err() {
        // What was begun; the error that matters is the first one.
        let _ = fs::remove_file(&beside);
    }
    written.at("write", path)
}

fn write_beside(path: &Path, beside: &Path, text: &str) -> std::io::Result<()> {
    // A file that its owner has protected is not replaced behind their back.
    let permissions = fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .metadata()?
        .permissions();
    let mut file = fs::File::create_new(beside)?;
    file.set_permissions(permissions)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}
