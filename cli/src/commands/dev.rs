//! `rhythm dev`.

use std::path::{Path, PathBuf, absolute};

use clap::Args;

use crate::cli::Context;
use crate::dev;
use crate::error::{AtPath, CliError, Result};

/// Run an embedded server for development
///
/// Starts PostgreSQL with the extension created in the database `rhythm`, or goes on with the
/// data that an earlier run left. When it serves, it prints one line to stdout: `ready`, and the
/// superuser's URL. Ctrl-C stops it. It listens on 127.0.0.1 only, and trusts whoever connects
/// from there.
#[derive(Args)]
pub(crate) struct DevArgs {
    /// Where the data lives; made if it isn't there
    #[arg(long, value_name = "DIR", default_value = ".rhythm/data")]
    data_dir: PathBuf,
    /// Port to listen on
    #[arg(long, default_value_t = 5432, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Deploy the .flow files of this folder and those below it, and again whenever one changes
    ///
    /// Passed over are hidden folders, node_modules, target, what .rhythmignore, .ignore or .gitignore say, and files of
    /// one name.
    #[arg(long, value_name = "DIR")]
    flows: Option<PathBuf>,
    /// pg_config of the PostgreSQL to run, instead of the embedded one
    #[arg(
        long,
        value_name = "PROGRAM",
        env = "RHYTHM_PG_CONFIG",
        hide_env_values = true
    )]
    pg_config: Option<PathBuf>,
    /// Folder with the built extension, instead of the project's own
    #[arg(
        long,
        value_name = "DIR",
        env = "RHYTHM_EXTENSION",
        hide_env_values = true
    )]
    extension: Option<PathBuf>,
}

pub(crate) async fn run(args: DevArgs, context: &Context) -> Result<()> {
    if let Some(flows) = &args.flows
        && !flows.is_dir()
    {
        return Err(CliError::user(format!(
            "there is no folder {}",
            flows.display()
        )));
    }
    let whole = |path: &Path| absolute(path).at("find", path);
    let settings = dev::Settings {
        data_dir: whole(&args.data_dir)?,
        port: args.port,
        flows: args.flows.as_deref().map(whole).transpose()?,
        pg_config: args.pg_config.as_deref().map(whole).transpose()?,
        extension: args.extension.as_deref().map(whole).transpose()?,
    };
    dev::run(settings, context.output).await
}
