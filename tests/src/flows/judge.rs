//! Compares what was done to runs, what their programs say of themselves, and what the server tells of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::case::Case;
use super::facts::{Facts, Run};
use super::play::{Sent, Tale, Wish};
use super::read::{Log, Outcome, Reader};
use super::source::name;
use super::tree::{How, Tree, What};
use super::turn::{End, Known};

/// Says what must not be.
pub fn judge(case: &Case, tale: &Tale, facts: &Facts, is_serial: bool) -> Result<(), String> {
    let judge = Judge {
        case,
        tale,
        facts,
        is_serial,
    };
    judge.tasks()?;
    let mut taken = BTreeMap::new();
    for run in facts.runs.values().filter(|run| run.kind == "workflow") {
        judge
            .run(run, &mut taken)
            .map_err(|wrong| format!("{wrong}\nof {run:#?}"))?;
    }
    judge.signals(&taken)
}

struct Judge<'a> {
    case: &'a Case,
    tale: &'a Tale,
    facts: &'a Facts,
    is_serial: bool,
}

/// A signal that a program got: of which name, by which run, and where in its log.
type Taken = BTreeMap<u64, (Uuid, u8, usize)>;

impl Judge<'_> {
    /// The program of a run.
    fn program(&self, run: &Run) -> Result<&Tree, String> {
        let mut programs = self.case.programs.iter().enumerate();
        let found = programs.find(|(i, _)| name(*i) == run.name);
        found
            .map(|(_, tree)| tree)
            .ok_or(format!("no program {}", run.name))
    }

    /// Whether somebody wanted it or one above it to end, by a call or in a program, or one above it has timed out.
    fn may_be_cancelled(&self, run: &Run) -> bool {
        let mut at = Some(run);
        while let Some(one) = at {
            if self.tale.wishes.iter().any(|wish| wish.id == one.id)
                || self.is_given_up(one)
                || (one.id != run.id
                    && one.ended_with(&format!("workflow '{}' timed out", one.name)))
            {
                return true;
            }
            at = one.parent.and_then(|parent| self.facts.runs.get(&parent));
        }
        false
    }

    /// Tasks end as they were told to, once.
    fn tasks(&self) -> Result<(), String> {
        let mut completed = BTreeSet::new();
        for run in self.facts.runs.values() {
            if !matches!(
                run.state.as_str(),
                "completed" | "failed" | "cancelled" | "timed_out"
            ) {
                return Err(format!("has not ended: {run:#?}"));
            }
            if let (Some(key), "completed") = (&run.task_id, run.state.as_str())
                && !completed.insert((&run.kind, key))
            {
                return Err(format!("two have completed with the task_id {key}"));
            }
            if run.kind != "task" {
                continue;
            }
            let mut ends = self.tale.ends.iter().filter(|(held, ..)| held.id == run.id);
            let fits = match run.state.as_str() {
                "completed" => ends.any(|(_, end, known)| {
                    matches!(end, End::Completed(value) if run.result == *value)
                        && *known != Known::No
                }),
                "failed" => {
                    let message = run.error["message"].as_str().unwrap_or_default();
                    message == "again"
                        || run.error["name"] == "LeaseExpired"
                        || ends.any(|(_, end, known)| {
                            matches!(end, End::Failed(text) if text == message)
                                && *known != Known::No
                        })
                }
                "cancelled" => self.may_be_cancelled(run),
                _ => false,
            };
            if self.is_serial {
                self.serial_task(run)?;
            }
            if !fits {
                return Err(format!(
                    "a task has ended otherwise than it was told to: {run:#?}"
                ));
            }
        }
        for (held, end, known) in &self.tale.ends {
            let run = self.facts.runs.get(&held.id);
            if let (End::Completed(value), Known::Yes) = (end, known)
                && run.is_none_or(|run| run.state != "completed" || run.result != *value)
            {
                return Err(format!("{value} was acknowledged, and is lost: {run:#?}"));
            }
        }
        Ok(())
    }

    /// One at a time: who has completed a task held its last lease, and its workflow had not been terminated before.
    fn serial_task(&self, run: &Run) -> Result<(), String> {
        let mut ends = self.tale.ends.iter().enumerate();
        let Some((at, (held, ..))) = ends.find(
            |(_, (_, end, _))| matches!(end, End::Completed(value) if run.state == "completed" && run.result == *value),
        ) else {
            return Ok(());
        };
        if self.tale.leases.get(&run.id) != Some(&held.token) {
            return Err(format!("whose lease was over has completed {run:#?}"));
        }
        let is_over = |wish: &Wish| {
            Some(wish.id) == run.parent
                && wish.at_once
                && wish.known == Known::Yes
                && wish.ends <= at
        };
        // Unless somebody has retried it by itself since.
        if run.earlier.is_empty() && self.tale.wishes.iter().any(is_over) {
            return Err(format!("its workflow was terminated before: {run:#?}"));
        }
        Ok(())
    }

    /// Whether the program may have cancelled it.
    fn is_given_up(&self, task: &Run) -> bool {
        let parent = task.parent.and_then(|parent| self.facts.runs.get(&parent));
        let mut is_so = false;
        if let Some(program) = parent.and_then(|parent| self.program(parent).ok()) {
            program.walk(&mut |node| {
                is_so |= node.what == What::Fan(How::First)
                    && node.below.iter().any(|one| Some(one.label) == task.label);
            });
        }
        is_so
    }

    /// A run of a workflow.
    fn run(&self, run: &Run, taken: &mut Taken) -> Result<(), String> {
        let program = self.program(run)?;
        let log = Log::read(&run.log)?;
        let (outcomes, wrong) = Reader::read(program, &log);
        if !wrong.is_empty() {
            return Err(format!("{wrong:?}"));
        }
        self.effects(run, program)?;
        self.children(run, program, &log)?;
        let mut leaves = Ok(());
        program.walk(&mut |node| {
            if let (Ok(()), Some((at, outcome))) = (&leaves, log.ended.get(&node.label)) {
                leaves = self.leaf(run, node, *at, outcome, taken);
            }
        });
        leaves?;
        if self.is_serial {
            self.order(program, &log)?;
        }
        let fits = match run.state.as_str() {
            "completed" => outcomes.contains(&Outcome::Value(run.result.clone())),
            "failed" => self.explains(run, program),
            "cancelled" => self.may_be_cancelled(run),
            _ => self.case.runs.iter().any(Option::is_some) && run.parent.is_none(),
        };
        if !fits {
            return Err(format!("{}, and its log comes to {outcomes:?}", run.state));
        }
        let is_told = self
            .tale
            .wishes
            .iter()
            .any(|wish| wish.id == run.id && wish.known == Known::Yes);
        if self.is_serial && is_told && run.state != "cancelled" {
            return Err("somebody wanted it to end".to_owned());
        }
        Ok(())
    }

    /// What its SQL has written is what its program knows to have written.
    fn effects(&self, run: &Run, program: &Tree) -> Result<(), String> {
        let mut sql = BTreeSet::new();
        program.walk(&mut |node| {
            if node.what == What::Sql {
                sql.insert(u64::from(node.label));
            }
        });
        let said: Vec<u64> = run
            .log
            .iter()
            .filter(|entry| entry[0] == "got")
            .filter_map(|entry| entry[1].as_u64().filter(|label| sql.contains(label)))
            .collect();
        let written = self
            .facts
            .effects
            .get(&run.id)
            .map_or(&[][..], Vec::as_slice);
        let written: Vec<u64> = written.iter().map(|label| u64::from(*label)).collect();
        if said != written {
            return Err(format!(
                "its SQL wrote {written:?}, and it knows of {said:?}"
            ));
        }
        Ok(())
    }

    /// The tasks and children that are there are those which its program knows to have started.
    fn children(&self, run: &Run, program: &Tree, log: &Log) -> Result<(), String> {
        let mut there: BTreeMap<u32, usize> = BTreeMap::new();
        for child in self
            .facts
            .runs
            .values()
            .filter(|one| one.parent == Some(run.id))
        {
            *there
                .entry(child.label.ok_or("a child without a label")?)
                .or_default() += 1;
        }
        let mut shared = BTreeSet::new();
        program.walk(&mut |node| {
            if matches!(
                node.what,
                What::Task {
                    shared: Some(_),
                    ..
                }
            ) {
                shared.insert(node.label);
            }
        });
        for label in &log.started {
            let count = there.remove(label).unwrap_or(0);
            if count > 1 || (count == 0 && !shared.contains(label)) {
                return Err(format!("{label} was started once, and {count} are there"));
            }
        }
        if there.is_empty() {
            Ok(())
        } else {
            Err(format!("{there:?} are there, and were not started"))
        }
    }

    /// The executions by which a task or child of a run may have ended.
    fn behind<'b>(&'b self, run: &'b Run, node: &'b Tree) -> impl Iterator<Item = &'b Run> {
        self.facts.runs.values().filter(move |one| match node.what {
            What::Task {
                shared: Some(key), ..
            } => one.kind == "task" && one.task_id.as_deref() == Some(&format!("k{key}")),
            _ => one.parent == Some(run.id) && one.label == Some(node.label),
        })
    }

    /// Whether a promise of the host may have given this.
    fn gave(&self, run: &Run, node: &Tree, value: &Value) -> bool {
        match node.what {
            What::Task { .. } | What::Child { .. } => self
                .behind(run, node)
                .any(|one| one.state == "completed" && one.result == *value),
            What::Signal(name, _) => self.tale.signals.iter().any(|sent| {
                *value == sent.payload
                    && sent.name == name
                    && sent.run == run.id
                    && sent.known != Known::No
            }),
            What::Timer(_) => value.is_null(),
            _ => false,
        }
    }

    /// Whether a promise of the host may have thrown this.
    fn threw(&self, run: &Run, node: &Tree, name: &str, message: &str) -> bool {
        match node.what {
            What::Task { .. } | What::Child { .. } => {
                name == "TaskError" && self.behind(run, node).any(|one| one.ended_with(message))
            }
            What::Signal(_, Some(_)) => name == "TimeoutError",
            _ => false,
        }
    }

    /// A leaf, by what is known of the world.
    fn leaf(
        &self,
        run: &Run,
        node: &Tree,
        at: usize,
        outcome: &Outcome,
        taken: &mut Taken,
    ) -> Result<(), String> {
        let fits = match (node.what, outcome) {
            (_, Outcome::Error(name, _)) if name == "CancelledError" => self.may_be_cancelled(run),
            (What::Step | What::Sql | What::Flaky, Outcome::Value(value)) => value.is_null(),
            (What::Timer(minutes), Outcome::Value(value)) => value
                .as_u64()
                .is_some_and(|ms| ms >= u64::from(minutes) * 60_000),
            (
                What::Task { tries: true, .. } | What::Child { tries: true, .. },
                Outcome::Value(value),
            ) => match value[0].as_str() {
                Some("ok") => self.gave(run, node, &value[1]),
                _ => self.threw(run, node, text(&value[1]), text(&value[2])),
            },
            (What::Task { .. } | What::Child { .. }, Outcome::Value(value)) => {
                self.gave(run, node, value)
            }
            (What::Signal(name, _), Outcome::Value(value)) => {
                let payload = value.as_u64().unwrap_or_default();
                if taken.insert(payload, (run.id, name, at)).is_some() {
                    return Err(format!("two have got the signal {payload}"));
                }
                self.gave(run, node, value)
            }
            (What::BadSql, Outcome::Error(name, _)) => name == "SqlError",
            (What::Flaky, Outcome::Error(_, message)) => {
                *message == format!("flaky {}", node.label)
            }
            (What::Throw, Outcome::Error(_, message)) => {
                *message == format!("throw {}", node.label)
            }
            (What::Fan(how), outcome) => self.fan(run, node, how, outcome),
            (_, Outcome::Error(name, message)) => self.threw(run, node, name, message),
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("{node:?} cannot have come to {outcome:?}"))
        }
    }

    /// A fan.
    fn fan(&self, run: &Run, node: &Tree, how: How, outcome: &Outcome) -> bool {
        let gave = |member: &Tree, value: &Value| self.gave(run, member, value);
        let all = |fits: &dyn Fn(&Tree, &Value) -> bool, values: &Value| {
            let values = values.as_array().map_or(&[][..], Vec::as_slice);
            values.len() == node.below.len()
                && node
                    .below
                    .iter()
                    .zip(values)
                    .all(|(member, value)| fits(member, value))
        };
        match (how, outcome) {
            (How::All, Outcome::Value(values)) => all(&gave, values),
            (How::Settled, Outcome::Value(values)) => all(
                &|member, told| match told[0].as_str() {
                    Some("ok") => gave(member, &told[1]),
                    _ => self.threw(run, member, text(&told[1]), text(&told[2])),
                },
                values,
            ),
            (_, Outcome::Value(value)) => node.below.iter().any(|member| gave(member, value)),
            (How::Any, Outcome::Error(name, _)) => {
                let may_fail = |member: &Tree| match member.what {
                    What::Signal(_, timeout) => timeout.is_some(),
                    _ => self
                        .behind(run, member)
                        .any(|one| one.state != "completed" || !one.earlier.is_empty()),
                };
                name == "AggregateError" && node.below.iter().all(may_fail)
            }
            (_, Outcome::Error(name, message)) => node
                .below
                .iter()
                .any(|member| self.threw(run, member, name, message)),
        }
    }

    /// Whether the error with which a run failed may have left its program.
    fn explains(&self, run: &Run, program: &Tree) -> bool {
        let (name, message) = (text(&run.error["name"]), text(&run.error["message"]));
        let mut is_so = false;
        program.escaping(&mut |node| {
            is_so |= match node.what {
                What::Throw => message == format!("throw {}", node.label),
                What::Flaky => message == format!("flaky {}", node.label),
                What::BadSql => name == "SqlError" && run.error["code"] == "22012",
                What::Together(How::Any) | What::Fan(How::Any) => name == "AggregateError",
                What::Task { tries: true, .. } | What::Child { tries: true, .. } => false,
                _ => self.threw(run, node, name, message),
            };
        });
        is_so
    }

    /// One at a time: what a program heard of tasks, it heard in the order in which they ended. Those of one call have none, and
    /// `Task.try` takes a moment longer than `Task.run`.
    fn order(&self, program: &Tree, log: &Log) -> Result<(), String> {
        for by_try in [false, true] {
            let mut heard: Vec<(usize, usize)> = Vec::new();
            program.walk(&mut |node| {
                let ended = log.ended.get(&node.label);
                if let (
                    What::Task {
                        shared: None,
                        tries,
                    },
                    Some((at, Outcome::Value(value))),
                ) = (node.what, ended)
                    && tries == by_try
                {
                    let value = if tries { &value[1] } else { value };
                    let place = self.tale.ends.iter().position(
                        |(_, end, _)| matches!(end, End::Completed(number) if *value == *number),
                    );
                    heard.extend(place.map(|place| (*at, self.tale.call_of(place))));
                }
            });
            heard.sort_unstable();
            if !heard.is_sorted_by_key(|(_, call)| *call) {
                return Err(format!(
                    "it heard of tasks in another order than they ended: {heard:?}"
                ));
            }
        }
        Ok(())
    }

    /// Each signal is got once at most, by whom it was sent to; and one at a time, in their order and without gaps.
    fn signals(&self, taken: &Taken) -> Result<(), String> {
        if !self.is_serial {
            return Ok(());
        }
        for run in self
            .facts
            .runs
            .values()
            .filter(|run| run.kind == "workflow")
        {
            let mut loses = self.may_be_cancelled(run) || run.state == "timed_out";
            self.program(run)?.walk(&mut |node| {
                // One that has lost a race takes its signal, and nobody says so.
                loses |= matches!(node.what, What::Fan(_))
                    && node
                        .below
                        .iter()
                        .any(|one| matches!(one.what, What::Signal(..)));
            });
            if loses {
                continue;
            }
            for name in 0..2 {
                let sent: Vec<&Sent> = self
                    .tale
                    .signals
                    .iter()
                    .filter(|sent| {
                        sent.run == run.id && sent.name == name && sent.known == Known::Yes
                    })
                    .collect();
                let mut got: Vec<(usize, u64)> = taken
                    .iter()
                    .filter(|(_, (id, n, _))| (*id, *n) == (run.id, name))
                    .map(|(payload, (_, _, at))| (*at, *payload))
                    .collect();
                got.sort_unstable();
                let got: Vec<u64> = got.iter().map(|(_, payload)| *payload).collect();
                let first: Vec<u64> = sent
                    .iter()
                    .take(got.len())
                    .map(|sent| sent.payload)
                    .collect();
                if got != first {
                    return Err(format!("of the signals {sent:?} it got {got:?}: {run:#?}"));
                }
            }
        }
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
