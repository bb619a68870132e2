//! Many of one run: what each of ten thousand tasks, a thousand children and thousands of steps costs does not grow with their number.
//! Counted in buffers and in states that are stored, never in time.

use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{nothing_is_left, report};
use rhythm_tests::server::Setup;
use rhythm_tests::task::Claimed;
use serde_json::json;
use uuid::Uuid;

/// A database without a background worker, so that nothing happens but what the test asks for; and a count of how often each state is
/// stored, which is once for each time that a run is loaded and waits again.
async fn alone() -> (Database, Session) {
    let setup = Setup {
        preload: false,
        settings: vec!["autovacuum=off".to_owned()],
    };
    let database = Database::alone(setup).await;
    let s = database.session().await;
    s.run(
        "create table stored (id uuid);
         create function note() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
         begin insert into stored values (new.id); return null; end $$;
         create trigger note after insert or update on rhythm.saves for each row execute function note()",
    )
    .await;
    (database, s)
}

/// Runs a statement, and gives the blocks that it has touched.
async fn buffers(s: &Session, sql: &str) -> i64 {
    let told = s
        .json(&format!("explain (analyze, buffers, format json) {sql}"))
        .await;
    ["Shared Hit Blocks", "Shared Read Blocks"]
        .iter()
        .map(|what| told[0]["Plan"][what].as_i64().expect("a number"))
        .sum()
}

fn finish(tasks: &[Claimed]) -> String {
    let outcomes: Vec<_> = tasks
        .iter()
        .map(|task| json!({"id": task.id, "token": task.token.to_string(), "result": task.inputs}))
        .collect();
    format!(
        "select * from rhythm.finish('tester', '{}')",
        json!(outcomes)
    )
}

