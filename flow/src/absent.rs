//! Names that people bring along from JavaScript's hosts, other workflow engines, TypeScript and
//! Python, each with what to write in Flow. Tables only.

/// Names without a declaration.
pub(crate) const NAMES: &[(&str, &str)] = &[
    (
        "setTimeout",
        "Write `await sleep(1)`; durations are in seconds.",
    ),
    (
        "setInterval",
        "Write a loop: `while (true) { …; await sleep(60) }`.",
    ),
    (
        "clearTimeout",
        "A `sleep` that nobody awaits needs no end; remove it.",
    ),
    ("clearInterval", "Leave the loop with `break`."),
    ("setImmediate", "Write `await sleep(0)`."),
    ("queueMicrotask", "Write `await Promise.resolve()`."),
    ("wait", "Write `await sleep(seconds)`."),
    ("delay", "Write `await sleep(seconds)`."),
    (
        "timeout",
        "Write `await sleep(seconds)`, or the option `{timeout: \"30s\"}` of the call.",
    ),
    (
        "waitForSignal",
        "Write `await Signal.next(\"name\", {timeout: \"1d\"})`.",
    ),
    (
        "waitForEvent",
        "Write `await Signal.next(\"name\", {timeout: \"1d\"})`.",
    ),
    (
        "condition",
        "Write `await Signal.next(\"name\", {timeout: \"1d\"})`.",
    ),
    (
        "fetch",
        "Call the service in a task: `await Task.run(\"name\", inputs)`.",
    ),
    (
        "axios",
        "Call the service in a task: `await Task.run(\"name\", inputs)`.",
    ),
    (
        "XMLHttpRequest",
        "Call the service in a task: `await Task.run(\"name\", inputs)`.",
    ),
    (
        "WebSocket",
        "Wait for `await Signal.next(\"name\")`, and let a task or service send it.",
    ),
    (
        "require",
        "A .flow file stands alone: call a task, as in `await Task.run(\"name\", inputs)`.",
    ),
    (
        "module",
        "A .flow file exports nothing: `return` its result.",
    ),
    (
        "exports",
        "A .flow file exports nothing: `return` its result.",
    ),
    (
        "process",
        "Pass it in: `Inputs.name` instead of `process.env.NAME`.",
    ),
    ("Deno", "Pass it in: `Inputs.name` instead of `Deno.env`."),
    ("Bun", "Pass it in: `Inputs.name` instead of `Bun.env`."),
    (
        "__dirname",
        "Files are read in a task: `await Task.run(\"name\", inputs)`.",
    ),
    (
        "__filename",
        "Files are read in a task: `await Task.run(\"name\", inputs)`.",
    ),
    (
        "fs",
        "Files are read in a task: `await Task.run(\"name\", inputs)`.",
    ),
    (
        "global",
        "A workflow has no globals: declare a variable with `let`.",
    ),
    (
        "globalThis",
        "A workflow has no globals: declare a variable with `let`.",
    ),
    (
        "window",
        "A workflow has no window: declare a variable with `let`.",
    ),
    (
        "self",
        "A workflow has no globals: declare a variable with `let`.",
    ),
    ("document", "A workflow has no page; render in a task."),
    (
        "localStorage",
        "Variables of a workflow are durable: declare one with `let`.",
    ),
    (
        "sessionStorage",
        "Variables of a workflow are durable: declare one with `let`.",
    ),
    ("navigator", "Pass it in with the inputs."),
    ("performance", "Write `Date.now()`."),
    ("Symbol", "Use a string key."),
    (
        "BigInt",
        "Beyond 2^53 keep numbers in strings, or compute in SQL.",
    ),
    ("Proxy", "Use a function."),
    (
        "Reflect",
        "Write `Object.keys(x)`, `key in x` or `delete x[key]`.",
    ),
    ("WeakMap", "Write `new Map()`."),
    ("WeakSet", "Write `new Set()`."),
    ("WeakRef", "Keep the value itself in a variable."),
    ("escape", "Write `encodeURIComponent(text)`."),
    ("unescape", "Write `decodeURIComponent(text)`."),
    (
        "Iterator",
        "Write an array and its methods: `[...iterator].map(…)`.",
    ),
    ("Intl", "Format texts in a task; Flow depends on no locale."),
    ("Temporal", "Write `new Date(…)` and its UTC methods."),
    (
        "Buffer",
        "Write `btoa(text)` and `atob(text)`, or encode in a task.",
    ),
    (
        "Uint8Array",
        "Write an array of numbers, or work on bytes in a task.",
    ),
    ("ArrayBuffer", "Work on bytes in a task."),
    ("TextEncoder", "Encode in a task."),
    ("TextDecoder", "Decode in a task."),
    (
        "URL",
        "Write `encodeURIComponent(text)`, or take addresses apart in a task.",
    ),
    (
        "URLSearchParams",
        "Write `encodeURIComponent(text)` for each value.",
    ),
    (
        "AbortController",
        "Give the call a `{timeout: \"30s\"}`, or use `Promise.race`.",
    ),
    ("EventEmitter", "Write `await Signal.next(\"name\")`."),
    ("alert", "Write `console.log(text)`."),
    ("print", "Write `console.log(text)`."),
    ("log", "Write `console.log(text)`."),
    ("logger", "Write `console.log(text)`."),
    ("uuid", "Write `crypto.randomUUID()`."),
    ("uuidv4", "Write `crypto.randomUUID()`."),
    ("nanoid", "Write `crypto.randomUUID()`."),
    ("randomUUID", "Write `crypto.randomUUID()`."),
    (
        "_",
        "There is no lodash: use the methods of arrays and `Object`.",
    ),
    ("lodash", "Use the methods of arrays and `Object`."),
    ("moment", "Write `new Date(…)` and its UTC methods."),
    ("dayjs", "Write `new Date(…)` and its UTC methods."),
    ("db", "Write `await Sql.query(\"select …\", [value])`."),
    ("pool", "Write `await Sql.query(\"select …\", [value])`."),
    ("query", "Write `await Sql.query(\"select …\", [value])`."),
    ("inputs", "Write `Inputs`, with a capital letter."),
    (
        "input",
        "Write `Inputs`, which holds the workflow's inputs.",
    ),
    ("args", "Write `Inputs`, which holds the workflow's inputs."),
    (
        "params",
        "Write `Inputs`, which holds the workflow's inputs.",
    ),
    (
        "payload",
        "Write `Inputs`, which holds the workflow's inputs.",
    ),
    (
        "event",
        "Write `Inputs`, which holds the workflow's inputs.",
    ),
    ("context", "Write `Context`, with a capital letter."),
    (
        "ctx",
        "Write `Context`, which knows the execution; values go by `Context.set`.",
    ),
    ("step", "Write `await Task.run(\"name\", inputs)`."),
    ("activities", "Write `await Task.run(\"name\", inputs)`."),
    (
        "proxyActivities",
        "Write `await Task.run(\"name\", inputs)`.",
    ),
    ("runTask", "Write `await Task.run(\"name\", inputs)`."),
    (
        "string",
        "That is a type of TypeScript, and Flow has no types in the program: remove it.",
    ),
    (
        "number",
        "That is a type of TypeScript, and Flow has no types in the program: remove it.",
    ),
    (
        "boolean",
        "That is a type of TypeScript, and Flow has no types in the program: remove it.",
    ),
    (
        "any",
        "That is a type of TypeScript, and Flow has no types in the program: remove it.",
    ),
    (
        "unknown",
        "That is a type of TypeScript, and Flow has no types in the program: remove it.",
    ),
    ("elif", "Write `else if (a) { … }`."),
    ("elseif", "Write `else if (a) { … }`."),
    ("elsif", "Write `else if (a) { … }`."),
    ("not", "Write `!` in front of the parentheses."),
    ("None", "Write `null`."),
    ("nil", "Write `null`."),
    ("True", "Write `true`."),
    ("False", "Write `false`."),
    ("len", "Write `list.length`."),
];

