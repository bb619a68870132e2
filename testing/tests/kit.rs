//! What test files can say, and what they are told when something is not as they expected.

use rhythm_testing::suite::{self, Status, TestFile};

use crate::{run, run_with, told};

const PAY: &str =
    "const paid = await Task.run('pay', { amount: Inputs.amount }, { retry: { maxAttempts: 3 } })
const mailed = await Task.try('mail', { to: Inputs.to })
console.log('done')
return { paid, mailed: mailed.success }
";

/// All tests of the file pass, with and without saving and loading.
#[track_caller]
fn passes(test: &str, workflows: &[(&str, &str)]) {
    let result = run(test, workflows);
    assert!(!result.has_failed(), "{}", told(&result));
    assert!(result.tests.iter().any(|one| one.status == Status::Passed));
}

#[test]
fn the_state_is_loaded_in_front_of_every_step_if_that_is_asked_for() {
    let test = "test('pays', async () => {
  const run = await runWorkflow('pay', { amount: 1 }, { tasks: { pay: 1, mail: 2 } })
  expect(run).toHaveCompleted()
})";
    // Two tasks come back; nothing is loaded in front of the first step, nor in the pass without loading.
    assert_eq!(run_with(test, &[("pay", PAY)], true).loads, 2);
    assert_eq!(run_with(test, &[("pay", PAY)], false).loads, 0);
}

/// The CPU time of this thread, in hundredths of a second: tests share the machine.
#[cfg(target_os = "linux")]
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux says it so");
    let (_, behind_name) = stat.rsplit_once(')').expect("the name is in parentheses");
    let fields = behind_name.split_whitespace().skip(11).take(2);
    fields
        .map(|field| field.parse::<u64>().expect("it is a count"))
        .sum()
}

#[test]
#[cfg(target_os = "linux")]
fn four_times_as_many_tests_take_four_times_as_long() {
    let took = |count: usize| {
        let test = |at| format!("test('test {at}', () => {{ expect({at}).toBe({at}) }})\n");
        let text: String = (0..count).map(test).collect();
        let before = ticks();
        let result = run_with(&text, &[], false);
        assert!(!result.has_failed());
        ticks() - before
    };
    // Another worker of the machine may take the caches away.
    let mut tries = Vec::new();
    let is_linear = (0..3).any(|_| {
        let (few, many) = (took(4_000), took(16_000));
        tries.push((few, many));
        many < few * 6
    });
    assert!(is_linear, "{tries:?}");
}

#[test]
fn every_matcher_holds_where_it_should() {
    passes(include_str!("kit/matchers.test.flow"), &[]);
}

#[test]
fn what_does_not_hold_is_told_with_place_and_difference() {
    let result = run_with(
        include_str!("kit/failures.test.flow"),
        &[("pay", PAY)],
        true,
    );
    assert!(
        result.tests.iter().all(|one| one.status == Status::Failed),
        "{}",
        told(&result)
    );
    insta::assert_snapshot!(told(&result));
}

#[test]
fn tasks_are_played_by_values_functions_failures_and_silence() {
    passes(include_str!("kit/tasks.test.flow"), &[("pay", PAY)]);
}

const PARENT: &str = "const value = await Workflow.run('child', { n: Inputs.n }, { timeout: '1d' })
const { success } = await Workflow.try('child', { n: Inputs.n + 1 })
return { value, second: success }
";

const CHILD: &str = "await sleep('1h')
return await Task.run('charge', { n: Inputs.n })
";

#[test]
fn child_workflows_are_played_or_run() {
    let workflows = [("parent", PARENT), ("child", CHILD)];
    passes(include_str!("kit/children.test.flow"), &workflows);
}

const CLOSES: &str = "for (const onParentClose of [undefined, 'cancel', 'abandon']) {
  const n = onParentClose ?? 'plain';
  void Workflow.try('child', { n }, { onParentClose });
  void Workflow.try('child', { n: `${n} later` }, { onParentClose, delay: '1h' });
}
await Signal.next('end');
if (Inputs.fails) throw new Error('no');
";

#[test]
fn the_end_of_a_parent_does_to_its_children_what_was_said() {
    let test = include_str!("kit/parent_close.test.flow");
    passes(test, &[("closes", CLOSES)]);
}

#[test]
fn so_many_of_a_fan_out_run_at_once() {
    let map = "return await Task.map('resize', Inputs.images, { concurrency: 2, retry: { maxAttempts: 2 } });";
    passes(include_str!("kit/fan_out.test.flow"), &[("map", map)]);
}

