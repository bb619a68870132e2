//! What a test file can say beside calling the functions of the harness, and what vitest and jest have besides.
//! Tables only: `rhythm check` and `rhythm test` tell by them what is unknown, with what to write instead.

use rhythm_flow::harness::{Gives, Options, Provided};

/// Members of `test`, `it` and `describe`.
const MODES: &[&str] = &["skip", "only", "todo", "each", "skip.each", "only.each"];

const NO_MODES: &[(&str, &str)] = &[
    ("skipIf", "Write `test(name, { skip: condition }, body)`."),
    ("runIf", "Write `test(name, { skip: !condition }, body)`."),
    ("for", "Write `test.each(cases)(name, body)`."),
    (
        "fails",
        "Say what fails: `expect(() => …).toThrow()` or `await expect(promise).rejects.toThrow()`.",
    ),
    (
        "concurrent",
        "Remove it: the tests of a file run one after the other, on a clock that nobody waits for.",
    ),
    (
        "sequential",
        "Remove it: the tests of a file run one after the other.",
    ),
    (
        "shuffle",
        "Remove it: the tests of a file run in their order.",
    ),
    (
        "extend",
        "Write a function that gives what the tests share.",
    ),
];

/// Options of tests and groups.
const SETTINGS: Options = Options {
    argument: 1,
    keys: &["skip", "only", "todo"],
    absent: &[
        (
            "timeout",
            "Remove it: time is virtual, and a test that does not end is ended.",
        ),
        (
            "retry",
            "Remove it: a test does the same each time, since time and random numbers are its own.",
        ),
        ("repeats", "Write `test.each([1, 2, 3])(name, body)`."),
        (
            "concurrent",
            "Remove it: the tests of a file run one after the other.",
        ),
    ],
};

const RUN: Options = Options {
    argument: 2,
    keys: RUN_OPTIONS,
    absent: &[
        ("mocks", "Write `tasks: { name: result }`."),
        ("mock", "Write `tasks: { name: result }`."),
        ("handlers", "Write `tasks: { name: (inputs) => result }`."),
        ("activities", "Write `tasks: { name: (inputs) => result }`."),
        ("children", "Write `workflows: { name: result }`."),
        (
            "timeout",
            "Write `until: \"30d\"`: the run is looked at then.",
        ),
        (
            "queries",
            "Write `sql: [rows]`, or `sql: (text, params) => rows`.",
        ),
        (
            "db",
            "Write `sql: [rows]`, or `sql: (text, params) => rows`.",
        ),
        ("inputs", "The inputs are the second argument."),
        ("id", "Write `taskId: \"…\"`."),
        ("date", "Write `now: \"2030-01-31T12:00:00Z\"`."),
        ("clock", "Write `now: \"2030-01-31T12:00:00Z\"`."),
    ],
};

