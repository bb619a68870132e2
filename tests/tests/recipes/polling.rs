//! Polling: the looks and their pauses, in both forms.

use std::time::Duration;

use rhythm_tests::clock;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::recipe::Recipe;
use serde_json::json;

use super::{attempts, end_leases, kill_in_the_worst_moment, type_in, until_running};

/// Its looks are seconds apart, which pass at once here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_page_says_is_typed() {
    let database = Database::create().await;
    let s = database.session().await;
    let typing = tokio::spawn(async move {
        type_in("polling", &database).await;
        database
    });
    while !typing.is_finished() {
        // Only while nothing runs: time that passes takes leases away.
        let rests = "select bool_and(state in ('waiting', 'scheduled')) from rhythm.executions where finished_at is null";
        if s.text(rests).await == "t" {
            clock::advance(&s, "5 seconds").await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    typing.await.expect("what is typed works");
}

/// Waits until the service has been asked this often, and nothing is under way.
async fn until_looked(s: &Session, recipe: &Recipe, count: usize) {
    recipe
        .until("select looks from export", &json!([[count]]))
        .await;
    s.until(
        "select bool_and(state in ('waiting', 'scheduled')) from rhythm.executions where finished_at is null",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_asked_for_less_and_less_often_and_given_up_at_its_deadline() {
    let database = Database::create().await;
    let s = database.session().await;
    let recipe = Recipe::copy("polling");
    recipe.deploy(&s, "export").await;
    recipe.deploy(&s, "export_by_snooze").await;
    let _worker = recipe.worker(&database);
    for workflow in ["export", "export_by_snooze"] {
        let run = s.start(workflow, r#"{"customer": "c-7"}"#).await;
        for (looks, pause) in [(1, "5 seconds"), (2, "10 seconds"), (3, "20 seconds")] {
            until_looked(&s, &recipe, looks).await;
            clock::advance(&s, pause).await;
        }
        let url = s.completed(run).await["url"].to_string();
        assert!(url.contains("https://exports.example.org/"), "{url}");
        let export = recipe.outside("select looks, dropped from export");
        assert_eq!(export, json!([[4, 0]]), "{workflow}");
        let looks = "select max(attempt) from rhythm.executions where name in ('look_at_export', 'fetch_export')";
        assert_eq!(s.number(looks).await, 1);
        recipe.outside("delete from export returning job");
    }
    let run = s
        .start("export", r#"{"customer": "c-8", "within": 12}"#)
        .await;
    for (looks, pause) in [(1, "5 seconds"), (2, "10 seconds")] {
        until_looked(&s, &recipe, looks).await;
        clock::advance(&s, pause).await;
    }
    assert_eq!(s.failed(run).await["name"], "TimeoutError");
    let export = recipe.outside("select looks, dropped from export");
    assert_eq!(export, json!([[2, 1]]));
    let nobody = s.start("export", r#"{"customer": "nobody"}"#).await;
    assert_eq!(
        s.failed(nobody).await["message"],
        "there is no such customer"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_ordered_once_and_a_look_that_is_lost_is_followed_by_another() {
    let database = Database::create().await;
    let s = database.session().await;
    let recipe = Recipe::copy("polling");
    recipe.deploy(&s, "export").await;

    let held = recipe.hold();
    let mut worker = recipe.worker(&database);
    let run = s.start("export", r#"{"customer": "c-7"}"#).await;
    until_running(&s, "order_export", 1).await;
    let orders = "select count(*) from export";
    kill_in_the_worst_moment(&database, &recipe, &mut worker, held, orders, 1).await;
    let mut worker = recipe.worker(&database);
    end_leases(&s).await;
    until_looked(&s, &recipe, 1).await;

    let held = recipe.hold();
    clock::advance(&s, "5 seconds").await;
    until_running(&s, "look_at_export", 1).await;
    let looks = "select looks from export";
    kill_in_the_worst_moment(&database, &recipe, &mut worker, held, looks, 2).await;
    let _worker = recipe.worker(&database);
    end_leases(&s).await;
    for (looks, pause) in [(2, "10 seconds"), (3, "20 seconds")] {
        until_looked(&s, &recipe, looks).await;
        clock::advance(&s, pause).await;
    }
    let url = s.completed(run).await["url"].to_string();
    assert!(url.contains("https://exports.example.org/"), "{url}");
    assert_eq!(attempts(&s, "order_export").await, 2);
    assert_eq!(recipe.outside(orders), json!([[1]]));
    let told = "select string_agg(state, ' ' order by created_at) from rhythm.executions where name = 'look_at_export'";
    assert_eq!(s.text(told).await, "completed failed completed completed");
}
