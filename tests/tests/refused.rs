//! What must be refused, value by value, and with which code: `bad_input` holds that nothing is a fault, this that nothing which
//! is wrong is taken.

use rhythm_tests::database::{Database, Session, literal};
use serde_json::{Value, json};

/// A function, the arguments of a call that works without what follows, an argument, a value that it must refuse, and the code.
const MUST_FAIL: &[(&str, &str, &str, &str, &str)] = &[
    ("enqueue", "'a'", "priority", "2147483647", "RH002"),
    ("enqueue", "'a'", "priority", "32768", "RH002"),
    ("enqueue", "'a'", "priority", "-32769", "RH002"),
    ("start", "'w1'", "priority", "2147483647", "RH002"),
    ("start", "'w1'", "priority", "-32769", "RH002"),
    ("configure_queue", "'q'", "priority", "2147483647", "RH002"),
    ("configure_queue", "'q'", "reason", "'why'", "RH002"),
    (
        "configure_queue",
        "'q', paused => false",
        "reason",
        "'why'",
        "RH002",
    ),
    ("configure_queue", "'q'", "priority", "-32769", "RH002"),
    ("schedule", SCHEDULE, "priority", "2147483647", "RH002"),
    ("schedule", SCHEDULE, "priority", "-32769", "RH002"),
    (
        "signal_with_start",
        "'w1', 'k', 'go'",
        "priority",
        "2147483647",
        "RH002",
    ),
    ("enqueue", "'a'", "timeout", "'-1s'", "RH002"),
    ("enqueue", "'a'", "start_timeout", "'-1s'", "RH002"),
    ("enqueue", "'a'", "attempt_timeout", "'-1s'", "RH002"),
    ("enqueue", "'a'", "heartbeat_timeout", "'-1s'", "RH002"),
    ("enqueue", "'a'", "attempt_timeout", "'0'", "RH002"),
    ("enqueue", "'a'", "heartbeat_timeout", "'0'", "RH002"),
    ("enqueue", "'a'", "delay", "'-1s'", "RH002"),
    ("enqueue", "'a'", "run_at", "'infinity'", "RH002"),
    ("enqueue", "'a'", "run_at", "'-infinity'", "RH002"),
    ("enqueue", "'a'", "result", "'drop'", "RH002"),
    ("enqueue", "'a'", "remember", "'for ever'", "RH002"),
    ("enqueue", "'a'", "remember", "'-1 day'", "RH002"),
    ("enqueue", "'a'", "retry", "'{\"maxAttempts\": 0}'", "RH004"),
    ("enqueue", "'a'", "retry", "'{\"attempts\": 3}'", "RH004"),
    ("start", "'w1'", "timeout", "'-1s'", "RH002"),
    ("start", "'w1'", "delay", "'-1s'", "RH002"),
    ("start", "'w1'", "run_at", "'infinity'", "RH002"),
    ("start", "'w1'", "result", "'drop'", "RH002"),
    ("start", "'w1'", "remember", "'for ever'", "RH002"),
    (
        "signal_with_start",
        "'w1', 'k', 'go'",
        "timeout",
        "'-1s'",
        "RH002",
    ),
    (
        "signal_with_start",
        "'w1', 'k', 'go'",
        "result",
        "'drop'",
        "RH002",
    ),
    (
        "signal_with_start",
        "'w1', 'k', 'go'",
        "remember",
        "'for ever'",
        "RH002",
    ),
    ("configure_queue", "'q'", "timeout", "'-1s'", "RH002"),
    ("configure_queue", "'q'", "start_timeout", "'-1s'", "RH002"),
    (
        "configure_queue",
        "'q'",
        "attempt_timeout",
        "'-1s'",
        "RH002",
    ),
    (
        "configure_queue",
        "'q'",
        "heartbeat_timeout",
        "'-1s'",
        "RH002",
    ),
    ("configure_queue", "'q'", "result", "'drop'", "RH002"),
    ("configure_queue", "'q'", "reset", "'{rate}'", "RH002"),
    ("configure_queue", "'q'", "retention", "'soon'", "RH002"),
    ("configure_queue", "'q'", "remember", "'-1 day'", "RH002"),
    ("configure_queue", "'q'", "rate_limit", "'0/sec'", "RH007"),
    ("configure_queue", "'q'", "rate_limit", "'10/week'", "RH007"),
    ("configure_queue", "'q'", "rate_burst", "0", "RH002"),
    ("configure_queue", "'q'", "concurrency", "0", "RH002"),
    (
        "configure_queue",
        "'q', concurrency_key => 'k'",
        "concurrency_per_key",
        "0",
        "RH002",
    ),
    (
        "configure_queue",
        "'q'",
        "concurrency_key",
        "'a..b'",
        "RH002",
    ),
    ("schedule", SCHEDULE, "timeout", "'-1s'", "RH002"),
    ("schedule", SCHEDULE, "start_timeout", "'-1s'", "RH002"),
    ("schedule", SCHEDULE, "attempt_timeout", "'-1s'", "RH002"),
    ("schedule", SCHEDULE, "heartbeat_timeout", "'-1s'", "RH002"),
    ("schedule", SCHEDULE, "jitter", "'-1s'", "RH002"),
    ("schedule", SCHEDULE, "catch_up", "'-1s'", "RH002"),
    ("schedule", SCHEDULE, "overlap", "'queue'", "RH002"),
    ("schedule", SCHEDULE, "result", "'drop'", "RH002"),
    ("schedule", SCHEDULE, "remember", "'for ever'", "RH002"),
    ("schedule", SCHEDULE, "time_zone", "'Mars/North'", "RH006"),
    ("schedule", SCHEDULE, "exclude", "'{nowhere}'", "RH305"),
    ("schedule", SCHEDULE, "starts_at", "'infinity'", "RH002"),
    ("schedule", SCHEDULE, "ends_at", "'infinity'", "RH002"),
    (
        "schedule",
        "'s2', task => 'a'",
        "cron",
        "'60 * * * *'",
        "RH006",
    ),
    ("schedule", "'s2', task => 'a'", "every", "'-1h'", "RH002"),
    (
        "schedule",
        "'s2', task => 'a'",
        "every",
        "'0.5 seconds'",
        "RH002",
    ),
    (
        "schedule",
        "'s2', task => 'a'",
        "every",
        "'1 month'",
        "RH002",
    ),
    ("trigger_schedule", "'s'", "overlap", "'queue'", "RH002"),
    (
        "backfill_schedule",
        "'s', now() - interval '3 hours'",
        "overlap",
        "'queue'",
        "RH002",
    ),
    (
        "backfill_schedule",
        "'s', now() - interval '3 hours'",
        "until",
        "'infinity'",
        "RH002",
    ),
    ("cron_times", "'0 3 * * *'", "count", "0", "RH002"),
    ("cron_times", "'0 3 * * *'", "count", "1001", "RH002"),
    ("cron_times", "'0 3 * * *'", "since", "'infinity'", "RH002"),
    ("schedule_times", "'s'", "count", "0", "RH002"),
    ("schedule_times", "'s'", "count", "1001", "RH002"),
    ("schedule_times", "'s'", "since", "'infinity'", "RH002"),
    ("set_calendar", "'c'", "weekdays", "'{someday}'", "RH002"),
    ("claim", "'w'", "wait", "'-1s'", "RH002"),
    ("claim", "'w'", "lease", "'-1s'", "RH002"),
    ("claim", "'w'", "lease", "'0'", "RH002"),
    ("claim", "'w'", "max", "-1", "RH002"),
    ("heartbeat", "'{}', '{}'", "lease", "'-1s'", "RH002"),
    ("finish", "'w', '[]'", "wait", "'-1s'", "RH002"),
    ("finish", "'w', '[]'", "lease", "'-1s'", "RH002"),
    ("finish", "'w', '[]'", "max", "-1", "RH002"),
    ("snooze", "'$held', $token", "retry_in", "'-1s'", "RH002"),
    (
        "fail",
        "'$held', $token, '{\"name\": \"E\", \"message\": \"m\"}'",
        "retry_in",
        "'-1s'",
        "RH002",
    ),
    ("cancel", "'$workflow'", "grace", "'-1s'", "RH002"),
    ("retry", "'$failed'", "delay", "'-1s'", "RH002"),
    ("retry_many", "", "kind", "'tasks'", "RH002"),
    ("retry_many", "", "rate", "'10'", "RH007"),
    ("retry_many", "", "max", "0", "RH002"),
    ("find", "'w1', '{\"a\": 1}'", "state", "'done'", "RH002"),
    ("find", "'w1', '{\"a\": 1}'", "max", "0", "RH002"),
    ("cleanup", "'1 day'", "status", "'waiting'", "RH002"),
    ("cleanup", "'1 day'", "max", "0", "RH002"),
    ("cleanup", "", "older_than", "'-1 day'", "RH002"),
    ("tree", "'$workflow'", "max", "0", "RH002"),
    ("wait", "'$workflow'", "timeout", "'-1s'", "RH002"),
    ("request", "'$workflow', 'x'", "timeout", "'-1s'", "RH002"),
];

