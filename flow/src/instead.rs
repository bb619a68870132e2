//! Names that JavaScript's values inherit and Flow's have not, each with what to write: the checker and the run say the same.

use crate::builtins::registry;
use crate::value::inherited::Kind;

/// What to write instead of what JavaScript's values inherit and Flow's have not.
const INHERITED: &[(&[&str], &str)] = &[
    (
        &["localeCompare"],
        "Write `a < b ? -1 : a > b ? 1 : 0`, which compares by code units.",
    ),
    (
        &["toLocaleString", "toLocaleDateString", "toLocaleTimeString"],
        "Write `toISOString()` or `toFixed(2)`; Flow depends on no locale.",
    ),
    (
        &["toDateString", "toTimeString"],
        "Write `toISOString()` or `toUTCString()`.",
    ),
    (
        &["call", "apply"],
        "Call the function itself: `f(a, b)` or `f(...list)`.",
    ),
    (&["bind"], "Write an arrow function: `() => f(a)`."),
    (
        &["isPrototypeOf", "propertyIsEnumerable"],
        "Write `Object.hasOwn(object, key)`.",
    ),
    (
        &["constructor"],
        "Write `instanceof` for errors, dates, maps and sets, `Array.isArray(x)` and `typeof x` for others.",
    ),
    (
        &["prototype"],
        "Flow has no classes; write a function that returns an object.",
    ),
    (
        &["drop", "filter", "flatMap", "map", "take"],
        "Spread the iterator into an array first: `[...iterator].map(f)`, `[...iterator].slice(0, 3)`.",
    ),
];

/// What to write instead of a name that JavaScript's values inherit and Flow's have not.
pub(crate) fn instead_of(name: &str) -> Option<String> {
    if let Some((_, hint)) = INHERITED.iter().find(|(names, _)| names.contains(&name)) {
        return Some((*hint).to_owned());
    }
    // `getUTCHours` for `getHours`.
    let (verb, part) = name.split_at_checked(3)?;
    let meant = format!("{verb}UTC{part}");
    (registry().method(Kind::Date, &meant).is_some())
        .then(|| format!("Write `{meant}()`: Flow knows no time zone but UTC."))
}
