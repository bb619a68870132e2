//! The saga: all or nothing, whatever its worker meets.

use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::recipe::Recipe;
use serde_json::json;

use super::{attempts, end_leases, kill_in_the_worst_moment, type_in, until_running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_page_says_is_typed() {
    type_in("saga", &Database::create().await).await;
}

async fn until_at_rest(s: &Session) {
    s.until(
        "select count(*) = 0 from rhythm.executions where kind = 'task' and finished_at is null",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trip_is_booked_once_whatever_its_worker_meets_and_undone_when_it_is_cancelled() {
    let database = Database::create().await;
    let s = database.session().await;
    let recipe = Recipe::copy("saga");
    recipe.deploy(&s, "trip").await;

    let held = recipe.hold();
    let mut worker = recipe.worker(&database);
    let booked = s.start("trip", r#"{"trip": "T-1"}"#).await;
    until_running(&s, "hold_seat", 1).await;
    until_running(&s, "hold_room", 1).await;
    let bookings = "select count(*) from booking";
    kill_in_the_worst_moment(&database, &recipe, &mut worker, held, bookings, 2).await;
    let worker = recipe.worker(&database);
    end_leases(&s).await;
    assert_eq!(s.completed(booked).await["state"], "booked");
    assert_eq!(attempts(&s, "hold_seat").await, 2);
    assert_eq!(attempts(&s, "hold_room").await, 2);
    let of =
        |trip: &str| format!("select what, state from booking where trip = '{trip}' order by what");
    let all = json!([
        ["flight", "booked"],
        ["hotel", "booked"],
        ["room", "booked"],
        ["seat", "booked"]
    ]);
    assert_eq!(recipe.outside(&of("T-1")), all);

    // The cancel comes while both branches are outside, and overtakes them.
    let held = recipe.hold();
    let given_up = s.start("trip", r#"{"trip": "T-2"}"#).await;
    until_running(&s, "hold_seat", 1).await;
    until_running(&s, "hold_room", 1).await;
    s.run(&format!("select rhythm.cancel('{given_up}')")).await;
    drop(held);
    assert_eq!(s.outcome(given_up).await.0, "cancelled");
    until_at_rest(&s).await;
    assert_eq!(
        recipe.outside(&of("T-2")),
        json!([["room", "undone"], ["seat", "undone"]])
    );
    drop(worker);
    nothing_is_left(&s).await;
}
