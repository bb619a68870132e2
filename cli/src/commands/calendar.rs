//! `rhythm calendar`.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use comfy_table::Cell;
use rhythm_client::{CalendarInfo, During};
use serde_json::json;

use crate::cli::Context;
use crate::commands::input;
use crate::error::{CliError, Result};
use crate::output::Output;
use crate::render::execution::facts;
use crate::render::time;

/// Say when schedules must not start: list, set, delete calendars of exclusion
#[derive(Args)]
pub(crate) struct CalendarArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List calendars, and the schedules that use each
    List,
    /// Show a calendar
    Show {
        /// Name of the calendar
        name: String,
    },
    /// Make a calendar, or replace it; schedules that use it heed it at once
    Set {
        /// Name of the calendar
        name: String,
        /// A day, on the clock of each schedule, such as 2030-12-25
        #[arg(long = "day", value_parser = input::day, value_delimiter = ',', value_name = "DAY")]
        days: Vec<String>,
        /// A day of each week: mon, tue, wed, thu, fri, sat, sun
        #[arg(long = "weekday", value_delimiter = ',', value_name = "WEEKDAY")]
        weekdays: Vec<String>,
        /// From one moment to another, in UTC: 2030-12-20T18:00Z/2031-01-02T06:00Z
        #[arg(long, value_parser = during, value_delimiter = ',', value_name = "FROM/TO")]
        during: Vec<(SystemTime, SystemTime)>,
    },
    /// Delete a calendar that no schedule uses
    Delete {
        /// Name of the calendar
        name: String,
    },
}

pub(crate) async fn run(args: CalendarArgs, context: &Context) -> Result<()> {
    let output = context.output;
    let client = context.client().await?;
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => {
            let calendars = client.calendars(None).await?;
            output.either(&calendars, || table(&calendars, output));
        }
        Verb::Show { name } => {
            let found = client.calendars(Some(&name)).await?;
            let Some(calendar) = found.first() else {
                return Err(unknown(&name));
            };
            output.either(calendar, || details(calendar, output));
        }
        Verb::Set {
            name,
            days,
            weekdays,
            during,
        } => {
            client
                .set_calendar(&name, &days, &weekdays, &during)
                .await?;
            output.either(&json!({ "calendar": name, "set": true }), || {
                format!("{name} is set")
            });
        }
        Verb::Delete { name } => {
            if !client.delete_calendar(&name).await? {
                return Err(unknown(&name));
            }
            output.either(&json!({ "calendar": name, "deleted": true }), || {
                format!("{name} is deleted")
            });
        }
    }
    Ok(())
}

fn unknown(name: &str) -> CliError {
    CliError::user(format!("there is no calendar {name}")).hint("See `rhythm calendar list`.")
}

/// Parses `FROM/TO`.
fn during(text: &str) -> std::result::Result<(SystemTime, SystemTime), String> {
    let Some((from, to)) = text.split_once('/') else {
        return Err(format!(
            "`{text}` has no end; write 2030-12-20T18:00Z/2031-01-02T06:00Z"
        ));
    };
    let (from, to) = (input::moment(from)?, input::moment(to)?);
    if from >= to {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok((from, to))
}

fn table(calendars: &[CalendarInfo], output: Output) -> String {
    if calendars.is_empty() {
        return "none".to_owned();
    }
    let mut table = output.table(&["calendar", "days", "weekdays", "during", "schedules"]);
    for calendar in calendars {
        table.add_row([
            Cell::new(&calendar.name),
            Cell::new(calendar.days.len()),
            Cell::new(calendar.weekdays.join(", ")),
            Cell::new(calendar.during.len()),
            Cell::new(calendar.schedules.join(", ")),
        ]);
    }
    output.draw(table)
}

fn details(calendar: &CalendarInfo, output: Output) -> String {
    let listed = |all: &[String]| (!all.is_empty()).then(|| all.join(", "));
    let ranges: Vec<String> = calendar.during.iter().map(range).collect();
    facts(
        &[
            ("calendar", Some(calendar.name.clone())),
            ("days", listed(&calendar.days)),
            ("weekdays", listed(&calendar.weekdays)),
            ("during", (!ranges.is_empty()).then(|| ranges.join("\n"))),
            ("schedules", listed(&calendar.schedules)),
        ],
        output,
    )
}

fn range(during: &During) -> String {
    let moment = |at: Option<SystemTime>, open: &str| match at {
        Some(at) => format!("{} UTC", time::timestamp(at)),
        None => open.to_owned(),
    };
    format!(
        "{} to {}",
        moment(during.from, "always"),
        moment(during.to, "for ever")
    )
}
