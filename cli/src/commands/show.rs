//! `rhythm show`.

use std::time::{Duration, SystemTime};

use clap::Args;
use rhythm_client::{Execution, FailedAttempt, NearLimit, TimelineEvent, Why};
use serde_json::{Value, json};
use uuid::Uuid;

use super::limits;
use crate::cli::Context;
use crate::error::{CliError, Result};
use crate::output::Output;
use crate::render::execution::{compact, error_text, facts};
use crate::render::log::log;
use crate::render::time;
use crate::render::timeline::{Event, timeline};
use crate::render::tree::{Node, tree};
use crate::render::variables::variables;

/// Show an execution: its facts, why it waits and where, its variables, what it started, what happened last, its log
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Id of the execution
    id: Uuid,
    /// Show the whole timeline, with the log in it
    #[arg(short, long)]
    verbose: bool,
    /// Leave nothing out of a large tree, a long timeline or long values
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: ShowArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let execution = client.execution(args.id).await?.ok_or_else(|| {
        CliError::user(format!("there is no execution {}", args.id))
            .hint("See `rhythm list`; what ended long ago is removed.")
    })?;
    let most = if args.all { ALL } else { 1000 };
    let mut members = client.tree(args.id, most + 1).await?;
    let is_cut = members.len() > usize::try_from(most).unwrap_or_default();
    members.truncate(usize::try_from(most).unwrap_or_default());
    let attempts = client.attempts(args.id).await?;
    let why = match execution.finished_at {
        Some(_) => None,
        None => Some(client.why(args.id).await?),
    };
    let is_workflow = execution.kind == "workflow";
    let (most_rows, bytes) = if args.all {
        (ALL, LONGEST)
    } else {
        (ROWS, SHORT)
    };
    let mut frames = match is_workflow {
        true => client.variables(args.id, most_rows + 1, bytes).await,
        false => Ok(Vec::new()),
    };
    let lines = match is_workflow && !args.verbose {
        true => client.log(args.id, false, LINES).await?,
        false => Vec::new(),
    };
    let most_events = if args.verbose { ALL } else { EVENTS };
    let events = match args.verbose || is_workflow {
        true => client.timeline(args.id, most_events).await?,
        false => Vec::new(),
    };
    let near = match is_workflow {
        true => client.near_limits(Some(args.id), None, 100).await?,
        false => Vec::new(),
    };
    let output = context.output;
    if output.is_json() {
        let (frames, unread) = match frames {
            Ok(frames) => (frames, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        output.json(&json!({
            "execution": execution, "attempts": attempts, "why": why, "variables": frames, "variablesError": unread,
            "tree": members, "truncated": is_cut, "timeline": events, "log": lines, "nearLimits": near,
        }));
        return Ok(());
    }
    let now = SystemTime::now();
    output.line(head(&execution, why.as_ref(), &near, now, output));
    match &mut frames {
        Ok(frames) if frames.is_empty() => {}
        Ok(frames) => {
            let most = usize::try_from(most_rows).unwrap_or_default();
            let hidden = frames.len() > most;
            frames.truncate(most);
            // What it says stands above.
            frames.retain(|one| one.frame > 1 || one.variable.as_deref() != Some("Context"));
            let file = format!("{}.flow", execution.name);
            output.line(format!("\n{}", variables(frames, &file, hidden, output)));
        }
        // A damaged state hides nothing else.
        Err(error) => output.line(format!("\n{}", output.bad(&error.to_string()))),
    }
    // The error of one that failed at its only attempt is told above.
    if attempts.len() > 1 || execution.finished_at.is_none() && !attempts.is_empty() {
        output.line(format!("\n{}", failed(&attempts, args.all, output)));
    }
    let nodes: Vec<Node> = members.iter().map(node).collect();
    let id = execution.id.to_string();
    output.line(format!("\n{}", tree(&nodes, &id, now, args.all, output)));
    if is_cut {
        let more = if args.all { "" } else { " (more with --all)" };
        output.line(output.faint(&format!("these are the first {most}{more}")));
    }
    let told: Vec<Event> = events
        .iter()
        .filter(|one| args.verbose || one.event != "log")
        .map(event)
        .collect();
    if !told.is_empty() {
        output.line(format!("\n{}", timeline(&told, args.all, output)));
    }
    if !lines.is_empty() {
        let shown = log(&lines, false, output);
        output.line(format!("\n{}\n{shown}", output.strong("log")));
    }
    Ok(())
}

/// Variables that are shown, and bytes of each.
const ROWS: i32 = 50;
const SHORT: i32 = 200;
const LONGEST: i32 = 100_000;

/// Entries of the timeline and lines of the log that are shown.
const EVENTS: i32 = 10;
const LINES: i32 = 10;

fn head(
    execution: &Execution,
    why: Option<&Why>,
    near: &[NearLimit],
    now: SystemTime,
    output: Output,
) -> String {
    let near: Vec<String> = near
        .iter()
        .map(|one| format!("{}: {}", one.name, limits::part(one)))
        .collect();
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
            // `note` says what `why` says, but of tasks alone.
            (
                "why",
                why.and_then(|why| why.explanation.clone())
                    .or_else(|| execution.note.clone()),
            ),
            ("since", moment(why.and_then(|why| why.since))),
            ("until", moment(why.and_then(|why| why.until))),
            ("do", why.and_then(|why| why.hint.clone())),
            (
                "cancelled",
                moment(execution.cancel_requested_at).map(|at| format!("asked for at {at}")),
            ),
            ("because", execution.cancel_reason.clone()),
            ("task_id", execution.task_id.clone()),
            ("parent", execution.parent_id.map(|id| id.to_string())),
            ("queue", Some(execution.queue.clone())),
            (
                "attempt",
                (execution.attempt > 1).then(|| execution.attempt.to_string()),
            ),
            (
                "worker",
                execution
                    .worker
                    .clone()
                    .filter(|_| execution.kind == "task"),
            ),
            (
                "near limits",
                Some(near.join("\n")).filter(|text| !text.is_empty()),
            ),
            ("progress", given(&execution.progress)),
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

/// Rows of a tree that are read at most.
const ALL: i32 = 99_999;

/// How many failed attempts are shown: the last ones.
const ATTEMPTS: usize = 10;

/// The failed attempts, a line each.
fn failed(attempts: &[FailedAttempt], all: bool, output: Output) -> String {
    let hidden = if all {
        0
    } else {
        attempts.len().saturating_sub(ATTEMPTS)
    };
    let mut lines = vec![output.strong("failed attempts")];
    if hidden > 0 {
        lines.push(output.faint(&format!("… {hidden} before (all with --all)")));
    }
    let number = |one: &FailedAttempt| one.attempt.to_string();
    let width = attempts
        .iter()
        .map(|one| number(one).len())
        .max()
        .unwrap_or_default();
    for one in &attempts[hidden..] {
        let took = one
            .started_at
            .map(|start| format!(" after {}", time::between(start, one.failed_at)));
        let worker = one.worker.as_ref().map(|name| format!(" by {name}"));
        let error = one.error.as_deref().map(error_text).unwrap_or_default();
        lines.push(format!(
            "{:>width$}  {}{}{}  {}",
            number(one),
            output.faint(&time::timestamp(one.failed_at)),
            took.unwrap_or_default(),
            worker.unwrap_or_default(),
            error.lines().next().unwrap_or_default(),
        ));
    }
    lines.join("\n")
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

fn event(event: &TimelineEvent) -> Event {
    let name = event.name.as_deref().unwrap_or_default();
    if event.event == "earlier" {
        return before(event);
    }
    let data: Value = event
        .data
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    // The name of a line of the log is its level.
    if event.event == "log" {
        let message = data.as_str().unwrap_or_default().to_owned();
        let detail = if name == "log" {
            message
        } else {
            format!("{name}: {message}")
        };
        return Event {
            at: event.at,
            what: "log".into(),
            detail,
        };
    }
    let mut detail = name.to_owned();
    if let (Some(id), Some(step)) = (data["id"].as_str(), data["step"].as_i64()) {
        let way = if event.event == "forked" {
            "to"
        } else {
            "from"
        };
        detail = format!("{way} {id} at step {step}, by {name}");
    }
    if let Some(attempt) = data["attempt"].as_i64().filter(|attempt| *attempt > 1) {
        detail.push_str(&format!("  attempt {attempt}"));
    }
    if let Some(worker) = event.worker.as_deref().or(data["worker"].as_str()) {
        detail.push_str(&format!("  by {worker}"));
    }
    if event.event == "near_limit" {
        detail.push_str(&format!("  {} of {}", data["value"], data["most"]));
    }
    for (word, seconds) in [("waited", event.waited), ("ran", event.ran)] {
        // What took no time is nothing to be told of.
        let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if let Some(span) = span.filter(|span| span.as_millis() > 0) {
            detail.push_str(&format!("  {word} {}", time::duration(span)));
        }
    }
    if let Some(error) = data.get("error").filter(|error| error.is_object()) {
        let error = error_text(&error.to_string());
        detail.push_str(&format!("  {}", error.lines().next().unwrap_or_default()));
    }
    Event {
        at: event.at,
        what: event.event.replace('_', " "),
        detail,
    }
}

/// What stands for the entries that are not shown.
fn before(event: &TimelineEvent) -> Event {
    let data: Value =
        serde_json::from_str(event.data.as_deref().unwrap_or("null")).unwrap_or_default();
    Event {
        at: event.at,
        what: "earlier".into(),
        detail: format!("{} entries (all with -v)", data["entries"]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn failed_attempts_are_told_in_a_line_each_and_the_last_ones_alone() {
        let attempt = |n: i32| FailedAttempt {
            attempt: n,
            worker: (n > 1).then(|| "w1".to_owned()),
            started_at: (n > 1).then_some(UNIX_EPOCH),
            failed_at: UNIX_EPOCH + Duration::from_secs(90),
            error: Some(
                r#"{"name": "IOError", "message": "disk full", "stack": "E\n  at x"}"#.into(),
            ),
            next_at: None,
        };
        let few: Vec<_> = (1..=2).map(attempt).collect();
        let many: Vec<_> = (1..=30).map(attempt).collect();
        assert_eq!(failed(&many, false, Output::plain()).lines().count(), 12);
        assert_eq!(failed(&many, true, Output::plain()).lines().count(), 31);
        insta::assert_snapshot!(failed(&few, false, Output::plain()));
    }
}
