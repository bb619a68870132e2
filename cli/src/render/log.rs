//! The log of a run or of a tree, a line each.

use rhythm_client::LogEntry;

use crate::output::Output;
use crate::render::time;

/// Draws lines of a log. `names`: whether it is said whose each is.
pub(crate) fn log(entries: &[LogEntry], names: bool, output: Output) -> String {
    let width = |text: fn(&LogEntry) -> &str| {
        let widths = entries.iter().map(|one| text(one).chars().count());
        widths.max().unwrap_or_default()
    };
    let level_width = width(|one| &one.level);
    let name_width = width(|one| &one.name);
    // Further lines of a message stand below its first one.
    let indent = 25 + level_width + 2 + if names { name_width + 2 } else { 0 };
    let gap = format!("\n{}", " ".repeat(indent));
    let lines = entries.iter().map(|one| {
        let level = format!("{:level_width$}", one.level);
        let level = match one.level.as_str() {
            "error" | "warn" => output.severity(&one.level, &level),
            _ => level,
        };
        let name = if names {
            format!("{}  ", output.faint(&format!("{:name_width$}", one.name)))
        } else {
            String::new()
        };
        let at = output.faint(&time::timestamp(one.at));
        format!("{at}  {level}  {name}{}", one.message.replace('\n', &gap))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn lines_are_told_with_their_times_and_of_a_tree_with_their_names() {
        let entry = |second, level: &str, name: &str, message: &str| LogEntry {
            at: UNIX_EPOCH + Duration::from_secs(second),
            level: level.into(),
            message: message.into(),
            execution_id: uuid::Uuid::nil(),
            name: name.into(),
        };
        let entries = [
            entry(60, "log", "order", "begin"),
            entry(61, "error", "charge-card", "no money\nat all"),
        ];
        let (one, tree) = (
            log(&entries, false, Output::plain()),
            log(&entries, true, Output::plain()),
        );
        insta::assert_snapshot!(format!("{one}\n\n{tree}"));
    }
}
