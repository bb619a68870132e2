//! From `--url` and the environment to a client, and from its errors to ours.

pub(crate) use rhythm_client::Client;

use crate::error::{CliError, Kind, Result};
