//! Schedules: each tick starts one execution, at its time on the clock of its zone, as its policies say.

use rhythm_tests::clock::{advance, retain};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::report;
use rhythm_tests::server::Setup;

/// Moves the clock, and waits until what became due is done, be it by the background worker.
pub(crate) async fn pass(s: &Session, by: &str) {
    advance(s, by).await;
    settled(s).await;
}

/// Waits until no schedule is due and nothing that is held may start.
pub(crate) async fn settled(s: &Session) {
    s.until(
        "select not exists (select from rhythm.schedule_entries e
           where e.paused_at is null and e.next_at <= rhythm._now() or rhythm._schedule_is_ready(e.name, e.paused_at is not null))",
    )
    .await;
}

/// Makes a schedule `s` of the task `job`, every hour, with arguments of one's own. The moment at which it was made is 0.
pub(crate) async fn hourly(s: &Session, more: &str) {
    s.run(&format!(
        "select rhythm.schedule('s', every => '1 hour', task => 'job'{more})"
    ))
    .await;
}

/// The counts of the schedule `s`: started, skipped, missed, failed; running, held.
pub(crate) async fn counts(s: &Session) -> String {
    s.text(
        "select format('%s started, %s skipped, %s missed, %s failed; %s running, %s held',
           started, skipped, missed, failed, running, held) from rhythm.schedules where name = 's'",
    )
    .await
}

/// Which hours after its making the schedule `s` has runs for, with their states.
pub(crate) async fn runs(s: &Session) -> String {
    s.text(
        "select coalesce(string_agg((extract(epoch from r.tick - e.anchor) / 3600)::int || ' ' || r.state, ', ' order by r.tick), '')
         from (select schedule, tick, state from rhythm.schedule_runs) r join rhythm.schedule_entries e on e.name = r.schedule
         where r.schedule = 's'",
    )
    .await
}

