//! Every reason that `why` and `why_queue` can give, with what to do; and that asking is cheap.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::report;
use rhythm_tests::server::Setup;
use uuid::Uuid;

/// The reason; and the sentence, the hint and the times are there and say these things.
pub(crate) async fn says(s: &Session, call: &str, reason: &str, parts: &[&str]) {
    let row = s
        .rows(&format!(
            "select reason, explanation || ' | ' || coalesce(hint, 'NO HINT') || ' | since ' || coalesce(since::text, 'ever')
               || ' | until ' || coalesce(until::text, 'open') from rhythm.{call}"
        ))
        .await
        .remove(0);
    let all = row[1].clone().unwrap_or_default();
    assert_eq!(row[0].as_deref(), Some(reason), "{call}: {all}");
    assert!(!all.contains("NO HINT"), "{all}");
    for part in parts {
        assert!(all.contains(part), "{reason}: `{part}` is not in: {all}");
    }
}

async fn why(s: &Session, id: Uuid, reason: &str, parts: &[&str]) {
    says(s, &format!("why('{id}')"), reason, parts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_task_that_no_worker_takes() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s.id("select rhythm.enqueue('chrage', queue => 'q')").await;
    s.run(r#"select rhythm.register('w1', '["charge"]')"#).await;
    why(
        &s,
        id,
        "unknown_task",
        &["'chrage'", "'charge'", "correct the name", "since ever"],
    )
    .await;
    says(&s, "why_queue('q')", "unknown_task", &["'chrage'"]).await;

    s.run(r#"select rhythm.register('w1', '["charge", "chrage"]')"#)
        .await;
    s.claim_with("'w1', '{other}'").await;
    // Its queues are noted when it claims, at most every ten seconds.
    s.run("update rhythm.worker_registry set queues = '{other}'")
        .await;
    why(&s, id, "queue_not_served", &["'w1'", "other", "'q'"]).await;

    advance(&s, "2 minutes").await;
    why(&s, id, "no_live_worker", &["'w1'", "Start a worker"]).await;
    s.claim_with("'w2', '{q}', max => 0").await;
    s.run("update rhythm.worker_registry set queues = '{q}', last_seen = rhythm._now()")
        .await;
    let second = s.id("select rhythm.enqueue('charge', queue => 'q')").await;
    why(
        &s,
        id,
        "workers_busy",
        &["0 tasks are before it", "1 live workers"],
    )
    .await;
    why(&s, second, "workers_busy", &["1 tasks are before it"]).await;
    says(
        &s,
        "why_queue('q')",
        "workers_busy",
        &["0 tasks are before it"],
    )
    .await;

    s.run("select rhythm.pause_task('charge', 'wrong amounts')")
        .await;
    why(
        &s,
        second,
        "task_paused",
        &[
            "'charge'",
            "postgres",
            "wrong amounts",
            "resume_task('charge')",
        ],
    )
    .await;
    s.run("select rhythm.pause_queue('q', 'no disk'); select rhythm.resume_task('charge')")
        .await;
    for call in [format!("why('{id}')"), "why_queue('q')".to_owned()] {
        says(
            &s,
            &call,
            "queue_paused",
            &["postgres", "no disk", "resume_queue('q')"],
        )
        .await;
    }
    s.run("select rhythm.pause_all('fire')").await;
    for call in [
        format!("why('{id}')"),
        "why_queue('q')".to_owned(),
        "why_queue('none')".to_owned(),
    ] {
        says(
            &s,
            &call,
            "all_paused",
            &["postgres", "fire", "resume_all()"],
        )
        .await;
    }
    s.run("select rhythm.resume_all(); update rhythm.gate set database = 1")
        .await;
    for call in [format!("why('{id}')"), "why_queue('q')".to_owned()] {
        says(&s, &call, "not_adopted", &["adopt()"]).await;
    }
    s.run("select rhythm.adopt(); select rhythm.resume_queue('q')")
        .await;
    why(&s, id, "workers_busy", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_limits() {
    let database = Database::create().await;
    let s = database.session().await;
    let second = "select rhythm.enqueue('a', '{\"tenant\": \"acme\"}', 'q')";
    let cases = [
        (
            "concurrency => 1",
            "queue_full",
            vec!["as many as it may", "on w since", "concurrency => 2"],
        ),
        (
            "reset => '{concurrency}', concurrency_key => 'tenant'",
            "key_full",
            vec![
                "tenant = ''acme''",
                "on w since",
                "concurrency_per_key => 2",
            ],
        ),
        (
            "reset => '{concurrency_key}', rate_limit => '1/hour'",
            "rate_limited",
            vec!["1/hour", "until 20"],
        ),
        (
            "rate_key => 'tenant'",
            "rate_limited",
            vec!["tenant = ''acme''", "until 20"],
        ),
    ];
    for (setting, reason, parts) in cases {
        s.run(&format!("select rhythm.configure_queue('q', {setting}); delete from rhythm.live; delete from rhythm.buckets")).await;
        let first = s.id(second).await;
        assert_eq!(s.claim_with("'w', '{q}'").await.len(), 1);
        let id = s.id(second).await;
        let parts: Vec<_> = parts
            .into_iter()
            .map(|part| part.replace("''", "'"))
            .collect();
        let mut parts: Vec<_> = parts.iter().map(String::as_str).collect();
        let by_whom = first.to_string();
        if reason.ends_with("full") {
            parts.push(&by_whom);
        }
        why(&s, id, reason, &parts).await;
        says(&s, "why_queue('q')", reason, &parts).await;
        // Another key has its own slot and bucket.
        let free = s
            .id("select rhythm.enqueue('a', '{\"tenant\": \"b\"}', 'q')")
            .await;
        let other = if setting.contains("tenant") {
            "workers_busy"
        } else {
            reason
        };
        why(&s, free, other, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_task_that_runs_waits_its_time_is_held_or_has_ended() {
    let database = Database::create().await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', retry => '{\"maxAttempts\": 3, \"initial\": \"1h\"}')")
        .await;
    let task = s.claim_one().await;
    why(&s, id, "running", &["'tester'", "attempt 1", "until 20"]).await;
    s.run(&format!("select rhythm.cancel('{id}')")).await;
    why(&s, id, "running", &["cancellation at its next heartbeat"]).await;
    s.run("delete from rhythm.cancels").await;
    assert_eq!(s.fail(&task, "").await, "scheduled");
    why(
        &s,
        id,
        "retry",
        &["attempt 1 of 3", "disk full", "until 20", "rhythm.attempts"],
    )
    .await;
    let later = s
        .id("select rhythm.enqueue('a', queue => 'later', delay => '1 hour')")
        .await;
    why(&s, later, "scheduled", &["until 20"]).await;
    says(
        &s,
        "why_queue('later')",
        "empty",
        &["nothing is pending", "until 20", "by itself"],
    )
    .await;
    says(
        &s,
        "why_queue('none')",
        "empty",
        &["nothing is pending", "until open"],
    )
    .await;

    let held = s.id("select rhythm.enqueue('a', queue => 'held')").await;
    let other = database.session().await;
    other
        .run(&format!("begin; select rhythm.cancel('{held}')"))
        .await;
    s.run(
        "update rhythm.worker_registry set tasks = null, queues = null, last_seen = rhythm._now()",
    )
    .await;
    let pid = other.text("select pg_backend_pid()").await;
    why(&s, held, "locked", &[&pid, "commit or roll back"]).await;
    other.run("commit").await;
    why(&s, held, "ended", &["cancelled", "timeline"]).await;
    let done = s.id("select rhythm.enqueue('a', queue => 'done')").await;
    let task = s.claim_with("'w', '{done}'").await.remove(0);
    assert!(s.complete(&task, "1").await);
    why(&s, done, "ended", &["completed", "rhythm.result(id)"]).await;
    assert_eq!(
        s.fails("select rhythm.why('00000000-0000-7000-8000-000000000000')")
            .await
            .code,
        "RH301"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_workflow() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("child", "return await Task.run('work');").await;
    let source = "const what = Inputs.what;
       if (what === 'task') await Task.run('work');
       if (what === 'child') await Workflow.run('child', {});
       if (what === 'signal') await Signal.next('go');
       if (what === 'sleep') await sleep('1h');
       if (what === 'other') await Task.run('work', null, {taskId: 'k'});";
    s.deploy("flow", source).await;
    s.run("select rhythm.enqueue('work', 'null', task_id => 'k', queue => 'elsewhere')")
        .await;
    let cases: [(&str, &str, &[&str]); 5] = [
        (
            "task",
            "waits_for_child",
            &[
                "it waits at flow.flow:2:29 for task 'work'",
                "no worker has ever served 'work'",
            ],
        ),
        (
            "child",
            "waits_for_child",
            &[
                "it waits at flow.flow:3:30 for workflow 'child'",
                "no worker has ever served 'work'",
                "Start a worker",
            ],
        ),
        (
            "signal",
            "waits_for_signal",
            &[
                "it waits at flow.flow:4:31 for the signal go",
                "since 20",
                "until open",
                ", 'go', ...)",
                "rhythm.cancel(",
            ],
        ),
        (
            "sleep",
            "sleeps",
            &[
                "it sleeps at flow.flow:5:30",
                "since 20",
                "until 20",
                "rhythm.cancel(",
            ],
        ),
        (
            "other",
            "waits_for_other",
            &[
                "it waits at flow.flow:6:30 for execution",
                "holds the taskId",
                "since 20",
                "rhythm.why(",
            ],
        ),
    ];
    for (what, reason, parts) in cases {
        let id = s.start("flow", &format!("{{\"what\": \"{what}\"}}")).await;
        s.becomes(id, "waiting").await;
        s.until(
            "select count(*) = 0 /* what is left to the background worker */ from rhythm.runnable",
        )
        .await;
        why(&s, id, reason, parts).await;
    }
    // Something has gone wrong: no program can wait like this.
    s.run("delete from rhythm.timers").await;
    let id = s
        .id("select id from rhythm.live where inputs ->> 'what' = 'sleep'")
        .await;
    why(&s, id, "waits_for_nothing", &["Cancel it"]).await;
    // Its tree is held, and its step left to the background worker, which nobody lets have it.
    let id = s.start("flow", r#"{"what": "signal"}"#).await;
    let other = database.session().await;
    other
        .run(&format!(
            "begin; select from rhythm.live where id = '{id}' for update"
        ))
        .await;
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    why(&s, id, "locked", &["session"]).await;
    other.run("commit").await;
    assert_eq!(s.outcome(id).await.0, "completed");
    // A mark for later, as after a deadlock.
    let id = s.start("flow", r#"{"what": "sleep"}"#).await;
    s.run(&format!(
        "insert into rhythm.runnable (root_id, execution_id, alone_at) values ('{id}', '{id}', rhythm._now() + interval '1 hour')"
    ))
    .await;
    why(&s, id, "step_due", &["until 20", "rhythm.tick()"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_server_on_which_nothing_fires() {
    let database = Database::alone(Setup {
        preload: false,
        ..Setup::default()
    })
    .await;
    let s = database.session().await;
    let id = s
        .id("select rhythm.enqueue('a', delay => '1 minute')")
        .await;
    why(&s, id, "scheduled", &[]).await;
    s.run("update rhythm.test_clock set shift = '2 minutes'")
        .await;
    why(
        &s,
        id,
        "nothing_fires",
        &["shared_preload_libraries", "rhythm.tick()"],
    )
    .await;
    s.run("select rhythm.tick()").await;
    why(&s, id, "unknown_task", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_touches_few_pages_however_long_the_queue_is() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.register('w', '[\"a\"]');
         select rhythm.configure_queue('limited', concurrency_key => 'n', rate_limit => '1/hour', rate_key => 'n');
         select rhythm.enqueue_rows($$select 'a' as name, jsonb_build_object('n', n) as inputs from generate_series(1, 20000) n$$);
         select rhythm.enqueue_rows($$select 'a' as name, jsonb_build_object('n', n % 100) as inputs, 'limited' as queue from generate_series(1, 20000) n$$)",
    )
    .await;
    s.run("vacuum analyze rhythm.live").await;
    for queue in ["default", "limited"] {
        for order in ["asc", "desc"] {
            let id = s
                .text(&format!("select id from rhythm.live where queue = '{queue}' order by seq {order} limit 1"))
                .await;
            for call in [format!("why('{id}')"), format!("why_queue('{queue}')")] {
                // The first call reads catalogs, and so does one after an invalidation: the least of some counts.
                let mut pages = i64::MAX;
                for _ in 0..5 {
                    let plan = s
                        .json(&format!(
                            "explain (analyze, buffers, format json) select rhythm.{call}"
                        ))
                        .await;
                    let plan = &plan[0]["Plan"];
                    pages = pages.min(
                        plan["Shared Hit Blocks"].as_i64().unwrap_or(0)
                            + plan["Shared Read Blocks"].as_i64().unwrap_or(0),
                    );
                }
                report(&format!("why: {pages} pages, {call} of {queue}, {order}"));
                assert!(
                    pages < 300,
                    "{call} ({queue}, {order}) touches {pages} pages"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_was_put_off_and_what_asks_for_a_taken_task_id() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    let id = s
        .id("select rhythm.enqueue('a', retry => '{\"initial\": \"1h\"}')")
        .await;
    let task = s.claim_one().await;
    s.fail(&task, "").await;
    why(&s, id, "retry", &["attempt 1 of 5 failed"]).await;
    advance(&s, "2 hours").await;
    rhythm_tests::clock::tick(&s).await;
    let task = s.claim_one().await;
    let snooze = format!("select rhythm.snooze('{id}', {}, '1 hour')", task.token);
    s.run(&snooze).await;
    why(&s, id, "scheduled", &[]).await;

    s.deploy("asks", "return await Task.run('a', {}, { taskId: 'k' })")
        .await;
    other
        .run("begin; select rhythm.enqueue('a', task_id => 'k')")
        .await;
    let run = s.start("asks", "{}").await;
    // The background worker tries again every 100 ms, and holds the run in that moment.
    s.until(&format!(
        "select reason = 'task_id_taken' and hint like '%commit or roll back%' from rhythm.why('{run}')"
    ))
    .await;
    other.run("rollback").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_asks_for_other_tasks_than_before_is_known_for_those() {
    let database = Database::create().await;
    let s = database.session().await;
    let tasks = "select array_to_string(tasks, ',') from rhythm.workers where name = 'w'";
    s.claim_with("'w', tasks => '{a}'").await;
    assert_eq!(s.text(tasks).await, "a");
    // At most every ten seconds.
    advance(&s, "11 seconds").await;
    s.claim_with("'w', tasks => '{b}'").await;
    assert_eq!(s.text(tasks).await, "b");
    let id = s.id("select rhythm.enqueue('b')").await;
    why(&s, id, "workers_busy", &["1 live workers"]).await;
    let old = s.id("select rhythm.enqueue('a')").await;
    why(&s, old, "unknown_task", &["'a'"]).await;
    // Names of one claim are for that claim alone, before and after a registration.
    assert_eq!(s.claim_with("'w', max => 9").await.len(), 2);
    s.run("select rhythm.register('w', '[\"c\", \"d\"]')").await;
    s.run("select rhythm.enqueue('c'), rhythm.enqueue('d'), rhythm.enqueue('e')")
        .await;
    advance(&s, "11 seconds").await;
    assert_eq!(s.claim_with("'w', tasks => '{c}', max => 9").await.len(), 1);
    assert_eq!(s.text(tasks).await, "c");
    advance(&s, "11 seconds").await;
    assert_eq!(s.claim_with("'w', max => 9").await.len(), 1);
    assert_eq!(s.text(tasks).await, "c,d");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_limit_that_an_open_claim_holds() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    let task = "select rhythm.enqueue('a', '{\"tenant\": \"acme\"}', 'q')";
    for setting in [
        "concurrency => 1",
        "reset => '{concurrency}', concurrency_key => 'tenant'",
        "reset => '{concurrency_key}', rate_limit => '1/hour'",
        "rate_key => 'tenant'",
    ] {
        s.run(&format!("select rhythm.configure_queue('q', {setting}); delete from rhythm.live; delete from rhythm.buckets")).await;
        s.run(task).await;
        s.claim_with("'w', '{q}', max => 0").await;
        s.run("insert into rhythm.worker_registry (name, registered_at, last_seen) values ('w', rhythm._now(), rhythm._now())
               on conflict (name) do update set last_seen = rhythm._now(), queues = '{q}'")
            .await;
        other.run("begin").await;
        assert_eq!(other.claim_with("'v', '{q}'").await.len(), 1, "{setting}");
        let id = s.id(task).await;
        let pid = other.number("select pg_backend_pid()").await;
        let session = format!("session {pid}");
        why(&s, id, "limit_held", &[&session, "'q'"]).await;
        // The other key is free.
        if setting.contains("tenant") {
            let free = s
                .id("select rhythm.enqueue('a', '{\"tenant\": \"b\"}', 'q')")
                .await;
            why(&s, free, "workers_busy", &[]).await;
        }
        other.run("rollback").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_limit_that_claims_hold_for_moments() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    s.run(
        "create table over (n int);
         select rhythm.configure_queue('q', concurrency_key => 'tenant');
         select rhythm.enqueue('a', jsonb_build_object('tenant', n), 'q') from generate_series(1, 30) n",
    )
    .await;
    s.claim_with("'w', '{q}', max => 0").await;
    s.run("insert into rhythm.worker_registry (name, queues, registered_at, last_seen) values ('w', '{q}', rhythm._now(), rhythm._now())
           on conflict (name) do update set last_seen = rhythm._now(), queues = '{q}'")
        .await;
    // Of the first key, but not the one that is claimed.
    let second = s
        .id("select rhythm.enqueue('a', '{\"tenant\": 1}', 'q')")
        .await;
    // One claim after the other, as in a busy queue: nearly always somebody holds the limits, and nobody for long.
    let busy = tokio::spawn(async move {
        other
            .run(
                "do $$ begin
                   for n in 1 .. 1500 loop
                     perform from rhythm.claim('v', '{q}');
                     perform pg_sleep(0.008);
                     rollback;
                     exit when exists (select from over);
                   end loop;
                 end $$",
            )
            .await;
    });
    s.until("select exists (select from pg_locks where locktype = 'object' and classid = 'rhythm.buckets'::regclass)")
        .await;
    for _ in 0..10 {
        why(&s, second, "workers_busy", &[]).await;
    }
    s.run("insert into over values (1)").await;
    busy.await.expect("it does not panic");
    // The locks are looked at for all heads at once.
    let holder = database.session().await;
    holder.run("begin").await;
    holder.claim_with("'v', '{q}', max => 30").await;
    why(&s, second, "limit_held", &[]).await;
    s.run("begin; set local track_functions = 'all'").await;
    s.text("select reason from rhythm.why_queue('q')").await;
    let looks = "select calls from pg_stat_xact_user_functions where funcname = '_limits_held'";
    assert_eq!(s.number(looks).await, 1);
    s.run("commit").await;
    holder.run("rollback").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_fan_out_that_holds_some_back() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("map", "const all = Task.map('a', Array.from({length: Inputs}, (_, i) => i), {concurrency: 2}); await all; return 1;")
        .await;
    let (small, large) = (s.start("map", "5").await, s.start("map", "500").await);
    why(
        &s,
        small,
        "waits_for_child",
        &[
            "for 2 of its own",
            "task 'a'",
            "while 3 more wait for their turn (it lets 2 run at once)",
        ],
    )
    .await;
    why(&s, large, "waits_for_child", &["while 498 more wait"]).await;
    s.run(&format!("select rhythm.terminate('{large}')")).await;
    for _ in 0..3 {
        s.work("0").await;
    }
    // The last two have their turn.
    let said = s
        .text(&format!("select explanation from rhythm.why('{small}')"))
        .await;
    assert!(!said.contains("turn"), "{said}");
}
