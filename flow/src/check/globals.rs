//! The names that a program has without declaring them.

use crate::builtins::registry;

/// The members of `Context`.
const CONTEXT: &[&str] = &[
    "executionId",
    "workflow",
    "version",
    "taskId",
    "startedAt",
    "traceId",
    "set",
];

/// The parameters of every program.
pub(super) const PARAMETERS: [&str; 2] = ["Inputs", "Context"];

/// Names of JavaScript that Flow has not, with what to use instead.
const ABSENT: &[(&str, &str)] = &[
    ("setTimeout", "Use `await sleep(seconds)`."),
    ("setInterval", "Use a loop with `await sleep(seconds)`."),
    ("setImmediate", "Use `await sleep(0)`."),
    ("queueMicrotask", "Use `await Promise.resolve()`."),
    (
        "fetch",
        "Call the service in a task: `await Task.run(\"name\", inputs)`.",
    ),
    (
        "require",
        "A .flow file stands alone; call a task or a workflow.",
    ),
    ("process", "Pass what the program needs in its inputs."),
    ("global", "Declare a variable."),
    ("globalThis", "Declare a variable."),
    ("window", "Declare a variable."),
    (
        "RegExp",
        "Use `includes`, `startsWith`, `split` or `indexOf` with strings.",
    ),
    ("Symbol", "Use a string key."),
    ("BigInt", "Beyond 2^53 keep numbers in strings."),
    ("Proxy", "Use a function."),
    ("Reflect", "Use `Object.keys`, `in` and `delete`."),
    ("WeakMap", "Use a `Map`."),
    ("WeakSet", "Use a `Set`."),
    ("Intl", "Format texts in a task; Flow depends on no locale."),
    ("Function", "Write the function out."),
    ("Buffer", "Encode and decode in a task."),
    ("alert", "Use `console.log`."),
    ("print", "Use `console.log`."),
    ("inputs", "Did you mean `Inputs`?"),
    ("context", "Did you mean `Context`?"),
];

/// Whether a program may use a name without declaring it, besides its parameters.
pub(super) fn is_builtin(name: &str) -> bool {
    registry().is_global(name)
}

/// All such names.
pub(super) fn builtins() -> Vec<&'static str> {
    registry().globals()
}

/// What to do about a name that JavaScript or its hosts have.
pub(super) fn absent(name: &str) -> Option<&'static str> {
    ABSENT
        .iter()
        .find(|(absent, _)| *absent == name)
        .map(|(_, hint)| *hint)
}

/// Whether `new` can be put in front of a name. `new Promise` is only there to throw by name.
pub(super) fn is_constructor(name: &str) -> bool {
    name != "Promise" && registry().find(&format!("new {name}")).is_some()
}

/// All names that `new` can be put in front of.
pub(super) fn constructors() -> Vec<&'static str> {
    builtins()
        .into_iter()
        .filter(|name| is_constructor(name))
        .collect()
}

/// The members of a builtin; `None` if it is a value of which nothing is known.
pub(super) fn members(name: &str) -> Option<Vec<&'static str>> {
    match name {
        "Context" => Some(CONTEXT.to_vec()),
        "Inputs" | "undefined" | "NaN" | "Infinity" => None,
        _ => Some(registry().members(name)),
    }
}