/// Members of what Flow provides.
const MEMBERS: &[(&str, &[&str], &str)] = &[
    (
        "console",
        &["table", "dir"],
        "Write `console.log(value)`, which leaves nothing out.",
    ),
    ("console", &["trace"], "Write `console.log(…)`."),
    (
        "console",
        &["assert"],
        "Write `if (!ok) throw new Error(\"…\")`.",
    ),
    (
        "console",
        &["time", "timeEnd", "group", "groupEnd", "count", "clear"],
        "Write `console.log(…)`; each line carries its time.",
    ),
    (
        "Task",
        &[
            "start", "execute", "call", "invoke", "exec", "spawn", "enqueue", "create",
        ],
        "Write `Task.run(\"name\", inputs)`; without `await` it goes on in the background.",
    ),
    (
        "Task",
        &["all"],
        "Write `await Promise.all([Task.run(\"a\"), Task.run(\"b\")])`.",
    ),
    (
        "Task",
        &["sleep", "wait", "delay"],
        "Write `await sleep(seconds)`.",
    ),
    (
        "Workflow",
        &[
            "start",
            "execute",
            "call",
            "invoke",
            "exec",
            "spawn",
            "startChild",
            "executeChild",
        ],
        "Write `Workflow.run(\"name\", inputs)`; without `await` it goes on in the background.",
    ),
    (
        "Workflow",
        &["sleep", "wait"],
        "Write `await sleep(seconds)`.",
    ),
    ("Workflow", &["id"], "Write `Context.executionId`."),
    (
        "Timer",
        &["sleep", "wait", "after"],
        "Write `await sleep(seconds)`.",
    ),
    (
        "Timer",
        &["at"],
        "Write `await Timer.until(\"2030-01-31T12:00:00Z\")`.",
    ),
    (
        "Timer",
        &["every", "interval"],
        "Write a loop: `while (true) { …; await sleep(60) }`.",
    ),
    (
        "Signal",
        &[
            "wait", "waitFor", "receive", "get", "on", "once", "take", "pop",
        ],
        "Write `await Signal.next(\"name\", {timeout: \"1d\"})`.",
    ),
    (
        "Signal",
        &["reply", "respond", "answer"],
        "Write `const request = await Signal.request(\"name\")` and `request.reply(value)`.",
    ),
    (
        "Signal",
        &["send", "emit", "set"],
        "Signals come from outside, by `rhythm.signal(…)` in SQL; a workflow calls `Sql.query(\"select rhythm.signal($1, $2)\", [id, \"name\"])`.",
    ),
    (
        "Mutex",
        &["lock", "get", "take", "wait", "run", "with"],
        "Write `const lock = await Mutex.acquire(\"name\")`, then `try { … } finally { lock.release(); }`.",
    ),
    (
        "Mutex",
        &["release", "unlock", "leave", "free"],
        "Write `lock.release()` of what `await Mutex.acquire(\"name\")` has given.",
    ),
    (
        "Sql",
        &["execute", "run", "one", "many", "all", "get", "select"],
        "Write `await Sql.query(\"select …\", [value])`, which gives an array of rows, or `await Sql.exec(\"update …\", [value])`, which gives their number.",
    ),
    (
        "Sql",
        &["transaction", "begin", "commit"],
        "A step is one transaction already: what is between two waits commits together.",
    ),
    (
        "Context",
        &["inputs", "input", "Inputs", "args", "params"],
        "Write `Inputs`.",
    ),
    (
        "Context",
        &["id", "runId", "workflowId"],
        "Write `Context.executionId`.",
    ),
    (
        "Context",
        &["name", "workflowName"],
        "Write `Context.workflow`.",
    ),
    ("Context", &["log", "logger"], "Write `console.log(…)`."),
    (
        "Context",
        &["sleep", "wait"],
        "Write `await sleep(seconds)`.",
    ),
    (
        "Context",
        &["run", "step", "task", "call"],
        "Write `await Task.run(\"name\", inputs)`.",
    ),
    (
        "Context",
        &["get", "state"],
        "Variables of a workflow are durable: keep the value in one; `Context.set` only shows it.",
    ),
    ("Context", &["now"], "Write `Date.now()`."),
    (
        "Promise",
        &["sleep", "delay", "timeout"],
        "Write `await sleep(seconds)`.",
    ),
    (
        "Promise",
        &["withResolvers", "defer"],
        "Write `await Signal.next(\"name\")` for something from outside, or an async function.",
    ),
    (
        "Promise",
        &["map", "each"],
        "Write `await Promise.all(list.map(async (item) => …))`, or `await Task.map(\"name\", list, {concurrency: 10})`.",
    ),
    (
        "crypto",
        &["getRandomValues", "randomBytes", "subtle", "createHash"],
        "Write `crypto.randomUUID()`, or compute it in a task.",
    ),
    (
        "Object",
        &[
            "defineProperty",
            "defineProperties",
            "setPrototypeOf",
            "getPrototypeOf",
        ],
        "Properties are plain: write `object.name = value`.",
    ),
    (
        "Object",
        &["create"],
        "Write `{}`, or `{...other}` for a copy: objects have no prototypes that a program could choose.",
    ),
    (
        "Array",
        &["fromAsync"],
        "Write `await Promise.all(list.map(async (item) => …))`, or a loop with `await` in it.",
    ),
    (
        "Object",
        &["prototype"],
        "Flow has no prototypes: write `Object.hasOwn(object, key)`, or call the method on the value.",
    ),
    (
        "Array",
        &["prototype"],
        "Flow has no prototypes: call the method on the list; `Array.from(values)` makes one.",
    ),
    (
        "String",
        &["prototype"],
        "Flow has no prototypes: call the method on the text, as in `text.trim()`.",
    ),
    (
        "Number",
        &["prototype"],
        "Flow has no prototypes: call the method on the number, as in `price.toFixed(2)`.",
    ),
    (
        "Object",
        &["getOwnPropertyDescriptor", "getOwnPropertyDescriptors"],
        "Properties are plain: write `Object.hasOwn(object, key)` and `object[key]`.",
    ),
];

