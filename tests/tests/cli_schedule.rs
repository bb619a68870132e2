//! `rhythm schedule` and `rhythm calendar` against a server.

use rhythm_tests::database::Database;
use serde_json::json;

use crate::cli::{json_of, rhythm, says};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_are_set_shown_and_deleted() {
    let database = Database::create().await;
    let calendar =
        async |arguments: &[&str]| says(&database, &[&["calendar"], arguments].concat()).await;
    assert_eq!(calendar(&["list"]).await, "none");
    let during = "2030-12-20T18:00Z/2031-01-02T06:00Z";
    let set = [
        "set",
        "holidays",
        "--day",
        "2030-12-25,2030-12-26",
        "--day",
        "2030-05-01",
        "--weekday",
        "sun",
        "--during",
        during,
    ];
    assert_eq!(calendar(&set).await, "holidays is set");
    says(
        &database,
        &[
            "schedule",
            "set",
            "s",
            "--every",
            "1h",
            "--task",
            "job",
            "--exclude",
            "holidays",
        ],
    )
    .await;
    assert_eq!(
        json_of(&database, &["calendar", "show", "holidays"]).await,
        json!({
            "name": "holidays",
            "days": ["2030-05-01", "2030-12-25", "2030-12-26"],
            "weekdays": ["sun"],
            "during": [{"from": "2030-12-20T18:00:00.000000Z", "to": "2031-01-02T06:00:00.000000Z"}],
            "schedules": ["s"],
        })
    );
    let shown = calendar(&["show", "holidays"]).await;
    for part in [
        "2030-05-01, 2030-12-25",
        "sun",
        "2030-12-20 18:00",
        "to 2031-01-02 06:00",
        " s",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    let table = calendar(&["list"]).await;
    assert!(
        table.contains("holidays") && table.contains("sun"),
        "{table}"
    );
    // Replaced as a whole.
    calendar(&["set", "holidays", "--weekday", "sat"]).await;
    let s = database.session().await;
    s.run("select rhythm.set_calendar('open', during => '{[2030-01-01 00:00Z,)}')")
        .await;
    let all = json_of(&database, &["calendar", "list"]).await;
    assert_eq!(all[0]["weekdays"], json!(["sat"]));
    assert_eq!(all[0]["days"], json!([]));
    assert_eq!(all[1]["during"][0]["to"], json!(null));
    assert!(calendar(&["show", "open"]).await.contains("to for ever"));
    for wrong in [
        &["delete", "holidays"][..],
        &["delete", "nowhere"],
        &["show", "nowhere"],
        &["set", "x", "--weekday", "someday"],
    ] {
        let (code, _, stderr) = rhythm(&database, &[&["calendar"], wrong].concat()).await;
        assert!(
            code == Some(1) && stderr.contains("int: "),
            "{wrong:?}: {code:?} {stderr}"
        );
    }
    for wrong in [
        &["set", "x", "--day", "soon"][..],
        &["set", "x", "--during", "2030-12-20"],
        &["set", "x", "--during", "2030-12-20/2030-12-19"],
    ] {
        assert_eq!(
            rhythm(&database, &[&["calendar"], wrong].concat()).await.0,
            Some(2),
            "{wrong:?}"
        );
    }
    assert_eq!(calendar(&["delete", "open"]).await, "open is deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_are_set_shown_and_driven() {
    let database = Database::create().await;
    let schedule =
        async |arguments: &[&str]| says(&database, &[&["schedule"], arguments].concat()).await;
    assert_eq!(schedule(&["list"]).await, "none");
    let set = [
        "set",
        "s",
        "--every",
        "1h",
        "--task",
        "job",
        "{\"n\": 1}",
        "--overlap",
        "queue_one",
        "--start-timeout",
        "1d",
        "--attempt-timeout",
        "1h",
        "--heartbeat-timeout",
        "30s",
        "--priority",
        "-2",
        "--remember",
        "30 days",
        "--result",
        "discard",
    ];
    let said = schedule(&set).await;
    assert!(said.starts_with("s starts next 20"), "{said}");
    assert_eq!(schedule(&set).await, said, "the same again");
    let timeouts = "select concat_ws(' ', start_timeout, attempt_timeout, heartbeat_timeout) from rhythm.schedules";
    assert_eq!(
        database.session().await.text(timeouts).await,
        "24:00:00 01:00:00 00:00:30"
    );
    let id = schedule(&["trigger", "s"]).await;
    assert_eq!(
        schedule(&["trigger", "s"]).await,
        "s runs: its overlap policy skips or holds another"
    );
    assert_ne!(schedule(&["trigger", "s", "--overlap", "allow"]).await, id);
    assert_eq!(
        schedule(&["pause", "s", "--reason", "why not"]).await,
        "s is paused"
    );
    let listed = json_of(&database, &["schedule", "list"]).await;
    assert_eq!(
        (&listed[0]["running"], &listed[0]["held"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(listed[0]["inputs"], json!({"n": 1}));
    for (key, value) in [
        ("priority", json!(-2)),
        ("remember", json!("30 days")),
        ("result", json!("discard")),
        ("start_timeout", json!(86400.0)),
        ("attempt_timeout", json!(3600.0)),
        ("heartbeat_timeout", json!(30.0)),
        ("timeout", json!(null)),
        ("retry", json!(null)),
        ("catch_up", json!(86400.0)),
        ("jitter", json!(0.0)),
        ("starts_at", json!(null)),
    ] {
        assert_eq!(listed[0][key], value, "{key}");
    }
    let shown = schedule(&["show", "s"]).await;
    for part in [
        "task job",
        "every 01:00:00 (UTC)",
        ": why not",
        "2 started, 0 skipped",
        "pending",
        "heartbeat timeout  30.0 s",
        "start timeout      1 d 0 h",
        "priority           -2",
        "remember           30 days",
        "result             discard",
        "catch up           1 d 0 h",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    let table = schedule(&["list"]).await;
    assert!(table.contains("paused"), "{table}");
    assert_eq!(schedule(&["resume", "s"]).await, "s goes on");
    assert_eq!(
        schedule(&["backfill", "s", "--since", "2h30m", "--overlap", "allow"]).await,
        "s: 3 to start"
    );
    let next = [
        "next",
        "--cron",
        "30 2 * * *",
        "--time-zone",
        "Europe/Berlin",
        "--since",
        "2026-03-28T12:00Z",
        "--count",
        "2",
    ];
    assert_eq!(
        schedule(&next).await,
        "2026-03-29 01:00:00.000 UTC\n2026-03-30 00:30:00.000 UTC"
    );
    assert_eq!(
        json_of(&database, &["schedule", "next", "s"])
            .await
            .as_array()
            .map(Vec::len),
        Some(5)
    );
    assert_eq!(schedule(&["delete", "s"]).await, "s is deleted");
    for wrong in [
        &["delete", "s"][..],
        &["show", "s"],
        &["trigger", "s"],
        &["set", "s", "--cron", "soon", "--task", "a"],
    ] {
        let (code, _, stderr) = rhythm(&database, &[&["schedule"], wrong].concat()).await;
        assert!(
            code == Some(1) && stderr.contains("int: "),
            "{wrong:?}: {code:?} {stderr}"
        );
    }
    for wrong in [
        &["set", "s", "--task", "a"][..],
        &["set", "s", "--every", "soon", "--task", "a"],
        &["backfill", "s", "--since", "soon"],
    ] {
        assert_eq!(
            rhythm(&database, &[&["schedule"], wrong].concat()).await.0,
            Some(2),
            "{wrong:?}"
        );
    }
}
