// Tests, groups and hooks: how a test file says what there is, and how that is run.

const $root = $group("", null, {});
const $open = { group: $root };

function $group(name, parent, settings) {
  return {
    name,
    parent,
    settings,
    entries: [],
    beforeAll: [],
    beforeEach: [],
    afterEach: [],
    afterAll: [],
  };
}

function describe(name, options, body) {
  const [settings, fill] = $settings("describe", name, options, body, {});
  const group = $group(name, $open.group, settings);
  $open.group.entries.push(group);
  $open.group = group;
  try {
    if (fill() instanceof Promise) {
      throw new TypeError(
        "The function of describe must not be async: tests are async, groups only hold them.",
      );
    }
  } finally {
    $open.group = group.parent;
  }
}

function test(name, options, body) {
  const [settings, run] = $settings("test", name, options, body, {});
  const entry = { name, parent: $open.group, settings, run, stack: new Error(name).stack };
  $open.group.entries.push(entry);
}

function it(name, options, body) {
  test(name, options, body);
}

function beforeAll(hook) {
  $open.group.beforeAll.push($hook("beforeAll", hook));
}

function beforeEach(hook) {
  $open.group.beforeEach.push($hook("beforeEach", hook));
}

function afterEach(hook) {
  $open.group.afterEach.push($hook("afterEach", hook));
}

function afterAll(hook) {
  $open.group.afterAll.push($hook("afterAll", hook));
}

function $hook(name, hook) {
  if (typeof hook !== "function")
    throw new TypeError(`${name} needs a function, not ${$inline(hook)}.`);
  return hook;
}

// `test(name, body)` and `test(name, {skip: true}, body)`; `more` is what the mode of a test adds.
function $settings(what, name, options, body, more) {
  if (typeof name !== "string")
    throw new TypeError(`${what} needs a name as its first argument, not ${$inline(name)}.`);
  if (typeof options === "function" && body === undefined) return [{ ...more }, options];
  const settings = { ...options, ...more };
  for (const key of Object.keys(settings)) {
    if (!["skip", "only", "todo"].includes(key)) {
      throw new TypeError(`'${key}' is no option of ${what}: there are skip, only and todo.`);
    }
  }
  if (typeof body !== "function" && !settings.todo) {
    throw new TypeError(`${what} needs a function as its last argument, not ${$inline(body)}.`);
  }
  return [settings, body ?? (() => undefined)];
}

function $chain(entry) {
  const chain = [];
  for (let group = entry; group; group = group.parent) chain.unshift(group);
  return chain;
}

function $tests(group) {
  return group.entries.flatMap((entry) => (entry.entries ? $tests(entry) : [entry]));
}

function $facts(entry) {
  const chain = $chain(entry);
  const has = (key) => chain.some((one) => Boolean(one.settings[key]));
  return {
    path: chain.slice(1).map((one) => one.name),
    stack: entry.stack,
    skip: has("skip"),
    only: has("only"),
    todo: has("todo"),
  };
}

async function $run() {
  try {
    await $file();
  } catch (error) {
    await Task.run("$broken", $error(error));
    return;
  }
  const tests = $tests($root);
  const wanted = await Task.run("$plan", tests.map($facts));
  for (const [number, entry] of tests.entries()) {
    entry.number = number;
    entry.wanted = wanted[number];
  }
  await $runGroup($root, []);
}

async function $runGroup(group, failed) {
  if (!$tests(group).some((entry) => entry.wanted)) return;
  const errors = [...failed];
  if (errors.length === 0) await $try(errors, group.beforeAll);
  for (const entry of group.entries) {
    if (entry.entries) await $runGroup(entry, errors);
    else if (entry.wanted) await $runTest(entry, [...errors]);
  }
  const late = [];
  await $try(late, group.afterAll);
  for (const error of late) await Task.run("$broken", error);
}

async function $runTest(entry, errors) {
  await Task.run("$begin", { test: entry.number });
  const groups = $chain(entry.parent);
  if (errors.length === 0) {
    await $try(errors, groups.flatMap((group) => group.beforeEach));
    if (errors.length === 0) await $try(errors, [entry.run]);
    const after = groups.reverse().map((group) => group.afterEach);
    for (const hooks of after) await $try(errors, [...hooks].reverse());
  }
  await Task.run("$end", { test: entry.number, errors });
}

// Calls functions one after the other; the first error ends that, and is noted.
async function $try(errors, functions) {
  try {
    for (const run of functions) await run();
  } catch (error) {
    errors.push($error(error));
  }
}

// An error as the reporter gets it.
function $error(error) {
  if (!(error instanceof Error))
    return { name: "Error", message: `${$inline(error)} was thrown, which is no Error` };
  return {
    name: String(error.name),
    message: String(error.message),
    stack: typeof error.stack === "string" ? error.stack : undefined,
    code: error.code === undefined ? undefined : String(error.code),
    expected: error.expected,
    actual: error.actual,
    about: error.about,
    cause: error.cause === undefined ? undefined : $error(error.cause),
  };
}
