//! What is set of a queue can be read back, and set again as it was read.

use rhythm_tests::database::Database;
use serde_json::json;

/// The arguments of `configure_queue` that set what `show_queue` says of this queue.
const AS_SHOWN: &str = "select string_agg(format('%I => %L', setting, value), ', ')
    from rhythm.show_queue('q') where not is_default";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_show_queue_gives_is_what_configure_queue_takes() {
    let database = Database::create().await;
    let s = database.session().await;
    let everything = [
        r#"retry => '{"maxAttempts": 7, "initial": 1, "max": "50m", "backoff": 1.5, "jitter": true}'"#,
        r#"retry => '{"initial": "0s", "max": "36h", "backoff": "linear", "jitter": 0, "nonRetryable": ["E1", "5"]}'"#,
        r#"retry => '{"delays": ["250ms", 0.0005, 90.25, "1d2h3m4s5ms", 0], "maxAttempts": 9}'"#,
        "paused => true, retention => 'forever', remember => '0', priority => -3, result => 'keep'",
        "rate_limit => '7/min', rate_burst => 3, rate_key => 'a.b', concurrency => 5, concurrency_key => 'c',
         concurrency_per_key => 2",
        "timeout => '1 month 90 seconds', start_timeout => '0', attempt_timeout => '1 minute 0.5 seconds',
         heartbeat_timeout => '2 days', retention => '1 hour', remember => 'forever', result => 'discard'",
    ];
    let stored = "select to_jsonb(q) - 'paused_at' from rhythm.queue_settings q where name = 'q'";
    for arguments in everything {
        s.run(&format!("select rhythm.configure_queue('q', {arguments})"))
            .await;
        let before = s.json(stored).await;
        let shown = s.text(AS_SHOWN).await;
        s.run("delete from rhythm.queue_settings where name = 'q'")
            .await;
        s.run(&format!("select rhythm.configure_queue('q', {shown})"))
            .await;
        assert_eq!(s.json(stored).await, before, "{shown}");
        assert_eq!(s.text(AS_SHOWN).await, shown);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn durations_of_a_retry_are_shown_as_they_are_written() {
    let database = Database::create().await;
    let s = database.session().await;
    let retry =
        r#"{"initial": 1, "max": "50m", "delays": ["1s", 90, "1h30m", 0.25, "0.5ms", 0, "7d"]}"#;
    s.run(&format!(
        "select rhythm.configure_queue('q', retry => '{retry}')"
    ))
    .await;
    let shown = "select value from rhythm.show_queue('q') where setting = 'retry'";
    assert_eq!(
        s.json(shown).await,
        json!({"initial": "1s", "max": "50m", "delays": ["1s", "1m30s", "1h30m", "250ms", "0.5ms", "0s", "7d"]})
    );
    // What holds where nothing is set can be set, too.
    s.run("select rhythm.configure_queue('q', reset => '{retry}')")
        .await;
    let default = s.text(shown).await;
    s.run(&format!(
        "select rhythm.configure_queue('q', retry => '{default}')"
    ))
    .await;
    assert_eq!(
        s.json(shown).await,
        serde_json::from_str::<serde_json::Value>(&default).expect("JSON")
    );
}
