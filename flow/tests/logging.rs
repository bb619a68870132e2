//! What `console` writes that Node's output cannot be compared with: stacks, and lines that are too long.

use std::time::{Duration, Instant};

use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome};

use crate::drive::{compile, finish, start};

/// The lines that a program writes.
fn lines(text: &str) -> Vec<String> {
    let (outcome, host) = finish(text);
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    host.logs.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn an_error_is_written_with_its_stack_and_its_cause() {
    let text = "const cause = new RangeError('limit')
console.error('failed:', new Error('no', { cause }), 1)
const renamed = new Error('x')
renamed.name = 'PaymentError'
renamed.message = 'later'
console.error({ renamed })";
    assert_eq!(
        lines(text),
        [
            "failed: Error: no\n    at workflow (test.flow:2:26) { [cause]: RangeError: limit\n    at workflow (test.flow:1:15) } 1",
            "{ renamed: Error [PaymentError]: later\n    at workflow (test.flow:3:17) }",
        ]
    );
}

#[test]
fn a_stack_that_the_program_made_is_written_as_it_is() {
    let text =
        "const e = new Error('x'); e.stack = 'mine'; console.log(e); e.stack = 5; console.log(e)";
    assert_eq!(lines(text), ["[mine]", "[Error: x]"]);
}

/// Logs a value that would take far more room than a line has; gives the line.
fn cut(text: &str) -> String {
    let start = Instant::now();
    let line = lines(text).remove(0);
    assert!(start.elapsed() < Duration::from_secs(5), "{text}");
    assert!(line.len() <= (64 << 10) + 3, "{} in {text}", line.len());
    assert!(line.ends_with('…'), "{text}");
    line
}

#[test]
fn a_line_is_bounded_whatever_is_logged() {
    cut("console.log('x'.repeat(1000000))");
    cut("console.log(['\\u0001'.repeat(1000000)])");
    cut("console.log('%s %s', 'x'.repeat(100000), 1, 2)");
    cut("console.log(Array.from({ length: 200000 }, (_, n) => ({ n })))");
    cut("console.log(new Map(Array.from({ length: 200000 }, (_, n) => [n, n])).entries())");
    let deep = cut("let a = {}; for (let n = 0; n < 200000; n++) a = { a }; console.log(a)");
    assert!(deep.starts_with("{ a: { a: { a: "), "{}", &deep[..40]);
    // Each level holds the one below twice.
    cut("let a = [1]; for (let n = 0; n < 60; n++) a = [a, a]; console.log(a)");
    // Many siblings wait at each level.
    cut(
        "let a = []; for (let n = 0; n < 50; n++) a = [a, ...Array(5000).fill(0)]; for (let n = 0; n < 40000; n++) a = [a]; console.log(a)",
    );
    let own = cut("const a = []; a.push(a, 'x'.repeat(100000)); console.log(a)");
    assert!(
        own.starts_with("<ref *1> [ [Circular *1], 'xxx"),
        "{}",
        &own[..40]
    );
}

#[test]
fn what_is_logged_costs_fuel() {
    let text =
        "const list = Array.from({ length: 20000 }, (_, n) => n); for (;;) console.log(list)";
    let limits = Limits {
        fuel: 2_000_000,
        ..Limits::default()
    };
    let mut host = MockHost::default();
    let outcome = start(&compile(text), limits).run(&mut host);
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!(host.logs.len() < 200, "{}", host.logs.len());
}
