//! Bad input for every public SQL function: a named error with a hint, or a good answer; never a fault.
//!
//! The functions come from the catalog, so that a new one cannot be forgotten: it fails here until it has a good call.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rhythm_tests::database::{Database, Session, literal};
use rhythm_tests::invariant::report;
use serde_json::json;

/// A call of each function that works, argument by argument. `$task` waits, `$held`/`$token` is leased, `$failed` has
/// failed, `$workflow` waits for a signal, `$answers` answers what it is asked.
const GOOD_CALLS: &[(&str, &[&str])] = &[
    ("adopt", &[]),
    (
        "backfill_schedule",
        &[
            "'s'",
            "now() - interval '3 hours'",
            "now() - interval '1 hour'",
            "'queue_all'",
        ],
    ),
    ("call", &["'$answers'", "'ask'", "'1'", "'1s'", "null"]),
    ("cancel", &["'$task'", "'reason'", "'1 minute'"]),
    ("check", &["'return 1'"]),
    (
        "claim",
        &["'w'", "'{default}'", "1", "'0'", "'60s'", "null"],
    ),
    (
        "cleanup",
        &["'1 day'", "'completed'", "'default'", "true", "100"],
    ),
    ("complete", &["'$held'", "$token", "'1'"]),
    (
        "configure_queue",
        &[
            "'q'",
            "true",
            "'1 day'",
            "'10/sec'",
            "5",
            "'a.b'",
            "7",
            "'c'",
            "2",
            "3",
            "'{}'",
            "'1h'",
            "'1h'",
            "'1h'",
            "'1h'",
            "'forever'",
            "'discard'",
            "'{retry}'",
            "'why'",
        ],
    ),
    (
        "cron_times",
        &["'0 3 * * *'", "'Europe/Berlin'", "3", "'2026-03-28'"],
    ),
    ("delete_calendar", &["'unused'"]),
    ("deploy", &["'w2'", "'return 1'"]),
    (
        "enqueue",
        &[
            "'a'", "'{}'", "'q'", "'k'", "1", "'1s'", "null", "'{}'", "'1s'", "'1s'", "'1s'",
            "'{}'", "'1s'", "'1 day'", "'keep'",
        ],
    ),
    ("enqueue_many", &["'[{\"name\": \"a\"}]'"]),
    ("enqueue_rows", &["$$select 'a' as name$$"]),
    (
        "fail",
        &[
            "'$held'",
            "$token",
            "'{\"name\": \"E\", \"message\": \"m\"}'",
            "'1s'",
            "true",
        ],
    ),
    (
        "finish",
        &[
            "'w'",
            "'[{\"id\": \"$held\", \"token\": \"$token\"}]'",
            "'{default}'",
            "1",
            "'0'",
            "'60s'",
        ],
    ),
    (
        "heartbeat",
        &["'{$held}'", "'{$token}'", "'60s'", "array['1'::jsonb]"],
    ),
    ("explain_workflow", &["'w1'", "1", "'dot'"]),
    ("limits", &[]),
    ("fork", &["'$workflow'", "1", "'kf'", "1"]),
    ("log", &["'$workflow'", "false", "10"]),
    ("move", &["'$workflow'", "1"]),
    ("move_many", &["'w1'", "1", "null", "10", "true"]),
    ("pause_all", &["'why'"]),
    ("pause_queue", &["'q'", "'why'"]),
    ("pause_task", &["'a'", "'why'"]),
    ("pause_schedule", &["'s'", "'reason'"]),
    ("register", &["'w'", "'[\"a\"]'"]),
    ("result", &["'$task'"]),
    ("resume_all", &[]),
    ("resume_queue", &["'q'"]),
    ("resume_task", &["'a'"]),
    ("retry", &["'$failed'", "'1s'", "null"]),
    ("resolve", &["'$task'", "'1'"]),
    ("retire", &["'w1'", "'why'"]),
    (
        "retry_many",
        &[
            "'default'",
            "'fails'",
            "'E'",
            "'2020-01-01'",
            "'task'",
            "'10/sec'",
            "100",
            "true",
        ],
    ),
    ("show_queue", &["'q'"]),
    ("resume_schedule", &["'s'"]),
    (
        "schedule",
        &[
            "'s2'",
            "'0 3 * * *'",
            "null",
            "'a'",
            "null",
            "'{}'",
            "'Europe/Berlin'",
            "'skip'",
            "'1 day'",
            "'5s'",
            "'q'",
            "1",
            "'{}'",
            "'1h'",
            "'1h'",
            "'{holidays}'",
            "now()",
            "now() + interval '1 year'",
            "'1 hour'",
            "'1 minute'",
            "'1 hour'",
            "'keep'",
        ],
    ),
    ("schedule_times", &["'s'", "3", "'2026-03-28'"]),
    (
        "set_calendar",
        &[
            "'holidays'",
            "'{2026-12-25}'",
            "'{sat,sun}'",
            "'{[2026-01-01,2026-02-01)}'",
        ],
    ),
    ("attributes", &["'$workflow'"]),
    ("await_reply", &["'$request'", "'0'"]),
    ("find", &["'w1'", "'{\"a\": 1}'", "'waiting'", "5"]),
    (
        "request",
        &["'$workflow'", "'go'", "'1'", "'1s'", "null", "null"],
    ),
    (
        "signal",
        &["'$workflow'", "'go'", "'1'", "'k'", "null", "null"],
    ),
    (
        "signal_with_start",
        &[
            "'w1'",
            "'k'",
            "'go'",
            "'1'",
            "'{}'",
            "'k'",
            "'q'",
            "1",
            "'1s'",
            "'{}'",
            "'1 day'",
            "'keep'",
            "'{\"maxAttempts\": 2}'",
        ],
    ),
    ("snooze", &["'$held'", "$token", "'1s'"]),
    (
        "start",
        &[
            "'w1'",
            "'{}'",
            "'k'",
            "'q'",
            "1",
            "'1s'",
            "null",
            "'1s'",
            "'{}'",
            "'1 day'",
            "'keep'",
            "'{\"maxAttempts\": 2}'",
        ],
    ),
    ("states", &["'$workflow'", "10"]),
    ("start_many", &["'[{\"workflow\": \"w1\"}]'"]),
    ("tick", &[]),
    ("terminate", &["'$task'", "'reason'"]),
    ("timeline", &["'$task'", "10"]),
    ("tree", &["'$task'", "10"]),
    ("trigger_schedule", &["'s'", "'skip'"]),
    ("unretire", &["'w1'"]),
    ("undeploy", &["'idle'", "1"]),
    ("unschedule", &["'s'"]),
    ("variables", &["'$workflow'", "10", "100"]),
    ("version", &[]),
    ("wait", &["'$task'", "'0'"]),
    ("why", &["'$task'"]),
    ("why_queue", &["'q'"]),
];

