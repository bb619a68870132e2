//! `rhythm show`.

use std::time::SystemTime;

use clap::Args;
use rhythm_client::Execution;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::{CliError, Result};
use crate::output::Output;
use crate::render::execution::{compact, error_text, facts};
use crate::render::time;
use crate::render::timeline::{Event, timeline};
use crate::render::tree::{Node, tree};

/// Show an execution: its facts, and the tree of what it started
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Id of the execution
    id: Uuid,
    /// Show the timeline with the log too
    #[arg(short, long)]
    verbose: bool,
    /// Leave nothing out of a large tree or a long timeline
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: ShowArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let execution = client.execution(args.id).await?.ok_or_else(|| {
        CliError::user(format!("there is no execution {}", args.id))
            .hint("See `rhythm list`; what ended long ago is removed.")
    })?;
    let members = client.tree(execution.root_id).await?;
    let (events, logs) = if args.verbose {
        (client.timeline(args.id).await?, client.logs(args.id).await?)
    } else {
        (Vec::new(), Vec::new())
    };
    let output = context.output;
    if output.is_json() {
        let mut value = json!({ "execution": execution, "tree": members });
        if args.verbose {
            value["timeline"] = json!(events);
            value["logs"] = json!(logs);
        }
        output.json(&value);
        return Ok(());
    }
    let now = SystemTime::now();
    output.line(head(&execution, now, output));
    let nodes: Vec<Node> = members.iter().map(node).collect();
    let id = execution.id.to_string();
    output.line(format!("\n{}", tree(&nodes, &id, now, args.all, output)));
    if args.verbose {
        let mut events: Vec<Event> = events.iter().map(event).collect();
        events.extend(logs.iter().map(|line| Event {
            at: line.at,
            what: line.level.clone(),
            detail: line.message.clone(),
        }));
        // Stable: what happened at the same moment stays in the server's order.
        events.sort_by_key(|event| event.at);
        output.line(format!("\n{}", timeline(&events, args.all, output)));
    }
    Ok(())
}

fn head(execution: &Execution, now: SystemTime, output: Output) -> String {
    let given = |text: &Option<String>| text.as_deref().map(compact);
    let moment = |at: Option<SystemTime>| at.map(|at| format!("{} UTC", time::timestamp(at)));
    let what = match execution.version {
        Some(version) => format!("{}, version {version}", execution.kind),
        None => execution.kind.clone(),
    };
    let finished = execution.finished_at.map(|end| {
        let took = time::between(execution.created_at, end);
        format!("{} UTC, after {took}", time::timestamp(end))
    });
    let later = execution
        .run_at
        .filter(|at| *at > now && execution.finished_at.is_none());
    let facts = facts(
        &[
            ("id", Some(execution.id.to_string())),
            ("state", Some(output.state(execution.state.as_str()))),
            ("note", execution.note.clone()),
            ("task_id", execution.task_id.clone()),
            ("parent", execution.parent_id.map(|id| id.to_string())),
            ("queue", Some(execution.queue.clone())),
            (
                "attempt",
                (execution.attempt > 1).then(|| execution.attempt.to_string()),
            ),
            ("created", moment(Some(execution.created_at))),
            ("runs at", moment(later)),
            ("finished", finished),
            ("inputs", given(&execution.inputs)),
            (
                "attributes",
                given(&execution.attributes).filter(|text| text != "{}"),
            ),
            ("result", given(&execution.result)),
            ("error", execution.error.as_deref().map(error_text)),
        ],
        output,
    );
    format!("{} ({what})\n{facts}", output.strong(&execution.name))
}

fn node(execution: &Execution) -> Node {
    // One line of the error is enough in a tree.
    let failed = execution
        .error
        .as_deref()
        .and_then(|e| error_text(e).lines().next().map(str::to_owned));
    Node {
        id: execution.id.to_string(),
        parent: execution.parent_id.map(|id| id.to_string()),
        name: execution.name.clone(),
        state: execution.state.to_string(),
        attempt: execution.attempt,
        created: execution.created_at,
        finished: execution.finished_at,
        note: execution.note.clone().or(failed),
    }
}

fn event(event: &rhythm_client::TimelineEvent) -> Event {
    let parts = [event.name.clone(), event.data.as_deref().map(compact)];
    Event {
        at: event.at,
        what: event.event.replace('_', " "),
        detail: parts.into_iter().flatten().collect::<Vec<_>>().join("  "),
    }
}
