//! Rules of the tree that no compiler checks. Needs no server. Each rule says where it is broken and what to do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rhythm_tests::installation::project;

/// Files over 600 lines, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[
    ("Cargo.lock", "generated"),
    ("LICENSE", "the licence's own text"),
    (
        "cli/tests/snapshots/cli__reference__cli-reference.snap",
        "generated, the help of every verb",
    ),
    (
        "docs/flow/diagnostics.md",
        "generated, a section for each code",
    ),
    (
        "docs/sql/reference.md",
        "generated, a section for each function and view",
    ),
    ("flow/src/vm/registers.rs", "the one dispatch loop"),
    ("tests/tests/tidy.rs", "a flat list of rules"),
    ("tests/tests/bad_input.rs", "most of it a table of calls"),
    ("tests/differential/grammar.mjs", "a flat table of forms"),
];

/// Folders and what their sources must not name: the arrows of ARCHITECTURE.md.
const MUST_NOT_NAME: &[(&str, &[&str])] = &[
    (
        "flow/src/value",
        &[
            "crate::parse",
            "crate::check",
            "crate::compile",
            "crate::vm",
            "crate::snapshot",
            "crate::builtins",
            "crate::program",
            "pest::",
            "crate::ast",
        ],
    ),
    ("flow/src/source.rs", &["crate::"]),
    (
        "flow/src/ast.rs",
        &["crate::check", "crate::compile", "crate::vm", "pest::"],
    ),
    (
        "flow/src/op.rs",
        &["crate::ast", "crate::parse", "crate::compile", "crate::vm"],
    ),
    (
        "flow/src/parse",
        &["crate::check", "crate::compile", "crate::vm"],
    ),
    (
        "flow/src/format",
        &["crate::check", "crate::compile", "crate::vm", "pest::"],
    ),
    (
        "flow/src/regex",
        &[
            "crate::value",
            "crate::vm",
            "crate::builtins",
            "crate::parse",
            "crate::error",
        ],
    ),
    (
        "flow/src/schema",
        &[
            "crate::value",
            "crate::vm",
            "crate::builtins",
            "crate::parse",
            "crate::compile",
        ],
    ),
    ("flow/src/check", &["crate::vm", "pest::", "crate::compile"]),
    ("flow/src/compile", &["crate::vm", "pest::", "crate::parse"]),
    (
        "flow/src/vm",
        &[
            "crate::ast",
            "crate::parse",
            "crate::compile",
            "crate::check",
        ],
    ),
    (
        "flow/src/builtins",
        &[
            "crate::ast",
            "crate::parse",
            "crate::compile",
            "crate::snapshot",
        ],
    ),
    (
        "flow/src/snapshot",
        &[
            "crate::ast",
            "crate::parse",
            "crate::compile",
            "crate::check",
            "crate::host",
        ],
    ),
    (
        "extension/src/db",
        &[
            "rhythm_flow",
            "crate::engine",
            "crate::api",
            "crate::worker",
        ],
    ),
    (
        "extension/src/engine",
        &[
            "Spi::",
            "pgrx::prelude",
            "pg_sys",
            "crate::worker",
            "crate::api",
        ],
    ),
    ("extension/src/api", &["Spi::", "crate::worker"]),
    (
        "extension/src/worker",
        &["Spi::", "rhythm_flow", "crate::engine", "crate::api"],
    ),
    (
        "extension/src/shmem",
        &[
            "Spi::",
            "rhythm_flow",
            "crate::db",
            "crate::engine",
            "crate::api",
            "crate::worker",
        ],
    ),
    (
        "extension/src/guc.rs",
        &[
            "crate::db",
            "crate::engine",
            "crate::api",
            "crate::shmem",
            "crate::worker",
        ],
    ),
    ("adapters/core/src", &["rhythm_flow", "pgrx"]),
    (
        "adapters/python/src",
        &["tokio_postgres", "rhythm_flow", "pgrx"],
    ),
    (
        "testing/src",
        &["std::fs", "std::net", "std::io", "pgrx", "rhythm_client"],
    ),
    ("cli/src", &["pgrx"]),
];

