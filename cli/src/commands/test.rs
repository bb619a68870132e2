//! `rhythm test`: needs no server.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Context;
use crate::commands::input::Exclude;
use crate::error::Result;
use crate::testing::{self, Settings};

/// Run the tests of workflows, without a server
///
/// A test file is named *.test.flow. Its tests run workflows in the machine of production, with tasks,
/// signals and SQL played by the test, and a clock that jumps. Each test runs twice, the second
/// time with the workflow's state saved and loaded between all of its steps.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Test files, and folders in which to look for them; the current folder if there are none
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    exclude: Exclude,
    /// Run only tests whose full name (`group > test`) holds this text
    #[arg(short = 't', long, value_name = "TEXT")]
    name: Option<String>,
    /// Run each test with the state saved and loaded too; on by default
    #[arg(long, overrides_with = "no_durable")]
    durable: bool,
    /// Run each test once only, without saving and loading
    #[arg(long)]
    no_durable: bool,
    /// Show which lines of the workflows ran
    #[arg(long)]
    coverage: bool,
    /// Write which lines ran to a file in the form of lcov
    #[arg(long, value_name = "FILE")]
    coverage_lcov: Option<PathBuf>,
    /// Write the results to a file in the form of JUnit
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Run again whenever a .flow file changes
    #[arg(short, long)]
    watch: bool,
}

pub(crate) fn run(args: TestArgs, context: &Context) -> Result<()> {
    let settings = Settings {
        paths: if args.paths.is_empty() {
            vec![PathBuf::from(".")]
        } else {
            args.paths
        },
        exclude: args.exclude,
        name: args.name,
        durable: args.durable || !args.no_durable,
        coverage: args.coverage,
        coverage_lcov: args.coverage_lcov,
        junit: args.junit,
    };
    if args.watch {
        testing::watch(&settings, context.output)
    } else {
        testing::run(&settings, context.output)
    }
}
