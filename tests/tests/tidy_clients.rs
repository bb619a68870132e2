//! Python and the command can say what SQL can: every argument of a public function, every entry of a registration, every column of
//! a view. Compared with the catalog, so that a new one cannot be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use rhythm_tests::database::Database;
use rhythm_tests::installation::project;
use serde_json::Value;

/// What workers alone call, through their own loops.
const OF_WORKERS: &[&str] = &[
    "claim",
    "complete",
    "fail",
    "finish",
    "heartbeat",
    "register",
    "snooze",
];

/// Functions that Python has under no name of their own, each with what stands for it.
const NOT_IN_PYTHON: &[(&str, &str)] = &[
    ("request", "`call` sends and awaits"),
    ("await_reply", "`call` sends and awaits"),
];

/// Arguments with another name in Python: function, argument, and what it is there; nothing: its result, or the method.
const OTHERWISE_IN_PYTHON: &[(&str, &str, &str)] = &[
    ("call", "id", "run"),
    ("call", "reply", ""),
    ("signal", "id", "run"),
    ("signal", "workflow", "run"),
    ("signal", "task_id", "run"),
    ("tree", "root", "id"),
];

/// Entries of a registration, in the spelling of SQL, that the decorator has otherwise.
const OTHERWISE_IN_DECORATOR: &[(&str, &str)] = &[("retry", "non_retryable")];

/// A function, its verb, and what stands for arguments of it.
type Verb = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// The verb of each function, and its arguments that neither an option nor a place of that name stands for, with what does.
const VERBS: &[Verb] = &[
    ("adopt", "adopt", &[]),
    ("attributes", "show", &[]),
    ("backfill_schedule", "schedule backfill", &[]),
    (
        "call",
        "call",
        &[("id", "<RUN>"), ("payload", "[JSON]"), ("reply", "")],
    ),
    ("cancel", "cancel", &[]),
    ("check", "check", &[("source", "[FILE]")]),
    ("cleanup", "cleanup", &[]),
    ("configure_queue", "queue configure", &[]),
    ("cron_times", "schedule next", &[]),
    ("delete_calendar", "calendar delete", &[]),
    ("deploy", "deploy", &[("source", "<FILE>")]),
    (
        "enqueue",
        "enqueue",
        &[("name", "<TASK>"), ("inputs", "[JSON]")],
    ),
    ("enqueue_many", "enqueue-many", &[("items", "[FILE]")]),
    ("enqueue_rows", "enqueue-rows", &[]),
    (
        "explain_workflow",
        "explain-workflow",
        &[("workflow", "<FILE|NAME>")],
    ),
    (
        "find",
        "list",
        &[
            ("workflow", "--name"),
            ("attributes", "--published"),
            ("max", "--limit"),
        ],
    ),
    ("limits", "limits", &[]),
    ("fork", "fork", &[]),
    ("log", "log", &[]),
    ("move", "move", &[]),
    ("move_many", "migrate-runs", &[("workflow", "<NAME>")]),
    ("pause_all", "pause", &[]),
    ("pause_queue", "pause", &[("name", "--queue")]),
    ("pause_schedule", "schedule pause", &[]),
    ("pause_task", "pause", &[("name", "--task")]),
    ("resolve", "resolve", &[("result", "[JSON]")]),
    ("result", "wait", &[]),
    ("resume_all", "resume", &[]),
    ("resume_queue", "resume", &[("name", "--queue")]),
    ("resume_schedule", "schedule resume", &[]),
    ("resume_task", "resume", &[("name", "--task")]),
    ("retire", "workflow retire", &[]),
    ("retry", "retry", &[]),
    ("retry_many", "retry", &[]),
    ("schedule", "schedule set", &[("inputs", "[JSON]")]),
    ("schedule_times", "schedule next", &[]),
    (
        "set_calendar",
        "calendar set",
        &[("days", "--day"), ("weekdays", "--weekday")],
    ),
    ("show_queue", "queue show", &[]),
    (
        "signal",
        "signal",
        &[("id", "<RUN>"), ("task_id", "<RUN>"), ("payload", "[JSON]")],
    ),
    (
        "signal_with_start",
        "signal",
        &[("task_id", "<RUN>"), ("payload", "[JSON]")],
    ),
    ("start", "start", &[("inputs", "[JSON]")]),
    ("states", "states", &[]),
    ("terminate", "terminate", &[]),
    ("timeline", "trace", &[]),
    ("tree", "show", &[("root", "<ID>"), ("max", "--all")]),
    ("trigger_schedule", "schedule trigger", &[]),
    ("undeploy", "workflow undeploy", &[]),
    ("unretire", "workflow unretire", &[]),
    ("unschedule", "schedule delete", &[]),
    (
        "variables",
        "show",
        &[("max", "--all"), ("max_bytes", "--all")],
    ),
    ("wait", "wait", &[]),
    ("why", "why", &[]),
    ("why_queue", "why", &[("name", "--queue")]),
];

