//! The recipes on a server, with their workers: what their pages tell people to type, and what they say survives a kill.
//! What was done outside is counted.

mod agent;
mod approval;
mod batch_import;
mod polling;
mod saga;
mod scheduled_report;
mod sql_pipeline;

use std::process::Command;

use rhythm_tests::clock;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::installation::Installation;
use rhythm_tests::recipe::{Held, Recipe};
use rhythm_tests::worker::Worker;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::examples::{blocks, differs};

/// The server of the pages.
const URL: &str = "postgresql://postgres@127.0.0.1:5433/rhythm";

/// Types what stands below "Run it", in a folder that looks like the project's, and compares what it says.
async fn type_in(page: &str, database: &Database) {
    let recipe = Recipe::copy(page);
    let blocks = blocks(&format!("docs/recipes/{page}.md"));
    let mut typed = blocks.iter().filter(|block| block.language == "sh");
    let block = typed.next().expect("there is something to type");
    assert!(typed.next().is_none(), "one block is typed");
    assert!(block.text.contains(URL), "{}", block.text);
    let text = block.text.replace(URL, &database.url());
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = Installation::get().bin.display();
    let mut shell = Command::new("bash");
    shell
        .args(["-e", "-o", "pipefail", "-c", &text])
        .current_dir(recipe.root())
        .env("PATH", format!("{bin}:{path}"));
    let output = tokio::task::spawn_blocking(move || shell.output())
        .await
        .expect("it does not panic")
        .expect("bash is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    let wrong = differs(block, &said);
    assert!(wrong.is_empty(), "{wrong}{error}");
}

async fn until_running(s: &Session, task: &str, count: usize) {
    s.until(&format!(
        "select count(*) = {count} from rhythm.executions where name = '{task}' and state = 'running'"
    ))
    .await;
}

/// Kills a worker in the worst moment: what its tasks do outside is done, and the server has not heard of it. The tasks are
/// running, and wait for the file that is held; `count` counts what they have done, and is `done` in the end.
async fn kill_in_the_worst_moment(
    database: &Database,
    recipe: &Recipe,
    worker: &mut Worker,
    held: Held,
    count: &str,
    done: i64,
) {
    let (s, blocker) = (database.session().await, database.session().await);
    // The outcome waits for the row, and so is never committed.
    blocker
        .run("begin; select from rhythm.live where kind = 'task' and state = 'running' for update")
        .await;
    drop(held);
    recipe.until(count, &json!([[done]])).await;
    worker.kill();
    let its = "from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
                 and application_name <> 'rhythm-tests'";
    // A backend that waits for a lock does not see that nobody listens any more.
    s.run(&format!("select pg_terminate_backend(pid) {its}"))
        .await;
    s.until(&format!("select count(*) = 0 {its}")).await;
    blocker.run("rollback").await;
}

/// Lets the leases of a killed worker end.
async fn end_leases(s: &Session) {
    clock::advance(s, "2 minutes").await;
}

async fn attempts(s: &Session, task: &str) -> i64 {
    s.number(&format!(
        "select max(attempt) from rhythm.executions where name = '{task}'"
    ))
    .await
}

async fn attributes(s: &Session, id: Uuid) -> Value {
    s.json(&format!("select rhythm.attributes('{id}')")).await
}
