//! Claims and outcomes from a test's own session: a worker without a process.

use serde_json::Value;
use uuid::Uuid;

use crate::database::{Session, literal};

/// A task that this test holds.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The execution.
    pub id: Uuid,
    /// The token of the lease.
    pub token: i64,
    /// The task's name.
    pub name: String,
    /// What it is given.
    pub inputs: Value,
    /// From 1.
    pub attempt: i64,
}

impl Session {
    /// Claims up to `max` tasks of the default queue, without waiting.
    pub async fn claim(&self, max: usize) -> Vec<Claimed> {
        self.claim_with(&format!("'tester', max => {max}")).await
    }

    /// Claims with arguments of one's own.
    pub async fn claim_with(&self, arguments: &str) -> Vec<Claimed> {
        let columns = "select id, token, name, inputs, attempt from";
        let rows = self
            .rows(&format!("{columns} rhythm.claim({arguments})"))
            .await;
        rows.into_iter().map(claimed).collect()
    }

    /// Claims one task, which has to be there, or to come when the background worker commits what it is just at.
    pub async fn claim_one(&self) -> Claimed {
        for _ in 0..6 {
            if let Some(task) = self.claim_with("'tester', wait => '5s'").await.pop() {
                return task;
            }
        }
        panic!("there is no task to claim, and none has come in 30 s");
    }

    /// Claims the one task that is there and completes it.
    pub async fn work(&self, result: &str) -> Claimed {
        let task = self.claim_one().await;
        assert!(self.complete(&task, result).await, "the lease holds");
        task
    }

    /// Completes a task with a JSON result; false: the lease is lost.
    pub async fn complete(&self, task: &Claimed, result: &str) -> bool {
        let call = format!(
            "select rhythm.complete('{}', {}, {})",
            task.id,
            task.token,
            literal(result)
        );
        self.text(&call).await == "t"
    }

    /// Fails an attempt; gives the new state, empty if the lease is lost.
    pub async fn fail(&self, task: &Claimed, more: &str) -> String {
        let error = r#"{"name": "IOError", "message": "disk full"}"#;
        self.text(&format!(
            "select rhythm.fail('{}', {}, '{error}'{more})",
            task.id, task.token
        ))
        .await
    }
}

fn claimed(row: Vec<Option<String>>) -> Claimed {
    let mut row = row.into_iter().map(Option::unwrap_or_default);
    let mut next = || row.next().unwrap_or_default();
    Claimed {
        id: next().parse().expect("an id"),
        token: next().parse().expect("a token"),
        name: next(),
        inputs: serde_json::from_str(&next()).expect("JSON"),
        attempt: next().parse().expect("a number"),
    }
}