const LOCKS: &str = "const branch = async (n, timeout) => {
  const lock = await Mutex.acquire('m', { timeout });
  try {
    await Task.run('work', n);
    return n;
  } finally {
    lock.release();
  }
};
const late = (error) => `${error.name}: ${error.message}`;
const all = [branch('a'), branch('b'), branch('c', '90s').catch(late)];
return await Promise.all(all);
";

#[test]
fn a_mutex_is_held_by_one_at_a_time() {
    passes(include_str!("kit/locks.test.flow"), &[("locks", LOCKS)]);
}

#[test]
fn a_child_that_nobody_plays_and_nobody_has_is_told() {
    let test = "test('a', async () => {
  await runWorkflow('parent', { n: 1 }, { workflows: { chidl: 1 } });
});
";
    let result = run(test, &[("parent", PARENT)]);
    let told = told(&result);
    assert!(result.has_failed());
    let expected = "parent starts the workflow \"child\", and the workflows of runWorkflow have only chidl: \
                    add child with a result or a function.";
    assert!(told.contains(expected), "{told}");
}

const DESK: &str = "const asked = [];
const end = Signal.next('end').then(() => null);
for (;;) {
  const request = await Promise.race([Signal.request('ask'), end]);
  if (request === null) return asked;
  asked.push(request.payload);
  request.reply({ answer: await Task.run('look', request.payload) });
  request.reply('later');
  Context.set('answered', asked.length);
}
";

const KEYED: &str = "const b = await Signal.next('paid', { key: 'b' });
const a = await Signal.next('paid');
try {
  await Signal.next('paid', { timeout: '1h' });
} catch (error) {
  return [b, a, error.name];
}
";

const RACE: &str =
    "const others = [Task.run('slow'), Task.run('later', {}, { delay: '1d' }), sleep('2d')];
const won = await Promise.race([Task.run('fast'), ...others]);
const [, second, third] = others.map((one) => Task.cancel(one, 'lost'));
try {
  await others[1];
} catch (error) {
  return [won, second, third, `${error.name}: ${error.message}`];
}
";

const LOUD: &str = "Context.set('a', 'x'.repeat(60000));
await sleep(1);
try {
  Context.set('b', 'x'.repeat(6000));
} catch (error) {
  return error.name;
}
";

#[test]
fn signals_with_keys_requests_and_what_is_given_up() {
    let workflows = [
        ("desk", DESK),
        ("keyed", KEYED),
        ("race", RACE),
        ("loud", LOUD),
    ];
    passes(include_str!("kit/waiting.test.flow"), &workflows);
}

#[test]
fn signals_sql_cancel_and_the_clock() {
    let remind = "let n = 0
while (true) {
  try {
    const { by } = await Signal.next('paid', { timeout: '7d' })
    return { by, n }
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
    n += 1
    await Task.run('remind', { n }, { taskId: `remind-${n}` })
  }
}
";
    let count = "const [{ n }] = await Sql.query('select count(*)::int as n from orders where id = $1', [Inputs.id])
try {
  await Sql.query('insert into orders (id) values ($1)', [Inputs.id])
} catch (error) {
  return { n, code: error.code, name: error.name }
}
await sleep('1m')
return { n, random: Math.random() < 1 }
";
    let careful = "try {
  await sleep('30d')
} finally {
  await Task.run('clean', {})
}
";
    passes(
        include_str!("kit/time.test.flow"),
        &[("remind", remind), ("count", count), ("careful", careful)],
    );
}

