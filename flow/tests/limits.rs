//! Every limit is named after its setting, fails the run, and cannot be caught.

use std::time::{Duration, Instant};

use rhythm_flow::host::Interrupt;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome};

use crate::drive::{compile, failure, result, start};

fn small() -> Limits {
    Limits {
        fuel: 2_000_000,
        heap_bytes: 4 << 20,
        depth: 200,
        string_units: 100_000,
        save_bytes: 64 << 10,
    }
}

/// Runs a text inside of catch and finally, which must not see the limit; returns the setting.
fn limit(text: &str) -> String {
    let guarded = format!(
        "function go() {{ {text} }}\ntry {{ go(); }} catch (e) {{ console.log('caught'); }} finally {{ console.log('finally'); }}"
    );
    let mut host = MockHost::default();
    let started = Instant::now();
    let outcome = start(&compile(&guarded), small()).run(&mut host);
    assert!(started.elapsed() < Duration::from_secs(20), "{text}");
    assert_eq!(host.logs, [], "{text}");
    let (name, _, code, _) = failure(outcome);
    assert_eq!(name, "LimitError", "{text}");
    code.unwrap_or_default()
}

#[test]
fn loops_use_fuel() {
    for text in [
        "while (true) {}",
        "for (;;) [1, 2, 3].map((n) => n);",
        "const a = []; for (let i = 0; i < 20000; i++) a.push(i); while (true) a.includes(-1);",
        "const s = 'ab'; let n = 0; while (true) { n += s.length; }",
        "const m = new Map(); for (;;) { m.set(1, 2); m.delete(1); }",
    ] {
        assert_eq!(limit(text), "rhythm.step_fuel", "{text}");
    }
}

#[test]
fn promises_that_never_wait_use_fuel() {
    let program =
        compile("const again = () => { Promise.resolve().then(again); }; again(); await sleep(1);");
    let outcome = start(&program, small()).run(&mut MockHost::default());
    assert_eq!(failure(outcome).2.as_deref(), Some("rhythm.step_fuel"));
    let program = compile("for (;;) await null;");
    let outcome = start(&program, small()).run(&mut MockHost::default());
    assert_eq!(failure(outcome).2.as_deref(), Some("rhythm.step_fuel"));
}

#[test]
fn regular_expressions_use_fuel_and_heap() {
    for text in [
        "/(a+)+$/.test('a'.repeat(28) + 'b');",
        "/(a|a)*$/.test('a'.repeat(40) + 'b');",
        "/(?:(?:a?)*)*b/.test('a'.repeat(30));",
        "/^(?=(a|aa)+$)a/.test('a'.repeat(60) + 'c');",
        "/(?<=b(a+)+)c/.test('a'.repeat(40) + 'c');",
        "/(x+x+)+y/.exec('x'.repeat(40));",
        "/(.*)\\1\\1\\1c/.exec('ab'.repeat(2000));",
        "'a'.repeat(30).replace(/(a+)+b/g, '');",
        "'a'.repeat(30).split(/(a+)+b/);",
        "[...'a'.repeat(30).matchAll(/(a+)+b/g)];",
        "while (true) /a/.test('b');",
        "let n = 0; for (;;) new RegExp('a' + n++);",
        "for (;;) new RegExp('[a-z]{1,3}'.repeat(100));",
        "const p = '(?:)'.repeat(2000); for (let n = 0; n < 3000; n++) new RegExp(p);",
        "for (let n = 0; n < 100; n++) try { new RegExp('\\\\w'.repeat(9000) + ')'); } catch {}",
        // Registers are cleared wherever a match could begin, and the groups of a match are listed.
        "new RegExp('(?=c)' + '()'.repeat(32000)).test('a'.repeat(90000));",
        "'a'.repeat(300).replace(new RegExp('a|' + '()'.repeat(32000), 'g'), 'b');",
    ] {
        assert_eq!(limit(text), "rhythm.step_fuel", "{text}");
    }
    for text in [
        "/(?:a|b)*/.test('ab'.repeat(40000)); /(?:(a)|(b))*c/.test('ab'.repeat(49000));",
        "const a = []; for (;;) a.push(/(a)(b)/.exec('ab'));",
        "const a = []; for (let n = 0; ; n++) a.push(new RegExp('x' + n + '\\\\p{L}', 'u'));",
        "'ab'.repeat(50000).replace(/a/g, '$`$`');",
    ] {
        let setting = limit(text);
        assert!(
            ["rhythm.step_heap", "rhythm.string_size"].contains(&setting.as_str()),
            "{text}: {setting}"
        );
    }
}

