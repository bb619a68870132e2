//! `rhythm retry`.

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::Result;

/// Run a failed execution again
///
/// It goes on under the same id: a task with a new attempt, a workflow from its last await.
#[derive(Args)]
pub(crate) struct RetryArgs {
    /// Id of the execution
    id: Uuid,
}

pub(crate) async fn run(args: RetryArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let id = client.retry(args.id).await?;
    context
        .output
        .either(&json!({ "id": id }), || format!("{id} runs again"));
    Ok(())
}
