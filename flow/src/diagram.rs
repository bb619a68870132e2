//! Text forms of an outline: an indented list, Mermaid and Graphviz DOT. Knows only the outline.

use std::fmt::Write as _;

use crate::check::{OutlineKind, OutlineNode};

/// A row of the flat form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineRow {
    /// How deep it is; the workflow itself is 0.
    pub depth: u32,
    /// The part, without what is in it.
    pub node: OutlineNode,
    /// Indented, with all that is known of it.
    pub text: String,
}

/// All parts, each before what is in it.
#[must_use]
pub fn rows(root: &OutlineNode) -> Vec<OutlineRow> {
    let mut rows = Vec::new();
    let mut todo = vec![(0u32, root)];
    while let Some((depth, node)) = todo.pop() {
        let mut text = "  ".repeat(depth as usize);
        text.push_str(&sentence(node));
        let mut alone = node.clone();
        alone.children = Vec::new();
        rows.push(OutlineRow {
            depth,
            node: alone,
            text,
        });
        todo.extend(node.children.iter().rev().map(|child| (depth + 1, child)));
    }
    rows
}

/// What is said of a part.
fn sentence(node: &OutlineNode) -> String {
    if node.kind == OutlineKind::Workflow {
        return format!("workflow {}", node.name);
    }
    let mut text = label(node);
    let _ = write!(text, "  {}:{}", node.line, node.column);
    if node.waits {
        text.push_str(", waits");
    }
    match (node.times, node.kind) {
        (None, _) => text.push_str(", any number of times"),
        (Some(1), _) | (_, OutlineKind::Branch) => {}
        (Some(times), _) => {
            let _ = write!(text, ", at most {times} times");
        }
    }
    text
}

fn label(node: &OutlineNode) -> String {
    match node.kind {
        // These begin with a word of their own.
        OutlineKind::Branch | OutlineKind::Loop => node.name.clone(),
        kind => format!("{} {}", kind.word(), node.name)
            .trim_end()
            .to_owned(),
    }
}

/// A diagram for Mermaid.
#[must_use]
pub fn mermaid(root: &OutlineNode) -> String {
    let mut out = String::from("flowchart TD\n");
    let diagram = Diagram::of(root);
    for step in &diagram.steps {
        match *step {
            Step::Open(number, node) => {
                let _ = writeln!(
                    out,
                    "  subgraph g{number}[\"{}\"]",
                    in_mermaid(&group(node))
                );
            }
            Step::Close => out.push_str("  end\n"),
            Step::Leaf(number, node) => {
                let (before, behind) = match node.kind {
                    OutlineKind::Timer | OutlineKind::Await => ("([", "])"),
                    OutlineKind::Signal | OutlineKind::Mutex => ("{{", "}}"),
                    OutlineKind::Child => ("[[", "]]"),
                    OutlineKind::Sql => ("[(", ")]"),
                    _ => ("[", "]"),
                };
                let text = in_mermaid(&label(node));
                let _ = writeln!(out, "  n{number}{before}\"{text}\"{behind}");
            }
        }
    }
    for (from, to) in &diagram.edges {
        let _ = writeln!(out, "  n{from} --> n{to}");
    }
    for (from, to) in &diagram.calls {
        let _ = writeln!(out, "  n{from} -.-> g{to}");
    }
    let waits: Vec<String> = diagram
        .waits
        .iter()
        .map(|number| format!("n{number}"))
        .collect();
    if !waits.is_empty() {
        let _ = writeln!(
            out,
            "  classDef waits stroke-width:3px\n  class {} waits",
            waits.join(",")
        );
    }
    out
}

