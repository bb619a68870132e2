//! `Mutex.acquire`: one run at a time, in the order in which they asked, whatever becomes of them.

use rhythm_tests::clock::{advance, tick};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::{no_deadlocks, nothing_is_left};
use rhythm_tests::server::Setup;
use serde_json::json;
use uuid::Uuid;

/// Holds the mutex until it is told to end, as it is told.
const HOLDER: &str = "const lock = await Mutex.acquire(Inputs.name ?? 'm', {timeout: Inputs.timeout});
     Context.set('holds', true);
     const how = await Signal.next('end');
     if (how === 'release') { lock.release(); lock.release(); Context.set('holds', false); await Signal.next('end'); }
     if (how === 'fail') throw new Error('no');
     return lock.name;";

async fn holds(s: &Session, id: Uuid) {
    s.until(&format!(
        "select coalesce((rhythm.attributes('{id}') ->> 'holds')::bool, false)"
    ))
    .await;
}

async fn waits(s: &Session, id: Uuid) {
    assert_eq!(s.state(id).await, "waiting");
    assert_eq!(
        s.json(&format!("select rhythm.attributes('{id}')")).await,
        json!({})
    );
}

async fn end(s: &Session, id: Uuid, how: &str) {
    s.run(&format!("select rhythm.signal('{id}', 'end', '\"{how}\"')"))
        .await;
}

/// The reason and the explanation of `why`.
async fn why(s: &Session, id: Uuid) -> (String, String) {
    let ask = format!("select reason, explanation from rhythm.why('{id}')");
    let mut row = s.rows(&ask).await.remove(0).into_iter().flatten();
    (
        row.next().unwrap_or_default(),
        row.next().unwrap_or_default(),
    )
}