/// The only file of the command with SQL of its own: a client has no words for making databases and extensions.
const SQL_OF_THE_COMMAND: &str = "cli/src/dev/database.rs";

struct Text {
    path: String,
    text: String,
}

/// All text files of the project, by path from its root.
fn texts() -> Vec<Text> {
    let mut files = Vec::new();
    walk(project(), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text = String::from_utf8(std::fs::read(&path).ok()?).ok()?;
        let path = path.strip_prefix(project()).ok()?.to_str()?.to_owned();
        Some(Text { path, text })
    };
    files.into_iter().filter_map(read).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    const NOT_OURS: &[&str] = &[
        "target",
        ".venv",
        ".git",
        ".node",
        ".rhythm",
        "node_modules",
        "__pycache__",
    ];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if NOT_OURS.iter().any(|not| name == *not) || name.to_string_lossy().contains("_cache") {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_none_or(|e| e != "so") {
            files.push(path);
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn below<'a>(
    texts: &'a [Text],
    folder: &'a str,
    ending: &'a str,
) -> impl Iterator<Item = &'a Text> {
    texts
        .iter()
        .filter(move |t| t.path.starts_with(folder) && t.path.ends_with(ending))
}

#[track_caller]
fn none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The names that follow `before` in a text, such as functions that SQL declares.
fn names_after(text: &str, before: &str) -> BTreeSet<String> {
    let word = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    text.split(before)
        .skip(1)
        .map(word)
        .filter(|name| !name.is_empty())
        .collect()
}

fn joined(texts: &[Text], folder: &str, ending: &str) -> String {
    below(texts, folder, ending)
        .map(|t| t.text.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_portable_schema_declares_no_c_function() {
    let texts = texts();
    let found: Vec<String> = below(&texts, "sql/schema/", ".sql")
        .filter(|t| {
            let text = t.text.to_lowercase();
            text.contains("language c ")
                || text.contains("language c\n")
                || text.contains("module_pathname")
        })
        .map(|t| t.path.clone())
        .collect();
    none(&found, "C functions are declared in sql/native alone");
}

#[test]
fn the_seam_to_the_library_is_as_listed() {
    let declared = names_after(
        &joined(&texts(), "sql/native/", ".sql"),
        "create function rhythm.",
    );
    let listed: BTreeSet<String> = read("tests/tidy/seam.txt")
        .lines()
        .map(str::to_owned)
        .collect();
    let changed: Vec<String> = declared.symmetric_difference(&listed).cloned().collect();
    none(
        &changed,
        "sql/native and tests/tidy/seam.txt differ in (keep the seam short)",
    );
}

#[test]
fn every_c_function_exists_on_both_sides() {
    let texts = texts();
    let sql = joined(&texts, "sql/native/", ".sql");
    let in_sql: BTreeSet<String> = sql
        .split('\'')
        .filter_map(|word| word.strip_suffix("_wrapper"))
        .map(str::to_owned)
        .collect();
    let mut in_rust = BTreeSet::new();
    for file in below(&texts, "extension/src/", ".rs") {
        for after in file.text.split("#[pg_extern").skip(1) {
            let name = after.split("fn ").nth(1).unwrap_or_default();
            in_rust.extend(
                names_after(&format!("fn {name}"), "fn ")
                    .into_iter()
                    .take(1),
            );
        }
    }
    assert!(!in_sql.is_empty());
    let missing: Vec<String> = in_sql.symmetric_difference(&in_rust).cloned().collect();
    none(
        &missing,
        "declared in sql/native but not in extension/src, or the other way round",
    );
}

#[test]
fn only_the_db_folder_speaks_spi() {
    let texts = texts();
    let found: Vec<String> = below(&texts, "extension/src/", ".rs")
        .filter(|t| !t.path.starts_with("extension/src/db/"))
        .filter(|t| {
            let code = t.text.lines().filter(|l| !l.trim_start().starts_with("//"));
            code.flat_map(|l| l.split(|c: char| !c.is_alphanumeric() && c != '_'))
                .any(|word| matches!(word, "Spi" | "SpiClient" | "SpiTupleTable" | "spi"))
        })
        .map(|t| t.path.clone())
        .collect();
    none(&found, "SPI is used outside extension/src/db");
}

#[test]
fn the_language_knows_no_database_and_no_clock() {
    let manifest = read("flow/Cargo.toml");
    let found: Vec<String> = ["pgrx", "tokio", "chrono", "uuid", "jiff", "postgres"]
        .into_iter()
        .filter(|name| manifest.lines().any(|line| line.starts_with(name)))
        .map(str::to_owned)
        .collect();
    none(&found, "flow/Cargo.toml must not name");
}

#[test]
fn the_arrows_between_folders_point_one_way() {
    let texts = texts();
    let mut found = Vec::new();
    for (folder, forbidden) in MUST_NOT_NAME {
        for file in below(&texts, folder, ".rs") {
            let code = file
                .text
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.trim_start().starts_with("//"));
            for (number, line) in code {
                for name in forbidden.iter().filter(|name| line.contains(**name)) {
                    found.push(format!("{}:{}: {name}", file.path, number + 1));
                }
            }
        }
    }
    none(
        &found,
        "a folder names what it must not know (see ARCHITECTURE.md)",
    );
}

#[test]
fn every_public_function_has_a_comment_with_an_example_and_a_client_method() {
    let texts = texts();
    let schema = joined(&texts, "sql/", ".sql");
    let client = joined(&texts, "adapters/core/src/", ".rs");
    let mut broken = Vec::new();
    for name in names_after(&schema, "create function rhythm.") {
        if name.starts_with('_') {
            continue;
        }
        let comment = schema
            .split(&format!("comment on function rhythm.{name}("))
            .nth(1);
        match comment.and_then(|c| c.split(';').next()) {
            None => broken.push(format!("{name}: no COMMENT ON FUNCTION")),
            Some(_)
                if !comment
                    .is_some_and(|c| c.split("\n\n").next().unwrap_or(c).contains("Example: ")) =>
            {
                broken.push(format!("{name}: its comment has no `Example: `"));
            }
            Some(_) => {}
        }
        // Some names are words of Rust.
        let is_there = |name: &str| client.contains(&format!("pub async fn {name}("));
        if !is_there(&name) && !is_there(&format!("r#{name}")) {
            broken.push(format!("{name}: no method in adapters/core/src/client.rs"));
        }
    }
    none(&broken, "public SQL functions");
}

/// A function that is `stable` or `immutable` can lock no row. Any other says above it which it locks, or that it locks none.
#[test]
fn every_sql_function_says_what_it_locks() {
    let texts = texts();
    let mut silent = Vec::new();
    for file in below(&texts, "sql/schema/", ".sql") {
        let mut comment = String::new();
        let mut lines = file.text.lines();
        while let Some(line) = lines.next() {
            if let Some(more) = line.strip_prefix("--") {
                comment.push_str(&more.to_lowercase());
                continue;
            }
            let declared = ["create function rhythm.", "create procedure rhythm."]
                .iter()
                .find_map(|before| line.strip_prefix(before));
            if let Some(declared) = declared {
                let mut head = line.to_owned();
                while !head.contains("$$") && !head.ends_with(';') {
                    head.push(' ');
                    head.push_str(lines.next().expect("it has a body"));
                }
                let head = head.split("$$").next().unwrap_or_default();
                let reads_only = head
                    .split_whitespace()
                    .any(|word| matches!(word, "stable" | "immutable"));
                let says = comment
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word.starts_with("lock"));
                if !reads_only && !says {
                    let name = declared.split('(').next().unwrap_or_default();
                    silent.push(format!("{}: {name}", file.path));
                }
            }
            comment.clear();
        }
    }
    none(
        &silent,
        "say above these which rows they lock, in which order, and what dying halfway leaves",
    );
}

#[test]
fn sql_is_written_where_it_belongs() {
    const SQL: &[&str] = &[
        "select ",
        "insert into",
        "delete from",
        "update rhythm",
        "create table",
        "create extension",
        "call rhythm",
    ];
    let texts = texts();
    let mut found = Vec::new();
    for folder in [
        "adapters/python/python/",
        "adapters/python/src/",
        "cli/src/",
    ] {
        for file in below(&texts, folder, "") {
            let source = file.path.ends_with(".py") || file.path.ends_with(".rs");
            if !source || file.path == SQL_OF_THE_COMMAND {
                continue;
            }
            for (number, line) in file.text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default().to_lowercase();
                if SQL.iter().any(|sql| code.contains(sql)) {
                    found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
                }
            }
        }
    }
    none(&found, "SQL belongs in adapters/core");
}

