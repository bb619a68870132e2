//! An execution with its children, as a tree with states and durations.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use crate::output::Output;
use crate::render::time;

/// A workflow with more children than this shows those that matter, and counts the others.
const MANY: usize = 20;

/// What the tree says of one execution.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) attempt: i32,
    pub(crate) created: SystemTime,
    pub(crate) finished: Option<SystemTime>,
    /// Why it does not go on, or what it failed with.
    pub(crate) note: Option<String>,
}

/// Draws the tree below `root`. `all` shows every child, however many there are.
pub(crate) fn tree(
    nodes: &[Node],
    root: &str,
    now: SystemTime,
    all: bool,
    output: Output,
) -> String {
    let mut children: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in nodes {
        if let Some(parent) = &node.parent {
            children.entry(parent).or_default().push(node);
        }
    }
    let mut text = String::new();
    let Some(root) = nodes.iter().find(|node| node.id == root) else {
        return text;
    };
    // An explicit stack, since a tree may be as deep as its author likes.
    let mut stack = vec![Line {
        indent: String::new(),
        branch: "",
        below: "",
        what: What::Node(root, 0),
    }];
    while let Some(line) = stack.pop() {
        let _ = write!(text, "{}{}", line.indent, line.branch);
        let node = match line.what {
            What::Rest(rest) => {
                let _ = writeln!(text, "{}", output.faint(&rest));
                continue;
            }
            What::Node(node, width) => {
                let _ = writeln!(text, "{}", describe(node, width, now, output));
                node
            }
        };
        let indent = format!("{}{}", line.indent, line.below);
        stack.extend(
            lines_below(children.get(node.id.as_str()), &indent, all)
                .into_iter()
                .rev(),
        );
    }
    text.truncate(text.trim_end().len());
    text
}

struct Line<'a> {
    indent: String,
    branch: &'static str,
    below: &'static str,
    what: What<'a>,
}

enum What<'a> {
    /// A node and the width of the names beside it.
    Node(&'a Node, usize),
    /// Those that are only counted.
    Rest(String),
}

fn lines_below<'a>(children: Option<&Vec<&'a Node>>, indent: &str, all: bool) -> Vec<Line<'a>> {
    let Some(children) = children else {
        return Vec::new();
    };
    let few = all || children.len() <= MANY;
    let (shown, counted): (Vec<&Node>, Vec<&Node>) = children
        .iter()
        .copied()
        .partition(|node| few || node.state != "completed");
    let (shown, beyond) = shown.split_at(if few {
        shown.len()
    } else {
        shown.len().min(MANY)
    });
    let width = shown
        .iter()
        .map(|node| node.name.chars().count())
        .max()
        .unwrap_or_default();
    let mut whats: Vec<_> = shown.iter().map(|node| What::Node(node, width)).collect();
    if counted.len() + beyond.len() > 0 {
        whats.push(What::Rest(rest(counted.iter().chain(beyond).copied())));
    }
    let last = whats.len() - 1;
    whats
        .into_iter()
        .enumerate()
        .map(|(at, what)| {
            let (branch, below) = if at == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            Line {
                indent: indent.to_owned(),
                branch,
                below,
                what,
            }
        })
        .collect()
}

fn rest<'a>(nodes: impl Iterator<Item = &'a Node>) -> String {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        *states.entry(&node.state).or_default() += 1;
    }
    let counts: Vec<_> = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    format!("… and {}", counts.join(", "))
}

fn describe(node: &Node, width: usize, now: SystemTime, output: Output) -> String {
    let took = time::between(node.created, node.finished.unwrap_or(now));
    // Padding is counted without the escape codes of a colour.
    let pad = " ".repeat(width.saturating_sub(node.name.chars().count()));
    let state_pad = " ".repeat(9_usize.saturating_sub(node.state.len()));
    let mut text = format!(
        "{}{pad}  {}{state_pad}  {took:>8}",
        output.strong(&node.name),
        output.state(&node.state)
    );
    if node.attempt > 1 {
        let _ = write!(text, "  attempt {}", node.attempt);
    }
    if let Some(note) = &node.note {
        let _ = write!(text, "  {note}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn node(id: &str, parent: Option<&str>, name: &str, state: &str, millis: u64) -> Node {
        Node {
            id: id.into(),
            parent: parent.map(Into::into),
            name: name.into(),
            state: state.into(),
            attempt: 1,
            created: UNIX_EPOCH,
            finished: (state == "completed" || state == "failed")
                .then_some(UNIX_EPOCH + Duration::from_millis(millis)),
            note: None,
        }
    }

    fn draw(nodes: &[Node]) -> String {
        tree(
            nodes,
            "1",
            UNIX_EPOCH + Duration::from_secs(90),
            false,
            Output::plain(),
        )
    }

    #[test]
    fn a_tree_shows_states_durations_attempts_and_notes() {
        let mut charge = node("3", Some("1"), "charge", "completed", 1234);
        charge.attempt = 3;
        let mut ship = node("4", Some("1"), "shipp", "pending", 0);
        ship.note = Some("no worker has ever served 'shipp'; known: 'charge', 'ship'".into());
        let nodes = [
            node("1", None, "order", "waiting", 0),
            node("2", Some("1"), "reserve_stock", "completed", 12),
            charge,
            node("5", Some("1"), "inform", "running", 0),
            node("6", Some("5"), "mail", "failed", 300),
            ship,
        ];
        insta::assert_snapshot!(draw(&nodes));
    }

    #[test]
    fn many_children_are_counted_but_the_unfinished_ones_shown() {
        let mut nodes = vec![node("1", None, "audit", "waiting", 0)];
        for i in 0..300 {
            let state = if i % 100 == 7 { "running" } else { "completed" };
            nodes.push(node(&format!("c{i}"), Some("1"), "check_package", state, i));
        }
        insta::assert_snapshot!(draw(&nodes));
    }
}