/// Arguments where null says something although their default is not null.
const NULL_IS_FINE: &[(&str, &str)] = &[
    ("cleanup", "max"),
    ("call", "payload"),
    ("request", "payload"),
    ("retry_many", "kind"),
    ("signal", "payload"),
    ("signal_with_start", "payload"),
];

/// Procedures: they commit, so that they cannot stand in a transaction.
const PROCEDURES: &[&str] = &["call"];

/// Functions that run SQL of the caller, whose errors are his.
const RUNS_SQL: &[&str] = &["enqueue_rows"];

/// Texts that may be empty: a source without a statement is a program.
const EMPTY_IS_FINE: &[(&str, &str)] = &[("check", "source"), ("deploy", "source")];

/// Ids that need not be of an execution.
const UNKNOWN_IS_FINE: &[(&str, &str)] = &[("move_many", "after")];

const UNKNOWN: &str = "'00000000-0000-7000-8000-000000000000'";

/// Values that are wrong, or at least odd, for an argument of this type.
fn odd_values(kind: &str) -> Vec<String> {
    let long = "x".repeat(1 << 20);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(3000), "}".repeat(3000));
    match kind {
        "text" => vec![
            "''".into(),
            literal(&long),
            "E'a\\nb\\t''\\\\'".into(),
            "'%s %I {} $1'".into(),
            "'😀'".into(),
        ],
        "jsonb" => vec![
            "'null'".into(),
            "'1'".into(),
            "'\"text\"'".into(),
            "'[]'".into(),
            "'{}'".into(),
            "'[null]'".into(),
            "'[1]'".into(),
            "'[[]]'".into(),
            "'[{}]'".into(),
            "'{\"unknown\": 1}'".into(),
            "'[{\"id\": \"x\", \"token\": []}]'".into(),
            "'[{\"name\": {}, \"delay\": \"soon\", \"priority\": \"high\"}]'".into(),
            "'[{\"name\": {\"a\": 1}, \"queue\": [], \"task_id\": []}]'".into(),
            r#"'[{"id": "$held", "token": "$token", "error": {"name": "E", "message": "m"}, "retry_in": "178000000 years"}]'"#
                .into(),
            "'{\"maxAttempts\": -1, \"initial\": \"soon\"}'".into(),
            literal(&deep),
            literal(&deep_object),
            format!("to_jsonb({}::text)", literal(&long)),
        ],
        "integer" => vec![
            "-1".into(),
            "0".into(),
            "2147483647".into(),
            "-2147483648".into(),
        ],
        "bigint" => vec!["-1".into(), "9223372036854775807".into()],
        "boolean" => vec!["true".into(), "false".into()],
        "interval" => vec![
            "'-1 day'".into(),
            "'0'".into(),
            "'100000 years'".into(),
            "'-178000000 years'".into(),
            "'178000000 years'".into(),
            "'infinity'".into(),
        ],
        "timestamp with time zone" => {
            vec![
                "'infinity'".into(),
                "'-infinity'".into(),
                "'0001-01-01'".into(),
                "'294276-12-31'".into(),
            ]
        }
        "uuid" => vec![UNKNOWN.into()],
        "uuid[]" => vec![
            "'{}'".into(),
            "'{null}'".into(),
            format!("array[{UNKNOWN}]::uuid[]"),
            "'{{},{}}'".into(),
        ],
        "bigint[]" => vec![
            "'{}'".into(),
            "'{null}'".into(),
            "'{1,2,3}'".into(),
            "'{{1,2},{3,4}}'".into(),
            "array_fill(1::bigint, array[100000])".into(),
        ],
        "jsonb[]" => vec![
            "'{}'".into(),
            "'{null}'".into(),
            "array['1'::jsonb, '2']".into(),
            "array[array['1'::jsonb]]".into(),
        ],
        "text[]" => vec![
            "'{}'".into(),
            "'{null}'".into(),
            "'{\"\"}'".into(),
            "'{{a,b},{c,d}}'".into(),
            "'[5:6]={a,b}'".into(),
            "array_fill('q'::text, array[10000])".into(),
            format!("array[{}]", literal(&long)),
        ],
        "date[]" => vec![
            "'{}'".into(),
            "'{null}'".into(),
            "'{infinity,-infinity}'".into(),
            "'{0001-01-01,5874897-12-31}'".into(),
            "'{{2026-01-01,2026-01-02}}'".into(),
            "array_fill('2026-01-01'::date, array[100000])".into(),
        ],
        "tstzmultirange" => vec![
            "'{}'".into(),
            "'{(,)}'".into(),
            "'{[2026-01-01,infinity]}'".into(),
            "'{[0001-01-01,294276-12-31]}'".into(),
        ],
        other => panic!("no odd values for type {other}: add some"),
    }
}

