//! What a reference names, and whether references go round in circles.

use super::node::{Id, Node};
use crate::tape::{Node as Json, Tape};

/// What a reference names.
pub(super) enum Named {
    /// A place of the schema.
    Place(usize),
    /// The schema that has this anchor.
    Anchor(String),
}

/// What `$ref` or `$dynamicRef` names; none if it is not in this schema, or not there.
///
/// Both mean the same here, since a schema is never part of another one.
pub(super) fn named(tape: &Tape<'_>, target: &str) -> Option<Named> {
    let own = tape.get(0, "$id").map(|at| tape.node(at));
    let fragment = match target.split_once('#') {
        Some(("", fragment)) => fragment,
        Some((base, fragment)) if is_text(own, base) => fragment,
        None if target.is_empty() || is_text(own, target) => "",
        _ => return None,
    };
    let fragment = decoded(fragment)?;
    let Some(pointer) = fragment.strip_prefix('/') else {
        return Some(match fragment.is_empty() {
            true => Named::Place(0),
            false => Named::Anchor(fragment),
        });
    };
    let mut at = 0;
    for part in pointer.split('/') {
        let part = part.replace("~1", "/").replace("~0", "~");
        at = match tape.node(at) {
            Json::Object => tape.get(at, &part)?,
            Json::Array => tape.members(at).nth(part.parse().ok()?)?,
            _ => return None,
        };
    }
    Some(Named::Place(at))
}

fn is_text(node: Option<&Json<'_>>, text: &str) -> bool {
    matches!(node, Some(Json::String(found)) if found.trim_end_matches('#') == text)
}

/// A text without percent signs.
fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let code = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(code).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Whether a value would be compared with a schema again and again.
pub(super) fn has_cycle(nodes: &[Node]) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        Open,
        Done,
    }
    let mut seen = vec![Seen::Not; nodes.len()];
    for root in 0..nodes.len() {
        let mut open: Vec<(Id, Vec<Id>)> = Vec::new();
        if seen[root] == Seen::Not {
            seen[root] = Seen::Open;
            open.push((root, nodes[root].in_place().collect()));
        }
        while let Some((id, left)) = open.last_mut() {
            match left.pop() {
                Some(next) if seen[next] == Seen::Open => return true,
                Some(next) if seen[next] == Seen::Not => {
                    seen[next] = Seen::Open;
                    open.push((next, nodes[next].in_place().collect()));
                }
                Some(_) => {}
                None => {
                    seen[*id] = Seen::Done;
                    open.pop();
                }
            }
        }
    }
    false
}
