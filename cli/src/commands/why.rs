//! `rhythm why`.

use std::time::SystemTime;

use clap::{ArgGroup, Args};
use rhythm_client::Why;
use uuid::Uuid;

use crate::cli::Context;
use crate::error::Result;
use crate::output::Output;
use crate::render::execution::facts;
use crate::render::time;

/// Say why an execution or a queue does not move
///
/// Gives the one reason, since when, until when where that is known, and what to do.
#[derive(Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("what").required(true).args(["id", "queue"])))]
pub(crate) struct WhyArgs {
    /// Id of the execution
    id: Option<Uuid>,
    /// Name of a queue: why does its next task wait?
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
}

const EXAMPLES: &str = "Examples:
  rhythm why 0190a1b2-0000-7000-8000-000000000000
  rhythm why --queue mail
  rhythm --json why --queue mail";

pub(crate) async fn run(args: WhyArgs, context: &Context) -> Result<()> {
    let client = context.client().await?;
    let why = match (args.id, args.queue) {
        (Some(id), _) => client.why(id).await?,
        (None, queue) => client.why_queue(&queue.unwrap_or_default()).await?,
    };
    let output = context.output;
    output.either(&why, || text(&why, SystemTime::now(), output));
    Ok(())
}

fn text(why: &Why, now: SystemTime, output: Output) -> String {
    let since = why.since.map(|at| {
        let ago = time::between(at, now);
        format!("{} UTC, {ago} ago", time::timestamp(at))
    });
    let until = why.until.map(|at| {
        let left = match at.duration_since(now) {
            Ok(left) => format!("in {}", time::duration(left)),
            Err(_) => "now".to_owned(),
        };
        format!("{} UTC, {left}", time::timestamp(at))
    });
    facts(
        &[
            (
                "reason",
                why.reason.as_deref().map(|word| output.strong(word)),
            ),
            ("", why.explanation.clone()),
            ("since", since),
            ("until", until),
            ("do", why.hint.clone()),
        ],
        output,
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_reason_is_told_with_its_times() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut why = Why {
            reason: Some("rate_limited".into()),
            explanation: Some("the bucket of queue 'mail' is empty (rate 100/min)".into()),
            since: None,
            until: Some(at(1_795_492_392)),
            hint: Some("Wait for the next token, or raise the rate.".into()),
        };
        let limited = text(&why, at(1_795_492_390), Output::plain());
        why.since = Some(at(1_795_488_000));
        why.until = None;
        let since = text(&why, at(1_795_492_390), Output::plain());
        insta::assert_snapshot!(format!("{limited}\n\n{since}"));
    }
}
