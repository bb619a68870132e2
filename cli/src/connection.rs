//! From `--url` and the environment to a client, and from its errors to ours.

pub(crate) use rhythm_client::Client;
use rhythm_client::ErrorKind;

use crate::error::{CliError, Kind, Result};

/// Connects to the database that `url` names, or else the environment.
pub(crate) async fn open(url: Option<&str>) -> Result<Client> {
    Ok(Client::connect(url).await?)
}

impl From<rhythm_client::Error> for CliError {
    fn from(error: rhythm_client::Error) -> Self {
        let kind = match error.kind {
            ErrorKind::Config | ErrorKind::Connection | ErrorKind::Server => Kind::Server,
            _ => Kind::User,
        };
        let hint = error.hint.or_else(|| {
            (error.kind == ErrorKind::Connection).then(|| {
                "Name the database with --url or RHYTHM_URL; `rhythm dev` runs a server.".to_owned()
            })
        });
        Self {
            kind,
            code: error.code,
            message: error.message,
            detail: error.detail,
            hint,
        }
    }
}
