//! The import: no more at a time than it is told, and each row once.

use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::recipe::Recipe;
use serde_json::json;

use super::{end_leases, kill_in_the_worst_moment, type_in, until_running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_page_says_is_typed() {
    type_in("batch-import", &Database::create().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_runs_two_at_a_time_and_imports_each_row_once_though_its_worker_is_killed() {
    let database = Database::create().await;
    let s = database.session().await;
    let recipe = Recipe::copy("batch-import");
    recipe.deploy(&s, "import_people").await;
    let held = recipe.hold();
    let mut worker = recipe.worker(&database);
    let run = s
        .start("import_people", r#"{"file": "people.csv", "width": 2}"#)
        .await;
    until_running(&s, "import_chunk", 2).await;
    let begun = "select count(*) from rhythm.executions where name = 'import_chunk'";
    assert_eq!(s.number(begun).await, 2, "no more than its width");
    // One of the first twenty has no proper address.
    let people = "select count(*) from person";
    kill_in_the_worst_moment(&database, &recipe, &mut worker, held, people, 19).await;
    assert_eq!(s.number(begun).await, 2);
    let _worker = recipe.worker(&database);
    end_leases(&s).await;
    assert_eq!(
        s.completed(run).await,
        json!({"imported": 58, "rejected": ["17", "42"], "failed": []})
    );
    assert_eq!(s.number(begun).await, 6);
    let twice =
        "select count(*) from rhythm.executions where name = 'import_chunk' and attempt = 2";
    assert_eq!(s.number(twice).await, 2);
    let people = recipe.outside("select count(*), count(distinct mail) from person");
    assert_eq!(people, json!([[58, 58]]));
    let progress = s.json(&format!("select rhythm.attributes('{run}')")).await;
    assert_eq!(progress["progress"], json!({"done": 6, "of": 6}));
    nothing_is_left(&s).await;
}