struct Argument {
    name: String,
    kind: String,
    may_be_null: bool,
}

/// Every public function with its arguments.
async fn functions(s: &Session) -> BTreeMap<String, Vec<Argument>> {
    let mut all = BTreeMap::new();
    let rows = s
        .rows(
            "select p.proname, a.name, format_type(a.type, null),
               coalesce(pg_get_function_arg_default(p.oid, a.at::int) like 'NULL::%', false)
             from pg_proc p
             left join lateral unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) with ordinality
               as a (type, name, at) on true
             where p.pronamespace = 'rhythm'::regnamespace and p.proname !~ '^_' and p.prokind in ('f', 'p')
             order by p.proname, a.at",
        )
        .await;
    for row in rows {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let arguments: &mut Vec<Argument> = all.entry(next()).or_default();
        let (name, kind, may_be_null) = (next(), next(), next() == "t");
        if !kind.is_empty() {
            arguments.push(Argument {
                name,
                kind,
                may_be_null,
            });
        }
    }
    all
}

/// Executions in the states that the good calls want, and a function that puts them in.
async fn scene(s: &Session) -> impl Fn(&str) -> String + use<> {
    s.deploy("w1", "return await Signal.next('go');").await;
    s.deploy("idle", "return 1;").await;
    s.run(
        "select rhythm.set_calendar('holidays', '{2026-12-25}');
         select rhythm.schedule('s', every => '1 hour', task => 'a', queue => 'elsewhere')",
    )
    .await;
    s.run("set rhythm.kept_states = 5").await;
    let workflow = s.start("w1", "{}").await;
    s.deploy(
        "answers",
        "while (true) { (await Signal.request('ask')).reply(1); }",
    )
    .await;
    let answers = s.start("answers", "{}").await;
    s.run("select rhythm.enqueue('fails')").await;
    let failed = s.claim_one().await;
    assert_eq!(s.fail(&failed, ", retryable => false").await, "failed");
    s.run("select rhythm.enqueue('held')").await;
    let held = s.claim_one().await;
    let task = s.id("select rhythm.enqueue('task')").await;
    let ask = format!("select rhythm.request('{workflow}', 'x')");
    let request = s.id(&ask).await;
    move |text: &str| {
        text.replace("$workflow", &workflow.to_string())
            .replace("$answers", &answers.to_string())
            .replace("$failed", &failed.id.to_string())
            .replace("$held", &held.id.to_string())
            .replace("$task", &task.to_string())
            .replace("$request", &request.to_string())
            .replace("$token", &held.token.to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_answers_odd_arguments_with_a_named_error_or_a_good_answer() {
    let database = Database::create().await;
    let s = database.session().await;
    let fill = scene(&s).await;
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (name, arguments) in functions(&s).await {
        let Some((_, good)) = GOOD_CALLS.iter().find(|(good, _)| *good == name) else {
            panic!("rhythm.{name} is new: give it a line in GOOD_CALLS");
        };
        assert_eq!(
            good.len(),
            arguments.len(),
            "rhythm.{name} has got another argument: add it in GOOD_CALLS"
        );
        let call = |at: usize, value: &str| {
            let values: Vec<String> = good
                .iter()
                .enumerate()
                .map(|(i, good)| if i == at { fill(value) } else { fill(good) })
                .collect();
            match PROCEDURES.contains(&name.as_str()) {
                true => format!("call rhythm.{name}({})", values.join(", ")),
                false => format!("select * from rhythm.{name}({})", values.join(", ")),
            }
        };
        let begin = match PROCEDURES.contains(&name.as_str()) {
            true => "",
            false => "begin; ",
        };
        let works = format!("{begin}{}", call(usize::MAX, ""));
        if let Err(failure) = s.attempt(&works).await {
            wrong.push(format!("the good call fails: {works}: {failure:?}"));
        }
        s.run("rollback").await;
        for (at, argument) in arguments.iter().enumerate() {
            let here = (name.as_str(), argument.name.as_str());
            let mut values = odd_values(&argument.kind);
            values.push(format!("null::{}", argument.kind));
            for value in values {
                calls += 1;
                // A wait has to end before the session's own timeout, however long it was to be.
                let waits =
                    argument.name == "wait" || matches!(here, ("wait" | "await_reply", "timeout"));
                let (before, call) = if waits {
                    // Where there is nothing to get, or it would not wait.
                    let call = call(at, &value).replace("'{default}'", "'{none}'");
                    ("set local statement_timeout = '3s'; ", call)
                } else {
                    ("", call(at, &value))
                };
                let begun = Instant::now();
                let outcome = s.attempt(&format!("{begin}{before}{call}")).await;
                s.run("rollback").await;
                let shown = format!(
                    "{name}({} => {})",
                    argument.name,
                    value.chars().take(60).collect::<String>()
                );
                if begun.elapsed() > Duration::from_secs(60) {
                    wrong.push(format!("{shown} took {:?}", begun.elapsed()));
                }
                let must_fail = (value.starts_with("null::")
                    && !argument.may_be_null
                    && !NULL_IS_FINE.contains(&here))
                    || (value == "''"
                        && argument.kind == "text"
                        && !argument.may_be_null
                        && !EMPTY_IS_FINE.contains(&here))
                    || (value == UNKNOWN && !UNKNOWN_IS_FINE.contains(&here));
                match outcome {
                    Ok(_) if must_fail => wrong.push(format!("{shown} works")),
                    Ok(_) => {}
                    Err(_) if RUNS_SQL.contains(&name.as_str()) => {}
                    Err(f) if !f.code.starts_with("RH") => {
                        wrong.push(format!(
                            "{shown}: {} {}",
                            f.code,
                            f.message.chars().take(150).collect::<String>()
                        ));
                    }
                    Err(f) if f.hint.is_empty() => {
                        wrong.push(format!("{shown}: no hint: {}", f.message));
                    }
                    Err(f) if f.message.len() > 1000 => {
                        wrong.push(format!("{shown}: a message of {} bytes", f.message.len()));
                    }
                    Err(_) => {}
                }
            }
        }
    }
    report(&format!("bad input: {calls} calls"));
    assert!(
        wrong.is_empty(),
        "{} of {calls} calls:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_the_wrong_state_says_so_and_changes_nothing() {
    let database = Database::create().await;
    let s = database.session().await;
    let fill = scene(&s).await;
    let everything = "select md5(string_agg(t::text, '|' order by t::text)) from (
        select l::text as t from rhythm.live l union all
        select a::text from rhythm.archive a union all select e::text from rhythm.events e union all
        select x::text from rhythm.signals x union all select k::text from rhythm.keys k) t";
    let before = s.text(everything).await;
    let cases = [
        ("select rhythm.complete('$task', 1)", Ok("f")),
        ("select rhythm.complete('$held', 1)", Ok("f")),
        ("select rhythm.complete('$failed', $token)", Ok("f")),
        ("select rhythm.complete('$workflow', $token)", Ok("f")),
        (
            "select rhythm.fail('$task', 1, '{\"name\": \"E\", \"message\": \"m\"}')",
            Ok(""),
        ),
        (
            "select rhythm.fail('$held', 1, '{\"name\": \"E\", \"message\": \"m\"}')",
            Ok(""),
        ),
        (
            "select status from rhythm.heartbeat('{$task}', '{1}')",
            Ok("lost"),
        ),
        ("select rhythm.signal('$task', 'go')", Err("RH3")),
        ("select rhythm.signal('$failed', 'go')", Ok("f")),
        ("select rhythm.cancel('$failed')", Ok("f")),
        ("select rhythm.retry('$task')", Err("RH3")),
        ("select rhythm.retry('$held')", Err("RH3")),
        ("select rhythm.retry('$workflow')", Err("RH3")),
        (
            "select rhythm.configure_queue('default', reset => array[null])",
            Err("RH0"),
        ),
        (
            "select rhythm.configure_queue('default', heartbeat_timeout => '0')",
            Err("RH0"),
        ),
        (
            "select rhythm.enqueue('a', attempt_timeout => '0')",
            Err("RH0"),
        ),
        (
            r#"select rhythm.register('w', '[{"name": "a", "heartbeatTimeout": 0}]')"#,
            Err("RH0"),
        ),
        ("select rhythm.start('nowhere')", Err("RH1")),
        ("select rhythm.deploy('w3', 'return 1 +')", Err("RH1")),
        ("select rhythm.heartbeat('{$held}', '{1,2}')", Err("RH0")),
        (
            "select rhythm.enqueue_many('[{\"name\": \"a\"}, {\"name\": \"\"}]')",
            Err("RH0"),
        ),
        (
            "select rhythm.enqueue('a', delay => '1s', run_at => now())",
            Err("RH0"),
        ),
    ];
    for (call, expected) in cases {
        let outcome = s.attempt(&fill(call)).await;
        match (&outcome, expected) {
            (Ok(rows), Ok(answer)) => {
                assert_eq!(rows[0][0].as_deref().unwrap_or_default(), answer, "{call}");
            }
            (Err(failure), Err(class)) => {
                assert!(
                    failure.code.starts_with(class) && !failure.hint.is_empty(),
                    "{call}: {failure:?}"
                );
            }
            _ => panic!("{call}: {outcome:?}"),
        }
        assert_eq!(s.text(everything).await, before, "{call} changed something");
    }
    for isolation in ["repeatable read", "serializable"] {
        for call in [
            "select * from rhythm.claim('w', '{none}', wait => '1s')",
            "select * from rhythm.wait('$task', '1s')",
            "select rhythm.tick()",
        ] {
            s.run(&format!("begin isolation level {isolation}")).await;
            let failure = s.fails(&fill(call)).await;
            assert!(
                failure.code.starts_with("RH2") && !failure.hint.is_empty(),
                "{call}: {failure:?}"
            );
            s.run("rollback").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_program_asks_of_the_host_cannot_break_the_callers_transaction() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("ask", "try { return await Task.run(Inputs.name, 1, Inputs.options); } catch (e) { return e.name; }").await;
    let cases = [
        json!({"name": ""}),
        json!({"name": "x".repeat(100_000)}),
        json!({"name": 5}),
        json!({"name": "a", "options": {"delay": "soon"}}),
        json!({"name": "a", "options": {"delay": -5}}),
        json!({"name": "a", "options": {"priority": 1e99}}),
        json!({"name": "a", "options": {"priority": "high"}}),
        json!({"name": "a", "options": {"queue": ""}}),
        json!({"name": "a", "options": {"taskId": "k".repeat(5000)}}),
        json!({"name": "a", "options": {"retry": {"maxAttempts": 0}}}),
        json!({"name": "a", "options": {"retry": 7}}),
        json!({"name": "a", "options": {"runAt": 1e300}}),
        json!({"name": "a", "options": {"timeout": "x"}}),
        json!({"name": "a", "options": 5}),
    ];
    for case in cases {
        let id = s.start("ask", &case.to_string()).await;
        let (state, result, error) = s.outcome_or_state(id).await;
        let named = matches!(
            result.as_str(),
            Some("TypeError" | "RangeError" | "TaskError")
        );
        let fine = named || state == "failed" || state == "waiting";
        let shown: String = case.to_string().chars().take(100).collect();
        assert!(fine, "{shown}: {state} {result} {error}");
    }
    s.deploy("until", "await Timer.until(new Date(Inputs.at)); return 1;")
        .await;
    for at in ["-8.64e15", "8.64e15", "-1", "0"] {
        let id = s.start("until", &format!("{{\"at\": {at}}}")).await;
        let (state, ..) = s.outcome_or_state(id).await;
        assert!(state == "waiting" || state == "completed", "{at}: {state}");
    }
}
