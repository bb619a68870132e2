//! What the clock will bring, in the order of time; at the same moment, first noted, first done.

use std::collections::BTreeMap;

use rhythm_flow::host::PromiseId;

use super::signals::Sent;

/// Something that happens at a moment. Whoever takes it asks whether it is still of interest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Due {
    /// An attempt of a task begins.
    Attempt {
        task: usize,
        attempt: u32,
    },
    /// A handler has been silent for too long.
    Silence {
        task: usize,
        attempt: u32,
    },
    /// An attempt has taken too long.
    Overrun {
        task: usize,
        attempt: u32,
    },
    /// A task has taken too long in all.
    Timeout {
        task: usize,
    },
    Timer(PromiseId),
    SignalTimeout(PromiseId),
    LockTimeout(PromiseId),
    Signal(Sent),
    Cancel {
        reason: String,
    },
}

/// All that is due.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    // Times are not negative, so their bits are in the order of their values.
    entries: BTreeMap<(u64, u64), Due>,
    noted: u64,
}

impl Agenda {
    pub(super) fn note(&mut self, at_ms: f64, due: Due) {
        self.noted += 1;
        let key = (at_ms.max(0.0).to_bits(), self.noted);
        self.entries.insert(key, due);
    }

    /// The first entry.
    pub(super) fn first(&self) -> Option<(f64, &Due)> {
        let ((bits, _), due) = self.entries.first_key_value()?;
        Some((f64::from_bits(*bits), due))
    }

    /// Takes the first entry.
    pub(super) fn take(&mut self) -> Option<Due> {
        self.entries.pop_first().map(|(_, due)| due)
    }
}