/// Options of host calls as other engines call them.
const OPTIONS: &[(&str, &str)] = &[
    ("retries", "Write `retry: {maxAttempts: 3}`."),
    ("attempts", "Write `retry: {maxAttempts: 3}`."),
    ("maxRetries", "Write `retry: {maxAttempts: 3}`."),
    ("maximumAttempts", "Write `maxAttempts` in `retry: {…}`."),
    ("retryPolicy", "Write `retry: {maxAttempts: 3}`."),
    (
        "initialInterval",
        "Write `initial: \"1s\"` in `retry: {…}`.",
    ),
    ("maximumInterval", "Write `max: \"1m\"` in `retry: {…}`."),
    ("backoffCoefficient", "Write `backoff: 2` in `retry: {…}`."),
    ("timeoutMs", "Write `timeout: \"500ms\"`, or seconds."),
    (
        "startToCloseTimeout",
        "Write `attemptTimeout: \"30s\"` for each attempt, `timeout` for all together.",
    ),
    ("scheduleToStartTimeout", "Write `startTimeout: \"30s\"`."),
    (
        "scheduleToCloseTimeout",
        "Write `timeout: \"30s\"` for a run, `startTimeout` for the wait for a worker.",
    ),
    ("ttl", "Write `timeout: \"30s\"`."),
    ("deadline", "Write `timeout: \"30s\"`."),
    ("heartbeat", "Write `heartbeatTimeout: \"30s\"`."),
    ("taskQueue", "Write `queue: \"name\"`."),
    ("id", "Write `taskId: \"…\"`."),
    ("key", "Write `taskId: \"…\"`."),
    ("idempotencyKey", "Write `taskId: \"…\"`."),
    ("workflowId", "Write `taskId: \"…\"`."),
    (
        "parentClosePolicy",
        "Write `onParentClose: \"cancel\"` for a child workflow that ends with its parent, or `onParentClose: \"abandon\"`.",
    ),
    ("startAfter", "Write `delay: \"5m\"`, or `runAt: date`."),
    ("startAt", "Write `runAt: date`."),
    ("scheduledAt", "Write `runAt: date`."),
    ("delayMs", "Write `delay: \"500ms\"`, or seconds."),
];

