//! The counts of `rhythm.queues`: exact while there are few tasks, estimated without a scan when there are many.

use rhythm_tests::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_table_is_not_scanned_and_no_queue_is_forgotten() {
    let database = Database::create_quiet().await;
    let s = database.session().await;
    s.run("select rhythm.configure_queue('keyed', concurrency_key => 'n')")
        .await;
    let counts = "select string_agg(format('%s %s %s', name, pending, scheduled), ', ' order by name) from rhythm.queues where name <> 'rare'";
    let few = "select rhythm.enqueue_rows($$select 'a' as name, q as queue, case when n % 4 = 0 and q = 'plain' then now() + interval '1 day' end as run_at,
        jsonb_build_object('n', n, 'pad', repeat('x', 600)) as inputs
        from generate_series(1, {n}) n, unnest(array['plain', 'keyed']) q$$)";
    s.run(&few.replace("{n}", "8")).await;
    assert_eq!(s.text(counts).await, "keyed 8 0, plain 6 2");
    assert_eq!(
        s.text("select bool_or(estimated) from rhythm.queues").await,
        "f"
    );

    s.run(&few.replace("{n}", "12000")).await;
    s.run("analyze rhythm.live").await;
    // After ANALYZE, which has not seen it: a queue by key, and one without.
    s.run("select rhythm.configure_queue('rare', concurrency_key => 'n')")
        .await;
    s.run("select rhythm.enqueue('a', queue => 'rare') from generate_series(1, 3)")
        .await;
    s.run("select rhythm.enqueue('a', queue => 'seldom')").await;
    let about = "select string_agg(format('%s %s %s', name, round(pending, -3), round(scheduled, -3)), ', ' order by name)
        from rhythm.queues where name in ('keyed', 'plain')";
    assert_eq!(s.text(about).await, "keyed 12000 0, plain 9000 3000");
    let unseen = "select string_agg(format('%s %s %s', name, pending, oldest_pending_at is not null), ', ' order by name)
        from rhythm.queues where name in ('rare', 'seldom') and estimated";
    assert_eq!(s.text(unseen).await, "rare 3 t, seldom 1 t");
}
