//! The report: once a day, over the change of the clocks.

use rhythm_tests::clock;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::recipe::Recipe;
use serde_json::json;

use super::{attempts, kill_in_the_worst_moment, type_in, until_running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_page_says_is_typed() {
    type_in("scheduled-report", &Database::create().await).await;
}

async fn set_clock(s: &Session, at: &str) {
    s.run(&format!(
        "update rhythm.test_clock set shift = timestamptz '{at}' - clock_timestamp()"
    ))
    .await;
    clock::tick(s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_mailed_once_a_day_though_clocks_change_and_its_worker_is_killed() {
    let database = Database::create().await;
    let s = database.session().await;
    let recipe = Recipe::copy("scheduled-report");
    s.run(&recipe.read("setup.sql")).await;
    recipe.deploy(&s, "report").await;
    set_clock(&s, "2027-03-26 12:00Z").await;
    s.run(
        r#"select rhythm.schedule('daily-sales', cron => '0 6 * * *', time_zone => 'Europe/Berlin', workflow => 'report',
             overlap => 'allow', catch_up => '7 days', inputs => '{"to": "boss@example.org", "zone": "Europe/Berlin"}');
           insert into sale (at, shop, amount) values
             ('2027-03-26 23:30+01', 'Bonn', 1), ('2027-03-27 00:00+01', 'Bonn', 2), ('2027-03-27 23:59+01', 'Ulm', 3),
             ('2027-03-28 00:30+01', 'Bonn', 4), ('2027-03-28 23:30+02', 'Bonn', 5)"#,
    )
    .await;
    let held = recipe.hold();
    let mut worker = recipe.worker(&database);
    // Six o'clock of the first day, in winter.
    set_clock(&s, "2027-03-27 05:00:01Z").await;
    until_running(&s, "send_mail", 1).await;
    kill_in_the_worst_moment(
        &database,
        &recipe,
        &mut worker,
        held,
        "select count(*) from mail",
        1,
    )
    .await;
    // Six o'clock of the next days, in summer; nobody mails anything.
    for at in ["2027-03-28 04:00:01Z", "2027-03-29 04:00:01Z"] {
        set_clock(&s, at).await;
        clock::tick(&s).await;
    }
    let _worker = recipe.worker(&database);
    s.until(
        "select count(*) = 3 from rhythm.executions where name = 'report' and state = 'completed'",
    )
    .await;
    assert_eq!(
        recipe
            .outside("select subject, text, count(*) from mail group by subject order by subject"),
        json!([
            ["Sales of 2027-03-26", "Bonn: 1 for 1", 1],
            ["Sales of 2027-03-27", "Bonn: 1 for 2\nUlm: 1 for 3", 1],
            ["Sales of 2027-03-28", "Bonn: 2 for 9", 1],
        ])
    );
    assert_eq!(attempts(&s, "send_mail").await, 2);
    let ticks = "select string_agg(to_char(tick at time zone 'Europe/Berlin', 'DD HH24:MI'), ', ' order by tick)
                 from rhythm.schedule_runs where schedule = 'daily-sales'";
    assert_eq!(s.text(ticks).await, "27 06:00, 28 06:00, 29 06:00");
}