#[test]
fn options_of_tasks_mean_what_they_mean_on_the_server() {
    let workflows = [
        (
            "timeout",
            "try {
  return await Task.run('slow', {}, { timeout: '2m', retry: { initial: '30s', maxAttempts: 9 } })
} catch (error) {
  return { name: error.name, cause: error.cause.name, message: error.message }
}",
        ),
        (
            "silent",
            "return await Task.run('work', {}, { heartbeatTimeout: 10, retry: { maxAttempts: 3 } })",
        ),
        (
            "overrun",
            "return await Task.run('work', {}, { attemptTimeout: '1m', retry: { initial: '30s', maxAttempts: 2 } })",
        ),
        (
            "later",
            "await Task.run('work', {}, { delay: '1h' })
await Task.run('work', {}, { runAt: '2030-01-01T02:00:00Z' })
return Date.now()",
        ),
        (
            "keys",
            "const charge = async () => {
  try {
    return await Task.run('charge', {}, { taskId: 'A-1' })
  } catch (error) {
    return error.message
  }
}
return [...(await Promise.all([charge(), charge()])), await charge(), await charge()]",
        ),
        (
            "broken",
            "Context.set('at', 'first')
console.log('one')
await Task.run('first')
Context.set('at', 'second')
console.log('two')
const second = Task.run('second')
null.nowhere
return await second",
        ),
        (
            "forgets",
            "const _mail = Task.run('mail', { to: 'ada' })
return 'returned'",
        ),
        (
            "keyed",
            "const back = await Task.run('echo', { bb: 1, a: -0 })
return { inputs: Object.keys(Inputs), result: Object.keys(back) }",
        ),
        ("endless", "while (true) await sleep(1)"),
    ];
    passes(include_str!("kit/options.test.flow"), &workflows);
}

#[test]
fn hooks_groups_and_options_run_as_in_vitest() {
    let result = run_with(include_str!("kit/order.test.flow"), &[], false);
    insta::assert_snapshot!(told(&result));
}

#[test]
fn modes_are_those_of_vitest() {
    let result = run(include_str!("kit/modes.test.flow"), &[]);
    insta::assert_snapshot!(told(&result));
    let only = "test('a', () => {})\ntest.only.each([1, 2])('b %d', () => {})\ndescribe.only('c', () => test('d', () => {}))";
    let statuses: Vec<Status> = run(only, &[]).tests.iter().map(|one| one.status).collect();
    let expected = [
        Status::Skipped,
        Status::Passed,
        Status::Passed,
        Status::Passed,
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn wrong_uses_of_modes_are_told() {
    for (text, words) in [
        (
            "test.each({ a: 1 })('a', () => {})",
            "test.each needs an array of cases",
        ),
        (
            "test.each([1])(5, () => {})",
            "test.each needs a name as its first argument, not 5.",
        ),
        (
            "test.only('a')",
            "test.only needs a function as its last argument",
        ),
    ] {
        let result = run_with(text, &[], false);
        assert!(told(&result).contains(words), "{}", told(&result));
    }
}

/// What another test kit has, or a slip, is told before anything runs.
#[test]
fn unknown_words_are_refused_with_what_to_write() {
    for (text, place, hint) in [
        (
            "test.skipp('a', () => {})",
            "1:6: error[E0105]",
            "Did you mean `test.skip`?",
        ),
        (
            "test.concurrent('a', () => {})",
            "1:6: error[E0105]",
            "one after the other",
        ),
        (
            "describe.each.only([1])",
            "1:15: error[E0105]",
            "`describe.each` has no member",
        ),
        (
            "expect(1).toEqul(1)",
            "1:11: error[E0105]",
            "Did you mean `toEqual`?",
        ),
        (
            "expect(1).not.toHaveBenCalled()",
            "1:15: error[E0105]",
            "Did you mean `toHaveBeenCalled`?",
        ),
        (
            "expect(1).toThrowError()",
            "1:11: error[E0105]",
            "Write `toThrow(…)`.",
        ),
        (
            "await expect(sleep(1)).resolve.toBe(1)",
            "1:24: error[E0105]",
            "Did you mean `resolves`?",
        ),
        (
            "expect.objectContaining({})",
            "1:8: error[E0105]",
            "toMatchObject",
        ),
        (
            "await runWorkflow('a', {}, { task: {} })",
            "1:30: error[E0303]",
            "Did you mean `tasks`?",
        ),
        (
            "await runWorkflow('a', {}, { mocks: {} })",
            "1:30: error[E0303]",
            "Write `tasks:",
        ),
        (
            "test.only('a', { timeout: 5 }, () => {})",
            "1:18: error[E0303]",
            "time is virtual",
        ),
        (
            "failing('no', { tims: 2 })",
            "1:17: error[E0303]",
            "Did you mean `times`?",
        ),
        (
            "const charge = vi.fn()\ncharge()",
            "1:16: error[E0101]",
            "A task is played by a function",
        ),
        (
            "jest.mock('./charge')",
            "1:1: error[E0101]",
            "no modules to replace",
        ),
        (
            "vi.stubGlobal('a', 1)",
            "1:1: error[E0101]",
            "whose option `tasks`",
        ),
        (
            "xit('a', () => {})",
            "1:1: error[E0101]",
            "Write `test.skip(name, body)`.",
        ),
    ] {
        let refused = TestFile::compile("a.test.flow", text).expect_err(text);
        let told = refused.to_string();
        assert!(told.contains(&format!("a.test.flow:{place}")), "{told}");
        assert!(told.contains(hint), "{told}");
    }
}

/// The table of matchers is what `expect` has.
#[test]
fn the_table_of_matchers_is_complete() {
    let test = "test('all', () => {
  const { not, resolves, rejects, ...matchers } = expect(1);
  expect(Object.keys(not)).toEqual(Object.keys(matchers));
  for (const all of [resolves, rejects]) expect(Object.keys(all)).toEqual([...Object.keys(matchers), 'not']);
  console.log(Object.keys(matchers).join(' '));
})";
    let result = run_with(test, &[], false);
    assert!(!result.has_failed(), "{}", told(&result));
    let log = result.tests[0].log.join("");
    assert!(log.ends_with(&suite::MATCHERS.join(" ")), "{log}");
}

