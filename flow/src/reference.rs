//! The pages of the documentation that are made of the tables of the code.

use crate::codes::{Code, Severity};
use crate::parse::refuse::Refused;

/// The table of all diagnostics, and of what Flow refuses by name, as Markdown.
#[must_use]
pub fn diagnostics() -> String {
    let mut page = String::from(
        "# Diagnostics\n\n\
         Made from the tables in `flow/src/codes.rs`, `flow/src/explain` and `flow/src/parse/refuse.rs`;\n\
         `make accept` writes it. `rhythm explain E0101` prints a section of it.\n\n\
         A diagnostic is printed as `file:line:column: error[code]: message`, with the line, a caret and\n\
         a hint. Lines and columns count from 1, columns in UTF-16 units as editors count them. All\n\
         diagnostics of a file are reported at once, up to 100. Codes never change their meaning.\n",
    );
    for (severity, title, about) in [
        (Severity::Error, "Errors", "The program is refused."),
        (
            Severity::Warning,
            "Warnings",
            "The program runs, but probably not as it was meant.",
        ),
    ] {
        page.push_str(&format!(
            "\n## {title}\n\n{about}\n\n| code | name | what it is about |\n|---|---|---|\n"
        ));
        for code in Code::ALL.iter().filter(|code| code.severity() == severity) {
            page.push_str(&format!(
                "| [{0}](#{1}) | {2} | {3} |\n",
                code.number(),
                anchor(*code),
                code.name(),
                code.explanation()
            ));
        }
    }
    page.push_str(
        "\n## What Flow refuses by name\n\n\
         All of these are `E0050`: JavaScript has them, Flow has not (yet).\n\n\
         | refused | write instead |\n|---|---|\n",
    );
    for (name, instead) in refused() {
        let cell = |text: &str| text.replace('|', "\\|");
        page.push_str(&format!("| {} | {} |\n", cell(name), cell(instead)));
    }
    page.push_str("\n## Each of them\n");
    for code in Code::ALL {
        let severity = code.severity().word();
        page.push_str(&format!(
            "\n### {} {}\n\n*{}: {}*\n\n{}",
            code.number(),
            code.name(),
            severity[..1].to_uppercase() + &severity[1..],
            code.explanation(),
            code.page()
        ));
    }
    page
}

/// What Flow refuses by name, with what to write instead.
pub fn refused() -> impl Iterator<Item = (&'static str, &'static str)> {
    Refused::ALL.iter().map(|refused| refused.words())
}

/// What GitHub makes of the heading of a code.
fn anchor(code: Code) -> String {
    format!("{}-{}", code.number().to_lowercase(), code.name())
}
