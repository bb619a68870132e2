//! What time does to executions happens in the microsecond in which it is due, and not in the one before.

use rhythm_tests::clock::tick;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;

/// Stops the clock of this database: it is what `set` says, to the microsecond.
async fn stop(s: &Session) {
    s.run(
        "create table stopped (began timestamptz, at timestamptz); grant select on stopped to public;
         insert into stopped select n, n from rhythm._now() n;
         create or replace function rhythm._now() returns timestamptz language plpgsql volatile security definer as
         $$ begin return (select at from public.stopped); end $$",
    )
    .await;
}

/// So long after the beginning of this case.
async fn set(s: &Session, after: &str) {
    s.run(&format!(
        "update stopped set at = began + interval '{after}'"
    ))
    .await;
    tick(s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_enforced_in_the_microsecond_in_which_it_is_due_and_not_in_the_one_before() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("nap", "await sleep('1h'); return 1;").await;
    stop(&s).await;
    let once = r#"retry => '{"maxAttempts": 1}'"#;
    let again = r#"retry => '{"maxAttempts": 2, "initial": "1m", "jitter": 0}'"#;
    // Taken after ten seconds, heard of after twenty; what is due after how many; the states before and after that.
    for (call, is_taken, is_heard, due, before, after) in [
        (
            "enqueue('a', start_timeout => '30s')".to_owned(),
            false,
            false,
            30,
            "pending",
            "timed_out",
        ),
        (
            "enqueue('a', start_timeout => '30s', delay => '40s')".to_owned(),
            false,
            false,
            70,
            "pending",
            "timed_out",
        ),
        (
            "enqueue('a', delay => '40s')".to_owned(),
            false,
            false,
            40,
            "scheduled",
            "pending",
        ),
        (
            "enqueue('a', timeout => '30s')".to_owned(),
            false,
            false,
            30,
            "pending",
            "timed_out",
        ),
        (
            "enqueue('a', timeout => '30s', delay => '40s')".to_owned(),
            false,
            false,
            70,
            "pending",
            "timed_out",
        ),
        (
            "enqueue('a', timeout => '30s')".to_owned(),
            true,
            true,
            30,
            "running",
            "timed_out",
        ),
        (
            format!("enqueue('a', attempt_timeout => '30s', {once})"),
            true,
            true,
            40,
            "running",
            "timed_out",
        ),
        (
            format!("enqueue('a', attempt_timeout => '30s', {again})"),
            true,
            true,
            40,
            "running",
            "scheduled",
        ),
        (
            format!("enqueue('a', heartbeat_timeout => '30s', {once})"),
            true,
            false,
            40,
            "running",
            "timed_out",
        ),
        (
            format!("enqueue('a', heartbeat_timeout => '30s', {again})"),
            true,
            true,
            50,
            "running",
            "scheduled",
        ),
        // A lease that its worker lets lapse.
        (
            format!("enqueue('a', {once})"),
            true,
            false,
            70,
            "running",
            "failed",
        ),
        (
            "start('nap', timeout => '30s')".to_owned(),
            false,
            false,
            30,
            "waiting",
            "timed_out",
        ),
    ] {
        s.run("update stopped set began = at").await;
        let id = s.id(&format!("select rhythm.{call}")).await;
        if is_taken {
            set(&s, "10 seconds").await;
            let task = s.claim_with("'w', lease => '60s'").await.remove(0);
            if is_heard {
                set(&s, "20 seconds").await;
                assert_eq!(crate::timeouts::heartbeat(&s, id, task.token).await, "ok");
            }
        }
        for (microseconds, state) in [(1, before), (0, after)] {
            set(&s, &format!("{due} seconds -{microseconds} microseconds")).await;
            if microseconds == 0 {
                s.becomes(id, state).await;
            }
            tick(&s).await;
            assert_eq!(s.state(id).await, state, "{call}: {microseconds} before");
        }
        let ended = format!(
            "select coalesce(finished_at = (select at from stopped), true) from rhythm.executions where id = '{id}'"
        );
        assert_eq!(s.text(&ended).await, "t", "{call}");
        if after == "scheduled" {
            for (microseconds, state) in [(1, "scheduled"), (0, "pending")] {
                set(
                    &s,
                    &format!("{} seconds -{microseconds} microseconds", due + 60),
                )
                .await;
                if microseconds == 0 {
                    s.becomes(id, state).await;
                }
                assert_eq!(
                    s.state(id).await,
                    state,
                    "{call}: {microseconds} before it is tried again"
                );
            }
        }
        s.run("select rhythm.terminate(id) from rhythm.live").await;
    }
    nothing_is_left(&s).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_should_have_begun_by_now_is_not_handed_out_though_nobody_has_timed_it_out() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('limited', concurrency => 10), rhythm.configure_queue('rated', rate_limit => '100/sec'),
         rhythm.configure_queue('keyed', concurrency_key => 'k', concurrency_per_key => 1),
         rhythm.configure_queue('rated by key', rate_limit => '1/hour', rate_key => 'k')",
    )
    .await;
    stop(&s).await;
    // How many of the three may run at once.
    for (queue, most) in [
        ("plain", 3),
        ("limited", 3),
        ("rated", 3),
        ("keyed", 1),
        ("rated by key", 1),
    ] {
        let enqueue =
            |call: &str| format!("select rhythm.enqueue('a', '{{\"k\": 1}}', '{queue}', {call})");
        let starts_late = s.id(&enqueue("start_timeout => '30s'")).await;
        let ends_late = s.id(&enqueue("timeout => '30s'")).await;
        let other = s.id(&enqueue("priority => 0")).await;
        let all = [starts_late, ends_late, other];
        for (after, expected) in [("30s", vec![other]), ("29.999999s", all[..most].to_vec())] {
            // The background worker does not see what is not committed, so it times nothing out.
            s.run("begin").await;
            s.run(&format!(
                "update stopped set at = began + interval '{after}'"
            ))
            .await;
            let claimed = s
                .claim_with(&format!("'w', queues => array['{queue}'], max => {most}"))
                .await;
            let ids: Vec<_> = claimed.iter().map(|task| task.id).collect();
            assert_eq!(ids, expected, "{queue} after {after}");
            s.run("rollback").await;
        }
    }
}
