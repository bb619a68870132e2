//! Runs the conformance corpus (`tests/conformance`) in the VM: straight through, with a save and a load at every
//! suspension, of the program too, with a move to a program that differs behind its end and back, and with each step cut short at many instructions before it is run from that save. `tests/conformance/run_node.mjs` runs the same files in Node, and describes the comments
//! in which the expectation stands.
//!
//! A run cannot be saved between two instructions: a save holds what can be reached from the promises that the host will
//! settle, and neither frames that are running nor microtasks have a form in it. A step that is cut short is given up, with what it
//! asked of its host, and run again from the save before it: that is what a server does when a step hits a deadlock or its process dies.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhythm_flow::host::{HostError, PromiseId, Settlement, TaskCall};
use rhythm_flow::mock::MockHost;
use rhythm_flow::{ContextInfo, Limits, Outcome, Program, Source, Start, Vm, check, transfer};

/// 2024-01-01, as in the Node runner.
const START_MS: f64 = 1_704_067_200_000.0;
/// More suspensions than any program of the corpus has.
const PATIENCE: usize = 10_000;

/// What a run gave, in the words of the comments.
#[derive(Debug, PartialEq)]
struct Ended {
    result: Option<String>,
    throws: Option<String>,
    log: Vec<String>,
}

impl Ended {
    /// Without the message of the error, if the expectation names only its class.
    fn told_as(mut self, expected: &Self) -> Self {
        if expected
            .throws
            .as_ref()
            .is_some_and(|class| !class.contains(':'))
        {
            self.throws = self
                .throws
                .map(|all| all.split(':').next().unwrap_or_default().to_owned());
        }
        self
    }
}

fn directive<'s>(source: &'s str, name: &str) -> Vec<&'s str> {
    let start = format!("// {name}");
    source
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix(&start))
        .filter_map(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' ')))
        .collect()
}

fn compile(name: &str, text: &str) -> Result<Arc<Program>, String> {
    let source = Source::new(name, text);
    let checked = check(&source);
    let rendered: Vec<String> = checked
        .diagnostics
        .iter()
        .map(|one| one.render(&source))
        .collect();
    checked
        .program
        .map(Arc::new)
        .ok_or_else(|| rendered.join("\n"))
}

fn start(inputs: &str) -> Start {
    Start {
        inputs: inputs.to_owned(),
        context: ContextInfo {
            execution_id: "00000000-0000-7000-8000-000000000000".to_owned(),
            workflow: "corpus".to_owned(),
            version: 1,
            started_at_ms: START_MS,
            ..ContextInfo::default()
        },
    }
}

/// Runs the handler of a task or child workflow, itself a Flow function.
fn handle(source: &str, call: &TaskCall) -> Settlement {
    let handler = directive(source, call.kind.word())
        .into_iter()
        .find_map(|line| line.strip_prefix(call.name.as_str())?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no handler for the {} {}", call.kind.word(), call.name));
    let text = format!("return ({handler})(Inputs);");
    let program = compile("handler.flow", &text).unwrap_or_else(|why| panic!("{why}"));
    let mut vm = Vm::start(program, start(&call.inputs), Limits::default());
    match vm.run(&mut MockHost::default()) {
        Outcome::Completed(result) => Settlement::Fulfilled(Some(result)),
        Outcome::Failed(error) => Settlement::Rejected(HostError {
            name: "TaskError".to_owned(),
            message: error.message.clone(),
            cause: Some(error.to_json()),
            ..HostError::default()
        }),
        other => panic!("the handler of {} ended with {other:?}", call.name),
    }
}

/// What happens at each suspension.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// The run goes on.
    Straight,
    /// It is saved and loaded.
    Saved,
    /// It is saved, and goes on in a program with two more variables, the next time in the old one again.
    Moved,
    /// It is saved, and the step behind it is cut short again and again before it is run.
    Cut,
}

/// Where a step begins: what the program is started with, or a save and what settles behind it.
struct Origin {
    program: Arc<Program>,
    start: Start,
    save: Option<Vec<u8>>,
    settled: Option<(PromiseId, Settlement)>,
}

