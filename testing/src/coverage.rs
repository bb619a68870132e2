//! Which lines of a workflow ran, and how often.

use std::collections::BTreeMap;

use crate::Workflow;

/// How often the statements of one file were come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCoverage {
    /// The file.
    pub file: String,
    /// By line: how often the statement that begins there was come to most.
    pub lines: BTreeMap<u32, u64>,
}

impl FileCoverage {
    /// A file of which nothing has run.
    #[must_use]
    pub fn untouched(workflow: &Workflow) -> Self {
        Self {
            file: workflow.file().to_owned(),
            lines: workflow.statements.iter().map(|line| (*line, 0)).collect(),
        }
    }

    /// Adds the statements that a run came to, by their numbers.
    pub fn add(&mut self, workflow: &Workflow, hits: &[u64]) {
        let mut of_lines: BTreeMap<u32, u64> = BTreeMap::new();
        for (line, count) in workflow.statements.iter().zip(hits) {
            let most = of_lines.entry(*line).or_default();
            *most = (*most).max(*count);
        }
        for (line, count) in of_lines {
            *self.lines.entry(line).or_default() += count;
        }
    }

    /// Adds what another run of the tests found for the same file.
    pub fn merge(&mut self, other: &Self) {
        for (line, count) in &other.lines {
            *self.lines.entry(*line).or_default() += count;
        }
    }

    /// How many lines ran, and how many could.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let ran = self.lines.values().filter(|count| **count > 0).count();
        (ran, self.lines.len())
    }

    /// The lines that did not run, neighbours (by statements) joined: `7`, `12-15`.
    #[must_use]
    pub fn missed(&self) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        let mut joins = false;
        for (line, count) in &self.lines {
            if *count > 0 {
                joins = false;
            } else if let (true, Some(last)) = (joins, ranges.last_mut()) {
                last.1 = *line;
            } else {
                ranges.push((*line, *line));
                joins = true;
            }
        }
        ranges
    }

    /// The record of this file in the form of lcov.
    #[must_use]
    pub fn lcov(&self) -> String {
        let mut out = format!("TN:\nSF:{}\n", self.file);
        for (line, count) in &self.lines {
            out.push_str(&format!("DA:{line},{count}\n"));
        }
        let (ran, all) = self.counts();
        out.push_str(&format!("LF:{all}\nLH:{ran}\nend_of_record\n"));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::FileCoverage;

    #[test]
    fn neighbours_are_told_together() {
        let file = FileCoverage {
            file: "a.flow".into(),
            lines: [(1, 1), (2, 0), (4, 0), (5, 3), (9, 0)].into(),
        };
        assert_eq!(file.missed(), [(2, 4), (9, 9)]);
        assert_eq!(file.counts(), (2, 5));
        assert!(file.lcov().contains("DA:5,3\nDA:9,0\nLF:5\nLH:2\n"));
    }
}