#[test]
fn regular_expressions_that_only_look_long_are_fast() {
    let started = Instant::now();
    for (text, expected) in [
        (
            "return 'a'.replace(/(?<n>a)/, '$<'.repeat(4e6)).length;",
            "8000000",
        ),
        (
            "return 'a'.replace(/(?<n>a)/, '$<n>' + '$<'.repeat(4e6)).length;",
            "8000001",
        ),
        (
            r#"try { new RegExp("[" + "\\p{L}".repeat(13000) + "]", "u"); } catch (e) { return e.message.slice(-28); }"#,
            r#""Regular expression too large""#,
        ),
    ] {
        assert_eq!(result(text), expected, "{text}");
    }
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_regular_expression_asks_the_host_whether_to_stop() {
    let mut host = MockHost {
        interrupt: Some(Interrupt::Abandon),
        ..MockHost::default()
    };
    let program = compile("/(a+)+$/.test('a'.repeat(60) + 'b');");
    assert_eq!(
        start(&program, Limits::default()).run(&mut host),
        Outcome::Abandoned
    );
    let mut host = MockHost::default();
    start(&program, small()).run(&mut host);
    assert!(host.ticks > 400, "{}", host.ticks);
}

#[test]
fn values_use_heap() {
    for text in [
        "const a = []; while (true) a.push({a});",
        "const a = []; a[100000000] = 1;",
        "const a = []; a.length = 4294967295;",
        "Array(4000000000);",
        "let a = [1]; while (true) a = [...a, ...a];",
        "let a = [1, 2]; while (true) a = a.concat(a);",
        "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, [i]);",
        "let a = []; for (;;) a = [a];",
        "const a = []; for (let i = 0; ; i++) a.push(() => i);",
        "Array.from({length: 1e12});",
        "const a = []; a.length = 100000; for (;;) a.push(...a);",
    ] {
        assert_eq!(limit(text), "rhythm.step_heap", "{text}");
    }
}

#[test]
fn garbage_is_free() {
    let program = compile(
        "let last; for (let i = 0; i < 20000; i++) { last = {i, list: [i, String(i), {last: null}]}; } return last.i;",
    );
    let outcome = start(&program, small()).run(&mut MockHost::default());
    assert_eq!(outcome, Outcome::Completed("19999".into()));
}

#[test]
fn calls_use_depth() {
    for text in [
        "const f = () => f(); f();",
        "const f = (n) => [n].map(f); f(1);",
        "const f = (n) => [n, n].sort(f); f(1);",
        "async function f() { await f(); } f();",
        "const f = (n) => [3, 1].reduce((a) => f(a), n); f(1);",
    ] {
        assert_eq!(limit(text), "rhythm.step_depth", "{text}");
    }
}

/// A function `f` with thousands of locals that have no value yet.
fn many_locals(body: &str) -> String {
    let names: Vec<String> = (0..5000).map(|n| format!("x{n}")).collect();
    format!(
        "function f(n) {{ {body} if (n < 0) {{ let {}; }} }}",
        names.join(", ")
    )
}

#[test]
fn locals_and_arguments_use_heap_and_fuel() {
    for (body, call) in [
        ("if (n > 0) f(n - 1);", "f(150);"),
        ("if (n > 0) [n - 1].forEach(f);", "f(60);"),
        ("if (n > 0) f(...[n - 1]);", "f(150);"),
    ] {
        let text = format!("{} {call}", many_locals(body));
        assert_eq!(limit(&text), "rhythm.step_heap", "{body}");
    }
    let text = "const a = Array(20000); const f = (...b) => f(...b); f(...a);";
    assert_eq!(limit(text), "rhythm.step_heap");
    // What was used is given back.
    let text = format!(
        "{} f(15); const kept = []; for (let i = 0; i < 28; i++) {{ kept.push('x'.repeat(50000)); }} return kept.length;",
        many_locals("if (n > 0) f(n - 1);")
    );
    let outcome = start(&compile(&text), small()).run(&mut MockHost::default());
    assert_eq!(outcome, Outcome::Completed("28".into()));
    let text = format!(
        "{} for (;;) {{ console.log('called'); f(0); }}",
        many_locals("")
    );
    let mut host = MockHost::default();
    let outcome = start(&compile(&text), small()).run(&mut host);
    assert_eq!(failure(outcome).2.as_deref(), Some("rhythm.step_fuel"));
    assert!(host.logs.len() < 10_000, "{}", host.logs.len());
}

#[test]
fn ropes_that_a_builtin_flattens_use_heap() {
    let ropes =
        "const s = 'x'.repeat(90000); const a = []; for (let i = 100; i < 300; i++) a.push(s + i);";
    for call in [
        "a.sort();",
        "a.includes(s + '***');",
        "a.indexOf(s + '***');",
        "a.lastIndexOf(s + '***');",
        "new Set(a);",
        "new Map(a.map((text) => [text, 1]));",
    ] {
        assert_eq!(
            limit(&format!("{ropes} {call}")),
            "rhythm.step_heap",
            "{call}"
        );
    }
}

#[test]
fn comparing_long_strings_uses_fuel() {
    let texts = "const x = 'x'.repeat(90000); const y = 'x'.repeat(89999) + 'y';";
    for text in [
        "Array(5000).fill(x).indexOf(y);",
        "Array(5000).fill(x).lastIndexOf(y);",
        "Array(5000).fill(x).includes(y);",
        "const a = []; for (let i = 0; i < 1000; i++) a.push(i % 2 ? x : y); a.sort();",
        "while (x !== y) {}",
        "while (x < y) {}",
        "const o = {}; while (!o[y]) {}",
    ] {
        assert_eq!(
            limit(&format!("{texts} {text}")),
            "rhythm.step_fuel",
            "{text}"
        );
    }
    // The same string is equal without a look at it, and the order is that of short texts.
    let program = compile(&format!(
        "{texts} const a = Array(5000).fill(x); a.sort(); const b = [y, x, 'b', x + 'a', undefined, 3, x]; b.sort(); return [a.indexOf(x), a.length, b.map((v) => v === undefined ? 'u' : v === x ? 'x' : v === y ? 'y' : v.length > 9 ? 'xa' : v).join()];",
    ));
    let outcome = start(&program, small()).run(&mut MockHost::default());
    assert_eq!(
        outcome,
        Outcome::Completed("[0,5000,\"3,b,x,x,xa,y,u\"]".into())
    );
}

#[test]
fn strings_have_a_size() {
    for text in [
        "let s = 'x'; while (true) s += s;",
        "let s = 'x'; while (true) s = `${s}${s}`;",
        "const a = []; a.length = 200001; a.join('x');",
    ] {
        assert_eq!(limit(text), "rhythm.string_size", "{text}");
    }
}

#[test]
fn deep_values_cost_no_rust_stack() {
    // Deeper than any recursion in Rust would survive in a debug build.
    let program = compile(
        "let a = []; for (let i = 0; i < 200000; i++) a = [a];\nlet o = null; for (let i = 0; i < 200000; i++) o = {o};\nconst b = structuredClone(o);\nconst text = JSON.stringify(o);\nconst c = JSON.parse(text);\nawait sleep(1);\nlet n = 0; for (let x = c; x; x = x.o) n++;\nreturn [n, text.length, a.flat(10).length, String(b)];",
    );
    let limits = Limits {
        depth: 1_000_000,
        heap_bytes: 512 << 20,
        save_bytes: 512 << 20,
        ..Limits::default()
    };
    let mut vm = start(&program, limits.clone());
    let mut host = MockHost::default();
    assert_eq!(vm.run(&mut host), Outcome::Suspended);
    let save = vm.save().unwrap();
    drop(vm);
    let mut vm = rhythm_flow::Vm::load(program, &save, limits).unwrap();
    let outcome = crate::drive::go_on(&mut vm, &mut host);
    let vm_settled = match outcome {
        Outcome::Suspended => {
            vm.settle(1, rhythm_flow::host::Settlement::Fulfilled(None));
            vm.run(&mut host)
        }
        other => other,
    };
    assert_eq!(
        vm_settled,
        Outcome::Completed("[200000,1200004,1,\"[object Object]\"]".into())
    );
}

#[test]
fn a_save_has_a_size() {
    let program = compile(
        "const a = []; for (let i = 0; i < 50000; i++) a.push(i); await sleep(1); return a.length;",
    );
    let mut vm = start(&program, small());
    assert_eq!(vm.run(&mut MockHost::default()), Outcome::Suspended);
    let error = vm.save().unwrap_err();
    assert_eq!(
        (&*error.name, error.code.as_deref()),
        ("LimitError", Some("rhythm.save_size"))
    );
}

#[test]
fn the_host_can_stop_a_step() {
    let program = compile("try { for (;;) {} } finally { console.log('finally'); }");
    let mut host = MockHost {
        interrupt: Some(Interrupt::Abandon),
        ..MockHost::default()
    };
    assert_eq!(start(&program, small()).run(&mut host), Outcome::Abandoned);
    let message = "The step took longer than a minute.".to_owned();
    let interrupt = Interrupt::Limit {
        setting: "rhythm.step_timeout",
        message,
    };
    let mut host = MockHost {
        interrupt: Some(interrupt),
        ..MockHost::default()
    };
    let outcome = start(&program, small()).run(&mut host);
    assert_eq!(failure(outcome).2.as_deref(), Some("rhythm.step_timeout"));
    assert_eq!(host.logs, []);
}

#[test]
fn the_host_is_asked_often_enough() {
    let program = compile("let n = 0; for (let i = 0; i < 200000; i++) n += i; return n;");
    let mut host = MockHost::default();
    start(&program, small()).run(&mut host);
    assert!(host.ticks > 200, "{}", host.ticks);
}

#[test]
fn each_step_has_its_own_fuel() {
    let program = compile(
        "for (let i = 0; i < 5; i++) { for (let j = 0; j < 200000; j++) {} await sleep(1); } return 'done';",
    );
    let mut vm = start(&program, small());
    let outcome = crate::drive::go_on(&mut vm, &mut MockHost::default());
    assert_eq!(outcome, Outcome::Completed("\"done\"".into()));
}