impl Origin {
    fn vm(&self, limits: Limits) -> Vm {
        let program = Arc::clone(&self.program);
        let mut vm = match &self.save {
            None => Vm::start(program, self.start.clone(), limits),
            Some(save) => {
                Vm::load(program, save, limits).unwrap_or_else(|why| panic!("load: {why:?}"))
            }
        };
        if let Some((promise, settlement)) = self.settled.clone() {
            vm.settle(promise, settlement);
        }
        vm
    }

    /// Cuts the step at each of its first instructions, then at ever fewer, until it comes to its end. The program
    /// never notices: what it did up to the cut is how the whole step begins.
    fn cut(&self, now_ms: f64, seed: u64) {
        let host = || MockHost {
            now_ms,
            seed,
            ..MockHost::default()
        };
        let mut whole = host();
        self.vm(Limits::default()).run(&mut whole);
        let mut fuel = 0;
        loop {
            let limits = Limits {
                fuel,
                ..Limits::default()
            };
            let mut cut = host();
            let mut vm = self.vm(limits);
            let outcome = vm.run(&mut cut);
            assert!(whole.logs.starts_with(&cut.logs), "{:?}", cut.logs);
            assert!(whole.tasks.starts_with(&cut.tasks), "{:?}", cut.tasks);
            assert!(whole.timers.starts_with(&cut.timers), "{:?}", cut.timers);
            let is_cut = matches!(&outcome, Outcome::Failed(error) if error.code.as_deref() == Some("rhythm.step_fuel"));
            if !is_cut {
                assert!(fuel > 0, "a step without fuel came to an end");
                return;
            }
            fuel += 1 + fuel / 16;
        }
    }
}

/// Runs a program to its end.
fn run(text: &str, program: Arc<Program>, way: Way) -> Ended {
    let mut host = MockHost {
        now_ms: START_MS,
        seed: 7,
        ..MockHost::default()
    };
    let inputs = directive(text, "inputs")
        .first()
        .copied()
        .unwrap_or("{}")
        .to_owned();
    let mut other = (way == Way::Moved).then(|| {
        let longer = format!("{text}\nconst added__ = 1; let more__ = [added__];");
        compile("longer.flow", &longer).unwrap_or_else(|why| panic!("{why}"))
    });
    let mut origin = Origin {
        program,
        start: start(&inputs),
        save: None,
        settled: None,
    };
    let mut vm = origin.vm(Limits::default());
    let mut tasks: VecDeque<(PromiseId, TaskCall)> = VecDeque::new();
    let mut ended = Ended {
        result: None,
        throws: None,
        log: Vec::new(),
    };
    for _ in 0..PATIENCE {
        if way == Way::Cut {
            origin.cut(host.now_ms, host.seed);
        }
        match vm.run(&mut host) {
            Outcome::Completed(result) => ended.result = Some(result),
            Outcome::Failed(error) => {
                ended.throws = Some(format!("{}: {}", error.name, error.message));
            }
            Outcome::Suspended => {
                tasks.extend(host.tasks.drain(..));
                origin.settled = match tasks.pop_front() {
                    Some((promise, call)) => Some((promise, handle(text, &call))),
                    None => fire(&mut host),
                };
                if origin.settled.is_none() {
                    ended.throws = Some("stuck: nothing will ever settle".to_owned());
                }
                if way == Way::Straight {
                    if let Some((promise, settlement)) = origin.settled.take() {
                        vm.settle(promise, settlement);
                    }
                } else {
                    let save = vm.save().unwrap_or_else(|why| panic!("save: {why:?}"));
                    origin.save = Some(save);
                    if let (Some(other), Some(save)) = (&mut other, &mut origin.save) {
                        let moved = transfer(&origin.program, other, 1, save, Limits::default());
                        *save = moved.unwrap_or_else(|why| panic!("not moved: {why:?}"));
                        std::mem::swap(other, &mut origin.program);
                    }
                    let same = Program::decode(&origin.program.encode());
                    origin.program = Arc::new(same.unwrap_or_else(|why| panic!("{why:?}")));
                    vm = origin.vm(Limits::default());
                }
            }
            other => panic!("unexpected outcome {other:?}"),
        }
        if ended.result.is_some() || ended.throws.is_some() {
            let dropped = "still waiting when the workflow returned";
            ended.log = host
                .logs
                .into_iter()
                .map(|(_, line)| without_frames(&line))
                .filter(|line| !line.contains(dropped))
                .collect();
            return ended;
        }
    }
    panic!("the program did not end");
}

