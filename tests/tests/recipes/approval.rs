//! The approval: days pass, and its server is killed.

use rhythm_tests::clock;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::recipe::Recipe;
use rhythm_tests::server::Setup;
use serde_json::json;

use super::type_in;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_page_says_is_typed() {
    type_in("approval", &Database::create().await).await;
}

async fn until_asked(s: &Session, count: usize) {
    s.until(&format!(
        "select count(*) = {count} from rhythm.executions where name = 'ask' and state = 'completed'"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_goes_on_over_days_and_over_a_server_that_is_killed() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    let recipe = Recipe::copy("approval");
    recipe.deploy(&s, "expense").await;
    let _worker = recipe.worker(&database);
    let inputs = r#"{"expense": "chair", "amount": 250, "approver": "ada", "manager": "grace"}"#;
    let run = s
        .id(&format!(
            "select rhythm.start('expense', '{inputs}', task_id => 'chair')"
        ))
        .await;
    until_asked(&s, 1).await;
    clock::advance(&s, "2 days").await;
    until_asked(&s, 2).await;
    // The next reminder becomes due while there is no server.
    s.run("update rhythm.test_clock set shift = shift + interval '2 days'")
        .await;
    database.server().kill_all();
    database.server().restart().await;
    let s = database.session().await;
    until_asked(&s, 3).await;
    let waits = r#"select count(*) from rhythm.find('expense', '{"waits_for": "grace"}')"#;
    assert_eq!(s.number(waits).await, 1);
    let decision = r#"{"approved": true, "by": "grace"}"#;
    let answer = s
        .json(&format!(
            "call rhythm.call('{run}', 'decision', '{decision}', '30s')"
        ))
        .await;
    assert_eq!(answer["by"], "grace");
    assert_eq!(s.completed(run).await["approved"], true);
    let late = format!("call rhythm.call('{run}', 'decision', '{decision}', '30s')");
    assert_eq!(s.fails(&late).await.code, "RH307");
    assert_eq!(
        recipe.outside("select person, count(*) from mail group by person order by person"),
        json!([["ada", 2], ["everybody", 1], ["grace", 1]])
    );
    nothing_is_left(&s).await;
}
