//! Bars on an axis of time: what a run has done when, how long it waited and how long it ran.

use std::time::{Duration, SystemTime};

use rhythm_client::time as text;
use serde::Serialize;

use crate::output::Output;
use crate::render::time;

/// What a part of a bar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Nobody worked on it.
    Waits,
    /// A worker ran it.
    Runs,
    /// A worker ran it, and that attempt failed.
    Failed,
    /// A timer.
    Timer,
    /// A moment, such as a signal.
    Moment,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Waits => '·',
            Self::Runs => '█',
            Self::Failed => '▒',
            Self::Timer => '─',
            Self::Moment => '◆',
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Runs => "runs",
            Self::Failed => "failed",
            Self::Timer => "timer",
            Self::Moment => "moment",
        }
    }
}

/// A part of a bar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Segment {
    pub(crate) kind: Kind,
    #[serde(with = "text")]
    pub(crate) from: SystemTime,
    #[serde(with = "text")]
    pub(crate) to: SystemTime,
}

/// A step of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Bar {
    pub(crate) name: String,
    /// Id of the task or workflow; timers and signals have none.
    pub(crate) id: Option<String>,
    /// How it has ended; none: it has not, or that does not apply.
    pub(crate) state: Option<String>,
    pub(crate) worker: Option<String>,
    pub(crate) attempt: Option<i64>,
    /// In order, without gaps.
    pub(crate) segments: Vec<Segment>,
}

impl Bar {
    fn from(&self) -> Option<SystemTime> {
        self.segments.iter().map(|segment| segment.from).min()
    }

    fn to(&self) -> Option<SystemTime> {
        self.segments.iter().map(|segment| segment.to).max()
    }
}

/// Names are not longer than this.
const NAME: usize = 24;
/// What stands to the right of the bars.
const FACTS: usize = 24;

/// Draws the bars into so many columns, the axis from the first to the last of them.
pub(crate) fn trace(bars: &[Bar], columns: usize, output: Output) -> String {
    let (Some(from), Some(to)) = (
        bars.iter().filter_map(Bar::from).min(),
        bars.iter().filter_map(Bar::to).max(),
    ) else {
        return String::new();
    };
    let name_width = bars.iter().map(|bar| bar.name.chars().count()).max();
    let name_width = name_width.unwrap_or_default().clamp(4, NAME);
    let width = columns.saturating_sub(name_width + 4 + FACTS).max(10);
    let whole = since(from, to).max(Duration::from_millis(1));
    let scale = Scale { from, whole, width };
    let end = time::duration(since(from, to));
    let axis = format!("{:<w$}{end}", "0", w = width.saturating_sub(end.len()));
    let mut lines = vec![
        output.strong(&format!("trace from {} UTC", time::timestamp(from))),
        output.faint(&format!("{:name_width$}  {axis}", "")),
    ];
    lines.extend(bars.iter().map(|bar| {
        let name = format!("{:name_width$}", shortened(&bar.name, name_width));
        let row = row(bar, &scale, output);
        format!("{name}  {row}  {}", facts(bar, output))
            .trim_end()
            .to_owned()
    }));
    let legend = [
        Kind::Waits,
        Kind::Runs,
        Kind::Failed,
        Kind::Timer,
        Kind::Moment,
    ]
    .into_iter()
    .filter(|kind| {
        let mut all = bars.iter().flat_map(|bar| &bar.segments);
        all.any(|segment| segment.kind == *kind)
    })
    .map(|kind| format!("{} {}", kind.letter(), kind.words()));
    let legend: Vec<String> = legend.collect();
    lines.push(output.faint(&legend.join("   ")));
    lines.join("\n")
}

struct Scale {
    from: SystemTime,
    whole: Duration,
    width: usize,
}

impl Scale {
    /// The column of a moment; the last moment is behind the last column.
    fn column(&self, at: SystemTime) -> usize {
        let part = since(self.from, at).as_secs_f64() / self.whole.as_secs_f64();
        ((part * self.width as f64) as usize).min(self.width)
    }
}

