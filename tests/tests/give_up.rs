//! `Task.cancel(promise)`: stops what is behind a promise, and nothing else.

use rhythm_tests::clock;
use rhythm_tests::database::Database;
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losers_of_a_race_are_stopped_where_asked() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("child", "try { await Signal.next('never'); } finally { await Sql.query('insert into cleaned values (1)'); }")
        .await;
    s.run("create table cleaned (n int)").await;
    s.deploy(
        "races",
        "const first = Task.run('first');
         const others = [Task.run('second'), Workflow.run('child'), sleep('30d'), Signal.next('go', {timeout: '30d'}),
           Task.run('later', {}, {delay: '1h'})];
         const runsOn = Task.run('runs-on');
         const won = await Promise.race([first, ...others]);
         const cancelled = others.map(one => Task.cancel(one, 'too late'));
         const names = (await Promise.allSettled(others)).map(one => `${one.reason.name}: ${one.reason.message}`);
         await Task.run('next');
         return [won, cancelled, names, Task.cancel(first)];",
    )
    .await;
    let id = s.start("races", "{}").await;
    let tasks = s.claim(10).await;
    assert_eq!(tasks.len(), 3);
    let of = |name: &str| {
        tasks
            .iter()
            .find(|task| task.name == name)
            .expect("it is claimed")
    };
    assert!(s.complete(of("first"), "1").await);
    for table in ["timers", "signal_waits"] {
        assert_eq!(
            s.number(&format!(
                "select count(*) from rhythm.{table} where execution_id = '{id}'"
            ))
            .await,
            0
        );
    }
    // The running one hears it, the waiting one has ended, the child cleans up.
    let second = of("second");
    let beat = format!(
        "select status from rhythm.heartbeat('{{{}}}', '{{{}}}')",
        second.id, second.token
    );
    assert_eq!(s.text(&beat).await, "cancel");
    let state = |name: &str| format!("select state from rhythm.executions where name = '{name}'");
    assert_eq!(s.text(&state("later")).await, "cancelled");
    s.until("select state = 'cancelled' from rhythm.executions where name = 'child'")
        .await;
    assert_eq!(s.number("select count(*) from cleaned").await, 1);
    assert_eq!(s.text(&state("runs-on")).await, "running");
    // What becomes of it is of no interest.
    assert!(s.complete(second, "2").await);
    s.work("null").await;
    let result = s.completed(id).await;
    let late = "CancelledError: too late";
    assert_eq!(
        result,
        json!([
            1,
            [true, true, true, true, true],
            [late, late, late, late, late],
            false
        ])
    );
    assert!(s.complete(of("runs-on"), "3").await);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_that_is_given_up_in_its_own_step_starts_nothing_that_runs() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "hasty",
        "const a = Task.run('a'); const b = sleep('1h'); const c = Task.try('c', {}, {taskId: 'k'}); const d = Signal.next('go');
         for (const one of [a, b, c, d]) Task.cancel(one);
         const {success, error} = await c;
         const wrong = [];
         const e = sleep('1h');
         for (const what of [(async () => await e)(), e.then(() => 1), Promise.race([e, sleep('2h')]), 7, null])
           try { Task.cancel(what); } catch (e) { wrong.push(e.name); }
         await Signal.next('go');
         return [success, error.name, wrong];",
    )
    .await;
    let id = s.start("hasty", "{}").await;
    assert!(s.claim(10).await.is_empty());
    let left = "select count(*) from rhythm.live where kind = 'task'";
    assert_eq!(s.number(left).await, 0);
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    let (state, result, error) = s.outcome(id).await;
    assert_eq!(state, "completed", "{error}");
    assert_eq!(result[0], json!(false));
    assert_eq!(result[1], json!("CancelledError"));
    assert_eq!(result[2], json!(vec!["TypeError"; 5]), "{result}");
    // The key is free again.
    assert_eq!(s.number("select count(*) from rhythm.keys").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_stays_so_through_kills() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy(
        "reminds",
        "const reminder = sleep('1h').then(() => 'reminded');
         const timer = sleep('2h');
         const answer = await Signal.next('answer');
         Task.cancel(timer);
         const next = await Promise.race([reminder, Signal.next('more')]);
         let error; try { await timer; } catch (e) { error = e.message; }
         return [answer, next, error];",
    )
    .await;
    let id = s.start("reminds", "{}").await;
    s.run(&format!("select rhythm.signal('{id}', 'answer', '1')"))
        .await;
    drop(s);
    database.server().kill_all();
    database.server().restart().await;
    let s = database.session().await;
    assert_eq!(s.number("select count(*) from rhythm.timers").await, 1);
    clock::advance(&s, "3 hours").await;
    let result = s.completed(id).await;
    assert_eq!(result, json!([1, "reminded", "cancelled by the workflow"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_is_given_up_with_what_of_it_runs_waits_and_is_held() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "child",
        "try { await Signal.next('never'); } finally { await Task.run('clean', Inputs); }",
    )
    .await;
    s.deploy(
        "maps",
        "const tasks = Task.map('work', [1, 2, 3, 4, 5], {concurrency: 3});
         const children = Workflow.map('child', [1, 2, 3], {concurrency: 2});
         await Signal.next('stop');
         const told = [Task.cancel(tasks, 'too slow'), Task.cancel(children, 'too slow'), Task.cancel(tasks)];
         for (const one of [tasks, children]) { try { await one; } catch (e) { told.push(`${e.name}: ${e.message}`); } }
         await Signal.next('end');
         return told;",
    )
    .await;
    let id = s.start("maps", "{}").await;
    s.until(
        "select count(*) = 2 from rhythm.executions where name = 'child' and state = 'waiting'",
    )
    .await;
    let mut tasks = s.claim(2).await;
    assert_eq!(tasks.len(), 2, "the third waits for a worker");
    let (first, second) = (tasks.remove(0), tasks.remove(0));
    assert!(s.complete(&first, "10").await);
    s.run(&format!("select rhythm.signal('{id}', 'stop')"))
        .await;
    let beat = format!(
        "select status from rhythm.heartbeat('{{{}}}', '{{{}}}')",
        second.id, second.token
    );
    assert_eq!(s.text(&beat).await, "cancel");
    let work = "select string_agg((inputs #>> '{}') || ' ' || state, ', ' order by inputs) from rhythm.executions where name = 'work'";
    assert_eq!(
        s.text(work).await,
        "1 completed, 2 running, 3 cancelled, 4 cancelled",
        "the fifth is none"
    );
    for table in ["fan_outs", "fan_out_items"] {
        assert_eq!(
            s.number(&format!("select count(*) from rhythm.{table}"))
                .await,
            0,
            "{table}"
        );
    }
    // The children clean up; the third never began.
    assert!(s.complete(&second, "20").await);
    for _ in 0..2 {
        let clean = s.claim_one().await;
        assert_eq!(clean.name, "clean");
        assert!(s.complete(&clean, "0").await);
    }
    s.until(
        "select count(*) = 2 from rhythm.executions where name = 'child' and state = 'cancelled'",
    )
    .await;
    s.run(&format!("select rhythm.signal('{id}', 'end')")).await;
    let late = "CancelledError: too slow";
    assert_eq!(
        s.completed(id).await,
        json!([true, true, false, late, late])
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_that_is_given_up_in_its_own_step_starts_nothing_that_runs() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "maps",
        "const all = Task.map('work', Array.from({length: 3000}, (_, i) => i), {concurrency: 10});
         const told = Task.cancel(all, 'x'.repeat(10000)); await Task.run('next'); return told;",
    )
    .await;
    let id = s.start("maps", "{}").await;
    let task = s.claim_one().await;
    assert_eq!(task.name, "next");
    assert!(s.complete(&task, "0").await);
    assert_eq!(s.completed(id).await, json!(true));
    nothing_is_left(&s).await;
}
