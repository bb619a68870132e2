//! Interleavings that are arranged, not hoped for: what comes while a step runs, while a row is held, while a claim waits.

use std::time::Duration;

use rhythm_tests::clock::Stopwatch;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use serde_json::json;

/// Until another session waits for the advisory lock 1, which it does in the middle of a step.
async fn in_the_middle(s: &Session) {
    s.until(
        "select count(*) = 1 from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_comes_while_a_step_runs_is_told_at_the_next_await() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "slow",
        "await Task.run('a'); await Sql.query('select 1 from pg_advisory_xact_lock(1)'); return await Signal.next('never');",
    )
    .await;
    let id = s.start("slow", "{}").await;
    let task = s.claim_one().await;
    s.run("set rhythm.step_timeout = 0").await;
    other.run("select pg_advisory_lock(1)").await;
    let (completed, cancelled) = tokio::join!(s.complete(&task, "1"), async {
        in_the_middle(&other).await;
        let cancelled = other
            .text(&format!("select rhythm.cancel('{id}', 'changed my mind')"))
            .await;
        other.run("select pg_advisory_unlock(1)").await;
        cancelled
    });
    assert!(completed && cancelled == "t");
    let (state, _, error) = s.outcome(id).await;
    assert_eq!(
        (state.as_str(), &error["message"]),
        ("cancelled", &json!("changed my mind"))
    );
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_and_an_outcome_that_come_while_a_step_runs_are_taken_by_the_next() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "slow",
        "const b = Task.run('b'); const go = Signal.next('go');
         await Task.run('a'); await Sql.query('select 1 from pg_advisory_xact_lock(1)');
         return [await b, await go];",
    )
    .await;
    let id = s.start("slow", "{}").await;
    let mut tasks = s.claim(2).await;
    tasks.sort_by(|one, two| one.name.cmp(&two.name));
    s.run("set rhythm.step_timeout = 0").await;
    other.run("select pg_advisory_lock(1)").await;
    // Whoever waited for the root here would wait for itself, which is a deadlock.
    let (completed, ()) = tokio::join!(s.complete(&tasks[0], "1"), async {
        in_the_middle(&other).await;
        assert!(other.complete(&tasks[1], "2").await);
        other
            .run(&format!("select rhythm.signal('{id}', 'go', '3')"))
            .await;
        other.run("select pg_advisory_unlock(1)").await;
    });
    let begun = Stopwatch::start();
    assert!(completed);
    assert_eq!(s.completed(id).await, json!([2, 3]));
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "the holder's commit wakes the worker"
    );
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_of_a_step_that_signals_or_cancels_its_own_workflow_does_nothing_twice() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table ledger (note text)").await;
    s.deploy(
        "self",
        "const book = note => Sql.query('insert into ledger values ($1)', [note]);
         const first = Signal.next('go');
         await Task.run('a');
         await book('before');
         await Sql.query(`select rhythm.signal($1, 'go', '\"heard\"')`, [Context.executionId]);
         await book('after');
         const heard = await first;
         await book('end');
         await Sql.query('select rhythm.cancel($1)', [Context.executionId]);
         await Sql.query('select rhythm.tick()');
         try { await Signal.next('never'); } finally { await book(heard); }",
    )
    .await;
    let id = s.start("self", "{}").await;
    s.work("1").await;
    assert_eq!(s.outcome(id).await.0, "cancelled");
    let ledger = "select string_agg(note, ' ' order by ctid) from ledger";
    assert_eq!(s.text(ledger).await, "before after end heard");
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_starts_itself_in_its_sql_does_not_nest() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "again",
        "if (Inputs.n > 0) await Sql.query(`select rhythm.start('again', jsonb_build_object('n', $1::int))`, [Inputs.n - 1]);
         return Inputs.n;",
    )
    .await;
    s.start("again", r#"{"n": 300}"#).await;
    s.until("select count(*) = 301 from rhythm.executions where state = 'completed'")
        .await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflows_whose_sql_deadlocks_run_again_and_complete() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.run("create table pot (id int primary key, n int); insert into pot values (1, 0), (2, 0)")
        .await;
    s.deploy(
        "move",
        "await Task.run('go');
         await Sql.query('update pot set n = n + 1 where id = $1', [Inputs.from]);
         await Sql.query('select 1 from pg_sleep(0.1)');
         await Sql.query('update pot set n = n + 1 where id = $1', [3 - Inputs.from]);
         return 'moved';",
    )
    .await;
    for _ in 0..5 {
        let ids = [
            s.start("move", r#"{"from": 1}"#).await,
            s.start("move", r#"{"from": 2}"#).await,
        ];
        let tasks = s.claim(2).await;
        let done = tokio::join!(s.complete(&tasks[0], "1"), other.complete(&tasks[1], "1"));
        assert_eq!(done, (true, true), "nobody's outcome is lost");
        for id in ids {
            assert_eq!(s.completed(id).await, json!("moved"));
        }
    }
    s.run("select pg_stat_force_next_flush()").await;
    assert_eq!(
        s.text("select string_agg(n::text, ',' order by id) from pot")
            .await,
        "10,10",
        "each moved once"
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_can_never_be_serialised_fails_and_holds_up_nobody() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "create function never() returns int language plpgsql as
         $$ begin raise exception using errcode = '40001', message = 'never'; end $$",
    )
    .await;
    s.deploy("never", "return await Sql.query('select never()');")
        .await;
    s.deploy("nap", "await sleep('300ms'); return 'awake';")
        .await;
    let id = s.start("never", "{}").await;
    let begun = Stopwatch::start();
    let nap = s.start("nap", "{}").await;
    assert_eq!(s.completed(nap).await, json!("awake"));
    assert!(
        begun.elapsed() < Duration::from_secs(7),
        "others go on meanwhile"
    );
    assert_eq!(s.state(id).await, "pending", "it is tried after pauses");
    let error = s.failed(id).await;
    assert_eq!(
        (&error["name"], &error["code"], &error["message"]),
        (&json!("SqlError"), &json!("40001"), &json!("never"))
    );
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timer_of_a_step_that_met_a_deadlock_cancels_nothing_later() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "create function never() returns int language plpgsql as
         $$ begin raise exception using errcode = '40001', message = 'never'; end $$",
    )
    .await;
    s.deploy("never", "return await Sql.query('select never()');")
        .await;
    s.run("set rhythm.step_timeout = '200ms'").await;
    s.start("never", "{}").await;
    s.run("select pg_sleep(0.5)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_timeout_ends_a_lease_in_its_own_time() {
    let database = Database::create().await;
    let s = database.session().await;
    // The worker sleeps until this is due, so that what comes before it has to wake it.
    s.run("select rhythm.enqueue('later', queue => 'later', delay => '30 seconds')")
        .await;
    s.run("select rhythm.enqueue('a', heartbeat_timeout => '200ms'); select rhythm.enqueue('b')")
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let taken = s.claim_with("'dies', max => 2, lease => '1 hour'").await;
    assert_eq!(taken.len(), 2);
    let again = s.claim_with("'lives', wait => '5s'").await;
    assert_eq!(
        again.iter().map(|task| task.attempt).collect::<Vec<_>>(),
        [2]
    );
    // It would lapse once more.
    s.run("delete from rhythm.live where name = 'a'").await;
    // A heartbeat may shorten a lease too.
    let b = taken
        .iter()
        .find(|task| task.name == "b")
        .expect("both are claimed");
    s.run(&format!(
        "select rhythm.heartbeat('{{{}}}', '{{{}}}', lease => '200ms')",
        b.id, b.token
    ))
    .await;
    let again = s.claim_with("'lives', wait => '5s'").await;
    assert_eq!(
        again
            .iter()
            .map(|task| (task.id, task.attempt))
            .collect::<Vec<_>>(),
        [(b.id, 2)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_step_logs_is_kept_once_also_when_it_fails_later() {
    let database = Database::create().await;
    let s = database.session().await;
    for (name, sql) in [("plain", ""), ("guarded", "await Sql.query('select 1'); ")] {
        s.deploy(
            name,
            &format!("await Task.run('a'); {sql}console.log('one'); await Signal.next('go'); console.log('two'); null.x;"),
        )
        .await;
        let id = s.start(name, "{}").await;
        s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
        s.work("1").await;
        s.failed(id).await;
        let log = format!(
            "select string_agg(message, ' ' order by seq) from rhythm.logs where id = '{id}'"
        );
        assert_eq!(s.text(&log).await, "one two", "{name}");
    }
}

/// Until this many sessions wait in shared memory for what `claim` or `wait` want.
async fn parked(s: &Session, count: usize) {
    s.until(&format!(
        "select count(*) = {count} from pg_stat_activity where wait_event_type = 'Extension'
         and datname = current_database() and backend_type = 'client backend'"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_claim_can_be_cancelled_and_its_session_takes_no_wake_up_with_it() {
    let database = Database::create().await;
    let (s, first, second) = (
        database.session().await,
        database.session().await,
        database.session().await,
    );
    let pid = first.number("select pg_backend_pid()").await;
    first.run("begin; savepoint a").await;
    let (failure, ()) = tokio::join!(
        first.fails("select * from rhythm.claim('w1', wait => '5s')"),
        async {
            parked(&s, 1).await;
            s.run(&format!("select pg_cancel_backend({pid})")).await;
        }
    );
    assert_eq!(failure.code, "57014");
    // It stays in its transaction, and waits no longer.
    first.run("rollback to a").await;
    let begun = Stopwatch::start();
    let (got, ()) = tokio::join!(second.claim_with("'w2', wait => '5s'"), async {
        parked(&s, 1).await;
        s.run("select rhythm.enqueue('a')").await;
    });
    assert_eq!(got.len(), 1);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "the wake-up reached who waits"
    );
    first.run("rollback").await;
    assert_eq!(
        first
            .number("select count(*) from rhythm.claim('w1')")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_up_is_handed_on_to_who_can_use_it() {
    let database = Database::create().await;
    let s = database.session().await;
    // All wait for more queues than are told apart; only the last may take the task.
    let queues = "'{q0,q1,q2,q3,q4,q5,q6,q7,q8,q9}'";
    let mut waiting = Vec::new();
    for n in 0..5 {
        let session = database.session().await;
        let tasks = if n == 4 { "'{a}'" } else { "'{other}'" };
        let claim = format!("'w{n}', {queues}, wait => '5s', tasks => {tasks}");
        waiting.push(tokio::spawn(async move {
            session.claim_with(&claim).await.len()
        }));
        parked(&s, n + 1).await;
    }
    s.run("select rhythm.enqueue('a', queue => 'q9')").await;
    let begun = Stopwatch::start();
    assert_eq!(waiting.remove(4).await.expect("it claims"), 1);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "at once, not at the end of its wait"
    );
    for other in waiting {
        assert_eq!(other.await.expect("it ends"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_waits_ends_before_its_statement_timeout() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("set statement_timeout = '15s'").await;
    // Most of the statement's time is used up when the claim begins.
    let late = "with s as materialized (select pg_sleep(11)::text as slept)
                select c.id from s, lateral rhythm.claim('w' || s.slept, wait => '5s') c";
    assert_eq!(s.rows(late).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finish_commits_its_outcomes_before_anybody_waits() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy(
        "relay",
        "await Task.run('a'); return await Task.run('b', 1, {queue: 'others'});",
    )
    .await;
    s.start("relay", "{}").await;
    let task = s.claim_one().await;
    let outcome = json!([{"id": task.id, "token": task.token.to_string(), "result": 1}]);
    let begun = Stopwatch::start();
    let finish = format!("select rhythm.finish('w', '{outcome}', max => 1, wait => '5s')");
    let (_, got) = tokio::join!(
        s.rows(&finish),
        other.claim_with("'w2', '{others}', wait => '5s'")
    );
    assert_eq!(got.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_in_repeatable_read_and_serializable_leave_their_steps_to_the_worker() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "two",
        "const a = await Task.run('a'); return [a, await Signal.next('go')];",
    )
    .await;
    for isolation in ["repeatable read", "serializable"] {
        s.run(&format!("begin isolation level {isolation}")).await;
        let id = s.start("two", "{}").await;
        assert_eq!(s.state(id).await, "pending");
        s.run("commit").await;
        let task = s.claim_one().await;
        s.run(&format!("begin isolation level {isolation}")).await;
        assert!(s.complete(&task, "1").await);
        s.run(&format!("select rhythm.signal('{id}', 'go', '2'); commit"))
            .await;
        assert_eq!(s.completed(id).await, json!([1, 2]));
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_against_a_duplicate_of_the_task_id() {
    let database = Database::create().await;
    let (s, left, right) = (
        database.session().await,
        database.session().await,
        database.session().await,
    );
    for round in 0..100 {
        let enqueue = format!("select rhythm.enqueue('once', task_id => 'k{round}')");
        let old = s.id(&enqueue).await;
        let task = s.claim_one().await;
        assert_eq!(s.fail(&task, ", retryable => false").await, "failed");
        let retry = format!("select rhythm.retry('{old}')");
        let (retried, new) = tokio::join!(left.attempt(&retry), right.id(&enqueue));
        let holder = match retried {
            Ok(_) => old,
            Err(failure) => {
                assert_eq!(failure.code, "RH304", "{failure:?}");
                assert_ne!(new, old);
                new
            }
        };
        assert_eq!(
            new, holder,
            "round {round}: one holds the key, and all hear who"
        );
        let alive = "select count(*) from rhythm.live";
        assert_eq!(s.number(alive).await, 1, "round {round}");
        s.work("1").await;
    }
    no_deadlocks(&s).await;
    nothing_is_left(&s).await;
}
