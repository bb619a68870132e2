// expect: what a test says about a value. A matcher that does not hold throws an AssertionError.

function expect(...given) {
  if (given.length !== 1) throw new TypeError(`expect takes one value, not ${given.length}.`);
  const [actual] = given;
  return {
    ...$matchers(actual, false, false),
    not: $matchers(actual, true, false),
    resolves: { ...$later(actual, true, false), not: $later(actual, true, true) },
    rejects: { ...$later(actual, false, false), not: $later(actual, false, true) },
  };
}

// The matchers for what a promise comes to.
function $later(promise, fulfils, negated) {
  const matchers = {};
  for (const name of Object.keys($matchers(undefined, false, false))) {
    matchers[name] = async (...args) => {
      if (!(promise instanceof Promise)) {
        $fail(
          `expect(value).${fulfils ? "resolves" : "rejects"} needs a promise, and got ${$inline(promise)}.`,
        );
      }
      let value;
      let fulfilled = true;
      try {
        value = await promise;
      } catch (error) {
        value = error;
        fulfilled = false;
      }
      if (fulfilled && !fulfils)
        $fail(`The promise was to reject, and resolved with ${$inline(value)}.`);
      if (!fulfilled && fulfils)
        $fail(`The promise was to resolve, and rejected with ${$inline(value)}.`, { cause: value });
      $matchers(value, negated, !fulfilled)[name](...args);
    };
  }
  return matchers;
}

function $fail(message, { expected, actual, about, cause } = {}) {
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  error.name = "AssertionError";
  if (expected !== undefined) error.expected = expected;
  if (actual !== undefined) error.actual = actual;
  if (about !== undefined) error.about = about;
  throw error;
}

