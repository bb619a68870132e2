// Runs the conformance corpus in Node: each program as the body of a strict async function, beside a small host that
// behaves as the one of the VM's runner (flow/tests/conformance.rs) does. What Node gives is what Flow must give.
//
//   node run_node.mjs [--write] [part of a name]
//
// A program's expectation stands in its comments:
//   // inputs: JSON               // task name: (inputs) => result      (the same for `workflow`)
//   // result: JSON, as JSON.stringify writes it, or   // throws: Name: message   or   // throws: Name
//   // log: one line              (all of them, in order)
// `--write` adds what Node gives to programs that have neither result nor throws; read the diff.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { logged } from "./logged.mjs";

// Dates of Flow are in UTC.
process.env.TZ = "UTC";
const AsyncFunction = (async () => {}).constructor;
const root = dirname(fileURLToPath(import.meta.url));
const START = Date.UTC(2024, 0, 1);

class TaskError extends Error {}
class TimeoutError extends Error {}
for (const kind of [TaskError, TimeoutError]) kind.prototype.name = kind.name;

const directive = (source, name) =>
  [...source.matchAll(new RegExp(`^[ \\t]*// ${name}:? (.*)$`, "gm"))].map((found) => found[1]);

/** The JSON that a value has at the host's boundary; undefined stays. */
function cross(value) {
  const text = JSON.stringify(value);
  if (text === undefined) return undefined;
  const check = (inner) => {
    if (typeof inner === "string" && (inner.includes("\0") || !inner.isWellFormed())) {
      throw new TypeError("a string with U+0000 or a lone surrogate cannot leave the program");
    }
    return inner;
  };
  return JSON.parse(text, (key, inner) => (check(key), check(inner)));
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(duration) {
  if (typeof duration === "number") return duration * 1000;
  const parts = [...String(duration).matchAll(/([0-9.]+)(ms|s|m|h|d)/g)];
  if (parts.map((part) => part[0]).join("") !== duration || !parts.length) {
    throw new RangeError(`"${duration}" is no duration`);
  }
  return parts.reduce((sum, [, count, unit]) => sum + count * UNITS[unit], 0);
}

/** Runs one program; gives {result} or {throws}, and {log}. */
async function run(source) {
  let now = START;
  const log = [];
  const tasks = [];
  const timers = [];
  const handlers = new Map();
  for (const kind of ["task", "workflow"]) {
    for (const line of directive(source, kind)) {
      const [, name, handler] = /^(\w+): (.*)$/.exec(line);
      const play = new AsyncFunction("inputs", `"use strict"; return (${handler})(inputs);`);
      handlers.set(`${kind} ${name}`, play);
    }
  }
  const timer = (due, settle) => timers.push({ due, settle, order: timers.length });
  const wait = (duration) => {
    const due = now + milliseconds(duration);
    return new Promise((resolve) => timer(due, resolve));
  };
  const started = (kind) => ({
    // How many run at once is nothing that a program sees.
    map: (name, items) => {
      const given = [...items].map(cross);
      return Promise.all(given.map((inputs) => started(kind).run(name, inputs)));
    },
    run: (name, inputs) => {
      const given = cross(inputs);
      return new Promise((resolve, reject) => tasks.push({ kind, name, given, resolve, reject }));
    },
    try: (name, inputs) => {
      // One reaction, as the host settles the wrapped promise itself.
      const given = cross(inputs);
      return new Promise((resolve) =>
        tasks.push({
          kind,
          name,
          given,
          resolve: (value) => resolve({ success: true, value }),
          reject: (error) => resolve({ success: false, error }),
        }),
      );
    },
  });
  const Task = started("task");
  const Workflow = started("workflow");
  const Timer = {
    delay: wait,
    until: (date) => new Promise((resolve) => timer(date.getTime(), resolve)),
  };
  const Signal = {
    next: (name, options) =>
      new Promise((_, reject) => {
        if (options?.timeout === undefined) return;
        const due = now + milliseconds(options.timeout);
        timer(due, () => reject(new TimeoutError(`no signal "${name}" came in time`)));
      }),
  };
  const Context = { executionId: "00000000-0000-7000-8000-000000000000", set() {} };
  const print = (...values) => log.push(logged(...values));
  const console = { log: print, debug: print, info: print, warn: print, error: print };
  const VirtualDate = new Proxy(Date, {
    construct: (target, given) => (given.length ? new target(...given) : new target(now)),
    get: (target, name) => (name === "now" ? () => now : target[name]),
  });

  const names = ["Inputs", "Context", "Task", "Workflow", "Timer", "Signal", "sleep", "console", "Date"];
  const inputs = JSON.parse(directive(source, "inputs")[0] ?? "{}");
  let end;
  const fail = (error) => {
    end ??= { throws: error instanceof Error ? `${error.name}: ${error.message}` : `${JSON.stringify(error)}` };
  };
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", fail);
  new AsyncFunction(...names, `"use strict";\n${source}`)(
    ...[inputs, Context, Task, Workflow, Timer, Signal, wait, console, VirtualDate],
  ).then((value) => (end ??= { result: JSON.stringify(value === undefined ? null : value) }), fail);

  // The host settles one promise at a time, when all microtasks are done: tasks in their order, then timers.
  while (!end) {
    await new Promise(setImmediate);
    if (end) break;
    const task = tasks.shift();
    if (task) {
      try {
        task.resolve(cross(await handlers.get(`${task.kind} ${task.name}`)(task.given ?? (task.given === null ? null : {}))) ?? null);
      } catch (error) {
        const cause = Object.assign(new Error(error.message), { name: error.name });
        task.reject(new TaskError(error.message, { cause }));
      }
      continue;
    }
    timers.sort((a, b) => a.due - b.due || a.order - b.order);
    const next = timers.shift();
    if (!next) {
      end = { throws: "stuck: nothing will ever settle" };
      break;
    }
    now = Math.max(now, next.due);
    next.settle();
  }
  return { ...end, log };
}

const only = process.argv.slice(2).find((given) => !given.startsWith("--")) ?? "";
const write = process.argv.includes("--write");
const files = readdirSync(root, { recursive: true })
  .filter((name) => name.endsWith(".flow") && name.includes(only))
  .sort();
let passed = 0;
let failed = 0;
for (const name of files) {
  const path = join(root, name);
  const source = readFileSync(path, "utf8");
  const expected = { result: directive(source, "result")[0], throws: directive(source, "throws")[0] };
  const log = directive(source, "log");
  let actual;
  try {
    actual = await run(source);
  } catch (error) {
    actual = { throws: `Node refuses it: ${error}`, log: [] };
  }
  if (write && expected.result === undefined && expected.throws === undefined) {
    const [kind, value] = actual.throws === undefined ? ["result", actual.result] : ["throws", actual.throws];
    const lines = log.length ? [] : actual.log.map((line) => `// log: ${line}\n`);
    writeFileSync(path, `// ${kind}: ${value}\n${lines.join("")}${source}`);
    continue;
  }
  // An expectation without a message compares the class alone: V8's words quote the source in ways of their own.
  const thrown = expected.throws?.includes(":") === false ? actual.throws?.split(":")[0] : actual.throws;
  const same = actual.result === expected.result && thrown === expected.throws && `${actual.log}` === `${log}`;
  if (same) passed++;
  else {
    failed++;
    console.log(`${relative(process.cwd(), path)}\n  expected ${JSON.stringify({ ...expected, log })}\n  Node     ${JSON.stringify(actual)}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
