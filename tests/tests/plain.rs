//! Plain tasks: those of which nothing is registered or configured are inserted in a shorter way, and each backend keeps
//! which tasks these are until that changes.

use rhythm_tests::database::{Database, Session};

use uuid::Uuid;

const PLAIN: &str = "select rhythm.enqueue('a')";

async fn priority(s: &Session, id: Uuid) -> i64 {
    s.number(&format!(
        "select priority::bigint from rhythm.live where id = '{id}'"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_task_is_the_row_that_the_other_way_makes() {
    let database = Database::create().await;
    let s = database.session().await;
    // A priority that is the default takes the long way, and so does one timeout in a batch.
    s.run(
        "select rhythm.enqueue('a', '{\"n\": 1}', trace => '{\"t\": 1}'), \
             rhythm.enqueue('a', '{\"n\": 1}', trace => '{\"t\": 1}', priority => 0)",
    )
    .await;
    s.run(
        r#"select rhythm.enqueue_many('[{"name": "a", "inputs": {"n": 1}, "trace": {"t": 1}}]')"#,
    )
    .await;
    s.run(
        r#"select rhythm.enqueue_many('[{"name": "a", "inputs": {"n": 1}, "trace": {"t": 1}}, {"name": "b", "timeout": "1h"}]')"#,
    )
    .await;
    let kinds = "select count(distinct to_jsonb(l) - array['id', 'root_id', 'seq', 'created_at']) \
       from rhythm.live l where name = 'a'";
    assert_eq!(
        s.number("select count(*) from rhythm.live where name = 'a' and root_id = id")
            .await,
        4
    );
    assert_eq!(s.number(kinds).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_a_plain_task_of_a_workflow() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "short",
        "await Promise.all([Task.run('a', {n: 1}), Task.run('a', {n: 1})]);",
    )
    .await;
    // One that is not plain takes the whole step the long way.
    s.deploy(
        "long",
        "await Promise.all([Task.run('a', {n: 1}), Task.run('a', {n: 1}), Task.run('b', {}, {timeout: '1h'})]);",
    )
    .await;
    s.run("select rhythm.start('short'), rhythm.start('long')")
        .await;
    let tasks = "from rhythm.live l join rhythm.live p on p.id = l.parent_id and p.id = l.root_id where l.name = 'a'";
    assert_eq!(s.number(&format!("select count(*) {tasks}")).await, 4);
    let kinds = format!(
        "select count(distinct to_jsonb(l) - array['id', 'root_id', 'parent_id', 'seq', 'created_at']) {tasks}"
    );
    assert_eq!(
        s.number(&kinds).await,
        2,
        "they differ in the promise alone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_hears_what_others_configure_and_register() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    for _ in 0..3 {
        assert_eq!(priority(&s, s.id(PLAIN).await).await, 0);
    }
    other.run("begin").await;
    other
        .run("select rhythm.configure_queue('default', priority => 5)")
        .await;
    assert_eq!(
        priority(&other, other.id(PLAIN).await).await,
        5,
        "its own change"
    );
    assert_eq!(priority(&s, s.id(PLAIN).await).await, 0, "not committed");
    other.run("rollback").await;
    assert_eq!(
        priority(&other, other.id(PLAIN).await).await,
        0,
        "rolled back"
    );
    other
        .run("select rhythm.configure_queue('default', priority => 7)")
        .await;
    assert_eq!(priority(&s, s.id(PLAIN).await).await, 7);
    other
        .run("select rhythm.configure_queue('default', reset => array['priority'])")
        .await;
    assert_eq!(priority(&s, s.id(PLAIN).await).await, 0);
    other
        .run(r#"select rhythm.register('w', '[{"name": "a", "queue": "elsewhere"}]')"#)
        .await;
    let id = s.id(PLAIN).await;
    let queue =
        format!("select count(*) from rhythm.live where id = '{id}' and queue = 'elsewhere'");
    assert_eq!(s.number(&queue).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_snapshot_says_is_not_kept() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.run("begin isolation level repeatable read").await;
    s.run("select count(*) from rhythm.live").await;
    other
        .run("select rhythm.configure_queue('default', priority => 7)")
        .await;
    s.id(PLAIN).await;
    s.run("commit").await;
    assert_eq!(priority(&s, s.id(PLAIN).await).await, 7);
}