/// Adapters and the command call functions and read views: a table may change its shape in any version.
#[test]
fn nobody_but_the_extension_knows_a_table() {
    let texts = texts();
    let tables = names_after(
        &joined(&texts, "sql/schema/", ".sql"),
        "create table rhythm.",
    );
    assert!(tables.len() > 10, "{tables:?}");
    let mut found = Vec::new();
    for folder in ["adapters/", "cli/src/", "scripts/", "examples/"] {
        for file in below(&texts, folder, "") {
            for (number, line) in file.text.lines().enumerate() {
                let named = names_after(line, "rhythm.");
                for table in tables.intersection(&named) {
                    found.push(format!("{}:{}: rhythm.{table}", file.path, number + 1));
                }
            }
        }
    }
    none(
        &found,
        "call a function or read a view instead of the table",
    );
}

/// What was released is installed somewhere: its scripts are fixtures for ever.
#[test]
fn released_scripts_never_change() {
    let texts = texts();
    let sums: Vec<String> = ["sql/released/", "sql/upgrade/"]
        .into_iter()
        .flat_map(|folder| below(&texts, folder, ".sql"))
        .map(|file| format!("{:016x} {}", fingerprint(&file.text), file.path))
        .collect();
    let list = read("tests/tidy/released.txt");
    let listed: BTreeSet<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    let now: BTreeSet<&str> = sums.iter().map(String::as_str).collect();
    let differ: Vec<String> = listed
        .symmetric_difference(&now)
        .map(|&line| line.to_owned())
        .collect();
    none(
        &differ,
        "released scripts and tests/tidy/released.txt differ; a new script is appended, an old one never changed",
    );
}

