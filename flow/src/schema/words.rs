//! Schemas in words: what a message says that was expected.

use super::node::{Id, Kinds, Node, Values};
use crate::tape::shorten;

/// How many parts of a schema are named.
const PARTS: usize = 6;
/// How many are looked at for different ones.
const LOOKS: usize = 50;
/// How deep the words go into a schema.
const DEPTH: usize = 3;

/// What a schema wants, such as `{amount, currency}`, `number | null`, `"a" | "b"`.
pub(super) fn describe(nodes: &[Node], id: Id) -> String {
    described(nodes, id, DEPTH)
}

/// The values of `enum` or `const`.
pub(super) fn values(values: &Values) -> String {
    joined(values.shown.iter().cloned())
}

fn described(nodes: &[Node], id: Id, depth: usize) -> String {
    let node = &nodes[id];
    let inner = |id: Id| match depth {
        0 => "something else".to_owned(),
        _ => described(nodes, id, depth - 1),
    };
    if node.always == Some(false) {
        return "nothing".to_owned();
    }
    if let Some(allowed) = &node.one_of_values {
        return values(allowed);
    }
    if node.kinds != Kinds::default() {
        return joined(node.kinds.words().map(|word| match word {
            "object" => node.object.as_ref().map_or_else(
                || "object".to_owned(),
                |rules| {
                    // One more than is shown; there may be thousands.
                    let names = rules.required.iter().chain(
                        rules
                            .properties
                            .iter()
                            .map(|(name, _)| name)
                            .filter(|name| !rules.required.contains(name)),
                    );
                    let mut shown: Vec<_> = names.take(PARTS + 1).map(|n| shorten(n)).collect();
                    if shown.is_empty() {
                        return "object".to_owned();
                    }
                    if shown.len() > PARTS {
                        shown[PARTS] = "…".into();
                    }
                    format!("{{{}}}", shown.join(", "))
                },
            ),
            "array" => match node.array.as_ref().and_then(|rules| rules.items) {
                Some(items) if nodes[items].always.is_none() => {
                    let of = inner(items);
                    if of.contains(" | ") {
                        format!("({of})[]")
                    } else {
                        format!("{of}[]")
                    }
                }
                _ => "array".to_owned(),
            },
            word => word.to_owned(),
        }));
    }
    if let Some(branches) = node.any_of.as_ref().or(node.one_of.as_ref()) {
        return joined(branches.iter().map(|branch| inner(*branch)));
    }
    match node.all_of[..] {
        [only] => inner(only),
        _ => "something else".to_owned(),
    }
}

/// The first different ones, with bars between them.
fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for part in parts.take(LOOKS) {
        if shown.contains(&part) {
            continue;
        }
        if shown.len() == PARTS {
            shown.push("…".to_owned());
            break;
        }
        shown.push(part);
    }
    shown.join(" | ")
}
