//! Values as people write them on a command line: JSON, durations, files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use ignore::overrides::OverrideBuilder;
use ignore::{DirEntry, Walk, WalkBuilder};
use rhythm_flow::Source;
use serde_json::value::RawValue;

use crate::error::{AtPath, CliError, Result};

/// Reads text from the argument itself, from a file (`@reminders.sql`), or from stdin (`-`).
pub(crate) fn text(argument: &str) -> Result<String> {
    if argument == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .at("read", Path::new("stdin"))?;
        return Ok(text);
    }
    match argument.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).at("read", Path::new(path)),
        None => Ok(argument.to_owned()),
    }
}

/// Reads JSON as `text` does. It stays the text that it was: depth and numbers are the server's business.
pub(crate) fn json(argument: &str) -> Result<String> {
    let text = text(argument)?;
    if let Err(e) = serde_json::from_str::<&RawValue>(&text) {
        return Err(CliError::usage(format!("not valid JSON: {e}"))
            .detail(format!(
                "It begins with: {}",
                text.chars().take(60).collect::<String>()
            ))
            .hint(
                "Quote it for the shell, as in '{\"name\": \"Ada\"}', or give a file: @inputs.json",
            ));
    }
    Ok(text)
}

/// Parses durations as Flow does: `90`, `"250ms"`, `"90s"`, `"15m"`, `"24h"`, `"7d"`, `"1h30m"`.
pub(crate) fn duration(text: &str) -> std::result::Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write 250ms, 90s, 15m, 24h, 7d or 1h30m");
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let letters = behind
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let seconds = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err(wrong()),
        };
        total += Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        rest = behind;
    }
    Ok(total)
}

/// Parses a point in time in UTC: `2026-11-24`, `2026-11-24T03:53Z`.
pub(crate) fn moment(text: &str) -> std::result::Result<SystemTime, String> {
    rhythm_client::time::parse(text).ok_or_else(|| {
        format!("`{text}` is no time; write 2026-11-24 or 2026-11-24T03:53Z, which is UTC")
    })
}

/// Checks a day such as `2026-11-24`.
pub(crate) fn day(text: &str) -> std::result::Result<String, String> {
    if text.len() == 10 && rhythm_client::time::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no day; write 2026-11-24"))
}

/// Parses a point in time, or how long ago it was.
pub(crate) fn past(text: &str) -> std::result::Result<SystemTime, String> {
    if let Ok(ago) = duration(text) {
        return SystemTime::now()
            .checked_sub(ago)
            .ok_or_else(|| format!("`{text}` is too long ago"));
    }
    moment(text).map_err(|wrong| format!("{wrong}; or how long ago, such as 3d"))
}

/// A file in which people say what is passed over, in the form of a .gitignore.
const IGNORE_FILE: &str = ".rhythmignore";

/// What is passed over below folders, besides what ignore files say.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Exclude {
    /// Pass over files and folders, in the form of a .gitignore: 'drafts/', '*_old.flow'; may be
    /// given several times. So do .rhythmignore, .ignore and .gitignore
    #[arg(long = "exclude", value_name = "GLOB")]
    globs: Vec<String>,
}

/// The files that are meant, each once, in the order of their names; a folder stands for all .flow
/// files below it that nothing excludes. What is named itself is always meant.
pub(crate) fn flow_files(paths: &[PathBuf], exclude: &Exclude) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !fs::metadata(path).at("read", path)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        for entry in walk(path, exclude)? {
            let entry = entry.map_err(|error| CliError::user(format!("cannot read {error}")))?;
            files.extend(flow_path(&entry));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The .flow files below a folder, as `flow_files` finds them; what cannot be read is passed over.
pub(crate) fn readable_flow_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let walk = walk(folder, &Exclude::default())?;
    let mut files: Vec<PathBuf> = walk
        .flatten()
        .filter_map(|entry| flow_path(&entry))
        .collect();
    files.sort();
    Ok(files)
}

fn flow_path(entry: &DirEntry) -> Option<PathBuf> {
    let path = entry.path();
    // `.` is how the current folder is called, and is no part of a name.
    let path = path.strip_prefix(".").unwrap_or(path);
    let is_flow = path.extension().is_some_and(|ending| ending == "flow") && path.is_file();
    is_flow.then(|| path.to_owned())
}

/// Names of workflows that more than one of these files has, each with its files.
pub(crate) fn clashes(files: &[PathBuf]) -> BTreeMap<String, Vec<&Path>> {
    let mut named: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
    for path in files {
        named.entry(flow_name(path)).or_default().push(path);
    }
    named.retain(|_, files| files.len() > 1);
    named
}

/// Says which files have one name.
pub(crate) fn clash(name: &str, files: &[&Path]) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!("{} are all called {name}", files.join(" and "))
}

fn walk(folder: &Path, exclude: &Exclude) -> Result<Walk> {
    // An override that begins with `!` leaves out what it fits.
    let mut overrides = OverrideBuilder::new(folder);
    for glob in &exclude.globs {
        let bad = |error| CliError::usage(format!("--exclude {glob}: {error}"));
        overrides.add(&format!("!{glob}")).map_err(bad)?;
    }
    let overrides = overrides
        .build()
        .map_err(|error| CliError::usage(format!("--exclude: {error}")))?;
    // Names that begin with a dot are passed over by default; a link to a folder is not followed, since
    // it may lead back.
    Ok(WalkBuilder::new(folder)
        .add_custom_ignore_filename(IGNORE_FILE)
        .overrides(overrides)
        .filter_entry(|entry| entry.depth() == 0 || !is_of_a_tool(entry))
        .build())
}

/// Whether a folder holds what package managers and compilers put there.
fn is_of_a_tool(entry: &DirEntry) -> bool {
    entry.path().is_dir() && (entry.file_name() == "node_modules" || entry.file_name() == "target")
}

/// The name that a file gives its workflow.
fn flow_name(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A workflow's source, and the name that its file gives it.
pub(crate) fn flow_file(path: &Path) -> Result<(String, Source)> {
    let name = flow_name(path);
    let text = fs::read_to_string(path).at("read", path)?;
    Ok((name, Source::new(path.display().to_string(), text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_flow() {
        let millis = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(millis("250ms"), Ok(250));
        assert_eq!(millis("2"), Ok(2000));
        assert_eq!(millis("1.5s"), Ok(1500));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("7d"), Ok(604_800_000));
        for wrong in [
            "",
            "soon",
            "5 m",
            "-1s",
            "1y",
            "1e3",
            "99999999999999999999d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wrong_json_says_where_and_how_to_write_it() {
        let error = json("{name: Ada}").expect_err("names need quotes");
        insta::assert_snapshot!(error);
    }
}