function $matchers(actual, negated, isThrown) {
  // `relation` reads as: expected ACTUAL to (not) RELATION.
  const hold = (holds, relation, facts) => {
    if (Boolean(holds) !== negated) return;
    $fail(
      `expected ${$inline(actual)} ${negated ? "not " : ""}to ${relation}`,
      negated ? {} : facts,
    );
  };
  const compare = (holds, relation, expected) =>
    hold(holds, `${relation} ${$inline(expected)}`, {
      expected: $print(expected),
      actual: $print(actual),
    });
  const number = (name, other, holds) => {
    if (typeof actual !== "number" || typeof other !== "number") {
      $fail(`${name} compares numbers, and got ${$inline(actual)} and ${$inline(other)}.`);
    }
    hold(holds, `${name} ${other}`);
  };
  const calls = () => {
    if (
      Array.isArray(actual) &&
      actual.every((call) => typeof call?.name === "string" && "attempts" in call)
    )
      return actual;
    return $fail(
      `This matcher is about calls, such as run.calls or run.callsOf("charge"), and got ${$inline(actual)}.`,
    );
  };
  const called = (call, inputs, options) =>
    call !== undefined &&
    $equal(call.inputs, inputs, {}) &&
    (options === undefined || $equal(call.options, options, { part: true }));
  const shown = (call) => (call === undefined ? undefined : call.inputs);
  return {
    toBe: (expected) => {
      const twin = !negated && $equal(actual, expected, {})
        ? " (it looks the same, but is another object: use toEqual)"
        : "";
      hold(Object.is(actual, expected), `be ${$inline(expected)}${twin}`, {
        expected: $print(expected),
        actual: $print(actual),
      });
    },
    toEqual: (expected) => compare($equal(actual, expected, {}), "equal", expected),
    toStrictEqual: (expected) =>
      compare($equal(actual, expected, { strict: true }), "strictly equal", expected),
    toMatchObject: (expected) =>
      compare($equal(actual, expected, { part: true }), "match", expected),
    toBeDefined: () => hold(actual !== undefined, "be defined"),
    toBeUndefined: () => hold(actual === undefined, "be undefined"),
    toBeNull: () => hold(actual === null, "be null"),
    toBeNaN: () => hold(Number.isNaN(actual), "be NaN"),
    toBeTruthy: () => hold(actual, "be truthy"),
    toBeFalsy: () => hold(!actual, "be falsy"),
    toBeTypeOf: (type) =>
      hold(typeof actual === type, `have the type ${type}, and not ${typeof actual}`),
    toBeInstanceOf: (type) => hold(actual instanceof type, "be an instance of that class"),
    toBeGreaterThan: (other) => number("be greater than", other, actual > other),
    toBeGreaterThanOrEqual: (other) => number("be at least", other, actual >= other),
    toBeLessThan: (other) => number("be less than", other, actual < other),
    toBeLessThanOrEqual: (other) => number("be at most", other, actual <= other),
    toBeCloseTo: (other, digits = 2) =>
      number("be close to", other, Math.abs(actual - other) < 10 ** -digits / 2),
    toContain: (item) => {
      const list = actual instanceof Set ? [...actual] : actual;
      if (typeof list !== "string" && !Array.isArray(list))
        $fail(`toContain looks into texts, arrays and sets, not into ${$inline(actual)}.`);
      hold(list.includes(item), `contain ${$inline(item)}`);
    },
    toContainEqual: (item) =>
      hold([...actual].some((one) => $equal(one, item, {})), `contain ${$inline(item)}`),
    toHaveLength: (length) =>
      hold(
        actual?.length === length,
        `have the length ${length}, and not ${$inline(actual?.length)}`,
      ),
    toHaveProperty: (path, ...expected) => {
      const keys = Array.isArray(path) ? path : path.split(".");
      let value = actual;
      let found = true;
      for (const key of keys) {
        found = found && typeof value === "object" && value !== null && Object.hasOwn(value, key);
        value = found ? value[key] : undefined;
      }
      const what = `have the property ${keys.join(".")}`;
      if (expected.length === 0 || !found) hold(found, what);
      else
        hold($equal(value, expected[0], {}), `${what} with ${$inline(expected[0])}`, {
          expected: $print(expected[0]),
          actual: $print(value),
        });
    },
    toMatch: (pattern) => hold($matches(actual, pattern), `match ${$inline(pattern)}`),
    toSatisfy: (predicate) => hold(predicate(actual), "satisfy the function"),
    toThrow: (...expected) => {
      let [thrown, error] = [isThrown, actual];
      if (!isThrown) {
        if (typeof actual !== "function")
          $fail(`toThrow calls a function, and got ${$inline(actual)}.`);
        let value;
        try {
          value = actual();
        } catch (one) {
          [thrown, error] = [true, one];
        }
        if (value instanceof Promise)
          $fail("The function is async: write `await expect(promise).rejects.toThrow(…)`.");
      }
      const wanted = expected.length === 0 ? "throw" : `throw ${$inline(expected[0])}`;
      const holds = thrown && (expected.length === 0 || $isError(error, expected[0]));
      if (Boolean(holds) !== negated) return;
      const got = thrown ? `it threw ${$inline(error)}` : "it did not throw";
      $fail(`expected the function ${negated ? "not " : ""}to ${wanted}, and ${got}`);
    },
    toHaveBeenCalled: () => hold(calls().length > 0, "hold a call"),
    toHaveBeenCalledTimes: (times) =>
      hold(calls().length === times, `hold ${times} calls, and not ${actual.length}`),
    toHaveBeenCalledWith: (inputs, options) =>
      hold(
        calls().some((call) => called(call, inputs, options)),
        `hold a call with ${$inline(inputs)}`,
        {
          expected: $print(inputs),
          actual: $print(actual.length === 1 ? shown(actual[0]) : actual.map(shown)),
        },
      ),
    toHaveBeenLastCalledWith: (inputs, options) =>
      hold(called(calls().at(-1), inputs, options), `end with a call with ${$inline(inputs)}`, {
        expected: $print(inputs),
        actual: $print(shown(actual.at(-1))),
      }),
    toHaveBeenNthCalledWith: (nth, inputs, options) =>
      hold(called(calls()[nth - 1], inputs, options), `hold ${$inline(inputs)} as call ${nth}`, {
        expected: $print(inputs),
        actual: $print(shown(actual[nth - 1])),
      }),
    toHaveCompleted: (...expected) => {
      const run = $runOf(actual);
      if (run.state !== "completed" || expected.length === 0) $stands(run, "completed", negated);
      else if ($equal(run.result, expected[0], {}) === negated) {
        const facts = { expected: $print(expected[0]), actual: $print(run.result) };
        $fail(
          `expected the run ${negated ? "not " : ""}to complete with ${$inline(expected[0])}`,
          negated ? {} : facts,
        );
      }
    },
    toHaveFailed: (...expected) => {
      const run = $runOf(actual);
      if (run.state !== "failed" || expected.length === 0) $stands(run, "failed", negated);
      else if ($isErrorOfRun(run.error, expected[0]) === negated) {
        const wanted = typeof expected[0] === "function" ? expected[0].name : $inline(expected[0]);
        $fail(
          `expected the run ${negated ? "not " : ""}to fail with ${wanted}, and its error is ${$inline(run.error.message)}`,
          { about: run.error.stack },
        );
      }
    },
  };
}

function $matches(text, pattern) {
  if (typeof text !== "string") return false;
  return pattern instanceof RegExp ? text.search(pattern) >= 0 : text.includes(pattern);
}

// What a run failed with is no error any more but tells its class by name.
function $isErrorOfRun(error, expected) {
  if (typeof expected !== "function") return $isError(error, expected);
  return expected === Error || error.name === expected.name;
}

// A text is a part of the message, a regular expression matches it, a function a class (of errors) or a predicate, an object some of the properties.
function $isError(error, expected) {
  if (typeof expected === "string") return String(error?.message).includes(expected);
  if (typeof expected === "function") return error instanceof expected;
  if (expected instanceof Error) return error?.message === expected.message;
  if (expected instanceof RegExp) return $matches(String(error?.message), expected);
  return Object.keys(expected).every((key) => $equal(error?.[key], expected[key], { part: true }));
}

function $runOf(value) {
  if (typeof value?.state === "string" && typeof value?.callsOf === "function") return value;
  return $fail(`This matcher is about a run, as runWorkflow gives it, and got ${$inline(value)}.`);
}

function $stands(run, state, negated) {
  if ((run.state === state) !== negated) return;
  const why = run.error ? `: ${run.error.name}: ${run.error.message}` : "";
  $fail(`expected the run ${negated ? "not " : ""}to be ${state}, and it is ${run.state}${why}`, {
    about: run.error?.stack,
  });
}
