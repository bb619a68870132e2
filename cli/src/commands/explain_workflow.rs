//! `rhythm explain-workflow`: from a file without a server, or of a workflow that is deployed.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rhythm_client::OutlineRow;
use rhythm_flow::check::outline;
use rhythm_flow::diagram;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};

/// Tell what a workflow may do: tasks, children, signals, mutexes, timers, SQL, and where it may wait
///
/// As its source says, with the loops, branches and functions around them, and how often each happens at most. Of a .flow file without a
/// server, or of a workflow that is deployed.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm explain-workflow order.flow
  rhythm explain-workflow order --version 3 --format mermaid
  rhythm explain-workflow order.flow --format dot | dot -Tsvg > order.svg")]
pub(crate) struct ExplainWorkflowArgs {
    /// A .flow file, or the name of a workflow
    #[arg(value_name = "FILE|NAME")]
    workflow: String,
    /// The version of one that is deployed; without it the current one
    #[arg(long)]
    version: Option<i32>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Tree)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// An indented list
    Tree,
    /// A diagram for Mermaid
    Mermaid,
    /// A diagram for Graphviz
    Dot,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
        }
    }
}

pub(crate) async fn run(args: ExplainWorkflowArgs, context: &Context) -> Result<()> {
    let path = PathBuf::from(&args.workflow);
    let is_file = path.extension().is_some_and(|end| end == "flow") || path.is_file();
    if is_file && args.version.is_some() {
        return Err(CliError::usage(
            "--version goes with the name of a workflow, not with a file",
        ));
    }
    let rows = if is_file {
        of_file(&path, args.format)?
    } else {
        let client = context.client().await?;
        let format = args.format.word();
        client
            .explain_workflow(&args.workflow, args.version, format)
            .await?
    };
    context.output.either(&rows, || {
        let lines: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        lines.join("\n")
    });
    Ok(())
}

/// As the server tells it.
fn of_file(path: &Path, format: Format) -> Result<Vec<OutlineRow>> {
    let (name, source) = input::flow_file(path)?;
    let root = outline(&source, &name);
    let drawn = match format {
        Format::Tree => None,
        Format::Mermaid => Some(diagram::mermaid(&root)),
        Format::Dot => Some(diagram::dot(&root)),
    };
    if let Some(text) = drawn {
        let line = |line: &str| OutlineRow {
            text: line.to_owned(),
            ..OutlineRow::default()
        };
        return Ok(text.lines().map(line).collect());
    }
    let number = |number: u32| Some(i32::try_from(number).unwrap_or(i32::MAX));
    let row = |row: diagram::OutlineRow| OutlineRow {
        depth: number(row.depth),
        kind: Some(row.node.kind.word().to_owned()),
        name: Some(row.node.name),
        line: number(row.node.line),
        col: number(row.node.column),
        waits: Some(row.node.waits),
        times: row
            .node
            .times
            .map(|times| i64::try_from(times).unwrap_or(i64::MAX)),
        text: row.text,
    };
    Ok(diagram::rows(&root).into_iter().map(row).collect())
}
