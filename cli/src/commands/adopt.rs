//! `rhythm adopt`.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;

/// Let a restored or copied database run
///
/// A database that finds itself restored from a dump, or copied from another one, runs nothing until
/// somebody says so: a test copy must not charge cards. `rhythm resume` lists what is paused.
#[derive(Args)]
#[command(after_help = "Example:
  rhythm adopt --url postgresql://postgres@db/shop")]
pub(crate) struct AdoptArgs {}

pub(crate) async fn run(_: AdoptArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let adopted = client.adopt().await?;
    context.output.either(&json!({ "adopted": adopted }), || {
        if adopted {
            "the database is adopted and runs".to_owned()
        } else {
            "there was nothing to adopt: this database was neither restored nor copied".to_owned()
        }
    });
    Ok(())
}
