//! `rhythm completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::Result;

/// Print the completion script of a shell
///
/// For bash: `rhythm completions bash > ~/.local/share/bash-completion/completions/rhythm`
#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

#[allow(clippy::unnecessary_wraps, reason = "every verb has the same form")]
pub(crate) fn run(args: &CompletionsArgs) -> Result<()> {
    clap_complete::generate(
        args.shell,
        &mut Cli::command(),
        "rhythm",
        &mut std::io::stdout(),
    );
    Ok(())
}
