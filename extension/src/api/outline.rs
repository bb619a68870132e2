//! What a workflow may do, as its source says (`sql/schema/85_explain.sql`).

use pgrx::prelude::*;
use rhythm_flow::Source;
use rhythm_flow::check::outline;
use rhythm_flow::diagram;

/// `_outline(workflow, source, format)`: a row for each part, or for each line of a diagram.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn outline_of(
    workflow: &str,
    source: &str,
    format: &str,
) -> TableIterator<
    'static,
    (
        name!(depth, Option<i32>),
        name!(kind, Option<&'static str>),
        name!(name, Option<String>),
        name!(line, Option<i32>),
        name!(col, Option<i32>),
        name!(waits, Option<bool>),
        name!(times, Option<i64>),
        name!(text, String),
    ),
> {
    let root = outline(&Source::new(format!("{workflow}.flow"), source), workflow);
    let drawn = match format {
        "mermaid" => Some(diagram::mermaid(&root)),
        "dot" => Some(diagram::dot(&root)),
        _ => None,
    };
    let rows: Vec<_> = match drawn {
        Some(text) => text
            .lines()
            .map(|line| (None, None, None, None, None, None, None, line.to_owned()))
            .collect(),
        None => diagram::rows(&root)
            .into_iter()
            .map(|row| {
                let number = |number: u32| Some(i32::try_from(number).unwrap_or(i32::MAX));
                (
                    number(row.depth),
                    Some(row.node.kind.word()),
                    Some(row.node.name),
                    number(row.node.line),
                    number(row.node.column),
                    Some(row.node.waits),
                    row.node
                        .times
                        .map(|times| i64::try_from(times).unwrap_or(i64::MAX)),
                    row.text,
                )
            })
            .collect(),
    };
    TableIterator::new(rows)
}
