//! The frames of a waiting run: where each waits, and its variables.

use rhythm_client::Variable;

use crate::output::Output;

/// Draws the frames. `hidden`: whether there are more than these.
pub(crate) fn variables(rows: &[Variable], file: &str, hidden: bool, output: Output) -> String {
    let mut lines = vec![output.strong("variables")];
    for frame in rows.chunk_by(|one, next| one.frame == next.frame) {
        let Some(first) = frame.first() else {
            continue;
        };
        let at = format!("{file}:{}:{}", first.line, first.col);
        lines.push(format!(
            "{} waits at {}",
            first.function,
            output.accent(&at)
        ));
        let named = frame.iter().filter_map(|one| {
            let name = one.variable.as_deref()?;
            Some((name, one.value.as_deref().unwrap_or_default()))
        });
        let width = named.clone().map(|(name, _)| name.chars().count()).max();
        let width = width.unwrap_or_default();
        lines.extend(named.map(|(name, value)| {
            format!("  {}  {value}", output.faint(&format!("{name:width$}")))
        }));
    }
    if hidden {
        lines.push(output.faint("… and more (all with --all)"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(frame: i32, function: &str, line: i32, variable: &str, value: &str) -> Variable {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Variable {
            frame,
            function: function.into(),
            line,
            col: 7,
            variable: some(variable),
            value: some(value),
            cut: some(value).map(|value| value.ends_with('…')),
        }
    }

    #[test]
    fn each_frame_is_told_with_its_variables() {
        let rows = [
            row(1, "workflow", 8, "Inputs", "{ n: 1 }"),
            row(1, "workflow", 8, "total", "10"),
            row(2, "<anonymous>", 5, "", ""),
            row(3, "charge", 5, "item", "'aaaaaaaaaaaaaaaaaaaaa…"),
        ];
        insta::assert_snapshot!(variables(&rows, "order.flow", true, Output::plain()));
    }
}
