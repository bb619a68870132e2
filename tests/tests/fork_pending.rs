//! What was pending at a state becomes what it should for a run that is forked from it: each kind.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use serde_json::json;
use uuid::Uuid;

use crate::fork::{fork, keeping, states};

/// Nobody else does what is due, nor steps with a setting of its own.
async fn quiet() -> Database {
    Database::alone(Setup {
        preload: false,
        ..Setup::default()
    })
    .await
}

/// How many executions of this name there are.
async fn count(s: &Session, name: &str) -> i64 {
    s.number(&format!(
        "select count(*) from rhythm.executions where name = '{name}'"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_keeps_its_time() {
    let database = quiet().await;
    let s = keeping(&database, 10).await;
    s.deploy("naps", "await sleep('1h'); return 'slept';").await;
    let id = s.start("naps", "{}").await;
    assert_eq!(states(&s, id).await, "1 naps.flow:1:1 a timer");
    advance(&s, "50 minutes").await;
    let half = s.id(&fork(id, 1)).await;
    assert_eq!(s.state(half).await, "waiting");
    advance(&s, "11 minutes").await;
    assert_eq!(s.completed(id).await, json!("slept"));
    assert_eq!(s.completed(half).await, json!("slept"));
    // One that has fired is due.
    let late = s.id(&fork(id, 1)).await;
    advance(&s, "0").await;
    assert_eq!(s.completed(late).await, json!("slept"));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_are_the_forks_own_and_their_timeouts_have_what_was_left() {
    let database = quiet().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "asks",
        "try { const [a, q] = await Promise.all([Signal.next('go', {timeout: '2h', key: 'k'}), Signal.request('ask')]);
           q.reply(a); return [a, q.payload]; } catch (e) { return e.name; }",
    )
    .await;
    let id = s.start("asks", "{}").await;
    assert_eq!(states(&s, id).await, "1 asks.flow:1:22 the signal ask, go");
    let send = |id: Uuid, value: i32| {
        format!(
            "select rhythm.signal('{id}', 'go', '{value}', key => 'k'), rhythm.request('{id}', 'ask', '{value}')"
        )
    };
    s.run(&send(id, 1)).await;
    assert_eq!(s.completed(id).await, json!([1, 1]));
    advance(&s, "10 days").await;
    let (one, two) = (s.id(&fork(id, 1)).await, s.id(&fork(id, 1)).await);
    advance(&s, "1 hour").await;
    for run in [one, two] {
        assert_eq!(s.state(run).await, "waiting", "it has two hours");
    }
    s.run(&send(one, 2)).await;
    assert_eq!(s.completed(one).await, json!([2, 2]));
    advance(&s, "61 minutes").await;
    assert_eq!(s.completed(two).await, json!("TimeoutError"));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_a_task_id_is_not_started_twice() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "pays",
        "return await Task.run('pay', {}, {taskId: 'order-7', timeout: '1h', retry: {maxAttempts: 2, initial: '2s'}});",
    )
    .await;
    // Its own child, and then a run that awaits that of another.
    let id = s.start("pays", "{}").await;
    let watches = s.start("pays", "{}").await;
    assert!(
        states(&s, watches).await.contains("which holds its taskId"),
        "{}",
        states(&s, watches).await
    );
    let forks = [s.id(&fork(id, 1)).await, s.id(&fork(watches, 1)).await];
    assert_eq!(count(&s, "pay").await, 1);
    s.work("7").await;
    for run in [id, watches, forks[0], forks[1]] {
        s.becomes(run, "completed").await;
        assert_eq!(s.completed(run).await, json!(7));
    }
    let after = s.id(&fork(watches, 1)).await;
    s.becomes(after, "completed").await;
    assert_eq!(count(&s, "pay").await, 1);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_started_anew_is_as_the_other_was() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "all",
        "return await Promise.all([
           Task.run('a', {x: null}, {queue: 'q', priority: 3, timeout: '1h', startTimeout: '30m', heartbeatTimeout: '90s',
             attemptTimeout: '5m', retry: {maxAttempts: 4, initial: '250ms', backoff: 'linear', max: '1m', delays: ['1s', '2s'],
               jitter: 0.2, nonRetryable: ['E']}}),
           Task.run('b', [1], {runAt: new Date('2090-01-01'), result: 'discard'}),
           Workflow.run('child', null, {onParentClose: 'abandon'})]);",
    )
    .await;
    s.deploy("child", "return await Signal.next('go');").await;
    let id = s.start("all", "{}").await;
    s.until("select count(*) = 1 from rhythm.live where name = 'child' and state = 'waiting'")
        .await;
    let copy = s.id(&fork(id, 1)).await;
    s.until("select count(*) = 2 from rhythm.live where name = 'child' and state = 'waiting'")
        .await;
    let of = |run: Uuid| {
        format!(
            "select jsonb_agg(to_jsonb(l) - array['id', 'seq', 'root_id', 'parent_id', 'due_at', 'started_at', 'start_by', 'end_by',
               'created_at'] || jsonb_build_object('starts', l.start_by - l.created_at, 'ends', l.end_by - l.created_at)
               order by l.promise)
             from rhythm.live l where l.parent_id = '{run}'"
        )
    };
    let (old, new) = (s.json(&of(id)).await, s.json(&of(copy)).await);
    assert_eq!(old.as_array().map(Vec::len), Some(3));
    assert_eq!(old, new);
    for run in [id, copy] {
        s.run(&format!("select rhythm.terminate('{run}')")).await;
    }
    s.run("select rhythm.terminate(id) from rhythm.live where name = 'child'")
        .await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_have_ended_give_their_outcomes_and_others_begin_anew() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy("child", "return await Task.run(Inputs);").await;
    s.deploy(
        "parent",
        "const all = await Promise.allSettled(['a', 'b', 'c'].map((n) => Workflow.run('child', n)));
         return all.map((one) => one.value ?? one.reason.message);",
    )
    .await;
    let id = s.start("parent", "{}").await;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(s.claim_one().await);
    }
    tasks.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(s.complete(&tasks[0], "1").await);
    assert_eq!(s.fail(&tasks[1], ", retryable => false").await, "failed");
    s.until("select count(*) = 1 from rhythm.live where name = 'child'")
        .await;
    let kept = states(&s, id).await;
    assert!(
        kept.starts_with("1 parent.flow:1:13 3 of its own, such as workflow 'child'"),
        "{kept}"
    );
    let copy = s.id(&fork(id, 1)).await;
    let own = s.claim_one().await;
    assert_eq!(own.name, "c");
    assert!(s.complete(&own, "30").await);
    s.becomes(copy, "completed").await;
    assert_eq!(s.completed(copy).await, json!([1, "disk full", 30]));
    assert!(s.complete(&tasks[2], "3").await);
    s.becomes(id, "completed").await;
    assert_eq!(s.completed(id).await, json!([1, "disk full", 3]));
    assert_eq!(count(&s, "child").await, 4);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_goes_on_with_what_was_not_done() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "map",
        "return await Task.map('work', Inputs, {concurrency: 2, queue: 'narrow'});",
    )
    .await;
    let id = s.start("map", "[1, 2, 3, 4, 5]").await;
    let claim = "'w', '{narrow}', max => 10";
    let first = s.claim_with(claim).await;
    assert!(s.complete(&first[0], "10").await);
    // Three is alive now, and four and five are held back.
    let copy = s.id(&fork(id, 1)).await;
    let living = |run: Uuid| {
        format!(
            "select coalesce(string_agg(inputs::text, ' ' order by seq), '') from rhythm.live where parent_id = '{run}'"
        )
    };
    assert_eq!(s.text(&living(copy)).await, "2 3");
    let finish = async || loop {
        let tasks = s.claim_with(claim).await;
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            let result = task.inputs.as_i64().unwrap_or_default() * 10;
            assert!(s.complete(&task, &result.to_string()).await);
            let most = format!("select count(*) from rhythm.live where parent_id = '{copy}'");
            assert!(s.number(&most).await <= 2);
        }
    };
    finish().await;
    assert_eq!(s.completed(copy).await, json!([10, 20, 30, 40, 50]));
    assert!(s.complete(&first[1], "20").await);
    finish().await;
    assert_eq!(s.completed(id).await, json!([10, 20, 30, 40, 50]));
    assert_eq!(count(&s, "work").await, 9, "one was done by then");
    // Of one that is over everything is known.
    let known = s.id(&fork(id, 1)).await;
    assert_eq!(s.completed(known).await, json!([10, 20, 30, 40, 50]));

    // All are done but for those that had no turn.
    let id = s.start("map", "[1, 2, 3, 4, 5, 6]").await;
    for task in s.claim_with(claim).await {
        assert!(s.complete(&task, "0").await);
    }
    let tasks = s.claim_with(claim).await;
    let copy = s.id(&fork(id, 1)).await;
    finish().await;
    assert_eq!(s.completed(copy).await, json!([0, 0, 30, 40, 50, 60]));
    // A turn that is given up is known to nobody.
    s.run(&format!("select rhythm.terminate('{id}')")).await;
    assert!(!s.complete(&tasks[0], "0").await);
    let refused = s.fails(&fork(id, 1)).await;
    assert!(
        refused.code == "RH351" && refused.detail.contains("map.flow:1:8"),
        "{refused:?}"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cancelled_begins_anew_and_what_is_not_known_is_refused() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "order",
        "const a = await Task.run('a');\nawait Task.run('b', {}, {result: 'discard'});\nreturn a;",
    )
    .await;
    let id = s.start("order", "{}").await;
    s.run(&format!("select rhythm.cancel('{id}')")).await;
    assert_eq!(s.state(id).await, "cancelled");
    let copy = s.id(&fork(id, 1)).await;
    s.work("1").await;
    let b = s.claim_one().await;
    // Alive, it is started anew.
    let second = s.id(&fork(copy, 1)).await;
    s.work("2").await;
    assert_eq!(s.completed(second).await, json!(1));
    assert!(s.complete(&b, "2").await);
    assert_eq!(s.completed(copy).await, json!(1));
    // That it was done is known, but not with which result.
    let refused = s.fails(&fork(copy, 1)).await;
    assert!(
        refused.code == "RH351" && refused.detail.contains("order.flow:2:1"),
        "{refused:?}"
    );
    let done = s.id(&fork(id, 1)).await;
    s.work("1").await;
    s.work("3").await;
    assert_eq!(s.completed(done).await, json!(1));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_was_given_its_result_by_hand_has_it_in_the_fork() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy("order", "return await Task.run('a');").await;
    let id = s.start("order", "{}").await;
    let task = s.claim_one().await;
    assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
    s.failed(id).await;
    let copy = s.id(&fork(id, 1)).await;
    assert_eq!(s.failed(copy).await["message"], "disk full");
    s.run(&format!("select rhythm.resolve('{}', '5')", task.id))
        .await;
    let copy = s.id(&fork(id, 1)).await;
    assert_eq!(s.completed(copy).await, json!(5));
    // Retried, it is alive: the fork has one of its own.
    s.run(&format!("select rhythm.retry('{id}')")).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_in_a_transaction_that_is_undone_leaves_nothing() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "order",
        "return await Promise.all([Task.run('a'), sleep('1h'), Signal.next('x')]);",
    )
    .await;
    let id = s.start("order", "{}").await;
    let rows = "select (select count(*) from rhythm.live) || ' ' || (select count(*) from rhythm.saves) || ' '
      || (select count(*) from rhythm.timers) || ' ' || (select count(*) from rhythm.signal_waits) || ' '
      || (select count(*) from rhythm.history) || ' ' || (select count(*) from rhythm.earlier_saves)";
    let before = s.text(rows).await;
    s.run(&format!("begin; {}; rollback", fork(id, 1))).await;
    assert_eq!(s.text(rows).await, before);
    // What such a transaction sees may have ended long ago.
    s.work("1").await;
    s.run("begin isolation level repeatable read").await;
    assert_eq!(s.fails(&fork(id, 1)).await.code, "RH201");
    s.run("rollback").await;
    let copy = s.id(&fork(id, 1)).await;
    s.run(&format!("select rhythm.signal('{copy}', 'x', '2')"))
        .await;
    advance(&s, "61 minutes").await;
    s.becomes(copy, "completed").await;
    assert_eq!(s.completed(copy).await, json!([1, null, 2]));
    s.run(&format!("select rhythm.terminate('{id}')")).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_had_happened_when_the_state_was_left_and_was_not_taken_has_happened() {
    let database = quiet().await;
    let s = keeping(&database, 10).await;
    s.run("create table gate (n int); insert into gate values (0)")
        .await;
    s.deploy(
        "meets",
        "const nap = sleep('1h').then(() => 'slept');
         await Signal.next('go');
         await Sql.exec('update gate set n = n + 1');
         return [await Signal.next('end'), await nap];",
    )
    .await;
    let id = s.start("meets", "{}").await;
    let gate = database.session().await;
    gate.run("begin; update gate set n = n").await;
    let steps = keeping(&database, 10).await;
    let step = tokio::spawn(async move {
        steps
            .run(&format!("select rhythm.signal('{id}', 'go')"))
            .await;
    });
    s.until("select count(*) > 0 from pg_locks where not granted")
        .await;
    // The timer fires while the step runs.
    advance(&s, "61 minutes").await;
    gate.run("commit").await;
    step.await.expect("the signal is sent");
    let early = format!(
        "select timers is null and jsonb_array_length(events) = 1 from rhythm.earlier_saves where execution_id = '{id}' and step = 2"
    );
    assert_eq!(s.text(&early).await, "t");
    let copy = s.id(&fork(id, 2)).await;
    for run in [id, copy] {
        s.run(&format!("select rhythm.signal('{run}', 'end', '1')"))
            .await;
        advance(&s, "0").await;
        assert_eq!(s.completed(run).await, json!([1, "slept"]));
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_put_off_is_put_off_for_the_fork() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "pays",
        "return await Task.run('pay', {}, {taskId: 'order-7'});",
    )
    .await;
    let other = database.session().await;
    other
        .run("begin; select rhythm.enqueue('pay', task_id => 'order-7')")
        .await;
    let id = s.start("pays", "{}").await;
    let copy = s.id(&fork(id, 1)).await;
    other.run("rollback").await;
    s.work("7").await;
    for run in [id, copy] {
        s.becomes(run, "completed").await;
        assert_eq!(s.completed(run).await, json!(7));
    }
    assert_eq!(count(&s, "pay").await, 1);
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_are_those_of_the_present_attempt_and_a_fork_has_one() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "again",
        "const a = await Task.run('a'); if (await Signal.next('ok') !== 1) throw new Error('no'); return a;",
    )
    .await;
    let id = s
        .id("select rhythm.start('again', retry => '{\"maxAttempts\": 2, \"initial\": \"1h\"}')")
        .await;
    s.work("1").await;
    let copy = s.id(&fork(id, 2)).await;
    s.run(&format!("select rhythm.signal('{id}', 'ok', '2')"))
        .await;
    assert_eq!(s.state(id).await, "scheduled");
    assert_eq!(states(&s, id).await, "");
    assert_eq!(s.fails(&fork(id, 2)).await.code, "RH350");
    // It would do again what it was to spare.
    s.run(&format!("select rhythm.signal('{copy}', 'ok', '2')"))
        .await;
    assert_eq!(s.failed(copy).await["message"], json!("no"));
    s.run(&format!("select rhythm.terminate('{id}')")).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_started_inside_a_mutex_that_somebody_else_holds() {
    let database = Database::create().await;
    let s = keeping(&database, 10).await;
    s.deploy(
        "holder",
        "const lock = await Mutex.acquire('m'); const paid = await Task.run('charge'); lock.release(); return paid;",
    )
    .await;
    let id = s.start("holder", "{}").await;
    s.until("select count(*) = 1 from rhythm.live where kind = 'task'")
        .await;
    let step = s
        .number(&format!("select max(step) from rhythm.states('{id}')"))
        .await as i32;
    assert_eq!(s.fails(&fork(id, step)).await.code, "RH343");
    assert_eq!(
        s.number("select count(*) from rhythm.live where kind = 'task'")
            .await,
        1
    );
    s.work("1").await;
    assert_eq!(s.completed(id).await, json!(1));
    let copy = s.id(&fork(id, step)).await;
    assert_eq!(s.completed(copy).await, json!(1));
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_a_task_id_may_be_repeated_when_the_state_has_gone() {
    let database = Database::create().await;
    let s = keeping(&database, 1).await;
    s.deploy(
        "order",
        "await Signal.next('go'); await Signal.next('go'); return 1;",
    )
    .await;
    let id = s.start("order", "{}").await;
    let call = format!("select rhythm.fork('{id}', 1, task_id => 'again')");
    let copy = s.id(&call).await;
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    assert_eq!(s.fails(&fork(id, 1)).await.code, "RH350");
    assert_eq!(s.id(&call).await, copy);
    s.run(&format!(
        "select rhythm.terminate(id) from (values ('{id}'::uuid), ('{copy}')) r (id)"
    ))
    .await;
    nothing_is_left(&s).await;
}
