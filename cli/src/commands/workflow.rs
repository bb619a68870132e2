//! `rhythm workflow`.

use clap::{Args, Subcommand};
use comfy_table::Cell;
use serde_json::json;

use crate::cli::Context;
use crate::error::{CliError, Result};
use crate::render::time;

/// Versions of workflows: list, retire and undeploy them
///
/// Without a verb it lists them.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  rhythm workflows
  rhythm workflow versions order
  rhythm workflow retire order --reason 'replaced by order-v2'
  rhythm workflow undeploy order --version 3"
)]
pub(crate) struct WorkflowArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List the versions of workflows with their live runs
    Versions {
        /// Only this workflow
        workflow: Option<String>,
    },
    /// Let nobody start a workflow any more
    ///
    /// Its runs go on, and can be retried.
    Retire {
        /// Name of the workflow
        workflow: String,
        /// Why, for those who try to start it
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a retired workflow be started again
    Unretire {
        /// Name of the workflow
        workflow: String,
    },
    /// Take a version of a workflow away, or all of them
    ///
    /// Refused while runs live on one. Without the newest, starts use the one before. Failed runs can still be retried.
    Undeploy {
        /// Name of the workflow
        workflow: String,
        /// The version; without it all
        #[arg(long)]
        version: Option<i32>,
    },
}

pub(crate) async fn run(args: WorkflowArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let output = context.output;
    match args.verb.unwrap_or(Verb::Versions { workflow: None }) {
        Verb::Versions { workflow } => {
            let all = client.versions(workflow.as_deref()).await?;
            if let (Some(workflow), true) = (&workflow, all.is_empty()) {
                return Err(CliError::user(format!("there is no workflow {workflow}"))
                    .hint("`rhythm workflows` lists all."));
            }
            output.either(&all, || {
                if all.is_empty() {
                    return "no workflows".to_owned();
                }
                let head = ["WORKFLOW", "VERSION", "RUNS", "DEPLOYED", "BY", ""];
                let mut table = output.table(&head);
                for one in &all {
                    let note = match (one.undeployed_at, one.retired_at, one.is_current) {
                        (Some(_), ..) => "undeployed",
                        (None, Some(_), true) => "current, retired",
                        (None, None, true) => "current",
                        _ => "",
                    };
                    table.add_row(vec![
                        Cell::new(&one.workflow),
                        Cell::new(one.version),
                        Cell::new(one.runs),
                        Cell::new(time::timestamp(one.deployed_at)),
                        Cell::new(&one.deployed_by),
                        Cell::new(note),
                    ]);
                }
                output.draw(table)
            });
        }
        Verb::Retire { workflow, reason } => {
            let retired = client.retire(&workflow, reason.as_deref()).await?;
            output.either(
                &json!({ "workflow": workflow, "retired": retired }),
                || match retired {
                    true => format!("{workflow} is retired"),
                    false => format!("{workflow} was retired before"),
                },
            );
        }
        Verb::Unretire { workflow } => {
            let unretired = client.unretire(&workflow).await?;
            output.either(
                &json!({ "workflow": workflow, "unretired": unretired }),
                || match unretired {
                    true => format!("{workflow} can be started again"),
                    false => format!("{workflow} was not retired"),
                },
            );
        }
        Verb::Undeploy { workflow, version } => {
            let count = client.undeploy(&workflow, version).await?;
            output.either(&json!({ "workflow": workflow, "versions": count }), || {
                let versions = if count == 1 { "version" } else { "versions" };
                format!("{workflow} has lost {count} {versions}")
            });
        }
    }
    Ok(())
}
