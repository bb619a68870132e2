//! The limits of a run: all of them for who asks (`rhythm.limits`), and how near a step has come to each.
//!
//! What passes a quarter of a limit is noted, and written with the step. A step that stays below has compared some numbers, and
//! sends nothing.

use std::collections::BTreeMap;

use rhythm_flow::host::{ATTRIBUTES, FAN_OUT};
use rhythm_flow::parse::MAX_SOURCE;

use super::{effects, json};
use crate::guc;

/// A run is near a limit from this part of it on.
const PART: u64 = 4;

/// Bytes of a value that callers and workers give: what `_check_size` allows.
const GIVEN: usize = 64 << 20;

/// Bytes of the rows that one query may give, as JSON.
pub(crate) const ROWS: usize = 64 << 20;

/// A limit that runs come near to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    Fuel,
    Timeout,
    Heap,
    Save,
    Effects,
    Handed,
    Given,
    Attributes,
    Rows,
}

impl Limit {
    /// Its name: of a setting, that of the setting.
    fn name(self) -> &'static str {
        match self {
            Self::Fuel => "rhythm.step_fuel",
            Self::Timeout => "rhythm.step_timeout",
            Self::Heap => "rhythm.step_heap",
            Self::Save => "rhythm.save_size",
            Self::Effects => "step_size",
            Self::Handed => "step_value_size",
            Self::Given => "value_size",
            Self::Attributes => "attributes_size",
            Self::Rows => "rows_size",
        }
    }

    /// How much it allows; none for no limit.
    fn most(self) -> Option<u64> {
        let limits = guc::limits();
        let bytes = match self {
            Self::Fuel => return Some(limits.fuel),
            Self::Timeout => {
                let timeout = guc::step_timeout()?;
                return Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
            }
            Self::Heap => limits.heap_bytes,
            Self::Save => limits.save_bytes,
            Self::Effects => effects::SIZE,
            Self::Handed => json::SIZE,
            Self::Given => GIVEN,
            Self::Attributes => ATTRIBUTES,
            Self::Rows => ROWS,
        };
        Some(bytes as u64)
    }
}

/// A limit as `rhythm.limits` shows it.
pub(crate) struct Published {
    pub(crate) name: &'static str,
    /// None: there is no limit.
    pub(crate) most: Option<u64>,
    pub(crate) unit: &'static str,
    pub(crate) bounds: &'static str,
    /// Whether runs that pass a quarter of it are marked.
    pub(crate) is_marked: bool,
}

/// All limits that the library knows.
pub(crate) fn published() -> Vec<Published> {
    let limits = guc::limits();
    let marked = |limit: Limit, unit, bounds| Published {
        name: limit.name(),
        most: limit.most(),
        unit,
        bounds,
        is_marked: true,
    };
    let plain = |name, most: usize, unit, bounds| Published {
        name,
        most: Some(most as u64),
        unit,
        bounds,
        is_marked: false,
    };
    vec![
        marked(
            Limit::Fuel,
            "instructions",
            "what a run executes from one await to the next",
        ),
        marked(
            Limit::Timeout,
            "milliseconds",
            "how long a run takes from one await to the next",
        ),
        marked(Limit::Heap, "bytes", "values of a run in memory"),
        plain(
            "rhythm.step_depth",
            limits.depth,
            "calls",
            "calls inside one another",
        ),
        plain(
            "rhythm.string_size",
            limits.string_units,
            "UTF-16 units",
            "one string of a run",
        ),
        marked(Limit::Save, "bytes", "state of a run between two steps"),
        marked(
            Limit::Effects,
            "bytes",
            "all that one step starts, replies and publishes: inputs and options of its tasks and children, also of a fan-out",
        ),
        marked(
            Limit::Handed,
            "bytes",
            "one value that a run hands over, as JSON: inputs of a task or child, a reply, its result",
        ),
        marked(
            Limit::Given,
            "bytes",
            "one value that callers and workers give: inputs, a result, the payload of a signal",
        ),
        plain(
            "value_depth",
            json::DEPTH,
            "levels",
            "nesting of such a value",
        ),
        marked(
            Limit::Attributes,
            "bytes",
            "all that a run publishes with Context.set, as JSON",
        ),
        marked(Limit::Rows, "bytes", "rows of one Sql.query, as JSON"),
        plain(
            "fan_out_concurrency",
            FAN_OUT as usize,
            "executions",
            "what one Task.map or Workflow.map runs at once",
        ),
        plain(
            "log_lines",
            effects::LOG_LINES,
            "lines",
            "lines of the log of one step; more are left out",
        ),
        plain(
            "log_size",
            effects::LOG_BYTES,
            "bytes",
            "these lines together; more are left out",
        ),
        plain(
            "log_line_size",
            effects::LOG_LINE,
            "bytes",
            "one line of the log; the rest is cut off",
        ),
        plain("source_size", MAX_SOURCE, "bytes", "source of a workflow"),
    ]
}

/// What a step has come near to.
#[derive(Debug, Default)]
pub(super) struct Near(BTreeMap<Limit, u64>);

impl Near {
    /// Notes a value that was compared with a limit.
    pub(super) fn note(&mut self, limit: Limit, value: u64) {
        if limit.most().is_some_and(|most| value > most / PART) {
            let known = self.0.entry(limit).or_default();
            *known = value.max(*known);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As JSON: `[{"limit": name, "value": n, "most": n}]`.
    pub(super) fn to_json(&self) -> String {
        let each = self.0.iter().map(|(limit, value)| {
            let (name, most) = (limit.name(), limit.most().unwrap_or_default());
            format!("{{\"limit\":\"{name}\",\"value\":{value},\"most\":{most}}}")
        });
        format!("[{}]", each.collect::<Vec<_>>().join(","))
    }
}
