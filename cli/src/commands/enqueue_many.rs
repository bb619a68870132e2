//! `rhythm enqueue-many`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use serde_json::value::RawValue;

use crate::cli::Context;
use crate::error::{AtPath, CliError, Kind, Result};

/// A batch is one JSON value for the server, and one batch must fit into memory.
const BATCH_BYTES: usize = 16 << 20;

/// Enqueue many tasks, from lines of JSON
///
/// Each line is an object whose keys are the parameters of `rhythm.enqueue`: name, inputs, queue,
/// task_id, priority, delay, run_at, retry, … ; with "kind": "workflow" it starts a workflow. Batches
/// are enqueued whole or not at all, one after the other: when a line is wrong, those of the batches
/// before are enqueued, and the error says how many lines that are. With a task_id on each line, the
/// whole file may simply be given again.
#[derive(Args)]
#[command(after_help = "Examples:
  rhythm enqueue-many jobs.jsonl
  jq -c '{name: \"thumb\", inputs: ., task_id: .id}' images.json | rhythm enqueue-many -

A line:
  {\"name\": \"send_mail\", \"inputs\": {\"to\": \"a@b.c\"}, \"task_id\": \"order-17\", \"delay\": \"5 minutes\"}")]
pub(crate) struct EnqueueManyArgs {
    /// File with a JSON object a line; - reads stdin
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// How many lines are enqueued in one transaction
    #[arg(long, default_value_t = 1000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Print the id of each line's execution, in their order
    #[arg(long)]
    ids: bool,
}

/// What has been done so far.
#[derive(Default)]
struct Done {
    lines: usize,
    created: usize,
    existing: usize,
}

pub(crate) async fn run(args: EnqueueManyArgs, context: &Context) -> Result<()> {
    let path = args.file.as_path();
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(path).at("read", path)?))
    };
    let client = context.client().await?;
    let batch = args.batch.try_into().unwrap_or(usize::MAX);
    let mut done = Done::default();
    let mut items: Vec<String> = Vec::new();
    let mut bytes = 0;
    let mut first = 1;
    let mut ids = Vec::new();
    let mut lines = reader.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let line = line.at("read", path).map_err(|error| after(&done, error))?;
        if !line.trim().is_empty() {
            check(&line, at + 1).map_err(|error| after(&done, error))?;
            if items.is_empty() {
                first = at + 1;
            }
            bytes += line.len();
            items.push(line);
        }
        let full = items.len() >= batch || bytes >= BATCH_BYTES;
        if items.is_empty() || !full && lines.peek().is_some() {
            continue;
        }
        let made = client.enqueue_many(&format!("[{}]", items.join(","))).await;
        let made = made.map_err(|error| {
            // The server counts the items of its batch from 0.
            let from = format!("Item 0 is from line {first}.");
            after(&done, CliError::from(error).add_detail(&from))
        })?;
        done.lines = at + 1;
        done.created += made.iter().filter(|(_, new)| *new).count();
        done.existing += made.iter().filter(|(_, new)| !*new).count();
        if args.ids && context.output.is_json() {
            ids.extend(made.iter().map(|(id, _)| *id));
        } else if args.ids {
            let text: Vec<_> = made.iter().map(|(id, _)| id.to_string()).collect();
            context.output.line(text.join("\n"));
        }
        items.clear();
        bytes = 0;
    }
    let mut report = json!({ "enqueued": done.created, "existing": done.existing });
    if args.ids {
        report["ids"] = json!(ids);
    }
    if context.output.is_json() {
        context.output.json(&report);
    } else if !args.ids {
        context.output.line(match done.existing {
            0 => format!("{} enqueued", done.created),
            there => format!("{} enqueued, {there} were there already", done.created),
        });
    }
    Ok(())
}

/// Makes sure that a line is one JSON object: a batch must not become another one by what a line holds.
fn check(line: &str, number: usize) -> Result<()> {
    let wrong = match serde_json::from_str::<&RawValue>(line) {
        Ok(value) if value.get().starts_with('{') => return Ok(()),
        Ok(_) => "is no JSON object".to_owned(),
        Err(error) => format!("is not valid JSON: {error}"),
    };
    Err(CliError::user(format!("line {number} {wrong}")).hint(
        "A line is one object, as in {\"name\": \"send_mail\", \"inputs\": {\"to\": \"a@b.c\"}}.",
    ))
}

/// The error, with what was done before it.
fn after(done: &Done, error: CliError) -> CliError {
    let before = match done.lines {
        0 => "Nothing is enqueued".to_owned(),
        lines => format!("Lines 1 to {lines} are enqueued"),
    };
    // A connection that broke has not said what became of its batch.
    let unsure = match error.kind {
        Kind::Server => ", and perhaps the batch that was under way",
        _ => "",
    };
    error.add_detail(&format!("{before}{unsure}."))
}
