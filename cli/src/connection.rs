//! From `--url` and the environment to a client, and from its errors to ours.

pub(crate) use rhythm_client::Client;
use rhythm_client::ErrorKind;

use crate::error::{CliError, Kind, Result};
use crate::output::note;

/// Connects to the database that `url` names, or else the environment. What the server warns of goes to stderr; what else it
/// says beside its answers, the verbs say themselves.
pub(crate) async fn open(url: Option<&str>) -> Result<Client> {
    let client = Client::connect(url).await?;
    Ok(client.observe(|notice| {
        if notice.is_warning() {
            note(format!("warning: {notice}"));
        }
    }))
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