/// FNV-1a: it tells a change from none, on every machine alike.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn opcodes_are_only_ever_appended() {
    let now: Vec<String> = read("flow/src/op.rs")
        .lines()
        .skip_while(|line| !line.starts_with("ops!"))
        .filter_map(|line| {
            let (number, rest) = line.trim().split_once(' ')?;
            number.parse::<u8>().ok()?;
            let name: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            let operands = rest.split('"').next()?.trim().strip_prefix(&name)?.trim();
            Some(format!("{number} {name}{operands}"))
        })
        .collect();
    assert_list("tests/tidy/opcodes.txt", &now);
}

#[test]
fn diagnostic_codes_are_never_changed_or_reused() {
    let now: Vec<String> = read("flow/src/codes.rs")
        .lines()
        .skip_while(|line| !line.starts_with("codes!"))
        .filter_map(|line| {
            let mut quoted = line.split('"').skip(1).step_by(2);
            let (number, name) = (quoted.next()?, quoted.next()?);
            let numbered = number.len() == 5 && number.starts_with(['E', 'W']);
            numbered.then(|| format!("{number} {name}"))
        })
        .collect();
    assert_list("tests/tidy/codes.txt", &now);
}

/// What is listed is still so; what is new gets listed.
#[track_caller]
fn assert_list(path: &str, now: &[String]) {
    assert!(!now.is_empty(), "{path}: nothing was found to compare with");
    let list = read(path);
    let listed: BTreeSet<&str> = list.lines().collect();
    let now: BTreeSet<&str> = now.iter().map(String::as_str).collect();
    let gone: Vec<String> = listed
        .difference(&now)
        .map(|&line| line.to_owned())
        .collect();
    none(
        &gone,
        &format!("stored programs and users know these, which {path} has and the source has not"),
    );
    let new: Vec<String> = now
        .difference(&listed)
        .map(|&line| line.to_owned())
        .collect();
    none(&new, &format!("append to {path}"));
}

