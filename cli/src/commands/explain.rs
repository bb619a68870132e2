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
            || others(&wanted),
            |code| format!("Did you mean {} ({})?", code.number(), code.name()),
        );
    CliError::user(format!("there is no code `{text}`")).hint(hint)
}

/// Codes that have something in common with what was asked for.
fn others(wanted: &str) -> String {
    const MOST: usize = 4;
    let by_number = by_number(wanted);
    let near = if by_number.is_empty() {
        by_words(wanted)
    } else {
        by_number
    };
    let near = near.iter().take(MOST);
    let near: Vec<String> = near
        .map(|code| format!("{} ({})", code.number(), code.name()))
        .collect();
    if near.is_empty() {
        "`rhythm explain` lists all codes.".to_owned()
    } else {
        format!(
            "Near it: {}. `rhythm explain` lists all codes.",
            near.join(", ")
        )
    }
}

/// Those whose numbers begin as this one does, or the last ones of its kind in front of it.
fn by_number(wanted: &str) -> Vec<Code> {
    let wanted = wanted.to_uppercase();
    let Some((kind, digits)) = wanted.split_at_checked(1) else {
        return Vec::new();
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let of_kind = Code::ALL.iter().copied();
    let of_kind = of_kind.filter(|code| code.number().starts_with(kind));
    let mut near: Vec<Code> = of_kind
        .clone()
        .filter(|code| {
            wanted
                .get(..3)
                .is_some_and(|start| code.number().starts_with(start))
        })
        .collect();
    if near.is_empty() {
        near = of_kind
            .filter(|code| code.number() < wanted.as_str())
            .collect();
    }
    near.sort_by_key(|code| code.number());
    // Of those in front of it, the nearest come last.
    let first = near.iter().filter(|code| code.number() < wanted.as_str());
    let skipped = first.count().saturating_sub(2);
    near.split_off(skipped)
}

/// Those that have words of this text in their names, then those that speak of it.
fn by_words(wanted: &str) -> Vec<Code> {
    let wanted = wanted.to_lowercase();
    let words = wanted.split(|char: char| !char.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| word.len() > 2).collect();
    let count = |text: &str| {
        let text = text.to_lowercase();
        let of_text: Vec<&str> = text.split(|char: char| !char.is_alphanumeric()).collect();
        words.iter().filter(|word| of_text.contains(word)).count()
    };
    let mut near: Vec<(usize, Code)> = Code::ALL
        .iter()
        .map(|code| (2 * count(code.name()) + count(code.explanation()), *code))
        .filter(|(words, _)| *words > 0)
        .collect();
    near.sort_by_key(|(words, _)| std::cmp::Reverse(*words));
    near.into_iter().map(|(_, code)| code).collect()
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
