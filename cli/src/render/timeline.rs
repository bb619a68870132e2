//! What happened to an execution, in order, and what it logged.

use std::time::SystemTime;

use crate::output::Output;
use crate::render::time;

/// How many lines are shown at the beginning and at the end of a long timeline.
const HEAD: usize = 12;
const TAIL: usize = 24;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: SystemTime,
    /// What, in the words of the server: `started`, `task started`, `log` …
    pub(crate) what: String,
    /// To whom, or with which words.
    pub(crate) detail: String,
}

/// Draws the timeline; `all` shows every line of a long one.
pub(crate) fn timeline(events: &[Event], all: bool, output: Output) -> String {
    let Some(first) = events.first() else {
        return String::new();
    };
    let width = events
        .iter()
        .map(|event| event.what.chars().count())
        .max()
        .unwrap_or_default();
    let line = |(event, count): &(&Event, usize)| {
        let since = event
            .at
            .duration_since(first.at)
            .unwrap_or_default()
            .as_secs_f64();
        let text = format!(
            "{}  {}  {:width$}  {}",
            output.faint(&time::clock(event.at)),
            output.faint(&format!("{:>10}", format!("+{since:.3} s"))),
            event.what,
            event.detail
        );
        let text = text.trim_end();
        if *count > 1 {
            format!("{text}  (× {count})")
        } else {
            text.to_owned()
        }
    };
    let runs = runs(events, all);
    let mut lines: Vec<String> = if all || runs.len() <= HEAD + TAIL + 1 {
        runs.iter().map(line).collect()
    } else {
        let hidden = runs.len() - HEAD - TAIL;
        let mut lines: Vec<_> = runs[..HEAD].iter().map(line).collect();
        lines.push(output.faint(&format!("… {hidden} more (all with --all)")));
        lines.extend(runs[runs.len() - TAIL..].iter().map(line));
        lines
    };
    lines.insert(
        0,
        output.strong(&format!("timeline from {} UTC", time::timestamp(first.at))),
    );
    lines.join("\n")
}

/// The events with the number of equal ones that follow each other, at the time of the first:
/// a workflow that starts hundreds of tasks at once is told in one line.
fn runs(events: &[Event], all: bool) -> Vec<(&Event, usize)> {
    let mut runs: Vec<(&Event, usize)> = Vec::new();
    for event in events {
        match runs.last_mut() {
            Some((last, count))
                if !all && last.what == event.what && last.detail == event.detail =>
            {
                *count += 1;
            }
            _ => runs.push((event, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn event(millis: u64, what: &str, detail: &str) -> Event {
        Event {
            at: UNIX_EPOCH + Duration::from_millis(millis),
            what: what.into(),
            detail: detail.into(),
        }
    }

    #[test]
    fn a_timeline_counts_from_its_first_event() {
        let events = [
            event(1_000, "started", ""),
            event(1_002, "task started", "charge"),
            event(1_002, "task started", "mail"),
            event(1_003, "task started", "mail"),
            event(3_500, "log", "warn: undoing A-2"),
        ];
        insta::assert_snapshot!(timeline(&events, false, Output::plain()));
    }

    #[test]
    fn a_long_timeline_shows_its_ends() {
        let events: Vec<_> = (0..100)
            .map(|i| event(i, "task started", &i.to_string()))
            .collect();
        let short = timeline(&events, false, Output::plain());
        assert_eq!(short.lines().count(), 1 + HEAD + 1 + TAIL);
        assert!(short.contains("… 64 more"));
        assert_eq!(
            timeline(&events, true, Output::plain()).lines().count(),
            101
        );
    }
}
