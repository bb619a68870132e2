//! Everything that the command prints: results to stdout, progress and errors to stderr.
//! The only file that writes to the terminal.

#![allow(clippy::print_stdout, reason = "this file is where printing is done")]

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::error::CliError;

/// There is one stdout, and what fails there fails for the whole command.
static INCOMPLETE: AtomicBool = AtomicBool::new(false);

/// How results are to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    /// Colours only a terminal that can, and never when `NO_COLOR` is set to something.
    pub(crate) fn new(json: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        Self {
            json,
            colour: !json && !refused && std::io::stdout().is_terminal(),
        }
    }

    /// Text without colour.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self {
            json: false,
            colour: false,
        }
    }

    /// Whether the caller is a program that reads JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints one line (or several) to stdout.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        let mut stdout = std::io::stdout();
        let written = writeln!(stdout, "{}", text.as_ref()).and_then(|()| stdout.flush());
        // A closed pipe (`rhythm list | head`) is no error of ours.
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
            && !INCOMPLETE.swap(true, Ordering::Relaxed)
        {
            note(format!("error: cannot write the answer: {error}"));
        }
    }

    /// Whether something could not be written, say since the disk is full.
    pub(crate) fn is_incomplete(self) -> bool {
        INCOMPLETE.load(Ordering::Relaxed)
    }

    /// Prints a text to stdout that brings its own ends of lines.
    pub(crate) fn text(self, text: &str) {
        let _ = write!(std::io::stdout(), "{text}");
    }

    /// Prints a value as JSON to stdout.
    pub(crate) fn json(self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(error) => note(format!("cannot write the answer as JSON: {error}")),
        }
    }

    /// Prints the value with `--json`, else the text for people.
    pub(crate) fn either(self, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            self.json(value);
        } else {
            self.line(text());
        }
    }

    /// How many columns the terminal has; a hundred where there is none.
    pub(crate) fn width(self) -> usize {
        Table::new().width().map_or(100, usize::from)
    }

    /// A table with this head, in the one form that all tables have.
    pub(crate) fn table(self, head: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(
            head.iter()
                .map(|h| Cell::new(h).add_attribute(Attribute::Bold)),
        );
        table
    }

    /// The table as text, from the first column to the last letter.
    pub(crate) fn draw(self, mut table: Table) -> String {
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.trim_fmt()
    }

    /// A cell with the name of a state in its colour.
    pub(crate) fn state_cell(self, state: &str) -> Cell {
        let cell = Cell::new(state);
        match state {
            "completed" => cell.fg(Color::Green),
            "failed" | "timed_out" => cell.fg(Color::Red),
            "cancelled" => cell.fg(Color::DarkGrey),
            "running" => cell.fg(Color::Cyan),
            _ => cell.fg(Color::Yellow),
        }
    }

    /// A state in its colour within a line of text.
    pub(crate) fn state(self, state: &str) -> String {
        let code = match state {
            "completed" => "32",
            "failed" | "timed_out" => "31",
            "cancelled" => "90",
            "running" => "36",
            _ => "33",
        };
        self.paint(code, state)
    }

    /// Text in the colour of an error or a warning.
    pub(crate) fn severity(self, severity: &str, text: &str) -> String {
        self.paint(if severity == "error" { "1;31" } else { "1;33" }, text)
    }

    /// A word that leads to what can be done.
    pub(crate) fn accent(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// Text of little weight, such as ids and times.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Text that tells of a success.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Text that tells of a failure.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Text that stands out.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Prints an error to stderr: in words for people, as JSON for programs.
    pub(crate) fn error(self, error: &CliError) {
        if self.json {
            note(error.to_json().to_string());
        } else {
            note(error.to_string());
        }
    }
}

/// Says something on stderr that is not a result.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}

/// A stage of longer work: announced when it starts, timed when it ends.
pub(crate) struct Stage {
    name: String,
    start: Instant,
}

impl Stage {
    /// Announces the stage on stderr.
    pub(crate) fn begin(name: impl Into<String>) -> Self {
        let name = name.into();
        note(format!("· {name} …"));
        Self {
            name,
            start: Instant::now(),
        }
    }

    /// How long it has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Says on stderr that the stage is done, and how long it took.
    pub(crate) fn done(self) {
        note(format!(
            "· {}: done in {:.1} s",
            self.name,
            self.elapsed().as_secs_f64()
        ));
    }
}
