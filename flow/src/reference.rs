//! The pages of the documentation that are made of the tables of the code.

use crate::codes::{Code, Severity};
use crate::parse::refuse::Refused;

/// The table of all diagnostics, and of what Flow refuses by name, as Markdown.
#[must_use]
pub fn diagnostics() -> String {
    let mut page = String::from(
        "# Diagnostics\n\n\
         Made from the tables in `flow/src/codes.rs` and `flow/src/parse/refuse.rs`; `make accept` writes it.\n\n\
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
                "| {} | {} | {} |\n",
                code.number(),
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
    for refused in Refused::ALL {
        let (name, instead) = refused.words();
        let cell = |text: &str| text.replace('|', "\\|");
        page.push_str(&format!("| {} | {} |\n", cell(name), cell(instead)));
    }
    page
}