/// And the table of `runWorkflow`'s options, which is looked at before a test runs, is what `runWorkflow` knows.
#[test]
fn the_table_of_options_is_complete() {
    let test = "test('all', async () => {
  const wrong = { ['no' + 'thing']: 1 };
  try { await runWorkflow('greet', {}, wrong); } catch (error) { console.log(error.message); }
})";
    let result = run_with(test, &[], false);
    assert!(!result.has_failed(), "{}", told(&result));
    let log = result.tests[0].log.join("");
    let known = format!("there are {}.", suite::RUN_OPTIONS.join(", "));
    assert!(log.contains(&known), "{log}");
}

#[test]
fn one_only_leaves_out_the_others() {
    let result = run(
        "test('a', () => {})\ntest('b', {only: true}, () => {})",
        &[],
    );
    let statuses: Vec<Status> = result.tests.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Status::Skipped, Status::Passed]);
}

#[test]
fn a_test_that_never_ends_fails_and_the_others_run() {
    let test = "test('loops', () => { for (;;); })\n\
                test('waits', async () => { await Promise.race([]) })\n\
                test('passes', () => { expect(1).toBe(1) })";
    let result = run_with(test, &[], false);
    let statuses: Vec<Status> = result.tests.iter().map(|one| one.status).collect();
    assert_eq!(
        statuses,
        [Status::Failed, Status::Failed, Status::Passed],
        "{}",
        told(&result)
    );
    assert_eq!(result.tests[0].problems[0].name, "LimitError");
}

#[test]
fn an_error_outside_of_tests_is_the_files() {
    let result = run_with("test('a', () => {})\nthrow new Error('no')", &[], false);
    assert!(result.has_failed());
    assert_eq!(
        result.problems[0].place().as_deref(),
        Some("a.test.flow:2:7")
    );
    assert!(result.tests.is_empty());
}

#[test]
fn a_forgotten_await_is_told() {
    let test = "test('a', () => { runWorkflow('pay', {}, { tasks: { pay: 1, mail: 1 } }) })";
    let result = run_with(test, &[("pay", PAY)], false);
    assert!(
        told(&result).contains("write `await` in front of runWorkflow"),
        "{}",
        told(&result)
    );
}

#[test]
fn only_test_files_know_the_words_of_tests() {
    for name in suite::GLOBALS {
        let source = rhythm_flow::Source::new("a.flow", format!("return {name}"));
        assert!(rhythm_flow::check(&source).program.is_none(), "{name}");
        assert!(suite::check(&source).program.is_some(), "{name}");
    }
    let wrong = TestFile::compile("a.test.flow", "tests('a', () => {})").expect_err("no such name");
    assert!(
        wrong.to_string().contains("Did you mean `test`?"),
        "{wrong}"
    );
}

#[test]
fn coverage_says_which_lines_did_not_run() {
    let workflow = "if (Inputs.n > 1) {\n  return 'many'\n}\nconst one = [1].map((n) =>\n  n + 1\n)\nreturn one\n";
    let result = run_with(
        "test('a', async () => { await runWorkflow('w', { n: 5 }) })",
        &[("w", workflow)],
        false,
    );
    let coverage = &result.coverage["w.flow"];
    let lines: Vec<(u32, u64)> = coverage.lines.clone().into_iter().collect();
    assert_eq!(lines, [(1, 1), (2, 1), (4, 0), (5, 0), (7, 0)]);
    assert_eq!(coverage.missed(), [(4, 7)]);
}