/// Claims the one task that is there and completes it.
pub(crate) async fn work(s: &Session) {
    s.work("null").await;
    settled(s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_starts_one_execution_whose_task_id_says_which() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("report", "return [Inputs.of, Context.taskId];")
        .await;
    s.run(
        r#"select rhythm.schedule('tasks', every => '1 hour', task => 'job', inputs => '{"n": 1}', queue => 'q', priority => 7,
             timeout => '1 day', start_timeout => '2 days', attempt_timeout => '1 hour', heartbeat_timeout => '20 seconds', retry => '{"maxAttempts": 2}');
           select rhythm.schedule('flows', every => '1 hour', workflow => 'report', inputs => '{"of": "day"}')"#,
    )
    .await;
    for n in 1..=3 {
        pass(&s, "1 hour").await;
        let started = "select count(*) from rhythm.executions where kind = ";
        assert_eq!(
            s.number(&format!("{started} 'workflow' and state = 'completed'"))
                .await,
            n
        );
        let task = s.claim_with("'w', '{q}'").await.remove(0);
        assert_eq!(task.inputs["n"], 1);
        let limits = "select concat_ws(' ', lease_until - attempt_at, attempt_until - attempt_at) from rhythm.live where state = 'running'";
        assert_eq!(s.text(limits).await, "00:00:20 01:00:00");
        assert!(s.complete(&task, "null").await);
    }
    let wrong = s
        .rows(
            "select * from rhythm.schedule_runs r join rhythm.executions x using (id)
             where x.task_id <> format('schedule:%s:%s', r.schedule, to_char(r.tick at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))
               or r.cause <> 'tick' or r.state <> 'completed'
               or r.schedule = 'flows' and x.result <> jsonb_build_array('day', x.task_id)
               or r.schedule = 'tasks' and (x.queue, x.priority) <> ('q', 7)",
        )
        .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let seen = "select count(*) from rhythm.schedule_runs";
    assert_eq!(s.number(seen).await, 6);
    let row = s
        .rows("select last_state, started, last_tick = next_at - interval '1 hour', next_at = next_times[1] from rhythm.schedules where name = 'flows'")
        .await;
    let row: Vec<&str> = row[0].iter().map(|c| c.as_deref().unwrap_or("")).collect();
    assert_eq!(row, ["completed", "3", "t", "t"]);
    assert_eq!(
        s.text("select rhythm.unschedule('flows') and not rhythm.unschedule('flows')")
            .await,
        "t"
    );
    pass(&s, "1 hour").await;
    assert_eq!(s.number(seen).await, 4, "of the other one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_due_in_an_outage_is_caught_up_within_a_window() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, ", overlap => 'allow', catch_up => '3 hours 30 minutes'").await;
    pass(&s, "10 hours 10 minutes").await;
    assert_eq!(
        runs(&s).await,
        "7 pending, 8 pending, 9 pending, 10 pending"
    );
    assert_eq!(
        counts(&s).await,
        "4 started, 0 skipped, 6 missed, 0 failed; 4 running, 0 held"
    );
    hourly(&s, ", catch_up => '0'").await;
    pass(&s, "5 hours").await;
    assert_eq!(
        counts(&s).await,
        "4 started, 0 skipped, 11 missed, 0 failed; 4 running, 0 held"
    );
    // What skips starts the newest, of however many.
    s.run("select rhythm.schedule('seconds', cron => '* * * * * *', task => 'job', queue => 'x')")
        .await;
    pass(&s, "1 hour").await;
    let row = s
        .rows(
            "select started, skipped between 3590 and 3620, last_tick > rhythm._now() - interval '20 seconds'
             from rhythm.schedules where name = 'seconds'",
        )
        .await;
    assert_eq!(
        row[0],
        ["1", "t", "t"].map(|cell| Some(cell.to_owned())),
        "{row:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jitter_delays_each_tick_by_a_time_of_its_own_below_its_bound() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, ", jitter => '20 minutes'").await;
    let spread = "select count(distinct late), min(late) >= '0', max(late) < '20 minutes', max(late) > '15 minutes' from (
        select n.next_at - n.tick as late from rhythm.schedule_entries e, generate_series(0, 199) h,
          rhythm._schedule_next(e, e.anchor + interval '1 hour' * h) n) x";
    let row = s.rows(spread).await.remove(0);
    assert!(
        row[0].as_deref().is_some_and(|n| n.len() == 3),
        "they differ: {row:?}"
    );
    assert_eq!(row[1..], ["t", "t", "t"].map(|cell| Some(cell.to_owned())));
    hourly(&s, ", jitter => '20 minutes', overlap => 'allow'").await;
    for n in 0..3 {
        // To just before its moment, and then over it.
        s.run("update rhythm.test_clock set shift = shift + (select next_at - interval '2 minutes' - rhythm._now() from rhythm.schedules)")
            .await;
        pass(&s, "0").await;
        assert_eq!(s.number("select started from rhythm.schedules").await, n);
        pass(&s, "3 minutes").await;
        assert_eq!(
            s.number("select started from rhythm.schedules").await,
            n + 1
        );
    }
    // A jitter never reaches the next tick.
    s.run("select rhythm.schedule('s', every => '10 seconds', task => 'job', jitter => '1 day', overlap => 'allow')")
        .await;
    assert_eq!(
        s.text("select next_at < next_times[2] from rhythm.schedules")
            .await,
        "t"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_schedule_starts_nothing_by_itself() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, ", overlap => 'queue_all'").await;
    pass(&s, "2 hours").await;
    assert_eq!(runs(&s).await, "1 pending, 2 held");
    assert_eq!(
        s.text("select rhythm.pause_schedule('s', 'the disk is full')")
            .await,
        "t"
    );
    assert_eq!(
        s.text("select rhythm.pause_schedule('s', 'later')").await,
        "f"
    );
    work(&s).await;
    pass(&s, "3 hours").await;
    let paused = s
        .rows("select pause_reason, paused_by, next_at, next_times from rhythm.schedules")
        .await;
    assert_eq!(
        paused[0],
        [
            Some("the disk is full".to_owned()),
            Some("postgres".to_owned()),
            None,
            Some("{}".to_owned())
        ]
    );
    assert_eq!(runs(&s).await, "1 completed, 2 held");
    // By hand it does, and the same definition again does not end a pause.
    hourly(&s, ", overlap => 'queue_all'").await;
    let id = s.id("select rhythm.trigger_schedule('s')").await;
    assert_eq!(s.state(id).await, "pending");
    assert_eq!(s.text("select rhythm.resume_schedule('s')").await, "t");
    assert_eq!(s.text("select rhythm.resume_schedule('s')").await, "f");
    pass(&s, "1 hour").await;
    assert_eq!(
        s.text(
            "select string_agg(cause || ' ' || state, ', ' order by tick) from rhythm.schedule_runs"
        )
        .await,
        "tick completed, tick held, trigger pending, tick held"
    );
    assert!(
        s.text("select missed::text from rhythm.schedules").await == "0",
        "those of the pause were not wanted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_starts_one_now_as_the_policy_allows() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, "").await;
    let first = s.id("select rhythm.trigger_schedule('s')").await;
    assert_eq!(s.maybe("select rhythm.trigger_schedule('s')").await, None);
    let beside = s.id("select rhythm.trigger_schedule('s', 'allow')").await;
    assert_ne!(first, beside);
    assert_eq!(
        s.maybe("select rhythm.trigger_schedule('s', 'queue_one')")
            .await,
        None
    );
    assert_eq!(
        counts(&s).await,
        "2 started, 1 skipped, 0 missed, 0 failed; 2 running, 1 held"
    );
    work(&s).await;
    work(&s).await;
    s.until("select count(*) = 0 from rhythm.schedule_runs where state = 'held'")
        .await;
    // It is gone with the caller's transaction.
    s.run("begin; select rhythm.trigger_schedule('s', 'allow'); rollback")
        .await;
    assert_eq!(
        counts(&s).await,
        "3 started, 1 skipped, 0 missed, 0 failed; 1 running, 0 held"
    );
    // Its error is the caller's.
    s.deploy(
        "typed",
        "/** @param {{n: number}} Inputs */\nreturn Inputs.n;",
    )
    .await;
    s.run(r#"select rhythm.schedule('t', every => '1 hour', workflow => 'typed', inputs => '{"n": 1}')"#)
        .await;
    s.deploy(
        "typed",
        "/** @param {{m: number}} Inputs */\nreturn Inputs.m;",
    )
    .await;
    assert_eq!(
        s.fails("select rhythm.trigger_schedule('t')").await.code,
        "RH103"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_starts_what_is_missing_and_nothing_twice() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, ", catch_up => '0'").await;
    pass(&s, "5 hours 30 minutes").await;
    pass(&s, "30 minutes").await;
    work(&s).await;
    assert_eq!(runs(&s).await, "6 completed");
    let backfill =
        "select rhythm.backfill_schedule('s', rhythm._now() - interval '3 hours 30 minutes'";
    assert_eq!(s.number(&format!("{backfill})")).await, 3, "3, 4 and 5");
    assert_eq!(runs(&s).await, "3 pending, 4 held, 5 held, 6 completed");
    assert_eq!(s.number(&format!("{backfill})")).await, 0);
    for _ in 0..3 {
        s.until("select count(*) > 0 from rhythm.schedule_runs where state = 'pending'")
            .await;
        work(&s).await;
    }
    assert_eq!(
        runs(&s).await,
        "3 completed, 4 completed, 5 completed, 6 completed"
    );
    assert_eq!(s.number(&format!("{backfill})")).await, 0);
    let all = "select rhythm.backfill_schedule('s', rhythm._now() - interval '9 hours 30 minutes', rhythm._now(), 'allow')";
    assert_eq!(
        s.number(all).await,
        6,
        "also those before it was made, but for what has been"
    );
    assert_eq!(s.claim(10).await.len(), 6);
    let failure = s
        .fails("select rhythm.backfill_schedule('s', '2020-01-01', '2026-01-01')")
        .await;
    assert_eq!(failure.code, "RH002", "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_exclude_days_weekdays_and_times() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("set timezone = 'Europe/Berlin'").await;
    let times = |name: &str, since: &str, count: i32| {
        format!(
            "select string_agg(to_char(t, 'Dy DD.MM. HH24:MI'), ', ') from rhythm.schedule_times('{name}', {count}, '{since}') t"
        )
    };
    s.run(
        "select rhythm.set_calendar('holidays', days => '{2030-12-25,2030-12-26}');
         select rhythm.set_calendar('weekend', weekdays => '{SAT,sun}');
         select rhythm.set_calendar('freeze', during => '{[2030-12-24 08:00 Europe/Berlin,2030-12-24 20:00 Europe/Berlin)}');
         select rhythm.schedule('a', cron => '0 8 * * *', time_zone => 'Europe/Berlin', task => 'job', exclude => '{weekend,holidays}');
         select rhythm.schedule('b', cron => '0 */4 * * *', time_zone => 'Europe/Berlin', task => 'job', exclude => '{holidays,freeze}')",
    )
    .await;
    assert_eq!(
        s.text(&times("a", "2030-12-23 12:00", 4)).await,
        "Tue 24.12. 08:00, Fri 27.12. 08:00, Mon 30.12. 08:00, Tue 31.12. 08:00"
    );
    assert_eq!(
        s.text(&times("b", "2030-12-24 00:00", 4)).await,
        "Tue 24.12. 04:00, Tue 24.12. 20:00, Fri 27.12. 00:00, Fri 27.12. 04:00"
    );
    // A calendar that changes moves the next tick, which then is not started.
    hourly(&s, ", exclude => '{freeze}'").await;
    let next = "select extract(epoch from next_at - anchor) / 3600 = ";
    s.run("select rhythm.set_calendar('freeze', during => (select tstzmultirange(tstzrange(anchor, anchor + interval '3 hours', '[]')) from rhythm.schedule_entries where name = 's'))")
        .await;
    let of_s = "from rhythm.schedule_entries where name = 's'";
    assert_eq!(s.text(&format!("{next} 4 {of_s}")).await, "t");
    pass(&s, "4 hours").await;
    assert_eq!(runs(&s).await, "4 pending");
    assert_eq!(
        counts(&s).await,
        "1 started, 0 skipped, 0 missed, 0 failed; 1 running, 0 held"
    );
    let used = s.fails("select rhythm.delete_calendar('freeze')").await;
    assert!(
        used.code == "RH306" && used.detail.contains("'b', 's'"),
        "{used:?}"
    );
    assert_eq!(
        s.text("select days::text || weekdays::text || schedules::text from rhythm.calendars where name = 'weekend'")
            .await,
        "{}{sat,sun}{a}"
    );
    s.run("select rhythm.unschedule('a')").await;
    assert_eq!(
        s.text(
            "select rhythm.delete_calendar('weekend') and not rhythm.delete_calendar('weekend')"
        )
        .await,
        "t"
    );
    // One that is closed for ever.
    let never = s
        .fails("select rhythm.set_calendar('all', during => '{(,)}'); select rhythm.schedule('c', every => '1 day', task => 'job', exclude => '{all}')")
        .await;
    assert_eq!(never.code, "RH002", "{never:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_definition_again_changes_nothing_and_another_replaces_it() {
    let database = Database::create().await;
    let s = database.session().await;
    hourly(&s, "").await;
    let row = "select md5(e::text || e.xmin::text) from rhythm.schedule_entries e";
    let before = s.text(row).await;
    pass(&s, "30 minutes").await;
    hourly(&s, "").await;
    assert_eq!(s.text(row).await, before);
    let next = s.text("select next_at from rhythm.schedules").await;
    // What starts changes; when does not.
    hourly(&s, ", priority => 5").await;
    assert_eq!(s.text("select next_at from rhythm.schedules").await, next);
    pass(&s, "45 minutes").await;
    assert_eq!(s.number("select priority from rhythm.executions").await, 5);
    s.run("select rhythm.schedule('s', cron => '0 0 1 1 *', task => 'job')")
        .await;
    assert_eq!(
        s.text("select to_char(next_at at time zone 'UTC', 'MM-DD HH24:MI') || ' ' || spec from rhythm.schedules")
            .await,
        "01-01 00:00 0 0 1 1 *"
    );
    // From a beginning, to an end.
    s.run("select rhythm.schedule('s', every => '1 hour', task => 'job', overlap => 'allow',
             starts_at => date_trunc('second', rhythm._now()) + interval '1 day', ends_at => rhythm._now() + interval '27 hours 30 minutes')")
        .await;
    let started = s.number("select started from rhythm.schedules").await;
    pass(&s, "23 hours").await;
    assert_eq!(
        s.number("select started from rhythm.schedules").await,
        started
    );
    pass(&s, "10 hours").await;
    assert_eq!(
        s.text("select started || ' ' || coalesce(next_at::text, 'over') || next_times::text from rhythm.schedules")
            .await,
        format!("{} over{{}}", started + 4)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_is_noted_and_is_in_nobodys_way() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "typed",
        "/** @param {{n: number}} Inputs */\nreturn Inputs.n;",
    )
    .await;
    s.run(
        r#"select rhythm.schedule('a', every => '1 hour', workflow => 'typed', inputs => '{"n": 1}');
           select rhythm.schedule('z', every => '1 hour', task => 'job')"#,
    )
    .await;
    s.deploy(
        "typed",
        "/** @param {{m: number}} Inputs */\nreturn Inputs.m;",
    )
    .await;
    pass(&s, "1 hour").await;
    assert_eq!(
        s.text("select string_agg(started || ' ' || failed || ' ' || coalesce(last_error ->> 'code', ''), ', ' order by name) from rhythm.schedules")
            .await,
        "0 1 RH103, 1 0 "
    );
    // A zone that the server has lost.
    s.run("update rhythm.schedule_entries set cron = '0 * * * *', every = null, time_zone = 'Atlantis/Poseidonis' where name = 'a'")
        .await;
    pass(&s, "1 hour").await;
    assert_eq!(
        s.text("select string_agg(coalesce(last_error ->> 'code', ''), ',' order by name) from rhythm.schedules")
            .await,
        "RH006,"
    );
    // Somebody is just taking the task_id of a tick, and waits with his commit.
    let other = database.session().await;
    other
        .run("begin; select rhythm.enqueue('job', task_id => rhythm._tick_key('z', tick)) from rhythm.schedule_entries where name = 'z'")
        .await;
    s.work("null").await;
    s.run("select rhythm.schedule('y', every => '1 hour', task => 'job', queue => 'y')")
        .await;
    advance(&s, "1 hour 1 second").await;
    s.until("select started = 1 from rhythm.schedules where name = 'y'")
        .await;
    assert_eq!(
        s.text("select started || ' ' || held from rhythm.schedules where name = 'z'")
            .await,
        "1 1"
    );
    other.run("rollback").await;
    settled(&s).await;
    assert_eq!(
        s.text("select started || ' ' || held from rhythm.schedules where name = 'z'")
            .await,
        "2 0"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_sleeps_until_the_next_tick_and_fires_it_then() {
    let database = Database::create_quiet().await;
    let s = database.session().await;
    s.deploy(
        "note",
        "return Date.now() - Date.parse(Context.taskId.slice(-20));",
    )
    .await;
    s.run("select rhythm.schedule('s', cron => '* * * * * *', workflow => 'note')")
        .await;
    s.until("select started >= 7 from rhythm.schedules").await;
    // Another process of this machine may get in the way of some, not of most.
    let row = s
        .rows("select min(late), percentile_disc(0.5) within group (order by late) from (select (result #>> '{}')::int as late from rhythm.executions) x")
        .await
        .remove(0);
    let number = |i: usize| -> i64 { row[i].as_deref().unwrap_or("").parse().expect("a number") };
    let (least, median) = (number(0), number(1));
    report(&format!(
        "lateness of ticks, idle: half of them at most {median} ms"
    ));
    assert!(least >= 0, "{least} ms");
    assert!(median < 500, "{median} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_background_worker_tick_fires_and_says_when_to_come_back() {
    let database = Database::alone(Setup {
        preload: false,
        ..Setup::default()
    })
    .await;
    let s = database.session().await;
    hourly(&s, ", overlap => 'queue_all'").await;
    s.run("select rhythm.tick()").await;
    let exact =
        "select rhythm.tick() = (select next_at - shift from rhythm.schedules, rhythm.test_clock)";
    assert_eq!(s.text(exact).await, "t");
    advance(&s, "2 hours").await;
    assert_eq!(runs(&s).await, "1 pending, 2 held");
    // Which also became due, and has a step in each call.
    retain(&s).await;
    assert_eq!(s.text(exact).await, "t", "what is held polls nothing");
    s.work("null").await;
    s.run("select rhythm.tick()").await;
    assert_eq!(runs(&s).await, "1 completed, 2 pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_of_a_schedule_begins_again_and_holds_the_next_one_back_meanwhile() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table tries (at timestamptz)").await;
    s.deploy(
        "report",
        "await Sql.exec('insert into tries values (now())');
         await sleep(0);
         if ((await Sql.query('select count(*)::int as n from tries'))[0].n < 3) throw new Error('not yet');
         return 'done';",
    )
    .await;
    s.run(
        r#"select rhythm.schedule('s', every => '1 hour', workflow => 'report', overlap => 'skip',
             retry => '{"maxAttempts": 3, "initial": "40m", "backoff": "constant", "jitter": 0}')"#,
    )
    .await;
    pass(&s, "1 hour").await;
    let state =
        "select concat_ws(' ', state, attempt) from rhythm.executions where name = 'report'";
    s.until(&format!("select ({state}) = 'scheduled 1'")).await;
    pass(&s, "40 minutes").await;
    s.until(&format!("select ({state}) = 'scheduled 2'")).await;
    // The second tick comes between two attempts.
    pass(&s, "20 minutes").await;
    assert_eq!(s.text("select skipped from rhythm.schedules").await, "1");
    pass(&s, "20 minutes").await;
    s.until(&format!("select ({state}) = 'completed 3'")).await;
    let shown = "select retry ->> 'maxAttempts' from rhythm.schedules";
    assert_eq!(s.text(shown).await, "3");
    let refused = s
        .fails("select rhythm.schedule('t', every => '1 hour', workflow => 'report', start_timeout => '1 hour')")
        .await;
    assert_eq!(refused.code, "RH002");
}
