//! What the server tells of a case when all is over. Knows no operations.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::play::{Rows, ask};
use crate::database::Session;

/// One execution.
#[derive(Clone)]
pub struct Run {
    /// Its own.
    pub id: Uuid,
    /// `task` or `workflow`.
    pub kind: String,
    /// As which it was deployed.
    pub name: String,
    /// As the server names it.
    pub state: String,
    /// Null unless it completed.
    pub result: Value,
    /// Null if it completed.
    pub error: Value,
    /// What its program has said, as of its last step.
    pub log: Vec<Value>,
    /// Who started it.
    pub parent: Option<Uuid>,
    /// Under which key.
    pub task_id: Option<String>,
    /// The node that it is of.
    pub label: Option<u32>,
    /// The errors with which it ended before it was retried.
    pub earlier: Vec<Value>,
}

/// With the log as a program writes it.
impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            id,
            kind,
            name,
            state,
            result,
            error,
            parent,
            task_id,
            label,
            ..
        } = self;
        writeln!(f, "{kind} {name} {id} {state}: {result} {error}")?;
        writeln!(
            f,
            "  of {parent:?} {label:?} {task_id:?}, before {:?}",
            self.earlier
        )?;
        self.log
            .iter()
            .try_for_each(|entry| writeln!(f, "  {entry}"))
    }
}

impl Run {
    /// Whether it has ended with such an error, the last time or before.
    #[must_use]
    pub fn ended_with(&self, message: &str) -> bool {
        self.earlier
            .iter()
            .chain([&self.error])
            .any(|error| error["message"] == message)
    }
}

/// All that is there.
#[derive(Debug, Default)]
pub struct Facts {
    /// By id.
    pub runs: BTreeMap<Uuid, Run>,
    /// The nodes whose SQL has written, by run, in that order.
    pub effects: BTreeMap<Uuid, Vec<u32>>,
}

fn json(text: &Option<String>) -> Value {
    text.as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

fn id(text: &Option<String>) -> Option<Uuid> {
    text.as_deref()?.parse().ok()
}

impl Facts {
    /// Asks for it.
    pub async fn gather(s: &Session) -> Result<Self, String> {
        let mut facts = Self::default();
        let rows: Rows = ask(
            s,
            "select id, kind, name, state, result, error, attributes -> 'log', parent_id, task_id, inputs ->> 'label' from rhythm.executions",
        )
        .await?;
        for row in rows {
            let run = Run {
                id: id(&row[0]).ok_or("no id")?,
                kind: row[1].clone().unwrap_or_default(),
                name: row[2].clone().unwrap_or_default(),
                state: row[3].clone().unwrap_or_default(),
                result: json(&row[4]),
                error: json(&row[5]),
                log: json(&row[6]).as_array().cloned().unwrap_or_default(),
                parent: id(&row[7]),
                task_id: row[8].clone(),
                label: row[9].as_deref().and_then(|label| label.parse().ok()),
                earlier: Vec::new(),
            };
            if let Some(twice) = facts.runs.insert(run.id, run) {
                return Err(format!("two of one id: {twice:?}"));
            }
        }
        let earlier =
            "select execution_id, data -> 'error' from rhythm.history where event = 'retried'";
        for row in ask(s, earlier).await? {
            if let Some(run) = id(&row[0]).and_then(|id| facts.runs.get_mut(&id)) {
                run.earlier.push(json(&row[1]));
            }
        }
        for row in ask(s, "select run, label from effects order by seq").await? {
            let label = row[1].as_deref().and_then(|label| label.parse().ok());
            let run = id(&row[0]).ok_or("no id")?;
            let effects = facts.effects.entry(run).or_default();
            effects.push(label.ok_or("no label")?);
        }
        Ok(facts)
    }
}
