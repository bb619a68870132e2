//! What the server says beside its answer reaches whoever called: through the observers of the client and of a worker, and on
//! the command's stderr. Python's logger has its tests beside it.

use std::sync::{Arc, Mutex};

use rhythm_client::worker::{
    SESSIONS, TaskContext, TaskFailure, TaskOptions, Worker, WorkerEvent, WorkerOptions,
};
use rhythm_client::{Client, Config, EnqueueOptions, Notice};
use rhythm_tests::database::Database;
use serde_json::json;

use crate::cli::{rhythm, says};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_observer_is_told_before_the_call_returns_and_of_that_call_alone() {
    let database = Database::create().await;
    let said: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = Arc::clone(&said);
    let client = Client::connect(Some(&database.url()))
        .await
        .expect("the server is there")
        .observe(move |notice| heard.lock().expect("no panic").push(notice.clone()));
    let taken = || std::mem::take(&mut *said.lock().expect("no panic"));
    let options = EnqueueOptions {
        task_id: Some("k".into()),
        ..EnqueueOptions::default()
    };
    let first = client.enqueue("a", "1", &options).await.expect("it works");
    assert_eq!(taken(), []);
    let again = client.enqueue("a", "2", &options).await.expect("it works");
    assert_eq!(again, first);
    let told = taken();
    let [notice] = told.as_slice() else {
        panic!("one notice, not {told:?}");
    };
    assert!(
        notice.is_warning() && notice.severity == "NOTICE",
        "{notice:?}"
    );
    assert!(
        notice.message.contains("which has other inputs")
            && notice.message.contains(&first.to_string()),
        "{notice:?}"
    );
    assert!(
        notice.to_string().contains("\nHint: That one is returned"),
        "{notice}"
    );
    // The same session, and what it said before is not said again.
    client.enqueue("a", "1", &options).await.expect("it works");
    assert_eq!(taken(), []);
    // What a query says for each of its rows has an end, and that it goes well.
    database
        .session()
        .await
        .run("create function loud(n int) returns text language plpgsql as $$ begin raise info 'row %', n; return 'a'; end $$")
        .await;
    let rows = "select loud(n) as name from generate_series(1, 1000) n";
    assert_eq!(client.enqueue_rows(rows).await.expect("it works"), 1000);
    let told = taken();
    assert_eq!(told.len(), 100);
    assert!(told.iter().all(|notice| !notice.is_warning()));
    // An error does not swallow what was said before it.
    let wrong = "select loud(n) as name, case n when 2 then 40000 end as priority from generate_series(1, 2) n";
    client
        .enqueue_rows(wrong)
        .await
        .expect_err("a priority of 40000");
    assert_eq!(taken().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_observer_of_a_worker_is_told_what_the_steps_say_that_its_outcomes_take() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create function loud() returns int language plpgsql as $$ begin raise warning 'look out' using hint = 'Duck.'; return 1; end $$")
        .await;
    s.deploy(
        "asks",
        "await Task.run('a'); return (await Sql.query('select public.loud() as n'))[0].n;",
    )
    .await;
    let config = Config::from_url_and_environment(Some(&database.url())).expect("a URL");
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&said);
    let worker = Worker::new(Client::new(config, SESSIONS), WorkerOptions::default())
        .expect("the options are good")
        .task(
            "a",
            TaskOptions::default(),
            |_: TaskContext, _: String| async move { Ok::<_, TaskFailure>("1".to_owned()) },
        )
        .observe(move |event| {
            if let WorkerEvent::Said(notice) = event {
                assert!(notice.severity == "WARNING" && notice.is_warning());
                heard.lock().expect("no panic").push(event.to_string());
            }
        });
    let handle = worker.handle();
    let serving = tokio::spawn(worker.run());
    let id = s.start("asks", "{}").await;
    assert_eq!(s.completed(id).await, json!(1));
    handle.drain();
    serving
        .await
        .expect("it does not panic")
        .expect("it leaves in good order");
    assert_eq!(
        *said.lock().expect("no panic"),
        ["the server says: look out\nHint: Duck."]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_warnings_to_stderr_and_nothing_twice() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = says(&database, &["enqueue", "a", "1", "--task-id", "k"]).await;
    for (arguments, stdout) in [
        (&["enqueue", "a", "2", "--task-id", "k"][..], id.as_str()),
        (
            &["--json", "enqueue", "a", "2", "--task-id", "k"],
            "{\n  \"id\"",
        ),
    ] {
        let (code, out, error) = rhythm(&database, arguments).await;
        assert!(code == Some(0) && out.starts_with(stdout), "{out}");
        assert!(
            error.starts_with("warning: task_id 'k' is held by execution")
                && error.contains("Hint: That one is returned"),
            "{error}"
        );
    }
    s.run(r#"select rhythm.register('w', '[{"name": "b", "inputSchema": {"type": "object"}, "schemaCheck": "warn"}]')"#)
        .await;
    let (code, _, error) = rhythm(&database, &["enqueue", "b", "1"]).await;
    assert!(
        code == Some(0) && error.contains("do not fit task \"b\""),
        "{error}"
    );
    // Rounds of a cleanup are its own business, and it says at its end how many have gone.
    let (code, out, error) =
        rhythm(&database, &["cleanup", "--older-than", "0", "--dry-run"]).await;
    assert_eq!(
        (code, out.as_str(), error.as_str()),
        (Some(0), "0 executions would be deleted", "")
    );

    let folder = std::env::temp_dir().join(format!("rhythm-notice-{}", std::process::id()));
    rhythm_tests::process::remove_at_exit(folder.clone());
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    let file = folder.join("loud.flow");
    std::fs::write(&file, "const unused = 1; return Sql.query('select 1');")
        .expect("the folder is ours");
    let (code, out, error) = rhythm(&database, &["deploy", file.to_str().expect("text")]).await;
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "loud is version 1"),
        "{error}"
    );
    assert_eq!(error.matches("W0101").count(), 1, "{error}");
    assert!(
        error.contains("warning: workflow \"loud\" runs its SQL as the superuser"),
        "{error}"
    );
    assert!(!error.contains("has warnings"), "{error}");
}
