//! Schedules under concurrency and crashes, and on clocks that change: effects are counted.

use std::time::Duration;

use rhythm_tests::database::Database;
use rhythm_tests::invariant::{no_deadlocks, report};
use rhythm_tests::race::Dice;
use rhythm_tests::server::Setup;

const BOOK: &str = "await Sql.query('insert into ledger (task_id) values ($1)', [Context.taskId]);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_sessions_that_fire_at_once_start_each_tick_once() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table ledger (task_id text)").await;
    s.deploy("book", BOOK).await;
    let policies = ["allow", "queue_all"];
    for n in 0..20 {
        s.run(&format!(
            "select rhythm.schedule('s{n}', every => '1 minute', workflow => 'book', overlap => '{}')",
            policies[n % 2]
        ))
        .await;
    }
    let mut sessions = Vec::new();
    for _ in 0..16 {
        sessions.push(database.session().await);
    }
    for _ in 0..3 {
        s.run("update rhythm.test_clock set shift = shift + interval '15 minutes'")
            .await;
        let mut firing = Vec::new();
        for session in sessions.drain(..) {
            firing.push(tokio::spawn(async move {
                for _ in 0..5 {
                    session.run("select rhythm.tick()").await;
                }
                session
            }));
        }
        for one in firing {
            sessions.push(one.await.expect("it does not panic"));
        }
    }
    s.until("select count(*) >= 20 * 45 from ledger").await;
    let twice = "select task_id from ledger group by 1 having count(*) > 1";
    assert!(s.rows(twice).await.is_empty(), "{:?}", s.rows(twice).await);
    let counts = "select count(*) from (select split_part(task_id, ':', 2) from ledger group by 1
                  having count(*) between 45 and 46) x";
    assert_eq!(s.number(counts).await, 20);
    assert_eq!(
        s.number("select sum(failed + missed + skipped) from rhythm.schedules")
            .await,
        0
    );
    no_deadlocks(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_starts_each_tick_once() {
    let database = Database::alone(Setup::default()).await;
    let mut dice = Dice::roll("schedule");
    let s = database.session().await;
    s.run("create table ledger (task_id text)").await;
    s.deploy("book", BOOK).await;
    s.deploy("slow", &format!("await sleep('3ms'); {BOOK}"))
        .await;
    s.run(
        "select rhythm.schedule('allow', cron => '* * * * * *', workflow => 'book', overlap => 'allow');
         select rhythm.schedule('queue', cron => '* * * * * *', workflow => 'slow', overlap => 'queue_all')",
    )
    .await;
    drop(s);
    let kills = 12;
    for kill in 0..kills {
        // So that each time many are due at once.
        let s = database.session().await;
        s.run("update rhythm.test_clock set shift = shift + interval '15 seconds'")
            .await;
        drop(s);
        tokio::time::sleep(Duration::from_millis(dice.below(700))).await;
        if kill % 3 == 0 {
            let children = database.server().children();
            let one = usize::try_from(dice.below(children.len() as u64)).unwrap_or(0);
            database.server().kill_one(children[one]).await;
        } else {
            database.server().kill_all();
            database.server().restart().await;
        }
    }
    let s = database.session().await;
    // When all is caught up, no more ticks come; what is held goes on.
    s.until("select bool_and(next_at > rhythm._now()) from rhythm.schedules")
        .await;
    s.run("update rhythm.schedule_entries set tick = null, next_at = null")
        .await;
    s.until(
        "select count(*) = 0 from rhythm.schedule_runs where state is null or state <> 'completed'",
    )
    .await;
    s.run("select rhythm.unschedule(name) from rhythm.schedules")
        .await;
    let wrong = s
        .rows(
            "with l as (
               select split_part(task_id, ':', 2) as name, right(task_id, 20)::timestamptz as tick, count(*) as n
               from ledger group by 1, 2)
             select name, count(*), max(n), extract(epoch from max(tick) - min(tick)) + 1 from l group by 1
             having max(n) > 1 or count(*) not between extract(epoch from max(tick) - min(tick)) and extract(epoch from max(tick) - min(tick)) + 1
             order by 1",
        )
        .await;
    assert!(wrong.is_empty(), "name, ticks, most, seconds: {wrong:?}");
    let ticks = s.number("select count(*) from ledger").await;
    report(&format!(
        "schedules: {kills} kills, {ticks} ticks, each once"
    ));
    assert!(ticks > 2 * 15 * kills, "there was something to lose");
}

