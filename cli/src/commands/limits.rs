//! `rhythm limits`.

use clap::Args;
use comfy_table::Cell;
use rhythm_client::{LimitInfo, NearLimit, NearLimitCount};
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;
use crate::output::Output;
use crate::render::time;

/// List the limits of runs, and which workflows have come near to one
///
/// A run that passes a quarter of a limit is marked, once for each limit.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm limits
  rhythm limits --near
  rhythm limits --near --name order")]
pub(crate) struct LimitsArgs {
    /// List the marked runs, the last ones first
    #[arg(long)]
    near: bool,
    /// Only runs of this workflow
    #[arg(long, requires = "near")]
    name: Option<String>,
    /// How many runs at most
    #[arg(long, default_value_t = 50, requires = "near")]
    limit: u32,
}

pub(crate) async fn run(args: LimitsArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let output = context.output;
    if args.near {
        let max = i64::from(args.limit);
        let near = client.near_limits(None, args.name.as_deref(), max).await?;
        output.either(&near, || runs(&near, output));
        return Ok(());
    }
    let (limits, counts) = (client.limits().await?, client.near_limit_counts().await?);
    output.either(&json!({ "limits": limits, "near": counts }), || {
        let mut text = all(&limits, output);
        if !counts.is_empty() {
            text.push_str(&format!("\n\n{}", workflows(&counts, output)));
        }
        text
    });
    Ok(())
}

/// A number of a unit, with the larger units of bytes where they are exact enough.
pub(crate) fn amount(value: i64, unit: &str) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB"];
    if unit != "bytes" {
        return format!("{value} {unit}");
    }
    let (mut size, mut at) = (value as f64, 0);
    while size >= 1024.0 && at + 1 < units.len() {
        size /= 1024.0;
        at += 1;
    }
    let digits = usize::from(at > 0 && size.fract() != 0.0);
    format!("{size:.digits$} {}", units[at])
}

fn all(limits: &[LimitInfo], output: Output) -> String {
    let mut table = output.table(&["LIMIT", "MOST", "MARKED FROM", "RUNS", "BOUNDS"]);
    for one in limits {
        let said = |value: Option<i64>| value.map(|value| amount(value, &one.unit));
        table.add_row(vec![
            Cell::new(&one.name),
            Cell::new(said(one.most).unwrap_or_else(|| "none".to_owned())),
            Cell::new(said(one.near).unwrap_or_default()),
            Cell::new(one.runs.map(|runs| runs.to_string()).unwrap_or_default()),
            Cell::new(&one.bounds),
        ]);
    }
    output.draw(table)
}

fn workflows(counts: &[NearLimitCount], output: Output) -> String {
    let mut table = output.table(&["WORKFLOW", "NEAR", "RUNS", "LIVE", "LAST"]);
    for one in counts {
        table.add_row(vec![
            Cell::new(&one.workflow),
            Cell::new(&one.name),
            Cell::new(one.runs),
            Cell::new(one.live),
            Cell::new(time::timestamp(one.last_at)),
        ]);
    }
    output.draw(table)
}

fn runs(near: &[NearLimit], output: Output) -> String {
    if near.is_empty() {
        return "none".to_owned();
    }
    let mut table = output.table(&["RUN", "WORKFLOW", "NEAR", "PART", "WHEN"]);
    for one in near {
        table.add_row(vec![
            Cell::new(one.id),
            Cell::new(&one.workflow),
            Cell::new(&one.name),
            Cell::new(part(one)),
            Cell::new(time::timestamp(one.at)),
        ]);
    }
    output.draw(table)
}

/// How much of the limit it was.
pub(crate) fn part(near: &NearLimit) -> String {
    let percent = near.value as f64 * 100.0 / near.most.max(1) as f64;
    format!("{percent:.0} % of {}", near.most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        assert_eq!(amount(512, "bytes"), "512 bytes");
        assert_eq!(amount(64 << 10, "bytes"), "64 KiB");
        assert_eq!(amount((16 << 20) + (1 << 19), "bytes"), "16.5 MiB");
        assert_eq!(
            amount(200_000_000, "instructions"),
            "200000000 instructions"
        );
    }
}
