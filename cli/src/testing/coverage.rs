//! Which lines of the workflows ran: of all workflows that there are, also of those that no test runs.

use std::collections::BTreeMap;

use rhythm_testing::coverage::FileCoverage;

use super::Ran;
use super::library::Files;
use crate::output::Output;

/// Sums up what the test files ran.
pub(super) fn collect(all: &[Ran], library: &mut Files) -> Vec<FileCoverage> {
    let untouched = library.all();
    let mut files: BTreeMap<String, FileCoverage> = untouched
        .iter()
        .map(|workflow| FileCoverage::untouched(workflow))
        .map(|coverage| (coverage.file.clone(), coverage))
        .collect();
    for result in all.iter().filter_map(|ran| ran.outcome.as_ref().ok()) {
        for (file, coverage) in &result.coverage {
            match files.get_mut(file) {
                Some(own) => own.merge(coverage),
                None => {
                    files.insert(file.clone(), coverage.clone());
                }
            }
        }
    }
    files.into_values().collect()
}

/// In the form of lcov.
pub(super) fn lcov(covered: &[FileCoverage]) -> String {
    covered.iter().map(FileCoverage::lcov).collect()
}

/// As a table, with the lines that did not run.
pub(super) fn table(covered: &[FileCoverage], output: Output) -> String {
    let mut table = output.table(&["WORKFLOW", "LINES", "RAN", "NOT RUN"]);
    for file in covered {
        let (ran, all) = file.counts();
        let missed: Vec<String> = file
            .missed()
            .into_iter()
            .map(|(first, last)| {
                if first == last {
                    first.to_string()
                } else {
                    format!("{first}-{last}")
                }
            })
            .collect();
        table.add_row([
            file.file.clone(),
            all.to_string(),
            share(ran, all),
            missed.join(", "),
        ]);
    }
    let sum = covered.iter().map(FileCoverage::counts);
    let (ran, all) = sum.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if covered.len() > 1 {
        table.add_row([
            "all".to_owned(),
            all.to_string(),
            share(ran, all),
            String::new(),
        ]);
    }
    format!("\n{}", output.draw(table))
}

/// Rounded down: 100 % is all of it.
fn share(ran: usize, all: usize) -> String {
    match (ran * 100).checked_div(all) {
        Some(percent) => format!("{percent} %"),
        None => "100 %".to_owned(),
    }
}
