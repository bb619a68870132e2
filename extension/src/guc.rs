//! Every setting, named `rhythm.<noun>_<quality>`. Knows nothing of who reads it.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use rhythm_flow::Limits;

/// Instructions of one step. A loop without `await` is stopped within seconds, and a step that
/// handles some ten thousand results fits easily.
static STEP_FUEL: GucSetting<i32> = GucSetting::<i32>::new(200_000_000);
/// Live values of one workflow. A step holds a backend's memory for milliseconds, so this is generous.
static STEP_HEAP: GucSetting<i32> = GucSetting::<i32>::new(64 << 10);
/// Nested calls: as deep as Node's default stack, so that a program that runs there runs here.
static STEP_DEPTH: GucSetting<i32> = GucSetting::<i32>::new(10_000);
/// One string. Larger data belongs into tables.
static STRING_SIZE: GucSetting<i32> = GucSetting::<i32>::new(16 << 10);
/// The state kept between two steps, which is written at each of them.
static SAVE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(16 << 10);
/// Wall time of one step. The step's transaction may hold other workflows' outcomes.
static STEP_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(10_000);
/// The number of this server in the ids that it makes, so that a router can find an execution.
static NODE: GucSetting<i32> = GucSetting::<i32>::new(0);
/// Ended tasks of a live run that are kept, and as many timers and signals: one that goes on for ever would fill the disk with them.
/// The default keeps a fan-out of ten thousand whole.
static TIMELINE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(10_000);
/// Earlier states of a run from which it may be forked. Each is as large as its save, so none are kept unless somebody wants them.
static KEPT_STATES: GucSetting<i32> = GucSetting::<i32>::new(0);

/// Defines the settings.
pub(crate) fn init() {
    limit(
        c"rhythm.step_fuel",
        c"Instructions that a workflow may run from one await to the next.",
        &STEP_FUEL,
        1000,
        GucFlags::empty(),
    );
    limit(
        c"rhythm.step_heap",
        c"Memory that the values of one workflow may take.",
        &STEP_HEAP,
        64,
        GucFlags::UNIT_KB,
    );
    limit(
        c"rhythm.step_depth",
        c"Calls that a workflow may nest.",
        &STEP_DEPTH,
        10,
        GucFlags::empty(),
    );
    limit(
        c"rhythm.string_size",
        c"UTF-16 units that one string of a workflow may have, in units of 1024.",
        &STRING_SIZE,
        1,
        GucFlags::empty(),
    );
    limit(
        c"rhythm.save_size",
        c"Size that a workflow's saved state may have.",
        &SAVE_SIZE,
        16,
        GucFlags::UNIT_KB,
    );
    limit(
        c"rhythm.step_timeout",
        c"Time that a workflow may run from one await to the next; 0 for no limit.",
        &STEP_TIMEOUT,
        0,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"rhythm.node",
        c"Number of this server in the ids of its executions.",
        c"Servers behind one router need different numbers.",
        &NODE,
        0,
        65_535,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"rhythm.timeline_size",
        c"Ended tasks that a run keeps while it goes on; 0 for all.",
        c"Of those before it keeps a summary. What failed, and what has a task_id, is kept.",
        &TIMELINE_SIZE,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"rhythm.kept_states",
        c"States of a run that are kept for rhythm.fork, the last ones; 0 for none.",
        c"Each step of a workflow keeps one, with the setting of the session in which it runs.",
        &KEPT_STATES,
        0,
        100_000,
        GucContext::Suset,
        GucFlags::default(),
    );
    // SAFETY: a C string, which Postgres copies. Misspelt settings get a warning from now on.
    unsafe { pgrx::pg_sys::MarkGUCPrefixReserved(c"rhythm".as_ptr()) };
}

/// Defines a limit, which only a superuser may lift: it protects the server from its users.
fn limit(
    name: &'static std::ffi::CStr,
    words: &'static std::ffi::CStr,
    setting: &'static GucSetting<i32>,
    least: i32,
    unit: GucFlags,
) {
    let details = c"A workflow that exceeds it fails with a LimitError of this name, and nothing else is harmed.";
    GucRegistry::define_int_guc(
        name,
        words,
        details,
        setting,
        least,
        i32::MAX,
        GucContext::Suset,
        unit,
    );
}

/// The limits of a step as they are set now.
pub(crate) fn limits() -> Limits {
    let kilo = |setting: &GucSetting<i32>| usize::try_from(setting.get()).unwrap_or(0) * 1024;
    Limits {
        fuel: u64::try_from(STEP_FUEL.get()).unwrap_or(0),
        heap_bytes: kilo(&STEP_HEAP),
        depth: usize::try_from(STEP_DEPTH.get()).unwrap_or(0),
        string_units: kilo(&STRING_SIZE),
        save_bytes: kilo(&SAVE_SIZE),
    }
}

/// How long a step may take; none for no limit.
pub(crate) fn step_timeout() -> Option<std::time::Duration> {
    let millis = u64::try_from(STEP_TIMEOUT.get()).unwrap_or(0);
    (millis > 0).then(|| std::time::Duration::from_millis(millis))
}

/// How many states of a run are kept, the last ones.
pub(crate) fn kept_states() -> i32 {
    KEPT_STATES.get()
}

/// The number of this server in ids.
pub(crate) fn node() -> u16 {
    u16::try_from(NODE.get()).unwrap_or(0)
}