/// A line of the log without the frames of stacks, whose places are not Node's: `\n    at main (corpus:1:2)`.
fn without_frames(line: &str) -> String {
    let mut parts = line.split("\n    at ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // A frame ends with the line and column, or with `(builtin)`.
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let end = part.match_indices(':').find_map(|(at, _)| {
            let line = digits(&part[at + 1..]);
            let column = at + 1 + line + 1;
            let is_place = line > 0 && part[at + 1 + line..].starts_with(':');
            is_place.then(|| column + digits(&part[column..]))
        });
        let rest = match (part.find("(builtin)"), end) {
            (Some(at), end) if end.is_none_or(|end| at < end) => &part[at + "(builtin)".len()..],
            (_, Some(end)) => part[end..].strip_prefix(')').unwrap_or(&part[end..]),
            _ => "",
        };
        kept.push_str(rest);
    }
    kept
}

/// Fires the timer or the timeout of a signal that is due first, if there is one.
fn fire(host: &mut MockHost) -> Option<(PromiseId, Settlement)> {
    let timer = host
        .timers
        .iter()
        .map(|(promise, due)| (*due, *promise, false));
    let signal = host
        .signals
        .iter()
        .filter_map(|(promise, wait)| Some((wait.due_ms?, *promise, true)));
    let (due, promise, is_signal) = timer
        .chain(signal)
        .min_by(|a, b| (a.0, a.1).partial_cmp(&(b.0, b.1)).expect("finite times"))?;
    host.now_ms = host.now_ms.max(due);
    host.timers.retain(|(one, _)| *one != promise);
    host.signals.retain(|(one, _)| *one != promise);
    let settlement = if is_signal {
        Settlement::Rejected(HostError {
            name: "TimeoutError".to_owned(),
            message: "no signal came in time".to_owned(),
            ..HostError::default()
        })
    } else {
        Settlement::Fulfilled(None)
    };
    Some((promise, settlement))
}

fn expected(text: &str) -> Ended {
    let first = |name: &str| directive(text, name).first().map(|one| (*one).to_owned());
    Ended {
        result: first("result"),
        throws: first("throws"),
        log: directive(text, "log")
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}

fn programs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the corpus is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|end| end == "flow") {
            found.push(path);
        }
    }
}

#[test]
fn the_corpus_gives_what_node_gives_also_through_saves_and_cuts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance");
    let mut found = Vec::new();
    programs(&root, &mut found);
    found.sort();
    assert!(found.len() >= 600, "only {} programs", found.len());
    let mut wrong = Vec::new();
    for path in &found {
        let name = path
            .strip_prefix(&root)
            .expect("below the root")
            .display()
            .to_string();
        let text = fs::read_to_string(path).expect("readable");
        let expected = expected(&text);
        assert!(
            expected.result.is_some() != expected.throws.is_some(),
            "{name} needs one expectation"
        );
        let program = match compile(&name, &text) {
            Ok(program) => program,
            Err(why) => {
                wrong.push(format!("{name} is refused:\n{why}"));
                continue;
            }
        };
        for how in [Way::Straight, Way::Saved, Way::Moved, Way::Cut] {
            let ended =
                std::panic::catch_unwind(|| run(&text, program.clone(), how).told_as(&expected));
            match ended {
                Ok(actual) if actual == expected => {}
                Ok(actual) => wrong.push(format!(
                    "{name} ({how:?})\n  expected {expected:?}\n  actual   {actual:?}"
                )),
                Err(_) => wrong.push(format!("{name} ({how:?}) panicked")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        found.len(),
        wrong.join("\n")
    );
}