/// Expression, zone, since when, and the times that follow, in UTC.
const CLOCKS: &[(&str, &str, &str, &str)] = &[
    // Spring: from 2:00 to 3:00 there is no time.
    (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T00:00Z",
        "28 01:30, 29 01:00, 30 00:30",
    ),
    (
        "0,30 2,3 * * *",
        "Europe/Berlin",
        "2026-03-29T00:00Z",
        "29 01:00, 29 01:30, 30 00:00, 30 00:30",
    ),
    (
        "*/15 * * * *",
        "Europe/Berlin",
        "2026-03-29T00:30Z",
        "29 00:45, 29 01:00, 29 01:15",
    ),
    (
        "*/30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T00:45Z",
        "28 01:00, 28 01:30, 30 00:00, 30 00:30",
    ),
    (
        "0 * * * *",
        "Europe/Berlin",
        "2026-03-28T23:30Z",
        "29 00:00, 29 01:00, 29 02:00",
    ),
    (
        "15 2 * * *",
        "America/New_York",
        "2026-03-07T12:00Z",
        "08 07:00, 09 06:15",
    ),
    // Autumn: from 2:00 to 3:00 there is twice.
    (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00Z",
        "25 00:30, 26 01:30",
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-25T01:15Z",
        "26 01:30, 27 01:30",
    ),
    (
        "30 1,2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00Z",
        "24 23:30, 25 00:30, 26 00:30, 26 01:30",
    ),
    (
        "*/30 * * * *",
        "Europe/Berlin",
        "2026-10-24T23:45Z",
        "25 00:00, 25 00:30, 25 01:00, 25 01:30, 25 02:00",
    ),
    (
        "0 * * * *",
        "America/New_York",
        "2026-11-01T04:30Z",
        "01 05:00, 01 06:00, 01 07:00",
    ),
    (
        "30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00Z",
        "01 05:30, 02 06:30",
    ),
    // Half an hour: on Lord Howe 2:00 becomes 2:30, and in autumn 2:00 becomes 1:30.
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T00:00Z",
        "03 15:30, 04 15:15",
    ),
    (
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T00:00Z",
        "04 14:45, 05 15:15",
    ),
    (
        "*/15 * * * *",
        "Australia/Lord_Howe",
        "2026-04-04T14:20Z",
        "04 14:30, 04 14:45, 04 15:00, 04 15:15, 04 15:30",
    ),
    (
        "0 9 * * *",
        "Asia/Kolkata",
        "2026-01-01T00:00Z",
        "01 03:30, 02 03:30",
    ),
    // Seconds, last days, weekdays of the month, nicknames.
    (
        "*/20 30 4 * * *",
        "UTC",
        "2026-01-01T00:00Z",
        "01 04:30, 01 04:30, 01 04:30, 02 04:30",
    ),
    (
        "0 0 L * *",
        "UTC",
        "2028-02-01T00:00Z",
        "29 00:00, 31 00:00",
    ),
    (
        "0 12 * * FRI#2",
        "UTC",
        "2026-01-01T00:00Z",
        "09 12:00, 13 12:00",
    ),
    (
        "0 12 * * 5#L",
        "UTC",
        "2026-01-01T00:00Z",
        "30 12:00, 27 12:00",
    ),
    (
        "0 8 15W * *",
        "UTC",
        "2026-08-01T00:00Z",
        "14 08:00, 15 08:00",
    ),
    ("@daily", "UTC", "2026-01-01T00:00Z", "02 00:00, 03 00:00"),
    (
        "0 0 0 29 2 * 2027-2029",
        "UTC",
        "2026-01-01T00:00Z",
        "29 00:00",
    ),
    ("0 0 30 2 *", "UTC", "2026-01-01T00:00Z", ""),
];

