//! The pipeline: each row once, though its server is killed and a row is wrong.

use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::recipe::Recipe;
use rhythm_tests::server::Setup;
use serde_json::json;

use super::{attributes, type_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_page_says_is_typed() {
    type_in("sql-pipeline", &Database::create().await).await;
}

/// A row whose insert waits for a lock that the test has.
const STUMBLING_BLOCK: &str = "
    create function wait_here() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(7); return new; end $$;
    create trigger wait_here before insert on payment for each row when (new.id = 5000) execute function wait_here()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_reads_each_row_once_though_its_server_is_killed_and_a_row_is_wrong() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    let recipe = Recipe::copy("sql-pipeline");
    s.run(&recipe.read("setup.sql")).await;
    s.run(STUMBLING_BLOCK).await;
    s.run(
        "insert into raw_payment (doc) select jsonb_build_object('day', date '2026-11-01' + n % 7, 'amount', n) from generate_series(1, 9999) n;
         insert into raw_payment (doc) values ('{\"day\": \"soon\", \"amount\": 10000}')",
    )
    .await;
    recipe.deploy(&s, "pipeline").await;
    s.run("select pg_advisory_lock(7)").await;
    let run = s.start("pipeline", r#"{"batch": 300}"#).await;
    s.until("select exists (select from pg_locks where locktype = 'advisory' and not granted)")
        .await;
    let read = "select count(*) from payment";
    assert_eq!(s.number(read).await, 4800, "sixteen batches are committed");
    database.server().kill_all();
    database.server().restart().await;
    let s = database.session().await;

    // The last batch has a row that cannot be read: all that was before it stays.
    let error = s.failed(run).await;
    assert_eq!(error["code"], "22007", "{error:#}");
    assert_eq!(s.number(read).await, 9900);
    assert_eq!(attributes(&s, run).await["rows"], 9900);
    s.run(
        r#"update raw_payment set doc = doc || '{"day": "2026-11-01"}' where doc ->> 'day' = 'soon'"#,
    )
    .await;
    s.run(&format!("select rhythm.retry('{run}')")).await;
    assert_eq!(s.completed(run).await, json!({"rows": 10_000, "days": 7}));
    assert_eq!(
        s.text("select count(*) || ' of ' || sum(amount) from payment")
            .await,
        "10000 of 50005000"
    );
    assert_eq!(
        s.text("select sum(payments) || ' of ' || sum(total) from day_total")
            .await,
        "10000 of 50005000"
    );
    nothing_is_left(&s).await;
}
