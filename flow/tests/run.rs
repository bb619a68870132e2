//! What a run says to its host, and how it ends. What programs compute is in `tests/conformance`.

use rhythm_flow::error::Fault;
use rhythm_flow::host::{CallError, HostError, Interrupt, Settlement};
use rhythm_flow::mock::MockHost;
use rhythm_flow::op::Op;
use rhythm_flow::{Limits, Outcome, Program, Vm};

use crate::drive::{answer, compile, failure, finish, go_on, result, start};

#[test]
fn opcode_numbers_never_change() {
    let list: String = Op::LIST
        .iter()
        .map(|(number, name)| format!("{number} {name}\n"))
        .collect();
    let kept = include_str!("opcodes.txt");
    assert!(
        list.starts_with(kept),
        "an opcode of tests/opcodes.txt was changed; stored programs need it"
    );
    assert_eq!(list, kept, "append the new opcodes to tests/opcodes.txt");
}

#[test]
fn bytecode_is_what_it_was() {
    insta::with_settings!({ snapshot_path => "snap/compile", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("input/compile/*.flow", |path| {
            let text = std::fs::read_to_string(path).unwrap();
            insta::assert_snapshot!("bytecode", compile(&text).disassemble());
        });
    });
}

#[test]
fn a_program_survives_its_bytes() {
    let program = compile(
        "let n = 1.5; async function f([a, b = 2], {c}) { try { return await sleep(1); } finally { n += a; } } return f([1], {c: 1}) ?? `x${n}`;",
    );
    let bytes = program.encode();
    let again = Program::decode(&bytes).unwrap();
    assert_eq!(again.encode(), bytes);
    assert_eq!(again.disassemble(), program.disassemble());
    assert_eq!(again.content_hash(), program.content_hash());
    assert!(matches!(
        Program::decode(b"no program"),
        Err(Fault::NotOurs(_))
    ));
}

