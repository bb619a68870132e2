//! Limits are published, and a run that passes a quarter of one is marked once and counted, before it fails.

use rhythm_tests::clock::{advance, retain};
use rhythm_tests::database::Database;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_told_as_they_are_set() {
    let database = Database::create().await;
    let s = database.session().await;
    let most = |name: &str| {
        format!("select coalesce(most, -1) from rhythm.limits() where name = '{name}'")
    };
    assert_eq!(s.number(&most("rhythm.save_size")).await, 16 << 20);
    s.run("set rhythm.save_size = '2MB'; set rhythm.step_timeout = 0; set rhythm.step_fuel = 5000")
        .await;
    assert_eq!(s.number(&most("rhythm.save_size")).await, 2 << 20);
    assert_eq!(s.number(&most("rhythm.step_timeout")).await, -1, "none");
    assert_eq!(s.number(&most("rhythm.step_fuel")).await, 5000);
    let settings =
        "select count(*) from pg_settings p join rhythm.limits() l using (name) where l.setting";
    assert_eq!(s.number(settings).await, 6, "every setting that is a limit");
    assert_eq!(
        s.number("select count(*) from rhythm.limits() where near <> most / 4 or bounds = '' or most is not null and (near is null) <> (runs is null)")
            .await,
        0
    );
    s.run("reset rhythm.step_fuel; reset rhythm.save_size")
        .await;
    // What SQL itself compares, and what the library marks, are the same number.
    let value = s.number(&most("value_size")).await;
    let refused = s
        .fails(&format!(
            "select rhythm.enqueue('a', to_jsonb(repeat('x', {value})))"
        ))
        .await;
    assert_eq!(refused.code, "RH901", "{refused:?}");
    s.run(&format!(
        "begin; select rhythm.enqueue('a', to_jsonb(repeat('x', {value} - 100))); rollback"
    ))
    .await;
    let attributes = s.number(&most("attributes_size")).await;
    s.deploy(
        "publish",
        "Context.set('a', 'x'.repeat(Inputs - 'a'.length - 2)); return 1;",
    )
    .await;
    let id = s.start("publish", &(attributes + 1).to_string()).await;
    assert_eq!(s.failed(id).await["name"], "RangeError");
    let id = s.start("publish", &attributes.to_string()).await;
    assert_eq!(s.completed(id).await, json!(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_passes_a_quarter_of_a_limit_is_marked_once_and_counted() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "grow",
        "const all = [];
         for (let i = 0; ; i++) { all.push('x'.repeat(Inputs)); await Task.run('a', i); }",
    )
    .await;
    s.run("set rhythm.save_size = '64kB'").await;
    let large = s.start("grow", "9000").await;
    let small = s.start("grow", "10").await;
    let marks = "select count(*) from rhythm.near_limits";
    assert_eq!(s.number(marks).await, 0, "9 of 64 kB");
    s.work("1").await;
    assert_eq!(s.number(marks).await, 1, "18 are more than a quarter");
    for _ in 0..3 {
        s.work("1").await;
    }
    assert_eq!(s.number(marks).await, 1, "once");
    let mark = format!(
        "select to_jsonb(n) - 'at' - 'value' from rhythm.near_limits n where id = '{large}' and value between 16385 and 30000"
    );
    assert_eq!(
        s.json(&mark).await,
        json!({"id": large, "workflow": "grow", "name": "rhythm.save_size", "most": 65536})
    );
    let told = |id| {
        format!(
            "select count(*) from rhythm.timeline('{id}') where event = 'near_limit' and name = 'rhythm.save_size' and data ->> 'most' = '65536'"
        )
    };
    assert_eq!(s.number(&told(large)).await, 1);
    assert_eq!(s.number(&told(small)).await, 0);
    let counts = "select to_jsonb(c) - 'last_at' from rhythm.near_limit_counts c";
    assert_eq!(
        s.json(counts).await,
        json!({"workflow": "grow", "name": "rhythm.save_size", "runs": 1, "live": 1})
    );
    assert_eq!(
        s.number("select runs from rhythm.limits() where name = 'rhythm.save_size'")
            .await,
        1
    );
    for _ in 0..12 {
        s.work("1").await;
    }
    assert_eq!(s.failed(large).await["code"], "rhythm.save_size");
    assert_eq!(
        s.json(counts).await["live"],
        0,
        "it was told before it failed"
    );

    s.run(&format!("select rhythm.terminate('{small}')")).await;
    advance(&s, "60 days").await;
    retain(&s).await;
    assert_eq!(s.number("select count(*) from rhythm.limit_marks").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_that_marks_runs_does() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("set rhythm.step_timeout = '2s'; set rhythm.step_heap = '6MB'")
        .await;
    let cases = [
        ("rhythm.step_fuel", "let n = 0; while (n < 10000000) n++;"),
        (
            "rhythm.step_timeout",
            "await Sql.query('select 1 from pg_sleep(0.7)');",
        ),
        (
            "rhythm.step_heap",
            "const all = []; for (let i = 0; i < 50; i++) all.push('x'.repeat(50000) + i); await sleep(0); all.length;",
        ),
        ("attributes_size", "Context.set('a', 'x'.repeat(20000));"),
    ];
    for (name, body) in cases {
        s.deploy("one", &format!("{body} return 1;")).await;
        let id = s.start("one", "{}").await;
        s.becomes(id, "completed").await;
        let marks = s
            .json(&format!(
                "select jsonb_agg(name order by name) from rhythm.near_limits where id = '{id}'"
            ))
            .await;
        let marks: Vec<String> = serde_json::from_value(marks).unwrap_or_default();
        assert!(marks.iter().any(|one| one == name), "{name}: {marks:?}");
    }
    s.deploy("one", "await sleep(0); return 1;").await;
    let id = s.start("one", "{}").await;
    s.becomes(id, "completed").await;
    let none = format!("select count(*) from rhythm.near_limits where id = '{id}'");
    assert_eq!(s.number(&none).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_and_rows_of_a_quarter_mark_their_run() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "large",
        "const rows = await Sql.query(\"select repeat('x', 17000000) as a\");
         const given = await Task.run('a'); return rows[0].a.length + given.length;",
    )
    .await;
    s.run("set rhythm.step_heap = '512MB'; set rhythm.save_size = '512MB'; set rhythm.string_size = 100000")
        .await;
    let id = s.start("large", "{}").await;
    let task = s.claim_one().await;
    let result = format!("to_jsonb(repeat('y', {}))", 17_000_000);
    s.run(&format!(
        "select rhythm.complete('{}', {}, {result})",
        task.id, task.token
    ))
    .await;
    assert_eq!(s.completed(id).await, json!(34_000_000));
    let names = s
        .json(&format!(
            "select jsonb_agg(name order by name) from rhythm.near_limits where id = '{id}' and name !~ '^rhythm'"
        ))
        .await;
    assert_eq!(names, json!(["rows_size", "value_size"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_many_signals_is_marked() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("wait", "await Signal.next('never');").await;
    let id = s.start("wait", "{}").await;
    s.run(&format!(
        "insert into rhythm.signals (execution_id, name, payload, at) select '{id}', 'a', 'null', now() from generate_series(1, 2500)"
    ))
    .await;
    assert_eq!(
        s.text(&format!("select rhythm._has_most_signals('{id}')"))
            .await,
        "f"
    );
    let marks = "select coalesce(jsonb_agg(to_jsonb(n) -> 'name'), '[]') from rhythm.near_limits n";
    assert_eq!(s.json(marks).await, json!([]));
    s.run(&format!("select rhythm.signal('{id}', 'a')")).await;
    for _ in 0..2 {
        s.run(&format!("select rhythm._has_most_signals('{id}')"))
            .await;
    }
    assert_eq!(s.json(marks).await, json!(["signals"]));
    let state: Value = s
        .json("select to_jsonb(most) from rhythm.near_limits")
        .await;
    assert_eq!(state, json!(10_000));
}
