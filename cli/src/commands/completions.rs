//! `rhythm completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Cli, Context};
use crate::error::Result;

/// Print the completion script of a shell
///
/// For bash: `rhythm completions bash > ~/.local/share/bash-completion/completions/rhythm`
#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rhythm", &mut script);
    context
        .output
        .line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
