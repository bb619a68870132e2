//! What `why_queue` says of a queue in which not all tasks have the same reason, and of one in which nothing is pending.

use rhythm_tests::database::Database;

use crate::why::says;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_queue_in_which_not_everything_is_stopped() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        r#"select rhythm.register('w', '["a", "b", "c"]');
           select rhythm.enqueue('a'), rhythm.enqueue('a'), rhythm.enqueue('b'), rhythm.enqueue('nobody');
           select rhythm.pause_task('a', 'wrong amounts')"#,
    )
    .await;
    s.claim_with("'w', max => 0").await;
    let passed = ["others are passed over, such as 'a'", "wrong amounts"];
    says(&s, "why_queue('default')", "workers_busy", &passed).await;
    s.run("select rhythm.pause_task('b')").await;
    let mixed = [
        "task 'a' is paused",
        "others wait for other reasons",
        "'nobody'",
    ];
    says(&s, "why_queue('default')", "task_paused", &mixed).await;
    s.run("delete from rhythm.live where name = 'nobody'").await;
    let all = [
        "task 'a' is paused",
        "nor can others that a claim would meet (1)",
    ];
    says(&s, "why_queue('default')", "task_paused", &all).await;

    // Keys: one is full, the next one is not.
    s.run(
        r#"select rhythm.configure_queue('q', concurrency_key => 'k');
           select rhythm.enqueue('c', jsonb_build_object('k', k), 'q') from unnest('{x,x,y,y}'::text[]) k"#,
    )
    .await;
    let held = s.claim_with("'w', '{q}'").await;
    assert_eq!(held[0].inputs["k"], "x");
    says(&s, "why_queue('q')", "workers_busy", &["k = 'x'"]).await;
    assert_eq!(s.claim_with("'w', '{q}'").await.len(), 1);
    let full = ["k = 'x'", "nor can others that a claim would meet (1)"];
    says(&s, "why_queue('q')", "key_full", &full).await;

    // More full keys than are looked at: that, too, is said.
    s.run(
        r#"select rhythm.configure_queue('many', concurrency_key => 'k');
           select rhythm.enqueue('c', jsonb_build_object('k', k % 25), 'many') from generate_series(0, 49) k"#,
    )
    .await;
    assert_eq!(s.claim_with("'w', '{many}', 100").await.len(), 25);
    let full = ["nor can others that a claim would meet (19, perhaps more)"];
    says(&s, "why_queue('many')", "key_full", &full).await;
    // Who holds limits is not looked at, which takes time, where other reasons are enough.
    s.run("begin; set local track_functions = 'all'").await;
    says(&s, "why_queue('many')", "key_full", &full).await;
    let looks = "select count(*) from pg_stat_xact_user_functions where funcname = '_limits_held'";
    assert_eq!(s.number(looks).await, 0);
    s.run("commit").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_queue_whose_scheduled_tasks_come_after_those_of_many_others() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.enqueue('a', queue => 'far', delay => '2 hours');
         select rhythm.enqueue('a', queue => 'other', delay => '1 hour') from generate_series(1, 999)",
    )
    .await;
    let seen = ["nothing is pending", "until 20", "The next scheduled task"];
    says(&s, "why_queue('far')", "empty", &seen).await;
    let none = ["nothing is pending", "until open", "rhythm.queues counts"];
    says(&s, "why_queue('nowhere')", "empty", &none).await;
    // One more before it, and it is beyond what is looked at: that is no reason to say that there is nothing.
    s.run("select rhythm.enqueue('a', queue => 'other', delay => '1 hour')")
        .await;
    says(&s, "why_queue('far')", "empty", &none).await;
    assert_eq!(
        s.number("select scheduled from rhythm.queues where name = 'far'")
            .await,
        1
    );
    s.run("delete from rhythm.live where queue = 'other'").await;
    says(&s, "why_queue('nowhere')", "empty", &["Nothing to do"]).await;
}
