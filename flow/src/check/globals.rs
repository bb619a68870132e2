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

/// Whether a program may use a name without declaring it, besides its parameters.
pub(super) fn is_builtin(name: &str) -> bool {
    registry().is_global(name)
}

/// All such names.
pub(super) fn builtins() -> Vec<&'static str> {
    registry().globals()
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
        _ if !is_builtin(name) => None,
        _ => {
            let mut members = registry().members(name);
            if registry().find(name).is_some() {
                members.extend(["length", "name"]);
            }
            Some(members)
        }
    }
}