/// A diagram for Graphviz.
#[must_use]
pub fn dot(root: &OutlineNode) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "digraph \"{}\" {{\n  compound=true;\n  node [shape=box];",
        in_dot(&root.name)
    );
    let diagram = Diagram::of(root);
    for step in &diagram.steps {
        match *step {
            Step::Open(number, node) => {
                let _ = writeln!(
                    out,
                    "  subgraph cluster_g{number} {{\n  label=\"{}\";",
                    in_dot(&group(node))
                );
            }
            Step::Close => out.push_str("  }\n"),
            Step::Leaf(number, node) => {
                let shape = match node.kind {
                    OutlineKind::Timer | OutlineKind::Await => "ellipse",
                    OutlineKind::Signal | OutlineKind::Mutex => "hexagon",
                    OutlineKind::Child => "box3d",
                    OutlineKind::Sql => "cylinder",
                    _ => "box",
                };
                let bold = if node.waits { ", style=bold" } else { "" };
                let text = in_dot(&label(node));
                let _ = writeln!(out, "  n{number} [label=\"{text}\", shape={shape}{bold}];");
            }
        }
    }
    for (from, to) in &diagram.edges {
        let _ = writeln!(out, "  n{from} -> n{to};");
    }
    for (from, to) in &diagram.calls {
        if let Some(first) = diagram.first_of(*to) {
            let _ = writeln!(
                out,
                "  n{from} -> n{first} [style=dashed, lhead=cluster_g{to}];"
            );
        }
    }
    out.push_str("}\n");
    out
}

/// What a group is called.
fn group(node: &OutlineNode) -> String {
    match (node.kind, node.times) {
        (OutlineKind::Loop, Some(times)) => format!("{} (at most {times} times)", node.name),
        (OutlineKind::Loop, None) => format!("{} (any number of times)", node.name),
        _ => label(node),
    }
}

fn in_mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

fn in_dot(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

enum Step<'a> {
    Open(usize, &'a OutlineNode),
    Close,
    Leaf(usize, &'a OutlineNode),
}

/// Parts with numbers, and what leads where.
struct Diagram<'a> {
    steps: Vec<Step<'a>>,
    edges: Vec<(usize, usize)>,
    /// From calls to the functions.
    calls: Vec<(usize, usize)>,
    waits: Vec<usize>,
}

impl<'a> Diagram<'a> {
    fn of(root: &'a OutlineNode) -> Self {
        let mut this = Self {
            steps: Vec::new(),
            edges: Vec::new(),
            calls: Vec::new(),
            waits: Vec::new(),
        };
        let mut last: Option<usize> = None;
        // What stands in front of a function goes on behind it.
        let mut outside: Vec<Option<usize>> = Vec::new();
        let mut functions: Vec<(&str, usize)> = Vec::new();
        let mut called: Vec<(usize, &str)> = Vec::new();
        let mut number = 0;
        let mut todo: Vec<Result<&OutlineNode, &OutlineNode>> =
            root.children.iter().rev().map(Ok).collect();
        while let Some(next) = todo.pop() {
            match next {
                Ok(node) if node.children.is_empty() => {
                    number += 1;
                    this.steps.push(Step::Leaf(number, node));
                    this.edges.extend(last.map(|last| (last, number)));
                    last = Some(number);
                    if node.waits {
                        this.waits.push(number);
                    }
                    if node.kind == OutlineKind::Call {
                        called.push((number, &node.name));
                    }
                }
                Ok(node) => {
                    number += 1;
                    this.steps.push(Step::Open(number, node));
                    if node.kind == OutlineKind::Function {
                        functions.push((&node.name, number));
                        outside.push(last.take());
                    }
                    todo.push(Err(node));
                    todo.extend(node.children.iter().rev().map(Ok));
                }
                Err(node) => {
                    this.steps.push(Step::Close);
                    if node.kind == OutlineKind::Function {
                        last = outside.pop().flatten();
                    }
                }
            }
        }
        for (number, name) in called {
            let function = functions.iter().find(|(function, _)| *function == name);
            this.calls
                .extend(function.map(|(_, function)| (number, *function)));
        }
        this
    }

    /// The first leaf in a group.
    fn first_of(&self, group: usize) -> Option<usize> {
        let mut steps = self.steps.iter();
        steps.find(|step| matches!(step, Step::Open(number, _) if *number == group))?;
        steps.find_map(|step| match step {
            Step::Leaf(number, _) => Some(*number),
            _ => None,
        })
    }
}
