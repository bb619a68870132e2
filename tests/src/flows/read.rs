//! Runs a program once more, by its log: every leaf does what the log says of it, and every other node what JavaScript makes of that.
//! What comes out may be several outcomes where the order of two events is not known. Knows no server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::tree::{How, Tree, What};

/// What a node has come to; there is none as long as it waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It gave a value.
    Value(Value),
    /// It threw: name and message.
    Error(String, String),
}

/// As many orders are looked at; nodes are small.
const MOST: usize = 64;

/// A log, by the nodes that it tells of.
#[derive(Debug, Default)]
pub struct Log {
    /// How leaves ended, and where in the log.
    pub ended: BTreeMap<u32, (usize, Outcome)>,
    /// Tasks and children that were started.
    pub started: BTreeSet<u32>,
    /// Errors that `catch` has seen.
    pub caught: BTreeMap<u32, Outcome>,
    /// Awaits of several at which a cancel was thrown.
    pub cut: BTreeSet<u32>,
}

impl Log {
    /// Reads what a program has said; says what is wrong with it.
    pub fn read(entries: &[Value]) -> Result<Self, String> {
        let mut log = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            let label = entry[1]
                .as_u64()
                .and_then(|label| u32::try_from(label).ok());
            let label = label.ok_or_else(|| format!("no label: {entry}"))?;
            let text = |i: usize| entry[i].as_str().unwrap_or_default().to_owned();
            let error = || Outcome::Error(text(2), text(3));
            let is_new = match entry[0].as_str() {
                Some("task") => log.started.insert(label),
                Some("cut") => log.cut.insert(label),
                Some("got") => log
                    .ended
                    .insert(label, (at, Outcome::Value(entry[2].clone())))
                    .is_none(),
                Some("lost") => log.ended.insert(label, (at, error())).is_none(),
                Some("caught") => log.caught.insert(label, error()).is_none(),
                _ => return Err(format!("what is {entry}?")),
            };
            if !is_new {
                return Err(format!("twice: {entry}"));
            }
        }
        Ok(log)
    }
}