/// Functions without a verb, each with the reason.
const NOT_IN_COMMAND: &[(&str, &str)] = &[
    ("await_reply", "`rhythm call` sends and awaits"),
    ("request", "`rhythm call` sends and awaits"),
    ("start_many", "`rhythm enqueue-many` starts, too"),
    ("tick", "for tests and servers without a background worker"),
    ("version", "`rhythm --version` is the command's own"),
];

/// Views with the records of Python that tell of them, and the columns that they lack.
const RECORDS: &[(&str, &str, &[&str])] = &[
    ("attempts", "FailedAttempt", &["id"]),
    ("calendars", "Calendar", &[]),
    ("executions", "Execution", &[]),
    ("logs", "LogLine", &["id", "seq"]),
    ("near_limits", "NearLimit", &[]),
    ("near_limit_counts", "NearLimitCount", &[]),
    ("pauses", "Pause", &[]),
    ("queues", "QueueInfo", &[]),
    ("schedule_runs", "ScheduleRun", &[]),
    // The length of `workers`.
    ("tasks", "TaskInfo", &["live_workers"]),
    ("versions", "VersionInfo", &[]),
    ("workers", "WorkerInfo", &[]),
    ("workflows", "WorkflowInfo", &[]),
];

type Signatures = BTreeMap<String, BTreeSet<String>>;

/// The names of what each public function takes.
async fn sql(database: &Database) -> Signatures {
    let rows = database
        .session()
        .await
        .rows(
            "select p.proname, unnest(coalesce(nullif(p.proargnames[1:p.pronargs], '{}'), array['']))
             from pg_proc p where p.pronamespace = 'rhythm'::regnamespace and p.proname !~ '^_'",
        )
        .await;
    let mut all = Signatures::new();
    for row in rows {
        let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
        let [name, argument] = row.try_into().expect("two columns were asked for");
        let arguments = all.entry(name).or_default();
        if !argument.is_empty() {
            arguments.insert(argument);
        }
    }
    all
}