#[test]
fn every_conformance_program_has_an_expectation() {
    let texts = texts();
    let bare: Vec<String> = below(&texts, "tests/conformance/", ".flow")
        .filter(|t| {
            let says = |line: &str| {
                ["// result:", "// error:", "// throws:"]
                    .iter()
                    .any(|e| line.trim_start().starts_with(e))
            };
            !t.text.lines().any(says)
        })
        .map(|t| t.path.clone())
        .collect();
    none(&bare, "programs without `// result:` or `// error:`");
}

#[test]
fn every_test_file_is_in_main() {
    let mut forgotten = Vec::new();
    for folder in ["tests/tests", "flow/tests", "cli/tests"] {
        let main = read(&format!("{folder}/main.rs"));
        let entries = std::fs::read_dir(project().join(folder)).expect("this folder is there");
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".rs")) else {
                continue;
            };
            if name != "main" && !main.contains(&format!("mod {name};")) {
                forgotten.push(format!("{folder}/{name}.rs"));
            }
        }
    }
    none(&forgotten, "main.rs beside them lacks `mod` for");
}

#[test]
fn files_are_short() {
    let long: Vec<String> = texts()
        .iter()
        .filter(|t| t.text.lines().count() > 600)
        .filter(|t| !LONG_FILES.iter().any(|(path, _)| *path == t.path))
        .filter(|t| !t.path.contains("/snap/") && !t.path.contains("/regress/expected/"))
        .map(|t| format!("{} ({} lines)", t.path, t.text.lines().count()))
        .collect();
    none(
        &long,
        "over 600 lines: split, or give the reason in LONG_FILES",
    );
}

#[test]
fn every_source_says_first_what_it_is_for() {
    let silent: Vec<String> = texts()
        .iter()
        .filter(|t| {
            let first = t.text.lines().next().unwrap_or_default();
            match t.path.rsplit('.').next() {
                Some("rs") => !first.starts_with("//!"),
                Some("sql") => {
                    t.path.starts_with("sql/")
                        && !first.starts_with("--")
                        && !first.starts_with('\\')
                }
                _ => false,
            }
        })
        .map(|t| t.path.clone())
        .collect();
    none(
        &silent,
        "files without a first line that says what they are for",
    );
}

#[test]
fn no_file_is_named_after_nothing() {
    const NAMELESS: &[&str] = &[
        "util", "utils", "helper", "helpers", "common", "misc", "manager", "service",
    ];
    let found: Vec<String> = texts()
        .iter()
        .map(|t| t.path.clone())
        .filter(|path| {
            Path::new(path)
                .file_stem()
                .is_some_and(|s| NAMELESS.iter().any(|n| s == *n))
        })
        .collect();
    none(&found, "names that say nothing");
}

#[test]
fn no_path_of_one_machine_is_in_the_tree() {
    // In pieces, since this file is in the tree too.
    let paths = [
        ["/wor", "k/"].concat(),
        ["/tmp/", "plan"].concat(),
        ["/tmp/", "t/"].concat(),
    ];
    let mut found = Vec::new();
    for file in texts() {
        for (number, line) in file.text.lines().enumerate() {
            if paths.iter().any(|path| line.contains(path.as_str())) {
                found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    none(&found, "paths of one machine");
}