/// Reads a program along its log.
#[derive(Debug)]
pub struct Reader<'a> {
    log: &'a Log,
    reached: BTreeSet<u32>,
    /// What cannot be.
    pub wrong: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Gives what the program may have come to. Notes what the log tells of nodes that cannot have been reached.
    pub fn read(tree: &Tree, log: &'a Log) -> (Vec<Outcome>, Vec<String>) {
        let mut reader = Reader {
            log,
            reached: BTreeSet::new(),
            wrong: Vec::new(),
        };
        let outcomes = reader.node(tree);
        let told = log
            .ended
            .keys()
            .chain(&log.started)
            .chain(log.caught.keys());
        let unreached: BTreeSet<_> = told
            .filter(|label| !reader.reached.contains(label))
            .collect();
        if !unreached.is_empty() {
            reader
                .wrong
                .push(format!("{unreached:?} cannot have been reached"));
        }
        (outcomes, reader.wrong)
    }

    fn node(&mut self, tree: &Tree) -> Vec<Outcome> {
        self.reached.insert(tree.label);
        match tree.what {
            What::Fan(_) => {
                // Its members are begun together with it.
                self.reached.extend(tree.below.iter().map(|one| one.label));
                self.leaf(tree)
            }
            What::Seq => self.seq(tree),
            What::Together(how) => self.together(tree, how),
            What::Catch => self.catch(tree),
            What::Finally => {
                let body = self.node(&tree.below[0]);
                if body.is_empty() {
                    return body;
                }
                let last = self.node(&tree.below[1]);
                let (values, mut outcomes) = split(last);
                if !values.is_empty() {
                    outcomes.extend(body);
                }
                outcomes
            }
            _ => self.leaf(tree),
        }
    }

    fn leaf(&self, tree: &Tree) -> Vec<Outcome> {
        let ended = self.log.ended.get(&tree.label);
        ended
            .map(|(_, outcome)| outcome.clone())
            .into_iter()
            .collect()
    }

    fn seq(&mut self, tree: &Tree) -> Vec<Outcome> {
        let mut errors = Vec::new();
        let mut last = Vec::new();
        for part in &tree.below {
            let (values, more) = split(self.node(part));
            errors.extend(more);
            if values.is_empty() {
                return errors;
            }
            last = values;
        }
        errors.extend(last);
        errors
    }

    fn together(&mut self, tree: &Tree, how: How) -> Vec<Outcome> {
        let mut parts: Vec<Vec<Outcome>> = tree.below.iter().map(|one| self.node(one)).collect();
        if self.log.cut.contains(&tree.label) {
            return vec![Outcome::Error("CancelledError".to_owned(), String::new())];
        }
        match how {
            How::All => {
                let mut outcomes = Vec::new();
                for part in &mut parts {
                    let (values, errors) = split(std::mem::take(part));
                    outcomes.extend(errors);
                    *part = values;
                }
                outcomes.extend(product(&parts));
                outcomes
            }
            How::Settled => {
                let told = |outcome: &Outcome| {
                    Outcome::Value(match outcome {
                        Outcome::Value(value) => json!(["ok", value]),
                        Outcome::Error(name, message) => json!(["no", name, message]),
                    })
                };
                let parts: Vec<Vec<_>> = parts
                    .iter()
                    .map(|part| part.iter().map(told).collect())
                    .collect();
                product(&parts)
            }
            How::Race | How::First => parts
                .into_iter()
                .enumerate()
                .flat_map(|(i, part)| part.into_iter().map(move |one| placed(i, one)))
                .collect(),
            How::Any => {
                let all_fail = parts
                    .iter()
                    .all(|part| part.iter().any(|one| matches!(one, Outcome::Error(..))));
                let mut outcomes: Vec<_> = parts
                    .into_iter()
                    .enumerate()
                    .flat_map(|(i, part)| split(part).0.into_iter().map(move |one| placed(i, one)))
                    .collect();
                if all_fail {
                    let message = "All promises were rejected".to_owned();
                    outcomes.push(Outcome::Error("AggregateError".to_owned(), message));
                }
                outcomes
            }
        }
    }

    fn catch(&mut self, tree: &Tree) -> Vec<Outcome> {
        let body = self.node(&tree.below[0]);
        let (mut values, errors) = split(body);
        let Some(caught) = self.log.caught.get(&tree.label) else {
            if values.is_empty() && !errors.is_empty() {
                self.wrong
                    .push(format!("{} has not caught {errors:?}", tree.label));
            }
            return values;
        };
        if !errors.iter().any(|error| is_same(error, caught)) {
            self.wrong
                .push(format!("{} caught {caught:?}, of {errors:?}", tree.label));
        }
        values = self.node(&tree.below[1]);
        values
    }
}

/// Whether two errors are the same; the text of a cancel is not looked at.
fn is_same(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Error(a, _), Outcome::Error(b, _)) if a == "CancelledError" => a == b,
        _ => one == other,
    }
}

/// Values, and errors. What a branch of a race gives has its place before it; errors have not.
fn split(outcomes: Vec<Outcome>) -> (Vec<Outcome>, Vec<Outcome>) {
    outcomes
        .into_iter()
        .partition(|one| matches!(one, Outcome::Value(_)))
}

fn placed(i: usize, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Value(value) => Outcome::Value(json!([i, value])),
        error => error,
    }
}

/// All arrays that have one of each.
fn product(parts: &[Vec<Outcome>]) -> Vec<Outcome> {
    let mut all: Vec<Vec<Value>> = vec![Vec::new()];
    for part in parts {
        let values = part.iter().filter_map(|one| match one {
            Outcome::Value(value) => Some(value),
            Outcome::Error(..) => None,
        });
        all = all
            .iter()
            .flat_map(|before| {
                values.clone().map(|value| {
                    let mut one = before.clone();
                    one.push(value.clone());
                    one
                })
            })
            .take(MOST)
            .collect();
    }
    all.into_iter()
        .map(|one| Outcome::Value(json!(one)))
        .collect()
}
