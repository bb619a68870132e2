//! The agent: pays back once, and only what a person allows.

use rhythm_tests::clock;
use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::recipe::Recipe;
use serde_json::json;

use super::{attempts, attributes, end_leases, kill_in_the_worst_moment, type_in, until_running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_page_says_is_typed() {
    type_in("agent", &Database::create().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_pays_back_once_and_only_what_a_person_allows() {
    let database = Database::create().await;
    let s = database.session().await;
    let recipe = Recipe::copy("agent");
    recipe.deploy(&s, "support").await;
    let mut worker = recipe.worker(&database);
    let question = r#"{"question": "Where is my order o-17?"}"#;
    let run = s.start("support", question).await;
    let asks = format!("select rhythm.attributes('{run}') -> 'asks' ? '2.1'");
    s.until(&asks).await;
    assert_eq!(
        attributes(&s, run).await,
        json!({
            "asks": {"2.1": {"tool": "refund", "inputs": {"order": "o-17", "amount": 30}}},
            "cost": {"turn": 2, "tokens": 400},
        })
    );
    assert_eq!(recipe.outside("select * from refund"), json!([]));
    let held = recipe.hold();
    s.run(&format!(
        "select rhythm.signal('{run}', 'allow', 'true', key => '2.1')"
    ))
    .await;
    until_running(&s, "refund", 1).await;
    let paid = "select count(*) from refund";
    kill_in_the_worst_moment(&database, &recipe, &mut worker, held, paid, 1).await;
    let _worker = recipe.worker(&database);
    end_leases(&s).await;
    let result = s.completed(run).await;
    assert_eq!(result["answer"], "About your order o-17: 30 are paid back.");
    assert_eq!(result["turn"], 3);
    assert_eq!(attempts(&s, "refund").await, 2);
    assert_eq!(
        recipe.outside("select orders, amount, count(*) from refund"),
        json!([["o-17", 30, 1]])
    );
    let thought = "select count(*) || ' turns, ' || sum(attempt) || ' attempts' from rhythm.executions where name = 'model'";
    assert_eq!(s.text(thought).await, "3 turns, 3 attempts");

    // Nobody answers this one.
    let run = s.start("support", question).await;
    s.until(&format!(
        "select rhythm.attributes('{run}') -> 'asks' ? '2.1'"
    ))
    .await;
    clock::advance(&s, "1 day").await;
    let answer = s.completed(run).await["answer"].to_string();
    assert!(answer.contains("A person has refused this."), "{answer}");
    assert_eq!(recipe.outside("select count(*) from refund"), json!([[1]]));
    nothing_is_left(&s).await;
}