fn since(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

/// The bar itself. Each segment has a column at least, which a later one may take; a short failure is not hidden.
fn row(bar: &Bar, scale: &Scale, output: Output) -> String {
    let mut cells: Vec<Option<Kind>> = vec![None; scale.width];
    let order = [
        Kind::Waits,
        Kind::Timer,
        Kind::Runs,
        Kind::Failed,
        Kind::Moment,
    ];
    for kind in order {
        for segment in bar.segments.iter().filter(|segment| segment.kind == kind) {
            let first = scale.column(segment.from).min(scale.width - 1);
            let last = scale.column(segment.to).max(first + 1);
            cells[first..last].fill(Some(kind));
        }
    }
    let runs = cells.chunk_by(|one, next| one == next).map(|run| {
        let letter = run[0].map_or(' ', Kind::letter);
        let text: String = std::iter::repeat_n(letter, run.len()).collect();
        match run[0] {
            Some(Kind::Failed) => output.bad(&text),
            Some(Kind::Runs) => output.accent(&text),
            Some(Kind::Waits) => output.faint(&text),
            _ => text,
        }
    });
    runs.collect()
}

fn facts(bar: &Bar, output: Output) -> String {
    let mut facts = Vec::new();
    if let (Some(from), Some(to)) = (bar.from(), bar.to())
        && bar.segments.iter().any(|one| one.kind != Kind::Moment)
    {
        facts.push(time::duration(since(from, to)));
    }
    // What went well needs no words.
    if let Some(state) = bar.state.as_deref().filter(|state| *state != "completed") {
        facts.push(output.state(state));
    }
    if let Some(attempt) = bar.attempt.filter(|attempt| *attempt > 1) {
        facts.push(format!("attempt {attempt}"));
    }
    if let Some(worker) = &bar.worker {
        facts.push(output.faint(shortened(worker, 20).as_str()));
    }
    facts.join("  ")
}

fn shortened(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some(_) => {
            let kept: String = text.chars().take(width.saturating_sub(1)).collect();
            format!("{kept}…")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_492_392 + seconds)
    }

    fn bar(name: &str, state: Option<&str>, segments: &[(Kind, u64, u64)]) -> Bar {
        let segments = segments.iter().map(|(kind, from, to)| Segment {
            kind: *kind,
            from: at(*from),
            to: at(*to),
        });
        Bar {
            name: name.into(),
            id: None,
            state: state.map(str::to_owned),
            worker: segments.len().gt(&1).then(|| "w1".to_owned()),
            attempt: None,
            segments: segments.collect(),
        }
    }

    fn bars() -> Vec<Bar> {
        use Kind::{Failed, Moment, Runs, Timer, Waits};
        vec![
            bar("order", None, &[(Runs, 0, 100)]),
            bar(
                "charge",
                Some("completed"),
                &[(Waits, 0, 10), (Runs, 10, 30)],
            ),
            bar(
                "a-task-with-a-name-that-is-too-long",
                Some("failed"),
                &[
                    (Waits, 30, 35),
                    (Failed, 35, 36),
                    (Waits, 36, 50),
                    (Failed, 50, 51),
                ],
            ),
            bar("timer", None, &[(Timer, 51, 90)]),
            bar("signal go", None, &[(Moment, 90, 90)]),
            bar("mail", None, &[(Waits, 90, 100)]),
        ]
    }

    #[test]
    fn bars_stand_where_their_time_was() {
        insta::assert_snapshot!(trace(&bars(), 100, Output::plain()));
    }

    #[test]
    fn a_narrow_terminal_gets_short_bars_and_a_wide_one_long_ones() {
        let widths = |columns| {
            let drawn = trace(&bars()[..1], columns, Output::plain());
            let line = drawn.lines().nth(2).unwrap_or_default();
            line.chars().filter(|letter| *letter == '█').count()
        };
        assert_eq!((widths(40), widths(0), widths(200)), (10, 10, 167));
    }

    #[test]
    fn what_takes_no_time_is_seen_and_nothing_is_nothing() {
        let one = [bar("a", None, &[(Kind::Runs, 0, 0)])];
        assert!(trace(&one, 80, Output::plain()).contains('█'));
        assert_eq!(trace(&[], 80, Output::plain()), "");
    }
}