/// No name is held, asked for or marked; what has failed may be retried, and keeps its claims.
async fn all_is_free(s: &Session) {
    for table in ["mutexes", "mutex_claims where not parked", "mutex_marks"] {
        s.until(&format!("select count(*) = 0 from rhythm.{table}"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_hold_it_one_after_the_other_in_the_order_in_which_they_asked() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("holder", HOLDER).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(s.start("holder", "{}").await);
    }
    let other = s.start("holder", r#"{"name": "other"}"#).await;
    // Whoever finds it free has it within the call.
    assert_eq!(
        s.json(&format!("select rhythm.attributes('{}')", ids[0]))
            .await,
        json!({"holds": true})
    );
    holds(&s, other).await;
    for (at, how) in ["release", "", "fail", ""].into_iter().enumerate() {
        holds(&s, ids[at]).await;
        for (before, id) in ids[at + 1..].iter().enumerate() {
            waits(&s, *id).await;
            let (reason, told) = why(&s, *id).await;
            assert_eq!(reason, "waits_for_mutex");
            let holder = format!("for the mutex 'm', which run {} of 'holder' holds", ids[at]);
            assert!(told.contains(&holder), "{told}");
            let place = if before == 0 {
                "waits at holder.flow:1:"
            } else {
                " before it"
            };
            assert!(told.contains(place), "{told}");
        }
        end(&s, ids[at], how).await;
    }
    for id in [ids[0], other] {
        end(&s, id, "").await;
    }
    for id in [ids[0], ids[1], ids[3]] {
        assert_eq!(s.completed(id).await, json!("m"));
    }
    all_is_free(&s).await;
    assert_eq!(
        s.text(&format!(
            "select string_agg(event || ' ' || (waited >= '0')::text, ', ') from rhythm.timeline('{}') where name = 'm'",
            ids[3]
        ))
        .await,
        "mutex_acquired true"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_a_run_gives_it_to_the_next() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy("holder", HOLDER).await;
    let mut before = s
        .id("select rhythm.start('holder', timeout => '1 hour')")
        .await;
    for how in ["timeout", "cancel", "terminate", "again", "fail"] {
        let retry = match how {
            "terminate" => r#", retry => '{"maxAttempts": 2, "initial": "1d"}'"#,
            _ => "",
        };
        let next = s.id(&format!("select rhythm.start('holder'{retry})")).await;
        holds(&s, before).await;
        waits(&s, next).await;
        match how {
            "timeout" => advance(&s, "1 hour").await,
            "again" | "fail" => end(&s, before, "fail").await,
            _ => s.run(&format!("select rhythm.{how}('{before}')")).await,
        }
        let state = match how {
            "timeout" => "timed_out",
            "again" => "scheduled",
            "fail" => "failed",
            _ => "cancelled",
        };
        assert_eq!(s.state(before).await, state);
        holds(&s, next).await;
        before = next;
    }
    end(&s, before, "").await;
    assert_eq!(s.completed(before).await, json!("m"));
    // The one that begins again asks again.
    advance(&s, "1 day").await;
    s.until("select exists (select from rhythm.mutexes)").await;
    let again = s.id("select id from rhythm.live").await;
    end(&s, again, "").await;
    assert_eq!(s.completed(again).await, json!("m"));
    all_is_free(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_ends_when_its_time_is_up_and_by_task_cancel() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    s.deploy("holder", HOLDER).await;
    s.deploy(
        "impatient",
        "const wait = Mutex.acquire('m');
         const first = await Promise.race([wait.then(() => 'got'), sleep('1m')]);
         if (first === 'got') return first;
         Task.cancel(wait, 'too late');
         try { await Mutex.acquire('m', {timeout: '1m'}); } catch (e) { return [e.name, e.message, e instanceof TimeoutError]; }",
    )
    .await;
    let holder = s.start("holder", "{}").await;
    let impatient = s.start("impatient", "{}").await;
    let patient = s.start("holder", r#"{"timeout": "2h"}"#).await;
    advance(&s, "61 seconds").await;
    // Its second wait has begun.
    s.until(&format!(
        "select count(due_at) = 1 from rhythm.mutex_claims where execution_id = '{impatient}'"
    ))
    .await;
    assert_eq!(
        s.number("select count(*) from rhythm.mutex_claims").await,
        3
    );
    advance(&s, "59 seconds").await;
    assert_eq!(s.state(impatient).await, "waiting");
    let until = s
        .text(&format!(
            "select until - rhythm._now() < '3 seconds' from rhythm.why('{impatient}')"
        ))
        .await;
    assert_eq!(until, "t");
    advance(&s, "3 seconds").await;
    assert_eq!(
        s.completed(impatient).await,
        json!(["TimeoutError", "the mutex 'm' was not free in time", true])
    );
    end(&s, holder, "").await;
    holds(&s, patient).await;
    // Its time was for the wait alone.
    advance(&s, "3 hours").await;
    assert_eq!(s.state(patient).await, "waiting");
    end(&s, patient, "").await;
    assert_eq!(s.completed(patient).await, json!("m"));
    all_is_free(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_retried_goes_on_when_it_holds_again_what_it_held() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("holder", HOLDER).await;
    // Waits for the third while it holds two, and fails once.
    s.run("create table public.mended ()").await;
    s.deploy(
        "two",
        "const a = await Mutex.acquire('a');
         const b = await Mutex.acquire('b');
         const c = Mutex.acquire('c').then((lock) => lock.name);
         await Signal.next('go');
         const [{mended}] = await Sql.query(\"select to_regclass('public.mended') is null as mended\");
         if (!mended) throw new Error('no');
         Context.set('inside', true);
         const last = await c;
         a.release();
         b.release();
         return [a.name, b.name, last];",
    )
    .await;
    let held = |name: &str| json!({"name": name}).to_string();
    let c = s.start("holder", &held("c")).await;
    let two = s.start("two", "{}").await;
    s.until("select count(*) = 3 from rhythm.mutexes").await;
    let a = s.start("holder", &held("a")).await;
    let b = s.start("holder", &held("b")).await;
    waits(&s, a).await;
    s.run(&format!("select rhythm.signal('{two}', 'go')")).await;
    assert_eq!(s.state(two).await, "failed");
    holds(&s, a).await;
    holds(&s, b).await;
    // It is in no queue as long as it is not retried.
    end(&s, c, "").await;
    assert_eq!(s.completed(c).await, json!("c"));
    s.run(&format!(
        "drop table public.mended; select rhythm.retry('{two}')"
    ))
    .await;
    s.until(&format!(
        "select reason = 'waits_for_mutex' from rhythm.why('{two}')"
    ))
    .await;
    let (_, told) = why(&s, two).await;
    assert!(
        told.contains(&format!("to go on, for the mutex 'a', which run {a}")),
        "{told}"
    );
    // It takes them in the order in which it took them first: so it holds none that comes later.
    end(&s, b, "").await;
    assert_eq!(s.completed(b).await, json!("b"));
    let b = s.start("holder", &held("b")).await;
    holds(&s, b).await;
    assert_eq!(s.state(two).await, "scheduled");
    // Then it waits for the second.
    end(&s, a, "").await;
    s.until(&format!(
        "select explanation like '%the mutex ''b'', which run {b}%' from rhythm.why('{two}')"
    ))
    .await;
    assert_eq!(
        s.json(&format!("select rhythm.attributes('{two}')")).await,
        json!({})
    );
    end(&s, b, "").await;
    assert_eq!(s.completed(two).await, json!(["a", "b", "c"]));
    all_is_free(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_run_that_waits_may_be_cancelled_and_terminated() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("holder", HOLDER).await;
    for how in ["cancel", "terminate"] {
        let failed = s.start("holder", "{}").await;
        end(&s, failed, "fail").await;
        assert_eq!(s.state(failed).await, "failed");
        let next = s.start("holder", "{}").await;
        holds(&s, next).await;
        s.run("select rhythm.retry_many(kind => 'workflow')").await;
        s.until(&format!(
            "select reason = 'waits_for_mutex' from rhythm.why('{failed}')"
        ))
        .await;
        s.run(&format!("select rhythm.{how}('{failed}')")).await;
        if how == "cancel" {
            assert_eq!(s.state(failed).await, "scheduled");
        }
        end(&s, next, "").await;
        s.becomes(failed, "cancelled").await;
        all_is_free(&s).await;
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_goes_on_when_it_holds_what_its_state_held() {
    let database = Database::alone(Setup {
        settings: vec!["rhythm.kept_states=20".to_owned()],
        ..Setup::default()
    })
    .await;
    let s = database.session().await;
    s.deploy("holder", HOLDER).await;
    let first = s.start("holder", "{}").await;
    holds(&s, first).await;
    let second = s.start("holder", r#"{"timeout": "1h"}"#).await;
    let fork = |of: Uuid| {
        format!(
            "select rhythm.fork('{of}', (select max(step) from rhythm.earlier_saves where execution_id = '{of}'))"
        )
    };
    // One of the holder, which goes on inside, and one of a run that waits.
    let inside = s.id(&fork(first)).await;
    let waiting = s.id(&fork(second)).await;
    s.until(&format!(
        "select reason = 'waits_for_mutex' from rhythm.why('{inside}')"
    ))
    .await;
    assert_eq!(s.state(inside).await, "scheduled");
    s.becomes(waiting, "waiting").await;
    let mut order = Vec::new();
    for _ in 0..4 {
        s.until("select exists (select from rhythm.mutexes)").await;
        let holder = s.id("select execution_id from rhythm.mutexes").await;
        order.push(holder);
        s.until(&format!(
            "select state = 'waiting' from rhythm.live where id = '{holder}'"
        ))
        .await;
        end(&s, holder, "").await;
        assert_eq!(s.completed(holder).await, json!("m"));
        s.until(&format!(
            "select not exists (select from rhythm.mutexes where execution_id = '{holder}')"
        ))
        .await;
    }
    assert_eq!(order[..2], [first, second]);
    assert!(order.contains(&inside) && order.contains(&waiting));
    all_is_free(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_that_took_it_lets_nobody_wait_for_a_lock() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.deploy("holder", HOLDER).await;
    s.run("set lock_timeout = '1s'").await;
    other.run("begin").await;
    let first = other.start("holder", "{}").await;
    let second = s.start("holder", "{}").await;
    // Nor does its own time wait for that transaction.
    let late = s.start("holder", r#"{"timeout": "1ms"}"#).await;
    s.becomes(late, "failed").await;
    waits(&s, second).await;
    other.run("rollback").await;
    holds(&s, second).await;
    // The holder's end is in flight, and so is who is next: that one times out, and the name goes on.
    let third = s.start("holder", r#"{"timeout": "1h"}"#).await;
    other.run("begin").await;
    end(&other, second, "").await;
    let fourth = s.start("holder", "{}").await;
    s.run("update rhythm.mutex_claims set due_at = rhythm._now() where due_at is not null")
        .await;
    tick(&s).await;
    s.becomes(third, "failed").await;
    waits(&s, fourth).await;
    other.run("commit").await;
    holds(&s, fourth).await;
    end(&s, fourth, "").await;
    assert_eq!(s.completed(fourth).await, json!("m"));
    assert_eq!(
        s.number(&format!(
            "select count(*) from rhythm.executions where id = '{first}'"
        ))
        .await,
        0
    );
    all_is_free(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_step_together_ask_and_give_back_in_one_statement_each() {
    let database = Database::create().await;
    let s = database.session().await;
    // Of each name one run gives it back, one asks for it, one has what it needs at once, and one is undone.
    s.deploy(
        "batch",
        "const lock = await Mutex.acquire(`b${Inputs.n % 20}`);
         await sleep(0);
         await Sql.exec('insert into public.effects values ($1, $2)', [Context.executionId, lock.name]);
         if (Inputs.n >= 60) throw new Error('undone');
         if (Inputs.n >= 20) lock.release();
         return 1;",
    )
    .await;
    s.run("create table public.effects (run uuid, name text)")
        .await;
    s.run("select count(*) from rhythm.start_many((select jsonb_agg(jsonb_build_object('workflow', 'batch', 'inputs', jsonb_build_object('n', n))) from generate_series(0, 79) n))")
        .await;
    s.until("select count(*) = 0 from rhythm.live").await;
    assert_eq!(
        s.text("select string_agg(state || ' ' || n, ', ' order by state) from (select state, count(*) as n from rhythm.executions group by 1) e")
            .await,
        "completed 60, failed 20"
    );
    assert_eq!(s.number("select count(*) from public.effects").await, 60);
    all_is_free(&s).await;
    no_deadlocks(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_transaction_takes_a_bounded_number_of_locks_and_all_names_are_given_out() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("many", "await Mutex.acquire(`n${Inputs.n}`); return 1;")
        .await;
    s.run("begin").await;
    s.run("select count(*) from rhythm.start_many((select jsonb_agg(jsonb_build_object('workflow', 'many', 'inputs', jsonb_build_object('n', n))) from generate_series(1, 500) n))")
        .await;
    let locks = "select count(*) from pg_locks where locktype = 'object' and classid = 'rhythm.mutexes'::regclass and pid = pg_backend_pid()";
    assert_eq!(s.number(locks).await, 64);
    s.run("commit").await;
    s.until("select count(*) = 0 from rhythm.live").await;
    assert_eq!(
        s.number("select count(*) from rhythm.executions where state = 'completed'")
            .await,
        500
    );
    all_is_free(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_failed_of_inside_is_done_again_when_it_holds_the_mutex_again() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "pays",
        "const lock = await Mutex.acquire('m'); const paid = await Task.run('charge', Inputs); lock.release(); return paid;",
    )
    .await;
    let first = s.start("pays", "1").await;
    let task = s.claim_one().await;
    s.fail(&task, ", retryable => false").await;
    s.becomes(first, "failed").await;
    let second = s.start("pays", "2").await;
    s.until("select count(*) = 1 from rhythm.live where name = 'charge'")
        .await;
    s.run(&format!("select rhythm.retry('{first}')")).await;
    assert_eq!(s.state(first).await, "scheduled");
    let inside = s.claim(5).await;
    assert_eq!(inside.len(), 1, "one is inside at a time");
    assert_eq!(inside[0].inputs, json!(2));
    s.complete(&inside[0], "2").await;
    assert_eq!(s.completed(second).await, json!(2));
    s.work("1").await;
    assert_eq!(s.completed(first).await, json!(1));
    all_is_free(&s).await;
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_of_many_names_that_are_free_gets_each() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "tries",
        "const lock = await Mutex.acquire(`n${Inputs}`, {timeout: 0}); lock.release(); return 1;",
    )
    .await;
    s.run(
        "select count(*) from rhythm.start_many((select jsonb_agg(jsonb_build_object('workflow', 'tries', 'inputs', n))
           from generate_series(1, 300) n))",
    )
    .await;
    s.until("select count(*) = 0 from rhythm.live").await;
    assert_eq!(
        s.number("select count(*) from rhythm.archive where state = 'completed'")
            .await,
        300
    );
    nothing_is_left(&s).await;
}
