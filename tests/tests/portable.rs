//! Without `shared_preload_libraries`: no background worker, no wake-ups, and still everything works, by `tick()`.

use rhythm_tests::clock::{advance, tick};
use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_preloaded_library_everything_works_by_tick() {
    let database = Database::alone(Setup {
        preload: false,
        ..Setup::default()
    })
    .await;
    let s = database.session().await;
    s.deploy(
        "flow",
        "const a = await Task.run('a'); await sleep('1h');
         try { await Signal.next('go', {timeout: '1m'}); } catch (e) { return [a, e.name]; }",
    )
    .await;
    let id = s.start("flow", "{}").await;
    let lost = s.claim_one().await;
    advance(&s, "2 minutes").await;
    assert!(!s.complete(&lost, "0").await);
    s.work("1").await;
    advance(&s, "61 minutes").await;
    assert_eq!(s.state(id).await, "waiting");
    advance(&s, "2 minutes").await;
    assert_eq!(s.completed(id).await, json!([1, "TimeoutError"]));

    // What a holder of the tree left behind.
    s.deploy(
        "two",
        "return await Promise.all([Task.run('a'), Signal.next('go')]);",
    )
    .await;
    let id = s.start("two", "{}").await;
    let task = s.claim_one().await;
    let other = database.session().await;
    other
        .run(&format!("begin; select rhythm.signal('{id}', 'go', '2')"))
        .await;
    assert!(s.complete(&task, "1").await);
    other.run("commit").await;
    tick(&s).await;
    assert_eq!(s.completed(id).await, json!([1, 2]));

    // A waiting claim polls.
    let waiting = database.session().await;
    let waiting = tokio::spawn(async move { waiting.claim_with("'w', wait => '5s'").await });
    s.run("select rhythm.enqueue('late')").await;
    let got = waiting.await.expect("it claims");
    assert_eq!(got.len(), 1);
    assert!(s.complete(&got[0], "null").await);
    nothing_is_left(&s).await;
}
