//! The pages of the documentation that are made of the tables of the code.

use crate::absent;
use crate::builtins::{ALIASES, Registry, registry};
use crate::codes::{Code, Severity};
use crate::parse::refuse::Refused;
use crate::stricter;
use crate::value::inherited::{self, Kind};

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

/// Where Flow is stricter than JavaScript, as a part of a page in Markdown.
#[must_use]
pub fn stricter() -> String {
    let mut part = String::from("Refused when you deploy:\n\n");
    let mut told: Vec<&str> = Vec::new();
    for code in Code::ALL {
        if let Some(words) = stricter::refused_by(*code)
            && !told.contains(&words)
        {
            told.push(words);
            let (number, anchor) = (code.number(), anchor(*code));
            part.push_str(&format!(
                "- {words} ([{number}](diagnostics.md#{anchor}))\n"
            ));
        }
    }
    let mut names: Vec<&str> = refused().map(|(name, _)| name).collect();
    names.dedup();
    part.push_str(&format!("\nBy name are refused: {}.\n", names.join("; ")));
    part.push_str("\nRefused while a program runs, by a `TypeError` that `catch` sees:\n\n");
    for (_, words) in stricter::WHILE_RUNNING {
        part.push_str(&format!("- {words}\n"));
    }
    part
}

/// How the messages read that refuse something while a program runs.
pub fn refusing_messages() -> impl Iterator<Item = &'static str> {
    let all = stricter::WHILE_RUNNING.iter();
    all.flat_map(|(messages, _)| messages.iter().copied())
}

/// What GitHub makes of the heading of a code.
fn anchor(code: Code) -> String {
    format!("{}-{}", code.number().to_lowercase(), code.name())
}

/// What a program can name without declaring it, and what JavaScript has besides, as Markdown.
#[must_use]
pub fn library() -> String {
    let registry = registry();
    let mut page = String::from(
        "# The library\n\n\
         Made from the tables in `flow/src/builtins`, `flow/src/value/inherited.rs` and `flow/src/absent.rs`;\n\
         `make accept` writes it. What is listed means what it means in Node 22. The number is the `length` of the\n\
         function: how many arguments it declares. The host's calls are described in [the guide](README.md).\n\n\
         ## Globals\n\n| name | call | `new` | members |\n|---|---|---|---|\n",
    );
    for name in registry.globals() {
        let call = registry
            .find(name)
            .map(|at| registry.all[usize::from(at)].length);
        let made = registry.find(&format!("new {name}"));
        let call = call.map_or(String::new(), |length| length.to_string());
        // `new Promise` is only there to throw by name.
        let made = if made.is_some() && name != "Promise" {
            "yes"
        } else {
            ""
        };
        page.push_str(&format!(
            "| `{name}` | {call} | {made} | {} |\n",
            members(registry, name)
        ));
    }
    page.push_str(
        "\nThe functions of `Math` are V8's to the last bit: 1 600 000 arguments of each agree with Node 22 on x86-64.\n\
         Nothing is known to differ. On every machine Flow gives these bits; a Node that was built to take a system's\n\
         library instead may not.\n\n\
         What `console` writes is described in [Logging](logging.md).\n",
    );
    page.push_str(
        "\n## Methods\n\nA name in the last column is one that JavaScript's values inherit: reading it throws and says so.\n\n\
         | of | methods | not in Flow |\n|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let start = format!("{}.prototype.", kind.name());
        let mut has: Vec<String> = registry
            .all
            .iter()
            .filter_map(|one| Some((one.path.strip_prefix(start.as_str())?, one.length)))
            .map(|(name, length)| format!("`{name}` {length}"))
            .collect();
        let aliases = ALIASES.iter().filter_map(|(path, same)| {
            let name = path.strip_prefix(start.as_str())?;
            Some(format!(
                "`{name}` = `{}`",
                same.strip_prefix(start.as_str())?
            ))
        });
        has.extend(aliases);
        has.sort_unstable();
        let lacks: Vec<String> = inherited::names(kind)
            .iter()
            .filter(|name| {
                registry.method(kind, name).is_none() && !inherited::is_getter(kind, name)
            })
            .map(|name| format!("`{name}`"))
            .collect();
        page.push_str(&format!(
            "| {} | {} | {} |\n",
            kind.name(),
            has.join(", "),
            lacks.join(", ")
        ));
    }
    page.push_str(
        "\n`normalize` gives what Node 22 gives for every character of its Unicode. `toLocaleUpperCase` and `toLocaleLowerCase` take no\n\
         locale and do what `toUpperCase` and `toLowerCase` do, as Node does except where the machine's language is Turkish, Azeri or\n\
         Lithuanian. All times are in UTC, so `getTimezoneOffset` is always 0. `localeCompare` is not there: its order depends on the\n\
         language and on the version of tables that change; compare with `<`, or sort in SQL with a collation. An array, a function, a\n\
         map, a set, a date, a promise or an iterator keeps no properties of one's own: setting one is E0126 where it can be seen, and\n\
         throws a `TypeError` at run time.\n",
    );
    page.push_str(
        "\n## Names that Flow refuses\n\nSyntax that is refused stands in [Diagnostics](diagnostics.md).\n\n\
         | name | instead |\n|---|---|\n",
    );
    for (name, instead) in absent::NAMES {
        page.push_str(&format!("| `{name}` | {instead} |\n"));
    }
    page
}

/// The members of a global with their lengths; constants have none.
fn members(registry: &Registry, global: &str) -> String {
    let described = registry.members(global).into_iter().map(|name| {
        let path = format!("{global}.{name}");
        match registry.find(&path) {
            Some(at) => format!("`{name}` {}", registry.all[usize::from(at)].length),
            None => format!("`{name}`"),
        }
    });
    described.collect::<Vec<_>>().join(", ")
}
