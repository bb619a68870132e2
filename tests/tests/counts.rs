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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_counted_as_long_as_they_are_kept_without_a_scan() {
    let database = Database::create_quiet().await;
    let s = database.session().await;
    rhythm_tests::clock::retain(&s).await;
    s.run("select rhythm.configure_queue('brief', retention => '1 day'), rhythm.configure_queue('ever', retention => 'forever')")
        .await;
    for queue in ["brief", "ever", "other"] {
        s.run(&format!(
            "select rhythm.enqueue('a', queue => '{queue}') from generate_series(1, 3);
             select rhythm.enqueue('a', queue => '{queue}', start_timeout => '1 hour')"
        ))
        .await;
        for task in s.claim_with(&format!("'w', '{{{queue}}}', max => 3")).await {
            s.fail(&task, ", retryable => false").await;
        }
    }
    rhythm_tests::clock::advance(&s, "2 hours").await;
    let counts = "select string_agg(format('%s %s %s', name, failed, timed_out), ', ' order by name) from rhythm.queues";
    s.until("select bool_and(timed_out = 1) from rhythm.queues")
        .await;
    assert_eq!(s.text(counts).await, "brief 3 1, ever 3 1, other 3 1");
    s.run("select rhythm.retry_many(queue => 'other', max => 2)")
        .await;
    rhythm_tests::clock::advance(&s, "2 days").await;
    assert_eq!(
        s.text(counts).await,
        "brief 0 0, ever 3 1, other 1 1",
        "what has expired is not counted"
    );
    // Many: up to 10 000, and the completed ones are not touched.
    s.run(
        "insert into rhythm.archive (id, seq, root_id, created_at, finished_at, expires_on, state, attempt, priority, kind, name, queue, inputs)
         select i, n, i, now(), now(), current_date + 9, (case when n % 10 = 0 then 'failed' else 'completed' end)::rhythm.state, 1, 0,
           'task', 'a', 'many', '{}'
         from (select n, gen_random_uuid() as i from generate_series(1, 120000) n) r",
    )
    .await;
    s.run("vacuum analyze rhythm.archive").await;
    let many = "select format('%s %s %s', failed, timed_out, estimated) from rhythm.queues where name = 'many'";
    assert_eq!(s.text(many).await, "10000 0 t");
    let read = s
        .json("explain (analyze, buffers, format json) select * from rhythm._count_failed()")
        .await;
    let buffers = read[0]["Plan"]["Shared Hit Blocks"]
        .as_i64()
        .expect("a number")
        + read[0]["Plan"]["Shared Read Blocks"]
            .as_i64()
            .expect("a number");
    let all = s
        .number("select (sum(pg_relation_size(inhrelid)) / 8192)::bigint from pg_inherits where inhparent = 'rhythm.archive'::regclass")
        .await;
    rhythm_tests::invariant::report(&format!("dead letters: {buffers} of {all} blocks read"));
    assert!(buffers * 5 < all, "{buffers} of {all} blocks");
}
