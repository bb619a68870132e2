//! `rhythm move` and `rhythm migrate-runs`.

use clap::Args;
use comfy_table::Cell;
use rhythm_client::MovedRun;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::{CliError, Result};

/// Runs of one call, each call a transaction of its own.
const PAGE: i32 = 100;

/// Let a run go on in another version of its workflow
///
/// Only where it could have come to its state there: all that it may have executed must be the same, from the beginning of each function that
/// waits up to its await. What comes behind may be anything. Otherwise the line that differs is told.
#[derive(Args)]
pub(crate) struct MoveArgs {
    /// Id of the run, which waits or has failed
    id: Uuid,
    /// The version; without it the newest
    #[arg(long, visible_alias = "to", value_name = "VERSION")]
    version: Option<i32>,
}

pub(crate) async fn one(args: MoveArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let version = client.r#move(args.id, args.version).await?;
    context
        .output
        .either(&json!({ "id": args.id, "version": version }), || {
            format!("{} is on version {version}", args.id)
        });
    Ok(())
}

/// Let all live runs of a workflow go on in another version, each that can
///
/// Those that cannot are listed with the line that differs, and stay on theirs. Fails when there is one.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm migrate-runs order --dry-run
  rhythm migrate-runs order --to 3")]
pub(crate) struct MigrateRunsArgs {
    /// Name of the workflow
    #[arg(value_name = "NAME")]
    workflow: String,
    /// The version; without it the newest
    #[arg(long, visible_alias = "to", value_name = "VERSION")]
    version: Option<i32>,
    /// Only say what would become of them
    #[arg(long)]
    dry_run: bool,
    /// Only runs with a later id
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
    /// How many are looked at
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    max: Option<i32>,
}

pub(crate) async fn many(args: MigrateRunsArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let (mut all, mut after) = (Vec::new(), args.after);
    let mut left = args.max.unwrap_or(i32::MAX);
    while left > 0 {
        let page = PAGE.min(left);
        let runs = client
            .move_many(&args.workflow, args.version, after, page, args.dry_run)
            .await?;
        left -= page;
        let Some(last) = runs.last() else {
            break;
        };
        after = Some(last.id);
        all.extend(runs);
    }
    let count = |outcome: &str| all.iter().filter(|run| run.outcome == outcome).count();
    let (moved, refused, busy) = (count("moved"), count("refused"), count("busy"));
    let report = json!({ "workflow": args.workflow, "dry_run": args.dry_run, "moved": moved,
        "refused": refused, "busy": busy, "runs": all });
    context.output.either(&report, || {
        let verb = if args.dry_run { "can move" } else { "moved" };
        let mut text = format!("{moved} {verb}, {refused} refused");
        if busy > 0 {
            text.push_str(&format!(", {busy} busy (call again)"));
        }
        let mut table =
            context
                .output
                .table(&["ID", "VERSION", "WHY NOT", "IN ITS VERSION", "IN THE OTHER"]);
        for run in all.iter().filter(|run| run.outcome == "refused") {
            table.add_row(row(run));
        }
        if refused > 0 {
            text = format!("{}\n\n{text}", context.output.draw(table));
        }
        text
    });
    match (refused, args.dry_run) {
        (0, _) | (_, true) => Ok(()),
        _ => Err(CliError::user(format!(
            "{refused} runs of {} stay on their versions",
            args.workflow
        ))
        .hint("They go on there; `rhythm workflow versions` counts them.")),
    }
}

fn row(run: &MovedRun) -> Vec<Cell> {
    let text = |text: &Option<String>| Cell::new(text.as_deref().unwrap_or_default());
    vec![
        Cell::new(run.id),
        Cell::new(run.from_version.map_or(String::new(), |v| v.to_string())),
        text(&run.reason),
        text(&run.old_place),
        text(&run.new_place),
    ]
}
