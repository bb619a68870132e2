//! Attributes: what workflows publish, read by id and found by an index.

use rhythm_tests::database::Database;
use rhythm_tests::invariant::report;
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_step_publishes_is_there_when_it_commits() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "Context.set('customer', Inputs.customer);
         Context.set('state', 'new');
         await Task.run('pay');
         Context.set('state', 'paid');
         await Signal.next('go');
         Context.set('state', 'lost');
         null.x;",
    )
    .await;
    let id = s.start("order", r#"{"customer": 7}"#).await;
    let attributes = format!("select rhythm.attributes('{id}')");
    assert_eq!(
        s.json(&attributes).await,
        json!({"customer": 7, "state": "new"})
    );
    s.work("null").await;
    assert_eq!(s.json(&attributes).await["state"], "paid");
    // A step that fails publishes nothing.
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    s.failed(id).await;
    let paid = json!({"customer": 7, "state": "paid"});
    assert_eq!(s.json(&attributes).await, paid);
    let view = format!("select attributes from rhythm.executions where id = '{id}'");
    assert_eq!(s.json(&view).await, paid);
    let unknown = format!("select rhythm.attributes('{}')", Uuid::nil());
    assert_eq!(s.fails(&unknown).await.code, "RH301");
    // It is kept as long as the run.
    s.run("update rhythm.test_clock set shift = shift + interval '60 days'")
        .await;
    rhythm_tests::clock::retain(&s).await;
    assert_eq!(s.number("select count(*) from rhythm.published").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_a_catchable_error_over_all_steps() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "much",
        "Context.set('a', 'x'.repeat(40000));
         await sleep('1ms');
         let caught;
         try { Context.set('b', 'y'.repeat(40000)); } catch (e) { caught = `${e.name}: ${e.message}`; }
         Context.set('a', 1);
         Context.set('b', 'y'.repeat(40000));
         return caught;",
    )
    .await;
    let id = s.start("much", "{}").await;
    let caught = s.completed(id).await;
    let caught = caught.as_str().expect("a text");
    assert!(
        caught.starts_with("RangeError") && caught.contains("65536 bytes"),
        "{caught}"
    );
    let sizes = format!("select length(rhythm.attributes('{id}')::text)");
    assert!(s.number(&sizes).await < 41_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_found_by_what_they_have_published() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "order",
        "Context.set('customer', Inputs.n % 1000); Context.set('of', {n: Inputs.n}); if (Inputs.n % 2) await Signal.next('go');",
    )
    .await;
    s.deploy("other", "Context.set('customer', 7);").await;
    s.deploy("silent", "return 1;").await;
    s.start("other", "{}").await;
    s.start("silent", "{}").await;
    s.run("select count(rhythm.start('order', jsonb_build_object('n', n))) from generate_series(1, 3000) n")
        .await;
    assert_eq!(
        s.number("select count(*) from rhythm.published").await,
        3001,
        "who publishes nothing has no row"
    );
    let find = |more: &str| {
        format!(
            "select coalesce(jsonb_agg(attributes->'of'->'n'), '[]') from rhythm.find('order', {more})"
        )
    };
    assert_eq!(
        s.json(&find(r#"'{"customer": 7}'"#)).await,
        json!([2007, 1007, 7])
    );
    assert_eq!(
        s.json(&find(r#"'{"customer": 8}', 'waiting'"#)).await,
        json!([])
    );
    assert_eq!(
        s.json(&find(r#"'{"customer": 8}', 'completed'"#)).await,
        json!([2008, 1008, 8])
    );
    assert_eq!(
        s.json(&find(r#"'{"customer": 7, "of": {"n": 1007}}'"#))
            .await,
        json!([1007])
    );
    assert_eq!(
        s.json(&find(r#"'{"customer": 7}', max => 1"#)).await,
        json!([2007])
    );
    for (arguments, code) in [
        ("'order', '{}'", "RH003"),
        ("'order', '[7]'", "RH003"),
        ("'order', null", "RH001"),
        (r#"'order', '{"a": 1}', 'there'"#, "RH002"),
        (r#"'order', '{"a": 1}', max => 0"#, "RH002"),
    ] {
        let failure = s.fails(&format!("select rhythm.find({arguments})")).await;
        assert_eq!(failure.code, code, "{arguments}");
    }
    // By the index: the function's own plan is out of sight, so its reads are counted.
    s.run("vacuum analyze rhythm.published").await;
    let reads = "select pg_stat_force_next_flush(); select idx_scan from pg_stat_all_indexes where indexrelname = 'published_attributes'";
    let before = s.number(reads).await;
    s.run(&find(r#"'{"customer": 9}'"#)).await;
    s.run("select pg_stat_force_next_flush()").await;
    s.until(&format!("select idx_scan > {before} from pg_stat_all_indexes where indexrelname = 'published_attributes'")).await;
    let took = std::time::Instant::now();
    for _ in 0..20 {
        s.run(&find(r#"'{"customer": 9}'"#)).await;
    }
    report(&format!(
        "find: 3 of 3001 runs in {:.2} ms",
        took.elapsed().as_secs_f64() * 50.0
    ));
}
