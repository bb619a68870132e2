//! What an operator sees of a run: its variables, its timeline, its log.

use rhythm_tests::clock::{advance, retain, tick};
use rhythm_tests::database::{Database, Session};
use rhythm_tests::server::Setup;
use uuid::Uuid;

use crate::why::says;

/// Rows as lines, with `-` where there is nothing.
async fn lines(s: &Session, sql: &str) -> Vec<String> {
    let rows = s.rows(sql).await;
    let text = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
    rows.into_iter()
        .map(|row| row.into_iter().map(text).collect::<Vec<_>>().join(" | "))
        .collect()
}

async fn variables(s: &Session, id: Uuid) -> Vec<String> {
    let sql = format!(
        "select frame, function, line || ':' || col, variable, value, cut from rhythm.variables('{id}')
         where variable is distinct from 'Context'"
    );
    lines(s, &sql).await
}

const ORDER: &str = "let total = 0;
const charge = async (item) => {
  const price = 10;
  total += price;
  const receipt = await Task.run('charge', item);
  return receipt;
};
const first = await charge('a');
if (first === 'bad') throw new Error('refused');
await Signal.next('go');
return total;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_variables_of_every_frame_are_read_from_the_save() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", ORDER).await;
    let id = s.start("order", r#"{"n": 1}"#).await;
    assert_eq!(
        variables(&s, id).await,
        [
            "1 | workflow | 8:15 | Inputs | { n: 1 } | f",
            "1 | workflow | 8:15 | total | 10 | f",
            "1 | workflow | 8:15 | charge | [AsyncFunction: charge] | f",
            "2 | charge | 5:19 | item | 'a' | f",
            "2 | charge | 5:19 | price | 10 | f",
            "2 | charge | 5:19 | total | 10 | f",
        ]
    );
    let few = format!(
        "select variable, value, cut from rhythm.variables('{id}', max => 1, max_bytes => 3)"
    );
    assert_eq!(lines(&s, &few).await, ["Inputs | { n… | t"]);

    let task = s.claim_one().await;
    for sql in [
        format!("select rhythm.variables('{}')", task.id),
        format!("select * from rhythm.variables('{}')", task.id),
    ] {
        let failure = s.fails(&sql).await;
        assert_eq!(failure.code, "RH320");
    }
    assert!(s.complete(&task, r#""paid""#).await);
    assert_eq!(
        variables(&s, id).await[3],
        "1 | workflow | 10:1 | first | 'paid' | f"
    );
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    assert_eq!(s.completed(id).await, 10);
    assert!(variables(&s, id).await.is_empty(), "it has ended");
    let later = s
        .id("select rhythm.start('order', delay => '1 hour')")
        .await;
    assert!(variables(&s, later).await.is_empty(), "it has not begun");
    let unknown = "select rhythm.variables('00000000-0000-7000-8000-000000000000')";
    assert_eq!(s.fails(unknown).await.code, "RH301");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_shows_what_was_before_and_a_damaged_one_an_error() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy("order", ORDER).await;
    let id = s.start("order", "{}").await;
    s.work(r#""bad""#).await;
    assert_eq!(s.failed(id).await["message"], "refused");
    let before = variables(&s, id).await;
    assert_eq!(before[4], "2 | charge | 5:19 | price | 10 | f");

    let odd = "const odd = [undefined, () => 1, new Map([['a', new Date(0)]]), '\\ud800', 'a\\0b'];
const self = {};
self.self = self;
await sleep('1h');
return [odd, self];";
    s.deploy("odd", odd).await;
    let id = s.start("odd", "{}").await;
    assert_eq!(
        variables(&s, id).await[1..],
        [
            r"1 | workflow | 4:1 | odd | [ undefined, [Function (anonymous)], Map(1) { 'a' => 1970-01-01T00:00:00.000Z }, '\ud800', 'a\x00b' ] | f",
            "1 | workflow | 4:1 | self | <ref *1> { self: [Circular *1] } | f",
        ]
    );
    s.run(&format!(
        "update rhythm.saves set save = substr(save, 1, length(save) - 3) where id = '{id}'"
    ))
    .await;
    let failure = s.fails(&format!("select rhythm.variables('{id}')")).await;
    assert_eq!(failure.code, "RH321");
    assert!(failure.message.contains("damaged data"), "{failure:?}");
    // Who asks why it waits is answered all the same.
    let why = format!("select reason, explanation from rhythm.why('{id}')");
    assert_eq!(lines(&s, &why).await, ["sleeps | it sleeps"]);
    s.run("update rhythm.saves set save = ''").await;
    let failure = s.fails(&format!("select rhythm.variables('{id}')")).await;
    assert_eq!(failure.code, "RH321");
}

/// What the timeline says, with durations in whole minutes: the clock is moved by minutes, and the machine takes a part of one.
async fn told(s: &Session, id: Uuid, max: i32) -> Vec<String> {
    let minutes = |column: &str| format!("floor(extract(epoch from {column}) / 60)::int");
    let sql = format!(
        "select event, name, {}, {}, worker, attempt from rhythm.timeline('{id}', {max})",
        minutes("waited"),
        minutes("ran")
    );
    lines(s, &sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_says_how_long_each_step_waited_and_ran_and_by_whom() {
    let database = Database::create().await;
    let s = database.session().await;
    let retry = "{retry: {maxAttempts: 3, initial: '5m', jitter: 0}}";
    s.deploy(
        "flow",
        &format!("await Task.run('a', {{}}, {retry}); await sleep('2h'); console.log('done');"),
    )
    .await;
    let id = s.start("flow", "{}").await;
    advance(&s, "10 minutes").await;
    let task = s.claim_with("'w1', lease => '3 hours'").await.remove(0);
    advance(&s, "5 minutes").await;
    assert_eq!(
        told(&s, id, 100).await,
        [
            "created | flow | - | - | - | -",
            "started | flow | 0 | - | - | -",
            "task_created | a | - | - | - | -",
            "task_started | a | 10 | - | w1 | 1",
        ]
    );
    assert_eq!(s.fail(&task, "").await, "scheduled");
    advance(&s, "6 minutes").await;
    advance(&s, "6 minutes").await;
    let task = s.claim_with("'w2', lease => '3 hours'").await.remove(0);
    advance(&s, "3 minutes").await;
    assert!(s.complete(&task, "1").await);
    advance(&s, "2 hours").await;
    s.completed(id).await;
    let expected = [
        "created | flow | - | - | - | -",
        "started | flow | 0 | - | - | -",
        "task_created | a | - | - | - | -",
        "task_attempt_failed | a | - | 5 | w1 | 1",
        "task_completed | a | 7 | 3 | w2 | 2",
        "timer_fired | - | 120 | - | - | -",
        "log | log | - | - | - | -",
        "completed | flow | - | 150 | - | -",
    ];
    assert_eq!(told(&s, id, 100).await, expected);
    // Of a long one the last entries, and how many there were before.
    let mut last = vec!["earlier | - | - | - | - | -"];
    last.extend(&expected[5..]);
    assert_eq!(told(&s, id, 3).await, last);
    let before = format!(
        "select data ->> 'entries', at = (select created_at from rhythm.executions where id = '{id}') from rhythm.timeline('{id}', 3) limit 1"
    );
    assert_eq!(lines(&s, &before).await, ["5 | t"]);
    for max in ["0", "null", "100001"] {
        let failure = s
            .fails(&format!("select rhythm.timeline('{id}', {max})"))
            .await;
        assert_eq!(failure.code, "RH002");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_that_of_a_run_or_of_its_whole_tree() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "child",
        "console.warn(`child ${Inputs.n}`); return Inputs.n;",
    )
    .await;
    s.deploy(
        "parent",
        "console.log('begin'); for (const n of [1, 2]) await Workflow.run('child', {n}); console.error('end');",
    )
    .await;
    let id = s.start("parent", "{}").await;
    s.completed(id).await;
    let log = |more: &str| format!("select level, message, name from rhythm.log('{id}'{more})");
    assert_eq!(
        lines(&s, &log("")).await,
        ["log | begin | parent", "error | end | parent"]
    );
    let all = [
        "log | begin | parent",
        "warn | child 1 | child",
        "warn | child 2 | child",
        "error | end | parent",
    ];
    assert_eq!(lines(&s, &log(", tree => true")).await, all);
    assert_eq!(
        lines(&s, &log(", tree => true, max => 2")).await,
        all[2..],
        "the last ones"
    );
    let whose = format!(
        "select count(*) from rhythm.log('{id}', true) l join rhythm.executions e on e.id = l.execution_id and e.name = l.name"
    );
    assert_eq!(s.number(&whose).await, 4);
    let unknown = "select rhythm.log('00000000-0000-7000-8000-000000000000')";
    assert_eq!(s.fails(unknown).await.code, "RH301");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_run_keeps_its_last_steps_and_a_summary_of_the_others() {
    // Without a background worker, which would look at it with a setting of its own.
    let database = Database::alone(Setup {
        preload: false,
        ..Setup::default()
    })
    .await;
    let s = database.session().await;
    let source = "for (let round = 0; round < 3; round++) {
  await Promise.all(Array.from({length: 400}, (_, i) => Task.run('a', i, i === 0 ? {taskId: `k${round}`} : {})));
}
await Signal.next('go');
return 'done';";
    s.deploy("flow", source).await;
    let id = s.start("flow", "{}").await;
    let work = "select count(*) from rhythm.finish('w', (
        select jsonb_agg(jsonb_build_object('id', c.id, 'token', c.token::text, 'result', 1))
        from rhythm.claim('w', max => 400) c))";
    s.run(work).await;
    assert_eq!(s.number("select count(*) from rhythm.long_runs").await, 0);
    s.run(work).await;
    // The third round has passed a thousand, nearly.
    assert_eq!(
        s.number("select count(*) from rhythm.long_runs where is_due")
            .await,
        1
    );
    let ended = format!(
        "select count(*) from rhythm.executions where parent_id = '{id}' and state = 'completed'"
    );
    tick(&s).await;
    assert_eq!(
        s.number(&ended).await,
        800,
        "so many are kept unless it is set"
    );
    s.run("set rhythm.timeline_size = 20; update rhythm.long_runs set is_due = true")
        .await;
    tick(&s).await;
    assert_eq!(s.number(&ended).await, 22, "two have a task_id");
    let last = format!(
        "select count(*) from rhythm.executions where parent_id = '{id}' and state = 'completed' and inputs between '379' and '399'"
    );
    assert_eq!(s.number(&last).await, 20);
    let summary = format!(
        "select event, data ->> 'tasks', data ->> 'entries', data ->> 'waited' >= '0', data ->> 'ran' >= '0' from rhythm.timeline('{id}', 10) limit 1"
    );
    // Two of the run itself, 1200 beginnings and 800 ends, without those ten.
    assert_eq!(lines(&s, &summary).await, ["earlier | 778 | 1992 | t | t"]);
    s.run(work).await;
    s.run("update rhythm.long_runs set is_due = true").await;
    tick(&s).await;
    assert_eq!(s.number(&ended).await, 23);
    s.run(&format!("select rhythm.signal('{id}', 'go')")).await;
    assert_eq!(s.completed(id).await, "done");
    let all = format!(
        "select event, data ->> 'tasks', data ->> 'entries' from rhythm.timeline('{id}') limit 1"
    );
    assert_eq!(lines(&s, &all).await, ["earlier | 1177 | 2354"]);
    advance(&s, "60 days").await;
    retain(&s).await;
    assert_eq!(s.number("select count(*) from rhythm.long_runs").await, 0);
}

/// A run may have begun more than it waits for, and may wait for several things at several places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_tells_what_a_run_waits_for_among_all_that_it_has_begun() {
    let database = Database::create().await;
    let s = database.session().await;
    let source = "const what = Inputs.what;
const pair = async () => { await Task.run('two'); };
Task.run('unwatched');
if (what === 'signal') await Signal.next('go', {timeout: '1h', key: 'k'});
if (what === 'request') await Signal.request('ask');
if (what === 'race') await Promise.race([Signal.next('stop'), Task.run('one'), sleep('1h')]);
if (what === 'places') await Promise.all([pair(), pair(), Task.run('one')]);
if (what === 'many') await Promise.all(Array.from({length: 150}, () => Task.run('one')));
if (what === 'nothing') await Promise.race([]);";
    s.deploy("flow", source).await;
    let cases: [(&str, &str, &[&str]); 6] = [
        (
            "signal",
            "waits_for_signal",
            &[
                "it waits at flow.flow:4:24 for the signal go with the key 'k', with a timeout",
                "until 20",
                ", 'go', ..., key => 'k')",
            ],
        ),
        (
            "request",
            "waits_for_signal",
            &[
                "at flow.flow:5:25 for the signal ask",
                "rhythm.request('",
                ", 'ask', ...)",
            ],
        ),
        (
            "race",
            "waits_for_child",
            &[
                "it waits at flow.flow:6:22 for task 'one' (",
                "), and for the signal stop, and for a timer: no worker has ever served 'one'",
                "until 20",
            ],
        ),
        (
            "places",
            "waits_for_child",
            &["it waits at flow.flow:7:24 (and 1 other place) for 3 of its own, such as task"],
        ),
        (
            "many",
            "waits_for_child",
            &["at flow.flow:8:22 for 151 of its own, such as task 'one'"],
        ),
        (
            "nothing",
            "waits_for_nothing",
            &[
                "it awaits a promise that nothing will settle",
                "rhythm.cancel('",
            ],
        ),
    ];
    for (what, reason, parts) in cases {
        let id = s.start("flow", &format!("{{\"what\": \"{what}\"}}")).await;
        s.becomes(id, "waiting").await;
        s.until("select count(*) = 0 from rhythm.runnable").await;
        says(&s, &format!("why('{id}')"), reason, parts).await;
    }

    // Of a long list the first hundred are told; when these have ended, the others are still waited for.
    let id = s.start("flow", "{\"what\": \"many\"}").await;
    s.claim(1000).await;
    s.run(&format!(
        "select rhythm.finish('tester', (select jsonb_agg(jsonb_build_object('id', t.id, 'token', t.token::text)) from (
           select l.id, l.token from rhythm.live l where l.parent_id = '{id}' and l.name = 'one' order by l.seq limit 120) t))"
    ))
    .await;
    says(
        &s,
        &format!("why('{id}')"),
        "waits_for_child",
        &["at flow.flow:8:22 for 31 of its own"],
    )
    .await;
}
