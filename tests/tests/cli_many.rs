//! The command line: many lines at once, pages of lists, and words that people guess.

use rhythm_tests::database::Database;
use rhythm_tests::process;
use serde_json::{Value, json};

use crate::cli::{json_of, rhythm, says};

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_enqueued_from_lines_listed_in_pages_and_cleaned_up() {
    let database = Database::create().await;
    let s = database.session().await;
    let folder = std::env::temp_dir().join(format!("rhythm-lines-{}", std::process::id()));
    process::remove_at_exit(folder.clone());
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    let file = folder.join("jobs.jsonl");
    let path = file.to_str().expect("it is text");
    let line = |n: u32| format!(r#"{{"name": "thumb", "inputs": {n}, "task_id": "t{n}"}}"#);
    let lines: Vec<_> = (0..5).map(line).collect();
    // Empty lines are nothing, and the last line may lack its end.
    std::fs::write(&file, lines.join("\n\n")).expect("the folder is ours");
    let many = ["enqueue-many", path, "--batch", "2"];
    assert_eq!(says(&database, &many).await, "5 enqueued");
    assert_eq!(
        says(&database, &many).await,
        "0 enqueued, 5 were there already"
    );
    let told = json_of(&database, &[&many[..], &["--ids"]].concat()).await;
    assert_eq!(told["existing"], 5);
    assert_eq!(told["ids"].as_array().map(Vec::len), Some(5));

    // The batch that is wrong is not enqueued, the one before is, and both are said.
    let broken = [line(10), line(11), line(12), r#"{"nam": 1}"#.to_owned()];
    std::fs::write(&file, broken.join("\n")).expect("the folder is ours");
    let (code, _, error) = rhythm(&database, &many).await;
    assert_eq!(code, Some(1));
    for part in [
        "item 1",
        "Item 0 is from line 3.",
        "Lines 1 to 2 are enqueued.",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    std::fs::write(&file, "{\"name\": \"a\"}\n[1]\n").expect("the folder is ours");
    let (code, _, error) = rhythm(&database, &["enqueue-many", path]).await;
    assert!(
        code == Some(1)
            && error.contains("line 2 is no JSON object")
            && error.contains("Nothing is enqueued."),
        "{error}"
    );
    assert_eq!(
        s.number("select count(*) from rhythm.executions").await,
        7,
        "nothing of a wrong batch is there"
    );

    let later = says(
        &database,
        &[
            "enqueue",
            "later",
            "--run-at",
            "2100-01-01T06:00Z",
            "--trace",
            r#"{"traceId": "abc"}"#,
        ],
    )
    .await;
    let shown = json_of(&database, &["show", &later]).await;
    assert_eq!(shown["execution"]["state"], "scheduled");
    assert_eq!(shown["execution"]["trace_id"], "abc");
    assert_eq!(shown["execution"]["run_at"], "2100-01-01T06:00:00.000000Z");
    s.deploy("nap", "return 1;").await;
    says(
        &database,
        &["start", "nap", "--run-at", "2100-01-01", "--trace", "{}"],
    )
    .await;

    // Pages put together are the whole list.
    let ids = |list: &Value| -> Vec<String> {
        let rows = list.as_array().expect("a list").iter();
        rows.map(|row| row["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let whole = ids(&json_of(&database, &["list"]).await);
    let mut paged = ids(&json_of(&database, &["ls", "--limit", "4"]).await);
    while let Some(last) = paged.last().cloned() {
        let page = json_of(&database, &["list", "--limit", "4", "--after", &last]).await;
        if ids(&page).is_empty() {
            break;
        }
        paged.extend(ids(&page));
    }
    assert_eq!(paged, whole);
    assert_eq!(whole.len(), 9);
    for (filter, count) in [
        (&["--state", "scheduled,completed"][..], 2),
        (&["--task-id", "t3"], 1),
        (&["--since", "1h", "--name", "thumb"], 7),
        (&["--until", "1h"], 0),
    ] {
        let found = json_of(&database, &[&["list"], filter].concat()).await;
        assert_eq!(ids(&found).len(), count, "{filter:?}");
    }
    let nobody = rhythm(&database, &["list", "--after", NOBODY]).await;
    assert!(nobody.0 == Some(1) && nobody.2.contains(NOBODY));

    for task in s.claim_with("'w', max => 4").await {
        assert!(s.complete(&task, "1").await);
    }
    let cleanup = ["cleanup", "--older-than", "0", "--status", "completed"];
    assert_eq!(
        says(&database, &[&cleanup[..], &["--dry-run"]].concat()).await,
        "4 executions would be deleted"
    );
    let none = [&cleanup[..], &["--queue", "elsewhere"]].concat();
    assert_eq!(says(&database, &none).await, "0 executions deleted");
    let one = [&cleanup[..], &["--max", "1"]].concat();
    assert_eq!(says(&database, &one).await, "1 execution deleted");
    assert_eq!(
        json_of(&database, &cleanup).await,
        json!({"count": 3, "dry_run": false})
    );
    assert_eq!(s.number("select count(*) from rhythm.executions").await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_people_guess_are_understood() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        r#"select rhythm.register('w1', '[{"name": "mail", "queue": "out", "startTimeout": "1h",
          "attemptTimeout": "90s", "timeout": "2h", "result": "discard"}, {"name": "charge"}]')"#,
    )
    .await;
    let listed = says(&database, &["tasks"]).await;
    let again = says(&database, &["task", "list"]).await;
    assert_eq!(again.lines().count(), listed.lines().count());
    for part in ["mail", "charge", "1 h", "discard"] {
        assert!(listed.contains(part), "{part} is not in:\n{listed}");
    }
    let one = says(&database, &["task", "show", "mail"]).await;
    let found = says(&database, &["tasks", "mai"]).await;
    assert_eq!(found.lines().count(), one.lines().count());
    for part in ["start timeout", "attempt timeout", "out", "w1"] {
        assert!(one.contains(part), "{part} is not in:\n{one}");
    }
    let shown = json_of(&database, &["task", "show", "mail"]).await;
    assert_eq!(
        (
            &shown["start_timeout"],
            &shown["attempt_timeout"],
            &shown["result"]
        ),
        (&json!(3600.0), &json!(90.0), &json!("discard"))
    );
    let (code, _, error) = rhythm(&database, &["task", "show", "mai"]).await;
    assert!(code == Some(1) && error.contains("mai"), "{error}");

    let what = "select coalesce(string_agg(what || ':' || name || ':' || reason, ' ' order by what), '') from rhythm.pauses";
    says(&database, &["pause", "--queue", "out", "--reason", "a"]).await;
    says(&database, &["task", "pause", "mail", "--reason", "b"]).await;
    assert_eq!(s.text(what).await, "queue:out:a task:mail:b");
    says(&database, &["resume", "--queue", "out"]).await;
    says(&database, &["task", "resume", "mail"]).await;
    assert_eq!(s.text(what).await, "");
    for (plural, verb) in [
        ("queues", "queue"),
        ("workers", "worker"),
        ("schedules", "schedule"),
        ("calendars", "calendar"),
    ] {
        let listed = json_of(&database, &[plural]).await;
        let same = json_of(&database, &[verb, "list"]).await;
        // What was seen last may differ by a moment.
        assert_eq!(
            listed.as_array().map(Vec::len),
            same.as_array().map(Vec::len),
            "{verb}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_takes_folders_with_all_below_them() {
    let database = Database::create().await;
    let folder = std::env::temp_dir().join(format!("rhythm-deploy-{}", std::process::id()));
    process::remove_at_exit(folder.clone());
    for (at, source) in [
        ("order.flow", "return 1;"),
        ("billing/invoice.flow", "return 2;"),
        ("billing/invoice.test.flow", "test('a', () => {});"),
        ("billing/node_modules/theirs.flow", "return 0;"),
        (".hidden/secret.flow", "return 0;"),
        ("target/built.flow", "return 0;"),
        ("drafts/idea.flow", "return 0;"),
    ] {
        let path = folder.join(at);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("the folder is ours");
        std::fs::write(path, source).expect("the folder is ours");
    }
    let all = folder.to_str().expect("it is text");
    let said = says(&database, &["deploy", all, "--exclude", "drafts/"]).await;
    assert_eq!(said, "invoice is version 1\norder is version 1");
    // Two files of one name: nothing is deployed.
    std::fs::write(folder.join("drafts/order.flow"), "return 3;").expect("the folder is ours");
    let (code, _, error) = rhythm(&database, &["deploy", all]).await;
    assert_eq!(code, Some(1), "{error}");
    assert!(
        error.contains("order.flow are all called order") && error.contains("--exclude"),
        "{error}"
    );
    let s = database.session().await;
    assert_eq!(
        s.text("select string_agg(name || version, ' ' order by name) from rhythm.workflows")
            .await,
        "invoice1 order1"
    );
    let (code, _, error) = rhythm(&database, &["deploy", all, "--name", "x"]).await;
    assert_eq!(code, Some(2), "{error}");
    let empty = folder.join(".hidden/none");
    std::fs::create_dir_all(&empty).expect("the folder is ours");
    let (code, _, error) =
        rhythm(&database, &["deploy", empty.to_str().expect("it is text")]).await;
    assert!(
        code == Some(1) && error.contains("no .flow file in"),
        "{error}"
    );
}
