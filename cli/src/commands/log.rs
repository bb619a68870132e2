//! `rhythm log`.

use clap::Args;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::Result;
use crate::render::log::log;

/// Show what a workflow wrote with console.log
#[derive(Args)]
pub(crate) struct LogArgs {
    /// Id of the execution
    id: Uuid,
    /// Show what the workflows below it wrote too
    #[arg(long)]
    tree: bool,
    /// Lines that are shown, the last ones
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    max: i32,
}

pub(crate) async fn run(args: LogArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let entries = client.log(args.id, args.tree, args.max).await?;
    let output = context.output;
    if output.is_json() {
        output.json(&entries);
    } else if !entries.is_empty() {
        output.line(log(&entries, args.tree, output));
    }
    Ok(())
}