/// What Python's own `inspect` says of both clients, of the decorator and of the records.
fn python() -> Value {
    const ASK: &str = "
import dataclasses, inspect, json, rhythm
from rhythm import records

def taken(function):
    return [name for name in inspect.signature(function).parameters if name != 'self']

def methods(kind):
    names = [name for name in dir(kind) if not name.startswith('_')]
    return {name: taken(getattr(kind, name)) for name in names}

classes = {name: kind for name, kind in vars(records).items() if dataclasses.is_dataclass(kind)}
print(json.dumps({
    'blocking': methods(rhythm.Client),
    'async': methods(rhythm.AsyncClient),
    'module': [name for name in methods(rhythm.Client) if hasattr(rhythm, name)],
    'decorator': taken(rhythm.task),
    'records': {name: [f.name for f in dataclasses.fields(kind)] for name, kind in classes.items()},
}))";
    let output = Command::new(project().join(".venv/bin/python"))
        .args(["-c", ASK])
        .output()
        .expect("Python runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

fn signatures(value: &Value) -> Signatures {
    serde_json::from_value(value.clone()).expect("names and lists of names")
}

#[track_caller]
fn none(broken: &[String], what: &str) {
    assert!(broken.is_empty(), "{what}:\n  {}", broken.join("\n  "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_takes_what_the_functions_take() {
    let sql = sql(&Database::create().await).await;
    let python = python();
    let (blocking, later) = (
        signatures(&python["blocking"]),
        signatures(&python["async"]),
    );
    let mut broken = Vec::new();
    for (name, arguments) in &blocking {
        if later.get(name) != Some(arguments) && name != "close" {
            broken.push(format!("AsyncClient.{name} differs from Client.{name}"));
        }
    }
    for name in later.keys().filter(|name| !blocking.contains_key(*name)) {
        broken.push(format!("AsyncClient.{name} is none of Client's"));
    }
    for (name, arguments) in &sql {
        if OF_WORKERS.contains(&name.as_str()) {
            continue;
        }
        let excused = NOT_IN_PYTHON.iter().any(|(not, _)| not == name);
        let Some(taken) = blocking.get(name) else {
            if !excused {
                broken.push(format!("Client lacks {name}"));
            }
            continue;
        };
        if excused {
            broken.push(format!("{name} is in Client, and in NOT_IN_PYTHON, too"));
        }
        let otherwise: BTreeMap<_, _> = OTHERWISE_IN_PYTHON
            .iter()
            .filter(|(of, ..)| of == name)
            .map(|(_, argument, stands)| (*argument, *stands))
            .collect();
        for argument in arguments {
            let stands = otherwise.get(argument.as_str());
            match (taken.contains(argument), stands) {
                (true, Some(_)) => broken.push(format!(
                    "Client.{name} takes {argument}; OTHERWISE_IN_PYTHON says that it does not"
                )),
                (false, None) => broken.push(format!("Client.{name} lacks {argument}")),
                (false, Some(stands)) if !stands.is_empty() && !taken.contains(*stands) => {
                    broken.push(format!("Client.{name} lacks {stands} for {argument}"));
                }
                _ => {}
            }
        }
        for more in taken {
            let stands = otherwise.values().any(|stands| stands == more);
            if !arguments.contains(more) && !stands {
                broken.push(format!("rhythm.{name} takes no {more}, Client.{name} does"));
            }
        }
        for argument in otherwise.keys() {
            if !arguments.contains(*argument) {
                broken.push(format!("rhythm.{name} takes no {argument} any more"));
            }
        }
    }
    let known = |name: &str| sql.contains_key(name);
    let listed = OF_WORKERS
        .iter()
        .chain(NOT_IN_PYTHON.iter().map(|(name, _)| name))
        .chain(OTHERWISE_IN_PYTHON.iter().map(|(name, ..)| name));
    broken.extend(
        listed
            .filter(|name| !known(name))
            .map(|name| format!("there is no rhythm.{name} any more")),
    );
    none(&broken, "SQL and Python differ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_decorator_takes_what_a_registration_does() {
    let database = Database::create().await;
    let s = database.session().await;
    let refused = s
        .fails(r#"select rhythm.register('w', '[{"name": "a", "no such entry": 1}]')"#)
        .await;
    let entries: BTreeSet<String> = refused
        .hint
        .strip_prefix("Entries are ")
        .expect("the hint has all of them")
        .trim_end_matches('.')
        .split(", ")
        .map(snake)
        .collect();
    let python = python();
    let mut taken: BTreeSet<String> =
        serde_json::from_value(python["decorator"].clone()).expect("a list of names");
    assert!(taken.remove("function"));
    for (of, more) in OTHERWISE_IN_DECORATOR {
        assert!(entries.contains(*of), "{of} is no entry any more");
        assert!(taken.remove(*more), "@rhythm.task takes no {more} any more");
    }
    assert_eq!(taken, entries, "@rhythm.task, and an item of register");
}

/// `startTimeout` as SQL and Python write it.
fn snake(word: &str) -> String {
    word.chars()
        .flat_map(|c| {
            let before = c.is_ascii_uppercase().then_some('_');
            before.into_iter().chain([c.to_ascii_lowercase()])
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pythons_records_have_the_columns_of_the_views() {
    let database = Database::create().await;
    let s = database.session().await;
    let python = python();
    let records = signatures(&python["records"]);
    let mut broken = Vec::new();
    for (view, record, without) in RECORDS {
        let columns = s
            .text(&format!(
                "select string_agg(attname, ' ') from pg_attribute where attrelid = 'rhythm.{view}'::regclass and attnum > 0"
            ))
            .await;
        let columns: BTreeSet<&str> = columns.split(' ').collect();
        let fields = &records[*record];
        for column in &columns {
            match (fields.contains(*column), without.contains(column)) {
                (false, false) => broken.push(format!("{record} lacks {column} of rhythm.{view}")),
                (true, true) => broken.push(format!("{record} has {column}, and is excused")),
                _ => {}
            }
        }
        for gone in without.iter().filter(|column| !columns.contains(**column)) {
            broken.push(format!("rhythm.{view} has no {gone} any more"));
        }
    }
    none(&broken, "views and Python's records differ");
}

/// The places and options that the help of a verb has.
fn help(verb: &str) -> BTreeSet<String> {
    let output = Command::new(project().join("target/release/rhythm"))
        .args(verb.split(' '))
        .arg("--help")
        .output()
        .expect("the command is built");
    assert!(output.status.success(), "rhythm {verb} --help fails");
    let words = |line: &str| {
        let line = line.trim_start();
        let word = |word: &str| {
            let word = word.trim_end_matches([',', '.']);
            // An option whose value may be left out stands with that in one word.
            let end = if word.starts_with("--") {
                word.find(['[', '='])
            } else {
                None
            };
            word[..end.unwrap_or(word.len())].to_owned()
        };
        match line.chars().next() {
            Some('<' | '[') => line.split(' ').take(1).map(word).collect::<Vec<_>>(),
            Some('-') => line
                .split(' ')
                .filter(|w| w.starts_with('-'))
                .map(word)
                .collect(),
            _ => Vec::new(),
        }
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .flat_map(words)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_takes_what_the_functions_take() {
    let sql = sql(&Database::create().await).await;
    let mut broken = Vec::new();
    for (name, arguments) in &sql {
        let verb = VERBS.iter().find(|(function, ..)| function == name);
        let excused = OF_WORKERS.contains(&name.as_str())
            || NOT_IN_COMMAND.iter().any(|(not, _)| not == name);
        let Some((_, verb, otherwise)) = verb else {
            if !excused {
                broken.push(format!("no verb does {name}"));
            }
            continue;
        };
        if excused {
            broken.push(format!("{name} has a verb, and is excused, too"));
        }
        let words = help(verb);
        for argument in arguments {
            let option = format!("--{}", argument.replace('_', "-"));
            let place = argument.to_uppercase();
            let has = [option, format!("<{place}>"), format!("[{place}]")]
                .iter()
                .any(|word| words.contains(word));
            let stands = otherwise.iter().find(|(of, _)| of == argument);
            match (has, stands) {
                (true, Some(_)) => broken.push(format!(
                    "`rhythm {verb}` takes {argument}; VERBS says that it does not"
                )),
                (false, None) => broken.push(format!("`rhythm {verb}` lacks {argument}")),
                (false, Some((_, stands))) if !stands.is_empty() && !words.contains(*stands) => {
                    broken.push(format!("`rhythm {verb}` lacks {stands} for {argument}"));
                }
                _ => {}
            }
        }
        for (argument, _) in otherwise.iter() {
            if !arguments.contains(*argument) {
                broken.push(format!("rhythm.{name} takes no {argument} any more"));
            }
        }
    }
    let listed = VERBS.iter().map(|(name, ..)| name);
    let listed = listed.chain(NOT_IN_COMMAND.iter().map(|(name, _)| name));
    broken.extend(
        listed
            .filter(|name| !sql.contains_key(**name))
            .map(|name| format!("there is no rhythm.{name} any more")),
    );
    none(&broken, "SQL and the command differ");
}
