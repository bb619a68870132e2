//! `rhythm trace`.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use clap::Args;
use rhythm_client::{Execution, TimelineEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::Context;
use crate::error::{CliError, Result};
use crate::render::trace::{Bar, Kind, Segment, trace};

/// Draw what a run did when, as bars on an axis of time
///
/// A bar for the run, and one for each of its steps: how long it waited for a worker, how long it ran, which attempts failed; timers and
/// signals. Of a long run the last steps.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TraceArgs {
    /// Id of the execution
    id: Uuid,
    /// Entries of the timeline that are drawn, the last ones
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    max: i32,
    /// Columns to draw in, where that is not the width of the terminal
    #[arg(long, value_name = "N")]
    width: Option<u16>,
}

const EXAMPLES: &str = "Examples:
  rhythm trace 0190a1b2-0000-7000-8000-000000000000
  rhythm --json trace 0190a1b2-0000-7000-8000-000000000000";

pub(crate) async fn run(args: TraceArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let execution = client.execution(args.id).await?.ok_or_else(|| {
        CliError::user(format!("there is no execution {}", args.id))
            .hint("See `rhythm list`; what ended long ago is removed.")
    })?;
    let events = client.timeline(args.id, args.max).await?;
    // The server's clock may be ahead of ours.
    let last = events.iter().map(|event| event.at).max();
    let now = last.map_or_else(SystemTime::now, |last| last.max(SystemTime::now()));
    let bars = bars(&execution, &events, now);
    let earlier = earlier(&events);
    let output = context.output;
    if output.is_json() {
        output.json(&json!({ "execution": execution, "bars": bars, "earlier": earlier }));
        return Ok(());
    }
    let width = args.width.map_or_else(|| output.width(), usize::from);
    output.line(trace(&bars, width, output));
    if earlier > 0 {
        let text = format!("{earlier} entries before (more with --max)");
        output.line(output.faint(&text));
    }
    Ok(())
}

/// How many entries of the timeline came before these.
fn earlier(events: &[TimelineEvent]) -> i64 {
    let first = events.first().filter(|event| event.event == "earlier");
    first
        .and_then(|event| data(event)["entries"].as_i64())
        .unwrap_or_default()
}

fn data(event: &TimelineEvent) -> Value {
    let text = event.data.as_deref().unwrap_or("null");
    serde_json::from_str(text).unwrap_or_default()
}

/// A bar that is being made.
struct Open {
    bar: Bar,
    from: SystemTime,
    to: Option<SystemTime>,
    /// Since when its present attempt runs.
    runs: Option<SystemTime>,
}

impl Open {
    fn new(name: &str, id: Option<String>, from: SystemTime) -> Self {
        Self {
            bar: Bar {
                name: name.to_owned(),
                id,
                state: None,
                worker: None,
                attempt: None,
                segments: Vec::new(),
            },
            from,
            to: None,
            runs: None,
        }
    }

    fn segment(&mut self, kind: Kind, from: SystemTime, to: SystemTime) {
        let from = from.max(self.from);
        self.bar.segments.push(Segment {
            kind,
            from,
            to: to.max(from),
        });
    }

    /// An attempt that ended with this event.
    fn attempt(&mut self, event: &TimelineEvent, kind: Kind) {
        if let Some(ran) = event.ran {
            self.segment(kind, before(event.at, ran), event.at);
        }
        self.runs = None;
        self.of(event);
    }

    fn of(&mut self, event: &TimelineEvent) {
        self.bar.worker = event.worker.clone().or(self.bar.worker.take());
        self.bar.attempt = event.attempt.map(i64::from).or(self.bar.attempt);
    }

    /// Fills what is left with waiting.
    fn close(mut self, now: SystemTime) -> Bar {
        let end = self.to.unwrap_or(now);
        if let Some(runs) = self.runs.take() {
            self.segment(Kind::Runs, runs, end);
        }
        let (mut at, mut all) = (self.from, Vec::new());
        for segment in std::mem::take(&mut self.bar.segments) {
            if segment.from > at {
                all.push(Segment {
                    kind: Kind::Waits,
                    from: at,
                    to: segment.from,
                });
            }
            at = at.max(segment.to);
            all.push(segment);
        }
        if end > at {
            all.push(Segment {
                kind: Kind::Waits,
                from: at,
                to: end,
            });
        }
        self.bar.segments = all;
        self.bar
    }
}

