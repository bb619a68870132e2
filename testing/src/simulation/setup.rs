//! What a run begins with.

use std::collections::BTreeMap;

use rhythm_flow::Limits;

/// Instructions of one step: some seconds, where production has ten times as many.
const FUEL: u64 = 100_000_000;

/// What a run begins with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `Inputs` as JSON text.
    pub inputs: String,
    /// `Context.taskId`.
    pub task_id: Option<String>,
    /// The clock at the start, in milliseconds since 1970.
    pub now_ms: f64,
    /// Decides `Math.random` and all ids.
    pub seed: u64,
    /// Whether the state is saved and loaded between all steps.
    pub durable: bool,
    /// What a step may use.
    pub limits: Limits,
    /// The run is looked at no later than this, in milliseconds after its start.
    pub until_ms: Option<f64>,
    /// More steps than this no run that ends by itself takes.
    pub most_steps: usize,
    /// Options of tasks by name, as JSON, where the workflow gives none: what workers register.
    pub defaults: BTreeMap<String, String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            inputs: "{}".into(),
            task_id: None,
            // 2026-01-01T00:00:00Z: any moment will do, as long as it is always the same.
            now_ms: 1_767_225_600_000.0,
            seed: 0,
            durable: true,
            limits: Limits {
                fuel: FUEL,
                ..Limits::default()
            },
            until_ms: None,
            most_steps: 100_000,
            defaults: BTreeMap::new(),
        }
    }
}
