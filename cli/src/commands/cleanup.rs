//! `rhythm cleanup`.

use std::time::Duration;

use clap::Args;
use rhythm_client::CleanupFilter;
use serde_json::json;

use crate::cli::Context;
use crate::commands::input;
use crate::error::Result;

/// How many are deleted in one transaction.
const ROUND: i32 = 10_000;

/// Delete finished executions before their retention is over
///
/// A tree goes as a whole, as its root says (age, status, queue), and stays while that is alive. It is
/// done in transactions of 10000, the oldest first; what is done stays done when it is interrupted.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm cleanup --older-than 30d --dry-run
  rhythm cleanup --older-than 1d --status completed --queue mail")]
pub(crate) struct CleanupArgs {
    /// Only those that ended at least so long ago, such as 90s, 24h, 30d; 0 for all
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    older_than: Duration,
    /// Only those that ended so
    #[arg(long, visible_alias = "state", value_parser = ["completed", "failed", "cancelled", "timed_out"])]
    status: Option<String>,
    /// Only those of this queue
    #[arg(long)]
    queue: Option<String>,
    /// How many at most, and the rest of the last tree; otherwise all
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    max: Option<i32>,
    /// Only say how many there are
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: CleanupArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let mut filter = CleanupFilter {
        older_than: args.older_than,
        status: args.status,
        queue: args.queue,
        dry_run: args.dry_run,
        max: args.max,
    };
    let mut count = 0;
    if args.dry_run {
        count = client.cleanup(&filter).await?;
    } else {
        let most = args.max.map_or(i64::MAX, i64::from);
        while count < most {
            let round = i64::from(ROUND).min(most - count);
            filter.max = round.try_into().ok();
            let gone = client.cleanup(&filter).await?;
            count += gone;
            if gone < round {
                break;
            }
        }
    }
    let report = json!({ "count": count, "dry_run": args.dry_run });
    context.output.either(&report, || {
        let what = if count == 1 {
            "execution"
        } else {
            "executions"
        };
        match args.dry_run {
            true => format!("{count} {what} would be deleted"),
            false => format!("{count} {what} deleted"),
        }
    });
    Ok(())
}
