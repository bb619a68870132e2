//! The handlers of the test worker on the worker core, without any adapter: see tests/workers/README.md.

#![expect(
    clippy::result_large_err,
    reason = "the worker core's handlers return this error"
)]

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rhythm_client::worker::{
    TaskContext, TaskFailure, TaskOptions, Unfinished, Worker, WorkerOptions,
};
use rhythm_client::{Client, Config};
use serde_json::{Value, json};

type Answer = Result<String, TaskFailure>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = WorkerOptions::default();
    let mut url = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        if flag == "--relaxed-claims" {
            options.relaxed_claims = true;
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{flag} wants a value"))?;
        match flag.as_str() {
            "--url" => url = Some(value),
            "--name" => options.name = value,
            "--slots" => options.slots = value.parse()?,
            "--lease" => {
                options.lease = Duration::from_secs_f64(value.trim_end_matches('s').parse()?);
            }
            _ => return Err(format!("unknown argument {flag}").into()),
        }
    }
    let client = Client::new(
        Config::from_url_and_environment(url.as_deref())?,
        rhythm_client::worker::SESSIONS,
    );
    let worker = Worker::new(client, options)?
        .task(
            "echo",
            TaskOptions::default(),
            |_: TaskContext, inputs: String| async move { Answer::Ok(inputs) },
        )
        .task("fail_n", TaskOptions::default(), fail_n)
        .task("sleep", TaskOptions::default(), sleep)
        .task("heartbeat", TaskOptions::default(), heartbeat)
        .task("effect", TaskOptions::default(), effect)
        .task("count", TaskOptions::default(), count)
        .task("snooze", TaskOptions::default(), snooze)
        .observe(|event| eprintln!("{event}"));
    let handle = worker.handle();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        handle.drain();
    });
    worker.run().await?;
    Ok(())
}

async fn fail_n(context: TaskContext, inputs: String) -> Answer {
    let n = read(&inputs)?["n"].as_i64().unwrap_or(0);
    if i64::from(context.attempt) <= n {
        return Err(TaskFailure::new(
            "ValueError",
            format!("attempt {} fails", context.attempt),
        ));
    }
    Ok(json!({"attempt": context.attempt}).to_string())
}

async fn sleep(_: TaskContext, inputs: String) -> Answer {
    tokio::time::sleep(milliseconds(&read(&inputs)?)).await;
    Ok("null".to_owned())
}

async fn heartbeat(context: TaskContext, inputs: String) -> Answer {
    let inputs = read(&inputs)?;
    let cancelled = tokio::select! {
        _ = context.cancelled() => true,
        () = tokio::time::sleep(milliseconds(&inputs)) => false,
    };
    Ok(json!({"cancelled": cancelled}).to_string())
}

async fn effect(context: TaskContext, inputs: String) -> Answer {
    let inputs = read(&inputs)?;
    note("begin", &inputs, &context)?;
    tokio::time::sleep(milliseconds(&inputs)).await;
    note("end", &inputs, &context)?;
    Ok(inputs["key"].to_string())
}

async fn count(context: TaskContext, inputs: String) -> Answer {
    let inputs = read(&inputs)?;
    let begun: i64 = context
        .progress()
        .and_then(|n| n.parse().ok())
        .unwrap_or_default();
    for n in begun + 1..=inputs["to"].as_i64().unwrap_or_default() {
        context
            .set_progress(n.to_string(), false)
            .map_err(|error| TaskFailure::permanent("ProgressError", error.to_string()))?;
        if Some(n) == inputs["fails_at"].as_i64() && context.attempt == 1 {
            return Err(TaskFailure::new("ValueError", format!("{n} is not to be")));
        }
    }
    tokio::time::sleep(milliseconds(&inputs)).await;
    Ok(json!({"attempt": context.attempt, "begun": begun}).to_string())
}

async fn snooze(context: TaskContext, inputs: String) -> Result<String, Unfinished> {
    let inputs = read(&inputs)?;
    let times = context
        .progress()
        .and_then(|n| n.parse::<i64>().ok())
        .unwrap_or_default();
    if times >= inputs["times"].as_i64().unwrap_or_default() {
        return Ok(json!({"attempt": context.attempt, "times": times}).to_string());
    }
    context
        .set_progress((times + 1).to_string(), false)
        .map_err(|error| TaskFailure::permanent("ProgressError", error.to_string()))?;
    Err(Unfinished::Snoozed(milliseconds(&inputs)))
}

/// Appends to the journal in one write, which other processes cannot tear.
fn note(what: &str, inputs: &Value, context: &TaskContext) -> Result<(), TaskFailure> {
    let variable = |name: &str| {
        std::env::var(name).map_err(|e| TaskFailure::new("JournalError", e.to_string()))
    };
    let clock = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    let line = json!({
        "at": clock.unwrap_or_default().as_secs_f64(),
        "what": what,
        "key": inputs["key"],
        "attempt": context.attempt,
        "worker": variable("RHYTHM_TEST_WORKER")?,
    });
    File::options()
        .append(true)
        .open(variable("RHYTHM_TEST_JOURNAL")?)
        .and_then(|mut journal| journal.write_all(format!("{line}\n").as_bytes()))
        .map_err(|error| TaskFailure::new("JournalError", error.to_string()))
}

fn read(inputs: &str) -> Result<Value, TaskFailure> {
    serde_json::from_str(inputs)
        .map_err(|error| TaskFailure::permanent("InputError", error.to_string()))
}

fn milliseconds(inputs: &Value) -> Duration {
    Duration::from_millis(inputs["ms"].as_u64().unwrap_or(0))
}