/// Units as people write them, with Flow's unit and how many of those one is.
const UNITS: &[(&[&str], &str, f64)] = &[
    (
        &[
            "ms",
            "msec",
            "msecs",
            "milli",
            "millis",
            "millisecond",
            "milliseconds",
        ],
        "ms",
        1.0,
    ),
    (&["s", "sec", "secs", "second", "seconds"], "s", 1.0),
    (&["m", "min", "mins", "minute", "minutes"], "m", 1.0),
    (&["h", "hr", "hrs", "hour", "hours"], "h", 1.0),
    (&["d", "day", "days"], "d", 1.0),
    (&["w", "wk", "week", "weeks"], "d", 7.0),
];

/// What to write instead of a name that is not declared.
pub(crate) fn name(name: &str) -> Option<&'static str> {
    let line = NAMES.iter().find(|(absent, _)| *absent == name);
    line.map(|(_, hint)| *hint)
}

/// What to write instead of a member that a builtin has not.
pub(super) fn member(object: &str, name: &str) -> Option<&'static str> {
    let line = MEMBERS
        .iter()
        .find(|(of, names, _)| *of == object && names.contains(&name));
    let prototype = (name == "prototype")
        .then_some("Flow has no prototypes: call the method on the value, or write a function.");
    line.map(|(_, _, hint)| *hint).or(prototype)
}