fn before(at: SystemTime, seconds: f64) -> SystemTime {
    let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    at.checked_sub(span).unwrap_or(at)
}

/// The bars of a run: its own first, then its steps in the order in which they began.
fn bars(execution: &Execution, events: &[TimelineEvent], now: SystemTime) -> Vec<Bar> {
    let begun = events.first().map_or(execution.created_at, |first| {
        if first.event == "earlier" {
            events.get(1).map_or(first.at, |second| second.at)
        } else {
            first.at
        }
    });
    let is_task = execution.kind == "task";
    let id = Some(execution.id.to_string());
    let mut all = vec![Open::new(&execution.name, id, begun)];
    let mut places: HashMap<String, usize> = HashMap::new();
    for event in events {
        let name = event.name.as_deref().unwrap_or_default();
        let data = data(event);
        let words = event.event.as_str();
        let child = data["id"].as_str().map(str::to_owned);
        if let (Some(id), Some(("task" | "workflow", what))) = (child, words.split_once('_')) {
            let place = *places.entry(id.clone()).or_insert_with(|| {
                let spent = event.ran.unwrap_or_default() + event.waited.unwrap_or_default();
                all.push(Open::new(
                    name,
                    Some(id),
                    before(event.at, spent).max(begun),
                ));
                all.len() - 1
            });
            let one = &mut all[place];
            match what {
                "created" => one.from = event.at,
                "started" => {
                    one.runs = Some(event.at);
                    one.of(event);
                }
                "attempt_failed" => one.attempt(event, Kind::Failed),
                state => {
                    let is_bad = matches!(state, "failed" | "timed_out");
                    one.attempt(event, if is_bad { Kind::Failed } else { Kind::Runs });
                    one.bar.state = Some(state.to_owned());
                    one.to = Some(event.at);
                }
            }
            continue;
        }
        match words {
            "earlier" | "created" | "log" | "near_limit" => {}
            "started" => {
                all[0].runs = Some(event.at.max(begun));
                all[0].of(event);
            }
            "attempt_failed" => all[0].attempt(event, Kind::Failed),
            "completed" | "failed" | "cancelled" | "timed_out" => {
                if is_task {
                    let is_bad = matches!(words, "failed" | "timed_out");
                    all[0].attempt(event, if is_bad { Kind::Failed } else { Kind::Runs });
                }
                all[0].bar.state = Some(words.to_owned());
                all[0].to = Some(event.at);
            }
            "timer_fired" => {
                let from = before(event.at, event.waited.unwrap_or_default()).max(begun);
                let mut one = Open::new("timer", None, from);
                one.segment(Kind::Timer, from, event.at);
                one.to = Some(event.at);
                all.push(one);
            }
            _ => {
                let label = match words {
                    "signal_received" => format!("signal {name}"),
                    "signal_timed_out" => format!("no signal {name}"),
                    words => words.replace('_', " "),
                };
                let mut one = Open::new(&label, None, event.at);
                one.segment(Kind::Moment, event.at, event.at);
                one.to = Some(event.at);
                all.push(one);
            }
        }
    }
    // A workflow goes on from its beginning to its end; of one whose beginning is not told that is all there is.
    if !is_task && all[0].runs.is_none() && earlier(events) > 0 {
        all[0].runs = Some(begun);
    }
    let own = all.remove(0).close(now);
    all.sort_by_key(|one| one.from);
    let steps = all.into_iter().map(|one| one.close(now));
    std::iter::once(own).chain(steps).collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use rhythm_client::State;

    use super::*;
    use crate::output::Output;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_492_392 + seconds)
    }

    fn event(seconds: u64, event: &str, name: &str, data: Value) -> TimelineEvent {
        TimelineEvent {
            at: at(seconds),
            event: event.into(),
            name: (!name.is_empty()).then(|| name.to_owned()),
            data: Some(data.to_string()),
            waited: data["waited"].as_f64(),
            ran: data["ran"].as_f64(),
            worker: data["worker"].as_str().map(str::to_owned),
            attempt: data["attempt"].as_i64().and_then(|n| i32::try_from(n).ok()),
        }
    }

    fn execution(kind: &str, state: State) -> Execution {
        Execution {
            id: Uuid::nil(),
            kind: kind.into(),
            name: "order".into(),
            version: None,
            queue: "default".into(),
            state,
            task_id: None,
            parent_id: None,
            root_id: Uuid::nil(),
            inputs: None,
            result: None,
            error: None,
            attempt: 1,
            priority: 0,
            attributes: None,
            created_at: at(0),
            run_at: None,
            started_at: None,
            finished_at: None,
            worker: None,
            progress: None,
            note: None,
            trace_id: None,
            lease_until: None,
            cancel_requested_at: None,
            cancel_reason: None,
        }
    }

    fn events() -> Vec<TimelineEvent> {
        vec![
            event(0, "created", "order", Value::Null),
            event(0, "started", "order", Value::Null),
            event(0, "task_created", "charge", json!({"id": "a"})),
            event(0, "task_created", "mail", json!({"id": "b"})),
            event(
                20,
                "task_attempt_failed",
                "charge",
                json!({"id": "a", "ran": 10, "attempt": 1, "worker": "w1"}),
            ),
            event(
                40,
                "task_completed",
                "charge",
                json!({"id": "a", "waited": 10, "ran": 10, "attempt": 2, "worker": "w2"}),
            ),
            event(60, "timer_fired", "", json!({"waited": 20})),
            event(70, "signal_received", "go", json!("payload")),
            event(
                75,
                "task_started",
                "mail",
                json!({"id": "b", "attempt": 1, "worker": "w1"}),
            ),
        ]
    }

    #[test]
    fn a_run_is_drawn_from_its_timeline() {
        let bars = bars(&execution("workflow", State::Waiting), &events(), at(100));
        insta::assert_snapshot!(trace(&bars, 100, Output::plain()));
        insta::assert_snapshot!(serde_json::to_string_pretty(&bars[1]).expect("JSON"));
    }

    #[test]
    fn of_a_long_run_the_last_part_is_drawn() {
        let mut events = events();
        events.splice(0..4, [event(0, "earlier", "", json!({"entries": 4}))]);
        assert_eq!(earlier(&events), 4);
        let bars = bars(&execution("workflow", State::Waiting), &events, at(100));
        assert_eq!(bars[0].segments[0].from, at(20));
        assert!(
            bars.iter()
                .flat_map(|bar| &bar.segments)
                .all(|one| one.from >= at(20))
        );
        assert_eq!(bars.len(), 5);
    }

    #[test]
    fn a_task_has_a_bar_of_its_attempts() {
        let events = [
            event(0, "created", "order", Value::Null),
            event(5, "started", "order", json!({"worker": "w1", "attempt": 2})),
            event(
                10,
                "attempt_failed",
                "w1",
                json!({"ran": 5, "attempt": 1, "worker": "w1"}),
            ),
            event(
                40,
                "completed",
                "order",
                json!({"ran": 10, "attempt": 2, "worker": "w1"}),
            ),
        ];
        let bars = bars(&execution("task", State::Completed), &events, at(100));
        let kinds: Vec<_> = bars[0]
            .segments
            .iter()
            .map(|one| (one.kind, one.from, one.to))
            .collect();
        assert_eq!(
            kinds,
            [
                (Kind::Waits, at(0), at(5)),
                (Kind::Failed, at(5), at(10)),
                (Kind::Waits, at(10), at(30)),
                (Kind::Runs, at(30), at(40)),
            ]
        );
        assert_eq!(
            (bars.len(), bars[0].state.as_deref()),
            (1, Some("completed"))
        );
    }
}