/// The options of `runWorkflow`.
pub const RUN_OPTIONS: &[&str] = &[
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

const FAILING: Options = Options {
    argument: 1,
    keys: &["times", "then", "retryable", "code", "data"],
    absent: &[
        ("attempts", "Write `times: 2`."),
        ("count", "Write `times: 2`."),
    ],
};

/// What `expect(value)` has.
pub const MATCHERS: &[&str] = &[
    "toBe",
    "toEqual",
    "toStrictEqual",
    "toMatchObject",
    "toBeDefined",
    "toBeUndefined",
    "toBeNull",
    "toBeNaN",
    "toBeTruthy",
    "toBeFalsy",
    "toBeTypeOf",
    "toBeInstanceOf",
    "toBeGreaterThan",
    "toBeGreaterThanOrEqual",
    "toBeLessThan",
    "toBeLessThanOrEqual",
    "toBeCloseTo",
    "toContain",
    "toContainEqual",
    "toHaveLength",
    "toHaveProperty",
    "toMatch",
    "toSatisfy",
    "toThrow",
    "toHaveBeenCalled",
    "toHaveBeenCalledTimes",
    "toHaveBeenCalledWith",
    "toHaveBeenLastCalledWith",
    "toHaveBeenNthCalledWith",
    "toHaveCompleted",
    "toHaveFailed",
];

const EXPECTATION: Gives = Gives {
    what: "matcher",
    members: MATCHERS,
    again: &["not", "resolves", "rejects"],
    absent: &[
        ("toThrowError", "Write `toThrow(…)`."),
        ("toBeCalled", "Write `toHaveBeenCalled()`."),
        ("toBeCalledTimes", "Write `toHaveBeenCalledTimes(1)`."),
        ("toBeCalledWith", "Write `toHaveBeenCalledWith(inputs)`."),
        (
            "lastCalledWith",
            "Write `toHaveBeenLastCalledWith(inputs)`.",
        ),
        (
            "nthCalledWith",
            "Write `toHaveBeenNthCalledWith(1, inputs)`.",
        ),
        ("toHaveBeenCalledOnce", "Write `toHaveBeenCalledTimes(1)`."),
        (
            "toHaveBeenCalledExactlyOnceWith",
            "Write `toHaveBeenCalledTimes(1)` and `toHaveBeenCalledWith(inputs)`.",
        ),
        (
            "toHaveReturnedWith",
            "Look at the calls: `expect(run.callsOf(\"charge\")[0].result).toEqual(…)`.",
        ),
        (
            "toHaveReturned",
            "Look at the calls: `expect(run.callsOf(\"charge\")[0].state).toBe(\"completed\")`.",
        ),
        ("toMatchSnapshot", "Write the value out: `toEqual({ … })`."),
        (
            "toMatchInlineSnapshot",
            "Write the value out: `toEqual({ … })`.",
        ),
        (
            "toBeOneOf",
            "Write `expect([\"a\", \"b\"]).toContain(value)`.",
        ),
        ("toBeTrue", "Write `toBe(true)`."),
        ("toBeFalse", "Write `toBe(false)`."),
        (
            "to",
            "Write a matcher such as `toBe(value)` or `toEqual(value)`.",
        ),
        (
            "toHaveResolved",
            "Write `await expect(promise).resolves.toBeDefined()`.",
        ),
    ],
};

const PART: &str =
    "Write `toMatchObject({ … })` for some of the properties, or expect each value by itself.";

const fn mode(name: &'static str) -> Provided {
    Provided {
        name,
        members: MODES,
        absent: NO_MODES,
        gives: None,
        options: Some(&SETTINGS),
    }
}

const fn plain(name: &'static str, options: Option<&'static Options>) -> Provided {
    Provided {
        name,
        members: &[],
        absent: &[],
        gives: None,
        options,
    }
}

/// The functions of the harness of which more can be said than their call.
pub(super) const PROVIDED: &[Provided] = &[
    mode("test"),
    mode("it"),
    mode("describe"),
    Provided {
        name: "expect",
        members: &[],
        absent: &[
            (
                "any",
                "Write `expect(value).toBeTypeOf(\"number\")`, or `toBeInstanceOf(Date)`.",
            ),
            ("anything", "Write `expect(value).toBeDefined()`."),
            ("objectContaining", PART),
            (
                "arrayContaining",
                "Write `toContain(item)` or `toContainEqual(item)` for each.",
            ),
            (
                "stringContaining",
                "Write `expect(text).toContain(\"part\")`.",
            ),
            ("stringMatching", "Write `expect(text).toMatch(/pattern/)`."),
            ("closeTo", "Write `expect(number).toBeCloseTo(other)`."),
            (
                "assertions",
                "Remove it, and await what the test waits for.",
            ),
            (
                "hasAssertions",
                "Remove it, and await what the test waits for.",
            ),
            (
                "soft",
                "Write `expect(value)`: the first one that does not hold ends the test.",
            ),
            ("extend", "Write a function that calls `expect`."),
            ("fail", "Write `throw new Error(\"…\")`."),
            ("unreachable", "Write `throw new Error(\"…\")`."),
        ],
        gives: Some(&EXPECTATION),
        options: None,
    },
    plain("runWorkflow", Some(&RUN)),
    plain("failing", Some(&FAILING)),
];

const PLAY: &str = "A task is played by a function or a value: `runWorkflow(\"order\", inputs, { tasks: { charge: () => 1 } })`; \
                    `run.callsOf(\"charge\")` has its calls.";
const TIME: &str = "Remove it: the clock of a test is virtual, and `now` of `runWorkflow` sets it.";
const MODULES: &str = "There are no modules to replace: give `runWorkflow` what its tasks do, `{ tasks: { charge: 1 } }`.";
const NOT_HERE: &str = "Test files of Flow have `test`, `describe`, `expect` and `runWorkflow`, whose option `tasks` takes the place of mocks.";

/// What other test kits have.
pub(super) const ABSENT: &[(&str, &str)] = &[
    ("vi.fn", PLAY),
    ("jest.fn", PLAY),
    ("vi.spyOn", PLAY),
    ("jest.spyOn", PLAY),
    ("vi.mocked", PLAY),
    ("vi.mock", MODULES),
    ("jest.mock", MODULES),
    ("vi.useFakeTimers", TIME),
    ("jest.useFakeTimers", TIME),
    ("vi.useRealTimers", TIME),
    ("jest.useRealTimers", TIME),
    ("vi.setSystemTime", TIME),
    ("jest.setSystemTime", TIME),
    (
        "vi.advanceTimersByTime",
        "Write `await sleep(\"1h\")`, which takes no time; or let a signal come `at` a time.",
    ),
    (
        "jest.advanceTimersByTime",
        "Write `await sleep(\"1h\")`, which takes no time; or let a signal come `at` a time.",
    ),
    ("vi", NOT_HERE),
    ("jest", NOT_HERE),
    ("sinon", NOT_HERE),
    ("mock", PLAY),
    ("suite", "Write `describe(name, body)`."),
    ("context", "Write `describe(name, body)`."),
    ("specify", "Write `test(name, body)`."),
    ("before", "Write `beforeAll(body)`."),
    ("after", "Write `afterAll(body)`."),
    ("setup", "Write `beforeEach(body)`."),
    ("teardown", "Write `afterEach(body)`."),
    (
        "assert",
        "Write `expect(value).toBe(other)` or `toEqual(other)`.",
    ),
    ("xit", "Write `test.skip(name, body)`."),
    ("xtest", "Write `test.skip(name, body)`."),
    ("xdescribe", "Write `describe.skip(name, body)`."),
    ("fit", "Write `test.only(name, body)`."),
    ("fdescribe", "Write `describe.only(name, body)`."),
];
