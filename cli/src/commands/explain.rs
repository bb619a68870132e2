//! `rhythm explain`: the long form of a code, from the language's own table.

use clap::Args;
use rhythm_flow::codes::Code;
use rhythm_flow::nearest::nearest;
use rhythm_flow::reference;
use serde_json::{Value, json};

use crate::cli::Context;
use crate::error::{CliError, Result};
use crate::output::Output;

/// Explain what a code such as E0101 means, with an example
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The code or its name, such as E0101 or unknown-name; without it, all are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<()> {
    let output = context.output;
    let Some(text) = &args.code else {
        let all: Vec<Value> = Code::ALL.iter().map(|code| facts(*code)).collect();
        output.either(&all, || list(output));
        return Ok(());
    };
    let text = text.trim_matches(['[', ']']);
    let code = Code::find(text).ok_or_else(|| unknown(text))?;
    let mut value = facts(code);
    value["page"] = Value::from(code.page());
    output.either(&value, || page(output, code));
    Ok(())
}

fn facts(code: Code) -> Value {
    json!({
        "code": code.number(),
        "name": code.name(),
        "severity": code.severity().word(),
        "explanation": code.explanation(),
    })
}

fn list(output: Output) -> String {
    let mut table = output.table(&["CODE", "NAME", "WHAT IT IS ABOUT"]);
    for code in Code::ALL {
        table.add_row([code.number(), code.name(), code.explanation()]);
    }
    output.draw(table)
}

fn unknown(text: &str) -> CliError {
    let numbers = Code::ALL.iter().map(|code| code.number());
    let names = Code::ALL.iter().map(|code| code.name());
    let wanted = if text.starts_with(|char: char| char.is_ascii_digit()) {
        format!("E{text}")
    } else {
        text.to_owned()
    };
    let all = || numbers.clone().chain(names.clone());
    let hint = all()
        .find(|known| known.eq_ignore_ascii_case(&wanted))
        .or_else(|| nearest(&wanted, all()))
        .and_then(Code::find)
        .map_or_else(
            || "`rhythm explain` lists all codes.".to_owned(),
            |code| format!("Did you mean {} ({})?", code.number(), code.name()),
        );
    CliError::user(format!("there is no code `{text}`")).hint(hint)
}

/// The page as text for a terminal: programs are indented, and headed by what they are.
fn page(output: Output, code: Code) -> String {
    let severity = code.severity().word();
    let mut text = format!(
        "{} {}\n\n{}\n\n",
        output.severity(severity, &format!("{severity}[{}]", code.number())),
        output.strong(code.name()),
        code.explanation()
    );
    let mut in_program = false;
    for line in code.page().lines() {
        match line {
            "```" => in_program = false,
            "```js refused" => text.push_str("  Wrong:\n\n"),
            "```js warned" => text.push_str("  Suspicious:\n\n"),
            "```js" => text.push_str("  Right:\n\n"),
            _ if line.starts_with("```") => {}
            _ if in_program => text.push_str(format!("      {line}").trim_end()),
            _ => text.push_str(line),
        }
        if line.starts_with("```") && line != "```" {
            in_program = true;
        } else if line != "```" {
            text.push('\n');
        }
    }
    if code == Code::NotInFlow {
        text.push_str("\n  Refused by name:\n\n");
        for (name, instead) in reference::refused() {
            text.push_str(&format!("      {name}: {instead}\n"));
        }
    }
    text.trim_end().to_owned()
}