/// What stands in the table of `docs/sql/schedules.md`, and the times after the beginning of 2026, a Thursday, in UTC.
const MEANINGS: &[(&str, &str)] = &[
    ("* * * * *", "2026-01-01 00:01, 2026-01-01 00:02"),
    ("0 0 ? * *", "2026-01-02 00:00, 2026-01-03 00:00"),
    ("5 * * * *", "2026-01-01 00:05, 2026-01-01 01:05"),
    (
        "0 1-3 * * *",
        "2026-01-01 01:00, 2026-01-01 02:00, 2026-01-01 03:00, 2026-01-02 01:00",
    ),
    (
        "0 0 1,15 * *",
        "2026-01-15 00:00, 2026-02-01 00:00, 2026-02-15 00:00",
    ),
    ("*/10 * * * *", "2026-01-01 00:10, 2026-01-01 00:20"),
    (
        "10-30/5 * * * *",
        "2026-01-01 00:10, 2026-01-01 00:15, 2026-01-01 00:20, 2026-01-01 00:25, 2026-01-01 00:30, 2026-01-01 01:10",
    ),
    (
        "0 0 1 FEB,DEC *",
        "2026-02-01 00:00, 2026-12-01 00:00, 2027-02-01 00:00",
    ),
    ("0 0 * * SUN", "2026-01-04 00:00, 2026-01-11 00:00"),
    ("0 0 * * 0", "2026-01-04 00:00, 2026-01-11 00:00"),
    ("0 0 * * 7", "2026-01-04 00:00, 2026-01-11 00:00"),
    (
        "0 0 * * MON-FRI",
        "2026-01-02 00:00, 2026-01-05 00:00, 2026-01-06 00:00",
    ),
    ("0 0 L * *", "2026-01-31 00:00, 2026-02-28 00:00"),
    // The 15th of February is a Sunday.
    ("0 0 15W * *", "2026-01-15 00:00, 2026-02-16 00:00"),
    ("0 0 * * FRI#2", "2026-01-09 00:00, 2026-02-13 00:00"),
    ("0 0 * * FRI#L", "2026-01-30 00:00, 2026-02-27 00:00"),
    ("@hourly", "2026-01-01 01:00, 2026-01-01 02:00"),
    ("@daily", "2026-01-02 00:00, 2026-01-03 00:00"),
    ("@weekly", "2026-01-04 00:00, 2026-01-11 00:00"),
    ("@monthly", "2026-02-01 00:00, 2026-03-01 00:00"),
    ("@yearly", "2027-01-01 00:00, 2028-01-01 00:00"),
    // Either is enough; with a `+`, both are wanted.
    (
        "0 9 1 * MON",
        "2026-01-01 09:00, 2026-01-05 09:00, 2026-01-12 09:00, 2026-01-19 09:00, 2026-01-26 09:00, 2026-02-01 09:00",
    ),
    (
        "0 9 1 * +MON",
        "2026-06-01 09:00, 2027-02-01 09:00, 2027-03-01 09:00",
    ),
    // Seconds come first, the year comes last.
    ("30 0 9 * * *", "2026-01-01 09:00, 2026-01-02 09:00"),
    (
        "0 0 0 1 1 * 2028-2029",
        "2028-01-01 00:00, 2029-01-01 00:00",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expressions_mean_what_the_page_says() {
    let database = Database::create().await;
    let s = database.session().await;
    for (cron, expected) in MEANINGS {
        let count = expected.split(", ").count();
        let times = format!(
            "select string_agg(to_char(t at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), ', ' order by t)
             from rhythm.cron_times('{cron}', count => {count}, since => '2026-01-01 00:00Z') t"
        );
        assert_eq!(s.text(&times).await, *expected, "{cron}");
    }
    let seconds =
        "select extract(seconds from t)::int from rhythm.cron_times('30 0 9 * * *') t limit 1";
    assert_eq!(s.number(seconds).await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expressions_mean_what_the_clock_of_their_zone_shows() {
    let database = Database::create().await;
    let s = database.session().await;
    for (cron, zone, since, expected) in CLOCKS {
        let count = expected.split(", ").count();
        let times = format!(
            "select coalesce(string_agg(to_char(t at time zone 'UTC', 'DD HH24:MI'), ', ' order by t), '')
             from rhythm.cron_times('{cron}', '{zone}', {count}, '{since}') t"
        );
        assert_eq!(
            s.text(&times).await,
            *expected,
            "{cron} in {zone} since {since}"
        );
    }
    // An hour of 24 is an hour of 24: `every` knows no clocks.
    s.run("select rhythm.schedule('day', every => '1 day', task => 'a', time_zone => 'Europe/Berlin', starts_at => '2030-03-30 12:00 Europe/Berlin')")
        .await;
    assert_eq!(
        s.text("select string_agg(to_char(t at time zone 'Europe/Berlin', 'DD HH24:MI'), ', ') from rhythm.schedule_times('day', 2) t")
            .await,
        "30 12:00, 31 13:00"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_found_one_by_one_and_all_at_once_are_the_same_in_every_zone() {
    let database = Database::create().await;
    let s = database.session().await;
    // Each time is what follows the one before, none is lost or repeated, and the face of the clock fits.
    let wrong = s
        .rows(
            "with z (zone) as (values ('Europe/Berlin'), ('America/New_York'), ('Australia/Lord_Howe'), ('Africa/Casablanca'),
               ('America/St_Johns'), ('Pacific/Chatham'), ('Asia/Kathmandu'), ('America/Santiago')),
             c (cron) as (values ('*/20 * * * *'), ('0 * * * *'), ('30 2 * * *'), ('15,45 1-3 * * *'), ('0 0 * * *')),
             y (year) as (values (2026), (2030)),
             t as materialized (select zone, cron, array(select t from rhythm.cron_times(cron, zone, 1000, make_timestamptz(year, m, 20, 0, 0, 0, 'UTC')) t) as ts
               from z, c, y, unnest('{2,3,9,10}'::int[]) m),
             p as (select zone, cron, ts[n] as t, ts[n + 1] as next from t, generate_series(1, 999, 7) n)
             select * from p where next is distinct from (select x from rhythm.cron_times(cron, zone, 1, t) x) or next <= t
             limit 5",
        )
        .await;
    assert!(wrong.is_empty(), "{wrong:?}");
    let face = s
        .rows(
            "select zone, t from (values ('Europe/Berlin'), ('America/New_York'), ('Australia/Lord_Howe')) z (zone),
               rhythm.cron_times('*/20 * * * *', zone, 1000, '2026-03-25') t
             where extract(minute from t at time zone zone)::int % 20 <> 0
             union all
             select zone, min(t) from (values ('Europe/Berlin'), ('America/New_York'), ('Australia/Lord_Howe')) z (zone),
               rhythm.cron_times('30 2 * * *', zone, 1000, '2026-01-01') t
             group by zone having count(distinct (t at time zone zone)::date) <> 1000",
        )
        .await;
    assert!(face.is_empty(), "{face:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expressions_that_nobody_can_read_are_errors_by_name() {
    let database = Database::create().await;
    let s = database.session().await;
    for (call, code, word) in [
        ("cron => '61 * * * *', task => 'a'", "RH006", "61 * * * *"),
        ("cron => 'soon', task => 'a'", "RH006", "soon"),
        ("cron => '', task => 'a'", "RH006", ""),
        ("cron => E'0 0 * * *\\x01', task => 'a'", "RH006", ""),
        ("cron => '0 0 30 2 *', task => 'a'", "RH002", "no time"),
        (
            "cron => '@daily', task => 'a', time_zone => 'Berlin'",
            "RH006",
            "Berlin",
        ),
        (
            "every => '1 day', task => 'a', time_zone => '../etc/passwd'",
            "RH006",
            "passwd",
        ),
        ("every => '1 month', task => 'a'", "RH002", "months"),
        ("every => '0.5 seconds', task => 'a'", "RH002", "whole"),
        ("every => '1 hour'", "RH002", "task or a workflow"),
        (
            "every => '1 hour', cron => '@daily', task => 'a'",
            "RH002",
            "either",
        ),
        (
            "every => '1 hour', task => 'a', workflow => 'b'",
            "RH002",
            "either",
        ),
        (
            "every => '1 hour', workflow => 'nowhere'",
            "RH102",
            "nowhere",
        ),
        (
            "every => '1 hour', task => 'a', overlap => 'perhaps'",
            "RH002",
            "perhaps",
        ),
        (
            "every => '1 hour', task => 'a', exclude => '{nix}'",
            "RH305",
            "nix",
        ),
        (
            "every => '1 hour', task => 'a', ends_at => '2020-01-01'",
            "RH002",
            "no time",
        ),
        (
            "every => '1 hour', task => 'a', retry => '7'",
            "RH004",
            "retry",
        ),
    ] {
        let failure = s
            .fails(&format!("select rhythm.schedule('s', {call})"))
            .await;
        assert!(
            failure.code == code && failure.message.contains(word) && !failure.hint.is_empty(),
            "{call}: {failure:?}"
        );
    }
    for call in [
        "pause_schedule('x')",
        "resume_schedule('x')",
        "trigger_schedule('x')",
        "backfill_schedule('x', '2026-01-01')",
        "schedule_times('x')",
    ] {
        assert_eq!(
            s.fails(&format!("select rhythm.{call}")).await.code,
            "RH305"
        );
    }
    // Whatever the letters: an answer, or this error.
    s.run("select setseed(0.26)").await;
    s.run(
        "do $$
         declare
           v_clock text[] := array['*', '*/7', '5', '1-3', '0,30', '59', '10-20/5', '?', '1,2,31', '12', '0', '7'];
           v_days text[] := array['*', 'L', '15W', '1', '31', '?', '30', '1,15', '*/2', '29', 'LW', '32'];
           v_months text[] := array['*', '2', 'JAN', '2-4', '*/5', '12', '2,3', '13'];
           v_week text[] := array['*', 'MON', '5#L', 'FRI#2', '0', '7', '1-5', '+1', 'SUN#5', '?', '8', 'MON-SUN'];
           v_cron text;
           v_read int := 0;
         begin
           for n in 1 .. 5000 loop
             select string_agg(x.f[1 + floor(random() * x.size)::int], ' ') into v_cron from (
               select v_clock as f, 12 as size where random() < 0.3 union all select v_clock, 12 union all
               select v_clock, 12 union all select v_days, 12 union all select v_months, 8 union all select v_week, 12) x;
             if random() < 0.5 then
               v_cron := overlay(v_cron placing substr('0123456789*/,-#LW?+@ A', 1 + floor(random() * 22)::int, 1)
                 from 1 + floor(random() * length(v_cron))::int);
             end if;
             begin
               perform count(*) from rhythm.cron_times(v_cron, 'Europe/Berlin', 3);
               v_read := v_read + 1;
             exception when sqlstate 'RH006' then
               null;
             end;
           end loop;
           assert v_read between 500 and 4500, v_read;
         end $$",
    )
    .await;
}
