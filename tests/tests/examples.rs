//! The examples of the pages about tasks and queues, in all their languages: from top to bottom, in one database, with one
//! session of psql, and with a worker in Python where the page has one. `-- → x` (in SQL) and `# → x` say what a block gives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use rhythm_tests::database::Database;
use rhythm_tests::installation::project;
use rhythm_tests::process;

/// What the Python examples begin with, as the pages say.
const PRELUDE: &str = "import rhythm\n\nclient = rhythm.Client()\n";

/// A code block: what is behind its fence, and what is in it.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(project().join(page)).expect("the page is there");
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) if !inside => blocks.push(Block {
                language: language.to_owned(),
                text: String::new(),
            }),
            None if inside => {
                let block = blocks.last_mut().expect("its fence was read");
                block.text.push_str(line);
                block.text.push('\n');
            }
            _ => {}
        }
        inside ^= line.starts_with("```");
    }
    blocks
}

/// What psql is to read for a block; those of other languages are run by it at their place.
fn lines(block: &Block, at: usize, folder: &Path) -> String {
    let python = project().join(".venv/bin/python");
    let (file, text, run) = match block.language.as_str() {
        "sql" => return block.text.clone(),
        "python" => (
            folder.join(format!("{at}.py")),
            format!("{PRELUDE}{}", block.text),
            python.display().to_string(),
        ),
        "sh" => (
            folder.join(format!("{at}.sh")),
            block.text.clone(),
            "bash -e".to_owned(),
        ),
        // Not run, or run already.
        _ => return String::new(),
    };
    fs::write(&file, text).expect("the folder is ours");
    format!(
        "\\! {run} {} 2>&1 || echo THE EXAMPLE FAILED\n",
        file.display()
    )
}

/// Runs the blocks of a page in Python and for the shell alone, in a database in which its SQL has been run.
pub(crate) async fn run_clients(page: &str, database: &Database) {
    let folder = folder(database);
    for (at, block) in blocks(page).iter().enumerate() {
        if !matches!(block.language.as_str(), "python" | "sh") {
            continue;
        }
        // psql's way to run a file, without psql.
        let line = lines(block, at, &folder);
        let line = line.trim_start_matches("\\!").trim();
        let mut shell = Command::new("bash");
        shell.args(["-c", line]);
        environment(&mut shell, database);
        let output = tokio::task::spawn_blocking(move || shell.output())
            .await
            .expect("it does not panic")
            .expect("bash runs");
        let wrong = differs(block, &String::from_utf8_lossy(&output.stdout));
        assert!(wrong.is_empty(), "{page}:\n{wrong}");
    }
}

fn folder(database: &Database) -> PathBuf {
    let folder = std::env::temp_dir().join(format!(
        "rhythm-examples-{}-{}",
        std::process::id(),
        database.name()
    ));
    process::remove_at_exit(folder.clone());
    fs::create_dir_all(&folder).expect("the folder is ours");
    folder
}

fn environment(command: &mut Command, database: &Database) {
    let programs = project().join("target/release");
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("RHYTHM_URL", database.url())
        .env("PATH", format!("{}:{path}", programs.display()));
}

/// What a block has given and what it says that it gives: nothing where they agree.
pub(crate) fn differs(block: &Block, said: &str) -> String {
    let mark = if block.language == "sql" {
        "-- → "
    } else {
        "# → "
    };
    let text = &block.text;
    let mut lines = said.lines();
    let mut wrong = String::new();
    // In this order, each in a line of its own.
    for expected in text.lines().filter_map(|l| l.strip_prefix(mark)) {
        if !lines.any(|line| line.contains(expected)) {
            wrong = format!("`{expected}` is not what this gives:\n{text}\n{said}\n");
            break;
        }
    }
    if said.contains("THE EXAMPLE FAILED") {
        wrong.push_str(&format!("this fails:\n{text}\n{said}\n"));
    }
    wrong
}

async fn run(page: &str) {
    let database = Database::create().await;
    let folder = folder(&database);
    let blocks = blocks(page);
    let worker = blocks.iter().find(|b| b.language == "python worker");
    let worker = worker.map(|block| {
        fs::write(folder.join("app.py"), &block.text).expect("the folder is ours");
        let mut worker = Command::new(project().join(".venv/bin/python"));
        worker
            .current_dir(&folder)
            .args(["-m", "rhythm", "worker", "--quiet", "--name", "worker-1"])
            .args(["--url", &database.url(), "app"]);
        process::spawn(worker, Signal::SIGTERM)
    });
    let script: Vec<_> = blocks
        .iter()
        .enumerate()
        .map(|(at, block)| format!("{}\\echo END OF BLOCK\n", lines(block, at, &folder)))
        .collect();
    let file = folder.join("page.sql");
    fs::write(&file, script.concat()).expect("the folder is ours");
    let mut psql = database.server().program("psql");
    psql.args(["-X", "-d", database.name(), "-f"]).arg(&file);
    environment(&mut psql, &database);
    let output = tokio::task::spawn_blocking(move || psql.output())
        .await
        .expect("it does not panic")
        .expect("psql runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "", "psql complains");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Vec<&str> = said.split("END OF BLOCK").collect();
    assert_eq!(said.len(), blocks.len() + 1);
    let mut wrong = String::new();
    for (block, said) in blocks.iter().zip(said) {
        wrong.push_str(&differs(block, said));
    }
    assert!(wrong.is_empty(), "{page}:\n{wrong}");
    if let Some(mut worker) = worker {
        process::signal(worker.id(), Signal::SIGTERM);
        assert!(worker.wait().expect("it is our child").success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues() {
    run("docs/sql/queues.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules() {
    run("docs/sql/schedules.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups() {
    run("docs/sql/backups.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_tasks() {
    run("docs/sql/running-tasks.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs() {
    run("docs/sql/runs.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repair() {
    run("docs/sql/repair.md").await;
}