const SCHEDULE: &str = "'s2', every => '1 hour', task => 'a'";

/// Puts the ids of `scene` into a text.
async fn scene(s: &Session) -> impl Fn(&str) -> String + use<> {
    s.deploy("w1", "return await Signal.next('go');").await;
    s.run("select rhythm.schedule('s', every => '1 hour', task => 'a', queue => 'elsewhere')")
        .await;
    let workflow = s.start("w1", "{}").await;
    s.run("select rhythm.enqueue('fails')").await;
    let failed = s.claim_one().await;
    assert_eq!(s.fail(&failed, ", retryable => false").await, "failed");
    s.run("select rhythm.enqueue('held')").await;
    let held = s.claim_one().await;
    move |text: &str| {
        text.replace("$workflow", &workflow.to_string())
            .replace("$failed", &failed.id.to_string())
            .replace("$held", &held.id.to_string())
            .replace("$token", &held.token.to_string())
    }
}

/// Runs a call in a transaction that is undone; gives what is wrong with its answer.
async fn refusal(s: &Session, call: &str, code: &str) -> Option<String> {
    let outcome = s.attempt(&format!("begin; {call}")).await;
    s.run("rollback").await;
    let shown: String = call.chars().take(200).collect();
    match outcome {
        Ok(_) => Some(format!("{shown} works, and is to fail with {code}")),
        Err(f) if f.code != code => Some(format!(
            "{shown}: {} {} instead of {code}",
            f.code, f.message
        )),
        Err(f) if f.hint.is_empty() => Some(format!("{shown}: no hint: {}", f.message)),
        Err(_) => None,
    }
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_out_of_its_range_is_refused_with_its_code() {
    let database = Database::create().await;
    let s = database.session().await;
    let fill = scene(&s).await;
    let mut wrong = Vec::new();
    for (function, others, argument, value, code) in MUST_FAIL {
        let others = fill(others);
        let comma = if others.is_empty() { "" } else { ", " };
        // The call is right but for this argument, or it would be refused for something else.
        let lacks_one = matches!(*argument, "older_than" | "cron" | "every")
            || (*function, *argument) == ("snooze", "retry_in");
        if !lacks_one {
            let works = format!("begin; select * from rhythm.{function}({others})");
            if let Err(failure) = s.attempt(&works).await {
                wrong.push(format!("{works}: {failure:?}"));
            }
            s.run("rollback").await;
        }
        let call = format!("select * from rhythm.{function}({others}{comma}{argument} => {value})");
        wrong.extend(refusal(&s, &call, code).await);
    }
    assert_none(&wrong);
}

/// Items that are right, each key of them with a value that is not, and the code of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_key_of_json_is_refused_with_its_code() {
    let database = Database::create().await;
    let s = database.session().await;
    let fill = scene(&s).await;
    let long = "x".repeat(256);
    let item = json!({"name": "a"});
    let run = json!({"workflow": "w1"});
    let outcome = json!({"id": "$held", "token": "$token", "result": 1});
    let failure = json!({"id": "$held", "token": "$token", "error": {"name": "E", "message": "m"}});
    // A call with $ for the item, the item, and for each key the values that it must not have.
    type Keys<'a> = Vec<(&'a str, Vec<(Value, &'a str)>)>;
    let durations = |key| {
        (
            key,
            vec![
                (json!("soon"), "RH003"),
                (json!("-1s"), "RH002"),
                (json!({}), "RH003"),
            ],
        )
    };
    let attempts = |key| {
        (
            key,
            vec![
                (json!("soon"), "RH003"),
                (json!("-1s"), "RH002"),
                (json!("0"), "RH002"),
            ],
        )
    };
    let keep = || {
        (
            "remember",
            vec![(json!("for ever"), "RH002"), (json!("-1 day"), "RH002")],
        )
    };
    let result = || {
        (
            "result",
            vec![(json!("drop"), "RH002"), (json!(7), "RH002")],
        )
    };
    let names = |key| {
        (
            key,
            vec![
                (json!(""), "RH002"),
                (json!(long), "RH002"),
                (json!({}), "RH003"),
                (json!([]), "RH003"),
            ],
        )
    };
    let priority = || {
        (
            "priority",
            vec![
                (json!(32768), "RH002"),
                (json!("high"), "RH003"),
                (json!(1.5), "RH003"),
            ],
        )
    };
    let run_at = || {
        (
            "run_at",
            vec![(json!("infinity"), "RH002"), (json!("soon"), "RH003")],
        )
    };
    let trace = || ("trace", vec![(json!("x".repeat(70_000)), "RH901")]);
    let unknown = || ("nam", vec![(json!("a"), "RH003")]);
    let task_id = || {
        (
            "task_id",
            vec![
                (json!(""), "RH002"),
                (json!("x".repeat(1025)), "RH002"),
                (json!({}), "RH003"),
            ],
        )
    };
    let cases: Vec<(&str, &Value, Keys<'_>)> = vec![
        (
            "enqueue_many('[$]')",
            &item,
            vec![
                names("name"),
                names("queue"),
                task_id(),
                priority(),
                durations("delay"),
                run_at(),
                ("kind", vec![(json!("job"), "RH003"), (json!(1), "RH003")]),
                (
                    "retry",
                    vec![
                        (json!({"maxAttempts": 0}), "RH004"),
                        (json!("often"), "RH004"),
                        (json!({"tries": 1}), "RH004"),
                    ],
                ),
                durations("timeout"),
                durations("start_timeout"),
                attempts("attempt_timeout"),
                attempts("heartbeat_timeout"),
                keep(),
                result(),
                trace(),
                unknown(),
            ],
        ),
        (
            "start_many('[$]')",
            &run,
            vec![
                (
                    "workflow",
                    vec![
                        (json!("nowhere"), "RH102"),
                        (json!(null), "RH003"),
                        (json!({}), "RH102"),
                    ],
                ),
                names("queue"),
                task_id(),
                priority(),
                durations("delay"),
                run_at(),
                durations("timeout"),
                keep(),
                result(),
                trace(),
                unknown(),
                ("retry", vec![(json!({"maxAttempts": 0}), "RH004")]),
                ("kind", vec![(json!("task"), "RH003")]),
            ],
        ),
        (
            "register('w', '[$]')",
            &item,
            vec![
                (
                    "name",
                    vec![
                        (json!(""), "RH002"),
                        (json!(long), "RH002"),
                        (json!(null), "RH003"),
                        (json!(5), "RH003"),
                    ],
                ),
                ("queue", vec![(json!(""), "RH002"), (json!(5), "RH003")]),
                (
                    "retry",
                    vec![
                        (json!({"maxAttempts": 0}), "RH004"),
                        (json!({"tries": 1}), "RH004"),
                    ],
                ),
                (
                    "timeout",
                    vec![(json!("soon"), "RH003"), (json!(-1), "RH003")],
                ),
                (
                    "startTimeout",
                    vec![(json!("soon"), "RH003"), (json!(-1), "RH003")],
                ),
                (
                    "attemptTimeout",
                    vec![(json!("soon"), "RH003"), (json!(0), "RH002")],
                ),
                (
                    "heartbeatTimeout",
                    vec![(json!("soon"), "RH003"), (json!(0), "RH002")],
                ),
                (
                    "priority",
                    vec![
                        (json!(32768), "RH002"),
                        (json!(1.5), "RH003"),
                        (json!("high"), "RH003"),
                        (json!(1e30), "RH002"),
                    ],
                ),
                (
                    "remember",
                    vec![(json!("for ever"), "RH002"), (json!("-1 day"), "RH002")],
                ),
                ("result", vec![(json!("drop"), "RH002")]),
                (
                    "inputSchema",
                    vec![(json!({"type": "thing"}), "RH105"), (json!(5), "RH105")],
                ),
                ("schemaCheck", vec![(json!("maybe"), "RH003")]),
                ("start_timeout", vec![(json!("soon"), "RH003")]),
                unknown(),
            ],
        ),
        (
            "finish('w', '[$]')",
            &outcome,
            vec![
                ("id", vec![(json!("x"), "RH003"), (json!(null), "RH003")]),
                (
                    "token",
                    vec![
                        (json!("x"), "RH003"),
                        (json!([]), "RH003"),
                        (json!(null), "RH003"),
                        (json!(1.5), "RH003"),
                    ],
                ),
                ("resul", vec![(json!(1), "RH003")]),
                ("release", vec![(json!(true), "RH003")]),
                ("retry_in", vec![(json!("1s"), "RH003")]),
                (
                    "error",
                    vec![(json!({"name": "E", "message": "m"}), "RH003")],
                ),
            ],
        ),
        (
            "finish('w', '[$]')",
            &failure,
            vec![
                (
                    "error",
                    vec![(json!("E"), "RH005"), (json!({"name": "E"}), "RH005")],
                ),
                (
                    "retry_in",
                    vec![
                        (json!("soon"), "RH003"),
                        (json!("-1s"), "RH002"),
                        (json!({}), "RH003"),
                    ],
                ),
                (
                    "retryable",
                    vec![(json!("perhaps"), "RH003"), (json!(7), "RH003")],
                ),
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (call, item, keys) in cases {
        let call_with = |item: &Value| {
            let quoted = literal(&fill(&item.to_string()));
            let array = format!("'[' || {quoted} || ']'");
            format!(
                "select * from rhythm.{}",
                call.replace("'[$]'", &format!("({array})::jsonb"))
            )
        };
        if let Err(failure) = s.attempt(&format!("begin; {}", call_with(item))).await {
            wrong.push(format!("{call} with {item}: {failure:?}"));
        }
        s.run("rollback").await;
        for (key, values) in keys {
            for (value, code) in values {
                let mut item = item.clone();
                item[key] = value;
                wrong.extend(refusal(&s, &call_with(&item), code).await);
            }
        }
    }
    assert_none(&wrong);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_column_of_a_wrong_type_is_refused_by_enqueue_rows() {
    let database = Database::create().await;
    let s = database.session().await;
    let mut wrong = Vec::new();
    for (column, code) in [
        ("'{}'::jsonb as name", "RH003"),
        ("null::text as name", "RH001"),
        ("'a' as name, array['q'] as queue", "RH003"),
        ("'a' as name, '{}'::jsonb as task_id", "RH003"),
        ("'a' as name, 'high' as priority", "RH003"),
        ("'a' as name, 40000 as priority", "RH002"),
        ("'a' as name, 'soon' as delay", "RH003"),
        ("'a' as name, interval '-1s' as delay", "RH002"),
        ("'a' as name, 'soon' as run_at", "RH003"),
        ("'a' as name, timestamptz 'infinity' as run_at", "RH002"),
        ("'a' as name, 7 as retry", "RH004"),
        ("'a' as name, true as timeout", "RH003"),
        ("'a' as name, true as start_timeout", "RH003"),
        ("'a' as name, true as attempt_timeout", "RH003"),
        ("'a' as name, true as heartbeat_timeout", "RH003"),
        ("'a' as name, true as remember", "RH002"),
        ("'a' as name, true as result", "RH002"),
        ("'a' as name, repeat('x', 70000) as trace", "RH901"),
        ("'a' as name, 1 as kind", "RH003"),
        ("'a' as name, 1 as nam", "RH003"),
        ("1 as nam", "RH003"),
    ] {
        let call = format!(
            "select rhythm.enqueue_rows('select {}')",
            column.replace('\'', "''")
        );
        wrong.extend(refusal(&s, &call, code).await);
    }
    assert_none(&wrong);
    assert_eq!(s.number("select count(*) from rhythm.executions").await, 0);
}