/// What to write instead of an option.
pub(super) fn option(name: &str) -> Option<&'static str> {
    let line = OPTIONS.iter().find(|(absent, _)| *absent == name);
    line.map(|(_, hint)| *hint)
}

/// The duration that a text such as `5 minutes` means.
pub(super) fn duration(text: &str) -> Option<String> {
    let mut rest = text.trim().to_lowercase();
    if let Ok(seconds) = rest.parse::<f64>() {
        return (seconds >= 0.0
            && rest
                .chars()
                .all(|char| char.is_ascii_digit() || char == '.'))
        .then(|| format!("{rest}s"));
    }
    let mut found = String::new();
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let behind = rest[digits..].trim_start();
        let end = behind
            .find(|char: char| !char.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (_, unit, factor) = UNITS
            .iter()
            .find(|(words, ..)| words.contains(&&behind[..end]))?;
        found.push_str(&format!("{}{unit}", number * factor));
        rest = behind[end..]
            .trim_start_matches([' ', ','])
            .trim_start_matches("and ")
            .to_owned();
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::{duration as durations, registry};

    #[test]
    fn what_is_absent_is_not_there() {
        for (name, _) in NAMES {
            assert!(!registry().is_global(name), "{name} is there by now");
        }
        for (object, names, _) in MEMBERS {
            let members = registry().members(object);
            for name in *names {
                assert!(!members.contains(name), "{object}.{name} is there by now");
            }
        }
    }

    #[test]
    fn durations_in_words_are_understood() {
        for (text, meant) in [
            ("5 minutes", "5m"),
            ("1 hour and 30 min", "1h30m"),
            ("2w", "14d"),
            ("30", "30s"),
            ("10 Sec", "10s"),
        ] {
            let found = duration(text);
            assert_eq!(found.as_deref(), Some(meant), "{text}");
            assert!(durations::parse(meant).is_some());
        }
        for text in ["", "soon", "5 moons", "-1", "1e5"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
