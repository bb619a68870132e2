//! `rhythm deploy`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use rhythm_flow::Diagnostic;
use rhythm_flow::check::Named;
use rhythm_flow::schema::{self, Schema};
use rhythm_testing::suite::is_test_file;
use serde::Serialize;

use crate::cli::Context;
use crate::commands::input;
use crate::connection::Client;
use crate::error::{CliError, Result};
use crate::output::note;

/// Deploy workflows from .flow files
///
/// A workflow is named after its file, wherever that lies, so two files of one name are refused. The
/// same source again makes no new version, and runs that have begun stay on theirs.
#[derive(Args)]
pub(crate) struct DeployArgs {
    /// Files to deploy, or folders with all .flow files below that are no tests
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    exclude: input::Exclude,
    /// Name of the workflow, instead of the file's
    #[arg(long)]
    name: Option<String>,
}

/// A workflow that the server has taken.
#[derive(Serialize)]
pub(crate) struct Deployed {
    name: String,
    version: i32,
}

impl Deployed {
    /// Says it in words.
    pub(crate) fn sentence(&self) -> String {
        format!("{} is version {}", self.name, self.version)
    }
}

pub(crate) async fn run(args: DeployArgs, context: &Context) -> Result<()> {
    if args.name.is_some() && (args.files.len() > 1 || args.files.iter().any(|path| path.is_dir()))
    {
        return Err(CliError::usage("--name goes with one file only"));
    }
    let files = files(&args)?;
    // What the server says of the source in its DETAIL was shown with its lines before the server was asked.
    let client = context.client().await?.observe(|notice| {
        if notice.is_warning() && notice.detail.is_none() {
            note(format!("warning: {notice}"));
        }
    });
    let mut all = Vec::new();
    for path in &files {
        let deployed = deploy_file(&client, path, args.name.as_deref()).await?;
        if !context.output.is_json() {
            context.output.line(deployed.sentence());
        }
        all.push(deployed);
    }
    if context.output.is_json() {
        context.output.json(&all);
    }
    Ok(())
}

/// The files that are meant, without tests.
fn files(args: &DeployArgs) -> Result<Vec<PathBuf>> {
    let mut files = input::flow_files(&args.files, &args.exclude)?;
    files.retain(|path| {
        let is_test = is_test_file(&path.to_string_lossy());
        // A shell's *.flow names them too.
        if is_test && args.files.contains(path) {
            note(format!(
                "· {} is a test file, and stays here",
                path.display()
            ));
        }
        !is_test
    });
    if let Some((name, clashing)) = input::clashes(&files).first_key_value() {
        return Err(CliError::user(input::clash(name, clashing)).hint(
            "A workflow is named after its file: rename one, or leave it out with --exclude.",
        ));
    }
    if files.is_empty() && args.files.iter().any(|path| path.is_dir()) {
        let places: Vec<String> = args
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(CliError::user(format!(
            "no .flow file in {}",
            places.join(", ")
        )));
    }
    Ok(files)
}

/// The calls of tasks whose inputs cannot be what their workers have registered.
async fn misfits(client: &Client, calls: &[Named]) -> Result<Vec<Diagnostic>> {
    if calls.iter().all(|call| call.inputs.is_none()) {
        return Ok(Vec::new());
    }
    let checked = client.tasks().await?.into_iter();
    let schemas: BTreeMap<String, Schema> = checked
        .filter(|task| task.schema_check.as_deref() != Some("off"))
        .filter_map(|task| Some((task.name, Schema::read(&task.input_schema?).ok()?)))
        .collect();
    Ok(schema::misfits(calls, |name| schemas.get(name)))
}

/// Deploys one file. Its warnings go to stderr; with errors, the server is not asked.
pub(crate) async fn deploy_file(
    client: &Client,
    path: &Path,
    name: Option<&str>,
) -> Result<Deployed> {
    let (stem, source) = input::flow_file(path)?;
    let checked = rhythm_flow::check(&source);
    let mut found = checked.diagnostics;
    if !found.iter().any(Diagnostic::is_error) {
        found.extend(misfits(client, &checked.calls).await?);
    }
    let rendered: Vec<String> = found.iter().map(|one| one.render(&source)).collect();
    match found.iter().filter(|one| one.is_error()).count() {
        0 => {}
        errors => {
            let count = if errors == 1 {
                "1 error".to_owned()
            } else {
                format!("{errors} errors")
            };
            return Err(CliError::user(format!("{count} in {}", path.display()))
                .detail(rendered.join("\n\n")));
        }
    }
    for warning in &rendered {
        note(warning);
    }
    let name = name.map_or(stem, str::to_owned);
    let version = client.deploy(&name, source.text()).await?;
    Ok(Deployed { name, version })
}