async fn stored(s: &Session, id: Uuid) -> i64 {
    s.number(&format!("select count(*) from stored where id = '{id}'"))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_cost_each_what_a_thousand_do_and_wake_their_workflow_once() {
    let (_database, s) = alone().await;
    s.deploy(
        "fan",
        "const all = await Promise.all(Array.from({length: Inputs.n}, (_, i) => Task.run('work', i)));
         return all.reduce((sum, one) => sum + one, 0);",
    )
    .await;
    let mut starts = Vec::new();
    for n in [1_000, 10_000_i64] {
        starts.push(
            buffers(
                &s,
                &format!("select rhythm.start('fan', '{{\"n\": {n}}}', queue => 'runs')"),
            )
            .await,
        );
        let id = s
            .id("select id from rhythm.live where kind = 'workflow'")
            .await;
        let mut tasks = Vec::new();
        while tasks.len() < usize::try_from(n).expect("small") {
            let some = s
                .claim_with("'tester', max => 1000, lease => '1 day'")
                .await;
            assert!(!some.is_empty(), "{} of {n} are there", tasks.len());
            tasks.extend(some);
        }
        let last = tasks.pop().expect("there are many");
        let mut costs = Vec::new();
        for batch in tasks.chunks(100) {
            costs.push(buffers(&s, &finish(batch)).await / batch.len() as i64);
        }
        // The least of several: what others do to the buffers is no cost of ours.
        let least = |some: &[i64]| some.iter().min().copied().unwrap_or_default();
        let (first, end) = (
            least(&costs[..5]),
            least(&costs[costs.len().saturating_sub(6)..costs.len() - 1]),
        );
        report(&format!(
            "fan-out of {n}: {first} buffers for an outcome in the beginning, {end} in the end"
        ));
        assert!(
            end * 2 <= first * 3,
            "{first} buffers an outcome in the beginning, {end} in the end"
        );
        assert_eq!(stored(&s, id).await, 1, "nothing was loaded until now");
        s.run(&finish(&[last])).await;
        assert_eq!(s.completed(id).await, json!(n * (n - 1) / 2));
        assert_eq!(stored(&s, id).await, 1, "and once in the end");
    }
    report(&format!(
        "fan-out: {} buffers to start 1 000, {} to start 10 000",
        starts[0], starts[1]
    ));
    assert!(starts[1] <= starts[0] * 13, "{starts:?}");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_children_cost_each_what_a_hundred_do_and_wake_their_parent_once() {
    let (_database, s) = alone().await;
    s.deploy("child", "return (await Task.run('work', Inputs.i)) + 1;")
        .await;
    s.deploy(
        "parent",
        "const all = await Promise.all(Array.from({length: Inputs.n}, (_, i) => Workflow.run('child', {i})));
         return all.reduce((sum, one) => sum + one, 0);",
    )
    .await;
    let mut costs = Vec::new();
    for n in [100, 1_000_i64] {
        let mut cost = buffers(
            &s,
            &format!("select rhythm.start('parent', '{{\"n\": {n}}}')"),
        )
        .await;
        let id = s
            .id("select id from rhythm.live where name = 'parent'")
            .await;
        // Their first steps are left to tick(), some at a time.
        let mut rounds = 0;
        while s
            .number("select count(*) from rhythm.live where kind = 'task'")
            .await
            < n
        {
            cost += buffers(&s, "select rhythm.tick()").await;
            rounds += 1;
            assert!(rounds <= 100, "children do not begin");
        }
        let mut tasks = s
            .claim_with("'tester', max => 1000, lease => '1 day'")
            .await;
        assert_eq!(tasks.len() as i64, n);
        let last = tasks.pop().expect("there are many");
        for batch in tasks.chunks(50) {
            cost += buffers(&s, &finish(batch)).await;
        }
        assert_eq!(stored(&s, id).await, 1, "nothing was loaded until now");
        cost += buffers(&s, &finish(&[last])).await;
        assert_eq!(s.completed(id).await, json!(n * (n - 1) / 2 + n));
        assert_eq!(stored(&s, id).await, 1, "and once in the end");
        costs.push(cost / n);
    }
    report(&format!(
        "children: {} buffers for each of 100, {} for each of 1 000",
        costs[0], costs[1]
    ));
    assert!(costs[1] * 2 <= costs[0] * 3, "{costs:?}");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_thousands_of_steps_costs_what_the_first_did() {
    const STEPS: usize = 5_000;
    const WINDOW: usize = 100;
    let (_database, s) = alone().await;
    s.deploy(
        "loop",
        "let last = 0; for (let i = 0; i < Inputs.n; i++) last = await Task.run('work', last + 1); return last;",
    )
    .await;
    let id = s.start("loop", &format!("{{\"n\": {STEPS}}}")).await;
    let size = format!("select octet_length(save) from rhythm.saves where id = '{id}'");
    let mut sizes = Vec::new();
    let mut windows: [Vec<i64>; 2] = Default::default();
    for step in 0..STEPS {
        let task = s.claim_one().await;
        // Not the very first ones, which find empty tables.
        let window = [WINDOW..2 * WINDOW, STEPS - WINDOW - 1..STEPS - 1]
            .iter()
            .position(|window| window.contains(&step));
        if let Some(window) = window {
            let cost = buffers(&s, &finish(std::slice::from_ref(&task))).await;
            windows[window].push(cost);
            if windows[window].len() == 1 {
                sizes.push(s.number(&size).await);
            }
        } else {
            s.run(&finish(std::slice::from_ref(&task))).await;
        }
        if step % 500 == 499 {
            // As autovacuum would, which here comes when it likes.
            s.run("vacuum rhythm.live, rhythm.saves, rhythm.events")
                .await;
        }
    }
    assert_eq!(s.completed(id).await, json!(STEPS));
    let middle = |window: &mut Vec<i64>| {
        window.sort_unstable();
        (window[0], window[window.len() / 2])
    };
    let [mut first, mut last] = windows;
    let (first, last) = (middle(&mut first), middle(&mut last));
    report(&format!(
        "loop of {STEPS} steps: {first:?} buffers (least, median) for a step in the beginning, {last:?} in the end; save of {sizes:?} bytes"
    ));
    assert!(
        last.0 * 10 <= first.0 * 12,
        "{first:?}, and {last:?} in the end"
    );
    assert!(sizes[1] <= sizes[0] + 16, "{sizes:?}");
    assert_eq!(stored(&s, id).await, STEPS as i64, "once a step");
    nothing_is_left(&s).await;
}
