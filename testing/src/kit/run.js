// runWorkflow: a run whose tasks, child workflows and queries are played by this file. The host keeps the run and the clock.

// Plays of tasks. What is not one of these is a function that is called, or the result itself.
function failing(error, options = {}) {
  $only("failing", options, ["times", "then", "retryable", "code", "data"]);
  return { $play: "failing", error, times: Infinity, then: null, ...options };
}

function never() {
  return { $play: "never" };
}

function slow(duration, then = null) {
  return { $play: "slow", duration, then };
}

function inOrder(...plays) {
  return { $play: "inOrder", plays };
}

function $only(what, options, known) {
  for (const key of Object.keys(options)) {
    if (!known.includes(key))
      throw new TypeError(`'${key}' is no option of ${what}: there are ${known.join(", ")}.`);
  }
}

const $RUN_OPTIONS = [
  "tasks",
  "workflows",
  "signals",
  "sql",
  "cancel",
  "now",
  "until",
  "taskId",
  "seed",
];

async function runWorkflow(workflow, inputs = {}, options = {}) {
  $only("runWorkflow", options, $RUN_OPTIONS);
  const { tasks = {}, workflows = {}, sql, ...rest } = options;
  const shared = { tasks, workflows, sql, counts: new Map(), queries: 0 };
  return await $runIn(shared, workflow, inputs, rest);
}

// A run whose plays are those of another one too: it is a child of that.
async function $runIn(shared, workflow, inputs, options) {
  const { tasks, workflows } = shared;
  const { run } = await Task.run("$start", { workflow, inputs, ...options });
  const scene = { run, shared, broken: null };
  for (;;) {
    const event = await Task.run("$next", { run });
    if (scene.broken) throw scene.broken;
    if (event.kind === "attempt") $playTask(scene, event);
    else if (event.kind === "query") await $playQuery(scene, event);
    else if (event.kind === "end") return $finished(event.report);
    else if (event.kind === "unplayed") {
      const plays = event.of === "task" ? tasks : workflows;
      const missing = event.missing === null ? "" : ` ${event.missing}`;
      throw new Error(
        `${workflow} starts the ${event.of} "${event.name}", and the ${event.of}s of runWorkflow have ${$names(plays)}: ` +
          `add ${$key(event.name)} with a result or a function.${missing}`,
      );
    } else
      throw new Error(
        `${workflow} runs a query that sql has no answer for: ${$inline(event.text)}`,
      );
  }
}

function $names(tasks) {
  const names = Object.keys(tasks);
  return names.length === 0 ? "none" : `only ${names.join(", ")}`;
}

function $finished(report) {
  return {
    ...report,
    order: report.calls.map((call) => call.name),
    callsOf: (name) => report.calls.filter((call) => call.name === name),
  };
}

async function $playTask(scene, event) {
  const { run, shared } = scene;
  const { of, name } = event;
  const plays = of === "task" ? shared.tasks : shared.workflows;
  let played = plays[name];
  if (!Object.hasOwn(plays, name)) {
    const { missing } = of === "task" ? { missing: null } : await Task.run("$has", { workflow: name });
    if (of === "task" || missing !== null) {
      await Task.run("$stop", { run, kind: "unplayed", of, name, missing });
      return;
    }
    played = (inputs) => $runChild(shared, name, inputs);
  }
  const task = {
    name: event.name,
    attempt: event.attempt.number,
    options: event.options,
    signal: (name, payload = null, { key } = {}) => Task.run("$signal", { run, name, payload, key }),
  };
  const outcome = {};
  try {
    const value = await $play(shared, played, event.inputs, task);
    if (value === $NEVER) return;
    outcome.value = value ?? null;
  } catch (error) {
    if (error instanceof Error && error.name === "AssertionError") {
      scene.broken = error;
      await Task.run("$stop", { run, kind: "broken" });
      return;
    }
    outcome.error = $error(error);
    outcome.error.data = error?.data;
    outcome.retryable = error?.retryable ?? true;
  }
  try {
    await Task.run("$answer", { run, attempt: event.attempt, ...outcome });
  } catch (error) {
    scene.broken = new TypeError(
      `The result of the ${of} "${name}" cannot be stored: ${error.message}`,
    );
    await Task.run("$stop", { run, kind: "broken" });
  }
}

const $NEVER = { never: true };

// A child workflow that nobody plays runs for real.
async function $runChild(shared, workflow, inputs) {
  const report = await $runIn(shared, workflow, inputs, { isChild: true });
  if (report.state === "completed") return report.result;
  if (report.state === "waiting") return never();
  throw $asError(report.error);
}

// The error of a report as one that can be thrown.
function $asError(facts) {
  const error = Object.assign(new Error(facts.message), facts);
  if (typeof facts.cause?.message === "string") error.cause = $asError(facts.cause);
  return error;
}

async function $play(shared, play, inputs, task) {
  if (typeof play === "function") return await $play(shared, await play(inputs, task), inputs, task);
  switch (play?.$play) {
    case "failing": {
      const count = $count(shared, play);
      if (count > play.times) return await $play(shared, play.then, inputs, task);
      throw $failure(play);
    }
    case "never":
      return $NEVER;
    case "slow":
      await sleep(play.duration);
      return await $play(shared, play.then, inputs, task);
    case "inOrder": {
      const at = Math.min($count(shared, play), play.plays.length) - 1;
      return await $play(shared, play.plays[at], inputs, task);
    }
    default:
      return play;
  }
}

// How often a play was needed in this run, this time included.
function $count(shared, play) {
  const count = (shared.counts.get(play) ?? 0) + 1;
  shared.counts.set(play, count);
  return count;
}

function $failure(play) {
  const error = play.error instanceof Error ? play.error : new Error(String(play.error));
  for (const key of ["retryable", "code", "data"]) {
    if (play[key] !== undefined) error[key] = play[key];
  }
  return error;
}

async function $playQuery(scene, event) {
  const { run, shared } = scene;
  const { sql } = shared;
  const { text, params } = event;
  const outcome = {};
  try {
    const number = shared.queries;
    shared.queries += 1;
    let rows = typeof sql === "function" ? await sql(text, params) : sql?.[number];
    if (rows?.$play === "failing") throw $failure(rows);
    if (rows === undefined && typeof sql !== "function") {
      await Task.run("$stop", { run, kind: "unanswered", text });
      return;
    }
    outcome.rows = rows ?? [];
  } catch (error) {
    if (error instanceof Error && error.name === "AssertionError") throw error;
    outcome.error = $error(error);
  }
  await Task.run("$rows", { run, ...outcome });
}

async function $file() {}

await $run();
