//! What the pages tell a newcomer to type, typed: README's quickstart, and the one of `docs/sql`.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use rhythm_tests::database::Database;
use rhythm_tests::installation::project;
use rhythm_tests::process;

/// The server of the pages.
const URL: &str = "postgresql://postgres@127.0.0.1:5433/rhythm";

/// The code blocks of a page that are in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project().join(page)).expect("the page is there");
    text.split(&format!("```{language}\n"))
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block.to_owned())
        .collect()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rhythm-{name}-{}", std::process::id()));
    process::remove_at_exit(folder.clone());
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    folder
}

/// What psql prints for a block, without stopping at mistakes: they would be in it.
async fn psql(database: &Database, block: &str) -> String {
    let file = folder("psql").join(format!("{}.sql", database.name()));
    std::fs::write(&file, block).expect("the folder is ours");
    let mut command = database.server().program("psql");
    command.args(["-X", "-d", database.name(), "-f"]).arg(&file);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("it does not panic")
        .expect("psql runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "", "psql complains");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_alone_deploys_starts_claims_completes_and_sees_the_result() {
    let database = Database::create().await;
    let said = psql(&database, &blocks("README.md", "sql")[0]).await;
    assert!(said.contains("compose {\"name\": \"Ada\"}"), "{said}");
    assert!(said.contains("completed | {"), "{said}");
    assert!(said.contains("\"greeting\": \"Hello, Ada!\""), "{said}");

    let said = psql(&database, &blocks("docs/sql/README.md", "sql")[0]).await;
    assert!(said.contains("completed | \"Hello, Ann!\""), "{said}");
    assert!(said.contains("task_created"), "{said}");

    let said = psql(&database, &blocks("docs/sql/README.md", "sql")[1]).await;
    assert!(said.contains("greeting | waiting"), "{said}");
    assert!(said.contains("  greet  | pending"), "{said}");
    let left = "select count(*) from rhythm.live where name in ('greeting', 'greet')";
    assert_eq!(database.session().await.text(left).await, "0");

    let block = &blocks("docs/sql/README.md", "sql")[2];
    let said = psql(&database, block).await;
    let expected: Vec<&str> = block
        .lines()
        .filter_map(|l| l.strip_prefix("-- → "))
        .collect();
    assert_eq!(expected.len(), 1);
    assert!(
        said.contains(expected[0]),
        "{} is not in:\n{said}",
        expected[0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_signals_work_in_psql_on_the_command_line_and_in_python() {
    let database = Database::create().await;
    let page = "docs/sql/signals.md";
    let block = blocks(page, "sql").concat();
    let said = psql(&database, &block).await;
    let expected = block.lines().filter_map(|line| line.strip_prefix("-- → "));
    for part in expected {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell
        .args(["-ec", &blocks(page, "sh")[0]])
        .env("RHYTHM_URL", database.url())
        .env(
            "PATH",
            format!("{}:{path}", project().join("target/release").display()),
        );
    let mut python = Command::new(project().join(".venv/bin/python"));
    python
        .args(["-c", &blocks(page, "python")[0]])
        .env("RHYTHM_URL", database.url());
    for (mut command, parts) in [
        (shell, ["{\"total\": 2}", "completed"]),
        (python, ["{'total': 8}", "'customer': 10"]),
    ] {
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("it does not panic")
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        for part in parts {
            assert!(said.contains(part), "{part} is not in:\n{said}{error}");
        }
    }
}

/// The commands of the page about running workers: a worker that serves until it is asked to leave, and what follows a failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_run_and_what_failed_is_looked_at_and_retried() {
    let database = Database::create().await;
    let s = database.session().await;
    let page = blocks("docs/workers/running.md", "sh");
    let folder = folder("running").join("shop");
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    std::fs::write(folder.join("tasks.py"), "import rhythm\n\n@rhythm.task\ndef charge(inputs):\n    raise rhythm.NonRetryable('gateway timeout')\n")
        .expect("the folder is ours");
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = project().join("target/release");
    let environment = project().join(".venv/bin");
    let shell = |line: &str| {
        let mut shell = Command::new("bash");
        shell
            .current_dir(folder.parent().expect("it is in one"))
            .args(["-ec", line])
            .env("RHYTHM_URL", database.url())
            .env(
                "PATH",
                format!("{}:{}:{path}", programs.display(), environment.display()),
            );
        shell
    };
    let serve = page[0].replace("postgresql://app@db/app", &format!("'{}'", database.url()));
    assert!(serve.contains(&database.url()), "{serve}");
    let mut worker = process::spawn(shell(&format!("exec {serve}")), Signal::SIGTERM);
    s.until("select exists (select from rhythm.workers where tasks = '{charge}' and queues = '{urgent,default}')")
        .await;
    let id = s
        .id("select rhythm.enqueue('charge', queue => 'urgent')")
        .await;
    s.becomes(id, "failed").await;
    process::signal(worker.id(), Signal::SIGTERM);
    assert!(worker.wait().expect("it is our child").success());
    let mut after =
        shell(&page[1].replace("0190a1b2-0000-7000-8000-000000000000", &id.to_string()));
    let output = tokio::task::spawn_blocking(move || after.output())
        .await
        .expect("it does not panic")
        .expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    for part in [
        "gateway timeout",
        "runs again",
        "0 tasks would run again",
        "0 tasks again",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}{error}");
    }
    assert_eq!(s.state(id).await, "pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pythons_part_follows_the_one_of_psql() {
    let database = Database::create().await;
    psql(&database, &blocks("README.md", "sql")[0]).await;
    let folder = folder("quickstart");
    let files = blocks("README.md", "python");
    for (name, text) in ["app.py", "hello.py"].into_iter().zip(&files) {
        let text = text.replace(URL, &database.url());
        std::fs::write(folder.join(name), text).expect("the folder is ours");
    }
    let python = || {
        let mut command = Command::new(project().join(".venv/bin/python"));
        command.current_dir(&folder);
        command
    };
    let mut worker = python();
    worker.args(["-m", "rhythm", "worker", "--url", &database.url(), "app"]);
    let mut worker = process::spawn(worker, Signal::SIGTERM);
    let mut hello = python();
    hello.arg("hello.py");
    let output = tokio::task::spawn_blocking(move || hello.output())
        .await
        .expect("it does not panic")
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("'greeting': 'Hello, Grace!'"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    process::signal(worker.id(), Signal::SIGTERM);
    assert!(worker.wait().expect("it is our child").success());
}
