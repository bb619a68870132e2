//! The examples of the pages about tasks and queues, in all their languages: from top to bottom, in one database, with one
//! session of psql, and with a worker in Python where the page has one. `-- → x` (in SQL) and `# → x` say what a block gives.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use rhythm_tests::database::Database;
use rhythm_tests::installation::project;
use rhythm_tests::process;

/// What the Python examples begin with, as the pages say.
const PRELUDE: &str = "import rhythm\n\nclient = rhythm.Client()\n";

/// A code block: what is behind its fence, and what is in it.
struct Block {
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
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

async fn run(page: &str) {
    let database = Database::create().await;
    let folder = std::env::temp_dir().join(format!(
        "rhythm-examples-{}-{}",
        std::process::id(),
        database.name()
    ));
    process::remove_at_exit(folder.clone());
    fs::create_dir_all(&folder).expect("the folder is ours");
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
    let programs = project().join("target/release");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut psql = database.server().program("psql");
    psql.args(["-X", "-d", database.name(), "-f"])
        .arg(&file)
        .env("RHYTHM_URL", database.url())
        .env("PATH", format!("{}:{path}", programs.display()));
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
        let mark = if block.language == "sql" {
            "-- → "
        } else {
            "# → "
        };
        let expected = block.text.lines().filter_map(|l| l.strip_prefix(mark));
        let mut lines = said.lines();
        let text = &block.text;
        // In this order, each in a line of its own.
        for expected in expected {
            if !lines.any(|line| line.contains(expected)) {
                wrong.push_str(&format!(
                    "`{expected}` is not what this gives:\n{text}\n{said}\n"
                ));
                break;
            }
        }
        if said.contains("THE EXAMPLE FAILED") {
            wrong.push_str(&format!("this fails:\n{text}\n{said}\n"));
        }
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
async fn running_tasks() {
    run("docs/sql/running-tasks.md").await;
}