#[test]
fn a_damaged_program_is_a_fault_or_runs() {
    let program = compile(
        "const o = {a: [1, 2, {b: 3}]}; for (const x of o.a) { try { await sleep(x.b ?? 0); } finally { o.a.map((y) => y + x); } } return o?.a?.[2]?.b;",
    );
    let bytes = program.encode();
    let limits = Limits {
        fuel: 20_000,
        heap_bytes: 1 << 20,
        ..Limits::default()
    };
    for at in 0..bytes.len() {
        for flip in [1, 0x40, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            // Whatever a damaged program does, it does not panic.
            if let Ok(program) = Program::decode(&damaged) {
                let mut vm = start(&std::sync::Arc::new(program), limits.clone());
                let mut host = MockHost::default();
                for _ in 0..10 {
                    if vm.run(&mut host) != Outcome::Suspended || !answer(&mut vm, &mut host) {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn a_program_knows_its_tasks_and_whether_it_uses_sql() {
    let program = compile("await Task.run('b'); await Task.try('a', 1); await Task.run('b');");
    assert_eq!(program.task_names(), ["a", "b"]);
    assert!(!program.uses_sql());
    assert!(compile("return await Sql.query('select 1');").uses_sql());
}

#[test]
fn errors_show_where_they_come_from() {
    let (outcome, _) = finish(
        "function inner(x) {\n  return x.y.z;\n}\nasync function outer() {\n  await sleep(1);\n  return [1].map(() => inner({}));\n}\nawait outer();",
    );
    let (name, message, _, stack) = failure(outcome);
    assert_eq!(name, "TypeError");
    assert_eq!(message, "Cannot read properties of undefined (reading 'z')");
    let expected = "\
TypeError: Cannot read properties of undefined (reading 'z')
    at inner (test.flow:2:14)
    at <anonymous> (test.flow:6:24)
    at Array.prototype.map (builtin)
    at outer (test.flow:6:14)
    at async workflow (test.flow:8:1)";
    assert_eq!(stack, expected);
}

#[test]
fn an_error_of_a_task_shows_who_waits() {
    let program =
        compile("async function pay() {\n  return await Task.run('charge');\n}\nawait pay();");
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let error = HostError {
        name: "TaskError".into(),
        message: "card declined".into(),
        code: Some("declined".into()),
        data: Some("{\"try\":3}".into()),
        cause: Some(
            "{\"name\":\"ValueError\",\"message\":\"no funds\",\"stack\":\"Traceback\"}".into(),
        ),
    };
    vm.settle(host.tasks[0].0, Settlement::Rejected(error));
    let Outcome::Failed(error) = vm.run(&mut host) else {
        panic!("should fail")
    };
    insta::assert_snapshot!(error.to_json(), @r#"{"name":"TaskError","message":"card declined","code":"declined","stack":"TaskError: card declined\n    at async pay (test.flow:2:10)\n    at async workflow (test.flow:4:1)","cause":{"name":"ValueError","message":"no funds","stack":"Traceback"},"data":{"try":3}}"#);
}

#[test]
fn a_run_is_over_when_main_has_returned() {
    let (outcome, host) = finish(
        "async function slow() { await sleep(100); console.log('never'); } slow(); slow(); return 1;",
    );
    assert_eq!(outcome, Outcome::Completed("1".into()));
    assert_eq!(host.logs.len(), 1);
    assert_eq!(host.logs[0].0, "warn");
    assert!(
        host.logs[0]
            .1
            .starts_with("2 async functions were still waiting"),
        "{}",
        host.logs[0].1
    );
}

#[test]
fn an_unhandled_rejection_fails_the_run_before_its_end_only() {
    let (outcome, _) = finish(
        "async function f() { throw new RangeError('lost'); } f(); await sleep(1); return 1;",
    );
    assert_eq!(failure(outcome).1, "lost");
    let (outcome, _) =
        finish("async function f() { throw new RangeError('lost'); } f(); return 1;");
    assert_eq!(outcome, Outcome::Completed("1".into()));
    let (outcome, _) = finish(
        "const p = Promise.reject(1); await null; await null; p.catch(() => {}); await sleep(1); return 2;",
    );
    assert_eq!(outcome, Outcome::Completed("2".into()));
}

#[test]
fn waiting_for_nothing_is_an_error() {
    let (outcome, _) = finish("await Promise.race([]);");
    assert_eq!(failure(outcome).2.as_deref(), Some("never_settles"));
}

#[test]
fn cancel_is_thrown_where_the_run_waits_and_finally_may_wait() {
    let program = compile(
        "const seen = [];\nasync function ship() { try { await Signal.next('go'); } finally { await sleep(1); seen.push('released'); } }\ntry { await ship(); } catch (e) { seen.push(e.name, e.message, e instanceof CancelledError); }\nreturn seen;",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    vm.cancel("no longer wanted");
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    assert_eq!(host.timers.len(), 1);
    let outcome = go_on(&mut vm, &mut host);
    let expected = "[\"released\",\"CancelledError\",\"no longer wanted\",true]";
    assert_eq!(outcome, Outcome::Completed(expected.into()));
}

#[test]
fn a_promise_that_is_given_up_rejects_at_once_and_its_outcome_is_not_heard() {
    let program = compile(
        "const task = Task.run('a');\nconst tried = Task.try('b');\nconst timer = sleep(5);\nconst told = [Task.cancel(task, 'enough'), Task.cancel(tried), Task.cancel(timer), Task.cancel(timer)];\ntry { await task; } catch (e) { told.push(e.name, e.message, e instanceof CancelledError); }\ntold.push((await tried).error.message);\ntry { Task.cancel((async () => { await sleep(1); })()); } catch (e) { told.push(e.message); }\nreturn told;",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    let outcome = vm.run(&mut host);
    assert_eq!(host.cancelled, [1, 2, 3]);
    assert!(host.tasks.is_empty());
    let expected = "[true,true,true,false,\"CancelledError\",\"enough\",true,\"cancelled by the workflow\",\"Task.cancel needs the promise that Task.run, Task.map, Workflow.run, a timer or a signal gave, not a promise of an async function, then() or a combinator.\"]";
    assert_eq!(outcome, Outcome::Completed(expected.into()));
}

#[test]
fn a_fan_out_that_is_given_up_cancels_what_of_it_is_not_settled() {
    let program = compile(
        "const all = Task.map('a', [1, 2, 3], {concurrency: 2});\nconst none = Task.map('a', []);\nawait sleep(5);\nconst told = [Task.cancel(none), Task.cancel(all, 'enough'), Task.cancel(all)];\ntry { await all; } catch (e) { told.push(e.name, e.message); }\nconst done = Task.map('b', [1]);\nawait Signal.next('s');\ntold.push(Task.cancel(done), await done);\nreturn told;",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let timer = host.next_timer().expect("it sleeps");
    let mut vm = Vm::load(program.clone(), &vm.save().unwrap(), Limits::default()).unwrap();
    vm.settle(1, Settlement::Fulfilled(Some("10".into())));
    vm.settle(timer, Settlement::Fulfilled(None));
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    assert_eq!(
        (&*host.cancelled, &*host.ended_fan_outs),
        (&[2, 3][..], &[1][..])
    );
    let (promise, _) = host.signals.pop().expect("it waits");
    let mut vm = Vm::load(program, &vm.save().unwrap(), Limits::default()).unwrap();
    // What was given up is heard of no more; what is decided is decided.
    for (number, value) in [(2, "20"), (5, "50"), (promise, "0")] {
        vm.settle(number, Settlement::Fulfilled(Some(value.into())));
    }
    let expected = "[false,true,false,\"CancelledError\",\"enough\",false,[50]]";
    let outcome = vm.run(&mut host);
    assert_eq!(outcome, Outcome::Completed(expected.into()));
}

#[test]
fn a_request_that_was_saved_is_answered_later() {
    let program = compile(
        "const request = await Signal.request('ask', {timeout: 60, key: 'k'});\nawait sleep(1);\nrequest.reply({got: request.payload});\nreturn Object.keys(request);",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let (promise, wait) = host.signals.pop().expect("it waits");
    assert_eq!((wait.key.as_deref(), wait.is_request), (Some("k"), true));
    let mut vm = Vm::load(program.clone(), &vm.save().unwrap(), Limits::default()).unwrap();
    let request = "{\"payload\": 7, \"id\": \"r-1\"}".to_owned();
    vm.settle(promise, Settlement::Fulfilled(Some(request)));
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let timer = host.next_timer().expect("it sleeps");
    let mut vm = Vm::load(program, &vm.save().unwrap(), Limits::default()).unwrap();
    vm.settle(timer, Settlement::Fulfilled(None));
    let outcome = vm.run(&mut host);
    assert_eq!(
        outcome,
        Outcome::Completed("[\"payload\",\"id\",\"reply\"]".into())
    );
    let reply = ("r-1".to_owned(), "{\"got\":7}".to_owned());
    assert_eq!(host.replies, [reply]);
}

#[test]
fn cancel_reaches_every_branch_and_leaves_the_tasks() {
    let program = compile(
        "const seen = [];\nconst task = Task.run('a', 7);\nconst branch = async (n) => { try { await sleep(100); } catch (e) { seen.push(n); throw e; } };\ntry { await Promise.all([branch(1), branch(2), task]); } catch (e) { seen.push(e.name); }\nseen.push(await task);\nreturn seen;",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    vm.cancel("stop");
    let outcome = go_on(&mut vm, &mut host);
    assert_eq!(
        outcome,
        Outcome::Completed("[1,2,\"CancelledError\",7]".into())
    );
}

#[test]
fn cancel_reaches_main_through_all_settled() {
    let program = compile(
        "const branch = async () => { await sleep(100); };\nawait Promise.allSettled([branch()]);\nreturn 'went on';",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    vm.cancel("stop");
    assert_eq!(failure(vm.run(&mut host)).0, "CancelledError");
}

#[test]
fn promises_that_only_all_waits_for_are_grouped() {
    let grouped = |text: &str| {
        let program = compile(text);
        let mut vm = start(&program, Limits::default());
        let mut host = MockHost::default();
        assert_eq!(vm.run(&mut host), Outcome::Suspended);
        host.groups.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(
        grouped("await Promise.all([1, 2, 3].map((n) => Task.run('a', n)));"),
        [3]
    );
    assert_eq!(
        grouped(
            "const all = [1, 2].map((n) => Task.run('a', n)); await Promise.all(all); await all[0];"
        ),
        [2]
    );
    // Somebody else looks at one of them, or may do so before the last has come.
    let none: [usize; 0] = [];
    assert_eq!(
        grouped(
            "const all = [1, 2].map((n) => Task.run('a', n)); all[0].then(() => console.log(1)); await Promise.all(all);"
        ),
        none
    );
    assert_eq!(
        grouped(
            "const all = [1, 2].map((n) => Task.run('a', n)); (async () => { await sleep(1); await all[0]; })(); await Promise.all(all);"
        ),
        none
    );
    assert_eq!(
        grouped("await Promise.race([Task.run('a'), Task.run('b')]);"),
        none
    );
    assert_eq!(
        grouped("await Promise.all([1, 2].map(async (n) => { await Task.run('a', n); }));"),
        none
    );
}

#[test]
fn a_fan_out_is_told_to_its_host_and_given_up_with_its_first_failure() {
    let program = compile(
        "const p = Task.map('a', [1, 2, 3], {concurrency: 2, queue: 'q'}); try { await p; } catch (e) { await sleep(1); } return 5;",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    assert_eq!(host.fan_outs, [(1, 3, 2)]);
    assert!(host.groups.is_empty(), "{:?}", host.groups);
    let options: Vec<&str> = host.tasks.iter().map(|(_, call)| &*call.options).collect();
    assert_eq!(options, [r#"{"queue":"q"}"#; 3]);
    // Through a save.
    let save = vm.save().unwrap();
    let mut vm = Vm::load(program, &save, Limits::default()).unwrap();
    vm.settle(2, Settlement::Fulfilled(Some("1".into())));
    vm.settle(1, Settlement::Rejected(HostError::default()));
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    assert_eq!(host.ended_fan_outs, [1]);
    assert_eq!(vm.pending(), [4], "nobody waits for the third");
    vm.settle(3, Settlement::Fulfilled(None));
    vm.settle(4, Settlement::Fulfilled(None));
    assert_eq!(vm.run(&mut host), Outcome::Completed("5".into()));
}

#[test]
fn a_fan_out_that_cannot_be_starts_nothing() {
    for (call, told) in [
        ("Task.map('a', n)", "is not iterable"),
        ("Task.map('a', ['\\u0000'])", "U+0000"),
        ("Task.map('a', [1], {concurrency: n})", "1 to 1000"),
        (
            "Task.map('a', [1], {['taskId']: 'b'})",
            "'taskId' is not among",
        ),
        (
            "Workflow.map('a', [1], {['delay']: 5})",
            "'delay' is not among",
        ),
    ] {
        let program = compile(&format!("const n = 0.5; await {call};"));
        let mut host = MockHost::default();
        let Outcome::Failed(error) = start(&program, Limits::default()).run(&mut host) else {
            panic!("{call} does not throw");
        };
        assert!(error.message.contains(told), "{call}: {}", error.message);
        assert!(host.tasks.is_empty(), "{call}");
    }
}

#[test]
fn a_lock_is_released_by_its_number_also_after_a_save() {
    let program = compile(
        "const lock = await Mutex.acquire('m', {timeout: 5}); await sleep(1); lock.release(); const {release} = lock; try { release(); } catch (e) { return [lock.name, e.message]; }",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let (promise, wait) = host.locks.remove(0);
    assert_eq!((promise, &*wait.name), (1, "m"));
    assert_eq!(wait.due_ms, Some(host.now_ms + 5000.0));
    let save = vm.save().unwrap();
    let mut vm = Vm::load(program.clone(), &save, Limits::default()).unwrap();
    vm.settle(
        1,
        Settlement::Fulfilled(Some(r#"{"name":"m","id":1}"#.into())),
    );
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let save = vm.save().unwrap();
    let mut vm = Vm::load(program, &save, Limits::default()).unwrap();
    vm.settle(2, Settlement::Fulfilled(None));
    let expected = r#"["m","release belongs to a lock: call it as lock.release()."]"#;
    assert_eq!(vm.run(&mut host), Outcome::Completed(expected.into()));
    assert_eq!(host.released, [1]);
}

#[test]
fn a_group_that_fails_or_comes_in_any_order_is_right() {
    let program = compile(
        "try { return await Promise.all([Task.run('a'), Task.run('b')]); } catch (e) { return e.message; }",
    );
    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    vm.run(&mut host);
    let error = HostError {
        name: "TaskError".into(),
        message: "b broke".into(),
        ..HostError::default()
    };
    vm.settle(host.tasks[1].0, Settlement::Rejected(error));
    assert_eq!(vm.run(&mut host), Outcome::Completed("\"b broke\"".into()));

    let mut vm = start(&program, Limits::default());
    let mut host = MockHost::default();
    vm.run(&mut host);
    vm.settle(host.tasks[1].0, Settlement::Fulfilled(Some("2".into())));
    vm.settle(host.tasks[1].0, Settlement::Fulfilled(Some("99".into())));
    vm.settle(12345, Settlement::Fulfilled(None));
    vm.settle(host.tasks[0].0, Settlement::Fulfilled(Some("1".into())));
    assert_eq!(vm.run(&mut host), Outcome::Completed("[1,2]".into()));
}

#[test]
fn task_options_are_checked_when_only_the_run_knows_them() {
    let message = |options: &str| {
        result(&format!(
            "const o = {options}; try {{ await Task.run('a', 1, o); return 'ok'; }} catch (e) {{ return e.name + ': ' + e.message; }}"
        ))
    };
    assert_eq!(
        message(
            "{queue: 'q', priority: 1, delay: '5m', retry: {maxAttempts: 3, initial: 1, backoff: 2, max: '5m', jitter: 0.5}, timeout: 60}"
        ),
        "\"ok\""
    );
    assert!(message("{queue: 5}").contains("TypeError: Option 'queue' must be a string, not 5."));
    assert!(message("{qeue: 'a'}").contains("'qeue' is not among the options of a task"));
    assert!(message("{delay: 'soon'}").contains("which is no duration"));
    assert!(message("{retry: {maxAttempts: 0}}").contains("a whole number of at least 1"));
    for options in [
        "{retry: {delays: ['1s', 60, '1h30m'], nonRetryable: ['TypeError', 'E1'], jitter: true}, result: 'discard'}",
        "{retry: {backoff: 'linear', nonRetryable: []}, result: 'keep'}",
    ] {
        assert_eq!(message(options), "\"ok\"");
    }
    let wrong = [
        (
            "{result: 'drop'}",
            "Option 'result' must be \\\"keep\\\" or",
        ),
        ("{retry: {backoff: 'cubic'}}", "or a number from 1 to 1000"),
        ("{retry: {backoff: 1001}}", "or a number from 1 to 1000"),
        ("{retry: {delays: []}}", "a list of 1 to 100 durations"),
        (
            "{retry: {delays: Array(101).fill(1)}}",
            "a list of 1 to 100 durations",
        ),
        ("{retry: {delays: ['1s', 'soon']}}", "An entry of 'delays'"),
        (
            "{retry: {nonRetryable: 'E'}}",
            "a list of at most 100 names",
        ),
        (
            "{retry: {nonRetryable: [5]}}",
            "a list of at most 100 names",
        ),
    ];
    for (options, told) in wrong {
        let message = message(options);
        assert!(message.contains(told), "{options}: {message}");
    }
}

#[test]
fn sql_gives_rows_errors_and_interrupts() {
    let program = compile(
        "try { return await Sql.query('select $1', [1]); } catch (e) { return [e.name, e.code, e instanceof SqlError]; }",
    );
    let run = |answer| {
        let mut host = MockHost {
            rows: vec![answer],
            ..MockHost::default()
        };
        let outcome = start(&program, Limits::default()).run(&mut host);
        assert_eq!(host.queries, [("select $1".to_owned(), "[1]".to_owned())]);
        outcome
    };
    assert_eq!(
        run(Ok("[{\"n\":1}]".into())),
        Outcome::Completed("[{\"n\":1}]".into())
    );
    let error = HostError {
        name: "SqlError".into(),
        code: Some("23505".into()),
        ..HostError::default()
    };
    let expected = Outcome::Completed("[\"SqlError\",\"23505\",true]".into());
    assert_eq!(run(Err(CallError::Throw(error))), expected);
    assert_eq!(
        run(Err(CallError::Interrupt(Interrupt::Abandon))),
        Outcome::Abandoned
    );
}

#[test]
fn what_leaves_the_run_must_be_json() {
    for (text, words) in [
        ("const a = []; a.push(a); return a;", "circular"),
        ("await Task.run('t', '\\u0000');", "U+0000"),
        ("await Task.run('t', {['\\uD800']: 1});", "surrogate"),
        ("return {toJSON() { return 1; }};", "toJSON"),
        ("return await {then(f) { f(1); }};", "thenable"),
    ] {
        let (name, message, ..) = failure(finish(text).0);
        assert!(
            name == "TypeError" && message.contains(words),
            "{text}: {name}: {message}"
        );
    }
    assert_eq!(result("return undefined;"), "null");
    assert_eq!(result("return () => 1;"), "null");
}

#[test]
fn context_is_a_frozen_object_that_can_publish() {
    let (outcome, host) = finish(
        "Context.set('progress', {done: 0.5}); try { Context.version = 2; } catch (e) { return [e.name, Context.version, typeof Context.set]; }",
    );
    assert_eq!(
        outcome,
        Outcome::Completed("[\"TypeError\",0,\"function\"]".into())
    );
    assert_eq!(host.attributes["progress"], "{\"done\":0.5}");
}

#[test]
fn a_thrown_object_gives_its_name_message_and_code() {
    let program = compile("throw {code: 7, message: \"no stock\", sku: \"a\"};");
    let mut vm = start(&program, Limits::default());
    let Outcome::Failed(error) = vm.run(&mut MockHost::default()) else {
        panic!("it fails");
    };
    assert_eq!(error.name, "Error");
    assert_eq!(error.message, "no stock");
    assert_eq!(error.code.as_deref(), Some("7"));
    let data = error.data.expect("the object itself");
    assert!(data.contains("\"sku\""), "{data}");
}

#[test]
fn what_values_of_flow_do_not_have_throws_by_name() {
    let thrown = |text: &str| {
        let (_, message, ..) = failure(finish(text).0);
        message
    };
    for (text, said) in [
        ("const o = Inputs ?? [1]; o.extra = 1", "'extra'"),
        ("const o = [new Map()]; o[0].extra = 1", "'extra'"),
        ("const o = [() => 1]; o[0].extra = 1", "'extra'"),
        ("const o = [Math.max]; o[0].extra = 1", "'extra'"),
        ("const o = [Promise.resolve(1)]; o[0].extra = 1", "'extra'"),
        ("return [() => 1][0].bind(1)", "Write an arrow function"),
        ("return [() => 1][0].call(1)", "Call the function itself"),
        ("return 'a'.localeCompare('b')", "compares by code units"),
        ("return 'a'['constructor']", "instanceof"),
        ("return new Date(0).getHours()", "Write `getUTCHours()`"),
        ("return [1].values().map((n) => n)", "[...iterator].map(f)"),
        (
            "return 'a'.toLocaleUpperCase('tr')",
            "leave the argument out",
        ),
        (
            "const { constructor } = {}; return constructor",
            "'constructor'",
        ),
    ] {
        let message = thrown(text);
        assert!(message.contains(said), "{text}: {message}");
        assert!(message.contains("Flow"), "{text}: {message}");
    }
}
