//! What the end of a parent does to its child workflows: nothing or a cancel, as each was started.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, Session};
use rhythm_tests::invariant::nothing_is_left;
use rhythm_tests::server::Setup;
use serde_json::json;
use uuid::Uuid;

/// A parent with a child of each kind, and of each one that has not begun.
const PARENT: &str = "for (const close of [undefined, 'cancel', 'abandon']) {
       const n = close ?? 'plain';
       void Workflow.try('child', {n}, {onParentClose: close});
       void Workflow.try('child', {n: n + ' later'}, {onParentClose: close, delay: '1h'});
     }
     await Signal.next('end');
     if (Inputs.fails) throw new Error('no');";
const CHILD: &str = "try { await Signal.next('go'); }
     finally { console.log(Inputs.n); }";

/// A parent whose children have taken their first steps.
async fn begun(s: &Session, options: &str) -> Uuid {
    s.deploy("child", CHILD).await;
    s.deploy("parent", PARENT).await;
    let id = s
        .id(&format!("select rhythm.start('parent'{options})"))
        .await;
    s.until("select count(*) = 3 from rhythm.live where name = 'child' and state = 'waiting'")
        .await;
    id
}

/// The children that live, by what they were given.
async fn living(s: &Session) -> String {
    s.text("select coalesce(string_agg(inputs ->> 'n', ', ' order by inputs ->> 'n'), '') from rhythm.live where name = 'child'")
        .await
}

/// Those that are cancelled are so, and all others live.
async fn only(s: &Session, expected: &str) {
    s.until(&format!(
        "select coalesce(string_agg(inputs ->> 'n', ', ' order by inputs ->> 'n'), '') = '{expected}' from rhythm.live where name = 'child'"
    ))
    .await;
    // Nothing else follows.
    s.until("select count(*) = 0 from rhythm.runnable").await;
    s.until("select count(*) = 0 from rhythm.cancels").await;
    assert_eq!(living(s).await, expected);
    let others = s
        .number("select count(*) from rhythm.executions where name = 'child' and state not in ('cancelled', 'waiting', 'scheduled')")
        .await;
    assert_eq!(others, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_ends_by_itself_cancels_those_that_are_to_end_with_it() {
    for (options, state) in [("", "completed"), (", '{\"fails\": true}'", "failed")] {
        let database = Database::create().await;
        let s = database.session().await;
        let id = begun(&s, options).await;
        s.run(&format!("select rhythm.signal('{id}', 'end')")).await;
        assert_eq!(s.state(id).await, state);
        only(&s, "abandon, abandon later, plain, plain later").await;
        let (_, _, error) = {
            let child = s
                .id("select id from rhythm.executions where inputs ->> 'n' = 'cancel'")
                .await;
            // It was told, and has cleaned up.
            assert_eq!(
                s.text(&format!("select string_agg(data #>> '{{}}', ' ') from rhythm.history where execution_id = '{child}' and event = 'log'")).await,
                "cancel"
            );
            s.outcome(child).await
        };
        assert_eq!(
            error["message"],
            json!(format!(
                "workflow 'parent', which has started it, has {state}"
            ))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_is_ended_leaves_those_that_are_to_run_on() {
    for how in ["cancel", "terminate"] {
        let database = Database::create().await;
        let s = database.session().await;
        let id = begun(&s, "").await;
        s.run(&format!("select rhythm.{how}('{id}')")).await;
        s.becomes(id, "cancelled").await;
        only(&s, "abandon, abandon later").await;
        // A second word to a parent that is over reaches none of them.
        assert_eq!(
            s.text(&format!("select rhythm.terminate('{id}')")).await,
            "f"
        );
        only(&s, "abandon, abandon later").await;
        s.run("select rhythm.terminate(id) from rhythm.live").await;
        s.until("select count(*) = 0 from rhythm.live").await;
        nothing_is_left(&s).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_times_out_leaves_those_that_are_to_run_on() {
    let database = Database::alone(Setup::default()).await;
    let s = database.session().await;
    let id = begun(&s, ", timeout => '10 minutes'").await;
    advance(&s, "10 minutes").await;
    s.becomes(id, "timed_out").await;
    only(&s, "abandon, abandon later").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_goes_down_by_what_is_to_end_and_stops_at_what_is_to_run_on() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("leaf", "await Signal.next('go');").await;
    s.deploy(
        "middle",
        "void Workflow.try('leaf', {}, {onParentClose: Inputs.close}); if (Inputs.stays) await Signal.next('go');",
    )
    .await;
    s.deploy(
        "top",
        "void Workflow.try('middle', {stays: true}, {onParentClose: 'cancel'});
         void Workflow.try('middle', {close: 'abandon'});
         void Workflow.try('middle', {}, {onParentClose: 'abandon'});
         await Signal.next('end');",
    )
    .await;
    let id = s.start("top", "{}").await;
    s.until("select count(*) = 3 from rhythm.live where name = 'leaf' and state = 'waiting'")
        .await;
    s.until("select count(*) = 1 from rhythm.live where name = 'middle'")
        .await;
    // The leaf of the first is cancelled with it; the others hang on one that has ended and are not to end, or hang on
    // one that was to run on.
    s.run(&format!("select rhythm.terminate('{id}')")).await;
    s.until("select count(*) = 2 from rhythm.live").await;
    s.until("select count(*) = 0 from rhythm.runnable").await;
    assert_eq!(
        s.number("select count(*) from rhythm.live where name = 'leaf' and state = 'waiting'")
            .await,
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_retried_keeps_what_was_said_of_it() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "child",
        "await Signal.next('go');
         if ((await Sql.query('select yes from public.fails'))[0].yes) throw new Error('no');
         await Signal.next('never');",
    )
    .await;
    s.run("create table public.fails (yes bool); insert into public.fails values (true)")
        .await;
    s.deploy(
        "parent",
        "void Workflow.try('child', {}, {onParentClose: 'cancel'}); await Signal.next('end');",
    )
    .await;
    let id = s.start("parent", "{}").await;
    s.until("select count(*) = 1 from rhythm.live where name = 'child' and state = 'waiting'")
        .await;
    let child = s
        .id("select id from rhythm.live where name = 'child'")
        .await;
    s.run(&format!(
        "select rhythm.signal('{child}', 'go', '\"fail\"')"
    ))
    .await;
    s.becomes(child, "failed").await;
    s.run("update public.fails set yes = false").await;
    s.run(&format!("select rhythm.retry('{child}')")).await;
    s.run(&format!("select rhythm.signal('{id}', 'end')")).await;
    assert_eq!(s.state(id).await, "completed");
    s.becomes(child, "cancelled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_the_tree_of_a_child_delays_its_end_and_nobody_else() {
    let database = Database::create().await;
    let (s, other) = (database.session().await, database.session().await);
    let id = begun(&s, "").await;
    other.run("begin").await;
    other
        .run("select from rhythm.live where name = 'child' for update")
        .await;
    // A wait would time out.
    s.run("set lock_timeout = '1s'").await;
    s.run(&format!("select rhythm.signal('{id}', 'end')")).await;
    assert_eq!(s.state(id).await, "completed");
    other.run("commit").await;
    only(&s, "abandon, abandon later, plain, plain later").await;
}
