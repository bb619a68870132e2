//! What is too large is refused or cut, by name, and nothing that ran goes on for ever because of it.

use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_error_is_cut_and_says_so() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', retry => '{\"maxAttempts\": 2, \"initial\": 0, \"nonRetryable\": [\"Other\"]}')")
        .await;
    let error = "jsonb_build_object('name', 'E', 'code', 'C', 'message', repeat('m', 400000), 'stack', repeat('é', 300000),
        'data', jsonb_build_object('log', repeat('d', 200000)),
        'cause', jsonb_build_object('name', 'Inner', 'message', 'why', 'data', repeat('x', 100000)))";
    let task = s.claim_one().await;
    let fail = format!("select rhythm.fail('{id}', {}, {error})", task.token);
    assert_eq!(s.text(&fail).await, "pending");
    let task = s.claim_one().await;
    let finish = format!(
        "select rhythm.finish('w', jsonb_build_array(jsonb_build_object('id', '{id}', 'token', '{}', 'error', {error})))",
        task.token
    );
    s.run(&finish).await;
    let kept = s.failed(id).await;
    assert_eq!((&kept["name"], &kept["code"]), (&json!("E"), &json!("C")));
    assert_eq!(kept["cause"], json!({"name": "Inner", "message": "why"}));
    let cut = kept["data"]["cut"].as_str().expect("a note");
    assert!(cut.ends_with("bytes were cut off"), "{cut}");
    for (key, letter, more) in [("message", "m", 350_000), ("stack", "é", 250_000)] {
        let text = kept[key].as_str().expect("a text");
        assert!(text.starts_with(&letter.repeat(50_000)), "{key}");
        let note = format!("{letter}… ({more} more characters were cut off)");
        assert!(text.ends_with(&note), "{key}");
    }
    let largest = format!(
        "select max(pg_column_size(error)) < 400000 and count(*) = 2 from rhythm.attempts where id = '{id}'"
    );
    assert_eq!(s.text(&largest).await, "t");
    // What is short enough stays as it is.
    let other = s
        .id("select rhythm.enqueue('a', retry => '{\"maxAttempts\": 1}')")
        .await;
    let task = s.claim_one().await;
    let error = json!({"name": "E", "message": "m".repeat(100_000), "data": [1]});
    s.run(&format!(
        "select rhythm.fail('{other}', {}, '{error}')",
        task.token
    ))
    .await;
    assert_eq!(s.failed(other).await, error);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_too_large_fails_its_task_alone_and_its_workflow_hears_of_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "both",
        "const [big, small] = await Promise.all([Task.try('big'), Task.run('small')]);
         return [big.error.cause.name, small];",
    )
    .await;
    let id = s.start("both", "{}").await;
    let tasks = s.claim(2).await;
    let outcomes: Vec<_> = tasks
        .iter()
        .map(|task| {
            let result = if task.name == "big" {
                "to_jsonb(repeat('x', 67108865))"
            } else {
                "to_jsonb(1)"
            };
            format!(
                "jsonb_build_object('id', '{}', 'token', '{}', 'result', {result})",
                task.id, task.token
            )
        })
        .collect();
    s.run(&format!(
        "select count(*) from rhythm.finish('w', jsonb_build_array({}))",
        outcomes.join(", ")
    ))
    .await;
    assert_eq!(s.completed(id).await, json!(["ResultTooLarge", 1]));
    let big = tasks.iter().find(|task| task.name == "big").expect("it");
    let error = s.failed(big.id).await;
    assert_eq!(s.state(big.id).await, "failed", "it is not tried again");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("64 MB are the most")),
        "{error}"
    );

    // Who completes one by one is told, holds the lease, and can say what it was.
    s.run("select rhythm.enqueue('one')").await;
    let one = s.claim_one().await;
    let refused = s
        .fails(&format!(
            "select rhythm.complete('{}', {}, to_jsonb(repeat('x', 67108865)))",
            one.id, one.token
        ))
        .await;
    assert_eq!(refused.code, "RH901");
    assert_eq!(s.state(one.id).await, "running");
    assert_eq!(s.fail(&one, ", retryable => false").await, "failed");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_headers_and_no_data() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("nap", "await sleep('1h'); return 1").await;
    let trace = "jsonb_build_object('traceparent', repeat('0', 70000))";
    for call in [
        format!("select rhythm.enqueue('a', trace => {trace})"),
        format!("select rhythm.enqueue('a', priority => 1, trace => {trace})"),
        format!("select rhythm.start('nap', trace => {trace})"),
        format!(
            "select rhythm.enqueue_many(jsonb_build_array(jsonb_build_object('name', 'a', 'trace', {trace})))"
        ),
    ] {
        let refused = s.fails(&call).await;
        assert_eq!(refused.code, "RH901", "{call}");
        assert!(refused.message.contains("64 KB"), "{}", refused.message);
    }
}
